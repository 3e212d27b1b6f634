"""The retune module on an embedded AWS with IAM enforced: what starts a tuning, and what does not.

The server tells EventBridge of alarms and aliases as AWS does (tests/support/telling_aws.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from tests.support.retune_stack import (
    ACCOUNT,
    BUCKET,
    NOTICES,
    PREFIX,
    REGION,
    Ended,
    RetuneStack,
    start_server,
)
from tests.support.serving import TestServer
from tests.support.waiting import HANGS_S, wait_until
from tests.unit.retune.test_rs256 import Made, pem

if TYPE_CHECKING:
    from tests.conftest import DeployFunction

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# It takes one payload alone, and sleeps so long that an invocation costs something.
SOURCE = """
import time

def handler(event, context):
    if event["n"] != 1:
        raise ValueError("another payload")
    time.sleep(event["s"])
"""
# What IAM was asked for by each role, in the tests of this file.
ASKED = Path(__file__).parents[1] / "support" / "retune_asked.json"
STORM = 100
AT_ONCE = 10
FIRST_ROUND = 9  # two invocations and a cold one at each of three sizes
# Lambda's service writes logs with the function's role: nobody's call is asked for these.
NO_CALLS = {"logs:CreateLogStream", "logs:PutLogEvents"}
NAMES = ("orders", "carts", "odd", "gone", "aliased", "timed", "busy")


def arn_of(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:target-{name}:live"


def alarm_arn(name: str) -> str:
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def make_alarm(session: LocalSession, name: str, function: str = "", **more: Any) -> str:
    """Make an alarm of a function, or of whatever `more` says; return its ARN."""
    of = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "FunctionName", "Value": f"target-{function}"}],
        "Statistic": "Average",
        "Period": 60,
    }
    session.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        **(more or of),
    )
    return alarm_arn(name)


def query(name: str, metric: str, *dimensions: tuple[str, str]) -> dict[str, Any]:
    """Return a metric of an alarm that has several."""
    found = [{"Name": key, "Value": value} for key, value in dimensions]
    of = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": found}
    stat = {"Metric": of, "Period": 60, "Stat": "Sum"}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


def ratio(*queries: dict[str, Any], expression: str = "errors / calls") -> dict[str, Any]:
    """Return the arguments of an alarm on metrics and an expression."""
    return {"Metrics": [{"Id": "e", "Expression": expression, "ReturnData": True}, *queries]}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, deploy_function: DeployFunction
) -> Iterator[RetuneStack]:
    """The module, seven functions with an alias each, their alarms and payloads."""
    home = tmp_path_factory.mktemp("retune")
    local, log = start_server(home)
    try:
        session = LocalSession(local, ACCOUNT)
        s3, sqs, sns = session.client("s3"), session.client("sqs"), session.client("sns")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        topic = sns.create_topic(Name=NOTICES)["TopicArn"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NOTICES}"
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.create_queue(QueueName=NOTICES, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        folder = home / "terraform"
        folder.mkdir()
        yield (made := _deploy(local, log, folder, deploy_function))
        made.terraform.destroy()
    finally:
        server.stop(local.home)


def _deploy(
    local: server.LocalServer, log: Any, folder: Any, deploy_function: DeployFunction
) -> RetuneStack:
    session = LocalSession(local, ACCOUNT)
    put = RetuneStack(local, session, None, {}, log).put_payload  # type: ignore[arg-type]
    functions: dict[str, Any] = {}
    for name in NAMES:
        deploy_function(session, f"target-{name}", SOURCE)
        lambdas = session.client("lambda")
        lambdas.get_waiter("function_active_v2").wait(FunctionName=f"target-{name}")
        version = lambdas.publish_version(FunctionName=f"target-{name}")["Version"]
        lambdas.create_alias(FunctionName=f"target-{name}", Name="live", FunctionVersion=version)
        payload = put(name, {"n": 1, "s": 0.7 if name == "carts" else 0.0})
        functions[name] = {"arn": arn_of(name), "payload": payload, "max_memory_mb": 512}
    calls = ("calls", "Invocations", ("FunctionName", "target-orders"))
    own = ratio(query("errors", "Errors", *calls[2:]), query(*calls))
    functions["orders"]["alarm_arns"] = [
        make_alarm(session, "orders-slow", "orders"),
        make_alarm(session, "orders-errors", **own),
    ]
    functions["carts"]["alarm_arns"] = [
        make_alarm(session, f"carts-{number}", "carts") for number in range(AT_ONCE)
    ]
    functions["odd"]["alarm_arns"] = [
        make_alarm(session, name, **arguments) for name, arguments in NOT_OF_FUNCTION.items()
    ]
    functions["gone"]["schedule"] = "rate(30 days)"
    functions["busy"]["traffic"] = {"factor": 2, "least_invocations": 1}
    functions["aliased"]["on_new_version"] = True
    functions["timed"]["schedule"] = "rate(1 minute)"
    functions["timed"]["payload"] = {"key": f"{PREFIX}payloads/none.json", "version_id": "v"}
    # what was put there since is not what was named
    put("orders", {"n": 2, "s": 0.0})
    return RetuneStack.deploy(local, log, folder, functions)


_OWN = ("FunctionName", "target-odd")
# Alarms that count more than the function, or something else.
NOT_OF_FUNCTION: dict[str, dict[str, Any]] = {
    "account": ratio(query("errors", "Errors"), query("calls", "Invocations", _OWN)),
    "others": ratio(
        query("errors", "Errors", _OWN),
        query("calls", "Invocations", ("FunctionName", "target-orders")),
    ),
    "resource": ratio(
        query("errors", "Errors", _OWN),
        query("calls", "Invocations", _OWN, ("Resource", "target-odd:other")),
    ),
    "search": ratio(
        query("errors", "Errors", _OWN),
        expression="SUM(SEARCH('{AWS/Lambda} Invocations', 'Sum', 60)) / errors",
    ),
    "api": {
        "Namespace": "AWS/ApiGateway",
        "MetricName": "5XXError",
        "Dimensions": [{"Name": "FunctionName", "Value": "target-odd"}],
        "Statistic": "Sum",
        "Period": 60,
    },
}


class Look:
    """What has happened of one function since a moment."""

    def __init__(self, stack: RetuneStack, function: str) -> None:
        self._stack, self._function = stack, function
        self._before = stack.known()
        self._tunings = len(stack.tunings())

    def ended(self, count: int) -> list[Ended]:
        """Wait until so many executions of the function are over."""
        over: dict[str, Ended] = {}

        def enough() -> bool:
            for row in self._stack.executions():
                arn = row["executionArn"]
                if arn not in self._before and arn not in over and row["status"] != "RUNNING":
                    over[arn] = self._stack.end_of(arn)
            return len(self._of_function(over)) >= count

        assert wait_until(enough, HANGS_S), over
        return self._of_function(over)

    def _of_function(self, over: dict[str, Ended]) -> list[Ended]:
        return [one for one in over.values() if one.input.get("function") == self._function]

    @property
    def tunings(self) -> int:
        """How often the power tuner was started since, for whomever."""
        return len(self._stack.tunings()) - self._tunings


def outcomes(ended: list[Ended]) -> list[str]:
    return sorted(one.output.get("outcome", one.status) for one in ended)


def test_an_alarm_starts_one_tuning_and_a_second_one_within_the_day_none(
    stack: RetuneStack,
) -> None:
    """GIVEN two alarms of a function WHEN one and then the other is set THEN one is tuned."""
    before = configuration(stack)
    look = Look(stack, "orders")
    stack.set_alarm("orders-slow")
    (first,) = look.ended(1)
    assert (first.status, first.input["cause"]) == ("SUCCEEDED", "alarm"), first
    assert first.output["outcome"] == "tuned"

    stack.set_alarm("orders-errors")
    stack.set_alarm("orders-slow", "OK")
    stack.set_alarm("orders-slow")
    ended = look.ended(3)
    assert outcomes(ended) == ["ignored", "ignored", "tuned"], ended
    assert look.tunings == 1

    # the row has what, why and how sure; the payload was the version that was named
    row = stack.rows()[first.arn.rpartition(":")[2]]
    assert (row["alarm"], row["event_id"]) == ("orders-slow", first.input["event"]["id"])
    assert (row["function_arn"], row["memory_mb"]) == (arn_of("orders"), 128)
    assert row["duration_low_ms"] <= row["duration_high_ms"]
    assert row["at_most_percent"] >= 0
    assert sum(size["errors"] for size in row["sizes"]) == 0
    assert row["invocations"] > 0

    # who listens is told, and nothing was changed
    assert first.output["sentence"] in received(stack)
    assert configuration(stack) == before
    assert_nothing_left(stack)
    lease = stack.items()["lease#orders"]
    assert 23 * 3600 < int(lease["ends_at_s"]["N"]) - time.time() <= 24 * 3600


def configuration(stack: RetuneStack) -> dict[str, Any]:
    """Return how the function that is tuned is set."""
    found: dict[str, Any] = stack.session.client("lambda").get_function_configuration(
        FunctionName="target-orders"
    )
    found.pop("ResponseMetadata")
    return found


def received(stack: RetuneStack) -> list[str]:
    """Return the sentences that came by the topic."""
    sqs = stack.session.client("sqs")
    url = sqs.get_queue_url(QueueName=NOTICES)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["Message"] for message in found]


def assert_nothing_left(stack: RetuneStack) -> None:
    """No copy, no log group of one, nothing that runs; of locks only the days' own."""
    assert wait_until(lambda: not stack.left()), stack.left()
    assert {key.partition("#")[0] for key in stack.items()} <= {"lease", "traffic"}
    assert {key.partition("#")[2] for key in stack.items()} <= set(NAMES)


def test_of_a_storm_of_100_events_one_starts_a_tuning(stack: RetuneStack) -> None:
    """GIVEN ten alarms WHEN each goes off ten times, side by side THEN one tuning is made.

    AND it ends measuring once it has cost what it may.
    """
    look = Look(stack, "carts")

    def storm(number: int) -> None:
        for _ in range(STORM // AT_ONCE):
            stack.set_alarm(f"carts-{number}")
            stack.set_alarm(f"carts-{number}", "OK")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(storm, range(AT_ONCE)))
    ended = look.ended(STORM)
    assert outcomes(ended) == ["ignored"] * (STORM - 1) + ["tuned"]
    assert look.tunings == 1
    assert_nothing_left(stack)
    (tuned,) = (one for one in ended if one.output["outcome"] == "tuned")
    row = stack.rows()[tuned.arn.rpartition(":")[2]]
    # the first round of three sizes costs more than all may; the other function ended otherwise
    spent = "as much was spent as may be"
    assert (row["reason"], row["invocations"] <= FIRST_ROUND) == (spent, True), row
    others = [row for row in stack.rows().values() if row["function_key"] == "orders"]
    assert others
    assert all(row["reason"] != spent for row in others), others


@pytest.mark.parametrize("name", sorted(NOT_OF_FUNCTION))
def test_an_alarm_that_counts_more_than_the_function_is_refused(
    stack: RetuneStack, name: str
) -> None:
    """It would count the tuning's own invocations, and start the next one. It takes no lease."""
    look = Look(stack, "odd")
    stack.set_alarm(name)
    (ended,) = look.ended(1)
    assert (ended.status, ended.error) == ("FAILED", "AlarmNotOfFunction")
    assert look.tunings == 0
    assert "lease#odd" not in stack.items()


def test_a_forged_event_starts_nothing(stack: RetuneStack) -> None:
    """Nobody puts AWS's own sources on a bus; others, other accounts, regions, alarms miss."""
    events = stack.session.client("events")
    rule = events.describe_rule(Name=stack.outputs["rule_names"]["orders-alarm"])
    real = {
        "id": "1",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": "2026-12-01T13:00:00Z",
        "region": REGION,
        "resources": [alarm_arn("orders-slow")],
        "detail": {"alarmName": "orders-slow", "state": {"value": "ALARM"}},
    }

    def matches(**changes: Any) -> bool:
        answer = events.test_event_pattern(
            EventPattern=rule["EventPattern"], Event=json.dumps({**real, **changes})
        )
        return bool(answer["Result"])

    assert matches()
    assert not matches(source="mallory.cloudwatch")
    assert not matches(account="999999999999")
    assert not matches(region="eu-west-1")
    assert not matches(resources=[alarm_arn("orders-other")])
    assert not matches(detail={"alarmName": "orders-slow", "state": {"value": "OK"}})

    look = Look(stack, "orders")
    before = len(stack.executions())
    for source in ("aws.cloudwatch", "mallory.cloudwatch", "cloudwatch", "AWS.cloudwatch"):
        answer = events.put_events(
            Entries=[
                {
                    "Source": source,
                    "DetailType": real["detail-type"],
                    "Resources": real["resources"],
                    "Detail": json.dumps(real["detail"]),
                }
            ]
        )
        refused = answer["Entries"][0].get("ErrorCode")
        assert (refused == "NotAuthorizedForSourceException") == source.startswith("aws.")
    # what comes after them is there, so they would be, too
    stack.set_alarm("account", "OK")
    stack.set_alarm("account")
    assert wait_until(lambda: len(stack.executions()) > before)
    assert look.tunings == 0
    assert not look.ended(0)


def test_a_new_version_of_the_alias_starts_a_tuning(stack: RetuneStack) -> None:
    """And the same alias of another function does not, nor one that is refused."""
    lambdas = stack.session.client("lambda")
    look = Look(stack, "aliased")
    for name in ("target-orders", "target-aliased"):
        lambdas.update_function_configuration(FunctionName=name, Description="a new one")
        lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
        version = lambdas.publish_version(FunctionName=name)["Version"]
        lambdas.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    with pytest.raises(lambdas.exceptions.ResourceNotFoundException):
        lambdas.update_alias(FunctionName="target-aliased", Name="none", FunctionVersion="1")
    (ended,) = look.ended(1)
    assert (ended.input["cause"], ended.output["outcome"]) == ("alias", "tuned")
    assert look.tunings == 1
    assert_nothing_left(stack)


def test_a_tuning_that_fails_leaves_nothing_and_its_lease_stays_for_the_day(
    stack: RetuneStack,
) -> None:
    """GIVEN a function without its alias WHEN it is to be tuned THEN that is told, once a day."""
    stack.session.client("lambda").delete_alias(FunctionName="target-gone", Name="live")
    received(stack)
    first = stack.start(function="gone", cause="schedule")
    assert (first.status, first.error) == ("FAILED", "NotTunable")
    row = stack.rows()[first.arn.rpartition(":")[2]]
    assert (row["outcome"], row["error"]) == ("failed", "NotTunable")
    said = "target-gone:live: the tuning failed with NotTunable. Nothing was changed."
    assert said in received(stack)
    assert stack.start(function="gone", cause="schedule").output["outcome"] == "ignored"
    assert_nothing_left(stack)

    stack.end_lease("gone")
    again = stack.start(function="gone", cause="schedule")
    assert again.error == "NotTunable"


def test_a_tuning_that_is_stopped_leaves_nothing(stack: RetuneStack) -> None:
    """GIVEN a tuning under way WHEN its execution is stopped THEN its copies go all the same."""
    stack.end_lease("carts")
    look = Look(stack, "carts")
    stack.set_alarm("carts-0")
    assert wait_until(lambda: any("-copy-" in name for name in stack.left()))
    (arn,) = (row["executionArn"] for row in stack.executions() if row["status"] == "RUNNING")
    stack.session.client("stepfunctions").stop_execution(executionArn=arn)
    assert_nothing_left(stack)
    # the day is over all the same
    stack.set_alarm("carts-1")
    assert outcomes(look.ended(2)) == ["ABORTED", "ignored"]


def test_a_schedule_starts_it_and_a_payload_that_is_not_there_ends_it(stack: RetuneStack) -> None:
    """The rule's own event; the role may read the one version alone, so nothing else is read."""

    def row() -> dict[str, Any]:
        rows = [row for row in stack.rows().values() if row["function_key"] == "timed"]
        return rows[0] if rows else {}

    assert wait_until(lambda: bool(row()))
    assert (row()["cause"], row()["error"]) == ("schedule", "PayloadNotRead")


def test_another_version_of_the_payload_is_not_read(stack: RetuneStack) -> None:
    """IAM refuses it, whoever asks the module's function for it."""
    key = f"{PREFIX}payloads/orders.json"
    versions = stack.session.client("s3").list_object_versions(Bucket=BUCKET, Prefix=key)
    newest, named = (row["VersionId"] for row in versions["Versions"])

    def read(version: str) -> Any:
        answer = stack.session.client("lambda").invoke(
            FunctionName="shop-retune-payload",
            Payload=json.dumps({"key": key, "versionId": version}),
        )
        return json.load(answer["Payload"])

    assert read(named) == {"payload": {"n": 1, "s": 0.0}}
    refused = read(newest)
    assert refused["errorType"] == "PayloadNotRead"
    assert "AccessDenied" in refused["errorMessage"]


def test_traffic_that_changed_by_the_factor_starts_a_tuning(stack: RetuneStack) -> None:
    """First it is only remembered; then held against that, and remembered anew."""

    def calls(count: int) -> None:
        for _ in range(count):
            stack.session.client("lambda").invoke(
                FunctionName="target-busy", Payload=b'{"n": 1, "s": 0}'
            )

    def remembered() -> float:
        return float(stack.items()["traffic#busy"]["invocations"]["N"])

    look = Look(stack, "busy")
    calls(2)
    first = stack.start(function="busy", cause="traffic")
    assert first.output["why"] == "traffic has not changed by the factor"
    assert remembered() == 2
    calls(1)
    assert stack.start(function="busy", cause="traffic").output["traffic"]["ratio"] == 1.5
    calls(1)
    third = stack.start(function="busy", cause="traffic")
    assert (third.output.get("outcome"), remembered()) == ("tuned", 4), third
    assert look.tunings == 1
    assert_nothing_left(stack)


def test_an_unknown_function_is_refused(stack: RetuneStack) -> None:
    """Whoever may start executions chooses among the module's functions, and nothing else."""
    for name in ("mallory", "", arn_of("orders")):
        assert stack.start(function=name, cause="schedule").error == "UnknownFunction"


def test_each_role_has_what_it_asks_for_and_nothing_else(stack: RetuneStack) -> None:
    """GIVEN a tuning by traffic, which each has work with THEN that is what IAM was asked for."""
    table = stack.session.resource("dynamodb").Table(stack.outputs["table_name"])
    table.delete_item(Key={"id": "traffic#busy"})
    assert stack.start(function="busy", cause="traffic").output["outcome"] == "ignored"
    table.put_item(Item={"id": "traffic#busy", "invocations": 1000})
    stack.end_lease("busy")
    assert stack.start(function="busy", cause="traffic").output["outcome"] == "tuned"
    granted, asked = stack.granted(), stack.asked()
    refused = {
        (role, action, resource)
        for role, rows in asked.items()
        for action, resource, ok in rows
        if not ok and "payloads/" not in resource  # the other version, and what is not there
    }
    assert refused == set()
    needless = {
        (role, action, pattern)
        for role in ("payload", "record", "traffic")
        for action, pattern in granted[role]
        if action not in NO_CALLS
        and "payloads/" not in pattern  # one for each function
        and not any(
            made == action and fnmatchcase(resource, pattern) for made, resource, _ in asked[role]
        )
    }
    assert needless == set()
    found = {role: sorted({action for action, _, ok in rows if ok}) for role, rows in asked.items()}
    if "DYNO_RECORD" in os.environ:
        ASKED.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    known = json.loads(ASKED.read_text())
    again = f"DYNO_RECORD=1 pytest {Path(__file__).name} writes {ASKED.name} again"
    for role, actions in found.items():
        own = not role.startswith("tuner-")  # a tuning goes one way or another
        assert set(actions) == set(known[role]) if own else set(actions) <= set(known[role]), again
    # what the tuner may do to the functions themselves is to read them
    of_functions = {
        action
        for role, rows in granted.items()
        if role.startswith("tuner-")
        for action, resource in rows
        if ":function:target-" in resource
    }
    assert of_functions == {"lambda:GetFunction"}


def test_a_repository_is_told_by_a_key_of_secrets_manager(
    stack: RetuneStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler itself, with a secret of the embedded AWS and a server in GitHub's place."""
    asked: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            answer = b'{"token": "ghs_1"}' if self.path.endswith("tokens") else b""
            self.send_response(201 if answer else 204)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    secret = stack.session.client("secretsmanager").create_secret(
        Name="app-key", SecretString=pem("RSA ", Made(2048).pkcs1)
    )
    for name, value in stack.local.environment(ACCOUNT).items():
        monkeypatch.setenv(name, value)
    with TestServer(Handler).running() as github:
        for name, value in {
            "API_URL": github.url,
            "APP_ID": "12345",
            "EVENT_TYPE": "dyno-retuned",
            "INSTALLATION_ID": "678",
            "KEY_SECRET_ARN": secret["ARN"],
            "REPOSITORY": "acme/shop",
        }.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        handler = _dispatch_handler()
        notice = {"function_key": "orders", "retuning_id": "1", "row": "k", "sentence": "no"}
        assert handler({"notice": notice}, None) == {"dispatched": True}
    path, body = asked[-1]
    assert path == "/repos/acme/shop/dispatches"
    assert body["client_payload"] == {"function_key": "orders", "retuning_id": "1", "row": "k"}


def _dispatch_handler() -> Callable[[Any, Any], Any]:
    from retune.handlers import dispatch

    return dispatch.handler
