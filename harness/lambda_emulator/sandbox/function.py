"""The function that an environment is for: what MiniStack says of it, and what its worker gets."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_emulator.meter_path.dyno_meter.cfs import vcpus

# The function's configuration, as JSON in the worker's environment; set by `workers`.
CONFIGURATION = "DYNO_FUNCTION"
# Key of a worker's answer: the error that its caller is told. MiniStack ends a worker that answers
# with its own status "error"; one that goes on, as on AWS, answers "ok" with this.
ERROR = "told"
# In an invocation's envelope, beside what is known of durable functions: its answer is streamed.
STREAM = "DYNO_STREAM"
# Beside it: the function's timeout, in seconds. MiniStack's own clock is put off (`patience_s`).
TIMEOUT = "DYNO_TIMEOUT"
_TIMES_AS_LONG, _LEAST_MORE_S, _MOST_MORE_S = 10, 60.0, 600.0
# Only key of a streamed answer where the handler wrote it piece by piece: the bytes, in base64.
STREAMED = "dyno_streamed"
# Variables of the embedded AWS's own, which its workers inherit and AWS does not set.
_OF_THE_SERVER = (
    "AUTH",
    "BIND_HOST",
    "DOCKER_HOST",
    CONFIGURATION,
    "GATEWAY_PORT",
    "HOME",
    "IOT_MTLS_ENABLED",
    "LAMBDA_ACCOUNT_CONCURRENCY",
    "MINISTACK_ACCOUNT_ID",
    "MINISTACK_HOST",
    "MINISTACK_REGION",
    "NODE_PATH",
    "PATH",
    "PWD",
    "PYTHONUNBUFFERED",
    "SFTP_ENABLED",
    "TMPDIR",
    "_LAMBDA_LAYERS_DIRS",
    "_LAMBDA_TIMEOUT",
)
# What native libraries take for the number of threads to start.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS")
# And that their threads sleep while there is nothing to do: on a machine with fewer cores than
# AWS would give they would spin in the way of those that work.
_SPIN_NOT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    # OpenBLAS's spin while they wait for each other, whatever they are told: with two on two busy
    # cores its work takes half as much CPU time again. What one thread takes is right.
    "OPENBLAS_NUM_THREADS": "1",
    "KMP_BLOCKTIME": "0",
    "GOMP_SPINCOUNT": "0",
}


def patience_s(timeout_s: float) -> float:
    """Return how long an invocation may take by the clock on the wall.

    Its timeout is AWS's time: a machine that is slower than AWS gets longer.
    """
    more_s = max(_LEAST_MORE_S, (_TIMES_AS_LONG - 1) * timeout_s)
    return timeout_s + min(more_s, _MOST_MORE_S)


class Function:
    """One function, or a version of it."""

    def __init__(self, init: dict[str, Any], environ: Mapping[str, str]) -> None:
        """Read what MiniStack says.

        Args:
            init: The first line that a worker gets.
            environ: The environment that MiniStack starts a worker with.
        """
        self._init = init
        self._environ = environ
        self._configuration: dict[str, Any] = json.loads(environ.get(CONFIGURATION) or "{}")
        self.declared: dict[str, str] = dict(init.get("env") or {})
        self.declared.pop(CONFIGURATION, None)
        self.name = str(init.get("function_name") or "")
        self.memory_mb = int(init.get("memory") or 128)
        self.code = Path(init["code_dir"])
        self.snapstart = bool(init.get("snapstart"))
        self.version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.runtime = str(self._configuration.get("Runtime") or "")
        self.architecture = (self._configuration.get("Architectures") or ["x86_64"])[0]
        # its versions are for sizes, their code is one
        self.arn = ":".join(str(init.get("arn") or "").split(":")[:7])
        code, handler = (self._configuration.get(key) for key in ("CodeSha256", "Handler"))
        self.code_version = f"{code} {handler}"
        self.tmp_mb = int((self._configuration.get("EphemeralStorage") or {}).get("Size") or 512)
        logging = self._configuration.get("LoggingConfig") or {}
        self._log_group = logging.get("LogGroup") or f"/aws/lambda/{self.name}"
        self._log_level = logging.get("ApplicationLogLevel") or ""
        self.as_json = str(logging.get("LogFormat") or "").upper() == "JSON"
        # of what the platform logs when all is well; text has no levels
        self.quiet = self.as_json and logging.get("SystemLogLevel") == "WARN"

    def layers(self) -> list[Path]:
        """Return where MiniStack has unpacked the layers, in their order."""
        folders = self._environ.get("_LAMBDA_LAYERS_DIRS", "")
        return [Path(folder) for folder in folders.split(os.pathsep) if folder]

    def orders(self, task: str, dyno: dict[str, Any]) -> bytes:
        """Return the line that a worker gets first.

        Args:
            task: Where it sees the code.
            dyno: What the meter needs to know.
        """
        line = self._init | {"code_dir": task, "env": {}, "dyno": dyno}
        return json.dumps(line).encode() + b"\n"

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that AWS gives a worker.

        Args:
            places: Variables that say where something is, unless the function says otherwise.
        """
        found = {k: v for k, v in self._environ.items() if k not in _OF_THE_SERVER}
        found |= dict(places) | _SPIN_NOT | dict.fromkeys(_THREADS, str(vcpus(self.memory_mb)))
        found |= {
            "_HANDLER": f"{self._init['module']}.{self._init['handler']}",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if self.snapstart else "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self._log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log_stream(),
            "LAMBDA_TASK_ROOT": places["LAMBDA_TASK_ROOT"],
            "PWD": places["LAMBDA_TASK_ROOT"],
        }
        if self.as_json:
            found["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            if self._log_level:
                found["AWS_LAMBDA_LOG_LEVEL"] = self._log_level
        return found | self.declared

    def _log_stream(self) -> str:
        """Return a stream's name in AWS's form: day, version, 32 hexadecimal digits."""
        name = self._environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        if "[" in name:
            return name
        return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{self.version}]{name.replace('-', '')}"


class Invocation:
    """One invocation: the line that MiniStack writes, whose event may be megabytes."""

    def __init__(self, line: bytes) -> None:
        self._line = line.rstrip()
        _, found, tail = self._line.rpartition(b', "ctx": {')
        try:
            context = json.loads(b"{" + tail[:-1]) if found else json.loads(line)["ctx"]
        except (ValueError, KeyError):
            context = json.loads(line).get("ctx") or {}
        self.request_id = str(context.get("request_id") or "")
        beside = context.get("durable") or {}
        self.timeout_s = float(beside.get(TIMEOUT) or (context.get("timeout_ms") or 3000) / 1000)
        self.streams = bool(beside.get(STREAM))

    def with_settings(self, content: dict[str, Any]) -> bytes:
        """Return the line for the worker: its context has the meter's settings, too."""
        timeout_ms = f', "timeout_ms": {self.timeout_s * 1000:g}'  # of two the last one counts
        dyno = f', "dyno": {json.dumps(content)}}}}}\n'
        return self._line[:-2] + timeout_ms.encode() + dyno.encode()
