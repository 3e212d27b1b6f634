"""How the server starts Lambda workers: each within a sandbox of its own (`sandbox`).

Part of the server's program (`front.py`). MiniStack asks one function for the program of a runtime,
and starts workers by another; both are replaced, so that the program is the sandbox's and finds the
function's configuration in its environment. tests/emulator/test_meter_seams.py holds that.
"""

from __future__ import annotations

import json
from typing import Any

from lambda_emulator.sandbox.function import CONFIGURATION

_NEEDED = ("Architectures", "EphemeralStorage", "LoggingConfig", "Runtime", "TenancyConfig")


def sandboxed(program: str) -> None:
    """Let MiniStack start its workers through a program from now on.

    Args:
        program: Called with the path of a worker, as an interpreter would be.
    """
    from ministack.core import lambda_runtime

    detect = lambda_runtime._detect_runtime_binary
    spawn = lambda_runtime.Worker._spawn

    def detected(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (program if binary else "", script)

    def spawned(worker: Any) -> None:
        config = worker.config
        environment = config.get("Environment") or {}
        known = json.dumps({name: config[name] for name in _NEEDED if config.get(name)})
        variables = {**(environment.get("Variables") or {}), CONFIGURATION: known}
        worker.config = {**config, "Environment": {**environment, "Variables": variables}}
        try:
            spawn(worker)
        finally:
            worker.config = config

    lambda_runtime._detect_runtime_binary = detected
    lambda_runtime.Worker._spawn = spawned
