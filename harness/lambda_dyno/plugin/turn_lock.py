"""Who may load this machine, where several workers of pytest-xdist share it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.files import lock_file


@dataclass(frozen=True)
class TurnLock:
    """The guard of a machine that several workers share.

    Attributes:
        file: Held by the worker that measures; None: this process is alone.
    """

    file: Path | None

    def shared(self) -> AbstractContextManager[None]:
        """Do something that others may do at the same time, but not while one is measured."""
        return self._turn(fcntl.LOCK_SH)

    def exclusive(self) -> AbstractContextManager[None]:
        """Load an API that shares this machine with all other workers, so that they wait."""
        return self._turn(fcntl.LOCK_EX)

    @contextmanager
    def _turn(self, kind: int) -> Iterator[None]:
        if self.file is None:
            yield
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(self.file) as handle:
            fcntl.flock(handle, kind)
            yield
