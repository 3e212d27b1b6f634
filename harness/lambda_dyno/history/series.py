"""Runs that belong together: one function in one place, over time. Pure.

Figures of the embedded AWS and of AWS are never in one series, nor are two branches, two accounts
or two regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.statistics import change_points

Record = Mapping[str, Any]  # a row of `runs`

# Smaller changes are true now and then, and nobody acts on them.
_LEAST_CHANGE = 0.02


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that has a trend.

    Attributes:
        column: Of `runs`.
        title: In words.
        unit: As it is shown.
        scale: What the column's value is multiplied with to be shown.
        limit: Column of its SLO's limit; empty: it has none.
    """

    column: str
    title: str
    unit: str
    scale: float = 1.0
    limit: str = ""

    def shown(self, value: float | None) -> str:
        """Return a value of the column for people, without its unit."""
        return formatting.MISSING if value is None else formatting.rounded(value * self.scale)

    def value(self, record: Record) -> float | None:
        """Return what a run has; None: nothing, or nothing above 0."""
        found = record.get(self.column)
        return float(found) if found is not None and found > 0 else None


METRICS = (
    Metric("duration_ms", "Duration", "ms"),
    Metric("cost_usd", "Cost", "USD per million", scale=1e6, limit="cost_limit_usd"),
    Metric("p95_ms", "p95 under load", "ms", limit="p95_limit_ms"),
    Metric("memory_used_mb", "Memory used", "MB"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """What the runs of a series share."""

    function_name: str
    env: str  # empty: `dyno tune --function`
    is_embedded: bool
    branch: str  # empty: not known
    region: str
    account_id: str

    @classmethod
    def of(cls, record: Record) -> Key:
        """Return the key of a run."""
        names = cls.__slots__
        return cls(**{name: record[name] for name in names})

    @property
    def place(self) -> str:
        """Environment and AWS, in words."""
        where = "embedded AWS" if self.is_embedded else f"AWS {self.region}".rstrip()
        return f"{self.env} ({where})" if self.env else where


@dataclass(frozen=True, slots=True)
class Change:
    """A change of level in a series.

    Attributes:
        metric: Of which figure.
        before: The last run before it.
        after: The first run after it.
        found: How large it is.
        is_single: Whether the newest run alone shows it, which may be that run's own.
    """

    metric: Metric
    before: Record
    after: Record
    found: change_points.Change
    is_single: bool = False

    @property
    def words(self) -> str:
        """How large it is, with its interval, such as "+12 % (8 to 16 %)"."""
        ends = (self.found.interval.low, self.found.interval.high)
        low, high = (formatting.change(end).removeprefix("+") for end in ends)
        return f"{formatting.change(self.found.ratio)} % ({low} to {high} %)"

    @property
    def doubt(self) -> str:
        """What is to be said behind it; empty: nothing."""
        return ", by one run alone" if self.is_single else ""


@dataclass(frozen=True)
class Series:
    """The runs of one function in one place, oldest first."""

    key: Key
    records: tuple[Record, ...]

    def points(self, metric: Metric) -> list[tuple[Record, float]]:
        """Return the runs that have a figure, with it."""
        found = ((record, metric.value(record)) for record in self.records)
        return [(record, value) for record, value in found if value is not None]

    @cached_property
    def changes(self) -> list[Change]:
        """Where its figures change, by metric and time."""
        return [change for metric in METRICS for change in self.changes_of(metric)]

    def changes_of(self, metric: Metric, but: int = 0) -> list[Change]:
        """Return where a figure changes, by time; without the newest so many of its runs."""
        points = self.points(metric)
        points = points[: len(points) - but]
        return [
            Change(
                metric,
                points[found.at - 1][0],
                points[found.at][0],
                found,
                is_single=found.at == len(points) - 1,
            )
            for found in change_points.changes([value for _, value in points])
            if abs(found.ratio - 1) >= _LEAST_CHANGE
        ]

    def limit(self, metric: Metric) -> float | None:
        """Return the newest run's limit of a figure; None: it has none."""
        return self.records[-1].get(metric.limit) if metric.limit else None

    @property
    def doubt(self) -> str:
        """Why a change may not show yet, as the end of a sentence; empty: for no lack of runs."""
        count = len(self.records)
        if count <= change_points.LEAST_BEFORE:
            return ", too few to tell one"
        return ", which tell large ones only" if count < change_points.LEAST_VALUES else ""

    @property
    def limit_is_of(self) -> str:
        """Which size its limits are held against, if not the one that its figures are of."""
        is_other = self.records[-1]["judged"] == "recommended"
        return " at the recommended size" if is_other else ""


def current(records: Iterable[Record]) -> list[Record]:
    """Return records without those of a run that a later one of the same run replaces.

    A run that is resumed has a record of what it had before, and one with all of it.
    """
    newest: dict[str, Record] = {}
    kept = []
    for record in records:
        if record["mode"] != "run":
            kept.append(record)
            continue
        before = newest.get(record["run_id"])
        if before is None or before["recorded_at"] <= record["recorded_at"]:
            newest[record["run_id"]] = record
    every = [*kept, *newest.values()]
    return sorted(every, key=lambda record: (record["started_at"], record["recorded_at"]))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are wanted; an empty text takes all.

    Attributes:
        function: Name of the function.
        env: Environment.
        branch: Git branch.
        on: "aws" or "embedded".
    """

    function: str = ""
    env: str = ""
    branch: str = ""
    on: str = ""

    def takes(self, record: Record) -> bool:
        """Whether a run is wanted."""
        pairs = (
            (self.function, record["function_name"]),
            (self.env, record["env"]),
            (self.branch, record["branch"]),
            (self.on, "embedded" if record["is_embedded"] else "aws"),
        )
        return all(not wanted or wanted == found for wanted, found in pairs)

    @property
    def words(self) -> str:
        """What is wanted, as the command line says it; empty: everything."""
        pairs = (("function", self.function), ("env", self.env), ("branch", self.branch))
        chosen = [*pairs, ("on", self.on)]
        return " ".join(f"--{name} {value}" for name, value in chosen if value)


def series_of(records: Sequence[Record]) -> list[Series]:
    """Return the series of runs that have figures, the one with the newest run first."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        if any(metric.value(record) is not None for metric in METRICS):
            groups.setdefault(Key.of(record), []).append(record)
    made = [Series(key, tuple(group)) for key, group in groups.items()]
    return sorted(made, key=lambda one: one.records[-1]["started_at"], reverse=True)
