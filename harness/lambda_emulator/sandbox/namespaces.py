"""A file system of its own for one execution environment, as on AWS; Linux only.

The function sees its code at /var/task, its layers at /opt and its runtime at /var/runtime and
/var/lang, all read-only, and an empty /tmp of the size of its ephemeral storage, the only place
that it can write to. System folders are this machine's; others (/home, /root, /mnt and the like)
are not there. It needs no privileges: a user namespace gives them, where root has them anyway.
A kernel that forbids both gives none of it (`Unavailable`).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_RDONLY, _NOSUID, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 32, 4096, 16384, 1 << 18
_DETACH = 2
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
# This machine's, as they are: what an interpreter and its libraries need. Nothing else is there.
_SYSTEM = frozenset({"bin", "dev", "etc", "gnu", "nix", "proc", "run", "sbin", "sys", "usr"})
_SYSTEM_OF_VAR = ("cache", "lib", "run")


class Unavailable(OSError):  # noqa: N818
    """This kernel gives no file system of its own."""


class View:  # no dataclass: to import that takes every cold start 10 ms
    """What there is to see."""

    def __init__(
        self,
        binds: dict[str, Path],
        texts: dict[str, str],
        links: dict[str, str],
        kept: tuple[Path, ...],
        tmp_mb: int,
    ) -> None:
        """Say what.

        Args:
            binds: Folders and files by their place in the new file system; all read-only.
            texts: Files by their place, with what is in them.
            links: Links by their place, with where they lead.
            kept: Folders of this machine that stay where they are, although they may lie in a
                hidden one: interpreters.
            tmp_mb: Size of /tmp.
        """
        self.binds = binds
        self.texts = texts
        self.links = links
        self.kept = kept
        self.tmp_mb = tmp_mb


def enter(view: View, scratch: Path) -> None:
    """Move the calling process, which must have one thread, into a file system of its own.

    Args:
        view: What it is to see.
        scratch: An empty folder, which the new root covers; nothing of it is left behind.

    Raises:
        Unavailable: The kernel forbids it; the process is not to go on.
    """
    if sys.platform != "linux":
        raise Unavailable(0, "not Linux")
    kernel = _Kernel()
    kernel.unshare()
    kernel.mount(None, "/", None, _REC | _PRIVATE)
    root = str(scratch)
    kernel.mount("dyno", root, "tmpfs", _NOSUID, "mode=755,size=64m")
    _system(kernel, root)
    for path in view.kept:
        if not Path(root + str(path)).exists():
            _bind(kernel, path, root + str(path))
    for place, source in view.binds.items():
        _bind(kernel, source, root + place)
    for place, text in view.texts.items():
        _write(root + place, text)
    for place, target in view.links.items():
        Path(root + place).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root + place)
    _no_shared_memory(kernel, root)
    kernel.make_read_only(root)
    kernel.mount("tmp", f"{root}/tmp", "tmpfs", _NOSUID, f"mode=1777,size={view.tmp_mb}m")
    for path in view.kept:  # in a /tmp of the host's: it has just been covered
        if path.is_relative_to("/tmp"):
            _bind(kernel, path, root + str(path))
    kernel.change_root(root)


def probe(scratch: str) -> None:
    """Find out whether the kernel allows it; the calling process is of no use any more.

    Args:
        scratch: A folder.

    Raises:
        Unavailable: It does not.
    """
    if sys.platform != "linux":
        raise Unavailable(0, "not Linux")
    kernel = _Kernel()
    kernel.unshare()
    kernel.mount(None, "/", None, _REC | _PRIVATE)
    kernel.mount("dyno", scratch, "tmpfs", _NOSUID, "mode=755,size=1m")


def _system(kernel: _Kernel, root: str) -> None:
    """Show the system's folders."""
    for name in ("opt", "tmp", "var/task", "var/tmp"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    names = [name for name in os.listdir("/") if name in _SYSTEM or name.startswith("lib")]
    for name in (*names, *(f"var/{name}" for name in _SYSTEM_OF_VAR)):
        source, target = Path("/", name), f"{root}/{name}"
        if source.is_symlink():
            os.symlink(os.readlink(source), target)
        elif source.is_dir():
            os.mkdir(target)
            kernel.bind(source, target)


def _no_shared_memory(kernel: _Kernel, root: str) -> None:
    """Cover /dev/shm by an empty folder: Lambda has none."""
    if Path(f"{root}/dev/shm").is_dir():
        empty = f"{root}/var/lang/empty"
        os.makedirs(empty, exist_ok=True)
        kernel.bind(Path(empty), f"{root}/dev/shm")


def _bind(kernel: _Kernel, source: Path, target: str) -> None:
    if source.is_dir():
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        _write(target, "")
    kernel.bind(source, target)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


class _Kernel:
    """The system calls that Python 3.11 has no names for."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def unshare(self) -> None:
        uid, gid = os.getuid(), os.getgid()
        if self._libc.unshare(_NEWNS) == 0:
            return
        self._checked(self._libc.unshare(_NEWNS | _NEWUSER), "unshare")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            try:
                with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                    file.write(text)
            except OSError as error:
                raise Unavailable(error.errno, f"{name}: {error.strerror}") from error

    def mount(
        self, source: str | None, target: str, kind: str | None, flags: int, options: str = ""
    ) -> None:
        done = self._libc.mount(
            source.encode() if source else None,
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() if options else None,
        )
        self._checked(done, f"mount {target}")

    def bind(self, source: Path, target: str) -> None:
        self.mount(str(source), target, None, _BIND | _REC)

    def make_read_only(self, root: str) -> None:
        """Make all that is mounted below read-only; older kernels (before 5.12) the root only."""
        attributes = struct.pack("QQQQ", _ATTR_RDONLY, 0, 0, 0)
        self._libc.syscall.restype = ctypes.c_long
        done = self._libc.syscall(
            ctypes.c_long(_MOUNT_SETATTR),
            ctypes.c_int(-1),
            root.encode(),
            ctypes.c_uint(_AT_RECURSIVE),
            attributes,
            ctypes.c_size_t(len(attributes)),
        )
        if done != 0:
            self.mount(None, root, None, _REMOUNT | _BIND | _RDONLY)

    def change_root(self, root: str) -> None:
        number = _PIVOT_ROOT.get(os.uname().machine)
        os.chdir(root)
        # "." twice puts the old root on top of the new one, from where it is taken off
        if number is not None and self._libc.syscall(ctypes.c_long(number), b".", b".") == 0:
            self._checked(self._libc.umount2(b".", _DETACH), "umount2")
        else:  # a root that cannot be moved, as an initramfs
            os.chroot(".")
        os.chdir("/")

    def _checked(self, result: int, what: str) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise Unavailable(number, f"{what}: {os.strerror(number)}")
