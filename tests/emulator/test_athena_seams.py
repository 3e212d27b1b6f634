"""What the embedded Athena relies on inside of MiniStack: projected partitions, and DuckDB lent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.contract

RELEASE = f"MiniStack {version('ministack')}, DuckDB {duckdb.__version__}"
_GROUPS = ("team", "primary")
LENT = Path(duckdb.__file__).parents[1]

# In a process of its own, which has no DuckDB: it changes MiniStack, as the server's program does.
_ASK = """
import asyncio, importlib.util, json, os, sys
from pathlib import Path
from lambda_emulator import athena_tables
found = {"before": importlib.util.find_spec("duckdb") is not None}
athena_tables.projected()
athena_tables.asked_by_workgroup()
athena_tables.run_by(sys.argv[1])
from ministack.core import iam_actions
from ministack.core.responses import set_request_account_id
from ministack.services import athena, glue, s3
found["engine"] = athena.get_athena_engine()
found["loaded"] = "duckdb" in sys.modules

def put(key, text):
    status = s3._put_object("evidence", key, text.encode(), {})[0]
    assert status == 200, status

async def ask(query):
    started = json.loads(athena._start_query_execution({
        "QueryString": query,
        "QueryExecutionContext": {"Database": "db"},
        "ResultConfiguration": {"OutputLocation": "s3://evidence/athena-results/"},
    })[2])
    execution = athena._executions[started["QueryExecutionId"]]
    while execution["Status"]["State"] in ("QUEUED", "RUNNING"):
        await asyncio.sleep(0.01)
    if execution["Status"]["State"] != "SUCCEEDED":
        return execution["Status"]["StateChangeReason"]
    return execution["_results"]["rows"]

def table(name, template, kind="enum"):
    parameters = {
        "classification": "json",
        "projection.enabled": "true",
        "projection.store_env.type": kind,
        "projection.store_env.values": "dev,prod,none",
        **({"storage.location.template": template} if template else {}),
    }
    glue._create_table({"DatabaseName": "db", "TableInput": {
        "Name": name,
        "Parameters": parameters,
        "PartitionKeys": [{"Name": "store_env", "Type": "string"}],
        "StorageDescriptor": {
            "Location": "s3://evidence/root",
            "Columns": [{"Name": "n", "Type": "bigint"}],
        },
    }})

async def main():
    set_request_account_id("111111111111")
    s3._create_bucket("evidence", b"", {})
    glue._create_database({"DatabaseInput": {"Name": "db"}})
    for env, n in (("dev", 1), ("prod", 2), ("other", 4)):
        put(f"root/{env}/main/rows/a.json", json.dumps({"n": n}))
        put(f"root/{env}/pr/7/main/rows/a.json", json.dumps({"n": 100}))
        put(f"root/store_env={env}/a.json", json.dumps({"n": 10 * n}))
    table("told", "s3://evidence/root/${store_env}/main/rows/")
    table("usual", "")
    table("dated", "", "date")
    table("nothing", "s3://evidence/nowhere/${store_env}/")
    Path("outside").write_text("secret")
    found["told"] = await ask("SELECT store_env, n FROM told ORDER BY 1")
    found["usual"] = await ask("SELECT u.store_env, u.n FROM usual u ORDER BY 1")
    found["both"] = await ask(
        "SELECT sum(t.n + u.n) FROM db.told t JOIN usual u ON t.store_env = u.store_env"
    )
    found["dated"] = await ask("SELECT * FROM dated")
    found["nothing"] = await ask("SELECT store_env, n FROM nothing")
    found["refused"] = [await ask(query) for query in (
        f"SELECT * FROM read_text('{os.getcwd()}/outside')",
        f"SELECT * FROM told, read_text('{os.getcwd()}/outside')",
        f"COPY (SELECT 1) TO '{os.getcwd()}/written'",
        "SET enable_external_access = true",
        "SELECT * FROM found",
    )]
    found["left"] = sorted(os.listdir())
    athena._create_named_query({"Name": "mine", "WorkGroup": "team"})
    named, run = next(iter(athena._named_queries)), next(iter(athena._executions))
    found["asked"] = [iam_actions.extract_resource_arn(
        "athena", "POST", "/", {}, json.dumps(body).encode(), {}, "us-east-1", "111111111111"
    ) for body in ({"NamedQueryId": named}, {"QueryExecutionId": run},
        {"QueryExecutionId": "nobody's"}, {"WorkGroup": "team"}, [])]

asyncio.run(main())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the embedded Athena says."""
    folder = tmp_path_factory.mktemp("athena")
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(LENT)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "harness")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{RELEASE}: {done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_duckdb_is_lent_and_loaded_with_the_first_query(answers: dict[str, Any]) -> None:
    """The server's own environment has none, and its start takes no longer."""
    assert (answers["before"], answers["engine"], answers["loaded"]) == (False, "duckdb", False)


def test_each_partition_is_read_from_where_it_is_projected(answers: dict[str, Any]) -> None:
    """By the template, by Hive's names without one; nothing beside, and nothing where none is."""
    assert answers["told"] == [["dev", 1], ["prod", 2]], RELEASE
    assert answers["usual"] == [["dev", 10], ["prod", 20]], RELEASE
    assert answers["both"] == [[33]], RELEASE
    assert answers["nothing"] == []
    assert "projection.store_env.type is date" in answers["dated"]


def test_a_query_reads_its_tables_and_nothing_else_of_the_machine(answers: dict[str, Any]) -> None:
    """Nor does it write, or change what it may."""
    assert all(isinstance(said, str) for said in answers["refused"]), answers["refused"]
    assert "secret" not in json.dumps(answers["refused"])
    assert answers["left"] == ["outside"]


def test_iam_is_asked_for_the_workgroup(answers: dict[str, Any]) -> None:
    """Of a named query, of an execution; for all of what nobody knows."""
    team, primary = (f"arn:aws:athena:us-east-1:111111111111:workgroup/{n}" for n in _GROUPS)
    assert answers["asked"] == [team, primary, "*", team, "*"], RELEASE
