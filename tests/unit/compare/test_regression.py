"""lambda_dyno.compare.regression: is a candidate worse than its baseline?"""

from __future__ import annotations

import math
import random
import re

import pytest

from lambda_dyno.compare import regression
from lambda_dyno.compare.regression import Block, compare
from lambda_dyno.core.results import RegressionResult, Sample
from lambda_dyno.statistics.spending import FIRST_LOOK
from lambda_dyno.statistics.stats import Interval


def blocks(pairs, source, *, scale=1.0, values=60, spread=0.2, wild=0.0):
    """Return blocks of lognormal latencies; each block has a level of its own."""
    found = []
    for _ in range(pairs):
        level = 100 * scale * math.exp(source.gauss(0, 0.03))
        if source.random() < wild:
            level *= source.uniform(2, 5)
        latencies = [level * math.exp(source.gauss(0, spread)) for _ in range(values)]
        found.append(Block(latencies, [ms * 1e-9 for ms in latencies]))
    return found


def bounds(check):
    return Interval(check.ratio_low, check.ratio_high)


def by_name(comparison):
    return {check.name: check for check in comparison.checks}


class TestOutcomes:
    def test_the_same_passes(self):
        """Two versions with the very same figures are shown to be no worse."""
        same = blocks(12, random.Random(1))
        found = compare(same, same)
        assert found.outcome == "pass"
        assert [bounds(check) for check in found.checks] == [Interval(1, 1)] * 3
        p95_ms = f"{found.checks[1].baseline:.0f}"
        assert found.checks[1].reason == (
            f"p95 is no more than 5 % worse than the baseline: unchanged "
            f"({p95_ms} against {p95_ms} ms, 12 pairs of blocks)"
        )

    def test_a_slower_candidate_fails(self):
        """15 % slower: p50, p95 and cost fail, with how much worse in the sentence."""
        source = random.Random(2)
        found = compare(blocks(30, source), blocks(30, source, scale=1.15))
        assert found.outcome == "fail"
        assert {check.outcome for check in found.checks} == {"fail"}
        p50 = by_name(found)["p50"]
        assert 1.15 in bounds(p50)
        assert p50.ratio == pytest.approx(1.15, rel=0.03)
        assert p50.reason == (
            f"p50 is {regression.change(bounds(p50))} than the baseline, 5 % allowed "
            f"({p50.candidate:.0f} against {p50.baseline:.0f} ms, 30 pairs of blocks)"
        )
        assert "USD per million, 30 pairs" in by_name(found)["cost"].reason

    def test_noise_too_large_to_tell_is_inconclusive(self):
        """With levels that scatter widely nothing is shown, and the sentence says so."""
        source = random.Random(3)
        noisy = [blocks(12, source, spread=1.5, wild=0.5) for _ in range(2)]
        found = compare(*noisy, checks=["p95"])
        assert found.outcome == "inconclusive"
        assert found.checks[0].reason.startswith("p95: cannot tell yet: ")
        assert "% better to" in found.checks[0].reason

    def test_a_real_change_within_the_margin_passes(self):
        """Surely 3 % worse is allowed where 5 % is."""
        before = blocks(12, random.Random(4))
        after = [Block([ms * 1.03 for ms in block.latencies_ms]) for block in before]
        check = compare(before, after, checks=["p95"]).checks[0]
        assert check.ratio_low > 1
        assert check.outcome == "pass"
        assert compare(before, after, checks=["p95"], margin=0.02).outcome == "fail"

    def test_surely_worse_but_perhaps_within_the_margin_is_inconclusive(self):
        """From 1 to 8 % worse, about 3 %: neither a pass nor a fail."""
        ratios = [1.01, 1.02, 1.03, 1.03, 1.03, 1.04, 1.08, 1.08, 1.09, 1.10, 1.011, 1.012]
        before = [Block([100.0] * 20) for _ in ratios]
        after = [Block([100.0 * ratio] * 20) for ratio in ratios]
        check = compare(before, after, checks=["p95"]).checks[0]
        assert 1 < check.ratio_low < check.ratio < 1.05 < check.ratio_high
        assert check.outcome == "inconclusive"

    def test_a_faster_candidate_passes(self):
        """And the sentence says how much better."""
        source = random.Random(5)
        found = compare(blocks(20, source), blocks(20, source, scale=0.7))
        assert found.outcome == "pass"
        assert re.search(r": \d+ to \d+ % better \(", found.checks[0].reason)

    def test_few_pairs_say_how_many_are_needed(self):
        """Eight pairs of the same sign come by chance more often than the checks allow."""
        source = random.Random(6)
        found = compare(blocks(8, source), blocks(8, source, scale=2))
        assert found.outcome == "inconclusive"
        assert "at least 9 pairs of blocks are needed, not 8" in found.checks[0].reason
        assert compare(blocks(9, source), blocks(9, source, scale=2)).outcome == "fail"

    def test_a_burst_over_a_pair_harms_nobody(self):
        """What slows both blocks of a pair down cancels; in one of them it is outvoted."""
        source = random.Random(7)
        before, after = blocks(20, source), blocks(20, source)
        for block in (before[3], after[3], after[9]):
            block.latencies_ms[:] = [ms * 6 for ms in block.latencies_ms]
        calm = compare(before[:3] + before[4:], after[:3] + after[4:], checks=["p50"])
        assert compare(before, after, checks=["p50"]).outcome == calm.outcome == "pass"


class TestErrorRates:
    @pytest.mark.parametrize("wild", [0.0, 0.2], ids=["calm", "wild"])
    def test_false_alarms_stay_below_alpha(self, wild):
        """Of 300 comparisons of the same with the same, at alpha 10 %, at most 10 % fail."""
        failed = 0
        for seed in range(300):
            source = random.Random(seed)
            pair = [blocks(10, source, values=20, wild=wild) for _ in range(2)]
            # without the margin, so that nothing but alpha holds alarms back
            failed += compare(*pair, alpha=0.1, margin=-0.99).outcome == "fail"
        assert 3 <= failed <= 30

    def test_a_candidate_as_bad_as_the_margin_seldom_passes(self):
        """Truly 5 % worse: at most 10 % pass at a risk of 10 %."""
        passed = 0
        for seed in range(300):
            source = random.Random(seed)
            before = blocks(10, source, values=20)
            after = blocks(10, source, values=20, scale=1.05)
            passed += compare(before, after, checks=["p50"], risk=0.1).outcome == "pass"
        assert 3 <= passed <= 30

    def test_a_real_regression_is_found(self):
        """20 % worse on thirty quiet pairs: always."""
        for seed in range(30):
            source = random.Random(seed)
            before, after = blocks(30, source), blocks(30, source, scale=1.2)
            assert compare(before, after).outcome == "fail"

    def test_looks_share_the_rates(self):
        """However often one looks, the parts never sum up to more than the rate."""
        parts = [regression.spent(0.01, look) for look in range(1, 50)]
        assert parts[:2] == pytest.approx([0.0075, 0.001875])
        assert sum(parts) <= 0.01
        with pytest.raises(ValueError, match="from 1"):
            regression.spent(0.01, 0)

    def test_a_later_look_asks_for_more(self):
        """The same pairs at a second look have wider intervals."""
        source = random.Random(8)
        pair = blocks(20, source), blocks(20, source)
        first, second = (compare(*pair, look=look).checks[1] for look in (1, 2))
        assert second.ratio_low < first.ratio_low
        assert second.ratio_high > first.ratio_high

    def test_holm_gives_the_surest_check_the_smallest_share(self):
        """Three checks share 3 %: 1 % for the first, 1.5 % for the next, 3 % for the last."""
        before = [Block([100.0] * 20, [1.0], [500.0]) for _ in range(12)]
        slow = [1.2] * 12  # p-value 2^-12
        dear = [1.2] * 11 + [0.99]  # only the smallest rank is on the other side
        cold = [1.2, 0.8] * 6
        after = [
            Block([100.0 * s] * 20, [d], [500.0 * c])
            for s, d, c in zip(slow, dear, cold, strict=True)
        ]
        found = by_name(compare(before, after, checks=["cold", "cost", "p50"], alpha=0.04))
        for name, share in (("p50", 0.01), ("cost", 0.015), ("cold", 0.03)):
            (alone,) = compare(before, after, checks=[name], alpha=share / FIRST_LOOK).checks
            assert found[name].ratio_low == alone.ratio_low
        assert [found[name].outcome for name in ("p50", "cost")] == ["fail", "fail"]
        assert found["cold"].outcome == "inconclusive"

    def test_holm_stops_at_the_first_that_is_not_sure(self):
        """Two checks that are not sure get the same share."""
        source = random.Random(9)
        pair = blocks(12, source), blocks(12, source)
        for check in compare(*pair, checks=["p50", "p95"], alpha=0.04).checks:
            (alone,) = compare(*pair, checks=[check.name], alpha=0.015 / FIRST_LOOK).checks
            assert check.ratio_low == alone.ratio_low


class TestEvidence:
    def test_failed_requests_are_the_slowest(self):
        """With one request in ten failing p95 is worse than any latency, p50 is as it was."""
        before = blocks(12, random.Random(10), values=100)
        after = [
            Block([math.inf] * 10 + list(block.latencies_ms[10:]), block.costs_usd)
            for block in before
        ]
        found = by_name(compare(before, after))
        assert found["p95"].outcome == "fail"
        assert "more than 1,000 % worse than the baseline" in found["p95"].reason
        assert found["p50"].outcome != "fail"
        assert by_name(compare(after, before))["p95"].outcome == "pass"
        assert by_name(compare(after, after))["p95"].outcome == "pass"

    def test_what_was_not_measured_is_inconclusive(self):
        """No costs: the comparison as a whole cannot pass."""
        before = [Block(block.latencies_ms) for block in blocks(12, random.Random(11))]
        found = compare(before, before)
        assert by_name(found)["cost"].reason == "cost of the baseline was not measured"
        assert by_name(found)["cost"].ratio_low is by_name(found)["cost"].ratio_high is None
        assert found.outcome == "inconclusive"

    def test_a_block_with_few_requests_is_not_left_out(self):
        """Else a version that hardly answered would be forgiven its worst turns."""
        before = blocks(12, random.Random(12))
        after = [*before[:6], Block([9.0] * 19), *before[7:]]
        assert compare(before, after, checks=["p95"]).checks[0].reason == (
            "p95 cannot be judged: block 7 of the candidate has 19 values, "
            "at least 20 in each block are needed"
        )
        assert compare(before, after, checks=["p50"]).outcome == "pass"

    def test_a_figure_of_zero_cannot_be_a_ratio(self):
        """Nothing costs nothing."""
        free = [Block([1.0], [0.0]) for _ in range(12)]
        assert "it is 0 in a block" in compare(free, free, checks=["cost"]).checks[0].reason

    def test_without_any_block(self):
        """Nothing measured is no pass."""
        assert compare([], []).outcome == "inconclusive"

    @pytest.mark.parametrize("checks", [[], ["p95", "p95"], ["p12"]])
    def test_refuses_unknown_checks(self, checks):
        """A check that does not exist would silently not be made."""
        with pytest.raises(ValueError, match="checks must be some of p50, "):
            compare([], [], checks=checks)

    def test_refuses_blocks_without_a_partner(self):
        """Pairs need both."""
        with pytest.raises(ValueError, match="1 blocks of one, 0 of the other"):
            compare([Block([1.0])], [])

    def test_block_of_samples(self):
        """Warm-up is left out, waiting counts, an error is slower than everything."""
        samples = [
            Sample(999.9, 500, 0, 0, "read", 200, ""),
            Sample(1000, 20, 0, 1, "read", 200, "", wait_ms=3),
            Sample(1500, 9, 1, 0, "read", 503, "http_503"),
        ]
        block = Block.of(samples, warm_up_s=1, costs_usd=[1e-6], cold_ms=[400])
        assert block == Block((23, math.inf), (1e-6,), (400,))

    def test_verdict_is_in_the_records_of_the_gate(self):
        """For the tables and JUnit: limit and measured are ratios."""
        same = blocks(12, random.Random(13))
        checks = result_of(compare(same, same)).as_checks()
        assert {check.outcome for check in checks} == {"pass"}
        assert [check.name for check in checks] == ["p50_ratio", "p95_ratio", "cost_ratio"]
        assert {(check.limit, check.measured) for check in checks} == {(1.05, 1.0)}

    def test_evidence_has_no_infinite_number(self):
        """A bound that is not known yet is none in result.json."""
        few = blocks(3, random.Random(13))
        for record in compare(few, few).checks:
            assert (record.ratio, record.ratio_low, record.ratio_high) == (1.0, None, None)
            assert record.outcome == "inconclusive"


def result_of(found):
    """Return a comparison as the record of a run."""
    return RegressionResult(
        outcome=found.outcome,
        baseline="main (1a2b3c4d5)",
        git_sha="1a2b3c4d5",
        baseline_run_id="251120-0915-k3f9",
        pairs=found.pairs,
        redone=0,
        looks=1,
        margin=0.05,
        alpha=0.01,
        risk=0.05,
        turn_s=4.0,
        requests={},
        errors={},
        checks=found.checks,
    )


def test_turns_alternate_who_is_first():
    """Each pair has both versions next to each other, and each is first in every other pair."""
    order = regression.turns(3)
    assert order == ["baseline", "candidate", "candidate", "baseline", "baseline", "candidate"]
    assert regression.turns(0) == []


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.08, 1.14, "8 to 14 % worse"),
        (0.982, 1.094, "1.8 % better to 9.4 % worse"),
        (0.95, 0.97, "3 to 5 % better"),
        (1.03, 1.0301, "3 % worse"),
        (1.0, 1.0, "unchanged"),
        (0.0, math.inf, "100 % better to more than 1,000 % worse"),
    ],
)
def test_change_in_words(low, high, words):
    """A ratio's interval reads as a sentence reads."""
    assert regression.change(Interval(low, high)) == words
