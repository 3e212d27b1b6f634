"""Tokens signed with RS256, held against openssl and against the key's own arithmetic."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from retune.rs256 import PrivateKey, token

EXPONENT = 65_537


def is_prime(number: int, chance: random.Random) -> bool:
    """By Miller and Rabin, wrong once in 4 ** 20."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        power = pow(chance.randrange(2, number - 1), odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def prime(bits: int, chance: random.Random) -> int:
    while True:
        number = chance.getrandbits(bits) | (3 << (bits - 2)) | 1
        if pow(2, number - 1, number) == 1 and number % EXPONENT != 1 and is_prime(number, chance):
            return number


@functools.cache
def primes(bits: int) -> tuple[int, int]:
    """Return two primes, the same ones each time."""
    chance = random.Random(19)
    return prime(bits, chance), prime(bits, chance)


def der(tag: int, content: bytes) -> bytes:
    """Return an element of DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(length)]) + length + content


def integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def pem(kind: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{text}-----END {kind}PRIVATE KEY-----\n"


class Made:
    """An RSA key of so many bits, as PKCS #1."""

    def __init__(self, bits: int, exponent_off: int = 0) -> None:
        p, q = primes(bits // 2)
        self.modulus = p * q
        private = pow(EXPONENT, -1, (p - 1) * (q - 1)) + exponent_off
        numbers = [0, self.modulus, EXPONENT, private, p, q]
        numbers += [private % (p - 1), private % (q - 1), pow(q, -1, p)]
        self.pkcs1 = der(0x30, b"".join(map(integer, numbers)))
        rsa = bytes.fromhex("300d06092a864886f70d0101010500")
        self.pkcs8 = der(0x30, integer(0) + rsa + der(0x04, self.pkcs1))


@pytest.fixture(scope="module")
def made() -> Made:
    """A key that is made here: one in a file would look like somebody's."""
    return Made(2048)


def forms(made: Made) -> list[str]:
    return [pem("RSA ", made.pkcs1), pem("", made.pkcs8)]


def test_a_token_has_the_signature_of_rfc_7515(made: Made) -> None:
    """Of either form of the key: the public key gives back digest and padding."""
    for text in forms(made):
        signed = token(PrivateKey.from_pem(text), {"iss": "12345"})
        head, claims, signature = (
            base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in signed.split(".")
        )
        assert json.loads(head) == {"alg": "RS256", "typ": "JWT"}
        assert json.loads(claims) == {"iss": "12345"}
        opened = pow(int.from_bytes(signature, "big"), EXPONENT, made.modulus).to_bytes(256, "big")
        info = bytes.fromhex("3031300d060960864801650304020105000420")
        digest = hashlib.sha256(signed.rpartition(".")[0].encode()).digest()
        assert opened == b"\x00\x01" + b"\xff" * 202 + b"\x00" + info + digest


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_openssl_takes_the_signature(made: Made, tmp_path: Path) -> None:
    """Somebody else's implementation agrees."""
    key = tmp_path / "key.pem"
    key.write_text(pem("RSA ", made.pkcs1))
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"what is signed")
    signature.write_bytes(PrivateKey.from_pem(key.read_text()).sign(b"what is signed"))
    checked = subprocess.run(
        ["openssl", "dgst", "-sha256", "-prverify", key, "-signature", signature, message],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout.strip() == "Verified OK", checked.stderr


def test_what_is_no_key_is_refused(made: Made) -> None:
    """Text, half a key, a key of another kind, two keys, a short one."""
    whole = pem("RSA ", made.pkcs1)
    for text in (
        "",
        "hunter2",
        whole[: len(whole) // 2],
        whole + whole,
        pem("RSA ", made.pkcs1[:-1]),
        pem("RSA ", b""),
        pem("", made.pkcs1),
        pem("RSA ", made.pkcs8),
        pem("EC ", made.pkcs1),
        pem("RSA ", Made(1024).pkcs1),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - of base64 and of our own
            PrivateKey.from_pem(text)


def test_a_key_that_does_not_fit_signs_nothing() -> None:
    """A wrong signature may give the key away."""
    with pytest.raises(ValueError, match="do not belong together"):
        PrivateKey.from_pem(pem("RSA ", Made(2048, exponent_off=2).pkcs1)).sign(b"a")


def test_a_key_does_not_show_itself(made: Made) -> None:
    """In a traceback, say."""
    key = PrivateKey.from_pem(pem("RSA ", made.pkcs1))
    assert str(key.private_exponent) not in repr(key)
