"""The named queries in Athena on the embedded AWS, and here: the same rows of the same runs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.history import engine, queries
from lambda_dyno.history.schema import RUNS, TABLES, Row
from lambda_dyno.history.store import Store
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Terraform
from tests.support.waiting import HANGS_S
from tools.history_simulation import synthetic

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
PREFIX = "dyno/"
RUN_COUNT = 10_000
FILES = 4  # of each table and environment: what is one for each record would take minutes to put
NAMES = list(queries.named())

_MAIN_TF = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }}
  }}
}}

module "queries" {{
  source = "{modules}/evidence_queries"

  evidence    = {{ bucket = "{bucket}", prefix = "{prefix}" }}
  name_prefix = "dyno-evidence"
  store_envs  = ["dev", "prod"]
}}

output "all" {{
  value = {{
    database  = module.queries.database_name
    ids       = module.queries.named_query_ids
    policy    = module.queries.reader_policy_json
    results   = module.queries.results_location
    workgroup = module.queries.workgroup_name
  }}
}}
"""

# Rows by table, each with the environment that it lies under.
Rows = dict[str, list[dict[str, Any]]]


def made_up(count: int) -> Rows:
    """Runs with intervals, sizes that others are better than, and a run that was resumed."""
    found: Rows = {table.name: [] for table in TABLES}
    for number, (_, tables) in enumerate(synthetic.records(count, 7)):
        (run,) = ({**row} for row in tables["runs"])
        run["recommended_mb"] = 256 if number % 900 < 300 else 512
        run["recommended_cost_usd"] = run["cost_usd"]
        run["recommended_duration_ms"] = run["duration_ms"]
        for name, rows in tables.items():
            for row in [run] if name == "runs" else rows:
                found[name].append({**_with_interval(row, run), "store_env": run["env"]})
    first = found["runs"][0]
    for at, row in enumerate((first, {**first, "recorded_at": first["started_at"]})):
        record_id = f"{row['run_id']}_run_{at:08x}"
        found["runs"].append({**row, "record_id": record_id, "mode": "run", "run_s": 1e6 * at})
    # what lies under dev and says that it is prod's
    stray = {**first, "record_id": f"{first['run_id']}_load_0000000f", "mode": "load"}
    found["runs"].append({**stray, "env": "prod", "store_env": "dev"})
    return found


def _with_interval(row: Row, run: Mapping[str, Any]) -> dict[str, Any]:
    if "is_recommended" not in row:
        return {**row}
    cost_usd = row["cost_usd"]
    assert isinstance(cost_usd, float)
    return {
        **row,
        "is_recommended": row["memory_mb"] == run["recommended_mb"],
        "cost_low_usd": cost_usd * 0.99,
        "cost_high_usd": cost_usd * 1.01,
    }


@dataclass(frozen=True)
class Stack:
    """The module, deployed, and an account that has evidence."""

    session: LocalSession
    outputs: Mapping[str, Any]
    rows: Rows

    @property
    def bucket(self) -> str:
        """Of the store; its name is nobody else's."""
        return bucket_of(self.session)


def bucket_of(session: LocalSession) -> str:
    return f"evidence-{session.account_id}"


@pytest.fixture(scope="module")
def stack(
    embedded_aws: LocalServer,
    new_aws_account: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    """A store with 10,000 runs of two environments, and forged ones of a pull request.

    It ends with the server: what taking it down leaves is another test's.
    """
    folder, account = tmp_path_factory.mktemp("queries"), new_aws_account()
    session, rows = LocalSession(embedded_aws, account), made_up(RUN_COUNT)
    session.client("s3").create_bucket(Bucket=bucket_of(session))
    put(session, folder / "rows", rows)
    terraform = root(folder, embedded_aws.environment(account), bucket_of(session))
    return Stack(session, terraform.apply()["all"], rows)


def root(folder: Path, environment: Mapping[str, str], bucket: str) -> Terraform:
    """Return a root that calls the module, initialised."""
    (folder / "main.tf").write_text(
        _MAIN_TF.format(modules=PROJECT / "modules", bucket=bucket, prefix=PREFIX)
    )
    terraform = Terraform(folder, toolchain.prepare(PROJECT / ".cache"), environment, folder)
    terraform.init()
    return terraform


def put(session: LocalSession, folder: Path, rows: Rows) -> None:
    """Put rows where a store has them; and those of prod where a pull request of dev may."""
    folder.mkdir()
    s3 = session.client("s3")
    for table in TABLES:
        for env in ("dev", "prod"):
            ours = [row for row in rows[table.name] if row["store_env"] == env]
            for part in range(FILES):
                if not (some := ours[part::FILES]):
                    continue
                path = folder / f"{table.name}-{env}-{part}.parquet"
                with engine.within(folder) as connection:
                    engine.write(connection, table, some, path, durable=False)
                keys = [f"{env}/main/rows/v1/{table.name}/{part}.parquet"]
                keys += [f"dev/pr/7/{key}" for key in keys if part == 0]
                keys += [f"dev/pr/7/rows/v1/{table.name}/{part}.parquet"] if part == 1 else []
                for key in keys:
                    s3.put_object(
                        Bucket=bucket_of(session), Key=f"{PREFIX}{key}", Body=path.read_bytes()
                    )


def in_athena(client: Any, stack: Stack, text: str) -> tuple[list[str], list[list[str | None]]]:
    """Return the columns and rows that Athena answers, as the texts that it has for them."""
    started = client.start_query_execution(
        QueryString=text,
        QueryExecutionContext={"Database": stack.outputs["database"]},
        WorkGroup=stack.outputs["workgroup"],
    )["QueryExecutionId"]
    deadline = time.monotonic() + HANGS_S
    while True:
        status = client.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED", status
    pages = client.get_paginator("get_query_results").paginate(QueryExecutionId=started)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    head, *found = [[cell.get("VarCharValue") for cell in row] for row in rows]
    return [name or "" for name in head], found


def same(here: Any, there: str | None) -> bool:
    """Whether a value here is what Athena has a text for."""
    if here is None or there is None:
        return here is None and there is None
    if isinstance(here, float):
        return math.isclose(float(there), here, rel_tol=1e-9)
    return there == (str(here).lower() if isinstance(here, bool) else str(here))


def differences(here: queries.Answer, there: tuple[list[str], list[list[str | None]]]) -> list[Any]:
    """Return what differs between an answer here and one of Athena's."""
    columns, rows = there
    if [*here.columns] != columns or len(here.rows) != len(rows):
        return [here.columns, columns, len(here.rows), len(rows)]
    return [
        pair
        for pair in zip(here.rows, rows, strict=True)
        if not all(same(*cells) for cells in zip(*pair, strict=True))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_named_query_gives_the_same_rows_there_and_here(stack: Stack, name: str) -> None:
    """Of 10,000 runs; the text is what Athena has by that name."""
    client = stack.session.client("athena")
    query = client.get_named_query(NamedQueryId=stack.outputs["ids"][name])["NamedQuery"]
    assert (query["Name"], query["WorkGroup"]) == (name, stack.outputs["workgroup"])
    assert query["QueryString"] == queries.find(name).text
    wanted = queries.find(name)
    here = queries.answer(wanted, {n: stack.rows[n] for n in queries.tables_of(wanted)})
    assert len(here.rows) >= 5
    assert differences(here, in_athena(client, stack, query["QueryString"])) == []


def test_each_table_has_the_rows_that_lie_under_main(stack: Stack) -> None:
    """None of a pull request's, wherever it put them; each with the environment of its key."""
    client = stack.session.client("athena")
    for table in TABLES:
        text = f"SELECT store_env, count(*) FROM {table.name} GROUP BY 1 ORDER BY 1"
        _, found = in_athena(client, stack, text)
        envs = [row["store_env"] for row in stack.rows[table.name]]
        assert found == [[env, str(envs.count(env))] for env in sorted({*envs})], table.name
    names = client.list_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=stack.outputs["database"]
    )["TableMetadataList"]
    columns = {each["Name"]: [c["Name"] for c in each["Columns"]] for each in names}
    assert columns == {table.name: [c.name for c in table.columns] for table in TABLES}


@pytest.mark.slow  # two applies more; the module's plan is in `plan/test_plan_modules.py`
def test_it_stands_as_planned_and_goes_whole(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], tmp_path: Path
) -> None:
    """Another plan changes nothing; with queries asked it can be destroyed all the same."""
    session = LocalSession(embedded_aws, new_aws_account())
    session.client("s3").create_bucket(Bucket=bucket_of(session))
    terraform = root(tmp_path, embedded_aws.environment(session.account_id), bucket_of(session))
    empty = Stack(session, terraform.apply()["all"], {})
    athena = session.client("athena")
    assert in_athena(athena, empty, queries.find("runs-a-week").text)[1] == []
    assert terraform.plan() == []
    terraform.destroy()
    groups = [group["Name"] for group in athena.list_work_groups()["WorkGroups"]]
    assert groups == ["primary"]
    assert session.client("glue").get_databases()["DatabaseList"] == []


def test_a_reader_asks_and_can_do_nothing_else(stack: Stack) -> None:
    """By the module's policy: main's rows and results; nothing of a pull request's."""
    reader = as_reader(stack)
    athena, s3 = reader("athena"), reader("s3")
    columns, rows = in_athena(athena, stack, "SELECT count(*) AS runs FROM runs")
    assert (columns, rows) == (["runs"], [[str(len(stack.rows["runs"]))]])
    row = f"{PREFIX}dev/main/rows/v1/runs/0.parquet"
    assert s3.get_object(Bucket=stack.bucket, Key=row)["Body"].read(4) == b"PAR1"
    listed = s3.list_objects_v2(Bucket=stack.bucket, Prefix=f"{PREFIX}athena-results/")["Contents"]
    assert s3.get_object(Bucket=stack.bucket, Key=listed[0]["Key"])["Body"].read()
    theirs = f"{PREFIX}dev/pr/7/rows/v1/runs/1.parquet"
    refused: list[Callable[[], Any]] = [
        lambda: s3.get_object(Bucket=stack.bucket, Key=theirs),
        lambda: s3.list_objects_v2(Bucket=stack.bucket, Prefix=f"{PREFIX}dev/pr/"),
        lambda: s3.list_objects_v2(Bucket=stack.bucket),
        lambda: s3.put_object(Bucket=stack.bucket, Key=row, Body=b""),
        lambda: s3.delete_object(Bucket=stack.bucket, Key=row),
        lambda: athena.start_query_execution(QueryString="SELECT 1", WorkGroup="primary"),
        lambda: athena.delete_work_group(WorkGroup=stack.outputs["workgroup"]),
        lambda: reader("glue").delete_table(DatabaseName=stack.outputs["database"], Name="runs"),
    ]
    for attempt in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def as_reader(stack: Stack) -> Callable[[str], Any]:
    """Return a function that makes clients of a role with the module's policy and no other."""
    iam = stack.session.client("iam")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{stack.session.account_id}:root"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    role = iam.create_role(RoleName="analyst", AssumeRolePolicyDocument=json.dumps(document))
    iam.put_role_policy(
        RoleName="analyst", PolicyName="read", PolicyDocument=stack.outputs["policy"]
    )
    keys = stack.session.client("sts").assume_role(
        RoleArn=role["Role"]["Arn"], RoleSessionName="analyst"
    )["Credentials"]
    session = boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name="us-east-1",
    )
    return lambda service: session.client(service, endpoint_url=stack.session.endpoint)


@pytest.mark.slow  # 10,000 files; `unit/history/test_queries.py` asks a small store
@pytest.mark.parametrize("name", NAMES)
def test_a_store_of_10000_files_gives_them_too(stack: Stack, full_store: Path, name: str) -> None:
    """As `dyno query` reads it."""
    here = queries.ask(Store(full_store, pytest.fail), queries.find(name))
    text = queries.find(name).text
    there = in_athena(stack.session.client("athena"), stack, text)
    assert differences(here, there) == []


@pytest.fixture(scope="module")
def full_store(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs in a store of this machine; what is under another environment is not there."""
    place = tmp_path_factory.mktemp("full")
    records: dict[str, dict[str, list[Row]]] = {}
    for table in TABLES:
        for row in stack.rows[table.name]:
            if table is RUNS and row["env"] != row["store_env"]:
                continue
            records.setdefault(row["record_id"], {}).setdefault(table.name, []).append(row)
    Store(place, print, durable=False).add_all(records.items())
    return place
