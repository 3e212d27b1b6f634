"""Which events modules/retune's state machine lets through: its own definition on the embedded AWS.

The power tuner is a state machine here that answers at once, so that a storm takes seconds; the
module as it is deployed, with tunings of functions, is in test_retune.py.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.terraform.packages import build
from tests.support.waiting import wait_until
from tests.unit.retune.test_row import EVENT, OUTPUT

if TYPE_CHECKING:
    from lambda_dyno.emulator.boto_session import LocalSession
    from tests.conftest import DeployFunction

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
BUCKET, TABLE, KEY = "evidence", "leases", "dev/main/payloads/orders.json"
STORM, AT_ONCE = 100, 10
DAY_S = 86_400
CAUSE = {"cause": "schedule", "event": EVENT["request"]["event"]}


@dataclass(frozen=True)
class Machine:
    """The state machine, and the one that it waits for."""

    session: LocalSession
    arn: str
    tuner_arn: str

    def start(self, **keys: Any) -> str:
        """Start an execution, as a rule does."""
        states = self.session.client("stepfunctions")
        started = states.start_execution(
            stateMachineArn=self.arn, input=json.dumps({**CAUSE, **keys})
        )
        return str(started["executionArn"])

    def end(self, arn: str) -> tuple[str, dict[str, Any]]:
        """Wait for the end of an execution; return its outcome, or what it failed with."""
        states = self.session.client("stepfunctions")
        assert wait_until(
            lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING"
        )
        found = states.describe_execution(executionArn=arn)
        output = json.loads(found.get("output") or "{}")
        return str(output.get("outcome") or found.get("error")), output

    def tunings(self) -> list[dict[str, Any]]:
        """Return the inputs of what the tuner was started with."""
        states = self.session.client("stepfunctions")
        rows = states.list_executions(stateMachineArn=self.tuner_arn)["executions"]
        arns = [row["executionArn"] for row in rows]
        return [json.loads(states.describe_execution(executionArn=arn)["input"]) for arn in arns]


def definition(functions: dict[str, Any], arns: dict[str, str]) -> str:
    """Return the module's definition with everything that Terraform fills in."""
    text = (ROOT / "modules" / "retune" / "state_machine.asl.json").read_text()
    found = json.loads(re.sub(r"\$\{(\w+)\}", lambda name: arns.get(name[1], ""), text))
    states = found["States"]
    states["Begin"]["Assign"] |= {"functions": functions, "lease_seconds": DAY_S}
    states["Notice"]["Next"] = "Told"
    del states["Publish"], states["Dispatch"]
    return json.dumps(found)


@pytest.fixture(scope="module")
def machine(
    aws_session: LocalSession,
    deploy_function: DeployFunction,
    tmp_path_factory: pytest.TempPathFactory,
) -> Machine:
    """The state machine with the module's functions, and a tuner that is over at once."""
    account, region = aws_session.account_id, "us-east-1"
    archive = build(ROOT / "lambda" / "retune", tmp_path_factory.mktemp("zip") / "retune.zip")
    settings = {
        "STORE_BUCKET": BUCKET,
        "STORE_PREFIX": "dev/main/",
        "TABLE_NAME": TABLE,
    }
    arns = {"table_name": TABLE}
    for name in ("payload", "record", "traffic"):
        deploy_function(
            aws_session,
            f"retune-{name}",
            archive.path.read_bytes(),
            Handler=f"retune.handlers.{name}.handler",
            Environment={"Variables": settings},
        )
        arns[f"{name}_arn"] = f"arn:aws:lambda:{region}:{account}:function:retune-{name}"
    aws_session.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    s3 = aws_session.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"n": 1}')["VersionId"]
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"n": 2}')
    role = aws_session.client("iam").get_role(RoleName="test-may-all")["Role"]["Arn"]
    answer = {"Type": "Pass", "Parameters": OUTPUT, "End": True}
    states = aws_session.client("stepfunctions")
    tuner = states.create_state_machine(
        name="tuner",
        roleArn=role,
        definition=json.dumps({"StartAt": "Answer", "States": {"Answer": answer}}),
    )["stateMachineArn"]
    functions = {
        name: {
            **EVENT["function"],
            "payload": {"key": KEY, "versionId": version},
            "input": {"lambdaARN": EVENT["function"]["arn"], "maxCostUsd": 0.05},
            "traffic": {"factor": 2, "leastInvocations": 1},
        }
        for name in ("orders", "stormy", "alarmed", "shared", "quiet")
    }
    functions["broken"] = {**functions["orders"], "payload": {"key": KEY, "versionId": "none"}}
    arn = states.create_state_machine(
        name="retune", roleArn=role, definition=definition(functions, arns | {"tuner_arn": tuner})
    )["stateMachineArn"]
    return Machine(aws_session, arn, tuner)


def test_of_a_storm_of_100_events_one_starts_a_tuning(machine: Machine) -> None:
    """Whatever is at once: the lease is taken by one write. A day later there is another one."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = list(pool.map(lambda _: machine.start(function="stormy"), range(STORM)))
        ended = Counter(outcome for outcome, _ in pool.map(machine.end, started))
    assert ended == {"tuned": 1, "ignored": STORM - 1}
    (tuning,) = machine.tunings()
    # the version that was named, and no key that an event could have brought
    assert tuning == {
        "lambdaARN": EVENT["function"]["arn"],
        "maxCostUsd": 0.05,
        "payload": {"n": 1},
    }
    table = machine.session.resource("dynamodb").Table(TABLE)
    table.update_item(
        Key={"id": "lease#stormy"},
        UpdateExpression="SET ends_at_s = ends_at_s - :day",
        ExpressionAttributeValues={":day": DAY_S},
    )
    assert machine.end(machine.start(function="stormy", payload={"n": 3}))[0] == "tuned"
    assert all(tuning["payload"] == {"n": 1} for tuning in machine.tunings())


def test_the_row_is_added_and_never_written_again(machine: Machine) -> None:
    """One object, as the notice names it."""
    outcome, notice = machine.end(machine.start(function="orders"))
    assert outcome == "tuned"
    s3 = machine.session.client("s3")
    assert notice["row"].startswith("dev/main/retunings/v1/")
    row = json.load(s3.get_object(Bucket=BUCKET, Key=notice["row"])["Body"])
    assert (row["recommended_mb"], row["cause"]) == (512, "schedule")

    def record(cause: str) -> dict[str, Any]:
        again = {**EVENT, "retuning": {**EVENT["retuning"], "id": row["retuning_id"]}}
        again["request"] = {**EVENT["request"], "cause": cause}
        answer = machine.session.client("lambda").invoke(
            FunctionName="retune-record", Payload=json.dumps(again)
        )
        assert "FunctionError" not in answer
        found: dict[str, Any] = json.load(answer["Payload"])
        return found

    # another attempt, whose first answer was lost, or whoever has that name
    assert record("traffic")["notice"]["row"] == notice["row"]
    (version,) = s3.list_object_versions(Bucket=BUCKET, Prefix=notice["row"])["Versions"]
    assert version["IsLatest"]
    assert json.load(s3.get_object(Bucket=BUCKET, Key=notice["row"])["Body"]) == row


def test_a_payload_that_is_not_there_ends_it_with_a_row(machine: Machine) -> None:
    """The tuner is not started, and the day is over all the same."""
    before = len(machine.tunings())
    assert machine.end(machine.start(function="broken"))[0] == "PayloadNotRead"
    assert machine.end(machine.start(function="broken"))[0] == "ignored"
    assert len(machine.tunings()) == before


@pytest.mark.parametrize("name", ["mallory", "", "arn:aws:lambda:eu-west-1:1:function:f"])
def test_an_unknown_function_is_refused(machine: Machine, name: str) -> None:
    """An input chooses by a name alone."""
    assert machine.end(machine.start(function=name))[0] == "UnknownFunction"


def test_a_canary_is_waited_for(machine: Machine) -> None:
    """While an alias shares its calls, nothing is started, and no lease taken."""

    def end(parameters: dict[str, Any]) -> str:
        return machine.end(machine.start(function="shared", cause="alias", parameters=parameters))[
            0
        ]

    canary = {"routingConfig": {"additionalVersionWeights": {"2": 0.1}}}
    assert end(canary) == "ignored"
    assert end({"functionVersion": "2", "routingConfig": {"additionalVersionWeights": {}}}) == (
        "tuned"
    )
    assert end({"functionVersion": "3"}) == "ignored"


def test_traffic_that_has_not_changed_takes_no_lease(machine: Machine) -> None:
    """The first look only remembers."""
    outcome, output = machine.end(machine.start(function="quiet", cause="traffic"))
    assert (outcome, output["traffic"]["before"]) == ("ignored", None)
    assert machine.end(machine.start(function="quiet", cause="traffic"))[0] == "ignored"
    table = machine.session.resource("dynamodb").Table(TABLE)
    assert "Item" not in table.get_item(Key={"id": "lease#quiet"})


def metric(name: str = "AWS/Lambda", **dimensions: str) -> dict[str, Any]:
    return {"id": "m", "metricStat": {"metric": {"namespace": name, "dimensions": dimensions}}}


def math(expression: str) -> dict[str, Any]:
    return {"id": "e", "expression": expression, "returnData": True}


OWN = {"FunctionName": "shop-orders"}


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param({"metrics": []}, id="no metric"),
        pytest.param({}, id="no metrics"),
        pytest.param({"alarmRule": "ALARM(a)"}, id="composite"),
        pytest.param({"metrics": [metric()]}, id="of the account"),
        pytest.param({"metrics": [metric(FunctionName="other")]}, id="of another function"),
        pytest.param({"metrics": [metric("AWS/ApiGateway", **OWN)]}, id="of an API"),
        pytest.param({"metrics": [metric("AWS/Billing", ServiceName="AWSLambda")]}, id="bill"),
        pytest.param({"metrics": [metric(**OWN, Resource="shop-orders:next")]}, id="alias"),
        pytest.param({"metrics": [metric(**OWN, ExecutedVersion="1")]}, id="a dimension more"),
        pytest.param({"metrics": [metric(Resource="shop-orders:live")]}, id="a dimension less"),
        pytest.param({"metrics": [metric(**OWN), metric()]}, id="one of two"),
        pytest.param({"metrics": [metric(**OWN) | {"accountId": "9" * 12}]}, id="an account"),
        pytest.param({"metrics": [math("SEARCH('x', 'Sum', 60)")]}, id="a search"),
        pytest.param(
            {"metrics": [metric(**OWN), math("m + SUM(search('x', 'Sum', 60))")]},
            id="a search beside it",
        ),
        pytest.param(
            {"metrics": [metric(**OWN), math('SELECT AVG(Duration) FROM "AWS/Lambda"')]},
            id="Metrics Insights",
        ),
        pytest.param({"metrics": [metric(**OWN) | math("m * 2")]}, id="both"),
    ],
)
def test_an_alarm_that_counts_more_than_the_function_is_refused(
    machine: Machine, configuration: dict[str, Any]
) -> None:
    """It would count the tuning's own invocations, and start the next one. It takes no lease."""
    alarm = {"cause": "alarm", "alarm": "a", "configuration": configuration}
    assert machine.end(machine.start(function="alarmed", **alarm))[0] == "AlarmNotOfFunction"


def test_alarms_of_the_function_count(machine: Machine) -> None:
    """With its alias or without, and by arithmetic: the first one starts a tuning."""
    configurations = [
        {"metrics": [metric(**OWN)]},
        {"metrics": [metric(**OWN, Resource="shop-orders:live")]},
        {"metrics": [math("errors / calls"), metric(**OWN), metric(**OWN)]},
        {"metrics": [metric(**OWN) | {"accountId": machine.session.account_id}]},
    ]
    ended = [
        machine.end(
            machine.start(function="alarmed", cause="alarm", alarm="a", configuration=found)
        )[0]
        for found in configurations
    ]
    assert ended == ["tuned", "ignored", "ignored", "ignored"]
