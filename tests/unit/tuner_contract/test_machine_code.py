"""Machine code in packages: found by its headers, within bounds."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile

import pytest

from lambda_dyno.tuner_contract import machine_code
from lambda_dyno.tuner_contract.machine_code import UnreadablePackageError, why_not_on


def elf(machine: int) -> bytes:
    """Return the beginning of an ELF file for a machine, by its number."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + machine.to_bytes(2, "little")
    return header + bytes(100)


X86, ARM, RISCV = elf(0x3E), elf(0xB7), elf(0xF3)


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("files", "on_arm64", "on_x86_64"),
    [
        ({"app.py": b"def handler(event, context): pass"}, True, True),
        ({"app.py": b"", "empty": b"", "short": b"\x7fELF"}, True, True),
        ({"lib/fast.so": X86}, False, True),
        ({"bootstrap": ARM}, True, False),
        ({"prebuilds/x64/a.node": X86, "prebuilds/arm64/a.node": ARM}, True, True),
        ({"lib/fast.so": RISCV}, True, True),
        ({"lib/a.jar": zipped({"native/libfast.so": X86})}, False, True),
        ({"lib/a.jar": zipped({"x.so": X86, "arm.so": ARM})}, True, True),
        # one jar for both does not make another one work on both
        (
            {"a.jar": zipped({"x.so": X86, "arm.so": ARM}), "b.jar": zipped({"b.so": X86})},
            False,
            True,
        ),
    ],
)
def test_a_package_works_where_its_machine_code_does(
    files: dict[str, bytes], on_arm64: bool, on_x86_64: bool
) -> None:
    """Files and archives in it count, each archive by itself."""
    package = zipped(files)
    assert (why_not_on(package, "arm64") == "") == on_arm64
    assert (why_not_on(package, "x86_64") == "") == on_x86_64


def test_the_reason_names_a_file() -> None:
    """And which machine it is for."""
    said = why_not_on(zipped({"numpy/core.so": X86}), "arm64")
    assert said == "has machine code for x86_64 (numpy/core.so)"


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(40), b"PK\x05\x06"])
def test_what_is_no_zip_is_not_guessed_at(content: bytes) -> None:
    """Nor is a broken one in a package."""
    with pytest.raises(UnreadablePackageError):
        why_not_on(content, "arm64")


@pytest.mark.parametrize("seed", range(300))
def test_damage_never_ends_in_another_error(seed: int) -> None:
    """Whatever byte of a package is another one."""
    chance = random.Random(seed)
    package = bytearray(zipped({"lib/a.jar": zipped({"x.so": X86}), "app.py": b"pass" * 20}))
    for _ in range(chance.randint(1, 4)):
        package[chance.randrange(len(package))] = chance.randrange(256)
    with contextlib.suppress(UnreadablePackageError):
        why_not_on(bytes(package), "arm64")


def test_little_is_read_of_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb is not unpacked: of a file its first bytes, of archives no more than fits."""
    monkeypatch.setattr(machine_code, "_MOST_INNER_BYTES", 1000)
    assert why_not_on(zipped({"zeros.bin": bytes(50_000_000)}), "arm64") == ""
    with pytest.raises(UnreadablePackageError, match="too large"):
        why_not_on(zipped({"a.jar": zipped({"b": random.Random(1).randbytes(2000)})}), "arm64")
    monkeypatch.setattr(machine_code, "_MOST_FILES", 2)
    with pytest.raises(UnreadablePackageError, match="3 files"):
        why_not_on(zipped({"a": b"", "b": b"", "c": b""}), "arm64")
