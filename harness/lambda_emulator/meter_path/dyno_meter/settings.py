"""What the meter is told: by a settings file, and by the embedded AWS's own API."""

from __future__ import annotations

import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FELT, REPORTED = "felt", "reported"
MODELLED, MEASURED = "modelled", "measured"


class Settings:
    """The settings file, read again when it changes, so that modes switch while workers live."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: object = ()
        self.felt = True  # let callers wait as long as on AWS
        self.aws_latency_modelled = True  # or as long as the embedded AWS took
        self._cpu_factors: dict[str, float] = {}
        self.seed = "0"
        self.memory_limit = True
        self.trace = ""  # file that gets a line of JSON about each invocation

    def cpu_factor(self, architecture: str) -> float:
        """Return the CPU time that AWS takes for one millisecond of this machine's."""
        return float(self._cpu_factors.get(architecture, 1.0))

    def sandbox_seed(self, function_name: str) -> str:
        """Return what a new sandbox of a function draws by: another one than all before it.

        Execution environments that drew the same latencies would make a version look slower than
        another one for nothing but its name, however many of them are measured.
        """
        return f"{self.seed}:{function_name}:{self._sandbox_number(function_name)}"

    def _sandbox_number(self, function_name: str) -> int:
        """Count this sandbox, in a file that gets a byte for each: appending is atomic."""
        folder = os.path.join(os.path.dirname(self.path), "sandboxes")  # noqa: PTH118, PTH120
        path = os.path.join(folder, os.path.basename(function_name))  # noqa: PTH118, PTH119
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, b".")
                return os.lseek(file, 0, os.SEEK_CUR)
            finally:
                os.close(file)
        except OSError:
            return 0

    def refresh(self) -> None:
        """Read the file if it is not the one that was read last."""
        try:
            status = os.stat(self.path)  # noqa: PTH116
            now: object = (status.st_mtime_ns, status.st_ino)
        except OSError:
            now = None
        if now != self._seen:
            self._seen = now
            self._apply(self._read() if now is not None else {})

    def _read(self) -> dict[str, Any]:
        try:
            with open(self.path, encoding="utf-8") as file:  # noqa: PTH123
                content = json.load(file)
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _apply(self, content: dict[str, Any]) -> None:
        self.felt = content.get("mode", FELT) != REPORTED
        self.aws_latency_modelled = content.get("aws_latency", MODELLED) != MEASURED
        self._cpu_factors = content.get("cpu_factor") or {}
        self.seed = str(content.get("seed", 0))
        self.memory_limit = bool(content.get("memory_limit", True))
        self.trace = str(content.get("trace", ""))


def function_configuration(
    arn: str, version: str, port: str, timeout_s: float = 2.0
) -> dict[str, Any]:
    """Ask the embedded AWS for a function's configuration; empty if it does not answer.

    A worker is not told its log format or architecture, but GetFunctionConfiguration knows.
    The request is written by hand: an HTTP library would cost every cold start 15 ms. Its
    signature is none: a key that is good for this question alone takes its place.
    """
    try:
        _, _, _, region, account, _, name = arn.split(":")[:7]
        scope = f"Credential={account}/19700101/{region}/lambda/aws4_request"
        request = (
            f"GET /2015-03-31/functions/{name}/configuration?Qualifier={version} HTTP/1.0\r\n"
            f"Host: 127.0.0.1:{port}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n"
            f"X-Dyno-Meter: {os.environ.get('DYNO_METER_KEY', '')}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", int(port)), timeout_s) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as answer:
                _, _, body = answer.read().partition(b"\r\n\r\n")
        content = json.loads(body)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
