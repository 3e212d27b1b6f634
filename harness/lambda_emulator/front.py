"""The program of the embedded AWS: MiniStack's application behind what this project adds.

`python -P front.py`, with MiniStack's own variables (GATEWAY_PORT, BIND_HOST, LOG_LEVEL) and
DYNO_SECRET. It is run as a file, by the Python of an environment that has MiniStack and nothing of
the product (`requirements.in` beside it), and imports only the modules of this folder.

Added are a guard (`guard.py`), an end of old logs (`retention.py`), a sandbox around each Lambda
worker (`workers.py`), and patience. MiniStack's
server writes an answer's header and body apart, within a millisecond of the request. A client that
is still busy with its own write then closes the connection between the two, although it has read
the header (AWS's SDK for Go does, in one of 500 requests), and asks again for what is done already:
"already exists". AWS never answers that fast.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambda_emulator.asgi import Application, Message, Receive, Send

# From the end of a request to the beginning of its answer, at least. No answer was lost from 1 ms
# on (docs/adr/20261129-answers-take-their-time.md); AWS's fastest take about 3.
LEAST_ANSWER_S = 0.003

_KEEP_ALIVE_S = 75.0  # as MiniStack's own program has it


def patient(application: Application, least_s: float = LEAST_ANSWER_S) -> Application:
    """Return an ASGI application that begins no answer before a client can be ready for it.

    Args:
        application: What answers.
        least_s: Seconds from the end of the request to the beginning of the answer.
    """

    async def answered(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        asked = clock()

        async def received() -> Message:
            nonlocal asked
            message = await receive()
            if message["type"] == "http.request":
                asked = clock()
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(max(0.0, asked + least_s - clock()))
            await send(message)

        await application(scope, received, sent)

    return answered


def _become_a_package() -> None:
    """Let the modules beside this file be imported as `lambda_emulator`.

    The folder that holds the package is not where Python looks: with the wheel it is the
    site-packages of the user's environment, whose botocore is another one.
    """
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "lambda_emulator", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None  # of a file
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    import resource

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    _become_a_package()
    from lambda_emulator import athena_tables, gaps, guard, lambda_api, retention, workers

    # Out of the environment before anything is started: Lambda workers inherit what is left.
    secret = os.environ.pop("DYNO_SECRET")
    gaps.close(secret)
    retention.bound()
    workers.sandboxed(os.environ.pop("DYNO_SANDBOX"))
    workers.answered_as_on_aws()
    workers.all_logged()
    workers.tenants_named()
    workers.streamed()
    lambda_api.code_of_versions()
    lambda_api.asked_by_name()
    athena_tables.projected()
    athena_tables.asked_by_workgroup()
    athena_tables.run_by(os.environ.pop("DYNO_DUCKDB", ""))
    from ministack.app import app

    # As MiniStack's own program does: many connections at once meet no limit of 1,024 files.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.loglevel = os.environ.get("LOG_LEVEL", "INFO").upper()
    guarded = guard.Guard(app, secret, int(os.environ["GATEWAY_PORT"]))
    application: Any = patient(guarded)  # hypercorn's types name each kind of message
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
