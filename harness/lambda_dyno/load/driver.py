"""What a load driver is: the program that asks an API, and what goes to it and comes back.

`load.drivers` has the drivers and says which one is used. A driver is a module, or anything else,
with the functions of `LoadDriver`. It asks and measures; what its figures mean is decided by
whoever called it, the same for every driver.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.recording import Recording
from lambda_dyno.core.results import Probe, SmokeResult
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.schedule import ClosedSchedule, OpenSchedule

# How long a new API may take to reach all hosts of API Gateway; one of this machine has one host,
# which may be busy: at load 40 an answer takes seconds, and one that is late starts the count anew.
_READY_S = 90.0
_READY_HERE_S = 60.0
_READY_IN_USE_S = 10.0  # one that others use answers at once, or is not to be loaded


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """Keys that sign requests to an API with AWS_IAM authorization."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    # whoever has them after these: a role's end after an hour
    renew: Callable[[], ApiCredentials] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, session: Any) -> ApiCredentials:
        """Take those that a boto3 session has just now."""
        keys = session.get_credentials().get_frozen_credentials()
        return cls(keys.access_key, keys.secret_key, keys.token or "", lambda: cls.of(session))


@dataclass(slots=True)
class Allowed:
    """What may be sent where an API is somebody else's; a driver lets nothing else leave.

    Neither an item, a script, an authorization nor a redirect may send another request, or to
    another place. What a place's name resolves to must be public (`core.addresses`) at the moment
    of the connection.

    Attributes:
        places: Hosts with their ports, such as "api.example.com:443", by https alone.
        own: The address of the API at a stand-in for AWS, which need not be public: requests there
            begin with it; empty for AWS itself.
        safe: Names of requests that may be sent though they do not only read (GET, HEAD).
        requests_left: How many requests there may be; a driver takes off what it has sent.
    """

    places: tuple[str, ...]
    own: str = ""
    safe: tuple[str, ...] = ()
    requests_left: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a driver needs on this machine.

    Attributes:
        name: What it is.
        is_there: Whether it is there, or comes by itself before it is needed.
        text: What is there, or what is not, in a sentence.
        fix: How to get it; empty if it is there.
    """

    name: str
    is_there: bool
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    """The API that is asked.

    Attributes:
        url: With its stage, such as "https://x.execute-api.../v1".
        region: Its region, which is part of signatures.
        credentials: Keys that sign the requests; None for an API without authorization.
        allowed: What may be sent; None: whatever the collection has.
    """

    url: str
    region: str
    credentials: ApiCredentials | None = None
    allowed: Allowed | None = field(default=None, compare=False)

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def ready_s(self) -> float:
        """How many seconds it gets to become ready."""
        if self.allowed is not None:
            return _READY_IN_USE_S
        return _READY_HERE_S if self.is_here else _READY_S


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

    def __str__(self) -> str:
        return (
            f"the API is not ready after {self.elapsed_s:.0f} s: `{self.request}` was not answered "
            f"well 5 times in a row over new connections; its last bad answer: {self.last}"
        )


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load test is."""

    elapsed_s: float
    duration_s: float
    requests: int
    errors: int
    active_users: int


OnWait = Callable[[NotReady], None]
OnProgress = Callable[[LoadProgress], None]


@dataclass(frozen=True, slots=True)
class DriverUsage:
    """How busy one driver process was."""

    cpu_ratio: float  # of one core
    loop_delay_p99_ms: float  # how late its timers fired


@dataclass(frozen=True, slots=True)
class DriverReport:
    """What the samples of a load test do not tell: how long it took, how busy everything was."""

    elapsed_s: float
    drivers: tuple[DriverUsage, ...]
    machine_cpu_ratio: float
    round_trip_ms: float | None = None  # there and back to the API; None: not measured
    probe: Probe | None = None  # a request alone, before the load; None: not measured

    @property
    def cpu_ratio(self) -> float:
        """Share of its core that the busiest driver process used."""
        return max((driver.cpu_ratio for driver in self.drivers), default=0.0)

    @property
    def loop_delay_p99_ms(self) -> float:
        """How late the timers of the latest driver process were."""
        return max((driver.loop_delay_p99_ms for driver in self.drivers), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """A load test, as a driver takes it.

    Attributes:
        api: What is asked. One that is not ready within `ready_s` is not loaded; 0 loads at once.
        files: What an iteration asks.
        schedule: When users come and go, or when iterations are due.
        pacing_ms: Least time of one user's iteration, in a closed loop.
        request_timeout_ms: After how long a request without an answer is given up.
        folder: Where the driver puts NAME-*.part.jsonl, samples as of `load.samples`, and NAME.log.
        name: Of the test.
        ready_s: How long the API gets to become ready.
        meanwhile: Called as soon as the driver prepares itself, and over before it asks anything.
        only_here: Whether all requests go to `api`, which is on this machine, even those that the
            collection sends elsewhere.
    """

    api: Api
    files: CollectionFiles
    schedule: ClosedSchedule | OpenSchedule
    pacing_ms: int
    request_timeout_ms: int
    folder: Path
    name: str
    ready_s: float
    only_here: bool = False
    meanwhile: Callable[[], None] = lambda: None


class Turns(Protocol):
    """A driver that loads one of several APIs at a time, with the same users."""

    def turn(
        self, version: str, duration_s: float, name: str, *, warm_up_s: float = 0.0
    ) -> DriverReport:
        """Load one version for some seconds, and leave NAME-*.part.jsonl in the folder.

        Args:
            version: Which one.
            duration_s: How long iterations begin; the last ones are finished.
            name: Of the turn, different from all others.
            warm_up_s: How long it does not matter how busy everything is: sandboxes start.

        Raises:
            StepError: The driver ended, or takes too long.
        """


class LoadDriver(Protocol):
    """A program that asks an API.

    Each function raises a `UserError` if it cannot run here (the message says what to install)
    or the collection cannot be read, and a `StepError` if it fails.
    """

    def check(self) -> str:
        """Return its version, once it is sure that it can run on this machine.

        What it can fetch by itself, it fetches here.
        """

    def needs(self) -> Iterator[Need]:
        """Yield what it needs on this machine, for `dyno doctor`; nothing is fetched."""

    def prepared(self, api: Api) -> AbstractContextManager[Callable[[], None]]:
        """Keep what a run's jobs need for as long as the block lasts: smoke, record and load.

        Yields what lets the driver get ready for them: it is called when this machine has time.

        Args:
            api: Like the one that will be asked: on the same host, with the same credentials.
        """

    def smoke(
        self,
        api: Api,
        files: CollectionFiles,
        *,
        log: Path,
        timeout_s: float,
        on_wait: OnWait = ...,
        ready_s: float | None = None,
    ) -> SmokeResult:
        """Ask everything of a collection once, as soon as the API is ready.

        Ready is an API that answers well five times in a row, each over a new connection.

        Args:
            api: What is asked.
            files: The collection and its variables.
            log: File for everything the driver prints.
            timeout_s: Seconds until the driver is stopped, once the API is ready.
            on_wait: Called after each bad answer of an API that is not ready, from any thread.
            ready_s: How long the API gets to become ready; None is its own, 0 asks at once. One
                that is not ready then is a failure in the result, unless it answers and the
                collection asserts nothing about what was asked: then it is asked all the same.

        Returns:
            The counts, and the assertions that do not hold.
        """

    def record(
        self,
        api: Api,
        files: CollectionFiles,
        *,
        log: Path,
        timeout_s: float,
        on_wait: OnWait = ...,
        ready_s: float | None = None,
        safe: Sequence[str] | None = None,
    ) -> Recording:
        """Run a collection twice, each time from its beginning, and tell what was sent.

        Args:
            api: What is asked, as soon as it is ready.
            files: The collection and its variables.
            log: File for what the driver prints; nothing of what is sent goes there.
            timeout_s: Seconds until the driver is stopped, once the API is ready.
            on_wait: As in `smoke`; an API that does not become ready is a `StepError` here.
            ready_s: How long the API gets to become ready; None is its own, 0 asks at once.
            safe: Names of requests that may be sent beside those that only read (GET, HEAD):
                no other one reaches the API, not even a script's. None: all may.
        """

    def load(self, test: LoadTest, on_progress: OnProgress, on_wait: OnWait) -> DriverReport:
        """Load an API as soon as it is ready, and write down every request, as it is answered.

        Args:
            test: What and how.
            on_progress: Called about every second, from any thread.
            on_wait: As in `smoke`; an API that does not become ready is a `StepError` here.
        """

    def turns(
        self,
        profile: LoadSettings,
        apis: Mapping[str, Api],
        files: CollectionFiles,
        *,
        folder: Path,
        log: Path,
    ) -> AbstractContextManager[Turns]:
        """Start users for several versions of an API, who wait for their turns.

        Args:
            profile: Its users, their pace and their time-out hold for each turn.
            apis: By version, all with the same region and credentials, and ready in time.
            files: What an iteration asks.
            folder: For the samples of a turn.
            log: File for everything the driver prints.
        """
