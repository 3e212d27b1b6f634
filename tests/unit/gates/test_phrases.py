"""Sentences of a report, by hand-worked numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambda_dyno.core import formatting
from lambda_dyno.core.results import (
    Check,
    LimitOutcome,
    Ratio,
    StaircaseStep,
    Statement,
    TuningResult,
    Verdict,
)
from lambda_dyno.gates import load_phrases as load
from lambda_dyno.gates import phrases, recommendation
from lambda_dyno.gates.separation import settled
from lambda_dyno.report.sections.load import latency_limits
from tests.support import report_samples as samples


def two_sizes(now: tuple[float, float], best: tuple[float, float], **more: Any) -> TuningResult:
    """A tuning from 128 to 512 MB, each given as ms and USD per million."""
    return samples.tuning(
        samples.detail(128, now[0], now[1] / 1e6),
        samples.detail(512, best[0], best[1] / 1e6),
        power=512,
        current=128,
        **more,
    )


def replace_ratios(
    tuning: TuningResult, *, cost: Ratio | None = None, duration: Ratio | None = None
) -> TuningResult:
    """The tuning with what is known of its recommended size against the deployed one."""
    now, best = tuning.details
    best = replace(best, cost_ratio=cost, duration_ratio=duration)
    return replace(tuning, details=(now, best))


SURE = Statement(0.04, 0.97, 0.0, "default", 2, 14, "it is known well enough")
SET = "Set memory_mb from 128 to 512: "
RECOMMENDATIONS = {
    # 95 / 23.1 = 4.11; 1 - 0.194 / 0.22 = 0.118
    "faster and cheaper": (
        two_sizes((95, 0.22), (23.1, 0.194)),
        SET + "4.1 times as fast (23.1 ms instead of 95.0 ms) and 12 % cheaper "
        "(0.194 instead of 0.220 USD per million invocations).",
    ),
    # 1 - 80 / 100 = 0.2; 0.3 / 0.2 = 1.5
    "a little faster but more expensive": (
        two_sizes((100, 0.2), (80, 0.3)),
        SET + "20 % faster (80.0 ms instead of 100 ms) but 50 % more expensive "
        "(0.300 instead of 0.200 USD per million invocations).",
    ),
    "much faster at a multiple of the cost": (
        two_sizes((100, 0.2), (50, 0.5)),
        SET + "2.0 times as fast (50.0 ms instead of 100 ms) but at 2.5 times the cost "
        "(0.500 instead of 0.200 USD per million invocations).",
    ),
    # the gain comes first
    "cheaper but slower": (
        two_sizes((100, 2), (120, 1)),
        SET + "50 % cheaper (1.00 instead of 2.00 USD per million invocations) but 20 % slower "
        "(120 ms instead of 100 ms).",
    ),
    "cheaper but much slower": (
        two_sizes((100, 2), (230, 1)),
        SET + "50 % cheaper (1.00 instead of 2.00 USD per million invocations) but taking 2.3 "
        "times as long (230 ms instead of 100 ms).",
    ),
    "cheaper and as fast": (
        two_sizes((100, 2), (100.5, 1)),
        SET + "50 % cheaper (1.00 instead of 2.00 USD per million invocations) and about as "
        "fast (100 ms).",
    ),
    "faster at the same cost": (
        two_sizes((200, 1), (100, 1)),
        SET + "2.0 times as fast (100 ms instead of 200 ms) and at about the same cost "
        "(1.00 USD per million invocations).",
    ),
    "cheaper, and the durations overlap": (
        two_sizes((100, 2), (97, 1)),
        SET + "50 % cheaper (1.00 instead of 2.00 USD per million invocations) and about as "
        "fast, as far as can be told (97.0 ms instead of 100 ms).",
    ),
    "cheaper, as far as can be told of cost": (
        replace_ratios(two_sizes((200, 2), (100, 1.9)), cost=Ratio(0.95, 0.85, 1.06)),
        SET + "2.0 times as fast (100 ms instead of 200 ms) and at about the same cost, as far as "
        "can be told (1.90 instead of 2.00 USD per million invocations).",
    ),
    "a cost that nothing was shown of": (
        two_sizes((95, 0.22), (23.1, 0.223)),
        SET + "4.1 times as fast (23.1 ms instead of 95.0 ms) and at about the same cost, as far "
        "as can be told (0.223 instead of 0.220 USD per million invocations).",
    ),
    "what the model does not show with 95 % on one side": (
        replace_ratios(
            two_sizes((200, 2), (100, 1.84), statement=SURE),
            cost=Ratio(0.92, 0.8, 1.03),
            duration=Ratio(0.5, 0.46, 0.54),
        ),
        SET + "2.0 times as fast (100 ms instead of 200 ms) and at about the same cost, as far as "
        "can be told (1.84 instead of 2.00 USD per million invocations). With 95 % it is at most "
        "4 % worse than the best size of all.",
    ),
    "what the model shows with 95 % on one side, not on both": (
        replace_ratios(
            two_sizes((100, 2), (97, 1.8), statement=SURE),
            cost=Ratio(0.9, 0.8, 1.01),
            duration=Ratio(0.97, 0.9, 1.04),
        ),
        SET + "probably 10 % cheaper (1.80 instead of 2.00 USD per million invocations) and "
        "about as fast, as far as can be told (97.0 ms instead of 100 ms). With 95 % it is at most "
        "4 % worse than the best size of all.",
    ),
    "no difference": (
        settled(two_sizes((100, 1), (100, 1))),
        (
            "Keep memory_mb at 128: 512 measured better for strategy balanced, but by no more than "
            "chance may do (100 ms and 1.00 USD per million invocations; at 512 MB 100 ms and 1.00 "
            "USD per million invocations). A larger num would tell."
        ),
    ),
    "a little faster, as chance may do, and more expensive": (
        settled(two_sizes((100, 1), (97, 1.5))),
        (
            "Keep memory_mb at 128: 512 measured better for strategy balanced, but by no more than "
            "chance may do (100 ms and 1.00 USD per million invocations; at 512 MB 97.0 ms and "
            "1.50 USD per million invocations). A larger num would tell."
        ),
    ),
    "current size is the best": (
        samples.tuning(
            samples.detail(128, 95.0, 0.22e-6),
            samples.detail(512, 23.1, 0.194e-6),
            power=512,
            current=512,
        ),
        (
            "Keep memory_mb at 512: the best of 2 sizes for strategy balanced, 23.1 ms and 0.194 "
            "USD per million invocations."
        ),
    ),
    "only one size": (
        samples.tuning(samples.detail(512, 23.1, 0.194e-6), power=512, current=512),
        (
            "Keep memory_mb at 512, the only size measured: 23.1 ms and 0.194 USD per million "
            "invocations."
        ),
    ),
    "all other sizes excluded": (
        samples.tuning(
            samples.excluded(128, "timeout"),
            samples.detail(512, 23.1, 0.194e-6),
            power=512,
            current=512,
        ),
        (
            "Keep memory_mb at 512, the only size measured: 23.1 ms and 0.194 USD per million "
            "invocations."
        ),
    ),
    "current size not measured": (
        samples.tuning(samples.detail(512, 23.1, 0.194e-6), power=512, current=192),
        (
            "Set memory_mb from 192 to 512: 23.1 ms and 0.194 USD per million invocations; 192 MB "
            "was not measured, so the gain is not known."
        ),
    ),
    "current size excluded": (
        samples.tuning(
            samples.excluded(128, "Runtime.OutOfMemory"),
            samples.detail(512, 23.1, 0.194e-6),
            power=512,
            current=128,
        ),
        (
            "Set memory_mb from 128 to 512: 23.1 ms and 0.194 USD per million invocations; at 128 "
            "MB the function could not be measured."
        ),
    ),
    "not tuned": (None, ""),
}


@pytest.mark.parametrize(("tuning", "sentence"), RECOMMENDATIONS.values(), ids=RECOMMENDATIONS)
def test_recommendation(tuning: TuningResult | None, sentence: str) -> None:
    """The recommendation is one sentence that claims what was measured and no more."""
    assert recommendation.recommendation(tuning) == sentence


def limited(on: str, verdict: str, value_ms: float, **more: Any) -> LimitOutcome:
    """A limit of 200 ms."""
    counted = {"at_most_ms": None, "invocations": 59, "above": 0, "missing": 0}
    return LimitOutcome(200.0, on, verdict, value_ms, **{**counted, **more})


STATED = Statement(0.06, 0.9, 0.0, "default", 2, 15, "it is known well enough")
LIMITS = [
    (
        limited("p95", "proven", 180.0),
        (
            "512 MB: p95 at most 200 ms, proven by 59 invocations with none above. With 95 % it is "
            "at most 6 % more expensive than the cheapest size that keeps the limit."
        ),
    ),
    (
        limited("mean", "proven", 180.0, at_most_ms=191.0, missing=None),
        "512 MB: mean at most 200 ms, proven by 59 invocations, at most 191 ms with 95 %.",
    ),
    (
        limited("p95", "not proven", 190.0, invocations=80, above=2, missing=44),
        (
            "512 MB: p95 at most 200 ms is not proven: it has 190 ms in 80 invocations with two "
            "above; 44 more with none above would prove it."
        ),
    ),
    (
        limited("p95", "none", 240.0, above=50, missing=None),
        "No size keeps a p95 of at most 200 ms: the fastest, 512 MB, has 240 ms.",
    ),
]


@pytest.mark.parametrize(("limit", "sentence"), LIMITS)
def test_a_limit_is_told_as_it_was_counted(limit: LimitOutcome, sentence: str) -> None:
    """Proven, not proven, or that no size keeps it: nothing is stated then."""
    tuning = two_sizes((95.0, 0.2), (23.1, 0.194), strategy="limit", limit=limit, statement=STATED)
    told = recommendation.recommendation(tuning)
    assert sentence in told
    assert ("With 95 %" in told) is (limit.verdict == "proven")
    assert settled(tuning) == tuning


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            StaircaseStep(1, 512),
            "512 MB: the smallest size at which it ends within its first 20 ms period.",
        ),
        (StaircaseStep(2, 480), "512 MB: it ends within its second 20 ms period, as from 480 MB"),
        (None, ""),
    ],
)
def test_a_step_and_a_former_run_are_named(step: StaircaseStep | None, sentence: str) -> None:
    stated = replace(STATED, step=step, prior="261130-1200-bbbb")
    told = recommendation.recommendation(
        two_sizes((95.0, 0.2), (23.1, 0.194), strategy="cost", statement=stated)
    )
    assert sentence in told
    assert ("20 ms" in told) is (step is not None)
    assert told.endswith("It began with what run 261130-1200-bbbb measured of the same code.")


def verdict(outcome: Any, *outcomes: Any) -> Verdict:
    return Verdict(outcome, tuple(Check("latency_p95_ms", 1, 1, one, "x") for one in outcomes))


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"verdict": verdict("pass", "pass", "pass")}, "pass", "All 2 SLOs are met"),
        ({"verdict": verdict("pass", "pass")}, "pass", "The SLO is met"),
        ({"verdict": verdict("inconclusive")}, "inconclusive", "No SLO is set"),
        ({"verdict": verdict("fail", "pass", "fail")}, "fail", "1 of 2 SLOs is missed"),
        ({"verdict": verdict("fail", "fail", "fail")}, "fail", "2 of 2 SLOs are missed"),
        (
            {"verdict": verdict("inconclusive", "pass", "inconclusive")},
            "inconclusive",
            "Not decided: 1 of 2 SLOs without enough evidence",
        ),
        ({"verdict": None}, "none", "Not checked against SLOs"),
        ({"verdict": verdict("pass", "pass"), "error": "boom"}, "error", "The run failed"),
    ],
)
def test_headline(changes: dict[str, Any], status: str, text: str) -> None:
    """The headline counts what was missed, and an error comes before any verdict."""
    headline = phrases.headline(samples.run(**changes))
    assert (headline.status, headline.text) == (status, text)


def test_verdict_lines_put_problems_first_and_carry_units() -> None:
    """Missed checks lead, undecided ones follow, and each value has the unit of its name."""
    checks = (
        Check("error_ratio", 0.01, 0.004, "pass", "Few errors."),
        Check("latency_p99_ms", 500, None, "inconclusive", "Too few requests."),
        Check("cost_per_million_usd", 0.2, 1.5, "fail", "Too dear."),
        Check("distance_from_best", 0.1, 0.25, "fail", "Too far."),
        Check("requests", 100, 120, "pass", "Enough.", "requests"),
    )
    lines = phrases.verdict_lines(Verdict("fail", checks))
    assert [(line.title, line.measured, line.limit, line.symbol) for line in lines] == [
        ("Cost per million", "1.50 USD", "0.200 USD", "✗"),
        ("Distance from best", "25 %", "10 %", "✗"),
        ("Latency p99", "not measured", "500 ms", "?"),
        ("Errors", "0.40 %", "1 %", "✓"),
        ("requests", "120 requests", "100 requests", "✓"),
    ]


def test_key_figures_compare_current_with_recommended() -> None:
    """The figures name both values and say whether the change is better."""
    duration, cost, latency = recommendation.key_figures(
        samples.run(tuning=two_sizes((100, 0.2), (80, 0.3)))
    )
    assert (duration.before, duration.after, duration.change) == ("100", "80.0", "20 % faster")
    assert (cost.before, cost.after, cost.better) == ("0.200", "0.300", False)
    assert latency.change == "2.7 times as fast"


def test_saturated_load_is_not_compared() -> None:
    """No gain is claimed from a test that measured its own driver."""
    run = samples.run()
    loads = (run.load[0], replace(run.load[1], saturated="driver at 98 %"))
    assert (
        recommendation.key_figures(replace(run, load=loads))[-1].change
        == "saturated: not comparable"
    )
    assert load.load_sentence(loads).endswith(
        "but a test was saturated, so this is not the API alone."
    )


def test_load_sentence() -> None:
    """The sentence compares p95 at both sizes, or states the one there is, or none."""
    current, recommended = samples.run().load
    assert load.load_sentence((current, recommended)) == (
        "With 10 virtual users, 95 % of the requests took at most 65.4 ms at 512 MB, 178 ms at "
        "128 MB."
    )
    assert load.load_sentence((replace(current, virtual_users=1),)) == (
        "With 1 virtual user at 128 MB, 95 % of the requests took at most 178 ms."
    )
    assert load.load_sentence((current, replace(recommended, latency_ms=None))) == (
        "No request was answered at 512 MB."
    )
    assert load.load_sentence(()) == ""


def test_load_facts_name_the_loop_and_what_is_left_out() -> None:
    """Whoever reads a percentile must know what is not in it, and whose limit may be in it."""
    current = samples.load("current", 512, [10.0] * 100)
    closed = replace(
        current,
        warm_up_s=3.0,
        warm_up_requests=40,
        warm_up_errors=2,
        requests_per_s=50.0,
        ceiling_requests_per_s=250.0,
    )
    loop, warm_up, ceiling = load.load_facts((closed,))
    assert loop.startswith("Closed loop: each user")
    assert "coordinated omission" in loop
    assert warm_up == ("The first 3 s are left out as warm-up (40 requests, 2 of them failed).")
    assert ceiling == (
        "The load driver itself makes at most 250 requests/s on this machine; this test made "
        "50.0, 20 % of that."
    )
    opened = replace(current, loop="open", arrivals_per_s=3.0, rounds=2, warm_up_s=1.0)
    loop, rounds, warm_up = load.load_facts((opened,))
    assert loop.startswith("Open loop: iterations begin when they are due")
    assert rounds == "2 rounds of the same load, one after the other."
    assert warm_up == "The first 1 s of each round are left out as warm-up (0 requests)."
    assert load.load_sentence((opened,)).startswith("With 3 iterations per second at 512 MB")
    assert load.load_facts(()) == ()


def test_the_way_to_the_api_is_told_beside_its_limits() -> None:
    """A limit on latency judges the distance, too; next door it is not worth a word."""
    far = replace(samples.load("current", 512, [300.0]), round_trip_ms=205.4)
    assert load.load_facts((far,), 1000.0)[1:] == (
        "The way to the API and back took 205 ms by itself, which is in every latency.",
    )
    (told,) = load.load_facts((far,), 300.0)[1:]
    assert "more than a quarter of the limit of 300 ms" in told
    assert "in its region" in told
    assert len(load.load_facts((replace(far, round_trip_ms=0.2),), 300.0)) == 1
    run = samples.run()
    assert load.latency_limit_ms(run) == min(
        limit
        for limit in (samples.SLO.latency_p95_ms, samples.SLO.latency_p99_ms)
        if limit is not None
    )
    assert load.latency_limit_ms(replace(run, settings={})) is None


def test_load_facts_of_several_tests_say_whose_they_are() -> None:
    """And what each was, when they were not the same."""
    one = replace(samples.load("current", 512, [1.0]), profile="closed loop, 1 user")
    other = replace(samples.load("current-2", 512, [1.0]), profile="closed loop, 2 users")
    assert load.load_facts((one, other))[1:] == (
        "current: closed loop, 1 user.",
        "current-2: closed loop, 2 users.",
    )


def test_figures_from_the_embedded_aws_say_so() -> None:
    """A run on the emulator warns before anybody acts on it, and passes warnings on."""
    emulated = samples.run(
        settings={"environment": {"emulated": True}},
        tuning=two_sizes((100, 1), (50, 1), warnings=("unknown key foo",)),
    )
    first, second = recommendation.caveats(emulated)
    assert first.startswith("Measured on the embedded AWS")
    assert second == "unknown key foo"


@pytest.mark.parametrize(
    "more",
    [
        {"endpoint": "http://127.0.0.1:4566"},
        {"outputs": {"api_url": "http://127.0.0.1:4566/_aws/execute-api/a/dev"}},
    ],
)
def test_figures_from_the_embedded_aws_say_so_whatever_the_env_is_called(
    more: dict[str, Any],
) -> None:
    """A run of `dev` with AWS_ENDPOINT_URL measures no account."""
    dev = samples.run(env="dev", settings={"environment": {"emulated": False}}, **more)
    assert recommendation.caveats(dev)[0].startswith("Measured on the embedded AWS")


def test_how_to_apply_names_variable_file_and_value() -> None:
    """The steps hold the env's own file and size; with nothing to change there are none."""
    steps = recommendation.how_to_apply(samples.run(env="dev"))
    assert "memory_mb 512 and its evidence into envs/dev/tuned.auto.tfvars.json" in steps[0].text
    assert steps[0].command == "dyno apply 261120-2243-k3f9"
    assert steps[1].command == "make tune ENV=dev"
    assert recommendation.how_to_apply(samples.run(tuning=None)) == ()
    kept = samples.tuning(samples.detail(512, 20), power=512, current=512)
    assert recommendation.how_to_apply(samples.run(tuning=kept)) == ()


def test_latency_limits_come_from_the_checks() -> None:
    """Only latency SLOs become marks in the chart, at their share."""
    assert latency_limits(samples.VERDICT) == {0.95: 250.0, 0.99: 500.0}
    assert latency_limits(None) == {}


def test_commit_is_short_and_keeps_its_mark() -> None:
    """A tree with changes is not taken for its commit."""
    assert formatting.commit("9e2685e3a39d4b359491cee9ee14ef19b0cebe1d") == "9e2685e3a"
    dirty = "9e2685e3a39d4b359491cee9ee14ef19b0cebe1d+changes"
    assert formatting.commit(dirty) == "9e2685e3a+changes"
    assert formatting.commit("") == ""
