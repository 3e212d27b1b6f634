"""Temporary copies: any version is tuned, the function is not touched, and nothing is left."""

from __future__ import annotations

import io
import json
import random
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from lambda_dyno.cleanup.sweeper import sweep
from lambda_dyno.report.terminal import TerminalUi
from tests.support import functions
from tests.support.tuner_stack import TunerStack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import DeployFunction

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Versions of one function: the first one has 20 ms of CPU, the second sleeps and tells so.
FIRST = """
import os, time

def handler(event, context):
    assert os.environ["VALUE"] == "of-nobodys-business"
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
"""
ENVIRONMENT = {"Variables": {"VALUE": "of-nobodys-business"}}
LAYERED = "from libs import N\n\ndef handler(event, context):\n    return N\n"
SECOND = "def handler(event, context):\n    raise RuntimeError('the other code')\n"


@pytest.fixture(scope="module")
def versions(tuner_stack: TunerStack, deploy_function: DeployFunction) -> str:
    """A function with a version 1, an alias at it, and other code in $LATEST."""
    name, lambdas = "target-versions", tuner_stack.session.client("lambda")
    deploy_function(tuner_stack.session, name, FIRST, MemorySize=512, Environment=ENVIRONMENT)
    tuner_stack.snapshot(name)
    lambdas.publish_version(FunctionName=name)
    lambdas.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    lambdas.update_function_code(FunctionName=name, ZipFile=functions.archive({"app.py": SECOND}))
    return name


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_a_version_is_tuned_by_its_copy(
    tuner_stack: TunerStack, versions: str, qualifier: str
) -> None:
    """By its ARN or that of an alias at it; $LATEST, whose code is another, stays as it is."""
    before, revision = tuner_stack.snapshot(versions), tuner_stack.revision(versions)
    arn = f"{tuner_stack.function_arn(versions)}:{qualifier}"
    done = tuner_stack.tune(versions, lambdaARN=arn, powerValues=[128, 512])
    assert done.status == "SUCCEEDED", done
    assert done.output["lambdaARN"] == arn
    assert done.output["isolation"] == "clone"
    assert done.output["originalPower"] == 512
    assert [row["count"] for row in done.output["details"]] == [5, 5]
    assert tuner_stack.revision(versions) == revision
    assert tuner_stack.snapshot(versions) == before
    assert tuner_stack.copies() == []
    assert "of-nobodys-business" not in tuner_stack.history(done.arn)


def test_callers_of_latest_meet_no_other_size(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """GIVEN a function with a layer WHEN a copy of $LATEST is tuned adaptively.

    THEN the function is never changed, and several rounds publish versions of the one copy.
    """
    libs = functions.layer(tuner_stack.session, "libs", {"python/libs.py": "N = 7\n"})
    name = deploy_function(
        tuner_stack.session, "target-layered", LAYERED, MemorySize=1024, Layers=[libs]
    )
    before, revision = tuner_stack.snapshot(name), tuner_stack.revision(name)
    adaptive = {"num": None, "measuring": "adaptive", "maxPower": 3008}
    first = tuner_stack.start(name, isolation="clone", **adaptive)
    second = tuner_stack.start(name, isolation="clone", powerValues=[256])
    done = [tuner_stack.wait(execution) for execution in (first, second)]
    assert [one.status for one in done] == ["SUCCEEDED", "SUCCEEDED"], done
    assert all(row["errors"] == 0 for one in done for row in one.output["details"])
    assert done[0].output["originalPower"] == 1024
    assert tuner_stack.revision(name) == revision
    assert tuner_stack.snapshot(name) == before
    assert tuner_stack.copies() == []


def test_a_large_package_is_copied(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """As large as Lambda takes with a request, in the memory that Prepare has."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        written.writestr("app.py", "def handler(event, context):\n    return event\n")
        written.writestr("data.bin", random.Random(1).randbytes(50_000_000))
    name = deploy_function(tuner_stack.session, "target-large", packed.getvalue())
    done = tuner_stack.tune(name, isolation="clone", powerValues=[256])
    assert done.status == "SUCCEEDED", done
    assert tuner_stack.copies() == []


@pytest.mark.parametrize("after_s", random.Random(17).sample(range(50, 6000, 50), 6))
def test_stopped_with_a_copy(tuner_stack: TunerStack, versions: str, after_s: int) -> None:
    """At any moment, in any state: no function, no version, no log group is left."""
    before = tuner_stack.snapshot(versions)
    arn = f"{tuner_stack.function_arn(versions)}:1"
    execution = tuner_stack.start(versions, lambdaARN=arn, powerValues=[128, 256, 512], num=20)
    time.sleep(after_s / 1000)
    if tuner_stack.is_running(execution):
        tuner_stack.stop(execution)
    deadline = time.monotonic() + 120
    while tuner_stack.copies():
        assert time.monotonic() < deadline, tuner_stack.copies()
        time.sleep(0.2)
    time.sleep(5)  # what functions of the stopped execution still do
    assert tuner_stack.copies() == []
    assert tuner_stack.snapshot(versions) == before


def test_a_role_that_may_not_be_passed(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """It is refused before anything is made, with the variable that lacks it."""
    iam = tuner_stack.session.client("iam")
    trust = iam.get_role(RoleName="test-may-all")["Role"]["AssumeRolePolicyDocument"]
    role = iam.create_role(RoleName="another", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    name = deploy_function(tuner_stack.session, "target-role", FIRST)
    tuner_stack.session.client("lambda").update_function_configuration(
        FunctionName=name, Role=role["Arn"]
    )
    done = tuner_stack.tune(name, isolation="clone")
    assert (done.status, done.error) == ("FAILED", "NotTunable")
    assert f"may not give a copy the function's role {role['Arn']}" in done.cause
    assert "copies" in done.cause
    assert tuner_stack.copies() == []


def test_a_signed_package_is_not_copied(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """Nor any other kind whose copy would not be the same."""
    name = deploy_function(
        tuner_stack.session,
        "target-tenants",
        FIRST,
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )
    done = tuner_stack.tune(name, isolation="clone")
    assert (done.status, done.error) == ("FAILED", "NotTunable")
    assert "isolates its tenants" in done.cause
    assert tuner_stack.copies() == []


def test_an_orphaned_copy_is_swept(
    tuner_stack: TunerStack, versions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a copy that a clean-up could not delete, and a function that only looks like one.

    WHEN somebody sweeps THEN the copy goes with its log group, and the other one stays.
    """
    lambdas, iam = (tuner_stack.session.client(name) for name in ("lambda", "iam"))
    role = tuner_stack.role_arns["clean-up"].rpartition("/")[2]
    deny = {"Effect": "Deny", "Action": "lambda:DeleteFunction", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=document)
    arn = f"{tuner_stack.function_arn(versions)}:1"
    done = tuner_stack.tune(versions, lambdaARN=arn, powerValues=[256])
    iam.delete_role_policy(RoleName=role, PolicyName="denied")
    assert (done.status, done.error) == ("FAILED", "CleanUpFailed")
    copy = next(name for name in tuner_stack.copies() if not name.startswith("/"))
    assert copy in done.cause
    config = lambdas.get_function_configuration(FunctionName=copy)
    lambdas.create_function(
        FunctionName=f"{copy[:-1]}x",
        Description=config["Description"],
        Role=config["Role"],
        Runtime=config["Runtime"],
        Handler=config["Handler"],
        Code={"ZipFile": functions.archive({"app.py": SECOND})},
    )
    for key, value in tuner_stack.environment.items():
        monkeypatch.setenv(key, value)
    (tmp_path / "envs").mkdir()
    would = sweep(tmp_path, TerminalUi(), dry_run=True)
    assert [one.outcome for one in would if copy in one.outcome] == [f"would be swept: {copy}"], (
        would
    )
    swept = sweep(tmp_path, TerminalUi())
    assert [one.outcome for one in swept if copy in one.outcome] == [f"swept: {copy}"], swept
    assert tuner_stack.copies() == [f"{copy[:-1]}x"]
    lambdas.delete_function(FunctionName=f"{copy[:-1]}x")


ELF_X86 = "\x7fELF\x02\x01\x01" + "\0" * 11 + "\x3e\0" + "\0" * 44


def test_architectures_side_by_side(
    tuner_stack: TunerStack, deploy_function: DeployFunction
) -> None:
    """GIVEN a function without machine code WHEN both architectures are measured.

    THEN each has sizes and prices of its own, and one recommendation names size and architecture.
    """
    name = deploy_function(
        tuner_stack.session, "target-both", FIRST, MemorySize=512, Environment=ENVIRONMENT
    )
    before, revision = tuner_stack.snapshot(name), tuner_stack.revision(name)
    done = tuner_stack.tune(
        name,
        num=None,
        measuring="adaptive",
        maxPower=3008,
        architectures=["arm64", "x86_64"],
    )
    assert done.status == "SUCCEEDED", done
    found = done.output["architectures"]
    rows = {row["architecture"]: row for row in found["measured"]}
    assert list(rows) == ["x86_64", "arm64"]
    assert (found["leftOut"], done.output["architecture"]) == ({}, "x86_64")
    assert all(row["details"] and row["adaptive"]["rounds"] for row in rows.values())
    prices = {name: row["prices"]["gbSecond"] for name, row in rows.items()}
    assert prices["arm64"] == pytest.approx(0.8 * prices["x86_64"], rel=0.01)
    # the same CPU time at a fifth less: the embedded AWS's cores are alike up to 3008 MB
    assert found["recommended"]["architecture"] == "arm64"
    assert found["probability"] >= 0.95
    assert found["sentence"].startswith(f"arm64 with {found['recommended']['power']} MB: ")
    low, middle, high = rows["arm64"]["costRatio"]
    assert low < middle < high < 1
    assert "costRatio" not in rows["x86_64"]
    # what is known of the one is begun with, and the other one is measured as if for the first time
    again = tuner_stack.tune(
        name,
        num=None,
        measuring="adaptive",
        maxPower=3008,
        architectures=["arm64", "x86_64"],
        prior=done.output["prior"],
    )
    assert again.status == "SUCCEEDED", again
    own, other = again.output["architectures"]["measured"]
    assert own["adaptive"]["passes"] < rows["x86_64"]["adaptive"]["passes"]
    assert (own["adaptive"]["prior"], other["adaptive"]["prior"]) == ("given", "")
    assert tuner_stack.revision(name) == revision
    assert tuner_stack.snapshot(name) == before
    assert tuner_stack.copies() == []


@pytest.mark.parametrize("where", ["package", "layer"])
def test_machine_code_is_left_out_of_the_other_architecture(
    tuner_stack: TunerStack, deploy_function: DeployFunction, where: str
) -> None:
    """With the reason, and the flag that helps; the function's own is measured as ever."""
    files = {"app.py": "def handler(event, context):\n    return event\n"}
    layers = []
    if where == "package":
        files["lib/fast.so"] = ELF_X86
    else:
        layers = [functions.layer(tuner_stack.session, "libs", {"python/fast.so": ELF_X86})]
    name = deploy_function(
        tuner_stack.session, f"target-elf-{where}", functions.archive(files), Layers=layers
    )
    both = ["arm64", "x86_64"]
    done = tuner_stack.tune(name, powerValues=[256, 512], architectures=both)
    assert done.status == "SUCCEEDED", done
    found = done.output["architectures"]
    assert [row["architecture"] for row in found["measured"]] == ["x86_64"]
    why = found["leftOut"]["arm64"]
    assert "has machine code for x86_64" in why
    assert "fast.so" in why
    assert ("--package-arm64 FILE" in why) == (where == "package")
    assert why in found["sentence"]
    assert tuner_stack.copies() == []


def test_both_architectures_are_stopped_together(tuner_stack: TunerStack, versions: str) -> None:
    """Neither copy is left."""
    before = tuner_stack.snapshot(versions)
    arn, both = f"{tuner_stack.function_arn(versions)}:1", ["arm64", "x86_64"]
    execution = tuner_stack.start(versions, lambdaARN=arn, num=40, architectures=both)
    tuner_stack.wait_for_state(execution, "Measure")
    assert len([name for name in tuner_stack.copies() if not name.startswith("/")]) == 2
    tuner_stack.stop(execution)
    deadline = time.monotonic() + 120
    while tuner_stack.copies():
        assert time.monotonic() < deadline, tuner_stack.copies()
        time.sleep(0.2)
    time.sleep(5)
    assert tuner_stack.copies() == []
    assert tuner_stack.snapshot(versions) == before
