"""What a handler finds around it: context object and environment, as on AWS Lambda."""

from __future__ import annotations

import os
import time

from .cfs import vcpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Variables of the embedded AWS's own, which its workers inherit and AWS does not set.
_OF_THE_SERVER = (
    "AUTH",
    "BIND_HOST",
    "DOCKER_HOST",
    "DYNO_METER",
    "DYNO_METER_KEY",
    "DYNO_METER_PATH",
    "DYNO_NODE",
    "DYNO_NODE_METER",
    "DYNO_OWNER",
    "DYNO_PYTHON",
    "GATEWAY_PORT",
    "IOT_MTLS_ENABLED",
    "LAMBDA_ACCOUNT_CONCURRENCY",
    "MINISTACK_ACCOUNT_ID",
    "MINISTACK_HOST",
    "MINISTACK_REGION",
    "NODE_OPTIONS",
    "PYTHONUNBUFFERED",
    "SFTP_ENABLED",
)


def prepare_environment(handler: str, configuration: dict[str, Any]) -> None:
    """Set the variables that AWS sets and the embedded AWS does not, and hide the server's own.

    Args:
        handler: The function's handler setting, as "app.handler".
        configuration: What GetFunctionConfiguration returns.
    """
    declared = (configuration.get("Environment") or {}).get("Variables") or {}
    for name in _OF_THE_SERVER:
        if name not in declared:
            os.environ.pop(name, None)
    if "PYTHONPATH" in declared:  # without the meter's folder
        os.environ["PYTHONPATH"] = declared["PYTHONPATH"]
    else:
        os.environ.pop("PYTHONPATH", None)
    runtime = configuration.get("Runtime") or "python3.13"
    logging = configuration.get("LoggingConfig") or {}
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    stream = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    if "[" not in stream:  # AWS's form: day, version, 32 hexadecimal digits
        day = time.strftime("%Y/%m/%d", time.gmtime())
        stream = f"{day}/[{version}]{stream.replace('-', '')}"
    os.environ.update(
        {
            "_HANDLER": handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        }
    )
    if (logging.get("LogFormat") or "").upper() == "JSON":
        os.environ["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        level = logging.get("ApplicationLogLevel")
        if level:
            os.environ["AWS_LAMBDA_LOG_LEVEL"] = level


def show_cpus(memory_mb: int) -> None:
    """Let the function count the vCPUs of its memory size, not this machine's."""
    count = vcpus(memory_mb)
    os.cpu_count = lambda: count
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        os.process_cpu_count = lambda: count


def show_architecture(architecture: str) -> None:
    """Let the function see the architecture that it was created for."""
    import platform

    machine = {"arm64": "aarch64"}.get(architecture, "x86_64")
    if platform.machine() == machine:
        return
    seen = platform.uname()._replace(machine=machine)
    platform.uname = lambda: seen  # platform.machine() asks it
    real = os.uname()
    faked = os.uname_result((real.sysname, real.nodename, real.release, real.version, machine))
    os.uname = lambda: faked


def complete_context(context: Any, remaining_ms: Callable[[], float]) -> None:
    """Add what AWS's context object has and the embedded AWS's has not.

    Args:
        context: The embedded AWS's object, of a class made for this invocation.
        remaining_ms: Tells how much of the timeout is left on the modelled clock.
    """
    kind = type(context)
    kind.get_remaining_time_in_millis = lambda _self: max(0, int(remaining_ms()))
    kind.memory_limit_in_mb = str(context.memory_limit_in_mb)  # a string on AWS
    kind.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
    kind.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    if not hasattr(kind, "log"):
        kind.log = staticmethod(lambda message: print(message, end=""))
