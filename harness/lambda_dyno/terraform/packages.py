"""Zips of the Lambda functions: the same bytes for the same source, wherever it is built.

What is in a function's folder is in its package, hidden folders such as node_modules/.prisma and
folders named tests too: nobody but the function knows what it needs. Left out is only what no
function may or can use, by the lists below, and each build says so.

The power tuner's package has a second part: what its functions share with this harness, under the
name that both import it by.
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lambda_dyno
from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_atomically

# The oldest time that a zip can hold; a real one would change the hash at every check-out.
_ENTRY_TIME = (1980, 1, 1, 0, 0, 0)
# Lambda runs the code as another user than the one who built it.
_PLAIN, _EXECUTABLE = (0o100644 << 16, 0o100755 << 16)
_UNIX = 3  # zipfile would name the system that builds
_LEVEL = 6  # zlib's default, named so that it stays

_MOST_ENTRIES = 100_000  # more would be a home folder, or links that lead in ever more ways
# What Lambda takes at most, unzipped: https://docs.aws.amazon.com/lambda/latest/dg/limits.html
_UNZIPPED_BYTES_MAX = 250 * 1024 * 1024

_CONFIDENTIAL = "secrets; give a function its settings by environment variables"
_TOOLS = "caches and tools of whoever builds"
_LEFT_OUT = {
    "__pycache__": "",  # nothing is missed without it, so nothing is said
    **dict.fromkeys(
        (".aws", ".env", ".gnupg", ".netrc", ".npmrc", ".pypirc", ".ssh"), _CONFIDENTIAL
    ),
    **dict.fromkeys((".git", ".hg", ".svn"), "history"),
    **dict.fromkeys((".coverage", ".DS_Store", ".idea", ".mypy_cache", ".pytest_cache"), _TOOLS),
    **dict.fromkeys((".ruff_cache", ".terraform", ".tox", ".venv", "Thumbs.db"), _TOOLS),
}
_NOT_CONFIDENTIAL = (".dist", ".example", ".sample", ".template")  # .env.example and the like
_BYTE_CODE = (".pyc", ".pyo")

_TUNER, _SHARED = "power_tuner", ("tuner_contract", "tuner_policy")
# The law of the embedded AWS that the policy knows short functions by.
_LAW = "lambda_emulator/meter_path/dyno_meter/cfs.py"


@dataclass(frozen=True, slots=True)
class Package:
    """A function's zip.

    Attributes:
        path: Where the zip is.
        sha256_base64: Hash of its bytes in the form that Lambda and Terraform use.
        size_bytes: Size of the zip.
        left_out: What of the folder is not in it, and why, in a line; empty: nothing but byte code.
    """

    path: Path
    sha256_base64: str
    size_bytes: int
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a package: its name in the zip, and where it is."""

    name: str
    path: Path


def build(source: Path, target_zip: Path) -> Package:
    """Zip a function's folder, and leave the zip alone when nothing changed.

    The folder's content is at the root of the zip. Links to what is inside of the folder are
    followed. A file that its owner may execute is executable in the zip.

    Args:
        source: Folder such as lambda/crud_api.
        target_zip: The zip to write; its folder is made when it is missing.

    Returns:
        The zip and its hash.

    Raises:
        UserError: The folder is missing, holds nothing to zip, or something that cannot be zipped.
    """
    left_out: list[tuple[str, str]] = []
    entries = _required_entries(source, left_out)
    with _readable(source):
        content = _zip_bytes(entries)
    if not target_zip.is_file() or target_zip.read_bytes() != content:
        _replace(target_zip, content)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return Package(target_zip, digest, len(content), _in_words(left_out))


def require_packable(source: Path) -> None:
    """Make sure that a function's folder can be zipped.

    Raises:
        UserError: It is missing, holds nothing to zip, or something that cannot be.
    """
    _required_entries(source, [])


def _required_entries(source: Path, left_out: list[tuple[str, str]]) -> list[_Entry]:
    """Return what belongs into the package, sorted; see `_entries`."""
    with _readable(source):
        entries = list(_entries(source, "", left_out))
        if not entries:
            raise UserError(f"{source}: no files to put into the function's package")
        entries += _shared_entries(source)
        _check_size(source, entries)
    return sorted(entries, key=lambda entry: entry.name)


def _shared_entries(source: Path) -> Iterator[_Entry]:
    """Yield what the power tuner's functions import of this harness; nothing for other functions.

    A checkout's tuner gets the contract of that checkout: a baseline is measured by its own.
    """
    if source.name != _TUNER or (source / lambda_dyno.__name__).exists():
        return
    checkout = source.resolve().parent.parent / "harness" / lambda_dyno.__name__
    package = checkout if (checkout / _SHARED[0]).is_dir() else Path(lambda_dyno.__file__).parent
    yield _Entry(f"{package.name}/__init__.py", package / "__init__.py")
    for name in _SHARED:  # a baseline may be older than one of them
        if (package / name).is_dir():
            yield from _entries(package / name, f"{package.name}/{name}/", [])
    if (package.parent / _LAW).is_file():
        yield _Entry(_LAW, package.parent / _LAW)


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Tell what of a folder cannot be read as the user's mistake."""
    try:
        yield
    except OSError as error:
        where = error.filename or source
        raise UserError(f"{where}: cannot be packed: {error.strerror}") from error
    except RuntimeError as error:  # before Python 3.13
        raise UserError(f"{source}: cannot be packed: a link to itself") from error


def _entries(source: Path, prefix: str, left_out: list[tuple[str, str]]) -> Iterator[_Entry]:
    """Yield what belongs into the package; append what does not, and why, to `left_out`."""
    top = source.resolve()
    waiting: list[tuple[str, Path, tuple[Path, ...]]] = [(prefix, source, (top,))]
    count = 0
    while waiting:
        prefix, folder, above = waiting.pop()
        for path in folder.iterdir():
            name = f"{prefix}{path.name}"
            why = _why_not(path)
            if why is not None:
                left_out.append((name, why))
                continue
            count += 1
            if count > _MOST_ENTRIES:
                raise UserError(f"{source}: more than {_MOST_ENTRIES:,} files; is it a function?")
            real = _followed(path, top)
            mode = real.stat().st_mode
            if stat.S_ISDIR(mode):
                if real in above:
                    raise UserError(f"{path}: a link to a folder that it is in, without end")
                waiting.append((f"{name}/", path, (*above, real)))
            elif stat.S_ISREG(mode):
                yield _Entry(_encodable(name, path), real)
            else:
                raise UserError(
                    f"{path}: neither a file nor a folder (a socket, pipe or device); a package "
                    "cannot hold it"
                )


def _followed(path: Path, top: Path) -> Path:
    """Return where a path leads to.

    Raises:
        UserError: Out of the function's folder, nowhere, or round in a circle.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle, before Python 3.13
        if not path.is_symlink():
            raise
        raise UserError(f"{path}: a link to {path.readlink()}, which leads nowhere") from error
    if path.is_symlink() and not real.is_relative_to(top):
        raise UserError(
            f"{path}: a link to {path.readlink()}, out of the function's folder. A package holds "
            "that folder alone: put a copy there, or use a Lambda layer."
        )
    return real


def _why_not(path: Path) -> str | None:
    """Return why something is left out, empty for byte code; None: it is not."""
    if path.suffix in _BYTE_CODE and path.with_suffix(".py").exists():
        return ""  # without its source it is all that there is of a module
    if path.name.startswith(".env.") and not path.name.endswith(_NOT_CONFIDENTIAL):
        return _CONFIDENTIAL
    return _LEFT_OUT.get(path.name)


def _in_words(left_out: list[tuple[str, str]]) -> str:
    """Return what was left out and why, in a line; byte code needs no word."""
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(left_out):
        if why:
            reasons.setdefault(why, []).append(name)
    return "; ".join(f"{_some(names)} ({why})" for why, names in sorted(reasons.items()))


def _some(names: list[str]) -> str:
    """Return names, the first of many."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _encodable(name: str, path: Path) -> str:
    """Return a file's name if a zip can hold it.

    Raises:
        UserError: It cannot.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{str(path)!a}: a name that is no UTF-8; rename the file") from error
    return name


def _check_size(source: Path, entries: list[_Entry]) -> None:
    sizes = Counter({entry.name: entry.path.stat().st_size for entry in entries})
    if sizes.total() > _UNZIPPED_BYTES_MAX:
        biggest = ", ".join(f"{name} {_mib(size)}" for name, size in sizes.most_common(3))
        raise UserError(
            f"{source}: {_mib(sizes.total())}, and Lambda takes at most "
            f"{_mib(_UNZIPPED_BYTES_MAX)} unzipped. The biggest: {biggest}."
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MiB"


def _zip_bytes(entries: list[_Entry]) -> bytes:
    buffer = io.BytesIO()
    # Builds of zlib may compress the same bytes differently: then another machine's package has
    # another hash, and Terraform deploys the same code once more. On one machine it stays.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _ENTRY_TIME)
            is_executable = entry.path.stat().st_mode & stat.S_IXUSR
            info.external_attr = _EXECUTABLE if is_executable else _PLAIN
            info.create_system = _UNIX
            archive.writestr(info, entry.path.read_bytes(), zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()


def _replace(target: Path, content: bytes) -> None:
    """Write the zip in one step, so that a reader never sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, content)
