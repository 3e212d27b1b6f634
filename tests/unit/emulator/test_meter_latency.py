"""Which AWS operation a request is, and how long AWS takes for it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from lambda_emulator.meter_path.dyno_meter import latency
from lambda_emulator.sandbox.settings import Settings

SCOPE = "AWS4-HMAC-SHA256 Credential=ASIA/20261120/us-east-1/{}/aws4_request, SignedHeaders=host"
TABLE = json.loads(Path(latency.__file__).with_name("latency.json").read_text())


def request(first_line: str, service: str, *headers: str, body: str = "") -> bytes:
    """Return an HTTP request as an SDK sends it."""
    lines = [f"{first_line} HTTP/1.1", f"Authorization: {SCOPE.format(service)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("sent", "operation"),
    [
        (request("POST /", "dynamodb", "X-Amz-Target: DynamoDB_20120810.Scan"), "Scan"),
        (request("POST /", "dynamodb", "x-amz-target: DynamoDB_20120810.GetItem"), "GetItem"),
        (request("GET /bucket/folder/key?x=1", "s3"), "GetObject"),
        (request("PUT /bucket/key", "s3"), "PutObject"),
        (request("HEAD /bucket/key", "s3"), "HeadObject"),
        (request("DELETE /bucket/key", "s3"), "DeleteObject"),
        (request("GET /bucket?list-type=2", "s3"), "ListObjectsV2"),
        (request("POST /bucket?delete", "s3"), "DeleteObjects"),
        (request("POST /2015-03-31/functions/f%3A1/invocations", "lambda"), "Invoke"),
        (request("GET /2015-03-31/functions/f", "lambda"), ""),
        (request("POST /", "sns", body="Action=Publish&TopicArn=x"), "Publish"),
        (request("POST /service/Granite/operation/PutMetricData", "monitoring"), "PutMetricData"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    ],
)
def test_operation_is_read_from_the_request(sent: bytes, operation: str) -> None:
    """Every protocol of AWS names its operation somewhere."""
    assert latency.operation_of(sent)[1] == operation


def test_same_seed_gives_the_same_latencies() -> None:
    """A run can be repeated."""
    draws = [
        [model.draw_ms("dynamodb", "Scan") for _ in range(5)]
        for model in (latency.LatencyModel.load(seed) for seed in ("0:f", "0:f", "1:f"))
    ]

    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_draws_have_the_tables_median_and_spread() -> None:
    """The middle of many draws is the median; few are far from it."""
    model = latency.LatencyModel.load("0:f")
    draws = [model.draw_ms("s3", "PutObject") or 0.0 for _ in range(2000)]

    assert statistics.median(draws) == pytest.approx(42.0, rel=0.05)
    assert 1.2 < statistics.quantiles(draws, n=20)[-1] / 42.0 < 2.0


def test_a_few_invocations_have_the_tables_mean() -> None:
    """Twenty means of ten invocations vary by a fifth of what independent draws would."""
    means = []
    for seed in range(40):
        model = latency.LatencyModel.load(f"{seed}:f")
        draws = []
        for _ in range(10):
            model.begin()
            draws.append(model.draw_ms("dynamodb", "Scan") or 0.0)
        means.append(statistics.fmean(draws))
    independent = 0.25 / 10**0.5  # sigma of the table, over ten draws
    assert statistics.stdev(means) / statistics.fmean(means) < 0.4 * independent


def test_calls_of_an_invocation_know_nothing_of_each_other() -> None:
    """The sum of two is as wide as that of any two."""
    model = latency.LatencyModel.load("0:f")
    pairs = []
    for _ in range(1000):
        model.begin()
        pairs.append([model.draw_ms("dynamodb", "Scan") or 0.0 for _ in range(2)])
    assert abs(statistics.correlation(*map(list, zip(*pairs, strict=True)))) < 0.1


def test_other_functions_take_their_own_time() -> None:
    """An invocation is not replaced: it takes as long as it takes."""
    assert latency.LatencyModel.load("0:f").draw_ms("lambda", "Invoke") is None


def test_unknown_service_has_the_default() -> None:
    """Every service has a latency."""
    assert (latency.LatencyModel.load("0:f").draw_ms("braket", "CreateJob") or 0.0) > 1.0


def test_large_bodies_take_longer() -> None:
    """10 MB to S3 take what its bandwidth says: a tenth of a second."""
    model = latency.LatencyModel.load("0:f")

    assert model.transfer_ms("s3", "GetObject", 10 * 1024 * 1024) == pytest.approx(123, rel=0.05)


def test_every_entry_says_where_it_is_from() -> None:
    """Each has a basis, and a source that is listed where it claims one."""
    for service in TABLE["services"].values():
        for entry in (service.get("default", {}), *service.get("operations", {}).values()):
            assert entry.get("basis", "derived") in {"measured", "derived", "estimated"}
            assert entry.get("source", "cebert") in TABLE["sources"]
            assert entry.get("basis") != "measured" or "source" in entry


def test_each_sandbox_of_a_function_draws_by_a_seed_of_its_own(tmp_path: Path) -> None:
    """Not by the function's alone: a version would be slower for nothing but its name."""
    drawn = {}
    for home in ("one", "other"):
        (tmp_path / home).mkdir()
        settings = Settings(tmp_path / home / "meter.json")
        drawn[home] = [settings.seed(name) for name in ("f", "f", "g", "f")]

    assert len(set(drawn["one"])) == 4
    assert drawn["one"] == drawn["other"]  # a run can be repeated
    nowhere = Settings(tmp_path / "none" / "meter.json")
    assert nowhere.seed("f") == "0:f:0"
