"""A server that only counts who came: nothing that is refused may have been connected to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Listener:
    """Listens at one port of all addresses of this machine, of IPv4 and, where it is, of IPv6."""

    def __init__(self) -> None:
        self.connections = 0
        self._open = True
        four = socket.create_server(("0.0.0.0", 0))
        self.port: int = four.getsockname()[1]
        self._sockets = [four]
        with contextlib.suppress(OSError):
            self._sockets.append(socket.create_server(("::", self.port), family=socket.AF_INET6))
        self._threads = [
            threading.Thread(target=self._count, args=(one,), daemon=True) for one in self._sockets
        ]
        for thread in self._threads:
            thread.start()

    def _count(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            if self._open:
                self.connections += 1
            connection.close()

    def close(self) -> None:
        """End it; whoever waits in `accept` is woken by a connection of our own."""
        self._open = False
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(timeout=5)


@contextmanager
def listening() -> Iterator[Listener]:
    """Count connections until the block ends."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()
