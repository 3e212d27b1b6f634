"""How the server starts Lambda workers: each within a sandbox of its own (`sandbox`).

Part of the server's program (`front.py`). MiniStack asks one function for the program of a runtime,
and starts workers by another; both are replaced, so that the program is the sandbox's and finds the
function's configuration in its environment. By two more an answer tells an error as AWS does, with
its type, its time runs by AWS's clock, and the log has one START, END and REPORT: the sandbox's.
Two more take the whole log, whatever bytes it has. The last ones refuse who names no tenant of a
function that isolates them, and stream answers (InvokeWithResponseStream) in pieces, with log and
error behind the last. tests/emulator/test_meter_seams.py holds that.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from lambda_emulator.sandbox.function import (
    CONFIGURATION,
    ERROR,
    STREAM,
    STREAMED,
    TIMEOUT,
    patience_s,
)

_NEEDED = (
    "Architectures",
    "CodeSha256",
    "EphemeralStorage",
    "Handler",
    "LoggingConfig",
    "Runtime",
)
_NO_TENANT = (
    "The invoked function is enabled with tenancy configuration. "
    "Add a valid tenant ID in your request and try again."
)
_CHUNK_BYTES = 65_536
_CONFIRMED_S = 0.005  # without another line: that was all
_LATER_S = 30.0  # than the sandbox, which ends and reports what takes too long
_streams: ContextVar[bool] = ContextVar("streams", default=False)  # this invocation's answer


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


def answered_as_on_aws() -> None:
    """Let MiniStack answer and log what the sandbox tells from now on, and not its own words."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    invoke = lambda_runtime.Worker.invoke
    execute = lambda_svc._execute_function_warm
    of_this_thread = threading.local()

    def invoked(worker: Any, *arguments: Any, **named: Any) -> Any:
        config = worker.config
        timeout_s = float(config.get("Timeout") or 3)
        # beside the payload, where unknown names mean nothing to a function
        beside = {TIMEOUT: timeout_s} | ({STREAM: True} if _streams.get() else {})
        named["durable"] = {**(named.get("durable") or {}), **beside}
        worker.config = {**config, "Timeout": patience_s(timeout_s) + _LATER_S}
        try:
            response = invoke(worker, *arguments, **named)
        finally:
            worker.config = config
        of_this_thread.told = response.get(ERROR)
        result = response.get("result")
        if _streams.get() and isinstance(result, dict) and [*result] == [STREAMED]:
            response["result"] = base64.b64decode(result[STREAMED])
        return response

    def executed(*arguments: Any) -> Any:
        of_this_thread.told = None
        result = execute(*arguments)
        if of_this_thread.told:
            result |= {"body": of_this_thread.told, "error": True}
        if "\nREPORT RequestId: " in (result.get("log") or ""):
            # as MiniStack has it from AWS's own emulator, which writes these lines too
            result["log_source"] = "rie"
            result["log"] = result["log"].rstrip("\n") + "\n"
        return result

    lambda_runtime.Worker.invoke = invoked
    lambda_svc._execute_function_warm = executed


def all_logged() -> None:
    """Let MiniStack take all that an invocation writes from now on, and nothing of it later.

    The thread that reads the log would die of what is no UTF-8, and the function wait for ever once
    its pipe is full. What has been read when the answer comes, which is all (`sandbox.log`), would
    be taken for a quarter of a second at most: of 200,000 lines most would be the next
    invocation's. A carriage return is no end of a line.
    """
    from ministack.core import lambda_runtime

    read = lambda_runtime.Worker._read_stderr
    drain = lambda_runtime.Worker._drain_stderr_bounded

    def reading(worker: Any) -> None:
        worker._proc.stderr.reconfigure(errors="replace", newline="\n")
        read(worker)

    def drained(worker: Any) -> str:
        there: str = worker._drain_stderr()
        later: str = drain(worker, first_line_wait=_CONFIRMED_S) if there else drain(worker)
        return "\n".join(filter(None, (there, later)))

    lambda_runtime.Worker._read_stderr = reading
    lambda_runtime.Worker._drain_stderr_bounded = drained


def tenants_named() -> None:
    """Let MiniStack refuse invocations without a tenant id from now on, where one is needed."""
    from ministack.services import lambda_svc

    invoke = lambda_svc._invoke

    async def invoked(name: str, event: Any, headers: dict[str, Any], *others: Any) -> Any:
        config = (lambda_svc._functions.get(name) or {}).get("config") or {}
        if config.get("TenancyConfig") and not _header(headers, "x-amz-tenant-id"):
            return lambda_svc.error_response_json("InvalidParameterValueException", _NO_TENANT, 400)
        return await invoke(name, event, headers, *others)

    lambda_svc._invoke = invoked


def streamed() -> None:
    """Let MiniStack stream answers from now on, with the log and the error in the closing event."""
    from ministack.services import lambda_svc

    async def invoked(*arguments: Any) -> Any:
        token = _streams.set(True)
        try:
            status, headers, body = await lambda_svc._invoke(*arguments)
        finally:
            _streams.reset(token)
        if status != 200 or headers is None:
            return status, headers, body
        frames = [
            lambda_svc._es_encode_message({":message-type": "event", **kind}, content)
            for kind, content in _events(headers, body or b"")
        ]
        told = {"Content-Type": "application/vnd.amazon.eventstream"}
        version = headers.get("X-Amz-Executed-Version")
        return (
            status,
            told | ({"X-Amz-Executed-Version": version} if version else {}),
            b"".join(frames),
        )

    lambda_svc._invoke_with_response_stream = invoked


def _events(headers: Mapping[str, Any], body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the events of a streamed answer: what kind each is, and its content."""
    error = headers.get("X-Amz-Function-Error")
    end = {"LogResult": headers["X-Amz-Log-Result"]} if "X-Amz-Log-Result" in headers else {}
    if error:
        end |= {"ErrorCode": str(error), "ErrorDetails": body.decode(errors="replace")}
        body = b""
    kind = {":event-type": "PayloadChunk", ":content-type": "application/octet-stream"}
    for begin in range(0, len(body), _CHUNK_BYTES):
        yield kind, body[begin : begin + _CHUNK_BYTES]
    kind = {":event-type": "InvokeComplete", ":content-type": "application/json"}
    yield kind, json.dumps(end).encode()


def _header(headers: dict[str, Any], name: str) -> Any:
    return next((value for key, value in headers.items() if key.lower() == name), None)
