"""The shapes of ASGI, and a request's body that can be read twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Body:
    """A request's body: read here if it is needed, and again by the application."""

    def __init__(self, receive: Receive, *, there: bool = True) -> None:
        self._receive = receive
        self._read: list[Message] = []
        self._ended = not there
        self.gone = False  # the client, before it sent all of it

    async def whole(self) -> bytes:
        """Return all of it."""
        while not self._ended:
            self._read.append(await self._next())
        return b"".join(message.get("body", b"") for message in self._read)

    async def pass_over(self) -> None:
        """Read what is left of it, and keep nothing."""
        while not self._ended:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self.gone = message["type"] != "http.request"
        self._ended = self.gone or not message.get("more_body", False)
        return message

    async def receive(self) -> Message:
        """Return the next message as it arrived."""
        return self._read.pop(0) if self._read else await self._receive()
