"""Notices calls to the embedded AWS, whatever library makes them: by their sockets.

A call is asked when its request has been sent, and answered when the first bytes come back.
Only connections to the embedded AWS's own port are looked at.
"""

from __future__ import annotations

import itertools
import socket

from .clocks import Clocks
from .latency import operation_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .latency import LatencyModel
    from .timeline import Timeline

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEAD_BYTES = 4096
# parts of a body that together take AWS less than this are not worth a mark
_NOTICED_MS = 0.5


class Calls:
    """The connections of this process to the embedded AWS."""

    def __init__(self, timeline: Timeline, latency: LatencyModel, port: int) -> None:
        self._timeline = timeline
        self._latency = latency
        self._port = port
        self._connections: dict[int, _Connection] = {}
        self._keys = itertools.count()
        self.enabled = True

    def begin(self, *, enabled: bool) -> None:
        """Note that an invocation begins, and whether its calls are modelled."""
        self.enabled = enabled
        self._latency.begin()

    def install(self) -> None:
        """Let the socket class tell what it connects, sends and receives."""
        for name, wrap in (
            ("connect", self._connecting),
            ("connect_ex", self._connecting),
            ("send", self._sending),
            ("sendall", self._sending),
            ("recv", self._receiving),
            ("recv_into", self._receiving_into),
        ):
            setattr(socket.socket, name, wrap(getattr(socket.socket, name)))

    def _connecting(self, original: Any) -> Any:
        def connect(sock: socket.socket, address: Any) -> Any:
            # a descriptor may have been that of another connection
            self._connections.pop(sock.fileno(), None)
            if isinstance(address, tuple) and address[0] in _LOOPBACK and address[1] == self._port:
                self._connections[sock.fileno()] = _Connection(sock)
            return original(sock, address)

        return connect

    def _sending(self, original: Any) -> Any:
        def send(sock: socket.socket, data: Any, *flags: int) -> Any:
            connection = self._connection(sock)
            sent = original(sock, data, *flags)
            if connection is not None:
                size = len(data) if sent is None else sent
                self._sent(connection, bytes(data[:_HEAD_BYTES]), size)
            return sent

        return send

    def _receiving(self, original: Any) -> Any:
        def recv(sock: socket.socket, *arguments: int) -> Any:
            connection = self._connection(sock)
            if connection is None:
                return original(sock, *arguments)
            begin = Clocks.wall_ns() / 1e9
            data = original(sock, *arguments)
            self._received(connection, len(data), data[:12], Clocks.wall_ns() / 1e9 - begin)
            return data

        return recv

    def _receiving_into(self, original: Any) -> Any:
        def recv_into(sock: socket.socket, buffer: Any, *arguments: int) -> Any:
            connection = self._connection(sock)
            if connection is None:
                return original(sock, buffer, *arguments)
            begin = Clocks.wall_ns() / 1e9
            size = original(sock, buffer, *arguments)
            data = bytes(memoryview(buffer)[: min(12, size)])
            self._received(connection, size, data, Clocks.wall_ns() / 1e9 - begin)
            return size

        return recv_into

    def _connection(self, sock: socket.socket) -> _Connection | None:
        if not self.enabled or not self._connections:
            return None
        connection = self._connections.get(sock.fileno())
        return connection if connection is not None and connection.owner == id(sock) else None

    def _sent(self, connection: _Connection, data: bytes, size: int) -> None:
        if connection.key is None:  # the first part of a request
            connection.key = next(self._keys)
            connection.head, connection.bytes_sent = data, 0
        elif len(connection.head) < _HEAD_BYTES:
            connection.head += data
        connection.bytes_sent += size
        connection.service, connection.operation = operation_of(connection.head)
        latency_ms = self._latency.draw_ms(
            connection.service, connection.operation, connection.bytes_sent
        )
        connection.modelled = latency_ms is not None
        if latency_ms is not None:
            self._timeline.call(connection.key, latency_ms)

    def _received(self, connection: _Connection, size: int, data: bytes, waited_s: float) -> None:
        if connection.key is not None:
            if connection.modelled:
                self._timeline.answer(connection.key)
            if data.startswith(b"HTTP/1.1 100"):  # go on: the body comes now
                return
            connection.key = None
            connection.waited_ms = connection.owed_ms = waited_s = 0.0
        if not connection.modelled or not size:
            return
        connection.waited_ms += waited_s * 1e3
        connection.owed_ms += self._latency.transfer_ms(
            connection.service, connection.operation, size
        )
        if max(connection.owed_ms, connection.waited_ms) >= _NOTICED_MS:
            self._timeline.replace_wait(connection.waited_ms, connection.owed_ms)
            connection.waited_ms = connection.owed_ms = 0.0


class _Connection:
    """One connection, and the call that it is at."""

    __slots__ = (
        "bytes_sent",
        "head",
        "key",
        "modelled",
        "operation",
        "owed_ms",
        "owner",
        "service",
        "waited_ms",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.owner = id(sock)
        self.key: int | None = None
        self.head = b""
        self.bytes_sent = 0
        self.service = self.operation = ""
        self.modelled = False
        self.waited_ms = self.owed_ms = 0.0  # for the answer's body
