"""Who may load this machine, where several workers of pytest-xdist share it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.files import locked


@dataclass(frozen=True)
class TurnLock:
    """The guard of a machine that several workers share.

    Attributes:
        file: Held by the worker that measures; None: this process is alone.
    """

    file: Path | None

    def shared(self) -> AbstractContextManager[None]:
        """Do something that others may do at the same time, but not while one is measured."""
        return locked(self.file, shared=True) if self.file else nullcontext()

    def exclusive(self) -> AbstractContextManager[None]:
        """Load an API that shares this machine with all other workers, so that they wait."""
        return locked(self.file) if self.file else nullcontext()
