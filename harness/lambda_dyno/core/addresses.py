"""Addresses that somebody names: how they are written, and what none of them may lead to.

A program in an account is asked to send requests somewhere; whoever can choose the place reaches
what only that account's machines should: the metadata service, the network behind it, a database.
So a place is a name and never a number, and what the name resolves to must be public.

`BLOCKED` is from IANA's registries of special-purpose addresses (RFC 6890 and its successors). Of
IPv6 only what is handed out as global unicast (2000::/3) is left, without the blocks in it that
carry an IPv4 address (6to4, Teredo): those after `::ffff:` and of NAT64 are outside of it anyway.
The load driver holds what it connects to against the same list.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from lambda_dyno.core.errors import UserError, brief

HTTPS_PORT = 443

BLOCKED: tuple[str, ...] = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by a provider's customers; Alibaba's metadata service
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's platform
    "169.254.0.0/16",  # link-local: metadata of EC2, ECS, Azure, GCP
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocols; Oracle's metadata service
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "::/3",  # unspecified, loopback, IPv4-mapped and -compatible, NAT64
    "2001::/23",  # protocols, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "3fff::/20",  # documentation
    "4000::/2",
    "8000::/1",  # unique local, link-local, site-local, multicast
)
_BLOCKED = tuple(map(ipaddress.ip_network, BLOCKED))

# Names that are never public, whatever a resolver makes of them.
_NOT_PUBLIC = ("arpa", "home", "internal", "lan", "local", "localdomain", "localhost", "onion")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+(?P<last>{_LABEL})")
_LONGEST_NAME = 253
# What browsers and libraries take for a part of an IPv4 address: 10, 0x7f.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HOST = re.compile(r"(?P<name>[^:/?#@\[\]\\]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go.

    Attributes:
        scheme: "https" or "http".
        host: A name in small letters, or an IP address as it was written.
        port: The scheme's own if none was written.
        path: Empty, or with a slash at its beginning and none at its end.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def place(self) -> str:
        """Host and port, as the load driver compares them."""
        return f"{self.host}:{self.port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; False for what is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not any(found.version == net.version and found in net for net in _BLOCKED)


def parse(url: str) -> Address:
    """Take an address apart; whether anything may be sent there is another question.

    Raises:
        UserError: It is none, or has what no address here may have.
    """
    # what is before an @ may be a password
    shown = brief(repr(re.sub(r"//[^/?#]*@", "//...@", url)), most=120)
    if not url.isascii() or not url.isprintable() or any(one in url for one in " \\"):
        raise UserError(f"{shown}: must be printable ASCII, without spaces and backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UserError(f"{shown} is no address: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in ("https", "http") or not parts.netloc:
        raise UserError(f"{shown}: must be an address such as https://api.example.com/v1")
    if "@" in parts.netloc:
        raise UserError(f"{shown}: must have no name and no password in it")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise UserError(f"{shown}: must end before ? and #: a collection has what is asked")
    path = parts.path.rstrip("/")
    plain = re.sub("%2e", ".", path, flags=re.IGNORECASE)
    if not _PATH.fullmatch(path) or {"..", "."} & set(plain.split("/")):
        raise UserError(f"{shown}: the path must be written out, without . and ..")
    host = (parts.hostname or "").lower()
    written = parts.netloc.rpartition("]")[2] if "[" in parts.netloc else parts.netloc
    if not host or written.endswith(":") or port == 0:
        raise UserError(f"{shown} is no address: its host or port is missing")
    return Address(scheme, host, port or (HTTPS_PORT if scheme == "https" else 80), path)


def parse_host(text: str) -> Address:
    """Return the place that `[attach] hosts` names: a public name, with a port or without.

    Raises:
        UserError: It is none.
    """
    found = _HOST.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else HTTPS_PORT
    if found is None or not 0 < port < 65536:
        raise UserError(f"{brief(repr(text))}: must be a host such as api.example.com")
    name = found["name"].lower()
    why = why_not_a_public_name(name)
    if why:
        raise UserError(f"{brief(repr(text))} {why}")
    return Address("https", name, port)


def why_not_a_public_name(host: str) -> str:
    """Return why a host is no name that can be public, to be read behind it; empty if it is one."""
    if _is_number(host):
        return "is an IP address, and only a name can be shown to be somebody's"
    found = _NAME.fullmatch(host)
    if found is None or len(host) > _LONGEST_NAME:
        return "is no whole host name, such as api.example.com"
    if found["last"] in _NOT_PUBLIC:
        return f"is not public: names below .{found['last']} are of a machine or a network"
    return ""


def _is_number(host: str) -> bool:
    """Whether a host is an IP address in any form that some program takes for one."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None
    return True
