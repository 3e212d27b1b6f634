"""The definition of modules/retune's state machine, and that its role may do what it calls."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "modules" / "retune"
# What Step Functions does in the role's name for each of its integrations: its developer guide,
# "IAM policies for integrated services".
CALLS = {
    "states:::dynamodb:putItem": {"dynamodb:PutItem"},
    "states:::events:putEvents": {"events:PutEvents"},
    "states:::sns:publish": {"sns:Publish"},
    "states:::states:startExecution.sync:2": {
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
    },
}


def definition() -> dict[str, Any]:
    text = (MODULE / "state_machine.asl.json").read_text()
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:retune"
    parsed: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)_arn\}", rf"{arn}-\1", text))
    return parsed


STATES: dict[str, dict[str, Any]] = definition()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def test_valid_asl(tmp_path: Path) -> None:
    """The definition is valid Amazon States Language."""
    path = tmp_path / "definition.json"
    path.write_text(json.dumps(definition()))
    checked = subprocess.run(
        [ROOT / "node_modules" / ".bin" / "asl-validator", "--json-path", path],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", TASKS)
def test_every_task_ends(name: str) -> None:
    """Every task has a time-out."""
    assert TASKS[name]["TimeoutSeconds"] > 0


def test_nothing_is_tuned_without_a_lease() -> None:
    """Whatever the way: Payload and Tune come after Lease, and nothing ends a lease."""
    for name, state in STATES.items():
        after = {state.get("Next"), state.get("Default")}
        after |= {choice["Next"] for choice in state.get("Choices", [])}
        after |= {catch["Next"] for catch in state.get("Catch", [])}
        if "Payload" in after:
            assert name == "Lease"
        if "Tune" in after:
            assert name == "Payload"
    assert not [name for name, task in TASKS.items() if "deleteItem" in task["Resource"]]
    assert "Retry" not in TASKS["Tune"]


def test_what_is_tuned_is_written_in_the_module() -> None:
    """The execution's input chooses by a name alone; a copy is measured, and nothing optimised."""
    arguments = TASKS["Tune"]["Arguments"]
    assert (
        arguments["Input"] == "{% $merge([$function.input, {'payload': $states.input.payload}]) %}"
    )
    text = (MODULE / "main.tf").read_text()
    block = re.search(r"\n      input = \{\n(.*?)\n      \}", text, re.S)
    assert block is not None
    keys = dict(re.findall(r"^ +(\w+) += (.+?)(?: +#.*)?$", block[1], re.M))
    assert keys["isolation"] == '"clone"'
    assert keys["maxCostUsd"] == "var.max_cost_usd"
    assert keys["disablePayloadLogs"] == "true"
    assert not {"autoOptimize", "autoOptimizeAlias", "roleArn", "preProcessorARN"} & keys.keys()


def test_the_role_may_do_what_the_states_call_and_nothing_else() -> None:
    """The embedded AWS does not ask a state machine's role, so the definition itself is held."""
    called = set()
    for task in TASKS.values():
        _, integration, name = task["Resource"].partition("states:::")
        called |= CALLS[integration + name] if integration else {"lambda:InvokeFunction"}
    text = (MODULE / "iam.tf").read_text()
    block = re.search(r"\n      states = merge\((.*?)\n      \)\n", text, re.S)
    assert block is not None
    granted = {
        action
        for actions in re.findall(r"actions += \[([^\]]*)\]", block[1])
        for action in re.findall(r'"([a-z]+:\w+)"', actions)
    }
    assert granted == called


def test_every_handler_exists() -> None:
    """Every function of the module has its handler in the package."""
    text = (MODULE / "main.tf").read_text()
    named = set(re.findall(r'(\w+)"? +(?:=|=>) \{ memory_mb', text))
    assert named == {"dispatch", "payload", "record", "traffic"}
    for name in named:
        handler = ROOT / "lambda" / "retune" / "retune" / "handlers" / f"{name}.py"
        assert "\ndef handler(" in handler.read_text()
