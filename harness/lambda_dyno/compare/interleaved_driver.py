"""A load driver that loads two versions in turns: one for all turns, made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.results import Sample
from lambda_dyno.core.samples import latency_stats
from lambda_dyno.load import drivers
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Api, Turns
from lambda_dyno.load.samples import saturation, take_parts


@dataclass(frozen=True, slots=True)
class Turn:
    """What one version did in one of its turns; `saturated` as of a load test."""

    samples: Sequence[Sample]
    saturated: str


class InterleavedDriver:
    """A driver that runs. Use `running`."""

    def __init__(self, turns: Turns, folder: Path) -> None:
        self._turns = turns
        self._folder = folder

    def turn(self, version: str, duration_s: float, name: str, *, warm_up_s: float = 0.0) -> Turn:
        """Load one version for some seconds; arguments and errors as of `Turns.turn`."""
        report = self._turns.turn(version, duration_s, name, warm_up_s=warm_up_s)
        samples = take_parts(self._folder, name)
        latency = latency_stats(sample.response_ms for sample in samples if sample.answered)
        return Turn(samples, saturation(report, latency.p50 if latency else 0.0))

    @classmethod
    @contextmanager
    def running(
        cls,
        profile: LoadSettings,
        apis: Mapping[str, Api],
        files: CollectionFiles,
        *,
        folder: Path,
        log: Path,
    ) -> Iterator[InterleavedDriver]:
        """Start the driver; arguments and errors as of `LoadDriver.turns`.

        The folder, which is made if it is missing, has a turn's samples while it lasts.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with drivers.DRIVER.turns(profile, apis, files, folder=folder, log=log) as turns:
            yield cls(turns, folder)
