"""JSON Web Tokens signed with RS256, in Python alone.

A library would be a package of machine code for each architecture, to be built and kept current,
for one signature a day. RSASSA-PKCS1-v1_5 (RFC 8017, 8.2) is one power modulo n. Python's takes a
time that depends on the key; whoever could measure it would have to be on this function's machine.
A signature is checked with the public key before it leaves, so that a miscalculation tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PEM = re.compile(
    r"\s*-----BEGIN (RSA )?PRIVATE KEY-----\s([A-Za-z0-9+/=\s]+)-----END (RSA )?PRIVATE KEY-----\s*"
)
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_LEAST_BITS = 2048
_LONG_LENGTH = 0x80


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA private key."""

    modulus: int
    public_exponent: int
    private_exponent: int = field(repr=False)

    @classmethod
    def from_pem(cls, text: str) -> PrivateKey:
        """Return the key of a PEM text, PKCS #1 (as GitHub gives it) or PKCS #8.

        Raises:
            ValueError: It is none, or shorter than 2048 bits.
        """
        match = _PEM.fullmatch(text)
        if match is None or match[1] != match[3]:
            raise ValueError("no private key in PEM")
        parts = _sequence(base64.b64decode("".join(match[2].split()), validate=True))
        if not match[1]:  # PKCS #8: version, algorithm, the key of PKCS #1 in octets
            if len(parts) < 3 or parts[2][0] != _OCTETS:
                raise ValueError("no PKCS #8")
            parts = _sequence(parts[2][1])
        if len(parts) < 4 or any(tag != _INTEGER for tag, _ in parts[:4]):
            raise ValueError("no RSA key")
        modulus, public, private = (int.from_bytes(value, "big") for _, value in parts[1:4])
        if modulus.bit_length() < _LEAST_BITS:
            raise ValueError("an RSA key that is too short")
        return cls(modulus, public, private)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message by RSASSA-PKCS1-v1_5 with SHA-256.

        Raises:
            ValueError: The key's parts do not belong together.
        """
        size_bytes = (self.modulus.bit_length() + 7) // 8
        digest = _SHA256_INFO + hashlib.sha256(message).digest()
        padding = b"\xff" * (size_bytes - len(digest) - 3)
        encoded = int.from_bytes(b"\x00\x01" + padding + b"\x00" + digest, "big")
        signature = pow(encoded, self.private_exponent, self.modulus)
        if pow(signature, self.public_exponent, self.modulus) != encoded:
            raise ValueError("a key whose parts do not belong together")
        return signature.to_bytes(size_bytes, "big")


def token(key: PrivateKey, claims: Mapping[str, Any]) -> str:
    """Return a signed token with these claims."""
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    head = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return b".".join((head, _base64url(key.sign(head)))).decode()


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _sequence(content: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element of a DER sequence."""
    tag, inner, rest = _element(content)
    if tag != _SEQUENCE or rest:
        raise ValueError("no DER sequence")
    found = []
    while inner:
        tag, value, inner = _element(inner)
        found.append((tag, value))
    return found


def _element(content: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first DER element, and what comes after it."""
    if len(content) < 2:
        raise ValueError("DER that ends too early")
    tag, length, begin = content[0], content[1], 2
    if length >= _LONG_LENGTH:
        count = length - _LONG_LENGTH
        begin += count
        length = int.from_bytes(content[2:begin], "big")
    end = begin + length
    if end > len(content):
        raise ValueError("DER that ends too early")
    return tag, content[begin:end], content[end:]
