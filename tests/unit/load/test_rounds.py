"""More requests while they can help, up to the cap, and one result of them all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lambda_dyno.core.config import LoadSettings, SloSettings
from lambda_dyno.core.results import LoadResult, Sample
from lambda_dyno.core.samples import read_samples, write_samples
from lambda_dyno.gates.slo import confidence_of_a_look, of_load
from lambda_dyno.load.driver import DriverReport, DriverUsage
from lambda_dyno.load.rounds import LoadSeries, merged
from lambda_dyno.load.samples import summarise

PROFILE = LoadSettings(virtual_users=8, ramp_up_s=0.0, duration_s=11.0, warm_up_s=1.0)


class Api:
    """An API with latencies from a distribution; writes samples as the driver does."""

    def __init__(self, folder: Path, *, around_ms: float, requests: int = 400) -> None:
        self.folder = folder
        self.around_ms = around_ms
        self.requests = requests
        self.source = random.Random(7)
        self.names: list[str] = []
        self.busy = 0.3

    def __call__(self, name: str) -> LoadResult:
        self.names.append(name)
        samples = [
            Sample(
                start_ms=1000 + number * 25.0,
                latency_ms=self.source.gauss(self.around_ms, 10.0),
                user=number % 8,
                iteration=number // 8,
                request="read",
                status=200,
                error="",
            )
            for number in range(self.requests)
        ]
        write_samples(samples, self.folder / f"{name}.jsonl")
        report = DriverReport(11.0, (DriverUsage(self.busy, 1.0),), 0.4)
        warm_up = samples[:20]
        return summarise(
            samples,
            report,
            PROFILE,
            label=name,
            memory_mb=512,
            samples_path="load/current.jsonl",
            left_out=warm_up,
        )


def p95_limit_ms(limit: float, **more: object) -> SloSettings:
    """Only p95 is limited, unless `more` says so."""
    return SloSettings.model_validate({"latency_p95_ms": limit, **more})


def test_a_clear_verdict_needs_one_round(tmp_path: Path) -> None:
    """100 ms against 250 ms is no question."""
    api = Api(tmp_path, around_ms=100.0)
    series = LoadSeries(api, tmp_path, "current", of_load)
    assert series.decide(p95_limit_ms(250.0)).outcome == "pass"
    assert series.decide(p95_limit_ms(50.0)).outcome == "fail"
    assert api.names == ["current"]


def test_an_open_question_is_asked_again_until_the_cap(tmp_path: Path) -> None:
    """A limit at the true p95 stays open, so all rounds are made, and no more."""
    api = Api(tmp_path, around_ms=100.0)
    told: list[int] = []
    series = LoadSeries(api, tmp_path, "current", of_load)
    verdict = series.decide(
        p95_limit_ms(116.45, max_rounds=3), lambda found, _: told.append(found.requests)
    )
    assert verdict.outcome == "inconclusive"
    assert api.names == ["current", "current-round-2", "current-round-3"]
    assert told == [400, 800]
    assert (series.result.rounds, series.result.requests) == (3, 1200)


def test_more_requests_do_decide(tmp_path: Path) -> None:
    """A limit a little above the true p95 is open at first and holds with more requests."""
    series = LoadSeries(Api(tmp_path, around_ms=100.0), tmp_path, "current", of_load)
    limits = p95_limit_ms(119.0, max_rounds=8)
    assert series.judge(limits).outcome == "inconclusive"
    assert series.decide(limits).outcome == "pass"
    assert 1 < series.result.rounds <= 8


def test_what_measures_this_machine_is_not_asked_again(tmp_path: Path) -> None:
    """More of it would be more of the same."""
    api = Api(tmp_path, around_ms=100.0)
    api.busy = 0.95
    series = LoadSeries(api, tmp_path, "current", of_load)
    assert series.decide(p95_limit_ms(250.0)).outcome == "inconclusive"
    assert series.result.rounds == 1


def test_all_rounds_are_one_test(tmp_path: Path) -> None:
    """One file of samples, later rounds later, by users of their own; none of the parts stays."""
    series = LoadSeries(Api(tmp_path, around_ms=100.0), tmp_path, "current", of_load)
    series.add_round()
    kept = read_samples([tmp_path / "current.jsonl"])
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["current.jsonl"]
    assert len(kept) == series.result.requests == 800
    assert {sample.user for sample in kept} == set(range(16))
    first, second = kept[:400], kept[400:]
    assert min(s.start_ms for s in second) > max(s.start_ms + s.latency_ms for s in first)


def test_the_result_of_two_rounds_by_hand(tmp_path: Path) -> None:
    """Counts add up, the busiest round is the busiest, rates leave the warm-ups out."""
    series = LoadSeries(Api(tmp_path, around_ms=100.0), tmp_path, "current", of_load)
    first = series.result
    both = merged(first, first, [*series.samples, *series.samples])
    assert (both.requests, both.duration_s, both.warm_up_requests) == (800, 22.0, 40)
    assert both.requests_per_s == 800 / 20
    assert both.latency_ms == first.latency_ms
    assert both.label == "current"


@pytest.mark.parametrize(
    ("confidence", "rounds", "of_a_look"), [(0.95, 1, 0.95), (0.95, 5, 0.99), (0.0, 3, 0.0)]
)
def test_looks_share_the_error(confidence: float, rounds: int, of_a_look: float) -> None:
    """Five looks at 99 % err as often as one at 95 %."""
    slo = SloSettings(confidence=confidence, max_rounds=rounds)
    assert confidence_of_a_look(slo) == pytest.approx(of_a_look)
