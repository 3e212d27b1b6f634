"""Settings of an environment: what is allowed, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.core.config import Settings, load_env, parse_settings, with_overrides
from lambda_dyno.core.errors import UserError

# of files that Windows writes: with a byte order mark
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one environment whose settings file is empty."""
    for name in ("local", "dev"):
        (tmp_path / "envs" / name).mkdir(parents=True)
        (tmp_path / "envs" / name / "dyno.toml").write_text("")
    return tmp_path


def write(project: Path, text: str) -> None:
    (project / "envs" / "local" / "dyno.toml").write_text(text)


def test_an_empty_file_takes_the_defaults(project: Path) -> None:
    """Every key has a default."""
    assert load_env(project, "local").settings == Settings()


def test_an_unknown_environment_is_refused_with_the_known_ones(project: Path) -> None:
    """The message lists what there is."""
    with pytest.raises(UserError, match=r"ENV=staging: no such environment\. Known: dev, local\."):
        load_env(project, "staging")


@pytest.mark.parametrize("name", ["../local", "local/../dev", ""])
def test_an_environment_is_a_name_and_not_a_path(project: Path, name: str) -> None:
    """Nothing outside envs/ is read."""
    with pytest.raises(UserError, match="no such environment"):
        load_env(project, name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(
            "[regression]\npairs = 8",
            r"\[regression\]: pairs: 8 can never fail a check at alpha = 0.01 with 3 .* least 9$",
            id="too-few-pairs",
        ),
        pytest.param(
            '[regression]\nchecks = ["p59"]', r"\[regression\] checks.0: .*'p50'", id="no-check"
        ),
        pytest.param(
            "[regression]\nturn_s = 1.0",
            r"warm_up_s \(1\) must be less than turn_s \(1\)",
            id="turn-of-warm-up",
        ),
        pytest.param("[load]\nvirtual_users = -1", r"\[load\] virtual_users: -1 .* 1$", id="users"),
        pytest.param(
            "[load]\nvirtual_user = 3",
            r"\[load\] virtual_user: unknown key; allowed: .*virtual_users",
            id="mistyped-key",
        ),
        pytest.param(
            "[tunning]\nnum = 5", r"\[tunning\]: unknown key; allowed: .*\[tuning\]", id="section"
        ),
        pytest.param(
            "[tuning]\npower_values = [128, 100, 20000]",
            r"power_values: 100, 20000 MB is not allowed: a power value is 128 to 10240 MB",
            id="power-values",
        ),
        pytest.param("[tuning]\npower_values = []", r"power_values", id="no-power-value"),
        pytest.param("[tuning]\nnum = '10'", r"\[tuning\] num: \"10\" .* integer", id="type"),
        pytest.param("[tuning]\nnum = 4", r"\[tuning\] num: 4 .* 5", id="num"),
        pytest.param(
            "[tuning]\nstrategy = 'fast'", r"strategy: \"fast\".*'cost', 'speed'", id="strategy"
        ),
        pytest.param(
            "[load]\nramp_up_s = 20\nduration_s = 10",
            r"ramp_up_s \(20\) must be less than duration_s \(10\)",
            id="ramp",
        ),
        pytest.param(
            "[tuning]\npayload = {}\npayload_file = 'x.json'", "not both", id="two-payloads"
        ),
        pytest.param(
            "[tuning]\npayload_file = 'x.json'\npayload_s3 = 's3://b/k'",
            "payload_file or payload_s3, not both",
            id="file-and-s3",
        ),
        pytest.param("[tuning]\npayload_s3 = 's3://b'", r"s3://b is not an S3 URI", id="s3-uri"),
        pytest.param(
            "[tuning]\npre_processor_arn = 'prep'", r"prep is not the ARN of a", id="processor"
        ),
        pytest.param(
            "[tuning]\nsleep_between_runs_ms = -1", r"sleep_between_runs_ms: -1", id="sleep"
        ),
        pytest.param(
            "[tuning]\non_conflict = 'steal'", r"on_conflict.*'fail' or 'wait'", id="busy"
        ),
        pytest.param("[tuning]\nallowed_exceptions = 'E'", r"allowed_exceptions", id="exceptions"),
        pytest.param("[environment]\nname = 'A_b'", r"\[environment\] name", id="name"),
        pytest.param("a b", r"not TOML.*line 1", id="not-toml"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_is_allowed(
    project: Path, text: str, complaint: str
) -> None:
    """One UserError that starts with the file."""
    write(project, text)
    with pytest.raises(UserError, match=complaint) as caught:
        load_env(project, "local")
    assert str(caught.value).startswith("envs/local/dyno.toml: ")


def test_every_mistake_has_a_line_of_its_own(project: Path) -> None:
    """Nobody mends a file one error at a time."""
    write(project, "[load]\nvirtual_users = 0\n[tuning]\nnum = 1")
    with pytest.raises(UserError) as caught:
        load_env(project, "local")
    assert len(str(caught.value).splitlines()) == 2


def test_power_values_are_sorted_and_named_once(project: Path) -> None:
    """Duplicates are not measured twice."""
    write(project, "[tuning]\npower_values = [512, 128, 512]")
    assert load_env(project, "local").settings.tuning.power_values == [128, 512]


def test_all_stands_for_all_sizes_in_steps_of_64() -> None:
    """128 to 10,240 MB, 159 values."""
    values = with_overrides(Settings(), {"tuning.power_values": "ALL"}).tuning.power_values
    assert (len(values), values[0], values[1], values[-1]) == (159, 128, 192, 10_240)


def test_a_payload_of_the_command_line_takes_the_place_of_any_other() -> None:
    """Whichever of the three the file has, only one is left."""
    from_file = with_overrides(Settings(), {"tuning.payload_file": "event.json"})
    changed = with_overrides(from_file, {"tuning.payload_s3": "s3://bucket/key"}).tuning
    assert (changed.payload, changed.payload_file, changed.payload_s3) == (
        None,
        "",
        "s3://bucket/key",
    )
    assert with_overrides(from_file, {"tuning.payload": {"n": 1}}).tuning.payload == {"n": 1}


def test_a_flag_overrides_a_key_and_is_validated_as_one() -> None:
    """The command line is the last word, within the same limits; None is no word."""
    changed = with_overrides(Settings(), {"tuning.num": 7, "load.virtual_users": None})
    assert changed.tuning.num == 7
    assert changed.load == Settings().load
    with pytest.raises(UserError, match=r"command line: \[load\] virtual_users: -1"):
        with_overrides(Settings(), {"load.virtual_users": -1})


def test_a_deployment_has_a_load_of_its_own(project: Path) -> None:
    """Small by default, whatever [load] says; the same keys, within the same limits."""
    write(project, "[load]\nvirtual_users = 50\n[deploy.load]\nduration_s = 60.0")
    settings = load_env(project, "local").settings
    load = settings.deploy.load
    assert (load.virtual_users, load.duration_s, load.pacing_ms, load.ramp_up_s) == (2, 60, 1000, 0)
    assert settings.load.virtual_users == 50
    changed = with_overrides(settings, {"deploy.load.virtual_users": 3})
    assert (changed.deploy.load.virtual_users, changed.load.virtual_users) == (3, 50)
    assert parse_settings(changed.model_dump(), "lease") == changed
    write(project, '[deploy.load]\npreset = "forerunners"')
    assert load_env(project, "local").settings.deploy.load.duration_s == 120.0
    for mistake in ("[deploy.load]\nvirtual_users = 0", "[deploy.load]\nusers = 2"):
        write(project, mistake)
        with pytest.raises(UserError, match=r"\[deploy\] load\.(virtual_)?users"):
            load_env(project, "local")


def test_a_payload_file_is_read_beside_the_settings(project: Path) -> None:
    """payload_file is relative to dyno.toml; a missing or broken one is the user's mistake."""
    write(project, "[tuning]\npayload_file = 'event.json'")
    env = load_env(project, "local")
    with pytest.raises(UserError, match=r"payload_file: event\.json: cannot be read"):
        env.tuning_payload()
    (env.folder / "event.json").write_text("{")
    with pytest.raises(UserError, match=r"event\.json: not JSON"):
        env.tuning_payload()
    for wrong in (b'{"n": NaN}', b"[" * 100_000, "{é".encode("latin-1")):
        (env.folder / "event.json").write_bytes(wrong)
        with pytest.raises(UserError, match=r"event\.json: not (JSON|UTF-8)"):
            env.tuning_payload()
    for encoding in ENCODINGS:
        (env.folder / "event.json").write_bytes('{"operation": "list"}'.encode(encoding))
        assert env.tuning_payload() == {"operation": "list"}


def test_settings_are_read_in_the_encodings_of_windows(project: Path) -> None:
    """A byte order mark is none of TOML's business; any other encoding is the user's mistake."""
    path = project / "envs" / "local" / "dyno.toml"
    for encoding in ENCODINGS:
        path.write_bytes("[tuning]\nnum = 7".encode(encoding))
        assert load_env(project, "local").settings.tuning.num == 7
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(UserError, match=r"dyno\.toml: not UTF-8"):
        load_env(project, "local")
