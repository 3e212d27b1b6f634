"""The embedded AWS's patience: no answer begins before a client can be ready for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lambda_emulator.asgi import Message, Receive, Send
from lambda_emulator.front import patient


class Asleep(asyncio.SelectorEventLoop):
    """A loop whose time passes only where all sleep: a busy machine takes none of it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        select = self._selector.select

        def skip(timeout: float | None = None) -> Any:
            self._now += timeout or 0.0
            return select(0)

        self._selector.select = skip

    def time(self) -> float:
        return self._now


def talk(
    application: Any, scope: dict[str, Any], messages: list[Message], least_s: float = 0.05
) -> list[tuple[float, str]]:
    """Let an application answer, and return when it sent what, in seconds from the start."""
    sent: list[tuple[float, str]] = []

    async def conversation() -> None:
        clock = asyncio.get_running_loop().time
        started = clock()

        async def receive() -> Message:
            message = messages.pop(0)
            await asyncio.sleep(message.pop("after_s", 0.0))
            return message

        async def send(message: Message) -> None:
            sent.append((clock() - started, message["type"]))

        await patient(application, least_s)(scope, receive, send)

    with asyncio.Runner(loop_factory=Asleep) as runner:
        runner.run(conversation())
    return sent


async def answers(_: Message, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_an_answer_begins_a_while_after_the_end_of_the_request() -> None:
    """A long request is no reason to answer at once: the client writes until its end."""
    request = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False, "after_s": 0.1},
    ]
    (start_s, start), (body_s, body) = talk(answers, {"type": "http"}, request)
    assert (start, body) == ("http.response.start", "http.response.body")
    assert start_s >= 0.149
    assert body_s - start_s < 0.05, "only the beginning waits"


def test_a_slow_answer_waits_for_nothing() -> None:
    """Patience is counted from the request, not added to the work."""

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    request = {"type": "http.request", "body": b"", "more_body": False}
    (start_s, _), *_ = talk(slow, {"type": "http"}, [dict(request)], least_s=0.2)
    assert start_s < 0.35


def test_an_answer_before_the_request_is_read_waits_too() -> None:
    """Such as a refusal by the headers alone."""

    async def refuses(_: Message, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})

    (start_s, _), *_ = talk(refuses, {"type": "http"}, [])
    assert start_s >= 0.049


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes_as_it_is(kind: str) -> None:
    """The server's start and end, and WebSockets."""

    async def echo(scope: Message, _receive: Receive, send: Send) -> None:
        await send({"type": f"{scope['type']}.done"})

    (sent_s, what), *_ = talk(echo, {"type": kind}, [], least_s=5.0)
    assert what == f"{kind}.done"
    assert sent_s < 1.0


def test_an_application_that_fails_still_fails() -> None:
    """The server must see it, to end the connection."""

    async def fails(*_: Any) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        talk(fails, {"type": "http"}, [])
