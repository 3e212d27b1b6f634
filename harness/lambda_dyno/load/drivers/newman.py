"""Newman as the load driver: smoke tests, load tests and turns of Postman collections.

Newman runs as a library inside `postman/run.mjs`, which this module starts. The driver gets
its settings as JSON on stdin, the keys that sign requests in its environment, and newer ones on
stdin again, so no secret is ever in an argument list or a file. It writes JSON events to stdout.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions

from lambda_dyno.core import addresses, assets, cache
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.core.recording import Recording, Sent
from lambda_dyno.core.results import Probe, SmokeAssertion, SmokeFailure, SmokeRequest, SmokeResult
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import (
    Allowed,
    Api,
    ApiCredentials,
    DriverReport,
    DriverUsage,
    LoadProgress,
    LoadTest,
    Need,
    NotReady,
    OnProgress,
    OnWait,
)
from lambda_dyno.load.kept import Kept
from lambda_dyno.load.machine import MachineMeter, usable_cores
from lambda_dyno.load.schedule import ClosedSchedule, OpenSchedule
from lambda_dyno.runs import process
from lambda_dyno.runs.npm_packages import NotFetchedError, NpmPackages

NODE_MIN = 20
NODE_ANSWER_S = 20.0  # it takes 0.05 s
_NODE = "https://nodejs.org/ (npm comes with it; also by apt, brew, nvm, ...)"

_ROOT = assets.root()
COMMAND = ("node", "--no-deprecation", str(_ROOT / "postman" / "run.mjs"))

_SMOKE_REQUEST_TIMEOUT_MS = 15_000
# Beyond the test itself: the driver's own start and end, on a busy machine too.
_SMOKE_SLACK_S = 30.0
_LOAD_SLACK_S = 60.0
_TURNS_START_S = 120.0
_ITERATIONS = 2  # what differs between them is made anew each time
_CREDENTIAL_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LOOK_S = 0.5
_RENEW_S = 20.0  # how often it is asked whether keys are still the newest
_TAIL_LINES = 12
_TAIL_LENGTH = 1500

Event = dict[str, Any]


def check() -> str:
    """Return the version of Node.js here, and make sure that Newman is there, too.

    The first time, Newman is fetched into a cache folder, from the lock file of this package.

    Raises:
        UserError: Node.js is missing or too old, or Newman cannot be had.
    """
    version = _node_version()
    if _node_modules() is None:
        packages, place = _fetched()
        try:
            cache.make(place.parent)
            packages.fetch(place)
        except NotFetchedError as error:
            raise UserError(
                f"Newman cannot be fetched: {error}. It needs npm, which comes with Node.js, and a "
                "package registry that npm reaches, once; or `npm install newman` in your project."
            ) from error
    return version


def needs() -> Iterator[Need]:
    """Do as `LoadDriver.needs` says."""
    try:
        yield Need("Node.js", True, _node_version())
    except UserError as error:
        yield Need("Node.js", False, str(error), _NODE)
        return
    modules = _node_modules()
    if modules is not None:
        yield Need("Newman", True, f"{_version_of(modules / 'newman')}, {modules}")
    elif shutil.which("npm") is None:
        yield Need("Newman", False, "there is no `npm` on PATH to fetch it by", _NODE)
    else:
        text = "fetched by npm before the first smoke or load test, from a lock with hashes"
        yield Need("Newman", True, text)


def _version_of(package: Path) -> str:
    try:
        return str(read_object(package / "package.json").get("version", "?"))
    except UnreadableError:
        return "?"


def _node_version() -> str:
    """Return the version of Node.js here, without the v.

    Raises:
        UserError: It is missing or too old.
    """
    wanted = f"Node.js {NODE_MIN} or newer is needed for Newman"
    node = shutil.which("node")
    if node is None:
        raise UserError(f"{wanted}, and there is no `node` on PATH: {_NODE}")
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
    return answer.removeprefix("v")


def _node_modules() -> Path | None:
    """Return the folder that has Newman; None: it has not been fetched yet.

    This project's own, that of whoever uses it, or the one that was fetched.
    """
    here = Path.cwd()
    for folder in (_ROOT, here, *here.parents):
        if _has_newman(folder):
            return folder / "node_modules"
    _, place = _fetched()
    return place / "node_modules" if _has_newman(place) else None


def _has_newman(folder: Path) -> bool:
    return (folder / "node_modules" / "newman" / "package.json").is_file()


def _fetched() -> tuple[NpmPackages, Path]:
    """Return the packages of this package's own lock, and where they are or will be."""
    packages = NpmPackages(_ROOT, "Newman")
    return packages, packages.place(cache.folder_of("newman"), "newman")


@contextmanager
def prepared(api: Api) -> Iterator[Callable[[], None]]:
    """Do as `LoadDriver.prepared` says: one driver has all jobs, with the processes of its users.

    Node.js and Newman take a second to start in each of them, and one more to be fast.
    """
    with _KEPT.for_all_jobs():
        yield lambda: _KEPT.get_ready(_environment(api))


def smoke(
    api: Api,
    files: CollectionFiles,
    *,
    log: Path,
    timeout_s: float,
    on_wait: OnWait = lambda _: None,
    ready_s: float | None = None,
) -> SmokeResult:
    """Do as `LoadDriver.smoke` says; Newman's own command line would count the same.

    What shows that the API is ready is the collection's first request to it that only reads,
    else the first one to it.
    """
    wait_s = api.ready_s if ready_s is None else ready_s
    config = {
        **_config("smoke", api, files, wait_s, _SMOKE_REQUEST_TIMEOUT_MS),
        "limit_ms": 1000 * timeout_s,
    }

    names: dict[str, None] = {}

    def follow(event: Event) -> None:
        if event["event"] == "waiting":
            on_wait(_not_ready(event))
        elif event["event"] == "request":
            names[str(event["request"])] = None

    done = _drive("smoke", config, api, log, timeout_s + 2 * wait_s + _SMOKE_SLACK_S, follow)
    failures = [SmokeFailure(**failure) for failure in done["failures"]]
    if "not_ready" in done:
        waited = _not_ready(done["not_ready"])
        failures = [SmokeFailure(waited.request, "the API is ready", str(waited), "request")]
    return SmokeResult(
        requests=done["requests"],
        assertions=done["assertions"],
        failures=tuple(failures),
        skipped=done["skipped"],
        names=tuple(names),
        asked=tuple(map(_asked, done.get("asked", ()))),
    )


def _asked(event: Event) -> SmokeRequest:
    assertions = tuple(SmokeAssertion(**one) for one in event["assertions"])
    return SmokeRequest(**{**event, "assertions": assertions})


def record(
    api: Api,
    files: CollectionFiles,
    *,
    log: Path,
    timeout_s: float,
    on_wait: OnWait = lambda _: None,
    ready_s: float | None = None,
    safe: Sequence[str] | None = None,
) -> Recording:
    """Do as `LoadDriver.record` says; each scenario is recorded by itself."""
    wait_s = api.ready_s if ready_s is None else ready_s
    config = {
        **_config("record", api, files, wait_s, _SMOKE_REQUEST_TIMEOUT_MS),
        "iterations": _ITERATIONS,
        "limit_ms": 1000 * timeout_s,
        "safe": None if safe is None else list(safe),
    }

    def follow(event: Event) -> None:
        if event["event"] == "waiting":
            on_wait(_not_ready(event))

    limit_s = _ITERATIONS * timeout_s + 2 * wait_s + _SMOKE_SLACK_S
    done = _drive("workload", config, api, log, limit_s, follow, secret=True)
    if "not_ready" in done:
        raise StepError("workload", str(_not_ready(done["not_ready"])))
    secrets = tuple(done["secrets"])
    first, *others = (
        Recording(
            iterations=tuple(tuple(map(_sent, one)) for one in scenario["iterations"]),
            secrets=secrets,
            weight=scenario["weight"],
        )
        for scenario in done["scenarios"]
    )
    return replace(first, others=tuple(others))


def _sent(event: Event) -> Sent:
    answer = event["answer"]
    return Sent(
        name=event["name"],
        method=event["method"],
        url=event["url"],
        headers=tuple((name, value) for name, value in event["headers"]),
        body=base64.b64decode(event["body"]),
        status=event["status"],
        answer_headers=tuple((name, value) for name, value in answer["headers"]),
        answer=answer["text"],
        by_script=event["by_script"],
    )


def load(test: LoadTest, on_progress: OnProgress, on_wait: OnWait) -> DriverReport:
    """Do as `LoadDriver.load` says; the users are spread over one process per core."""
    config = {
        **_config("load", test.api, test.files, test.ready_s, test.request_timeout_ms),
        "only_port": urlsplit(test.api.url).port if test.only_here else None,
        "folder": str(test.folder),
        "name": test.name,
        "held": True,
        "processes": _processes(test.schedule.users),
        "plan": _plan(test.schedule, test.pacing_ms),
        "duration_ms": test.schedule.duration_s * 1000,
    }
    machine = MachineMeter()

    def follow(event: Event) -> None:
        match event["event"]:
            case "waiting":
                on_wait(_not_ready(event))
            case "go":
                machine.start()
            case "done":
                machine.stop()
            case "progress":
                told = {name: value for name, value in event.items() if name != "event"}
                on_progress(LoadProgress(duration_s=test.schedule.duration_s, **told))

    limit_s = test.schedule.duration_s + 2 * (test.request_timeout_ms / 1000 + test.ready_s)
    log = test.folder / f"{test.name}.log"
    done = _drive(
        "load",
        config,
        test.api,
        log,
        limit_s + _LOAD_SLACK_S,
        follow,
        meanwhile=test.meanwhile,
    )
    if "not_ready" in done:
        raise StepError("load", str(_not_ready(done["not_ready"])))
    return _report(done, machine)


@contextmanager
def turns(
    profile: LoadSettings,
    apis: Mapping[str, Api],
    files: CollectionFiles,
    *,
    folder: Path,
    log: Path,
) -> Iterator[_Turns]:
    """Do as `LoadDriver.turns` says: one driver for all turns."""
    first = next(iter(apis.values()))
    config = {
        **_config("turns", first, files, first.ready_s, profile.request_timeout_ms),
        "folder": str(folder),
        "processes": _processes(profile.virtual_users),
        "users": profile.virtual_users,
        "pacing_ms": profile.pacing_ms,
        "targets": {version: api.url.rstrip("/") for version, api in apis.items()},
    }
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with process.talking(
        COMMAND,
        env=_environment(first),
        log=log,
        on_line=lambda line: events.put(json.loads(line)),
    ) as talk:
        driver = _Turns(talk, events, 2 * profile.request_timeout_ms / 1000 + _LOAD_SLACK_S)
        talk.say(json.dumps(config))
        with _renewing(first, talk.say):
            driver.wait_for("ready", _TURNS_START_S + 2 * first.ready_s)
            yield driver


class _Turns:
    """A driver that runs and waits for its next turn."""

    def __init__(
        self, talk: process.Conversation, events: queue.SimpleQueue[Event], timeout_s: float
    ) -> None:
        self._talk = talk
        self._events = events
        self._timeout_s = timeout_s  # over a turn's own duration

    def turn(
        self, version: str, duration_s: float, name: str, *, warm_up_s: float = 0.0
    ) -> DriverReport:
        """Do as `Turns.turn` says."""
        asked = {"target": version, "duration_ms": duration_s * 1000, "name": name}
        self._talk.say(json.dumps({**asked, "warm_up_ms": warm_up_s * 1000}))
        machine = MachineMeter()
        time.sleep(warm_up_s)
        machine.start()
        done = self.wait_for("turn", duration_s + self._timeout_s)
        machine.stop()
        return _report(done, machine)

    def wait_for(self, event: str, timeout_s: float) -> Event:
        """Return the next event of a kind.

        Raises:
            StepError: It does not come, or one of the APIs does not become ready.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = self._events.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._talk.ended:
                    raise StepError("compare", "the Newman driver ended before its time") from None
                if time.monotonic() > deadline:
                    raise StepError(
                        "compare", f"the Newman driver did not answer within {timeout_s:g} s"
                    ) from None
                continue
            if found.get("event") == "not_ready":
                raise StepError("compare", str(_not_ready(found)))
            if found.get("event") == event:
                return found


def _config(
    mode: str, api: Api, files: CollectionFiles, ready_s: float, request_timeout_ms: int
) -> Event:
    """Return what `postman/run.mjs` takes in every mode, once the files and Node.js are well."""
    files.check()
    files.check_secrets()
    check()
    return {
        "mode": mode,
        "allowed": _rules(api.allowed),
        **files.for_driver(),
        "signed": api.credentials is not None,
        "variables": {"baseUrl": api.url.rstrip("/"), "region": api.region},
        "ready_timeout_ms": 1000 * ready_s,
        "request_timeout_ms": request_timeout_ms,
    }


def _rules(allowed: Allowed | None) -> Event | None:
    """Return what `postman/driver/allowed.mjs` takes."""
    if allowed is None:
        return None
    return {
        "places": list(allowed.places),
        "own": allowed.own,
        "safe": list(allowed.safe),
        "requests": allowed.requests_left,
        "blocked": list(addresses.BLOCKED),
    }


def _plan(schedule: ClosedSchedule | OpenSchedule, pacing_ms: int) -> Event:
    if isinstance(schedule, OpenSchedule):
        return {"arrivals_ms": [1000 * at for at in schedule.arrivals_s], "users": schedule.users}
    lifetimes = [[1000 * begin, 1000 * end] for begin, end in schedule.lifetimes_s]
    return {"lifetimes_ms": lifetimes, "pacing_ms": pacing_ms}


def _processes(users: int) -> int:
    """Return how many driver processes so many users get: one per core."""
    return min(users, usable_cores())


def _not_ready(event: Event) -> NotReady:
    return NotReady(event["request"], event["last"], event["elapsed_s"], event["timeout_s"])


def _report(done: Event, machine: MachineMeter) -> DriverReport:
    return DriverReport(
        elapsed_s=float(done["elapsed_s"]),
        drivers=tuple(
            DriverUsage(float(one["cpu_ratio"]), float(one["loop_delay_p99_ms"]))
            for one in done["processes"]
        ),
        machine_cpu_ratio=machine.busy_ratio,
        round_trip_ms=done.get("round_trip_ms") or None,
        probe=Probe(**done["probe"]) if done.get("probe") else None,
    )


def _drive(
    step: str,
    config: Event,
    api: Api,
    log: Path,
    timeout_s: float,
    follow: Callable[[Event], None],
    *,
    meanwhile: Callable[[], None] | None = None,
    secret: bool = False,
) -> Event:
    """Run the driver to its end and return its last event.

    Args:
        step: Of the run.
        config: What the driver takes.
        api: What it asks.
        log: File for what it prints.
        timeout_s: Until it is stopped.
        follow: Called with each event.
        meanwhile: Called while it starts; it asks nothing before its input ends.
        secret: Whether its events may hold secrets, and are kept out of the log.

    Raises:
        StepError: It ended badly, too late, or without its last event.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    reader = _EventReader(follow)
    environment = _environment(api)
    try:
        with _KEPT.open_for(
            environment, alone=step == "load" and api.credentials is not None
        ) as kept:
            line = json.dumps({**config, "kept": kept is not None})
            if kept is not None:
                with _renewing(api, kept.say):
                    completed = kept.job(
                        line,
                        on_line=reader.read,
                        log=log,
                        timeout_s=timeout_s,
                        meanwhile=meanwhile,
                        secret=secret,
                    )
            else:
                completed = process.run(
                    COMMAND,
                    env=environment,
                    stdin=f"{line}\n",
                    meanwhile=meanwhile,
                    timeout_s=timeout_s,
                    log=log,
                    on_line=reader.read,
                    secret=secret,
                )
    except process.DeadlineError as error:
        raise StepError(step, f"the Newman driver: {error}", f"see {log}") from error
    reader.raise_failure()
    if completed is not None and (completed.returncode != 0 or reader.done is None):
        tail = "\n".join(completed.stderr.strip().splitlines()[-_TAIL_LINES:])[-_TAIL_LENGTH:]
        raise StepError(
            step,
            f"the Newman driver ended with status {completed.returncode}"
            + (f":\n{tail}" if tail else ""),
            f"see {log}",
        )
    assert reader.done is not None
    if api.allowed is not None:
        _settle(step, api.allowed, reader.done)
    return reader.done


@contextmanager
def _renewing(api: Api, say: Callable[[str], None]) -> Iterator[None]:
    """Tell a driver of new keys for as long as the block lasts: those of a role end in an hour.

    botocore gets new ones some minutes before the old ones end, when it is asked. They go by the
    driver's standard input, a pipe that nobody else reads.
    """
    renew = api.credentials.renew if api.credentials is not None else None
    if renew is None:
        yield
        return
    over = threading.Event()

    def follow() -> None:
        known = api.credentials
        while not over.wait(_RENEW_S):
            # who cannot be asked now may be asked again; requests that are refused are counted
            with suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                newest = renew()
                if newest != known:
                    known = newest
                    say(json.dumps({"renewed": _variables_of(newest)}))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_RENEW_S)


def _variables_of(keys: ApiCredentials) -> dict[str, str]:
    """Return keys by the variables that collections have them in."""
    return {
        "accessKey": keys.access_key,
        "secretKey": keys.secret_key,
        "sessionToken": keys.session_token,
    }


def _settle(step: str, allowed: Allowed, done: Event) -> None:
    """Take off what was sent, and tell what was not let through.

    Raises:
        StepError: Something was not; a smoke test tells of that itself, by its failures.
    """
    told = done.get("allowed") or {"sent": allowed.requests_left, "refused": 0, "first": ""}
    allowed.requests_left = max(0, allowed.requests_left - int(told["sent"]))
    if told["refused"] and step != "smoke" and "not_ready" not in done:
        raise StepError(
            step, f"{told['refused']} requests were not sent. The first: {told['first']}"
        )


class _Kept:
    """The driver that has all jobs of a run; none, where each job has its own."""

    def __init__(self) -> None:
        self._keeps = False
        self._held: tuple[dict[str, str], Kept] | None = None

    @contextmanager
    def for_all_jobs(self) -> Iterator[None]:
        """Keep a driver from its first job on, until the block ends."""
        self._keeps = True
        try:
            yield
        finally:
            self._keeps = False
            self._end()

    def get_ready(self, environment: dict[str, str]) -> None:
        """Start a driver, and its users' processes, before there is a job, if that is possible."""
        if self._keeps and self._held is None and shutil.which("node"):
            with suppress(OSError):
                started = Kept(COMMAND, env=environment)
                self._held = environment, started
                asked = {"mode": "prepare", "processes": usable_cores(), "kept": True}
                started.say(json.dumps(asked))

    @contextmanager
    def open_for(self, environment: dict[str, str], *, alone: bool) -> Iterator[Kept | None]:
        """Yield the driver for a job with this environment; None: it gets one of its own.

        Args:
            environment: Of the driver.
            alone: Whether one that is for this job alone must hear more than its job.
        """
        if self._keeps:
            yield self._of(environment)
            return
        if not alone:
            yield None
            return
        own = Kept(COMMAND, env=environment)
        try:
            yield own
        finally:
            own.end()

    def _of(self, environment: dict[str, str]) -> Kept:
        if self._held is not None and (self._held[1].ended or self._held[0] != environment):
            self._end()
        if self._held is None:
            self._held = environment, Kept(COMMAND, env=environment)
        return self._held[1]

    def _end(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held[1].end()


_KEPT = _Kept()


class _EventReader:
    """Takes the driver's events from the thread that drains its stdout."""

    def __init__(self, follow: Callable[[Event], None]) -> None:
        self._follow = follow
        self._failure: BaseException | None = None
        self.done: Event | None = None

    def read(self, line: str) -> bool:
        """Take an event, and return whether nothing comes after it."""
        # The pipe must be drained whatever happens here, so the first failure waits.
        try:
            event = json.loads(line)
            if event["event"] == "done":
                self.done = event
            if self._failure is None:
                self._follow(event)
            return event["event"] == "done" and not event.get("interrupted")
        except Exception as error:
            self._failure = self._failure or error
            return self.done is not None

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _environment(api: Api) -> dict[str, str]:
    """Return the driver's environment: the user's, with just the keys it is to sign with."""
    result = {k: v for k, v in os.environ.items() if k not in _CREDENTIAL_VARIABLES}
    if api.allowed is not None:
        # a proxy resolves names itself: what is connected to could not be looked at
        result = {k: v for k, v in result.items() if not k.lower().endswith("_proxy")}
    if (keys := api.credentials) is not None:
        values = (keys.access_key, keys.secret_key, keys.session_token)
        result |= dict(zip(_CREDENTIAL_VARIABLES, values, strict=True))
    modules = _node_modules()
    if modules is not None:
        result["NODE_PATH"] = os.pathsep.join(filter(None, (str(modules), result.get("NODE_PATH"))))
    if api.is_here:
        # A proxy cannot reach this machine's own services.
        for name in ("NO_PROXY", "no_proxy"):
            result[name] = ",".join(filter(None, (result.get(name), urlsplit(api.url).hostname)))
    return result
