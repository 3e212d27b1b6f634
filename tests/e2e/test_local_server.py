"""The embedded AWS as a process: start, find, stop, and never a stray one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.runs import orphans
from lambda_dyno.runs.identity import identity
from tests.support.waiting import HANGS_S, wait_until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose server, if a test leaves one, is stopped."""
    yield tmp_path / "home"
    server.stop(tmp_path / "home")


def processes_of(home: Path) -> list[psutil.Process]:
    """Return every process that works in `home` or belongs to its server."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if str(home) in environment.get("TMPDIR", "") + environment.get("HOME", ""):
            found.append(process)
    return found


@pytest.fixture
def start_a_worker(deploy_function: Any) -> Callable[[server.LocalServer], None]:
    """A function that deploys and invokes a Lambda, so that a worker process exists."""

    def start(running: server.LocalServer) -> None:
        session = LocalSession(running)
        deploy_function(session, "echo", "def handler(event, context):\n    return event\n")
        answer = session.client("lambda").invoke(FunctionName="echo", Payload=b"42")
        assert json.load(answer["Payload"]) == 42

    return start


def test_life_of_a_server(home: Path, start_a_worker: Callable[[server.LocalServer], None]) -> None:
    """It starts once, is found, runs a function, and stop leaves no process and no temp file."""
    running = server.start(home, account_id="111122223333", region="eu-west-1")
    assert server.status(home) == running
    assert server.start(home) == running, "a second start finds the first"
    caller = LocalSession(running).client("sts").get_caller_identity()
    assert caller["Account"] == "111122223333"
    start_a_worker(running)
    assert len(processes_of(home)) == 3, "supervisor, server and one sandbox"
    workers = psutil.Process(running.pid).children(recursive=True)
    assert len(workers) == 2, "sandbox and worker"

    assert server.stop(home) is True
    assert processes_of(home) == []
    assert not any(identity(worker.pid) for worker in workers)
    assert not (home / "tmp").exists()
    assert server.status(home) is None
    assert server.stop(home) is False, "stopping again is no error"
    assert "Ready" in server.log_tail(home, 50)


def test_caller_environment_does_not_get_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the caller's AWS settings nor its Python path reach the server or its workers."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")

    running = server.start(home)

    environment = psutil.Process(running.pid).environ()
    assert not [name for name in environment if name.startswith("AWS_")]
    assert "PYTHONPATH" not in environment


@pytest.mark.slow
def test_life_of_a_server_on_the_command_line(tmp_path: Path) -> None:
    """Outside of a project it is the user's own; its shell lines point tools at it."""
    script = """
    set -e
    dyno() { "$PYTHON" -m lambda_dyno local "$@"; }
    dyno start --concurrency 3 --region eu-west-1 --json
    trap 'dyno stop --json' EXIT
    dyno meter --mode reported --aws-latency measured > "$HOME/meter"
    eval "$(dyno env)"
    "$PYTHON" -c 'import boto3; print(boto3.client("lambda").get_account_settings()["AccountLimit"]
["ConcurrentExecutions"])'
    """
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT / "harness"),
            "AWS_PROFILE": "production",
        },
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    started, _, rest = done.stdout.partition("}\n")
    assert json.loads(started + "}")["region"] == "eu-west-1"
    assert rest.split(maxsplit=1)[0] == "3"
    assert (tmp_path / "meter").read_text() == (
        "mode: reported\naws_latency: measured\nsteady: yes\n"
    )
    assert json.loads(rest.partition("\n")[2]) == {"stopped": True}
    assert processes_of(tmp_path / ".dyno" / "local") == []


@pytest.mark.slow
def test_port_in_use_is_the_users_to_solve(home: Path) -> None:
    """A taken port is named, with what to do, and nothing is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} .* is in use: .*give another port"):
            server.start(home, port=port)
    assert server.status(home) is None
    assert processes_of(home) == []


@pytest.mark.slow
def test_dead_server_is_noticed(
    home: Path, start_a_worker: Callable[[server.LocalServer], None]
) -> None:
    """A state file whose server was killed is no server; its workers are gone; start works."""
    running = server.start(home)
    start_a_worker(running)
    os.kill(running.pid, signal.SIGKILL)

    assert wait_until(lambda: processes_of(home) == [])
    assert server.status(home) is None
    again = server.start(home)
    assert again.pid != running.pid
    assert server.status(home) == again


@pytest.mark.parametrize("killed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_a_function_started_goes_with_the_server(
    home: Path, deploy_function: Any, killed: bool
) -> None:
    """Frozen as it is, and in a session of its own."""
    running = server.start(home)
    session = LocalSession(running)
    source = """
import subprocess
def handler(event, context):
    return subprocess.Popen(["sleep", event["seconds"]], start_new_session=True).pid
"""
    deploy_function(session, "starts", source)
    seconds = f"600.{os.getpid()}"  # no other session's on this machine
    event = json.dumps({"seconds": seconds}).encode()
    session.client("lambda").invoke(FunctionName="starts", Payload=event)
    started = [p for p in psutil.process_iter(["cmdline"]) if seconds in (p.info["cmdline"] or ())]
    assert len(started) == 1
    if killed:
        os.kill(running.pid, signal.SIGKILL)
    else:
        server.stop(home)

    assert wait_until(lambda: not identity(started[0].pid))


@pytest.mark.slow
def test_stop_works_without_the_supervisor(
    home: Path, start_a_worker: Callable[[server.LocalServer], None]
) -> None:
    """When the supervisor was killed, stop still ends the server and its workers."""
    running = server.start(home)
    start_a_worker(running)
    os.kill(json.loads((home / "server.json").read_text())["supervisor_pid"], signal.SIGKILL)

    assert server.stop(home) is True
    assert processes_of(home) == []


@pytest.mark.slow
def test_recycled_pid_is_left_alone(home: Path) -> None:
    """A state file whose pid now belongs to another process does not get that one killed."""
    running = server.start(home)
    state = json.loads((home / "server.json").read_text())
    server.stop(home)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        state |= {"pid": bystander.pid, "supervisor_pid": bystander.pid}
        (home / "server.json").write_text(json.dumps(state))

        assert server.status(home) is None
        assert server.stop(home) is False
        assert bystander.poll() is None
        assert running.pid != bystander.pid
    finally:
        bystander.communicate(b"\n")


def test_server_ends_with_its_owner(home: Path) -> None:
    """A server that was started for a process goes when that process is killed with -9."""
    program = (
        "import os, pathlib, time\n"
        "from lambda_dyno.emulator import server\n"
        f"server.start(pathlib.Path({str(home)!r}), owner_pid=os.getpid())\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT / "harness")},
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        assert server.status(home) is not None
        owner.kill()

    assert wait_until(lambda: processes_of(home) == [])
    assert server.status(home) is None
    assert not (home / "tmp").exists()


def test_accounts_do_not_see_each_other(
    embedded_aws: server.LocalServer, new_aws_account: Callable[[], str]
) -> None:
    """What one account creates is invisible to another account of the same server."""
    mine, yours = (LocalSession(embedded_aws, new_aws_account()) for _ in range(2))
    mine.client("sqs").create_queue(QueueName="only-mine")

    assert mine.client("sqs").list_queues()["QueueUrls"]
    assert not yours.client("sqs").list_queues().get("QueueUrls")


@pytest.mark.slow
def test_server_of_a_dead_owner_is_not_taken_over(home: Path) -> None:
    """A start right after the owner's death gets a server of its own, not the one that ends."""
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    orphan = server.start(home, owner_pid=owner.pid)
    owner.kill()
    owner.communicate()

    again = server.start(home)
    assert again.pid != orphan.pid
    assert not wait_until(lambda: server.status(home) is None, seconds=2.0)
    assert server.status(home) == again


def ours(home: Path) -> orphans.Orphans:
    """Return what lost its owner in one home, and not on the whole machine."""
    mine = {process.pid for process in processes_of(home)}
    found = [pair for pair in orphans.find().processes if pair[0].pid in mine]
    return orphans.Orphans(tuple(found), ())


@pytest.mark.usefixtures("alone_with_orphans")
def test_a_server_that_nobody_wrote_down_is_found_by_its_mark(
    home: Path, start_a_worker: Callable[[server.LocalServer], None]
) -> None:
    """Everything that knew of it was killed at once; no file says that it runs."""
    running = server.start(home)
    start_a_worker(running)
    state = json.loads((home / "server.json").read_text())
    (home / "server.json").unlink()
    assert not ours(home), "its supervisor lives"
    os.kill(state["supervisor_pid"], signal.SIGKILL)

    assert wait_until(lambda: running.pid in {process.pid for process, _ in ours(home).processes})
    orphans.end(ours(home), lambda _: None, grace_s=5.0)
    assert processes_of(home) == []


@pytest.mark.slow
@pytest.mark.usefixtures("alone_with_orphans")
def test_a_server_that_was_let_go_is_nobodys_orphan(home: Path) -> None:
    """The process that it was started for is gone, and it was told to stay."""
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    running = server.start(home, owner_pid=owner.pid)
    server.let_go(home)
    owner.kill()
    owner.communicate()

    assert not wait_until(lambda: server.status(home) is None, seconds=1.5)
    assert server.status(home) == running
    assert not ours(home)


@pytest.mark.slow
def test_the_supervisor_writes_the_server_down_before_anybody_hears_of_it(home: Path) -> None:
    """Whoever ordered it may be killed in between; only its user may read the file."""
    server.start(home)
    assert (home / "server.json").stat().st_mode & 0o077 == 0
    started_s = (home / "server.json").stat().st_mtime
    assert server.start(home) == server.status(home)
    assert (home / "server.json").stat().st_mtime == started_s, "written once, by one"
