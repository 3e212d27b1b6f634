"""How much memory a worker and its children use, as a limit on it counts. Linux; elsewhere nothing.

Pages of files are there as long as nothing else needs them: the kernel takes them back, on AWS as
here. So they are in what is reported as used, up to the memory size, but no reason to end a
function: that is memory that has no file, the heap, stacks and shared memory.
"""

from __future__ import annotations

import os
import time

from lambda_emulator.sandbox import tree

_KB = 1024
_LITTLE_KB = 4 * 1024
_CHILDREN_EVERY_S = 0.1
_OF_STATUS = ("VmHWM", "RssAnon", "RssFile", "RssShmem")
_SHARES = ("Pss", "Pss_Anon", "Pss_Shmem")
# How mappings of shared memory are called: memfd_create, shm_open, mmap without a file, System V.
_SHARED = ("/memfd:", "/dev/shm/", "/dev/zero", "/SYSV")


class Memory:
    """The memory of one worker, and the most that it has used."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._needed_kb = 0
        self._used_kb = 0
        self._own_kb = 0  # of what is used, without children
        self._files_kb = 0  # the most that was seen mapped at once
        self._next_children = 0.0

    def look(self) -> None:
        """Bring the peaks up to date; often enough to see what is mapped for a while only."""
        status = _fields(f"/proc/{self._worker}/status", _OF_STATUS)
        if not status:
            return
        shared_kb = in_tmp_kb = 0
        if status.get("RssShmem", 0) > _LITTLE_KB:
            # by its mappings: what is being unmapped is in none, but counted until that is done
            shared_kb, in_tmp_kb = _mapped_kb(self._worker)
        self._files_kb = max(self._files_kb, status.get("RssFile", 0) + in_tmp_kb)
        needed_kb = status.get("RssAnon", 0) + shared_kb
        used_kb = self._own_kb = status.get("VmHWM", 0)
        children = tree.below(self._worker)
        if children and time.monotonic() > self._next_children:
            # what they share with their parent counts once; to count it holds them up
            self._next_children = time.monotonic() + _CHILDREN_EVERY_S
            found = [_fields(f"/proc/{p}/smaps_rollup", _SHARES) for p in (self._worker, *children)]
            needed_kb = sum(f.get("Pss_Anon", 0) + f.get("Pss_Shmem", 0) for f in found) - in_tmp_kb
            used_kb = max(used_kb, sum(f.get("Pss", 0) for f in found))
        self._needed_kb = max(self._needed_kb, needed_kb)
        self._used_kb = max(self._used_kb, used_kb)

    def answered(self, mapped_kb: int, peak_kb: int) -> None:
        """Bring the peaks up to date when an invocation is over.

        The kernel keeps the peak of all pages, so a short one of the heap is in it that no look
        has seen. Files that were mapped meanwhile, and may have been seen by none, are in it too.

        Args:
            mapped_kb: The files that the worker has ever mapped.
            peak_kb: The most that the worker itself knows of, where there is nothing to be seen.
        """
        self.look()
        between_looks_kb = self._own_kb - self._files_kb - mapped_kb
        self._needed_kb = max(self._needed_kb, between_looks_kb, peak_kb)
        self._used_kb = max(self._used_kb, peak_kb)

    @property
    def needed_mb(self) -> int:
        """The most that could not be taken back, in MB."""
        return -(-self._needed_kb // _KB)

    @property
    def used_mb(self) -> int:
        """The most that was used, pages of files included, in MB."""
        return -(-self._used_kb // _KB)


def _mapped_kb(pid: int) -> tuple[int, int]:
    """Return what a process has mapped of shared memory, and of files in /tmp.

    The latter is memory here, and a disk on AWS.
    """
    kb = {"shared": 0, "tmp": 0, "": 0}
    kind = ""
    try:
        device = os.stat(os.path.join(f"/proc/{pid}/root", "tmp")).st_dev
        name = f"{os.major(device):02x}:{os.minor(device):02x}"
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split(maxsplit=5)
                if not fields[0].endswith(":"):  # 7f00-7fff r--s 00000000 00:2a 17  /tmp/file
                    path = fields[5] if len(fields) > 5 else ""
                    kind = "tmp" if fields[3] == name else ""
                    kind = "shared" if not kind and path.startswith(_SHARED) else kind
                elif fields[0] == "Rss:":
                    kb[kind] += int(fields[1])
    except (OSError, ValueError, IndexError):
        return 0, 0
    return kb["shared"], kb["tmp"]


def _fields(path: str, names: tuple[str, ...]) -> dict[str, int]:
    """Return numbers of a file of lines such as "VmHWM:   1234 kB"; empty if it is gone."""
    found: dict[str, int] = {}
    try:
        with open(path, "rb", buffering=0) as file:
            text = file.read().decode("ascii", "replace")
    except (OSError, ProcessLookupError):
        return found
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in names:
            found[name] = int(value.split()[0])
    return found
