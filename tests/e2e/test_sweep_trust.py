"""`dyno sweep` believes nothing that is in the state bucket: every pull request may write there."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambda_dyno.cleanup.sweeper import Swept
from lambda_dyno.core.errors import StepError
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform import toolchain
from tests.e2e.test_leaks import Place, expired
from tests.e2e.test_leaks import place as place_of_leaks
from tests.e2e.test_leaks import sweep as sweep_all

pytestmark = pytest.mark.e2e
place = place_of_leaks  # a fixture

RUN_ID = "260101-1000-kkkk"
ITEMS = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
AWS = 'provider["registry.terraform.io/hashicorp/aws"]'


def sweep(place: Place, **options: Any) -> list[Swept]:
    """Sweep, and return what came of it; orphans of other tests are not of interest."""
    return [row for row in sweep_all(place, **options) if row.reason != "the owner is gone"]


def lease_of(place: Place, run_id: str = RUN_ID, **changes: Any) -> dict[str, Any]:
    """Return an expired lease as an honest run writes it, but for the changes."""
    return {
        "run_id": run_id,
        "env": "tiny",
        "name_prefix": f"leak-{run_id}",
        "state": "up",
        "owner": "runner",
        "host": "gone",
        "pid": 1,
        "started_at": "2026-01-01T10:00:00+00:00",
        "expires_at": expired(),
        "account_id": place.account_id,
        "region": place.server.region,
        "endpoint": place.server.endpoint,
        **changes,
    }


def put(place: Place, content: Any, run_id: str = RUN_ID, end: str = ".lease.json") -> None:
    """Write an object of a run; bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    place.session.client("s3").put_object(
        Bucket=place.bucket, Key=f"lambda-dyno/tiny/{run_id}{end}", Body=body
    )


def state_of(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 3,
        "lineage": "a",
        "outputs": {},
        "resources": list(resources),
    }


def table(name: str, provider: str = AWS) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": "aws_dynamodb_table",
        "name": "this",
        "provider": provider,
        "instances": [{"schema_version": 1, "attributes": {"id": name, "name": name}}],
    }


@pytest.fixture
def elsewhere(place: Place) -> Iterator[Place]:
    """The sweeper's project; it knows no run. What is left in the bucket goes at the end."""
    there = replace(place, project=place.project / "elsewhere")
    there.write_root(0)
    (there.project / "modules").mkdir()
    yield there
    s3 = place.session.client("s3")
    for row in s3.list_objects_v2(Bucket=place.bucket).get("Contents", ()):
        s3.delete_object(Bucket=place.bucket, Key=row["Key"])


@pytest.fixture
def tables(elsewhere: Place) -> Iterator[Any]:
    """Production's table, and tables of nobody's run; all of them stand at the end."""
    names = ["customers", "customers-archive", "dyno-prod-items"]
    dynamodb = elsewhere.session.client("dynamodb")
    for name in names:
        dynamodb.create_table(TableName=name, **ITEMS)
    yield dynamodb
    assert dynamodb.list_tables()["TableNames"] == names
    for name in names:
        dynamodb.delete_table(TableName=name)


def honest(place: Place, run_id: str) -> str:
    """Make what an expired run of another machine left, and return the name of its bucket."""
    name = f"leak-{run_id}-packages-1"
    place.session.client("s3").create_bucket(Bucket=name)
    put(place, lease_of(place, run_id), run_id)
    return name


def test_a_lease_cannot_lead_to_another_runs_state(elsewhere: Place, tables: Any) -> None:
    """GIVEN a lease whose backend is production's WHEN it is swept THEN production stands."""
    deployed = "lambda-dyno/prod/deployed.tfstate"
    s3 = elsewhere.session.client("s3")
    body = json.dumps(state_of(table("dyno-prod-items"))).encode()
    s3.put_object(Bucket=elsewhere.bucket, Key=deployed, Body=body)
    backend = {"bucket": elsewhere.bucket, "key": deployed, "region": elsewhere.server.region}
    put(elsewhere, lease_of(elsewhere, backend=backend))

    (swept,) = sweep(elsewhere)
    assert (swept.run_id, swept.outcome) == (RUN_ID, "swept")
    assert s3.get_object(Bucket=elsewhere.bucket, Key=deployed)["Body"].read() == body


@pytest.mark.parametrize(
    "prefix",
    [
        f"customers-{RUN_ID}x",
        *(
            pytest.param(prefix, marks=pytest.mark.slow)
            for prefix in ("customers", "", "dyno-prod", "*", 7)
        ),
    ],
)
def test_a_lease_cannot_name_what_is_not_the_runs(
    elsewhere: Place, tables: Any, prefix: Any
) -> None:
    """It is then no lease, and is named."""
    put(elsewhere, lease_of(elsewhere, name_prefix=prefix))
    (swept,) = sweep(elsewhere)
    assert swept.outcome.startswith(f"skipped: s3://{elsewhere.bucket}/lambda-dyno/tiny/{RUN_ID}")
    assert swept.is_gone, "it is nothing that stands"


def test_a_state_cannot_name_what_is_not_the_runs(elsewhere: Place, tables: Any) -> None:
    """What it names beside is left and told; what is the run's goes."""
    ours = f"leak-{RUN_ID}-items"
    tables.create_table(TableName=ours, **ITEMS)
    put(elsewhere, lease_of(elsewhere))
    put(elsewhere, state_of(table(ours), table("dyno-prod-items")), end=".tfstate")

    (swept,) = sweep(elsewhere)
    assert swept.outcome == "left: 1"
    assert [left.name for left in swept.left] == ["aws_dynamodb_table.this"]
    assert "its id is not the run's" in swept.left[0].remove


def test_a_state_cannot_bring_a_program(
    elsewhere: Place, tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terraform runs the providers that a state names, with the sweeper's credentials."""
    mirror = toolchain.find_mirror({})
    if mirror is None:
        pytest.skip("only a filesystem mirror can have a provider that is nowhere else")
    evil = tmp_path / "mirror/registry.terraform.io/attacker/evil/1.0.0" / toolchain.platform_name()
    evil.mkdir(parents=True)
    program = evil / "terraform-provider-evil_v1.0.0"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    for real in mirror.glob(f"registry.terraform.io/hashicorp/aws/*/{toolchain.platform_name()}"):
        link = tmp_path / "mirror" / real.relative_to(mirror)
        link.parent.mkdir(parents=True)
        link.symlink_to(real)
    monkeypatch.setenv("TF_PLUGIN_MIRROR", str(tmp_path / "mirror"))
    put(elsewhere, lease_of(elsewhere))
    provider = 'provider["registry.terraform.io/attacker/evil"]'
    ours = f"leak-{RUN_ID}-items"
    tables.create_table(TableName=ours, **ITEMS)
    put(elsewhere, state_of(table(ours, provider), table(ours)), end=".tfstate")

    (swept,) = sweep(elsewhere)
    assert ours not in tables.list_tables()["TableNames"]
    assert not (tmp_path / "ran").exists()
    assert "registry.terraform.io/attacker/evil" in swept.left[0].remove


def test_a_lease_cannot_name_folders_or_processes(elsewhere: Place, tmp_path: Path) -> None:
    """Nothing outside of runs/ is written, removed or ended."""
    victim = tmp_path / "victim"
    (victim / "tmp").mkdir(parents=True)
    (victim / "tmp" / "file").touch()
    (victim / "server.json").write_text("{}")
    command = [sys.executable, "-c", "input()", f"{victim}/tmp/x"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as bystander:
        put(elsewhere, lease_of(elsewhere, server_home=str(victim), own_server=True))
        put(
            elsewhere,
            lease_of(elsewhere, "260101-1000-mmmm", server_home="/", function_arn="x"),
            "260101-1000-mmmm",
        )
        put(elsewhere, lease_of(elsewhere, run_id="../../outside"), "260101-1000-nnnn")
        outcomes = [swept.outcome.split(":")[0] for swept in sweep(elsewhere)]
        assert sorted(outcomes) == ["skipped", "swept", "swept"]
        assert psutil.Process(bystander.pid).is_running()
        bystander.communicate(b"\n")
    assert (victim / "tmp" / "file").exists()
    assert (victim / "server.json").exists()
    assert not (tmp_path.parent / "outside").exists()
    assert not (elsewhere.project / "outside").exists()


def garbage(place: Place, chance: random.Random, count: int) -> list[tuple[Any, str, str]]:
    """Return so many objects that nobody should believe: content, run id, end of the key."""
    now = datetime.now(UTC)
    wrong: list[Any] = [
        None,
        True,
        7,
        -1,
        1e300,
        "",
        "soon",
        "../x",
        [],
        [1],
        {},
        {"a": 1},
        "\x1b[2J",
    ]
    fields = list(lease_of(place))
    objects: list[tuple[Any, str, str]] = []

    def some_id() -> str:
        began = now - timedelta(days=chance.randint(4, 300), minutes=chance.randint(0, 1000))
        return f"{began:%y%m%d-%H%M}-{''.join(chance.choices('bcdfghjkm', k=4))}"

    for _ in range(2 * count // 5):  # one field is of another type or form
        run_id = some_id()
        field = chance.choice(fields)
        objects.append(
            ({**lease_of(place, run_id), field: chance.choice(wrong)}, run_id, ".lease.json")
        )
    for _ in range(count // 5):  # names, places and states of others
        run_id = some_id()
        forged = {
            "name_prefix": chance.choice(["customers", "dyno-prod", f"dyno-prod-{run_id}"]),
            "backend": {"bucket": place.bucket, "key": "lambda-dyno/prod/deployed.tfstate"},
            "server_home": "/",
            "region": chance.choice(["us-east-1", "x", "us-east-1.attacker.example"]),
        }
        objects.append((lease_of(place, run_id, **forged), run_id, ".lease.json"))
    for _ in range(count // 5):  # no JSON, cut short, deep, long
        whole = json.dumps(lease_of(place)).encode()
        bad = [b"", b"{", whole[: chance.randint(1, len(whole) - 1)], b"[" * 50_000, b"\xff\xfe"]
        objects.append((chance.choice(bad), some_id(), ".lease.json"))
    for _ in range(count // 5):  # states without a lease
        names = ["customers", "dyno-prod-items", "customers-archive"]
        bad_states = [state_of(table(chance.choice(names))), b"{", [], state_of(), b"[" * 50_000]
        objects.append((chance.choice(bad_states), some_id(), ".tfstate"))
    return objects


@pytest.mark.parametrize(("count", "runs"), [(30, 2), pytest.param(200, 5, marks=pytest.mark.slow)])
def test_forged_objects_touch_nothing_and_stop_nothing(
    elsewhere: Place, tables: Any, count: int, runs: int
) -> None:
    """And every honest run that expired is swept beside them."""
    chance = random.Random(12)
    for content, run_id, end in garbage(elsewhere, chance, count):
        put(elsewhere, content, run_id, end)
    for key in ("../x", "a/../../260101-1000-kkkk", "tiny/999999-9999-kkkk", "tiny/x", "/", "."):
        elsewhere.session.client("s3").put_object(
            Bucket=elsewhere.bucket, Key=f"lambda-dyno/{key}.lease.json", Body=b"{}"
        )
    honest_ids = [f"26020{day}-1000-wwww" for day in range(1, runs + 1)]
    mine = [honest(elsewhere, run_id) for run_id in honest_ids]

    swept = {row.run_id: row for row in sweep(elsewhere)}

    assert [swept[run_id].outcome for run_id in honest_ids] == ["swept"] * runs
    assert not set(mine) & set(elsewhere.buckets())
    assert {path.name for path in elsewhere.project.iterdir()} == {
        *("envs", "modules", "runs", ".cache")
    }
    for path in (elsewhere.project / "runs").iterdir():
        assert run_folder.began(path.name), path
    shutil.rmtree(elsewhere.project / "runs")


@pytest.mark.slow
def test_a_lease_here_that_cannot_be_read_stops_nothing(elsewhere: Place) -> None:
    """It is named, and the next run begins, the next sweep goes on."""
    folder = elsewhere.project / "runs" / RUN_ID
    # each key with each wrong value: tests/unit/cli/test_bad_inputs.py
    wrong = [{"expires_at": "2026-01-01T10:00:00"}, {"backend": {"key": 7}}]
    contents = [json.dumps(lease_of(elsewhere, **one)) for one in wrong] + ["[" * 100_000]
    folder.mkdir(parents=True)
    name = honest(elsewhere, "260201-1000-wwww")
    for content in contents:
        (folder / "lease.json").write_text(content)
        rows = sweep(elsewhere, dry_run=True)
        assert rows[0].outcome.startswith("skipped: "), content[:60]
        assert str(folder) in rows[0].outcome
    assert [row.outcome for row in sweep(elsewhere) if row.run_id] == ["swept"]
    assert name not in elsewhere.buckets()
    shutil.rmtree(elsewhere.project / "runs")


def forge(place: Place, run_id: str, *added: dict[str, Any]) -> None:
    """Add resources to a run's state in the bucket, as a pull request may."""
    s3 = place.session.client("s3")
    key = f"lambda-dyno/tiny/{run_id}.tfstate"
    state = json.loads(s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())
    state["resources"] += added
    state["serial"] += 1
    s3.put_object(Bucket=place.bucket, Key=key, Body=json.dumps(state).encode())


@pytest.mark.slow
def test_ones_own_run_does_not_believe_its_state_either(place: Place, tables: Any) -> None:
    """Between `up` and `down`, and between two applies, somebody else may write it."""
    place.write_root(0)
    environment = place.environment()
    environment.apply()
    forge(place, environment.folder.run_id, table("customers"))

    with pytest.raises(StepError, match="is not as this run wrote it"):
        environment.set_memory(256)
    said: list[str] = []
    left = environment.destroy(say=said.append, sleep=lambda _: None)

    assert [(one.kind, one.name) for one in left] == [
        ("in the state", "aws_dynamodb_table.this"),
    ]
    assert any("not as this run wrote it" in text for text in said)
    assert place.buckets() == []
    again = environment.destroy(sleep=lambda _: None)  # it is no more the run's for having been met
    assert [(one.kind, one.name) for one in again] == [(one.kind, one.name) for one in left]


@pytest.mark.slow
def test_a_resource_of_any_type_goes_with_a_state_that_is_ones_own(place: Place) -> None:
    """What no sweep could tell apart, and a state that was written again since by oneself."""
    place.write_root(0)
    root = place.project / "envs" / "tiny" / "main.tf"
    other = 'resource "aws_iam_user" "other" { name = "anybodys" }'
    root.write_text(f"{root.read_text()}\n{other}\n")
    environment = place.environment()
    environment.apply()
    environment.set_memory(256)

    assert environment.destroy(sleep=lambda _: None) == []
    assert place.session.client("iam").list_users()["Users"] == []
