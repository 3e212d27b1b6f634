"""Newman: the smoke test and the load test of a deployed API.

Newman runs as a library inside `postman/run.mjs`, which this module starts. The driver gets
its settings as JSON on stdin and the keys that sign requests in its environment, so no secret
is ever in an argument list or a file. It writes JSON events to stdout.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from lambda_dyno.core import assets
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.results import LoadResult, SmokeFailure, SmokeResult
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.samples import (
    Drive,
    LoadProgress,
    after_warm_up,
    during_warm_up,
    read_samples,
    summarise,
    write_samples,
)
from lambda_dyno.load.schedule import ClosedPlan, OpenPlan, plan_of
from lambda_dyno.processes import process

NODE_MIN = 20
NODE_ANSWER_S = 20.0  # it takes 0.05 s

_ROOT = assets.root()
_POSTMAN = _ROOT / "postman"
COMMAND = ("node", "--no-deprecation", str(_POSTMAN / "run.mjs"))
SMOKE_COLLECTION = _POSTMAN / "smoke.postman_collection.json"
LOAD_COLLECTION = _POSTMAN / "load.postman_collection.json"

_SMOKE_REQUEST_TIMEOUT_MS = 15_000
_SMOKE_SLACK_S = 30.0  # the driver's own start and end, on a busy machine too
# How long a new API may take to reach all hosts of API Gateway; one of this machine has one host.
_READY_S = 90.0
_READY_HERE_S = 5.0
_CREDENTIAL_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# Beyond the profile: the driver's own start and end.
_LOAD_SLACK_S = 60.0
_TAIL_LINES = 12
_TAIL_LENGTH = 1500

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """Keys that sign requests to an API with AWS_IAM authorization."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SmokeProgress:
    """The request of the smoke test that was just answered."""

    requests: int  # so far, this one included
    request: str
    status: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class NotReady:
    """An API that does not answer well five times in a row, over new connections.

    Attributes:
        request: Name of the request that is asked.
        last: The newest bad answer, such as '403 {"message":"Missing Authentication Token"}'.
        elapsed_s: How long it has been asked.
        timeout_s: How long it is asked at most.
    """

    request: str
    last: str
    elapsed_s: float
    timeout_s: float

    @classmethod
    def of(cls, event: Event) -> NotReady:
        """Return what an event of the driver says."""
        return cls(event["request"], event["last"], event["elapsed_s"], event["timeout_s"])

    def __str__(self) -> str:
        return (
            f"the API is not ready after {self.elapsed_s:.0f} s: `{self.request}` was not answered "
            f"well 5 times in a row over new connections; its last bad answer: {self.last}"
        )


OnWait = Callable[[NotReady], None]


def ready_timeout_s(base_url: str) -> float:
    """Return how many seconds an API gets to become ready."""
    return _READY_HERE_S if _is_loopback(urlsplit(base_url).hostname or "") else _READY_S


def check_node() -> str:
    """Return the version of Node.js here, and make sure that Newman is there, too.

    Raises:
        UserError: Node.js is missing or too old, or Newman is not installed.
    """
    wanted = f"Node.js {NODE_MIN} or newer is needed for Newman"
    node = shutil.which("node")
    if node is None:
        raise UserError(f"{wanted}, and there is no `node` on PATH.")
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=NODE_ANSWER_S, check=True
        ).stdout.strip()
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{wanted}; {node} does not answer: {NODE_ANSWER_S:g} s for --version"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"{wanted}; {node} ends with status {error.returncode}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{wanted}; {node} does not run: {error}") from error
    found = re.fullmatch(r"v(\d+)\.\d+\.\d+.*", answer)
    if found is None or int(found[1]) < NODE_MIN:
        raise UserError(f"{wanted}; {node} is {answer or 'of no version'}.")
    if _node_modules() is None:
        raise UserError(
            "Newman is not installed: run `make setup`, or `npm install newman` in your project."
        )
    return answer.removeprefix("v")


def _node_modules() -> Path | None:
    """Return the folder that has Newman: this project's, or that of whoever uses it."""
    here = Path.cwd()
    for folder in (_ROOT, here, *here.parents):
        if (folder / "node_modules" / "newman" / "package.json").is_file():
            return folder / "node_modules"
    return None


def run_smoke(
    *,
    base_url: str,
    credentials: ApiCredentials | None,
    region: str,
    log: Path,
    timeout_s: float,
    on_progress: Callable[[SmokeProgress], None] = lambda _: None,
    on_wait: OnWait = lambda _: None,
    collection: Path | CollectionFiles | None = None,
    ready_s: float | None = None,
) -> SmokeResult:
    """Ask the API every operation and every refusal once, as soon as it is ready.

    Ready is an API that answers well five times in a row, each over a new connection. What is
    asked is the collection's first request to the API that only reads, else the first one to it.
    Then requests, assertions and failures are those that Newman's own command line counts.

    Args:
        base_url: The API with its stage, such as "https://x.execute-api.../v1".
        credentials: Keys that sign the requests; None for an API without authorization.
        region: The API's region.
        log: File for everything the driver prints.
        timeout_s: Seconds until the driver is stopped, once the API is ready.
        on_progress: Called after each answer, from another thread.
        on_wait: Called after each bad answer of an API that is not ready, from another thread.
        collection: What is asked; None is this project's own CRUD collection.
        ready_s: How long to wait for the API; None is 90 s (5 s for one of this machine), 0 asks
            at once. One that is not ready then is a failure in the result, unless it answers and
            the collection asserts nothing about what was asked: then it is asked all the same.

    Raises:
        UserError: Node.js is missing or too old, or the collection cannot be read.
        StepError: The driver failed. Assertions that do not hold are in the result instead.
    """
    files = CollectionFiles.of(collection or SMOKE_COLLECTION)
    files.check()
    config = {
        "mode": "smoke",
        "request_timeout_ms": _SMOKE_REQUEST_TIMEOUT_MS,
        "limit_ms": 1000 * timeout_s,
        **files.for_driver(),
        **target_of(base_url, credentials, region),
    }
    requests = 0
    wait_s = ready_timeout_s(base_url) if ready_s is None else ready_s
    config["ready_timeout_ms"] = 1000 * wait_s

    def follow(event: Event) -> None:
        nonlocal requests
        if event["event"] == "waiting":
            on_wait(NotReady.of(event))
        elif event["event"] == "request":
            requests += 1
            on_progress(
                SmokeProgress(requests, event["request"], event["status"], event["latency_ms"])
            )

    timeout_s += 2 * wait_s + _SMOKE_SLACK_S
    done = _drive("smoke", config, credentials, log=log, timeout_s=timeout_s, follow=follow)
    failures = [SmokeFailure(**failure) for failure in done["failures"]]
    if "not_ready" in done:
        waited = NotReady.of(done["not_ready"])
        failures = [SmokeFailure(waited.request, "the API is ready", str(waited), "request")]
    return SmokeResult(
        requests=done["requests"],
        assertions=done["assertions"],
        failures=tuple(failures),
        skipped=done["skipped"],
    )


def run_load(
    profile: LoadSettings,
    *,
    label: str,
    memory_mb: int,
    base_url: str,
    credentials: ApiCredentials | None,
    region: str,
    folder: Path,
    on_progress: Callable[[LoadProgress], None] = lambda _: None,
    on_wait: OnWait = lambda _: None,
    plan: ClosedPlan | OpenPlan | None = None,
    collection: Path | CollectionFiles | None = None,
    ready_s: float | None = None,
    only_here: bool = False,
) -> LoadResult:
    """Load the API with virtual users and keep every latency, as soon as it is ready.

    Each user works through the load collection again and again, on a connection of its own.
    In a closed loop a slow API gets fewer requests; in an open one it gets them all, and their
    wait counts. The users are spread over one process per core.

    Args:
        profile: How many users or arrivals, how long, and what is left out as warm-up.
        label: "current" or "recommended"; names the files.
        memory_mb: Memory size that the function has now.
        base_url: The API with its stage.
        credentials: Keys that sign the requests; None for an API without authorization.
        region: The API's region.
        folder: Where LABEL.jsonl (the samples), LABEL-warm-up.jsonl (those that do not count)
            and LABEL.log go; made if missing.
        on_progress: Called about every second, from another thread.
        on_wait: Called after each bad answer of an API that is not ready, from another thread.
        plan: A plan (`load.schedule`) in place of the profile's own; of the profile
            `pacing_ms`, `warm_up_s` and `request_timeout_ms` still hold.
        collection: What an iteration asks; None is this project's own CRUD collection.
        ready_s: How long to wait for the API, as in `run_smoke`.
        only_here: Whether all requests go to `base_url`, which is on this machine, even those
            that the collection sends elsewhere.

    Returns:
        The result; its `samples_path` is relative to the parent of `folder`.

    Raises:
        UserError: Node.js is missing or too old, or the collection cannot be read.
        StepError: The API is not ready in time, or the driver failed; what it measured until
            then is in `folder`.
    """
    asked_for = plan
    plan = asked_for or plan_of(profile)
    if not plan.users:
        raise ValueError("a load test needs at least one user")
    files = CollectionFiles.of(collection or LOAD_COLLECTION)
    files.check()
    folder.mkdir(parents=True, exist_ok=True)
    _remove_parts(folder, label)
    config = {
        "mode": "load",
        "only_port": urlsplit(base_url).port if only_here else None,
        **files.for_driver(),
        "folder": str(folder),
        "name": label,
        "processes": processes(plan.users),
        "plan": _plan_json(plan, profile.pacing_ms),
        "duration_ms": plan.duration_s * 1000,
        "request_timeout_ms": profile.request_timeout_ms,
        **target_of(base_url, credentials, region),
    }
    wait_s = ready_timeout_s(base_url) if ready_s is None else ready_s
    config["ready_timeout_ms"] = 1000 * wait_s
    machine = MachineMeter()

    def follow(event: Event) -> None:
        if event["event"] == "waiting":
            on_wait(NotReady.of(event))
        elif event["event"] == "go":
            machine.start()
        elif event["event"] == "done":
            machine.stop()
        elif event["event"] == "progress":
            on_progress(
                LoadProgress(
                    elapsed_s=event["elapsed_s"],
                    duration_s=plan.duration_s,
                    requests=event["requests"],
                    errors=event["errors"],
                    active_users=event["active_users"],
                )
            )

    samples_file = folder / f"{label}.jsonl"
    timeout_s = plan.duration_s + 2 * profile.request_timeout_ms / 1000 + _LOAD_SLACK_S
    timeout_s += 2 * wait_s
    try:
        done = _drive(
            "load",
            config,
            credentials,
            log=folder / f"{label}.log",
            timeout_s=timeout_s,
            follow=follow,
        )
        if "not_ready" in done:
            raise StepError("load", str(NotReady.of(done["not_ready"])))
    finally:
        # Also after a failure or Ctrl-C: what was measured is kept.
        every = read_samples(sorted(folder.glob(f"{label}-*.part.jsonl")))
        samples = after_warm_up(every, profile.warm_up_s)
        left_out = during_warm_up(every, profile.warm_up_s)
        write_samples(samples, samples_file)
        if left_out:
            write_samples(left_out, folder / f"{label}-warm-up.jsonl")
        _remove_parts(folder, label)
    result = summarise(
        samples,
        Drive.of(done, machine.busy_ratio),
        profile,
        label=label,
        memory_mb=memory_mb,
        samples_path=f"{folder.name}/{samples_file.name}",
        left_out=left_out,
    )
    if asked_for is None:
        return result
    return replace(result, loop="open" if isinstance(plan, OpenPlan) else "closed", profile="")


def _plan_json(plan: ClosedPlan | OpenPlan, pacing_ms: int) -> Event:
    """Return a plan as the driver takes it."""
    if isinstance(plan, OpenPlan):
        return {"arrivals_ms": [1000 * at for at in plan.arrivals_s], "users": plan.users}
    lifetimes = [[1000 * begin, 1000 * end] for begin, end in plan.lifetimes_s]
    return {"lifetimes_ms": lifetimes, "pacing_ms": pacing_ms}


def processes(users: int) -> int:
    """Return how many driver processes so many users get: one per core, none without a user."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(users, allowed or 1)


def _remove_parts(folder: Path, label: str) -> None:
    for part in folder.glob(f"{label}-*.part.jsonl"):
        part.unlink()


def target_of(base_url: str, credentials: ApiCredentials | None, region: str) -> Event:
    """Return what a collection needs to know of the API."""
    return {
        "signed": credentials is not None,
        "variables": {"baseUrl": base_url.rstrip("/"), "region": region},
    }


def _drive(
    step: str,
    config: Event,
    credentials: ApiCredentials | None,
    *,
    log: Path,
    timeout_s: float,
    follow: Callable[[Event], None],
) -> Event:
    """Run the driver to its end and return its last event.

    Raises:
        StepError: It ended badly, too late, or without its last event.
    """
    check_node()
    log.parent.mkdir(parents=True, exist_ok=True)
    reader = _EventReader(follow)
    try:
        completed = process.run(
            COMMAND,
            env=driver_environment(os.environ, config["variables"]["baseUrl"], credentials),
            stdin=json.dumps(config),
            timeout_s=timeout_s,
            log=log,
            on_line=reader.read,
        )
    except process.DeadlineError as error:
        raise StepError(step, f"the Newman driver: {error}", f"see {log}") from error
    reader.raise_failure()
    if completed.returncode != 0 or reader.done is None:
        tail = "\n".join(completed.stderr.strip().splitlines()[-_TAIL_LINES:])[-_TAIL_LENGTH:]
        raise StepError(
            step,
            f"the Newman driver ended with status {completed.returncode}"
            + (f":\n{tail}" if tail else ""),
            f"see {log}",
        )
    return reader.done


class _EventReader:
    """Takes the driver's events from the thread that drains its stdout."""

    def __init__(self, follow: Callable[[Event], None]) -> None:
        self._follow = follow
        self._failure: BaseException | None = None
        self.done: Event | None = None

    def read(self, line: str) -> None:
        # The pipe must be drained whatever happens here, so the first failure waits.
        if self._failure is not None:
            return
        try:
            event = json.loads(line)
            if event["event"] == "done":
                self.done = event
            self._follow(event)
        except Exception as error:
            self._failure = error

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def driver_environment(
    environ: Mapping[str, str], base_url: str, credentials: ApiCredentials | None
) -> dict[str, str]:
    """Return the driver's environment: the user's, with just the keys it is to sign with."""
    result = {k: v for k, v in environ.items() if k not in _CREDENTIAL_VARIABLES}
    if credentials is not None:
        values = (credentials.access_key, credentials.secret_key, credentials.session_token)
        result |= dict(zip(_CREDENTIAL_VARIABLES, values, strict=True))
    modules = _node_modules()
    if modules is not None:
        result["NODE_PATH"] = os.pathsep.join(filter(None, (str(modules), result.get("NODE_PATH"))))
    host = urlsplit(base_url).hostname or ""
    if _is_loopback(host):
        # A proxy cannot reach this machine's own services.
        for name in ("NO_PROXY", "no_proxy"):
            result[name] = ",".join(filter(None, (result.get(name), host)))
    return result


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class MachineMeter:
    """Share of all cores that were busy, with whatever, between start and stop."""

    def __init__(self) -> None:
        self._from: tuple[float, float] | None = None
        self.busy_ratio = 0.0

    def start(self) -> None:
        """Begin."""
        self._from = self._times()

    def stop(self) -> None:
        """End, and set `busy_ratio`."""
        if self._from is None:
            return
        busy, total = (now - then for now, then in zip(self._times(), self._from, strict=True))
        self.busy_ratio = min(1.0, max(0.0, busy / total)) if total > 0 else 0.0

    @staticmethod
    def _times() -> tuple[float, float]:
        times = psutil.cpu_times()
        # Linux counts guest time in user and nice as well.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return total - times.idle - getattr(times, "iowait", 0.0), total
