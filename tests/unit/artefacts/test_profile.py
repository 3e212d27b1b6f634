"""Words for memory sizes, and the elbow of a curve, held against curves whose elbow is known."""

from __future__ import annotations

import random
from dataclasses import replace

from lambda_dyno.artefacts import memory_summary
from lambda_dyno.artefacts.profile import elbow, knee, profiles
from lambda_dyno.core.results import TuningResult
from tests.support import report_samples as samples

SIZES = (128, 256, 512, 1024, 2048, 4096)


def bent(at_mb: int) -> list[float]:
    """Durations that halve up to a size, and stay then."""
    return [100.0 * 128 / min(mb, at_mb) for mb in SIZES]


def with_intervals(half: float) -> TuningResult:
    """The sample's tuning with intervals of so much on both sides, as a share."""
    details = []
    for one in samples.TUNING.details:
        assert one.duration_ms is not None
        ms = one.duration_ms.trimmed_mean
        details.append(replace(one, duration_interval_ms=(ms * (1 - half), ms * (1 + half))))
    return replace(samples.TUNING, details=tuple(details))


def test_each_size_has_the_words_of_what_it_does() -> None:
    words = {one.memory_mb: (one.behaviour, one.outcome) for one in profiles(samples.TUNING)}
    assert words == {
        128: ("CPU constrained", "avoid"),  # 256 MB is faster and cheaper
        256: ("CPU constrained", "cheapest"),
        512: ("CPU constrained", "best profile"),
        1024: ("flat", "fastest"),
        1769: ("flat", "no benefit"),  # as slow as 1024 MB, and more expensive
    }


def test_what_noise_can_make_is_called_flat() -> None:
    words = {one.memory_mb: one.behaviour for one in profiles(with_intervals(0.3))}
    assert words[512] == "flat"  # 15.2 ± 4.6 and 10.3 ± 3.1 ms
    assert words[128] == "CPU constrained"


def test_a_size_that_failed_is_to_be_avoided() -> None:
    tuning = replace(
        samples.TUNING, details=(samples.excluded(64, "killed"), *samples.TUNING.details)
    )
    assert profiles(tuning)[0].outcome == "failed: avoid"


def test_kneedle_finds_the_bend() -> None:
    assert [knee(SIZES, bent(mb)) for mb in (256, 512, 1024)] == [256, 512, 512]
    assert knee(SIZES, [100.0] * 6) is None
    assert knee(SIZES, [60.0, 50.0, 40.0, 30.0, 20.0, 10.0]) is None  # straight over the axis


def test_the_share_of_redraws_is_how_often_the_elbow_is_right() -> None:
    """Of elbows named with 90 % and more of the redraws, 9 of 10 are the true one."""
    source = random.Random(5)
    truth = {one.power: one.duration_ms.trimmed_mean for one in samples.TUNING.details}  # type: ignore[union-attr]
    true_elbow = knee(list(truth), list(truth.values()))
    sure = right = 0
    for _ in range(60):
        details = []
        for one in samples.TUNING.details:
            assert one.duration_ms is not None
            sigma = 0.06 * truth[one.power]
            ms = source.gauss(truth[one.power], sigma)
            details.append(
                replace(
                    one,
                    duration_ms=replace(one.duration_ms, trimmed_mean=ms),
                    duration_interval_ms=(ms - 1.96 * sigma, ms + 1.96 * sigma),
                )
            )
        found = elbow(replace(samples.TUNING, details=tuple(details)))
        assert found is not None and abs(sum(found.shares.values()) - 1) < 1e-9
        if found.shares[found.memory_mb] >= 0.9:
            sure += 1
            right += found.memory_mb == true_elbow
    assert sure > 20
    assert right / sure >= 0.9


def test_the_summary_names_the_elbow_and_how_sure_it_is() -> None:
    text = memory_summary.to_markdown(replace(samples.run(), tuning=with_intervals(0.02)))
    assert "Elbow: 256 MB" in text
    assert "of 1,000 redraws" in text
    assert "| CPU constrained | avoid |" in text
