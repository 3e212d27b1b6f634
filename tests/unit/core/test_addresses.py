"""Addresses: how they are written, and which of them are public."""

from __future__ import annotations

import ipaddress

import pytest

from lambda_dyno.core import addresses
from lambda_dyno.core.addresses import Address
from lambda_dyno.core.errors import UserError


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "52.94.236.248", "172.15.255.255", "172.32.0.0", "2600:1f18::1", "2a05:d018::1"],
)
def test_public_addresses(address: str) -> None:
    """What AWS's own endpoints have, and the neighbours of private ranges."""
    assert addresses.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1"),
        *("127.255.255.254", "168.63.129.16", "169.254.169.254", "169.254.170.2"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
        *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
        *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1"),
        *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
        *("", "localhost", "1.2.3", "8.8.8.8.8"),
    ],
)
def test_addresses_that_are_not(address: str) -> None:
    """Private, local, reserved, or an IPv4 address within IPv6; nor what is no address."""
    assert not addresses.is_public(address)


def test_nothing_that_python_holds_for_private_is_public() -> None:
    """The list is held against another one, at both ends of each of its networks."""
    for network in map(ipaddress.ip_network, addresses.BLOCKED):
        for address in (network[0], network[-1]):
            assert not addresses.is_public(str(address))
    for text in ("9.255.255.255", "11.0.0.0", "128.0.0.0", "169.253.255.255", "169.255.0.0"):
        assert addresses.is_public(text)
        assert ipaddress.ip_address(text).is_global


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.example.com", Address("https", "api.example.com", 443)),
        ("https://API.Example.com/v1/", Address("https", "api.example.com", 443, "/v1")),
        ("HTTP://127.0.0.1:4566/x", Address("http", "127.0.0.1", 4566, "/x")),
        ("https://[::1]/", Address("https", "::1", 443)),
        ("https://a.b/$default/x%20y", Address("https", "a.b", 443, "/$default/x%20y")),
    ],
)
def test_addresses_are_taken_apart(url: str, address: Address) -> None:
    """Hosts in small letters, no slash at the end, the scheme's port if there is none."""
    assert addresses.parse(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must be an address"),
        ("api.example.com", "must be an address"),
        ("ftp://api.example.com", "must be an address"),
        ("file:///etc/passwd", "must be an address"),
        ("https:///v1", "must be an address"),
        ("https://user@api.example.com", "no name and no password"),
        ("https://u:secret@a.example", "no name and no password"),  # pragma: allowlist secret
        ("https://api.example.com@169.254.169.254/", "no name and no password"),
        ("https://api.example.com/?a=1", "must end before"),
        ("https://api.example.com/#x", "must end before"),
        ("https://api.example.com/?", "must end before"),
        ("https://api.example.com/v1/../x", "without . and .."),
        ("https://api.example.com/%2E%2e/x", "without . and .."),
        ("https://api.example.com\\@10.0.0.1/", "spaces and backslashes"),
        ("https://api.example.com /", "spaces and backslashes"),
        ("https://api.example.com/\n", "printable"),
        ("https://①⑥⑨.254.169.254/", "ASCII"),
        ("https://api.example.com:99999/", "no address"),
        ("https://api.example.com:0/", "no address"),
        ("https://api.example.com:/", "no address"),
        ("https://[::1/", "no address"),
    ],
)
def test_what_is_no_address(url: str, why: str) -> None:
    """One line says why, and never a password."""
    with pytest.raises(UserError, match=why) as caught:
        addresses.parse(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("api.example.com", "api.example.com:443"),
        ("API.example.com:8443", "api.example.com:8443"),
        ("a.xn--p1ai", "a.xn--p1ai:443"),
    ],
)
def test_hosts_that_may_be_named(host: str, place: str) -> None:
    """A public name, with a port or without; what it means can be read again."""
    assert addresses.parse_host(host).place == place
    assert addresses.parse_host(place).place == place


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "api", "api.", "api.example.com.", "api..com", "-a.com"),
        *("127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "::1"),
        *("1.2.3.0x4", "a.b.254", "metadata.google.internal", "x.localhost", "printer.local"),
        *("ip-10-0-0-1.ec2.internal", "1.0.0.127.in-addr.arpa", "nas.lan", "router.home.arpa"),
        *("api.example.com:0", "api.example.com:70000", "api.example.com:x", "a@b.com"),
        *("https://api.example.com", "api.example.com/v1", "*.example.com", "a" * 300 + ".com"),
    ],
)
def test_hosts_that_may_not(host: str) -> None:
    """Numbers in all forms, names of a machine or a network, and what is none."""
    with pytest.raises(UserError):
        addresses.parse_host(host)
