"""The tables of the history: the one declaration that writer, reader and docs share.

Types are those that DuckDB and Athena both have, no lists and no structs, so that one SQL reads a
folder of this machine and a bucket. docs/history.md has the tables for people (`make docs`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lambda_dyno.core.results import SAFE_RUN_ID

# A folder of the store, v1, v2, ...: of another version's folder nothing is read. A column may be
# added within a version, and reads as NULL where it lacks; none is taken away or changes meaning.
VERSION = 1

SqlType = Literal["VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "TIMESTAMP"]
Value = str | float | int | bool | datetime | None
Row = Mapping[str, Value]

# What a record is of: `dyno run`, the gates of pytest, or one command on a standing environment.
MODES = ("run", "gate", "tune", "load")
# RUN_MODE_RANDOM: names a record's files, in a folder or as keys of a bucket.
RECORD_ID = re.compile(rf"(?P<run>{SAFE_RUN_ID.pattern})_(?P<mode>{'|'.join(MODES)})_[0-9a-f]{{8}}")
LARGEST = 1e15  # of a figure: 30,000 years in ms
LONGEST = 200_000  # of a text, in characters


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: With its unit at the end.
        type: By the name that DuckDB has for it.
        meaning: For the docs.
        pattern: That a text matches, whole; empty: any text.
    """

    name: str
    type: SqlType
    meaning: str
    pattern: str = ""

    @property
    def is_key(self) -> bool:
        """Whether it is in every file: what a row is of, when, and what is true or false of it."""
        return self.name in ("record_id", "run_id") or self.type in ("TIMESTAMP", "BOOLEAN")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a folder of Parquet files, one for each record.

    Attributes:
        name: Its name, and the folder's.
        meaning: What a row is, for the docs.
        columns: In their order.
        most_rows: A file with more is none of ours.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    most_rows: int


_OUTCOME = "pass|fail|inconclusive"
_OUTCOMES = "`pass`, `fail` or `inconclusive`"
_KEY = (
    Column("record_id", "VARCHAR", "which record: `RUN_MODE_RANDOM`, the name of its files"),
    Column("run_id", "VARCHAR", "the run", SAFE_RUN_ID.pattern),
)


def _columns(*rows: Column | tuple[str, SqlType, str]) -> tuple[Column, ...]:
    return (*_KEY, *(row if isinstance(row, Column) else Column(*row) for row in rows))


RUNS = Table(
    "runs",
    "One record: what a command has measured, with the figures that trends are made of. It is "
    "written last: without it, a record's other rows do not count.",
    _columns(
        Column("mode", "VARCHAR", "`run`, `gate`, `tune` or `load`", "|".join(MODES)),
        ("recorded_at", "TIMESTAMP", "when it was written, UTC"),
        ("started_at", "TIMESTAMP", "when the run began, UTC"),
        ("dyno_version", "VARCHAR", "release that wrote it"),
        ("env", "VARCHAR", "environment; empty: `dyno tune --function`"),
        ("function_name", "VARCHAR", "without what names the run"),
        ("account_id", "VARCHAR", "AWS account"),
        ("region", "VARCHAR", "AWS region"),
        ("is_embedded", "BOOLEAN", "measured on the embedded AWS"),
        ("architecture", "VARCHAR", "`x86_64` or `arm64`"),
        ("branch", "VARCHAR", "git branch; empty: not known"),
        Column("git_sha", "VARCHAR", "commit; empty: not known", "([0-9a-f]{7,64})?"),
        ("is_dirty", "BOOLEAN", "the working tree differed from the commit"),
        ("code_sha256", "VARCHAR", "of the function's package, base64; empty: not known"),
        Column("outcome", "VARCHAR", f"verdict: {_OUTCOMES}; NULL: none", _OUTCOME),
        ("error", "VARCHAR", "why the run ended early; empty: it did not"),
        ("run_s", "DOUBLE", "seconds of all steps"),
        ("memory_mb", "BIGINT", "deployed memory size"),
        ("recommended_mb", "BIGINT", "memory size that the tuning recommends"),
        ("duration_ms", "DOUBLE", "trimmed mean of an invocation, at the deployed size"),
        ("duration_low_ms", "DOUBLE", "95 % interval of it, within the run"),
        ("duration_high_ms", "DOUBLE", "the same"),
        ("cost_usd", "DOUBLE", "of an invocation, at the deployed size"),
        ("cost_low_usd", "DOUBLE", "95 % interval of it, within the run"),
        ("cost_high_usd", "DOUBLE", "the same"),
        ("memory_used_mb", "BIGINT", "the most that an invocation used, at the deployed size"),
        ("p95_ms", "DOUBLE", "latency under load, at the deployed size"),
        ("error_ratio", "DOUBLE", "of the load's requests, 0 to 1"),
        ("requests_per_s", "DOUBLE", "of the load"),
        ("recommended_duration_ms", "DOUBLE", "as `duration_ms`, at the recommended size"),
        ("recommended_cost_usd", "DOUBLE", "as `cost_usd`, at the recommended size"),
        ("recommended_p95_ms", "DOUBLE", "as `p95_ms`, at the recommended size"),
        ("judged", "VARCHAR", "size that `[slo]` is held against: `deployed` or `recommended`"),
        ("p95_limit_ms", "DOUBLE", "`latency_p95_ms` of `[slo]`"),
        ("cost_limit_usd", "DOUBLE", "`cost_per_million_usd` of `[slo]`, for one invocation"),
        ("settings_json", "VARCHAR", "settings as JSON; payloads by their SHA-256 alone"),
    ),
    most_rows=1,
)
# Of all records in one file, for speed: made of the others, and made again if it is lost.
PACKED = Table(
    "packed",
    RUNS.meaning,
    tuple(column for column in RUNS.columns if column.name != "settings_json"),
    most_rows=10_000_000,
)

TUNINGS = Table(
    "tunings",
    "One memory size of a tuning.",
    _columns(
        ("architecture", "VARCHAR", "`x86_64` or `arm64`"),
        ("memory_mb", "BIGINT", "memory size"),
        ("is_deployed", "BOOLEAN", "the function had it"),
        ("is_recommended", "BOOLEAN", "the tuning recommends it"),
        ("strategy", "VARCHAR", "of the tuning"),
        ("invocations", "BIGINT", "that were measured"),
        ("cold_starts", "BIGINT", "among them"),
        ("errors", "BIGINT", "invocations that failed"),
        ("duration_ms", "DOUBLE", "trimmed mean; NULL: not measured"),
        ("duration_low_ms", "DOUBLE", "95 % interval of it"),
        ("duration_high_ms", "DOUBLE", "the same"),
        ("p50_ms", "DOUBLE", "percentile of the durations"),
        ("p95_ms", "DOUBLE", "the same"),
        ("p99_ms", "DOUBLE", "the same"),
        ("billed_ms", "DOUBLE", "mean billed duration"),
        ("cold_ms", "DOUBLE", "mean duration of the cold starts"),
        ("cost_usd", "DOUBLE", "of an invocation"),
        ("cost_low_usd", "DOUBLE", "95 % interval of it"),
        ("cost_high_usd", "DOUBLE", "the same"),
        ("memory_used_mb", "BIGINT", "the most that an invocation used"),
        ("currency", "VARCHAR", "`USD`; in regions of China `CNY`"),
    ),
    most_rows=1_000,
)

SAMPLES = Table(
    "samples",
    "One invocation that a tuning measured.",
    _columns(
        ("memory_mb", "BIGINT", "memory size"),
        ("position", "BIGINT", "0, 1, 2, ... at this size"),
        ("request", "BIGINT", "which request of the workload, counted from 0"),
        ("is_cold", "BOOLEAN", "a cold start"),
        ("duration_ms", "DOUBLE", "as Lambda reports it"),
    ),
    most_rows=1_000_000,
)

LOADS = Table(
    "loads",
    "One load test at one memory size.",
    _columns(
        ("label", "VARCHAR", "`current`, `recommended`, ..."),
        ("memory_mb", "BIGINT", "memory size"),
        ("loop", "VARCHAR", "`closed` or `open`"),
        ("profile", "VARCHAR", "the load, in words"),
        ("virtual_users", "BIGINT", "in an open loop: the most at once"),
        ("load_s", "DOUBLE", "measured seconds"),
        ("requests", "BIGINT", "that were measured"),
        ("errors", "BIGINT", "of them"),
        ("requests_per_s", "DOUBLE", "of them"),
        ("mean_ms", "DOUBLE", "latency; NULL: no answer"),
        ("p50_ms", "DOUBLE", "the same"),
        ("p90_ms", "DOUBLE", "the same"),
        ("p95_ms", "DOUBLE", "the same"),
        ("p99_ms", "DOUBLE", "the same"),
        ("max_ms", "DOUBLE", "the same"),
        ("saturated", "VARCHAR", "why it measured the loading machine; empty: it did not"),
    ),
    most_rows=1_000,
)

CHECKS = Table(
    "checks",
    "One limit that was held against the run, or one comparison with its baseline.",
    _columns(
        ("source", "VARCHAR", "`slo` or `baseline`"),
        ("name", "VARCHAR", "key of `[slo]`; of a baseline `p95`, `cost`, ..."),
        ("unit", "VARCHAR", "of the figures"),
        Column("outcome", "VARCHAR", _OUTCOMES, _OUTCOME),
        ("measured", "DOUBLE", "NULL: not measured"),
        ("limit_value", "DOUBLE", "of a baseline: the largest ratio"),
        ("baseline_value", "DOUBLE", "what the baseline had"),
        ("ratio", "DOUBLE", "to the baseline"),
        ("ratio_low", "DOUBLE", "interval of it; NULL: not bounded"),
        ("ratio_high", "DOUBLE", "the same"),
        ("baseline_sha", "VARCHAR", "commit of the baseline"),
    ),
    most_rows=10_000,
)

# `runs` last: a record counts once its row there is written.
TABLES = (TUNINGS, SAMPLES, LOADS, CHECKS, RUNS)


def run_of(record_id: str) -> str:
    """Return the run of a record; empty if it is no record's id."""
    found = RECORD_ID.fullmatch(record_id)
    return found["run"] if found else ""
