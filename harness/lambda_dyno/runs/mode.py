"""What kind of run it is, as a value: the steps ask it, and no kind has steps of its own kind."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lambda_dyno.core import assets


class MachineGuard(Protocol):
    """Who may use this machine at the same time, where several runs share it."""

    def shared(self) -> AbstractContextManager[None]:
        """Return a context to do something that disturbs a measurement, but no other such thing."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context to measure what this machine's load would change."""


class NobodyElse:
    """The guard of a run that has this machine for itself."""

    def shared(self) -> AbstractContextManager[None]:
        """Wait for nobody."""
        return nullcontext()

    exclusive = shared


@dataclass(frozen=True, slots=True)
class RunMode:
    """What kind of run it is.

    Attributes:
        sources: Folder whose envs/, modules/ and lambda/ are deployed.
        packages: Folders of lambda/ that become packages; None: all of them.
        deploys: Whether it makes an environment, which goes at its end.
        attached: Whether it measures a function, and an API, that others deployed and use.
        guard: Of this machine.
    """

    sources: Path
    packages: tuple[str, ...] | None = None
    deploys: bool = True
    attached: bool = False
    guard: MachineGuard = field(default_factory=NobodyElse)

    @classmethod
    def of_tuner(cls, project: Path, *, deploys: bool = True) -> RunMode:
        """Return the mode of a power tuner alone."""
        sources = assets.tuner_sources(project)
        return cls(sources, packages=("power_tuner",), deploys=deploys)

    @classmethod
    def of_attached(cls, project: Path, guard: MachineGuard | None = None) -> RunMode:
        """Return the mode of a run that deploys nothing itself; its tuner is a run beside it."""
        others = guard or NobodyElse()
        return cls(project, packages=(), deploys=False, attached=True, guard=others)

    def package_names(self) -> tuple[str, ...]:
        """Return the folders of lambda/ that become packages."""
        return self.packages if self.packages is not None else package_names(self.sources)


def package_names(sources: Path) -> tuple[str, ...]:
    """Return the folders below a project's lambda/ that can become packages."""
    found = (sources / "lambda").glob("[!._]*")
    # a link that leads nowhere is a function, too: `build` says what is wrong with it
    folders = (path for path in found if path.is_dir() or not path.exists())
    return tuple(sorted(path.name for path in folders))
