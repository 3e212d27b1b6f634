"""The Newman driver that loads two versions in turns: one for all turns, made once."""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError
from lambda_dyno.core.results import Sample
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.drivers import newman
from lambda_dyno.load.samples import Drive, read_samples, saturation
from lambda_dyno.processes import process
from lambda_dyno.statistics.stats import percentile

_READY_S = 120.0
_SLACK_S = 60.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Turn:
    """What one version did in one of its turns; `saturated` as of a load test."""

    samples: Sequence[Sample]
    saturated: str


class TurnDriver:
    """A driver that runs. Use `running`."""

    def __init__(
        self,
        talk: process.Conversation,
        events: queue.SimpleQueue[Any],
        folder: Path,
        timeout_s: float,
    ) -> None:
        self._talk = talk
        self._events = events
        self._folder = folder
        self._timeout_s = timeout_s  # over a turn's own duration

    def turn(self, target: str, duration_s: float, name: str, *, warm_up_s: float = 0.0) -> Turn:
        """Load one version for some seconds.

        Args:
            target: Which of the targets.
            duration_s: How long iterations begin; the last ones are finished.
            name: Of the turn, different from all others.
            warm_up_s: How long it does not matter how busy everything is: sandboxes start.

        Raises:
            StepError: The driver ended, or takes too long.
        """
        asked = {"target": target, "duration_ms": duration_s * 1000, "name": name}
        self._talk.say(json.dumps({**asked, "warm_up_ms": warm_up_s * 1000}))
        machine = newman.MachineMeter()
        time.sleep(warm_up_s)
        machine.start()
        done = self.wait_for("turn", duration_s + self._timeout_s)
        machine.stop()
        parts = sorted(self._folder.glob(f"{name}-*.part.jsonl"))
        samples = read_samples(parts)
        for part in parts:
            part.unlink()
        answered = sorted(sample.response_ms for sample in samples if sample.answered)
        p50_ms = percentile(answered, 0.5) if answered else 0.0
        return Turn(samples, saturation(Drive.of(done, machine.busy_ratio), p50_ms))

    def wait_for(self, event: str, timeout_s: float) -> Mapping[str, Any]:
        """Return the next event of a kind.

        Raises:
            StepError: It does not come, or one of the APIs does not become ready.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found: Mapping[str, Any] = self._events.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._talk.ended:
                    raise StepError("compare", "the Newman driver ended before its time") from None
                if time.monotonic() > deadline:
                    raise StepError(
                        "compare", f"the Newman driver did not answer within {timeout_s:g} s"
                    ) from None
                continue
            if found.get("event") == "not_ready":
                raise StepError("compare", str(newman.NotReady.of(dict(found))))
            if found.get("event") == event:
                return found

    @classmethod
    @contextmanager
    def running(
        cls,
        profile: LoadSettings,
        targets: Mapping[str, str],
        *,
        credentials: newman.ApiCredentials | None,
        region: str,
        folder: Path,
        log: Path,
        collection: Path | CollectionFiles,
    ) -> Iterator[TurnDriver]:
        """Start the driver: users for each target, who wait for their turns.

        Args:
            profile: Its users, their pace and their time-out hold for each turn.
            targets: The API's URL with its stage, by version.
            credentials: Keys that sign the requests; None for APIs without authorization.
            region: The APIs' region.
            folder: For the samples of a turn while it lasts; made if missing.
            log: File for everything the driver prints.
            collection: What an iteration asks.

        Raises:
            UserError: Node.js is missing or too old, or the collection cannot be read.
            StepError: It does not start.
        """
        files = CollectionFiles.of(collection)
        files.check()
        newman.check_node()
        folder.mkdir(parents=True, exist_ok=True)
        first = next(iter(targets.values()))
        config = {
            "mode": "turns",
            **files.for_driver(),
            "folder": str(folder),
            "processes": newman.processes(profile.virtual_users),
            "users": profile.virtual_users,
            "pacing_ms": profile.pacing_ms,
            "request_timeout_ms": profile.request_timeout_ms,
            "ready_timeout_ms": 1000 * newman.ready_timeout_s(first),
            "targets": {version: url.rstrip("/") for version, url in targets.items()},
            **newman.target_of(first, credentials, region),
        }
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with process.talking(
            newman.COMMAND,
            env=newman.driver_environment(os.environ, first, credentials),
            log=log,
            on_line=lambda line: events.put(json.loads(line)),
        ) as talk:
            timeout_s = 2 * profile.request_timeout_ms / 1000 + _SLACK_S
            driver = cls(talk, events, folder, timeout_s)
            talk.say(json.dumps(config))
            driver.wait_for("ready", _READY_S + 2 * newman.ready_timeout_s(first))
            yield driver
