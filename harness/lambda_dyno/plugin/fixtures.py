"""The fixtures of the pytest plugin, and how their failures read: as a sentence."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Every session of a project that has the plugin installed imports this module.
    from lambda_dyno.core.config import Settings
    from lambda_dyno.core.results import LoadResult, RegressionResult, SmokeResult, TuningResult
    from lambda_dyno.plugin.session import GateSession
    from lambda_dyno.plugin.slo import Slo
    from lambda_dyno.run.run import Run

SESSION: pytest.StashKey[GateSession] = pytest.StashKey()

SECTIONS = ("tuning", "load", "slo", "regression")
FIXTURES = frozenset(
    {
        "dyno_environment",
        "smoke_result",
        "tuning_result",
        "load_result",
        "slo",
        "dyno_baseline",
        "regression_result",
    }
)
BASELINE_USED = "dyno.baseline"
UNDECIDED = "dyno.undecided"
_OPEN: pytest.StashKey[list[str]] = pytest.StashKey()  # what a test's limits left open
_SENTENCE = "_is_a_sentence_of_dyno"


@dataclass(frozen=True)
class DynoEnvironment:
    """An environment that stands: what a test may want to know of it."""

    _run: Run

    @property
    def run_id(self) -> str:
        """Its run, which is the name of the folder of its evidence."""
        return self._run.folder.run_id

    @property
    def folder(self) -> Path:
        """Folder of its evidence."""
        return self._run.folder.path

    @property
    def name_prefix(self) -> str:
        """First part of the names of all its resources."""
        return self._run.result.name_prefix

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The root module's outputs, and what the function tells: `function_arn`, ..."""
        return self._run.result.outputs

    @property
    def session(self) -> Any:
        """A boto3 session for its account and region."""
        return self._run.account.session

    @property
    def settings(self) -> Settings:
        """Its settings, without those of a test's markers."""
        return self._run.env.settings


@pytest.fixture(scope="session")
def dyno_environment(pytestconfig: pytest.Config) -> Iterator[DynoEnvironment]:
    """An environment of its own for this process, taken down at the end whatever happens."""
    session = pytestconfig.stash.get(SESSION, None)
    if session is None:
        pytest.skip("no environment to measure in: give --env NAME (a folder of envs/)")
    with as_sentence():
        run = session.up()
    yield DynoEnvironment(run)
    problem = session.close()
    if problem:
        raise sentence(problem)


@pytest.fixture
def smoke_result(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> SmokeResult:
    """The smoke collection's outcome: every operation of the API asked once."""
    session = _session_of(request, dyno_environment, "smoke")
    with as_sentence():
        return session.smoke()


@pytest.fixture
def tuning_result(
    request: pytest.FixtureRequest, dyno_environment: DynoEnvironment
) -> TuningResult:
    """Duration and cost of the function at every power value of [tuning], or of the marker."""
    session = _session_of(request, dyno_environment)
    with as_sentence():
        return session.tuning(settings_of_test(request.node, session.env.settings))


@pytest.fixture
def load_result(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> LoadResult:
    """The API under the load of [load], or of the marker; it must answer the smoke test first."""
    session = _session_of(request, dyno_environment, "load")
    with as_sentence():
        settings = settings_of_test(request.node, session.env.settings)
        if not session.why_not("smoke") and not session.smoke().passed:
            raise sentence(
                f"not loaded: the API does not answer as it should. {session.smoke().first_failure}"
            )
        return session.load(settings.load).result


@pytest.fixture
def slo(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> Slo:
    """The limits of [slo], or of the marker: `slo.check(load_result)` fails with a sentence."""
    from lambda_dyno.core.results import Check
    from lambda_dyno.plugin.slo import Slo, properties

    session = _session_of(request, dyno_environment)
    with as_sentence():
        settings = settings_of_test(request.node, session.env.settings)

    def record(checks: Sequence[Check]) -> None:
        request.node.user_properties.extend(properties(checks))

    class Sentences(Slo):
        """Fails without a traceback: what is missed is no fault of the test's code."""

        def check(self, *measured: Any) -> Any:
            with as_sentence():
                verdict = super().check(*measured)
            checks = verdict.checks
            leave_open(request.node, [one.reason for one in checks if one.outcome != "pass"])
            return verdict

        def verdict(self, *measured: Any) -> Any:
            with as_sentence():
                return super().verdict(*measured)

    return Sentences(
        limits=settings.slo,
        marked=frozenset(_marked(request.node, "slo")),
        balanced_weight=settings.tuning.balanced_weight,
        _session=session,
        _on_checks=record,
    )


@pytest.fixture
def dyno_baseline(request: pytest.FixtureRequest) -> str:
    """What --baseline names: a branch, a run id or a stored result; without it, a skip."""
    session = request.config.stash.get(SESSION, None)
    named = session.env.settings.regression.baseline if session is not None else ""
    baseline = request.config.getoption("dyno_baseline") or named
    if not baseline:
        pytest.skip("nothing to compare with: give --baseline BRANCH, RUN_ID or result.json")
    request.node.user_properties.append((BASELINE_USED, baseline))
    return str(baseline)


@pytest.fixture
def regression_result(request: pytest.FixtureRequest) -> RegressionResult:
    """This version in turns with the baseline's; both stand side by side in the meantime."""
    request.getfixturevalue("dyno_baseline")  # first: without one, nothing is deployed
    environment: DynoEnvironment = request.getfixturevalue("dyno_environment")
    session = _session_of(request, environment)
    with as_sentence():
        found = session.regression(settings_of_test(request.node, session.env.settings))
    request.node.user_properties.append(("dyno.baseline_run_id", found.baseline_run_id))
    return found


def _session_of(
    request: pytest.FixtureRequest, environment: DynoEnvironment, step: str = ""
) -> GateSession:
    """Return the session of a test, and note in its report which environment it measured."""
    session = request.config.stash[SESSION]
    if step and (reason := session.why_not(step)):
        pytest.skip(reason)
    facts = {
        "dyno.env": session.options.env,
        "dyno.run_id": environment.run_id,
        "dyno.report": str(environment.folder / "report.html"),
    }
    known = {name for name, _ in request.node.user_properties}
    request.node.user_properties.extend((k, v) for k, v in facts.items() if k not in known)
    return session


@contextmanager
def as_sentence() -> Iterator[None]:
    """Let errors of this project fail a test with their message, without a traceback."""
    from lambda_dyno.core.errors import DynoError
    from lambda_dyno.plugin.slo import SloMissedError

    try:
        yield
    except SloMissedError as error:
        message = str(error)
    except DynoError as error:
        message = text_of(error)
    else:
        return
    raise sentence(message) from None


def sentence(message: str) -> BaseException:
    """Return what fails a test with a message, and nothing but the message."""
    error = pytest.fail.Exception(message, pytrace=False)
    setattr(error, _SENTENCE, True)
    return error


def leave_open(node: pytest.Item, reasons: Sequence[str]) -> None:
    """Note why limits of a test were not decided; then it counts as undecided, not as passed."""
    node.stash.setdefault(_OPEN, []).extend(reasons)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a sentence as it is, also in the summary's line; what was not decided has not passed.

    To the rest of pytest, to its JUnit file too, such a test is a skipped one with its reasons.
    """
    report = yield
    left_open = item.stash.get(_OPEN, [])
    if left_open and report.when == "call" and report.passed:
        path, line, _ = item.location
        reasons = "; ".join(dict.fromkeys(left_open))
        report.outcome = "skipped"
        report.longrepr = (path, (line or 0) + 1, f"Skipped: not decided: {reasons}")
        report.user_properties.append((UNDECIDED, reasons))
    if call.excinfo is not None and getattr(call.excinfo.value, _SENTENCE, False):
        report.longrepr = str(call.excinfo.value)
    return report


def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Count tests whose limits were not decided by themselves: they are no passes."""
    if any(name == UNDECIDED for name, _ in getattr(report, "user_properties", ())):
        return ("undecided", "u", ("UNDECIDED", {"yellow": True})) if report.skipped else None
    return None


def text_of(error: Exception) -> str:
    """Return an error's message and what to do about it."""
    hint = getattr(error, "hint", "")
    return f"{error}\n{hint}" if hint else str(error)


# --- settings and sentences ---


def settings_of_test(node: pytest.Item, settings: Settings) -> Settings:
    """Return the settings with what a test's markers say; the closest marker has the last word."""
    from lambda_dyno.core.errors import UserError
    from lambda_dyno.plugin.session import settings_of

    where = f"markers of {node.nodeid}"
    markers = {section: _marked(node, section) for section in SECTIONS}
    for section in SECTIONS:
        if any(mark.args for mark in node.iter_markers(section)):
            raise UserError(f"{where}: {section}(...) takes keys by name, such as {section}(key=1)")
    found: Settings = settings_of(settings, markers, where)
    return found


def _marked(node: pytest.Item, section: str) -> dict[str, Any]:
    marked: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(section))):
        marked |= mark.kwargs
    return marked
