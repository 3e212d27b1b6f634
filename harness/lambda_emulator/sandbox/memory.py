"""How much memory a worker and its children use, as a limit on it counts. Linux; elsewhere nothing.

Pages of files count only as long as nothing else needs them: the kernel takes them back, on AWS as
here. What counts is memory that has no file: the heap, stacks, shared memory.
"""

from __future__ import annotations

from lambda_emulator.sandbox import tree

_KB = 1024


class Memory:
    """The memory of one worker, and the most that it has used."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._peak_kb = 0
        self._files_kb = 0  # the most that was seen mapped at once

    def look(self) -> None:
        """Bring the peak up to date; often enough to see what is mapped for a while only."""
        status = _fields(f"/proc/{self._worker}/status", ("VmHWM", "RssAnon", "RssFile", "RssShmem"))
        if not status:
            return
        self._files_kb = max(self._files_kb, status.get("RssFile", 0))
        now_kb = status.get("RssAnon", 0) + status.get("RssShmem", 0)
        children = tree.below(self._worker)
        if children:  # what they share with their parent counts once
            now_kb = sum(_proportional_kb(pid) for pid in (self._worker, *children))
        # the kernel keeps the peak of all pages: a short one of the heap is in it
        between_looks_kb = status.get("VmHWM", 0) - self._files_kb
        self._peak_kb = max(self._peak_kb, now_kb, between_looks_kb)

    @property
    def peak_mb(self) -> int:
        """The most that was used, in MB."""
        return -(-self._peak_kb // _KB)


def _proportional_kb(pid: int) -> int:
    used = _fields(f"/proc/{pid}/smaps_rollup", ("Pss_Anon", "Pss_Shmem"))
    return sum(used.values())


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
