"""The state machine's definition, and what both sides of the tuner must agree on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambda_dyno.core.config import Settings
from lambda_dyno.core.errors import StepError
from lambda_dyno.tune import client, output, tuner_input
from lambda_dyno.tuner_contract import marks
from power_tuner import errors
from power_tuner.analyze import analyze
from power_tuner.request import parse
from power_tuner.samples import Sample
from power_tuner.state import PowerState, TuningState
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "modules" / "power_tuner"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:shop"
SERVICE_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
}


def definition() -> dict[str, Any]:
    text = (MODULE / "state_machine.asl.json").read_text()
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:tuner"
    parsed: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)_arn\}", rf"{arn}-\1", text))
    return parsed


def tasks() -> dict[str, dict[str, Any]]:
    return {k: v for k, v in definition()["States"].items() if v["Type"] == "Task"}


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


@pytest.mark.parametrize("name", tasks())
def test_every_task_ends(name: str) -> None:
    """Every task has a time-out, retries Lambda's service errors, and leads to the clean-up."""
    task = tasks()[name]
    # a minute more than the longest function: Lambda's own time-out is the one that is told
    assert 0 < task["TimeoutSeconds"] <= 960
    assert set(task["Retry"][0]["ErrorEquals"]) == SERVICE_ERRORS
    (catch,) = task["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    expected = {"Analyze": "Detour?", "CleanUpAfterError": "FailWithLeftovers"}
    assert catch["Next"] == expected.get(name, "CleanUpAfterError")


def test_straight_way() -> None:
    """A tuning with one pass of Measure enters four states, whatever the power values."""
    states = definition()["States"]
    entered = [definition()["StartAt"]]
    while not states[entered[-1]].get("End"):
        entered.append(states[entered[-1]]["Next"])
    assert entered == ["Prepare", "Measure", "Analyze", "CleanUp"]


def test_detours_are_known() -> None:
    """Every state that Analyze can ask for is a choice, and nothing else is."""
    detour = definition()["States"]["Detour?"]
    asked = {choice["StringMatches"]: choice["Next"] for choice in detour["Choices"]}
    assert asked == {
        "*Detour: Measure*": "Measure",
        "*Detour: Prepare*": "PrepareAgain",
        "*Detour: Optimize*": "Optimize",
    }
    assert str(errors.named(errors.Detour("Measure"))) == "Detour: Measure"


def test_every_handler_exists() -> None:
    """Every function of the module has its handler in the package."""
    named = set(yaml.safe_load((MODULE / "functions.yaml").read_text()))
    handlers = ROOT / "lambda" / "power_tuner" / "power_tuner" / "handlers"
    assert named == {"prepare", "measure", "analyze", "optimize", "clean-up"}
    for name in named:
        assert "\ndef handler(" in (handlers / f"{name.replace('-', '_')}.py").read_text()


def test_marks_name_the_execution() -> None:
    """Whoever reads them on a function, a person too, finds it by them."""
    execution = "arn:aws:states:eu-west-1:123456789012:execution:dyno-tuner:run-1"
    assert marks.measured_mark(execution, 128, 0).startswith("dyno-tuner dyno-tuner:run-1 ")
    assert execution in marks.Lock(execution).text


def test_every_hint_is_for_an_error() -> None:
    """The client's hints name errors that the tuner has."""
    for name in client._HINTS:
        assert issubclass(getattr(errors, name), errors.TunerError)


def _output() -> dict[str, Any]:
    request = parse({"lambdaARN": ARN, "num": 5, "powerValues": [128, 256, 512]}, ())
    powers = [
        PowerState(128, attempts=5, errors={"MemoryError": 5}, failure="x", excluded="too small"),
        PowerState(256, samples=[Sample.of(20, 20, cold=n == 0) for n in range(5)], attempts=5),
        PowerState(512, samples=[Sample.of(11.5, 12)] * 5, attempts=5, retries=2),
    ]
    state = TuningState(256, "arm64", 3, None, powers)
    return analyze(request, state, "https://example.com/")


def test_the_client_reads_the_output() -> None:
    """What Analyze puts out is what the client's record says."""
    raw = json.loads(json.dumps(_output()))
    result = output.parse(raw, execution_arn="arn:execution")
    assert result.power == raw["power"]
    assert (result.current_power, result.architecture, result.region) == (256, "arm64", "eu-west-1")
    assert [detail.power for detail in result.details] == [128, 256, 512]
    low, middle, high = result.details
    assert (low.count, low.duration_ms, low.excluded) == (0, None, "too small")
    assert low.errors_by_type == {"MemoryError": 5}
    assert (middle.cold_starts, high.retries) == (1, 2)
    assert high.duration_ms is not None
    assert high.duration_ms.trimmed_mean == 11.5
    assert high.billed_ms_mean == high.billed_ms_trimmed_mean == 12
    assert result.state_machine.execution_arn == "arn:execution"
    assert result.raw == raw


@pytest.mark.parametrize(
    "key", ["power", "cost", "duration", "details", "stateMachine", "lambdaARN"]
)
def test_the_client_is_strict(key: str) -> None:
    """An output without one of its keys is an error that names it."""
    raw = _output()
    del raw[key]
    with pytest.raises(StepError, match=key):
        output.parse(raw)


def test_the_client_writes_the_input() -> None:
    """Every key that the client writes is one that the tuner knows."""
    flags = {
        "power_values": [128, 256],
        "num": 7,
        "payload": {"a": 1},
        "strategy": "speed",
        "balanced_weight": 0.3,
        "parallel_invocation": True,
        "discard_top_bottom": 0.1,
        "dry_run": True,
    }
    written, _ = tuner_input.from_flags(Settings(), flags, None)
    parsed = parse({**written, "lambdaARN": ARN}, ())
    assert parsed.warnings == ()
    assert (parsed.power_values, parsed.num, parsed.payload) == ((128, 256), 7, {"a": 1})
    assert (parsed.strategy, parsed.balanced_weight) == ("speed", 0.3)
    assert (parsed.parallel_invocation, parsed.discard_top_bottom) == (True, 0.1)
    assert parsed.dry_run
