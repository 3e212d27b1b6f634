"""The evidence store on the embedded AWS: what runs add, and what of main is brought back.

Whoever gets something into main's keys that is no run's changes no decision: each of it is left
out, with a line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pytest

from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.compare.former import with_prior
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.evidence import outbox, pulling, sending
from lambda_dyno.evidence.bucket import Bucket, Listed
from lambda_dyno.evidence.location import Place, Store
from lambda_dyno.history import listing, record
from lambda_dyno.history import store as history
from lambda_dyno.history.rows import Recording, rows_of
from lambda_dyno.report.terminal import TerminalUi
from tests.support import report_samples as samples

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.e2e

MAIN = "shop/local/main/"
SHA = "A" * 43 + "="
PRIOR = {
    "codeSha256": SHA,
    "architecture": "x86_64",
    "payload": "0" * 64,
    "sizes": [{"power": 128, "durationMs": 100.5, "passes": 4, "variance": 0.01}],
}
FUNCTION = Function("arn", "shop", "eu-west-1", 128, "x86_64", "python3.12", code_sha256=SHA)
COUNT = 8


def store() -> Store:
    """Return the store of the account that this process's credentials name."""
    return Store(f"evidence-{os.environ['AWS_ACCESS_KEY_ID']}", "shop/")


@pytest.fixture
def session(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> LocalSession:
    """An account of its own with the bucket, which this process's credentials name."""
    found = LocalSession(embedded_aws, new_aws_account())
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in embedded_aws.environment(found.account_id).items():
        monkeypatch.setenv(name, value)
    found.client("s3").create_bucket(Bucket=store().bucket)
    return found


@pytest.fixture
def honest(tmp_path: Path, session: LocalSession) -> list[str]:
    """Main's runs, each added as a run's end adds it; their records."""
    return list(add_runs(tmp_path / "runs", "main"))


def add_runs(runs: Path, trust: str, count: int = COUNT) -> Iterator[str]:
    """Record runs, put them into the outbox, and send them."""
    bucket = Bucket(store())
    kept = history.Store(runs / "history", print, durable=False)
    for number in range(1, count + 1):
        began = datetime(2026, 12, number, 10, 0, tzinfo=UTC)
        tuning = replace(samples.run().tuning, raw={"prior": PRIOR})  # type: ignore[type-var]
        run = replace(
            samples.run(),
            run_id=f"2612{number:02}-1000-k3f9",
            started_at=began.isoformat(),
            tuning=tuning,
        )
        record_id = f"{run.run_id}_run_{number:08x}"
        when = began.replace(tzinfo=None)
        recording = Recording(record_id, "run", when, "0.1.0", "main", "1" * 12, "us-east-2")
        kept.add(record_id, rows_of(run, recording))
        result = json.dumps(run.to_json()).encode()
        rows = history.files_of(kept.path, record_id)
        place = Place("local", trust)
        entry = outbox.add(runs, record_id, store(), place, {"result.json": result}, rows)
        assert sending.send(entry, bucket, lambda *_: None).problem == ""
        yield record_id


def pull(folder: Path) -> tuple[pulling.Pulled, list[str]]:
    said: list[str] = []
    return pulling.pull(Bucket(store()), "local", folder, said.append, lambda *_: None), said


def decisions(folder: Path) -> Any:
    """Return what `dyno history --json` and `--prior` make of a folder."""
    said: list[str] = []
    listed = [listing.as_json(one) for one in record.read(folder, said.append)]
    assert said == []
    account = cast(Account, SimpleNamespace(endpoint=""))
    ui = TerminalUi()
    began = with_prior({"measuring": "adaptive"}, str(folder), folder, FUNCTION, account, ui)
    return listed, began.get("prior")


def test_main_is_brought_back_whole_and_once(tmp_path: Path, honest: list[str]) -> None:
    """The files of the history, byte by byte; of pull requests nothing."""
    list(add_runs(tmp_path / "pull-request", "pr/12", count=2))
    pulled, said = pull(tmp_path / "main")
    assert (pulled.new, pulled.there, pulled.results, said) == (COUNT, 0, COUNT, [])
    assert history.Store(tmp_path / "main", print).runs() == (
        history.Store(tmp_path / "runs" / "history", print).runs()
    )
    for record_id in honest:
        assert history.files_of(tmp_path / "main", record_id) == (
            history.files_of(tmp_path / "runs" / "history", record_id)
        )
    listed, prior = decisions(tmp_path / "main")
    assert len(listed) == COUNT
    assert prior["run"] == f"2612{COUNT:02}-1000-k3f9"
    again, said = pull(tmp_path / "main")
    assert (again.new, again.there, said) == (0, COUNT, [])


def parquet(sql: str, path: Path) -> bytes:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def poison(tmp_path: Path, honest: list[str]) -> dict[str, tuple[bytes, str]]:
    """Return objects below main's rows, each with what is said of it."""
    source = tmp_path / "runs" / "history" / "v1" / "runs" / f"{honest[0]}.parquet"
    scratch = tmp_path / "scratch.parquet"
    samples_of = tmp_path / "runs" / "history" / "v1" / "tunings" / f"{honest[0]}.parquet"

    def changed(record_id: str, change: str, of: Path = source) -> bytes:
        own = f"* REPLACE ('{record_id}' AS record_id, '{record_id[:16]}' AS run_id)"
        return parquet(f"SELECT {change} FROM (SELECT {own} FROM '{of}')", scratch)

    names = (f"261130-1000-k3f9_run_{number:08x}" for number in range(100))
    found: dict[str, tuple[bytes, str]] = {}
    for change, said in (
        ("* REPLACE ('fast' AS duration_ms)", "duration_ms is"),
        ("* REPLACE ('2026' AS started_at)", "started_at is"),
        ("* REPLACE (1e308 AS duration_ms)", "a value is none that a run can have"),
        ("* REPLACE ('inf'::DOUBLE AS cost_usd)", "a value is none that a run can have"),
        ("* REPLACE ('nan'::DOUBLE AS p95_ms)", "a value is none that a run can have"),
        ("* REPLACE (9223372036854775807 AS memory_mb)", "a value is none that a run can have"),
        ("* REPLACE ('261130-1000-zzzz' AS run_id)", "a value is none that a run can have"),
        (f"* REPLACE ('{honest[1]}' AS record_id)", "a value is none that a run can have"),
        ("* REPLACE ('''; DROP TABLE runs; --' AS git_sha)", "a value is none that a run can have"),
        ("* REPLACE (repeat('x', 300000) AS function_name)", "a value is none that a run can have"),
        ("* REPLACE (TIMESTAMP '1970-01-01' AS started_at)", "a value is none that a run can have"),
        ("* REPLACE ('prod' AS env)", "it is of environment prod, and not of local"),
        ("* EXCLUDE (run_id)", "no column run_id"),
        ("run_id", "no column record_id"),
    ):
        name = next(names)
        found[f"runs/{name}.parquet"] = (changed(name, change), said)
    name = next(names)
    twice = f"SELECT unnest([1, 2]) AS more, * FROM '{source}'"
    found[f"runs/{name}.parquet"] = (parquet(twice, scratch), "rows where 1 are the most")
    name = next(names)
    found[f"runs/{name}.parquet"] = (b"PAR1 no such thing PAR1", name)
    # whole in `runs`, and poisoned in another table
    name = next(names)
    found[f"runs/{name}.parquet"] = (changed(name, "*"), "")
    found[f"tunings/{name}.parquet"] = (
        changed(name, "* REPLACE (1e308 AS duration_ms)", samples_of),
        "a value is none that a run can have",
    )
    whole = source.read_bytes()
    for key in (
        "runs/../../../../etc/cron.d/x.parquet",
        "runs/..%2f..%2fx.parquet",
        f"runs/{honest[0]}.parquet/x.parquet",
        "runs/x'; DROP TABLE runs; --.parquet",
        "runs/.hidden.parquet",
        "packed.parquet",
        f"packed/{honest[0]}.parquet",
        f"runs/{honest[0]}.txt",
        f"runs/{honest[0]}\n.parquet",
        f"nothing/{honest[0]}.parquet",
    ):
        found[key] = (whole, "its key is none of a record's file")
    return found


def test_poison_in_the_bucket_changes_no_decision(
    tmp_path: Path, session: LocalSession, honest: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN objects below main's keys that no run has made WHEN main is brought back.

    THEN trends and prior are those of the honest runs, and each of the others is named in a line.
    """
    pull(tmp_path / "before")
    expected = decisions(tmp_path / "before")

    s3 = session.client("s3")
    poisoned = poison(tmp_path, honest)
    for key, (content, _) in poisoned.items():
        s3.put_object(Bucket=store().bucket, Key=f"{MAIN}rows/v1/{key}", Body=content)
    # results that a tuning would begin with: no JSON, another run's, one of 17 MB
    foreign = (tmp_path / "before" / "results" / f"{honest[0]}.json").read_bytes()
    for record_id, content in zip(honest[-3:], (b"x" * 17_000_000, foreign, b"{"), strict=True):
        key = f"{MAIN}runs/{record_id[:16]}/{record_id}/result.json"
        s3.put_object(Bucket=store().bucket, Key=key, Body=content)
    listed = Bucket.list

    def claims(self: Bucket, prefix: str) -> Iterator[Listed]:
        yield from listed(self, prefix)
        yield Listed(f"{MAIN}rows/v1/runs/261130-1000-k3f9_run_ffffffff.parquet", 10_000_000_000)

    monkeypatch.setattr(Bucket, "list", claims)
    pulled, said = pull(tmp_path / "after")
    assert pulled.new == COUNT
    lines = "\n".join(pulled.refused)
    for key, (_, problem) in poisoned.items():
        name = key.rpartition("/")[2].strip().removesuffix(".parquet")[:40]
        if problem:
            assert [line for line in pulled.refused if problem in line], (key, lines)
        if problem and "REPLACE" not in key and "\n" not in name:
            assert name in lines, key
    assert "10,000,000,000 bytes" in lines
    for record_id, problem in zip(
        honest[-3:],
        ("longer than 16,000,000 bytes", "it is of run 261201", "not JSON"),
        strict=True,
    ):
        assert f"{record_id}: result.json is left out: " in lines
        assert problem in lines
    assert len(said) == 21 and "more are left out" in said[-1]
    assert not [line for line in pulled.refused if "\n" in line]

    after, prior = decisions(tmp_path / "after")
    assert (after, prior) == (expected[0], {**expected[1], "run": f"2612{COUNT - 3:02}-1000-k3f9"})
    assert sorted(path.name for path in (tmp_path / "after" / "v1").iterdir()) == [
        "checks",
        "loads",
        "runs",
        "tunings",
    ]
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".incoming")]


def test_what_is_longer_than_the_bucket_says_is_not_believed(
    tmp_path: Path, session: LocalSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is what ends early."""
    list(add_runs(tmp_path / "runs", "main", count=2))
    listed = Bucket.list

    def lies(self: Bucket, prefix: str) -> Iterator[Listed]:
        yield from (Listed(one.key, one.size_bytes + 1) for one in listed(self, prefix))

    monkeypatch.setattr(Bucket, "list", lies)
    pulled, _ = pull(tmp_path / "main")
    assert pulled.new == 0
    assert len(pulled.refused) == 2
    assert all("it is not as long as the bucket says" in line for line in pulled.refused)


def test_a_bucket_that_is_not_there_is_one_line(tmp_path: Path, session: LocalSession) -> None:
    """For who pulls, and for who adds."""
    nobody = Bucket(Store("acme-nothing", ""))
    with pytest.raises(UserError, match=r"^s3://acme-nothing cannot be listed: NoSuchBucket"):
        pulling.pull(nobody, "local", tmp_path, print, lambda *_: None)
    assert not list(tmp_path.iterdir())
    entry = outbox.add(
        tmp_path, "a_run_00000000", nobody.store, Place("a", "other"), {"a": b"a"}, {}
    )
    assert "NoSuchBucket" in sending.send(entry, nobody, lambda *_: None).problem
