"""What a handler finds around it, as on AWS Lambda."""

from __future__ import annotations

import os

from .cfs import vcpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CPUS = ("SC_NPROCESSORS_CONF", "SC_NPROCESSORS_ONLN")
_COUNTS_OF_CPUS = frozenset((*_CPUS, *(os.sysconf_names[name] for name in _CPUS)))


_logs = ["", ""]  # group and stream


def remember_logs() -> None:
    """Keep where the function logs to: it may clear its environment."""
    for at, name in enumerate(("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME")):
        _logs[at] = os.environ.get(name, "")


def show_cpus(memory_mb: int) -> None:
    """Let the function count the vCPUs of its memory size, not this machine's."""
    count = vcpus(memory_mb)
    os.cpu_count = lambda: count
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        os.process_cpu_count = lambda: count
    if hasattr(os, "sched_getaffinity"):
        os.sched_getaffinity = lambda _pid: set(range(count))
    sysconf = os.sysconf

    def counted(name: str | int) -> int:
        return count if name in _COUNTS_OF_CPUS else sysconf(name)

    os.sysconf = counted


def take_semaphores() -> None:
    """Let no semaphore be made that processes share: Lambda has no /dev/shm."""
    import _multiprocessing
    import errno

    class SemLock:
        SEM_VALUE_MAX = _multiprocessing.SemLock.SEM_VALUE_MAX

        def __init__(self, *_arguments: Any) -> None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    _multiprocessing.SemLock = SemLock


mapped_bytes = [0]  # of files, in all mappings that were ever made


def count_mappings() -> None:
    """Note what is mapped of files: its pages are memory that the kernel may take back."""
    import mmap

    class Mapping(mmap.mmap):
        def __new__(cls, fileno: int, length: int, *others: Any, **named: Any) -> Mapping:  # noqa: PYI034
            made = super().__new__(cls, fileno, length, *others, **named)
            if fileno != -1:
                mapped_bytes[0] += len(made)
            return made

    Mapping.__name__ = Mapping.__qualname__ = "mmap"
    mmap.mmap = Mapping  # type: ignore[misc]


def show_architecture(architecture: str) -> None:
    """Let the function see the architecture that it was created for."""
    import platform

    machine = {"arm64": "aarch64"}.get(architecture, "x86_64")
    if platform.machine() == machine:
        return
    seen = platform.uname()._replace(machine=machine)
    platform.uname = lambda: seen  # platform.machine() asks it
    real = os.uname()
    faked = os.uname_result((real.sysname, real.nodename, real.release, real.version, machine))
    os.uname = lambda: faked


def complete_context(context: Any, remaining_ms: Callable[[], float]) -> None:
    """Add what AWS's context object has and the embedded AWS's has not.

    Args:
        context: The embedded AWS's object, of a class made for this invocation.
        remaining_ms: Tells how much of the timeout is left on the modelled clock.
    """
    kind = type(context)
    kind.get_remaining_time_in_millis = lambda _self: max(0, int(remaining_ms()))
    kind.memory_limit_in_mb = str(context.memory_limit_in_mb)  # a string on AWS
    kind.log_group_name, kind.log_stream_name = _logs
    if not hasattr(kind, "log"):
        kind.log = staticmethod(lambda message: print(message, end=""))
