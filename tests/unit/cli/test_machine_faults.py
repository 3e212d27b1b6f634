"""A machine that gives out: one line with the place and the reason, and no missed SLO's status.

Disks are file systems of a namespace of our own, so they can be full without being anybody's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.load.drivers import newman
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform import toolchain
from tests.support.bad_inputs import NO_FILE, Made, dyno, in_place_of, write_project
from tests.support.waiting import HANGS_S

PROJECT = Path(__file__).parents[3]
ROOT = 'variable "name_prefix" {}\nvariable "memory_mb" {}\noutput "function_arn" { value = "" }\n'
FULL = "dd if=/dev/zero of=fill bs=4k status=none || true"
READ_ONLY = "mount -o remount,ro ."


def _namespaces() -> bool:
    """Whether this user may make some."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, capture_output=True, timeout=HANGS_S, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(not _namespaces(), reason="user namespaces are not allowed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished run and what a first command downloads."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder, ROOT, "down")
    toolchain.prepare(folder / ".cache")
    return folder


def _folder(path: Path) -> None:
    path.mkdir()


def in_namespace(
    script: str, *options: str, command: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in namespaces of its own, and in it a command of dyno."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GITHUB_"))}
    return subprocess.run(
        [
            "unshare",
            *options,
            "sh",
            "-ec",
            f"{script}\nexec {sys.executable} -m lambda_dyno {command}",
        ],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
        env={
            **variables,
            "PYTHONPATH": str(PROJECT / "harness"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        },
    )


@needs_namespaces
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(FULL, "No space left on device", id="full"),
        pytest.param(READ_ONLY, "Read-only file system", id="read-only"),
    ],
)
@pytest.mark.parametrize(
    ("command", "statuses", "place"),
    [
        ("report", (3,), "/result.json"),
        pytest.param("run", (2,), "/runs", marks=pytest.mark.slow),
        pytest.param("apply", (3,), "/envs/dev/tuned.auto.tfvars.json", marks=pytest.mark.slow),
        pytest.param("local start", (2, 3), "/.dyno", marks=pytest.mark.slow),
        pytest.param("down", (2,), "no run with a standing environment", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_takes_nothing(
    project: Path,
    tmp_path: Path,
    fault: str,
    reason: str,
    command: str,
    statuses: tuple[int, ...],
    place: str,
) -> None:
    """The line names the place; no half of a run is left."""
    disk = shlex.quote(str(tmp_path))
    script = (
        f"mount -t tmpfs -o size=2m none {disk}\ncp -a {shlex.quote(str(project))}/. {disk}/\n"
        f"cd {disk}\n{fault}"
    )
    done = in_namespace(script, "-Urm", command=command)
    assert "Traceback" not in done.stderr
    assert done.returncode in statuses, done
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert place in lines[0]
    if place.startswith("/"):
        assert reason in lines[0] or "Permission denied" in lines[0]


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("runs/RUN/lock", ("down", "--run", "RUN")),
        (".dyno/local/lock", ("local", "start")),
        (".dyno/local/lock", ("local", "stop")),
    ],
    ids=str,
)
@pytest.mark.parametrize("made", [NO_FILE["pipe"], NO_FILE["folder"], NO_FILE["device"]])
def test_something_in_the_place_of_a_lock(
    project: Path, place: str, command: tuple[str, ...], made: Made
) -> None:
    """Nobody waits for the other end of a pipe."""
    run = run_folder.all_runs(project / "runs")[-1]
    run.update_lease(state="up")
    try:
        with in_place_of(project / place.replace("RUN", run.run_id), made):
            ended = dyno(project, *(word.replace("RUN", run.run_id) for word in command))
    finally:
        run.update_lease(state="down")
        shutil.rmtree(project / ".dyno", ignore_errors=True)
    assert ended.status == 3, ended
    (line,) = ended.lines
    assert place.rpartition("RUN")[2] in line


def test_a_traceback_is_kept_whatever_is_in_its_place(project: Path) -> None:
    """Nobody waits for a reader of it."""
    kept = project / ".dyno" / "traceback.txt"
    with (
        in_place_of(
            project / "runs" / run_folder.all_runs(project / "runs")[-1].run_id / "lock", _folder
        ),
        in_place_of(kept, NO_FILE["pipe"]),
    ):
        ended = dyno(project, "run", "--resume", run_folder.all_runs(project / "runs")[-1].run_id)
        assert kept.read_text().startswith("Traceback")
    assert ended.status == 3
    assert str(kept) in ended.err


@needs_namespaces
@pytest.mark.parametrize(
    "command",
    [
        "run",
        *(pytest.param(c, marks=pytest.mark.slow) for c in ("ls", "report", "sweep", "deploy")),
    ],
)
def test_a_working_folder_that_is_gone(tmp_path: Path, command: str) -> None:
    """It says that, and not what follows from it."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {shlex.quote(str(gone))}\nrmdir {shlex.quote(str(gone))}"
    done = in_namespace(script, "-U", command=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the working folder cannot be found: ")
    assert done.stderr.count("\n") == 1


@needs_namespaces
@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("run --num 4", 2),
        pytest.param("ls", 0, marks=pytest.mark.slow),
        pytest.param("report", 0, marks=pytest.mark.slow),
        pytest.param("local status", 3, marks=pytest.mark.slow),
    ],
)
def test_a_user_without_a_name(project: Path, command: str, status: int) -> None:
    """As `docker run --user 4242` has it, without HOME and USER."""
    script = f"cd {shlex.quote(str(project))}\nunset HOME USER LOGNAME LNAME USERNAME"
    done = in_namespace(script, "-U", "--map-user=4242", "--map-group=4242", command=command)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@needs_namespaces
def test_a_user_without_a_home(tmp_path: Path) -> None:
    """Outside of a project the embedded AWS is the user's own, and there is no place for it."""
    script = f"cd {shlex.quote(str(tmp_path))}\nunset HOME USER LOGNAME LNAME USERNAME"
    done = in_namespace(script, "-U", "--map-user=4242", "--map-group=4242", command="local status")
    assert done.returncode == 2
    assert done.stderr == "error: there is no home folder: set HOME, or change into a project\n"


def test_no_folder_of_a_run_is_left_that_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made of it goes again: the next run must not find it."""
    monkeypatch.setattr(run_folder, "RESERVES", {"reserve": 2**62})
    with pytest.raises(UserError, match="a run cannot be kept there: "):
        run_folder.create(tmp_path / "runs", "local", "dyno", timedelta(hours=1))
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("exec sleep 60", "does not answer: ", id="hangs"),
        pytest.param("exit 3", "ends with status 3", id="fails"),
        pytest.param("echo nonsense", "is nonsense", id="no-version"),
        pytest.param(r"printf '\377'", "does not run: ", id="no-text"),
    ],
)
def test_a_node_that_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    """The line names the program, and no list of Python's."""
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o755)
    monkeypatch.setattr(newman, "NODE_ANSWER_S", 0.3)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(UserError) as caught:
        newman.check()
    assert str(node) in str(caught.value)
    assert said in str(caught.value)
    assert "[" not in str(caught.value)


def test_a_step_that_the_disk_refuses_names_its_file(project: Path) -> None:
    """A write has no file name in its error; it gets one on the way."""
    run = run_folder.all_runs(project / "runs")[-1]
    report = run.path / "report.html"
    report.unlink(missing_ok=True)  # of another test
    report.mkdir()
    try:
        ended = dyno(project, "report")
    finally:
        report.rmdir()
    assert ended.status == 3
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert "report.html" in line
    assert "Is a directory" in line
