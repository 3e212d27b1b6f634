"""A project of its own, an embedded AWS that outlives the runs, and ways to end a run."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil

from lambda_dyno.emulator import server
from tests.support.terminal import CTRL_C, Terminal

PROJECT = Path(__file__).parents[2]
FUNCTION = "tuned"
_CODE = """
import time

def handler(event, context):
    end = time.process_time() + 0.01
    while time.process_time() < end:
        pass
"""
# Settings of a run that has all steps, none of them long.
_SETTINGS = """
[environment]
emulated = {emulated}
seed_items = 100

[tuning]
power_values = [128, 256]
num = 5
payload = {{ operation = "list", payload = {{}} }}

[load]
virtual_users = 2
ramp_up_s = 1.0
warm_up_s = 0.0
duration_s = 4.0

[slo]
error_ratio = 0.5
confidence = 0.0
inconclusive = "pass"
"""
# What is run: `local` has an embedded AWS of its own; the others are in an account of one that
# stays, with their state in S3, so that a leak shows.
KINDS = {
    "local": ["run"],
    "account": ["run", "--env", "dev"],
    "function": ["tune", "--function", FUNCTION, "--power", "128,256", "--num", "5"],
}
DISK_MB = 24


@dataclass
class World:
    """Where faults happen.

    Attributes:
        folder: Of everything.
        aws: The embedded AWS that stays.
    """

    folder: Path
    aws: server.LocalServer
    accounts: int = 0
    window: Terminal | None = None  # of the run that was started last, if it has one

    @classmethod
    @contextlib.contextmanager
    def make(cls) -> Iterator[World]:
        """Make it, and remove all of it."""
        folder = Path(tempfile.mkdtemp(prefix="flt-", dir="/tmp"))
        try:
            # a copy of the harness too: nobody's edit meanwhile is a fault of a run
            world = cls(folder, server.start(folder / "aws", owner_pid=os.getpid()))
            ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
            for part in ("envs", "harness", "modules", "lambda", "postman"):
                shutil.copytree(PROJECT / part, world.project / part, ignore=ignore)
            for env, emulated in {"local": "true", "dev": "false"}.items():
                settings = world.project / "envs" / env / "dyno.toml"
                settings.write_text(_SETTINGS.format(emulated=emulated))
            (world.project / "node_modules").symlink_to(PROJECT / "node_modules")
            (world.project / "runs").mkdir()
            world.temp.mkdir()
            yield world
        finally:
            server.stop(folder / "aws")
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def project(self) -> Path:
        """The project that runs are made in."""
        return self.folder / "p"

    @property
    def temp(self) -> Path:
        """`TMPDIR` of the runs, and of nothing else."""
        return self.folder / "t"

    def new_account(self) -> str:
        """Return an account with a state bucket and a function to tune."""
        self.accounts += 1
        account = f"{self.accounts:012d}"
        session = self.session(account)
        session.client("s3", endpoint_url=self.aws.endpoint).create_bucket(
            Bucket=f"dyno-state-{account}-{self.aws.region}"
        )
        trust = {"Service": "lambda.amazonaws.com"}
        role = session.client("iam", endpoint_url=self.aws.endpoint).create_role(
            RoleName="of-the-function",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
                    ],
                }
            ),
        )
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", _CODE)
        session.client("lambda", endpoint_url=self.aws.endpoint).create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Handler="app.handler",
            MemorySize=192,
            Role=role["Role"]["Arn"],
            Code={"ZipFile": code.getvalue()},
        )
        return account

    def session(self, account: str) -> boto3.Session:
        """Return a session of an account."""
        return boto3.Session(
            aws_access_key_id=account,
            aws_secret_access_key=self.aws.secret,
            region_name=self.aws.region,
        )

    def start(self, arguments: list[str], account: str | None) -> subprocess.Popen[str]:
        """Start `dyno`, with no AWS in its environment but the account's."""
        self.close_window()
        with (self.folder / "stderr").open("a") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "lambda_dyno", *arguments],
                cwd=self.project,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=self._environment(account),
                start_new_session=True,
            )

    def start_on_terminal(self, arguments: list[str], account: str | None) -> Terminal:
        """Start `dyno` on a terminal of its own, as a person does."""
        self.window = Terminal(
            [sys.executable, "-m", "lambda_dyno", *arguments],
            cwd=self.project,
            env=self._environment(account),
        )
        self.window.follow()
        return self.window

    def close_window(self) -> None:
        """Close the terminal of the last run, if it had one."""
        if self.window is not None:
            self.window.close()
            self.window = None

    def _environment(self, account: str | None) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {
            **inherited,
            **({} if account is None else self.aws.environment(account)),
            "PYTHONPATH": str(self.project / "harness"),
            "TMPDIR": str(self.temp),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def dyno(self, arguments: list[str], account: str | None) -> tuple[int, str]:
        """Run `dyno` to its end and return exit status and output."""
        process = self.start(arguments, account)
        output = process.communicate(timeout=600)[0]
        return process.returncode, output

    @property
    def stderr(self) -> str:
        """What was written to standard error since `forget`, or is on the terminal."""
        if self.window is not None:
            return self.window.text
        path = self.folder / "stderr"
        return path.read_text() if path.exists() else ""

    def forget(self) -> None:
        """Make room for the next run."""
        (self.folder / "stderr").unlink(missing_ok=True)
        self.close_window()
        for path in (self.project / "runs").iterdir():
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a small disk in the place of a folder. Needs root."""
    options = f"size={DISK_MB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def can_mount() -> bool:
    """Whether small disks can be had here."""
    if os.geteuid() != 0 or shutil.which("mount") is None or sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder)):
                return True
        except subprocess.CalledProcessError:
            return False


@dataclass
class Victim:
    """A run that something happens to.

    Attributes:
        process: Of `dyno`.
        project: Its project.
        window: The terminal that it runs on, if any.
    """

    process: subprocess.Popen[Any]
    project: Path
    window: Terminal | None = None
    log: list[str] = field(default_factory=list)

    def family(self) -> list[psutil.Process]:
        """Return `dyno` and all that it started, guards and Terraform too."""
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.Error:
            return []

    def named(self, *words: str) -> list[psutil.Process]:
        """Return members of the family whose program has one of these names."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                if any(process.name().startswith(word) for word in words):
                    found.append(process)
        return found

    def embedded_aws(self) -> list[psutil.Process]:
        """Return the run's own embedded AWS, its workers, and its supervisor."""
        pids: list[tuple[int, int]] = []
        for path in (self.project / "runs").glob("*/local/server.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                state = json.loads(path.read_text())
                pids.append((state["supervisor_pid"], state["pid"]))
        found = []
        for pair in pids:
            for pid in pair:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    found += [process, *process.children(recursive=True)]
        return found


def kill(processes: list[psutil.Process]) -> int:
    """Kill processes with SIGKILL, and return how many there were."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(processes)


def ctrl_c(victim: Victim) -> str:
    """Press Ctrl-C once."""
    _press(victim)
    return ""


def ctrl_c_twice(victim: Victim) -> str:
    """Press Ctrl-C, and again in the middle of what follows."""
    _press(victim)
    time.sleep(0.7)
    _press(victim)
    return ""


def _press(victim: Victim) -> None:
    """Type it where there is a terminal, which interrupts all that runs in its foreground."""
    if victim.window is not None:
        victim.window.type(CTRL_C)
    else:
        victim.process.send_signal(signal.SIGINT)


def close_terminal(victim: Victim) -> str:
    """Close the window that it runs in."""
    assert victim.window is not None
    victim.window.close()
    return ""


def terminate(victim: Victim) -> str:
    """Send what a cancelled CI job gets."""
    victim.process.send_signal(signal.SIGTERM)
    return ""


def kill_dyno(victim: Victim) -> str:
    """Kill `dyno` alone."""
    victim.process.kill()
    return ""


def kill_guards(victim: Victim) -> str:
    """Kill `dyno` and all guards; Terraform and Newman go on, and nobody watches them."""
    family = victim.family()
    doomed = [one for one in family[1:] if any("guard.py" in word for word in _command(one))]
    for process in (doomed := [*family[:1], *doomed]):
        with contextlib.suppress(psutil.Error):
            process.suspend()
    return f"{kill(doomed)} processes"


def kill_everything(victim: Victim) -> str:
    """Kill `dyno`, guards, Terraform with its providers, Newman, and an own embedded AWS."""
    doomed = victim.family() + victim.embedded_aws()
    for process in doomed:  # all of them stand still before the first goes
        with contextlib.suppress(psutil.Error):
            process.suspend()
    return f"{kill(doomed)} processes"


def kill_terraform(victim: Victim) -> str:
    """Kill Terraform and nothing else, as soon as one works."""
    while victim.process.poll() is None:
        doomed = victim.named("terraform")
        doomed = [process for process in doomed if "provider" not in process.name()]
        if doomed:
            return f"{kill(doomed)} processes"
        time.sleep(0.05)
    return "none any more"


def kill_embedded_aws(victim: Victim) -> str:
    """Kill the run's own embedded AWS; its supervisor lives."""
    doomed = victim.embedded_aws()[1:2] or victim.embedded_aws()
    servers = [process for process in doomed if "front.py" in " ".join(_command(process))]
    return f"{kill(servers)} processes"


def fill_disk(victim: Victim) -> str:
    """Leave no byte free on the disk that the run's folder is on."""
    with (victim.project / "runs" / "filler").open("wb", buffering=0) as filler:
        with contextlib.suppress(OSError):
            for size in (1_000_000, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(b"x" * size)
        return f"{filler.tell() / 1e6:.1f} MB"


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


MEANS: dict[str, Callable[[Victim], str]] = {
    "SIGINT": ctrl_c,
    "SIGINT twice": ctrl_c_twice,
    "SIGTERM": terminate,
    "SIGKILL of dyno": kill_dyno,
    "SIGKILL, guards too": kill_guards,
    "SIGKILL of everything": kill_everything,
    "Terraform killed": kill_terraform,
    "embedded AWS killed": kill_embedded_aws,
    "disk full": fill_disk,
    "terminal closed": close_terminal,
}
