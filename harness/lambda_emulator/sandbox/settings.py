"""The meter's settings file, read again when it changes: modes switch while environments live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lambda_emulator.sandbox.function import Function
from lambda_emulator.sandbox.steady import Steadier


class Settings:
    """What holds for the next invocation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: object = ()
        self.content: dict[str, Any] = {}
        self.refresh()

    @property
    def felt(self) -> bool:
        """Whether callers wait as long as on AWS."""
        return self.content.get("mode") != "reported"

    @property
    def memory_limit(self) -> bool:
        """Whether an environment ends that uses more than its memory size."""
        return bool(self.content.get("memory_limit", True))

    def steadier(self, function: Function, interpreter: str) -> Steadier | None:
        """Return what steadies a function's figures; None where that is not wanted.

        Args:
            function: The function.
            interpreter: What it runs in, as "python3.13".
        """
        if self.content.get("steady") is False:
            return None
        return Steadier(
            str(self.path.parent / "pools"),
            function.arn,
            function.code_version,
            str(self.content.get("machine", "")),
            interpreter,
        )

    @property
    def trace(self) -> str:
        """The file that gets a line of JSON about each invocation; empty for none."""
        return str(self.content.get("trace", ""))

    def cpu_factor(self, architecture: str) -> float:
        """Return the CPU time that AWS takes for one millisecond of this machine's."""
        return float((self.content.get("cpu_factor") or {}).get(architecture, 1.0))

    def refresh(self) -> None:
        """Read the file if it is not the one that was read last."""
        try:
            status = self.path.stat()
            now: object = (status.st_mtime_ns, status.st_ino)
        except OSError:
            now = None
        if now == self._seen:
            return
        self._seen = now
        self.content = {}
        try:
            content = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(content, dict):
            self.content = content

    def seed(self, function_name: str) -> str:
        """Return what a new environment draws latencies by: another one than all before it.

        Environments that drew the same latencies would make a version look slower than another one
        for nothing but its name, however many of them are measured. A file gets a byte for each:
        appending is atomic.
        """
        number = 0
        folder = self.path.parent / "sandboxes"
        try:
            folder.mkdir(exist_ok=True)
            with (folder / Path(function_name).name).open("ab", buffering=0) as file:
                file.write(b".")
                number = file.tell()
        except OSError:
            pass
        return f"{self.content.get('seed', 0)}:{function_name}:{number}"
