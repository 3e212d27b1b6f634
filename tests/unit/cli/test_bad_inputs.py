"""Bad inputs by kind: each ends with one line that names it, and nothing is made.

Status 2 for a mistake; never 1, which a missed SLO has. The tables are in bad_inputs.py.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.models import ParameterInfo

from lambda_dyno.cli.app import app
from lambda_dyno.cli.local import local_app
from lambda_dyno.core.config import Settings, load_env
from lambda_dyno.runs import run_folder
from tests.support import bad_inputs as bad
from tests.support.bad_inputs import Ended, Made, dyno

ROOT = """
variable "name_prefix" { type = string }
variable "memory_mb" { default = 128 }
variable "packages" { type = map(object({ path = string, sha256_base64 = string })) }
output "function_arn" { value = var.packages["hello"].path }
"""
FUNCTION = ("tune", "--function", "f", "--region", "eu-west-1")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with a finished run; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("project")
    run = bad.write_project(folder, ROOT, "up", kept=True)
    (folder / "envs" / "dev" / "tuned.auto.tfvars.json").write_text('{"memory_mb": 256}')
    (folder / "modules" / "hello").mkdir(parents=True)
    (folder / "modules" / "hello" / "main.tf").write_text("")
    (folder / "lambda" / "hello").mkdir(parents=True)
    (folder / "lambda" / "hello" / "app.py").write_text("def handler(event, context): ...\n")
    shutil.copy(run.result, folder / "baseline.json")
    (folder / "plan.json").write_text('{"format_version": "1.2", "resource_changes": []}')
    (folder / "event.json").write_text('{"pull_request": {"number": 7}}')
    return folder


@pytest.fixture(scope="module")
def run_id(project: Path) -> str:
    """The finished run."""
    (folder,) = run_folder.all_runs(project / "runs")
    return folder.run_id


@pytest.fixture
def unchanged(project: Path) -> Iterator[None]:
    """Nothing is made, changed or removed."""
    before = bad.tree(project)
    yield
    assert bad.tree(project) == before


def require_one_line(ended: Ended) -> str:
    """Return the one line that a command ended with."""
    assert ended.status == 2, ended
    assert "Traceback" not in ended.err
    assert len(ended.lines) == 1, ended.err
    (line,) = ended.lines
    assert line.startswith("error: "), line
    assert line.isprintable(), "nothing of the input reaches the terminal as it is"
    assert len(line) < 1500, "a long input is shortened"
    return line


def names(table: Mapping[str, Any]) -> list[Any]:
    """Return the kinds of a table as parameters."""
    return [pytest.param(made, id=name) for name, made in table.items()]


def thinned(cases: Iterable[Any]) -> list[Any]:
    """Leave ten cases of eleven to `make test-all`: some of each key and of each kind stay."""
    every = ((case, case if hasattr(case, "values") else pytest.param(case)) for case in cases)
    return [
        case if index % 11 == 0 else pytest.param(*made.values, id=made.id, marks=pytest.mark.slow)
        for index, (case, made) in enumerate(every)
    ]


# --- dyno.toml --------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("path", "value"),
    thinned(
        pytest.param(path, value, id=f"{'.'.join(path)}={value[:30]}")
        for path, value in bad.settings_cases()
    ),
)
def test_a_wrong_setting(project: Path, path: tuple[str, ...], value: str) -> None:
    """Whatever the type of the key, the line names file and key."""
    file = project / "envs" / "local" / "dyno.toml"
    section, key = ".".join(path[:-1]), path[-1]
    text = f"[{section}]\n{key} = {value}\n" if section else f"{key} = {value}\n"
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        ended = dyno(project, "plan")
        line = require_one_line(ended)
    assert "envs/local/dyno.toml: " in line
    assert key in line or "not TOML" in line


def test_every_number_has_bounds() -> None:
    """What has none is measured for ever, or overflows in another program."""
    unbounded = []
    for path in bad.setting_keys():
        model: Any = Settings
        for name in path[:-1]:
            model = model.model_fields[name].annotation
        if bad.kind_of(path) not in ("int", "float"):
            continue
        field = model.model_fields[path[-1]]
        inner = [one for kind in get_args(field.annotation) for one in get_args(kind)[1:]]
        found = [*field.metadata, *(one for info in inner for one in getattr(info, "metadata", ()))]
        limits = {type(limit).__name__ for limit in found}
        if not limits & {"Ge", "Gt"} or not limits & {"Le", "Lt"}:
            unbounded.append(".".join(path))
    assert unbounded == []


def test_all_settings_as_they_are_by_default_are_allowed(project: Path) -> None:
    """The table of wrong values is about the values."""
    assert load_env(project, "dev").settings == Settings()


# --- files ------------------------------------------------------------------------------------


def of_file(
    file: str, kinds: Mapping[str, Made], *commands: tuple[str, ...], named: str = ""
) -> list[Any]:
    """Return a case for each kind that a file may be wrong in, and each command that reads it."""
    return [
        pytest.param(file, made, command, named or file.rpartition("/")[2], id=f"{file}-{name}-{n}")
        for name, made in kinds.items()
        for n, command in enumerate(commands)
    ]


# A link to nothing is no file yet.
IN_PLACE = {name: made for name, made in bad.JSON_OBJECT.items() if name != "link to nothing"}
FILES = [
    *of_file("envs/local/dyno.toml", bad.TOML_FILE, ("run",), ("up",), ("plan",), ("deploy",)),
    *of_file("envs/dev/dyno.toml", bad.TOML_FILE, ("bootstrap", "--env", "dev"), ("apply",)),
    *of_file("envs/local/main.tf", bad.TEXT_FILE, ("run",), ("plan",), ("deploy",)),
    *of_file("envs/local/more.tf.json", bad.JSON_OBJECT, ("run",), ("plan",)),
    *of_file("envs/dev/tuned.auto.tfvars.json", bad.JSON_OBJECT, ("rollback",), ("apply", "RUN")),
    *of_file("envs/dev/zz.auto.tfvars.json", bad.JSON_OBJECT, ("apply", "RUN")),
    *of_file("envs/dev/zz.auto.tfvars", bad.TEXT_FILE, ("apply", "RUN")),
    *of_file(
        "runs/RUN/lease.json", bad.JSON_OBJECT, ("report", "--run", "RUN"), ("down", "--run", "RUN")
    ),
    *of_file("runs/RUN/lease.json", bad.JSON_OBJECT, ("run", "--resume", "RUN")),
    *of_file(
        "runs/RUN/result.json",
        bad.JSON_OBJECT,
        ("report",),
        ("comment", "RUN", "--dry-run"),
        ("apply", "RUN"),
        ("down", "--run", "RUN"),
    ),
    *of_file("x/result.json", bad.JSON_OBJECT, ("comment", "x/result.json", "--dry-run")),
    *of_file(
        "baseline.json",
        bad.JSON_OBJECT,
        ("comment", "RUN", "--dry-run", "--baseline", "baseline.json"),
    ),
    *of_file("baseline.json", bad.JSON_FILE, ("run", "--baseline", "./baseline.json")),
    *of_file(
        "plan.json", bad.JSON_OBJECT, ("comment", "RUN", "--dry-run", "--plan-json", "plan.json")
    ),
    *of_file("event.json", bad.JSON_OBJECT, ("comment", "RUN", "--dry-run"), named="event.json"),
    *of_file("payload.json", bad.JSON_FILE, (*FUNCTION, "--payload", "payload.json")),
    *of_file("input.json", bad.JSON_OBJECT, ("tune", "--input", "input.json")),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("file", "made", "command", "named"), thinned(FILES))
def test_a_wrong_file(
    project: Path, run_id: str, file: str, made: Made, command: tuple[str, ...], named: str
) -> None:
    """It is not waited for, not read without end, and the line names it."""
    path = project / file.replace("RUN", run_id)
    words = [word.replace("RUN", run_id) for word in command]
    with bad.in_place_of(path, made):
        ended = dyno(project, *words, GITHUB_EVENT_PATH=str(project / "event.json"))
        line = require_one_line(ended)
    if path.parent.name == "x":
        path.parent.rmdir()
    assert named in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("made", thinned(names(bad.JSON_FILE)))
@pytest.mark.parametrize("command", [("run",), ("plan",), ("deploy",)], ids="-".join)
def test_a_wrong_payload_file(project: Path, made: Made, command: tuple[str, ...]) -> None:
    """The line names dyno.toml, the key and the file."""
    settings = project / "envs" / "local" / "dyno.toml"
    text = "[environment]\nemulated = true\n[tuning]\npayload_file = 'p.json'\n"
    with (
        bad.in_place_of(settings, lambda place: _void(place.write_text(text))),
        bad.in_place_of(settings.with_name("p.json"), made),
    ):
        line = require_one_line(dyno(project, *command))
    assert "envs/local/dyno.toml: [tuning] payload_file: p.json: " in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("made", thinned(names(bad.JSON_OBJECT)))
@pytest.mark.parametrize("file", ["lease.json", "result.json"])
def test_one_unreadable_file_stops_no_other_run(
    project: Path, run_id: str, file: str, made: Made
) -> None:
    """`ls` and `sweep` go on, and `ls` and `sweep` name the lease."""
    broken = project / "runs" / "261129-1200-bbbb"
    shutil.copytree(project / "runs" / run_id, broken)
    try:
        with bad.in_place_of(broken / file, made):
            listed = dyno(project, "ls")
            swept = dyno(project, "sweep", "--dry-run")
    finally:
        shutil.rmtree(broken)
    assert (listed.status, swept.status) == (0, 0), (listed, swept)
    assert run_id in listed.out
    if file == "lease.json":
        assert "261129-1200-bbbb/lease.json" in listed.err
        assert "261129-1200-bbbb/lease.json" in swept.out


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("made", names(bad.JSON_OBJECT))
def test_an_unreadable_server_is_none(project: Path, made: Made) -> None:
    """No server runs there as far as anybody can tell, which is no missed SLO."""
    home = project / ".dyno" / "local"
    try:
        with bad.in_place_of(home / "server.json", made):
            status, env = dyno(project, "local", "status"), dyno(project, "local", "env")
    finally:
        shutil.rmtree(project / ".dyno")
    assert (status.status, status.out, status.err) == (3, f"none runs in {home}\n", "")
    assert "no embedded AWS runs" in require_one_line(env)


# --- values in files --------------------------------------------------------------------------

LEASE = {
    "run_id": "x",
    "env": "x",
    "name_prefix": "x",
    "state": "x",
    "owner": "x",
    "host": "x",
    "pid": 5,
    "started_at": "x",
    "expires_at": "x",
    "namespace": "x",
    "identity": "x",
    "worker": "x",
    "account_id": "x",
    "region": "x",
    "endpoint": "x",
    "own_server": True,
    "server_home": "x",
    "backend": {},
    "kept": True,
    "memory_mb": 5,
    "settings": {},
    "function_arn": "x",
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("key", "value"),
    thinned(
        pytest.param(key, value, id=f"{key}={json.dumps(value)[:20]}")
        for key, right in LEASE.items()
        for value in (*bad.VALUES, *bad.CONTAINERS[:3])
        if bad.wrong_type(value, right)
    ),
)
def test_a_wrong_value_in_a_lease(project: Path, run_id: str, key: str, value: Any) -> None:
    """The line names the file and the key; other runs are listed all the same."""
    file = project / "runs" / run_id / "lease.json"
    text = json.dumps({**bad.as_json(file), key: value})
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, "down", "--run", run_id))
        listed = dyno(project, "ls")
    assert f"{run_id}/lease.json: not the lease of a run: {key} " in line
    assert listed.status == 0


RESULT = ("run_id", "env", "git_sha", "started_at", "timings", "settings", "error")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("command", [("report",), ("comment", "--dry-run")], ids="-".join)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, id=f"{key}={json.dumps(value)[:20]}")
        for key in (*RESULT, "smoke", "tuning", "load", "verdict", "regression", "leftovers")
        for value in ([None], "x", 5, True)
        if not (isinstance(value, str) and key in RESULT)
    ],
)
def test_a_wrong_value_in_a_result(
    project: Path, run_id: str, command: tuple[str, ...], key: str, value: Any
) -> None:
    """The line names the file and the key."""
    file = project / "runs" / run_id / "result.json"
    text = json.dumps({**bad.as_json(file), key: value})
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, *command))
    assert f"{run_id}/result.json: {key}" in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("value", [1e300, 10**300, -1e16, 2**63], ids="{:.3g}".format)
@pytest.mark.parametrize(
    "path",
    [
        ("timings", "tune"),
        ("tuning", "cost"),
        ("tuning", "details", 0, "cost_usd"),
        ("tuning", "details", 0, "duration_ms", "trimmed_mean"),
        ("load", 0, "requests"),
        ("load", 0, "latency_ms", "p95"),
        ("verdict", "checks", 0, "measured"),
        ("smoke", "requests"),
    ],
    ids=str,
)
def test_a_figure_that_nobody_measures(
    project: Path, run_id: str, path: tuple[str | int, ...], value: float
) -> None:
    """Charts and tables could not be made of it."""
    file = project / "runs" / run_id / "result.json"
    content = part = bad.as_json(file)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    text = json.dumps(content)
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, "comment", "--dry-run"))
    assert f"{run_id}/result.json: {'.'.join(map(str, path))}: " in line
    assert "is too large a number" in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("value", ["x", 5, True, [1]], ids=str)
@pytest.mark.parametrize("section", ["environment", "tuning", "load", "slo", "report"])
def test_a_section_of_a_results_settings_that_is_none(
    project: Path, run_id: str, section: str, value: Any
) -> None:
    """The line names it."""
    file = project / "runs" / run_id / "result.json"
    content = bad.as_json(file)
    content["settings"][section] = value
    text = json.dumps(content)
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, "comment", "--dry-run"))
    assert f"{run_id}/result.json: settings.{section}: must be an object" in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "event",
    thinned(
        pytest.param({key: value}, id=f"{key}={json.dumps(value)[:24]}")
        for key in ("pull_request", "issue", "workflow_run", "number", "repository")
        for value in (*bad.VALUES, *bad.CONTAINERS)
    ),
)
def test_a_wrong_value_in_an_event(project: Path, run_id: str, event: dict[str, Any]) -> None:
    """An event of another shape names no pull request: then there is none."""
    file = project / "event.json"
    text = json.dumps(event)
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, "comment", run_id, GITHUB_EVENT_PATH=str(file)))
    assert "there is no pull request to comment on" in line


# --- the command line -------------------------------------------------------------------------

NO_NUMBER = (
    "abc",
    "",
    " ",
    "1_28",
    "１２８",
    "٣",
    "0x10",
    "nan",
    "inf",
    "-inf",
    "9" * 400,
    "1e999",
    "1\n2",
)
NO_NAME = ("../x", "a" * 10_000, "a\nb", "\x1b[31m", "\udcff", "ü", "; rm -rf /", ".", "..", "/")
NO_WORD = ("", *NO_NAME)
_REQUIRED = {("local", "model"): ("--cpu-ms", "1", "--memory-mb", "128")}


def numbers() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each option that takes a number, with its command."""
    for commands, before in ((app, ()), (local_app, ("local",))):
        for command in commands.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            for parameter, hint in get_type_hints(command.callback, include_extras=True).items():
                kind, *infos = get_args(hint) or (hint,)
                flags = [
                    flag
                    for info in infos
                    for flag in (info.default, *(info.param_decls or ()))  # typer's two places
                    if isinstance(flag, str)
                ]
                if {int, float} & {kind, *get_args(kind)}:
                    longest = max(flags, key=len, default=f"--{parameter.replace('_', '-')}")
                    yield (*before, name), longest


OPTIONS = sorted(set(numbers()))


def test_there_are_options_with_numbers() -> None:
    """And they are found."""
    assert {
        (("run",), "--num"),
        (("local", "start"), "--port"),
        (("sweep",), "--older-than"),
    } <= set(OPTIONS)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("command", "option", "text"),
    thinned(
        pytest.param(command, option, text, id=f"{'-'.join(command)}-{option}={text[:10]!a}")
        for command, option in OPTIONS
        for text in NO_NUMBER
    ),
)
def test_an_option_with_a_wrong_number(
    project: Path, command: tuple[str, ...], option: str, text: str
) -> None:
    """What Python takes for a number is none by that alone; the line names the option."""
    line = require_one_line(
        dyno(project, *command, *_REQUIRED.get(command, ()), f"{option}={text}")
    )
    assert option in line


def words(*commands: tuple[str, ...], values: tuple[str, ...] = NO_NAME) -> list[Any]:
    """Return a case for each command with each wrong last word."""
    return [
        pytest.param(
            (*command[:-1], f"{command[-1]}{value}"), id=f"{' '.join(command)}{ascii(value)[:20]}"
        )
        for command in commands
        for value in values
    ]


WORDS = [
    *words(
        *(
            (command, "--env=")
            for command in ("run", "up", "plan", "deploy", "bootstrap", "rollback")
        ),
        ("tune", "--function", "f", "--env="),
        values=NO_WORD,
    ),
    *words(
        *((command, "--run=") for command in ("smoke", "tune", "load", "gate", "report", "down")),
        ("comment", "--run="),
        ("run", "--resume="),
        ("apply", ""),
        values=NO_NAME,
    ),
    *words(
        *((command, "--region=") for command in ("run", "up", "deploy", "bootstrap")),
        ("local", "start", "--region="),
        values=(*NO_NAME, *bad.NO_REGION),
    ),
    *words(("run", "--baseline="), values=NO_NAME[:-3]),
    *words(("run", "--strategy="), ("comment", "--provider="), values=NO_WORD),
    *words(
        ("run", "--power="),
        ("local", "model", "--cpu-ms", "1", "--memory-mb="),
        values=(*NO_WORD, *NO_NUMBER, "127", "10241", "-128", "128,,256", "128;256", "1.5"),
    ),
    *words((*FUNCTION, "--strategy="), (*FUNCTION, "--on-conflict="), values=NO_WORD),
    *words((*FUNCTION, "--payload="), ("tune", "--input="), values=NO_NAME),
    *words((*FUNCTION, "--payload-s3="), (*FUNCTION, "--pre-processor="), values=NO_NAME),
    *words(("tune", "--function="), values=NO_WORD[1:]),
    *words(("comment", "--dry-run", "--repo="), values=bad.NO_REPOSITORY),
    *words(("comment", "--dry-run", "--key="), values=NO_NAME),
    *words(
        ("comment", "--dry-run", "--baseline="),
        ("comment", "--dry-run", "--plan-json="),
        values=("a" * 10_000,),  # a folder may be there or not
    ),
    *words(
        *((*command, "--") for command in (("run",), ("local", "start"), ("sweep",))),
        values=("nope", "nope=1", "\x1b[31m", "a" * 10_000),
    ),
    *words(("",), ("local", ""), values=("nope", "\x1b[31m", "a" * 10_000, "\udcff")),
    *words(("run", ""), ("sweep", ""), ("local", "stop", ""), values=("extra", "\x1b[31m")),
    *words(
        *((*command, "--") for command in (("run", "--num"), ("load", "--duration-s"))),
        values=("",),
    ),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("arguments", thinned(WORDS))
def test_a_wrong_word(project: Path, arguments: tuple[str, ...]) -> None:
    """Whatever somebody gives for a name, a path or a choice."""
    require_one_line(dyno(project, *arguments))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "--num", "4"), "[tuning] num: 4"),
        (("run", "--num", "10001"), "[tuning] num: 10001"),
        (("run", "--virtual-users", "0"), "virtual_users"),
        (("run", "--virtual-users", "201"), "virtual_users"),
        (("run", "--duration-s", "0"), "duration_s"),
        (("run", "--duration-s", "3601"), "duration_s"),
        (("run", "--ramp-up-s", "1e300"), "ramp_up_s"),
        (("run", "--pacing-ms", "2147483648"), "pacing_ms"),
        (("run", "--port", "0"), "1 to 65535"),
        (("run", "--port", "65536"), "1 to 65535"),
        (("up", "--port", "-1"), "1 to 65535"),
        (("local", "start", "--port", "0"), "1 to 65535"),
        (("local", "start", "--port", "99999"), "1 to 65535"),
        (("local", "start", "--concurrency", "0"), "1 to 1000"),
        (("local", "start", "--concurrency", "1001"), "1 to 1000"),
        (("local", "logs", "--lines", "0"), "--lines"),
        (("local", "logs", "--lines", "100001"), "--lines"),
        (("local", "fidelity", "--repeats", "1001"), "--repeats"),
        (("local", "model", "--cpu-ms", "-1", "--memory-mb", "128"), "CPU time -1"),
        (("local", "model", "--cpu-ms", "1e300", "--memory-mb", "128"), "CPU time 1e+300"),
        (("local", "model", "--cpu-ms", "1", "--memory-mb", "128", "--threads", "0"), "threads 0"),
        (("sweep", "--older-than", "-1"), "0 to 100000"),
        (("sweep", "--older-than", "1e300"), "0 to 100000"),
        (("comment", "--dry-run", "--pull", "0"), "--pull 0"),
        (("comment", "--max-wait-s", "-1"), "--max-wait-s"),
        (("comment", "--max-wait-s", "1e300"), "--max-wait-s"),
        (("bootstrap", "--keep-versions", "-1"), "--keep-versions"),
        ((*FUNCTION, "--timeout-minutes", "1e300"), "timeout_minutes"),
        ((*FUNCTION, "--sleep-between-runs-ms", "2147483648"), "sleep_between_runs_ms"),
        ((*FUNCTION, "--balanced-weight", "2"), "balanced_weight"),
        ((*FUNCTION, "--discard-top-bottom", "0.5"), "discard_top_bottom"),
        (("deploy", "--duration-s", "1e300"), "duration_s"),
        (("deploy", "--virtual-users", "0"), "virtual_users"),
    ],
    ids=" ".join,
)
def test_a_number_out_of_range(project: Path, arguments: Any, named: str) -> None:
    """The line says which, and what is allowed."""
    assert named in require_one_line(dyno(project, *arguments))


# --- the environment --------------------------------------------------------------------------

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1"}
NOBODY = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}  # refused at once
_CONTROL = ("\x1b[31m", "a\nb", "x" * 5000)


def variables(
    name: str, values: tuple[str, ...], command: tuple[str, ...], **others: str
) -> list[Any]:
    """Return a case for each wrong value of a variable."""
    return [
        pytest.param(
            command, {**others, name: value}, id=f"{name}={ascii(value)[:24]}-{command[0]}"
        )
        for value in values
    ]


VARIABLES = [
    case
    for command in (("run", "--env", "dev"), ("bootstrap", "--env", "dev"), FUNCTION[:3])
    for case in (
        *variables("AWS_ENDPOINT_URL", bad.NO_ADDRESS, command, **KEYS),
        *variables("AWS_REGION", bad.NO_REGION, command, **NOBODY),
        *variables("AWS_PROFILE", ("nope", *_CONTROL), command, **KEYS),
        *variables("AWS_RETRY_MODE", ("nope", *_CONTROL), command, **NOBODY),
    )
]
# Nobody answers, which the SDK believes at its third attempt.
ASKED_VARIABLES = [
    *variables("AWS_ACCESS_KEY_ID", ("", *_CONTROL), FUNCTION[:3], **NOBODY),
    *variables("AWS_SECRET_ACCESS_KEY", ("", *_CONTROL), FUNCTION[:3], **NOBODY),
    *variables("AWS_SESSION_TOKEN", _CONTROL, FUNCTION[:3], **NOBODY),
    *variables("AWS_MAX_ATTEMPTS", ("nope", "-1", "nan"), FUNCTION[:3], **NOBODY),
    *variables("AWS_CA_BUNDLE", ("/nowhere", *_CONTROL[:2]), FUNCTION[:3], **NOBODY),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("command", "environ"),
    [
        *thinned(VARIABLES),
        *(
            pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
            for case in ASKED_VARIABLES
        ),
    ],
)
def test_a_wrong_variable_of_aws(project: Path, command: Any, environ: dict[str, str]) -> None:
    """Before anything is deployed with it."""
    require_one_line(dyno(project, *command, **environ))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("made", names({**bad.NO_TEXT, "no INI": lambda p: p.write_text("x")}))
@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_wrong_configuration_of_aws(project: Path, variable: str, made: Made) -> None:
    """A file that is no INI is said to be none."""
    with bad.in_place_of(project / "aws", made):
        environ = {variable: str(project / "aws")}
        require_one_line(dyno(project, "run", "--env", "dev", AWS_REGION="eu-west-1", **environ))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "environ",
    [{"GITHUB_REPOSITORY": value} for value in bad.NO_REPOSITORY]
    + [{"GITHUB_EVENT_PATH": value} for value in ("/nowhere", "/", "/dev/zero", "x" * 5000)]
    + [
        {"GITHUB_REF": value}
        for value in ("refs/pull/x/merge", "refs/pull/٣/merge", f"refs/pull/{'9' * 5000}/merge")
    ],
    ids=lambda environ: ascii(environ)[:50],
)
def test_a_wrong_variable_of_github(project: Path, run_id: str, environ: dict[str, str]) -> None:
    """Status 2: that is the job's mistake, not the forge's."""
    require_one_line(dyno(project, "comment", run_id, **environ))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("address", bad.NO_ADDRESS, ids=lambda text: ascii(text[:20]))
def test_a_wrong_address_of_github(project: Path, run_id: str, address: str) -> None:
    """No token is sent there."""
    job = {
        "GITHUB_TOKEN": "t0p-secret",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_API_URL": address,
    }
    line = require_one_line(dyno(project, "comment", run_id, "--pull", "7", **job))
    assert "t0p-secret" not in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("token", ["a\nb", "ü", "a b", "\x1b", "x\r\nEvil: 1"], ids=ascii)
def test_a_wrong_token(project: Path, run_id: str, token: str) -> None:
    """It is a warning, since a comment never fails a gate, and nothing of it is shown."""
    job = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": "http://127.0.0.1:1"}
    command = ("comment", run_id, "--pull", "7", "--max-wait-s", "0")
    ended = dyno(project, *command, GITHUB_TOKEN=token, **job)
    assert ended.status == 0
    assert len(ended.lines) == 1
    assert token not in ended.err
    strict = dyno(project, *command, "--strict", GITHUB_TOKEN=token, **job)
    assert strict.status == 3


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "environ",
    [
        *({"COLUMNS": value} for value in ("0", "abc", "-5", "1", "9" * 50)),
        *({"LINES": value} for value in ("0", "x")),
        *({"TERM": value} for value in ("", "nope", "dumb")),
        *({"TMPDIR": value} for value in ("/nowhere", "/dev/null")),
        *({"HOME": value} for value in ("", "/nowhere", "/dev/null")),
        *({"PATH": value} for value in ("", "/nowhere")),
    ],
    ids=str,
)
def test_a_wrong_variable_of_the_machine(project: Path, environ: dict[str, str]) -> None:
    """It is of no matter to what is told."""
    line = require_one_line(dyno(project, "run", "--num", "4", **environ))
    assert line == (
        "error: command line: [tuning] num: 4 is not allowed: must be greater than or equal to 5"
    )


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(bad.NO_FILE["pipe"], "is not a file", id="pipe"),
        pytest.param(bad.NO_FILE["folder"], "is not a file", id="folder"),
        pytest.param(bad.NO_FILE["device"], "is not a file", id="device"),
        pytest.param(bad.NO_FILE["link to itself"], "symbolic links", id="link"),
    ],
)
def test_a_wrong_place_of_the_summary(project: Path, run_id: str, made: Made, said: str) -> None:
    """A warning, as all that the forge does not take; nobody waits for its reader."""
    with bad.in_place_of(project / "summary", made):
        job = {"GITHUB_STEP_SUMMARY": str(project / "summary"), "CODEBUILD_BUILD_ID": "x"}
        ended = dyno(project, "comment", run_id, **job)
    assert ended.status == 0
    (line,) = ended.lines
    assert line.startswith("warning: no comment: no job summary: ")
    assert said in line


# --- folders ----------------------------------------------------------------------------------

PLACES = {
    "file": lambda path: _void(path.write_text("")),
    "link to nothing": bad.NO_FILE["link to nothing"],
    "link to itself": bad.NO_FILE["link to itself"],
    "pipe": bad.NO_FILE["pipe"],
}


IN_PLACE_OF_A_FOLDER = [
    pytest.param(place, command, made, id=f"{place}-{' '.join(command)}-{name}")
    for place, command in [
        *(("runs", (command,)) for command in ("run", "up", "plan", "report", "down")),
        *(("modules", (command,)) for command in ("run", "up", "plan")),
        *(("lambda", (command,)) for command in ("run", "up", "plan")),
        *(("lambda/hello", (command,)) for command in ("run", "up", "plan")),
        *(("envs/local", (command,)) for command in ("run", "deploy")),
        *((place, ("local", "start")) for place in (".dyno", ".dyno/local")),
        *((".cache", (command,)) for command in ("run", "plan")),
    ]
    for name, made in PLACES.items()
    # the folder that a link to nothing leads to is made, where one of ours may be
    if not (place.startswith(".dyno") and name == "link to nothing")
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("place", "command", "made"), IN_PLACE_OF_A_FOLDER)
def test_something_in_the_place_of_a_folder(
    project: Path, place: str, command: tuple[str, ...], made: Made
) -> None:
    """The line names the place."""
    try:
        with bad.in_place_of(project / place, made):
            line = require_one_line(dyno(project, *command))
    finally:
        shutil.rmtree(project / ".dyno", ignore_errors=True)
    assert place in line or place.rpartition("/")[2] in line or place == "runs"


TREES: Mapping[str, Callable[[Path], object]] = {
    "link to nothing": lambda path: (path / "x").symlink_to("nowhere"),
    "link to itself": lambda path: (path / "x").symlink_to("x"),
    "link around": lambda path: (path / "x").symlink_to(path.parent),
    "pipe": lambda path: os.mkfifo(path / "x"),
    "device": lambda path: (path / "x").symlink_to("/dev/zero"),
    "no UTF-8": lambda path: open(os.fsencode(path) + b"/x\xff", "w").close(),
    "deep": lambda path: (path / "y").mkdir() or (path / "y" / "x").symlink_to("../.."),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("make", names(TREES))
@pytest.mark.parametrize("folder", ["modules/hello", "envs/local", "lambda/hello"])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_cannot_be_copied(
    project: Path, folder: str, make: Callable[[Path], object], command: str
) -> None:
    """Found before a run is made of it; the line names it."""
    there = project / folder / "there"
    there.mkdir()
    try:
        make(there)
        line = require_one_line(dyno(project, command))
    finally:
        shutil.rmtree(there)
    assert f"{folder}/there" in line


@pytest.mark.parametrize("command", ["run", "plan", "up"])
def test_a_project_whose_path_is_no_text(project: Path, tmp_path: Path, command: str) -> None:
    """Terraform takes paths as JSON, which has no such bytes."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    shutil.copytree(project, odd, ignore=shutil.ignore_patterns("runs", ".cache"))
    line = require_one_line(dyno(odd, command))
    assert "the project's path is not UTF-8" in line
    assert not (odd / "runs").exists()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "folders",
    [
        "['nope']",
        "['lambda/hello/app.py']",
        r"['a\u0000']".replace("'", '"'),
        "['']",
        "['/etc']",
        "['../x']",
        "['envs']",
        "['runs']",
        f"['{'x' * 300}']",
        "['.']",
    ],
    ids=lambda text: text[:20],
)
def test_folders_that_are_none(project: Path, folders: str) -> None:
    """[environment] folders: before a run and its server are made."""
    text = f"[environment]\nemulated = true\nfolders = {folders}\n"
    file = project / "envs" / "local" / "dyno.toml"
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        line = require_one_line(dyno(project, "plan"))
    assert "envs/local/dyno.toml: [environment] folders" in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("'" + "x" * 7_000_000 + "'", "dyno.toml: longer than"),
        ("'" + "x" * 300_000 + "'", "payload: 300 kB"),
        ("[{ payload = 1, weight = 1 }, { payload = 2, weight = 0 }, 1979-05-27]", "JSON"),
    ],
    ids=["7-MB", "300-kB", "date"],
)
def test_a_payload_that_nobody_carries(project: Path, payload: str, why: str) -> None:
    """A tuner would find it when everything is deployed."""
    text = f"[environment]\nemulated = true\n[tuning]\npayload = {payload}\n"
    file = project / "envs" / "local" / "dyno.toml"
    with bad.in_place_of(file, lambda place: _void(place.write_text(text))):
        assert why in require_one_line(dyno(project, "plan"))


def _void(_: object) -> None:
    """Nothing is to be returned."""


def test_typer_reads_all_numbers_by_our_rules() -> None:
    """Each option of a number has a reader of lambda_dyno.cli.numbers."""
    for commands in (app, local_app):
        assert isinstance(commands, typer.Typer)
        for command in commands.registered_commands:
            hints = get_type_hints(command.callback, include_extras=True)
            for hint in hints.values():
                for info in get_args(hint):
                    kinds = set(get_args(get_args(hint)[0]) or get_args(hint)[:1])
                    if isinstance(info, ParameterInfo) and kinds & {int, float}:
                        assert info.parser is not None, command.callback
