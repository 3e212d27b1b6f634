"""The tuner's input as the command checks it and as the state machine does: one verdict."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.tune.validation import require_allowed
from lambda_dyno.tuner_contract import marks
from lambda_dyno.tuner_contract.keys import KEYS
from lambda_dyno.tuner_contract.values import room_bytes, s3_location, size_bytes
from power_tuner import errors, payloads, request, sources

pytestmark = pytest.mark.contract

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop"
GOOD: dict[str, Any] = {"lambdaARN": ARN, "num": 10, "payload": {}}

ALLOWED: dict[str, dict[str, Any]] = {
    "least": {},
    "num-string": {"num": " 12 "},
    "num-float": {"num": 12.0},
    "power-strings": {"powerValues": ["128", 10240, 512.0]},
    "power-all": {"powerValues": "ALL"},
    "power-none": {"powerValues": []},
    "power-null": {"powerValues": None},
    "power-empty": {"powerValues": ""},
    "flags-of-shells": {"dryRun": "true", "autoOptimize": 0, "onlyColdStarts": "FALSE"},
    "clamped": {"balancedWeight": 7, "discardTopBottom": "-1"},
    "sleep-of-words": {"sleepBetweenRunsMs": "a while"},
    "unknown-key": {"colour": "blue"},
    "processor-alias": {"preProcessorARN": f"{ARN}:live", "postProcessorARN": ""},
    "alias": {"autoOptimizeAlias": "live-1"},
    "exceptions": {"allowedExceptions": ["Busy"]},
    "isolation": {"isolation": "alias", "onConflict": "wait"},
    "isolation-clone": {"isolation": "clone"},
    "role": {"roleArn": "arn:aws:iam::111122223333:role/team/tuned-by-others", "externalId": "x-1"},
    "role-none": {"roleArn": "", "externalId": ""},
    "s3": {"payloadS3": "s3://bucket/a%20b?c"},
    "s3-none": {"payloadS3": ""},
    "limit": {"timeLimitSeconds": 0.5},
    "limit-string": {"timeLimitSeconds": "60"},
    "limit-none": {"timeLimitSeconds": None},
    "strategy-empty": {"strategy": "", "onConflict": ""},
    "plain-list": {"payload": [{"weight": 1}, {"payload": 2}]},
    "weighted": {"payload": [{"weight": 1, "payload": {}}, {"weight": 9, "payload": []}]},
    "workload": {"payload": None, "workload": {"requests": [{"name": "a", "event": {}}]}},
    "workload-none": {"workload": None},
    "workload-empty": {"workload": ""},
    "weighted-wins-s3": {
        "payloadS3": "s3://bucket/key",
        "payload": [{"weight": 1, "payload": 1}, {"weight": 99, "payload": 1}],
    },
}

REFUSED: dict[str, dict[str, Any]] = {
    "role-wild": {"roleArn": "arn:aws:iam::111122223333:role/*"},
    "role-user": {"roleArn": "arn:aws:iam::111122223333:user/a"},
    "role-number": {"roleArn": 7},
    "role-of-a-copy": {"roleArn": "arn:aws:iam::111122223333:role/a", "isolation": "clone"},
    "external-id-alone": {"externalId": "x-1"},
    "external-id-of-spaces": {"roleArn": "arn:aws:iam::111122223333:role/a", "externalId": "a b"},
    "num-missing": {"num": None},
    "num-small": {"num": 4},
    "num-word": {"num": "ten"},
    "num-bool": {"num": True},
    "num-fraction": {"num": 7.5},
    "power-small": {"powerValues": [100]},
    "power-large": {"powerValues": [20000]},
    "power-word": {"powerValues": ["big"]},
    "power-lower-case": {"powerValues": "all"},
    "power-number": {"powerValues": 128},
    "strategy": {"strategy": "fast"},
    "conflict": {"onConflict": "steal"},
    "isolation": {"isolation": "copy"},
    "isolation-optimised": {"isolation": "clone", "autoOptimize": True},
    "flag": {"parallelInvocation": "yes"},
    "flag-number": {"dryRun": 2},
    "number": {"balancedWeight": "half"},
    "number-bool": {"discardTopBottom": True},
    "number-infinite": {"discardTopBottom": "inf"},
    "limit-zero": {"timeLimitSeconds": 0},
    "limit-word": {"timeLimitSeconds": "an hour"},
    "limit-bool": {"timeLimitSeconds": True},
    "limit-infinite": {"timeLimitSeconds": "inf"},
    "processor": {"preProcessorARN": "prepare"},
    "processor-number": {"postProcessorARN": 7},
    "alias-digits": {"autoOptimizeAlias": "12"},
    "alias-signs": {"autoOptimizeAlias": "a b"},
    "exceptions-text": {"allowedExceptions": "Busy"},
    "exceptions-numbers": {"allowedExceptions": [1]},
    "s3-scheme": {"payloadS3": "https://bucket/key"},
    "s3-no-key": {"payloadS3": "s3://bucket/"},
    "s3-number": {"payloadS3": 7},
    "weighted-many": {"payload": [{"weight": 1, "payload": 1}] * 11},
    "workload-and-payload": {"workload": {"requests": [{"name": "a", "event": {}}]}},
    "workload-none-asked": {"payload": None, "workload": {"requests": []}},
    "workload-word": {"payload": None, "workload": "load"},
    "workload-link": {
        "payload": None,
        "workload": {"requests": [{"name": "a", "event": "{{$response.b/id}}"}]},
    },
    "workload-cold": {
        "payload": None,
        "onlyColdStarts": True,
        "workload": {
            "requests": [
                {
                    "sequence": [
                        {"name": "a", "event": {}},
                        {"name": "b", "event": "{{$response.a/id}}"},
                    ]
                }
            ]
        },
    },
    "weighted-share": {"payload": [{"weight": 1, "payload": 1}, {"weight": 99, "payload": 1}]},
    "weighted-word": {"payload": [{"weight": "a", "payload": 1}]},
    "weighted-negative": {"payload": [{"weight": -1, "payload": 1}]},
}


def the_command_takes(tuning_input: dict[str, Any]) -> bool:
    """Whether `dyno tune` would start with this input."""
    try:
        require_allowed(tuning_input, "input")
    except UserError:
        return False
    return True


def the_state_machine_takes(tuning_input: dict[str, Any]) -> bool:
    """Whether Prepare would start with this input."""
    try:
        parsed = request.parse(tuning_input, (128, 256))
        if parsed.payload_s3:
            sources.parse_uri(parsed.payload_s3)
        else:
            payloads.plan(parsed.num, parsed.payload)
    except errors.TunerError:
        return False
    return True


@pytest.mark.parametrize("case", ALLOWED)
def test_what_the_state_machine_takes_the_command_takes(case: str) -> None:
    """A drop-in refuses nothing that worked."""
    tuning_input = {**GOOD, **ALLOWED[case]}
    assert the_state_machine_takes(tuning_input)
    assert the_command_takes(tuning_input)


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_state_machine_refuses_the_command_refuses(case: str) -> None:
    """Before anything is deployed."""
    tuning_input = {**GOOD, **REFUSED[case]}
    assert not the_state_machine_takes(tuning_input)
    assert not the_command_takes(tuning_input)


def test_a_complaint_names_the_key() -> None:
    """All of them, a line each."""
    wrong = {"num": 4, "powerValues": [100], "strategy": "fast"}
    with pytest.raises(UserError) as caught:
        require_allowed({**GOOD, **wrong}, "input.json")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["input.json", "num"],
        ["input.json", "powerValues"],
        ["input.json", "strategy"],
    ]


def test_a_payload_that_step_functions_cannot_carry_is_refused() -> None:
    """With the way out: S3."""
    with pytest.raises(UserError, match=r"payload: 25\d kB; .*251 kB .*: put the payload into S3"):
        require_allowed({**GOOD, "payload": "x" * 252_000}, "input")


@pytest.mark.parametrize(("values", "powers"), [("ALL", 159), ([128, "128", 256], 2), (None, 6)])
def test_both_leave_the_same_room(values: Any, powers: int) -> None:
    """The longest payload that the state machine takes is the longest that the command takes."""
    empty = {**GOOD, "powerValues": values, "payload": ""}
    longest = room_bytes(powers) - size_bytes(empty)
    assert the_command_takes({**empty, "payload": "x" * longest})
    assert not the_command_takes({**empty, "payload": "x" * (longest + 1)})


def test_every_key_of_the_input_is_a_flag_or_a_setting() -> None:
    """Of the others lambdaARN is --function, the limit --timeout-minutes."""
    alone = {key.name for key in KEYS if not key.flag}
    assert alone == {"lambdaARN", "timeLimitSeconds"}
    assert not any(key.setting for key in KEYS if not key.flag)


def test_every_key_is_known_to_the_state_machine() -> None:
    """Another one is a warning."""
    every = {key.name: None for key in KEYS}
    warned = request.parse({**every, **GOOD, "colour": 1}, (128,)).warnings
    assert warned == ("colour: not a key of the input, ignored",)


def test_a_key_is_in_one_place() -> None:
    """Two rows of one name would be two opinions."""
    for column in ("name", "field", "flag"):
        values = [value for key in KEYS if (value := getattr(key, column))]
        assert len(values) == len(set(values))


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3://b/k", ("b", "k")),
        ("s3://b/a%20b", ("b", "a b")),
        ("s3://b/a?b=c", ("b", "a?b=c")),
        ("s3://b/a#b", ("b", "a#b")),
        ("s3://b//k", ("b", "/k")),
    ],
)
def test_an_s3_uri_is_read_the_same_way(uri: str, location: tuple[str, str]) -> None:
    """The tuner's role is given just the object that it will ask for."""
    assert s3_location(uri) == sources.parse_uri(uri) == location


@pytest.mark.parametrize("machine", ["dyno-261120-2343-cjn6-tuner", "a" * 80])
def test_what_the_tuner_writes_on_a_function_is_what_the_command_looks_for(machine: str) -> None:
    """The marks that a clean-up is waited for by."""
    execution = (
        f"arn:aws:states:eu-west-1:111122223333:execution:{machine}:"
        "0fa3c1de-1111-2222-3333-444455556666"
    )
    assert marks.is_of(marks.measured_mark(execution, 512, 0), execution)
    assert marks.is_of(marks.tuned_mark(execution, 512, "live", "7"), execution)
    assert not marks.is_of(marks.measured_mark(f"{execution}7", 512, 0), execution)


def test_versions_of_a_state_machine_are_known_by_its_name() -> None:
    """But for the one that an alias is at: that stays."""
    execution = "arn:aws:states:eu-west-1:111122223333:execution:my-tuner:5d8c"
    assert marks.is_measured_by(marks.measured_mark(execution, 512, 0), "my-tuner")
    assert not marks.is_measured_by(marks.measured_mark(execution, 512, 0), "my-tune")
    assert not marks.is_measured_by(marks.tuned_mark(execution, 512, "live", "7"), "my-tuner")


@pytest.mark.parametrize("memory_mb", [None, 512])
def test_the_lock_says_to_the_command_what_it_says_to_the_tuner(memory_mb: int | None) -> None:
    """Whose it is, and which memory size to go back to; other descriptions are nobody's."""
    execution = "arn:aws:states:eu-west-1:111122223333:execution:my-tuner:5d8c"
    lock = marks.Lock(execution, memory_mb)
    for text in (lock.text, lock.at_end().text):
        parsed = marks.Lock.parse(text)
        assert parsed is not None
        assert (parsed.execution_arn, parsed.memory_mb) == (execution, memory_mb)
        assert parsed.machine == "my-tuner"
    assert marks.Lock.parse("somebody's own alias") is None


def test_the_example_of_dyno_toml_has_no_key_that_is_unknown() -> None:
    """Every [tuning] section of the project is made of known names."""
    project = Path(__file__).parents[2]
    for path in project.glob("envs/*/dyno.toml"):
        section = tomllib.loads(path.read_text())["tuning"]
        assert section.keys() <= {key.field for key in KEYS if key.setting} | {
            "payload_file",
            "safe",
            "timeout_minutes",
            "workload",
        }
