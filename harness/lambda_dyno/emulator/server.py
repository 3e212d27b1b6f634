"""Start, find and stop an embedded AWS: one MiniStack process with IAM enforced.

Everything about one server lives in a folder that the caller gives, its `home`:

- `server.json`: where it listens, which processes it is, and its secret (`server_state`);
- `server.log`: what it printed;
- `tmp/`: its temporary files, the code of its Lambda workers included; removed by `stop`;
- `meter.json`: settings of the Lambda meter (see `emulator.meter`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import lambda_emulator
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.files import locked
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.regions import is_region
from lambda_dyno.emulator import installation, meter, sandboxes, server_state, supervisor
from lambda_dyno.emulator.loopback import HOST, check_port, free_port, port_in_use
from lambda_dyno.emulator.server_state import ACCOUNT_CONCURRENCY, UNCHECKED, ServerState
from lambda_dyno.runs.identity import identity

DEFAULT_ACCOUNT = "000000000000"
MOST_CONCURRENCY = 1000  # AWS's own default quota
# -P: the modules beside the file are not the server's
PROGRAM = ("-P", str(Path(lambda_emulator.__file__).with_name("front.py")))

_PORT_TRIES = 5
_STOP_DEADLINE_S = 15.0
_SAFE_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running embedded AWS."""

    endpoint: str  # http://127.0.0.1:PORT
    pid: int
    account_id: str  # 12 digits; the account of callers who name no other
    region: str
    home: Path
    account_concurrency: int = ACCOUNT_CONCURRENCY  # Lambda invocations at once
    secret: str = field(default=UNCHECKED, repr=False)  # every account's secret access key

    def environment(self, account_id: str | None = None) -> dict[str, str]:
        """Return the variables that point any AWS tool here, and keep it from looking elsewhere.

        Args:
            account_id: Another account (12 digits) of the same server: accounts do not see
                each other. None is the server's own.
        """
        account = check_account(account_id or self.account_id)
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def to_json(self) -> dict[str, str | int]:
        """Return what `dyno local start --json` prints."""
        return {
            "endpoint": self.endpoint,
            "pid": self.pid,
            "account_id": self.account_id,
            "region": self.region,
        }


def project_home(project: Path) -> Path:
    """Return the home of the server that `dyno local start` starts in a project."""
    return project / ".dyno" / "local"


def start(
    home: Path,
    *,
    port: int | None = None,
    region: str = "us-east-1",
    account_id: str = DEFAULT_ACCOUNT,
    deadline_s: float = 30.0,
    owner_pid: int | None = None,
    account_concurrency: int | None = None,
    program: Sequence[str] = PROGRAM,
) -> LocalServer:
    """Start an embedded AWS in `home`, or return the one that runs there already.

    Args:
        home: Its folder; made if it is missing.
        port: Port on 127.0.0.1; None takes a free one.
        region: Region of callers who name no other.
        account_id: Account of callers who name no other, 12 digits.
        deadline_s: Seconds it gets to answer its health check.
        owner_pid: Process for which it is started: when that one is gone, however it ended,
            the server ends too. None keeps it until `stop`.
        account_concurrency: Lambda invocations at once, in all accounts together, before
            callers get a 429, 1 to 1000; None is `ACCOUNT_CONCURRENCY`, and a server that runs
            keeps the one it has.
        program: What Python is to run, for tests that put something around the server.

    Raises:
        UserError: The port is in use, or an argument is wrong. Nothing was started.
        StepError: It did not come up; the message ends with the last lines of its log.
    """
    check_account(account_id)
    check_region(region)
    limit = check_concurrency(
        ACCOUNT_CONCURRENCY if account_concurrency is None else account_concurrency
    )
    try:
        home = home.resolve()
        running = status(home)
        if running is not None:
            return _as_asked(running, port, account_concurrency)
        if port is not None:
            check_port(port)
        python = installation.python()
        make_folder(home)
    except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError
        why = getattr(error, "strerror", None) or "it is a link to itself"
        raise UserError(f"{home}: no embedded AWS can be kept there: {why}") from error
    with locked(home / "lock"):  # two starts or stops in one home
        running = status(home)
        if running is not None:
            return _as_asked(running, port, account_concurrency)
        _end_last(home)
        meter.start_afresh(home, Path(python).parents[1])
        for _ in range(_PORT_TRIES):  # a free port may be taken before it is used
            chosen = free_port() if port is None else check_port(port)
            wanted = ServerState(
                endpoint=f"http://{HOST}:{chosen}",
                port=chosen,
                account_id=account_id,
                region=region,
                owner_pid=owner_pid,
                owner_identity=None if owner_pid is None else identity(owner_pid),
                account_concurrency=limit,
                secret=secrets.token_hex(32),
            )
            started, tail = _try(home, wanted, python, program, deadline_s)
            if started is not None:
                return started
            if "already in use" not in tail.lower():
                break
            if port is not None:
                raise UserError(port_in_use(port))
    raise StepError(
        "local",
        f"The embedded AWS did not come up within {deadline_s:g} s. Its log ends:\n{tail}",
        hint=f"The whole log is {supervisor.log_of(home)}",
    )


def _try(
    home: Path, wanted: ServerState, python: Path, program: Sequence[str], deadline_s: float
) -> tuple[LocalServer | None, str]:
    """Start a server; return it, or None and the end of its log if it did not come up."""
    state = _launch(home, wanted, python, program)
    if _wait_until_healthy(state, deadline_s):
        return _server(state, home), ""
    tail = log_tail(home, 20)
    _end(state, home)
    return None, tail


def status(home: Path) -> LocalServer | None:
    """Return the server that runs in `home`, or None if there is none (any more)."""
    state = server_state.read(home)
    if state is None or not state.running or state.orphaned:
        return None
    return _server(state, home.resolve())


def stop(home: Path) -> bool:
    """End the server of `home` with all its workers and remove its temporary files.

    Returns:
        Whether one was running. Calling it again, or after a crash, only clears up.
    """
    if not home.is_dir():
        return False
    with locked(home / "lock"):  # two starts or stops in one home
        return _end_last(home.resolve())


def let_go(home: Path) -> None:
    """Let the server of `home` go on when the process is gone that it was started for."""
    state = server_state.read(home)
    if state is not None and state.supervised:
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.supervisor_pid, signal.SIGUSR1)
            server_state.write(home, replace(state, owner_pid=None, owner_identity=None))


def is_abandoned(home: Path) -> bool:
    """Tell whether a server, or what is left of one, has nobody any more who will clear up.

    Its supervisor was killed, too; `stop` does what is left to do.
    """
    state = server_state.read(home)
    if state is None:
        return supervisor.temp_of(home).is_dir()
    return not state.supervised


def log_tail(home: Path, lines: int) -> str:
    """Return the last lines of the server's log; empty if there is none."""
    try:
        text = supervisor.log_of(home).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""


def check_account(account_id: str) -> str:
    """Return `account_id` if it is one.

    Raises:
        UserError: It is not 12 digits.
    """
    if not re.fullmatch(r"[0-9]{12}", account_id):
        raise UserError(f"account id {brief(repr(account_id))}: must be 12 digits, as 000000000000")
    return account_id


def check_region(region: str) -> str:
    """Return `region` if it looks like one.

    Raises:
        UserError: It does not.
    """
    if not is_region(region):
        raise UserError(f"region {brief(repr(region))}: must look like us-east-1")
    return region


def check_concurrency(limit: int) -> int:
    """Return `limit` if so many Lambda invocations may run at once.

    Raises:
        UserError: It is out of range.
    """
    if not 1 <= limit <= MOST_CONCURRENCY:
        raise UserError(f"concurrency {limit}: must be 1 to {MOST_CONCURRENCY}")
    return limit


def _launch(home: Path, wanted: ServerState, python: Path, program: Sequence[str]) -> ServerState:
    """Start supervisor and server; the supervisor writes down which processes they are."""
    temp = supervisor.temp_of(home)
    temp.mkdir(mode=0o700, exist_ok=True)
    orders = supervisor.Orders(
        command=[str(python), *program],
        environment=_server_environment(home, wanted, python),
        home=str(home),
        state=asdict(wanted),
    )
    package_root = str(Path(__file__).resolve().parents[2])
    completed = subprocess.run(
        [sys.executable, "-m", supervisor.__name__],
        input=json.dumps(asdict(orders)),
        env=_safe_environment() | {"PYTHONPATH": package_root, "HOME": str(temp)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    state = server_state.read(home)
    if state is None:
        said = completed.stderr.strip().splitlines() or ["its supervisor says nothing"]
        raise StepError("local", f"The embedded AWS could not be started: {said[-1]}")
    return state


def _server_environment(home: Path, wanted: ServerState, python: Path) -> dict[str, str]:
    """Return the server's whole environment; its Lambda workers inherit it, but for the secret.

    Nothing of the caller's AWS_* or PYTHON* gets in: the server must not find real credentials.
    """
    temp = str(supervisor.temp_of(home))
    return (
        _safe_environment()
        | sandboxes.environment(home, python, wanted.port)
        | installation.lent()
        | {
            "AUTH": "true",  # IAM is enforced
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(wanted.port),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": wanted.account_id,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": wanted.region,
            "LAMBDA_ACCOUNT_CONCURRENCY": str(wanted.account_concurrency),
            # no Docker daemon: MiniStack would look for its own containers there and remove them
            "DOCKER_HOST": f"unix://{temp}/no-docker.sock",
            "HOME": temp,
            "TMPDIR": temp,
            "TZ": ":UTC",  # as in AWS Lambda
            "LANG": "en_US.UTF-8",  # as in AWS Lambda
            "PYTHONUNBUFFERED": "1",
            "DYNO_SECRET": wanted.secret,
        }
    )


def _safe_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _SAFE_VARIABLES if name in os.environ}


def _wait_until_healthy(state: ServerState, deadline_s: float) -> bool:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if _answers(state.endpoint) and state.running and _listens(state):
            return True
        if not state.running:
            return False
        time.sleep(0.05)
    return False


def _answers(endpoint: str) -> bool:
    try:
        # a proxy of the user's is never asked for 127.0.0.1
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{endpoint}/_ministack/health", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _listens(state: ServerState) -> bool:
    """Tell whether it is this very server that listens, and not one that won the port."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == state.port
            for connection in psutil.Process(state.pid).net_connections(kind="tcp")
        )
    return False


def _end(state: ServerState, home: Path) -> None:
    """End server, workers and supervisor; each only if it still is the process we started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if state.supervised:
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.supervisor_pid, number)
            deadline = time.monotonic() + _STOP_DEADLINE_S
            while state.supervised and time.monotonic() < deadline:
                time.sleep(0.02)
    supervisor.end_server(state.pid, state.identity, home)


def _end_last(home: Path) -> bool:
    """End the server of `home` if there is one, and remove what it left; tell whether it ran."""
    state = server_state.read(home)
    was_running = state is not None and state.running
    if state is not None:
        _end(state, home)
    else:
        supervisor.end_server(0, "", home)
    server_state.file_of(home).unlink(missing_ok=True)
    return was_running


def _server(state: ServerState, home: Path) -> LocalServer:
    return LocalServer(
        endpoint=state.endpoint,
        pid=state.pid,
        account_id=state.account_id,
        region=state.region,
        home=home,
        account_concurrency=state.account_concurrency,
        secret=state.secret,
    )


def _as_asked(running: LocalServer, port: int | None, concurrency: int | None) -> LocalServer:
    """Return the server that runs, unless another one was asked for."""
    if port is not None and running.endpoint != f"http://{HOST}:{port}":
        raise UserError(
            f"the embedded AWS already runs at {running.endpoint}; "
            "stop it first (dyno local stop), or leave the port out"
        )
    if concurrency is not None and running.account_concurrency != concurrency:
        raise UserError(
            f"the embedded AWS already runs with a concurrency of {running.account_concurrency}; "
            "stop it first (dyno local stop), or leave the concurrency out"
        )
    return running
