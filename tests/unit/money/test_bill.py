"""Bills computed by hand from AWS's published prices, beside those of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambda_dyno.core.results import SET, Amount, Money, RunResult, Traffic
from lambda_dyno.money import bill, rates
from tests.support import report_samples as samples

# On demand, first tier; aws.amazon.com/lambda/pricing, amazonaws.cn/en/lambda/pricing and
# aws.amazon.com/api-gateway/pricing.
#
# 10,000,000 invocations a month, each billed 100 ms at 512 MB: 10,000,000 x 0.1 s x 0.5 GB =
# 500,000 GB-seconds; at 1024 MB and 40 ms 10,000,000 x 0.04 s x 1 GB = 400,000 GB-seconds.
BY_HAND = {
    # 500,000 x 0.0000166667 = 8.33335; 400,000 x 0.0000166667 = 6.66668; 10 x 0.20 = 2.00;
    # API Gateway 10 x 3.50 = 35.00
    ("us-east-1", "x86_64", "REST"): (8.33335, 6.66668, 2.00, 35.00),
    # 500,000 x 0.0000133334 = 6.6667; 400,000 x 0.0000133334 = 5.33336; 10 x 1.00 = 10.00
    ("us-east-1", "arm64", "HTTP"): (6.6667, 5.33336, 2.00, 10.00),
    ("us-east-1", "arm64", ""): (6.6667, 5.33336, 2.00, None),
    # prices per GB-second as in us-east-1; 10 x 3.70 = 37.00
    ("eu-central-1", "x86_64", "REST"): (8.33335, 6.66668, 2.00, 37.00),
    ("eu-central-1", "arm64", ""): (6.6667, 5.33336, 2.00, None),
    # 10 x 4.25 = 42.50, 10 x 1.29 = 12.90
    ("ap-northeast-1", "x86_64", "REST"): (8.33335, 6.66668, 2.00, 42.50),
    ("ap-northeast-1", "arm64", "HTTP"): (6.6667, 5.33336, 2.00, 12.90),
    # Switzerland: 500,000 x 0.0000183334 = 9.1667; 400,000 x 0.0000183334 = 7.33336; 10 x 0.22
    ("eu-central-2", "x86_64", ""): (9.1667, 7.33336, 2.20, None),
    ("eu-central-2", "arm64", ""): (7.33335, 5.86668, 2.20, None),
    # Ningxia, in CNY: 500,000 x 0.000113477 = 56.7385; 400,000 x 0.000113477 = 45.3908; 10 x 1.36
    ("cn-northwest-1", "x86_64", ""): (56.7385, 45.3908, 13.60, None),
    # 500,000 x 0.0000907816 = 45.3908; 400,000 x 0.0000907816 = 36.31264
    ("cn-northwest-1", "arm64", ""): (45.3908, 36.31264, 13.60, None),
}
MONTH = 10_000_000


def run(region: str, architecture: str, api: str = "", **more: Any) -> RunResult:
    """A run at 512 MB with 100 ms that recommends 1024 MB with 40 ms."""
    per_ms = rates.of(region, architecture).listed.per_ms
    sizes = ((512, 100.0), (1024, 40.0))
    details = [samples.detail(mb, ms, float(per_ms(mb)) * ms) for mb, ms in sizes]
    storage_mb = more.pop("ephemeral_storage_mb", 512)
    tuning = samples.tuning(
        *details,
        power=1024,
        current=512,
        region=region,
        architecture=architecture,
        ephemeral_storage_mb=storage_mb,
    )
    return samples.run(tuning=tuning, api=api, **more)


def money(result: RunResult) -> Money:
    found = bill.of_result(result)
    assert found is not None
    return found


@pytest.mark.parametrize("place", BY_HAND, ids="-".join)
def test_a_bill_is_what_one_reckons_by_hand(place: tuple[str, str, str]) -> None:
    """Compute at both sizes, the request fee, and API Gateway beside it."""
    found = money(run(*place))
    now, new, requests, api = BY_HAND[place]
    assert [size.compute_usd.middle * MONTH for size in found.sizes] == pytest.approx([now, new])
    assert found.request_usd * MONTH == pytest.approx(requests)
    assert found.currency == ("CNY" if place[0].startswith("cn-") else "USD")
    if api is None:
        assert found.api_usd is None
    else:
        assert found.api_usd is not None
        assert found.api_usd * MONTH == pytest.approx(api)


def test_ephemeral_storage_above_512_mb_is_paid_by_the_second() -> None:
    """us-east-1, 2048 MB of it: 1.5 GB x 0.1 s x 10,000,000 x 0.0000000309 = 0.04635 USD."""
    free = money(run("us-east-1", "x86_64"))
    paid = money(run("us-east-1", "x86_64", ephemeral_storage_mb=2048))
    more = [
        (two.compute_usd.middle - one.compute_usd.middle) * MONTH
        for one, two in zip(free.sizes, paid.sizes, strict=True)
    ]
    assert more == pytest.approx([0.04635, 0.04635 * 0.4])
    # Frankfurt, both architectures: 1.5 x 0.1 x 10,000,000 x 0.0000000367 = 0.05505 USD
    for architecture in ("x86_64", "arm64"):
        there = rates.of("eu-central-1", architecture, ephemeral_storage_mb=2048)
        assert float(there.storage_per_ms(2048)) * 100 * MONTH == pytest.approx(0.05505)


def test_a_discount_is_taken_off_every_price() -> None:
    """17 % off 8.33335 USD are 6.9166805; off 35 USD 29.05."""
    settings = {"traffic": {"discount": 0.17, "invocations_per_month": 2_000_000}}
    found = money(run("us-east-1", "x86_64", "REST", settings=settings))
    assert found.sizes[0].compute_usd.middle * MONTH == pytest.approx(6.9166805)
    assert found.api_usd is not None
    assert found.api_usd * MONTH == pytest.approx(29.05)
    assert found.traffic == Traffic(2_000_000.0, SET)


@pytest.mark.parametrize(
    ("region", "api", "storage_mb", "said"),
    [
        ("xx-new-1", "", 512, "the price list has no xx-new-1"),
        ("ca-west-1", "HTTP", 512, "no HTTP API in ca-west-1: that of us-east-1 is taken"),
        ("cn-north-1", "REST", 512, "no REST API in cn-north-1: it is left out"),
        ("cn-north-1", "", 1024, "no ephemeral storage in cn-north-1: it is left out"),
    ],
)
def test_what_the_list_does_not_have_is_said(
    region: str, api: str, storage_mb: int, said: str
) -> None:
    """No price of dollars stands for one in another currency."""
    found = rates.of(region, "x86_64", api=api, ephemeral_storage_mb=storage_mb)
    assert any(said in note for note in found.notes)
    if region.startswith("cn-"):
        assert found.api_request is None
        assert found.storage_gb_second == 0


def test_a_run_costs_its_tuning_and_the_requests_of_its_tests() -> None:
    """55 of the smoke test at 512 MB, 1,000 at 512 and 1,000 at 1024 MB, and their API's price.

    55 + 1,000 at 512 MB: 1,055 x 0.05 GB-s x 0.0000166667 = 0.00087917; 1,000 x 0.04 x 0.0000166667
    = 0.00066667; fees 2,055 x 0.0000002 = 0.000411; API 2,055 x 0.0000035 = 0.0071925.
    """
    load = tuple(
        replace(samples.load("x", mb, [10.0] * 900), warm_up_requests=100) for mb in (512, 1024)
    )
    raw = {
        "stateMachine": {"executionCost": 0.000175, "lambdaCost": 0.0001},
        "tuner": {"cost": 0.0003, "transitions": 7, "gbSeconds": 1.0},
        "details": [{"invocations": 20}, {"invocations": 20}],
        "prices": {"requestsPerMillion": 0.2, "currency": "USD"},
    }
    made = run("us-east-1", "x86_64", "REST", load=load)
    assert made.tuning is not None
    found = money(replace(made, tuning=replace(made.tuning, raw=raw)))
    smoke = made.smoke
    assert smoke is not None
    by_requests = (smoke.requests + 1000) * 0.05 * 0.0000166667 + 1000 * 0.04 * 0.0000166667
    count = smoke.requests + 2000
    spent = {one.what: one.usd.middle for one in found.run}
    assert spent["invocations while tuning"] == pytest.approx(0.0001 + 40 * 0.2e-6)
    assert spent["state transitions"] == pytest.approx(0.000175)
    assert spent["run of the tuner's own functions"] == pytest.approx(0.000125)
    assert spent["invocations by requests"] == pytest.approx(by_requests + count * 0.2e-6)
    assert spent["requests to the REST API"] == pytest.approx(count * 3.5e-6)
    assert [one.count for one in found.run if "requests" in one.what] == [count, count]


def test_without_a_tuning_there_is_no_bill() -> None:
    """Nothing is made up."""
    assert bill.of_result(samples.run(tuning=None)) is None


def test_an_interval_is_as_wide_as_its_longer_side() -> None:
    """Both ends are within ± half of it."""
    assert Amount(10.0, 7.0, 12.0).half == 3.0
    assert Amount(1.0, -0.5, 2.0).is_apart is False
    assert Amount(1.0, 0.5, 2.0).is_apart
