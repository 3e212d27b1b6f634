"""Which changes are told, once each, and when they are gone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from lambda_dyno.history.series import METRICS, Record, series_of
from lambda_dyno.history.signals import Known, State, Trend, plan, trend_id, trends
from tests.unit.history.test_series import record

DURATION = METRICS[0]


def runs(*levels: tuple[int, float], seed: int = 1, sd: float = 0.02, **more: Any) -> list[Record]:
    """So many runs at each level in ms, that scatter by `sd`; no other figure has a trend."""
    chance = Random(seed)
    means = [level for count, level in levels for _ in range(count)]
    quiet = {"cost_usd": None, "p95_ms": None, "memory_used_mb": None}
    return [
        record(at, duration_ms=mean * math.exp(chance.gauss(0, sd)), **quiet, **more)
        for at, mean in enumerate(means)
    ]


def only(records: Sequence[Record]) -> Trend:
    """The one trend that there is."""
    (trend,) = trends(series_of(records))
    return trend


def steps(records: Sequence[Record], *known: Known) -> list[tuple[str, int]]:
    """What is to be done, and with which issue."""
    return [(step.do, step.number) for step in plan(trends(series_of(records)), known)]


def told(records: Sequence[Record], run: int, state: State = "open", number: int = 7) -> Known:
    """A former signal of these runs' trend."""
    return Known(number, only(records).id, f"r{run}", state)


def test_a_change_for_the_worse_is_a_signal_with_its_levels() -> None:
    """Its place, its size, and what it was before and is after."""
    (signal,) = only(runs((20, 20.0), (10, 26.0))).signals
    assert signal.run_id == "r20"
    assert (signal.before.runs, signal.after.runs) == (20, 10)
    assert signal.before.mean == pytest.approx(20, rel=0.02)
    assert signal.after.mean == pytest.approx(26, rel=0.02)
    assert signal.now == pytest.approx(1.3, rel=0.03)


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param([(30, 20.0)], id="nothing changes"),
        pytest.param([(20, 20.0), (10, 15.0)], id="for the better"),
        pytest.param([(20, 20.0), (1, 80.0)], id="by one run alone"),
        pytest.param([(20, 20.0), (10, 26.0), (16, 20.0)], id="come back"),
        pytest.param([(20, 20.0), (10, 26.0), (10, 17.0)], id="better than before"),
    ],
)
def test_what_is_no_signal(levels: list[tuple[int, float]]) -> None:
    """Nor does it open an issue."""
    records = runs(*levels)
    assert only(records).signals == ()
    assert steps(records) == []


def test_two_changes_are_two_signals_and_a_half_repaired_one_stays() -> None:
    """Each is told by its own first run."""
    worse = only(runs((20, 20.0), (15, 26.0), (15, 34.0)))
    assert [signal.run_id for signal in worse.signals] == ["r20", "r35"]
    half = only(runs((20, 20.0), (15, 30.0), (15, 25.0)))
    (signal,) = half.signals
    assert signal.now == pytest.approx(1.25, rel=0.03)
    assert signal.change.found.ratio == pytest.approx(1.5, rel=0.03)


STEPPED = runs((20, 20.0), (10, 26.0))


@pytest.mark.parametrize(
    ("former", "wanted"),
    [
        pytest.param([], [("open", 0)], id="new"),
        pytest.param([told(STEPPED, 20)], [("update", 7)], id="told already"),
        pytest.param([told(STEPPED, 18)], [("update", 7)], id="more runs have moved it"),
        pytest.param([told(STEPPED, 20, "dismissed")], [], id="somebody has closed it"),
        pytest.param([told(STEPPED, 20, "settled")], [("reopen", 7)], id="it is there again"),
        pytest.param([told(STEPPED, 5)], [("open", 0), ("close", 7)], id="another, long gone"),
        pytest.param([told(STEPPED, 5, "settled")], [("open", 0)], id="another, settled"),
        pytest.param([Known(7, "0" * 16, "r20", "open")], [("open", 0)], id="of another trend"),
        pytest.param([told(STEPPED, 99)], [("open", 0)], id="a run that nobody knows"),
        pytest.param(
            [told(STEPPED, 20, number=8), told(STEPPED, 20, number=7)],
            [("update", 7), ("close", 8)],
            id="told twice",
        ),
        pytest.param(
            [told(STEPPED, 19, "dismissed", 6), told(STEPPED, 20, number=7)],
            [("update", 7)],
            id="two, the nearer one",
        ),
    ],
)
def test_a_signal_is_told_once(former: list[Known], wanted: list[tuple[str, int]]) -> None:
    """Whatever was told before."""
    assert steps(STEPPED, *former) == wanted


def test_what_is_gone_is_closed_once() -> None:
    """The level is back, or more runs show that there was no change."""
    back = runs((20, 20.0), (10, 26.0), (16, 20.0))
    assert steps(back, told(back, 20)) == [("close", 7)]
    assert steps(back, told(back, 20, "settled")) == []
    assert steps(back, told(back, 20, "dismissed")) == []


def test_a_history_that_is_lost_closes_nothing() -> None:
    """Nor one that begins anew."""
    former = told(STEPPED, 20)
    assert steps([], former) == []
    assert steps(STEPPED[25:], former) == []


def test_a_second_change_beside_one_that_was_dismissed_is_told() -> None:
    """The dismissed one keeps its own."""
    records = runs((20, 20.0), (12, 26.0), (12, 34.0))
    assert [signal.run_id for signal in only(records).signals] == ["r20", "r32"]
    assert steps(records, told(records, 20, "dismissed")) == [("open", 0)]


def test_a_resumed_run_is_still_the_run() -> None:
    """Its record is another one then."""
    records = runs((20, 20.0), (10, 26.0))
    records[20] = {**records[20], "record_id": "r20_run_ffffffff"}
    assert steps(records, told(STEPPED, 20)) == [("update", 7)]


def test_a_trends_id_tells_places_apart_and_nothing_else() -> None:
    """16 digits, which hold no name."""
    (one,) = series_of(STEPPED)
    others = [
        series_of(runs((20, 20.0), **{name: value}))[0]
        for name, value in (
            ("env", "prod"),
            ("function_name", "other"),
            ("region", "us-east-1"),
            ("account_id", "210987654321"),
            ("is_embedded", True),
            ("branch", "trunk"),
        )
    ]
    ids = [trend_id(each.key, metric) for each in (one, *others) for metric in METRICS]
    assert len(set(ids)) == len(ids) == 7 * len(METRICS)
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in ids)


def followed(seed: int, *levels: tuple[int, float]) -> tuple[Counter[str], int]:
    """What is done in the life of a history that is looked at after each run; what stays open."""
    every = runs(*levels, seed=seed, sd=0.05)
    known: dict[int, Known] = {}
    done: Counter[str] = Counter()
    for count in range(1, len(every) + 1):
        for step in plan(trends(series_of(every[:count])), list(known.values())):
            done[step.do] += 1
            number = step.number or len(known) + 1
            if step.signal is None:
                known[number] = replace(known[number], state="settled")
            else:
                known[number] = Known(number, step.trend, step.signal.run_id, "open")
    return done, sum(each.state == "open" for each in known.values())


@pytest.mark.parametrize(
    ("levels", "opened", "closed"),
    [
        pytest.param([(40, 20.0)], 0, 0, id="nothing"),
        pytest.param([(20, 20.0), (15, 26.0)], 1, 0, id="a change"),
        pytest.param([(20, 20.0), (12, 26.0), (12, 20.0)], 1, 1, id="up and back"),
    ],
)
def test_a_history_that_grows_is_told_once(
    levels: list[tuple[int, float]], opened: int, closed: int
) -> None:
    """GIVEN 20 histories that scatter by 5 % WHEN each is looked at after each run.

    THEN at most two of them have one issue too many, or too few, or are closed too often.
    """
    lives = [followed(seed, *levels) for seed in range(20)]
    assert sum(done["open"] != opened for done, _ in lives) <= 2
    assert sum(done["close"] != closed for done, _ in lives) <= 2
    assert sum(left != opened - closed for _, left in lives) <= 2
