"""Ports of this machine's loopback address."""

from __future__ import annotations

import socket

from lambda_dyno.core.errors import UserError

HOST = "127.0.0.1"  # an IP address makes the SDKs choose path-style S3


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(port: int) -> int:
    """Return `port` if this user can listen on it.

    Raises:
        UserError: It is out of range, in use, or reserved for root.
    """
    if not 1 <= port <= 65_535:
        raise UserError(f"port {port}: must be 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise UserError(
                f"port {port}: this user may not open it; take one above 1023"
            ) from None
        except OSError:
            raise UserError(port_in_use(port)) from None
    return port


def port_in_use(port: int) -> str:
    """Say that a port is taken, and what to do."""
    return (
        f"port {port} on {HOST} is in use: end the program that uses it, "
        "give another port, or leave the port out to get a free one"
    )
