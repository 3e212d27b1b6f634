"""The pytest plugin: performance gates of a Lambda function, in any project.

    pytest --env local

Options are --dyno-env, --dyno-keep, --dyno-run-dir and --dyno-baseline; --env, --keep, --run-dir
and --baseline are short for them unless the project's conftest.py, or another plugin, has options
of these names. Without --env, a test that needs an environment is skipped.

Fixtures: `dyno_environment`, `smoke_result`, `tuning_result`, `load_result`, `slo`,
`dyno_baseline`. Markers: `gate`, and `slo(...)`, `tuning(...)`, `load(...)`, whose arguments take
the place of the keys in dyno.toml.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Every session of a project that has this plugin installed imports this module.
    from harness.config import Settings
    from harness.gate_session import GateOptions, GateSession
    from harness.gate_slo import Slo
    from harness.gate_workers import Workers
    from harness.results import LoadResult, SmokeResult, TuningResult
    from harness.run import Run

_SECTIONS = ("tuning", "load", "slo")
_FIXTURES = frozenset(
    {"dyno_environment", "smoke_result", "tuning_result", "load_result", "slo", "dyno_baseline"}
)

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "env": {
        "metavar": "NAME",
        "help": "environment to measure in: a folder of envs/ with a dyno.toml",
    },
    "keep": {"action": "store_true", "help": "leave the environment standing"},
    "run-dir": {"metavar": "DIR", "help": "folder of leases and evidence (default: runs)"},
    "baseline": {"metavar": "WHAT", "help": "branch, run id or result to compare with"},
}
_MARKERS = (
    "gate: a performance gate; it needs an environment (--env)",
    "slo(**limits): limits of this test, in the place of those under [slo] in dyno.toml",
    "tuning(**settings): settings of tuning_result, in the place of those under [tuning]",
    "load(**settings): settings of load_result, in the place of those under [load]",
)
_BASELINE_USED = "dyno.baseline"

_SESSION: pytest.StashKey[GateSession] = pytest.StashKey()
_WORKERS: pytest.StashKey[Workers] = pytest.StashKey()
_SIGNALS: pytest.StashKey[dict[signal.Signals, Any]] = pytest.StashKey()
_NOT_OURS: pytest.StashKey[list[str]] = pytest.StashKey()


# --- options ----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options by their long names, which nobody else has."""
    for name, spelling in _OPTIONS.items():
        _group(parser).addoption(f"--dyno-{name}", dest=_destination(name), **spelling)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Add the short names of the options that no conftest.py has taken for itself.

    A conftest.py with an option --env is common, and must not break because this is installed.
    """
    _take_for_values(early_config, args)
    yield
    taken = []
    for name, spelling in _OPTIONS.items():
        again = {**spelling, "help": f"short for --dyno-{name}"}
        try:
            _group(parser).addoption(f"--{name}", dest=_destination(name), **again)
        except (ValueError, argparse.ArgumentError):
            taken.append(name)
    early_config.stash[_NOT_OURS] = taken


def _take_for_values(config: pytest.Config, args: Sequence[str]) -> None:
    """Keep pytest from taking "local" in `--env local` for a folder of tests."""
    folders = getattr(config.known_args_namespace, "file_or_dir", None)
    with_value = {f"--{name}" for name, spelling in _OPTIONS.items() if "action" not in spelling}
    for option, value in pairwise(args):
        if option in with_value and isinstance(folders, list) and value in folders:
            folders.remove(value)


def _group(parser: pytest.Parser) -> pytest.OptionGroup:
    return parser.getgroup("dyno", "performance gates on AWS Lambda (lambda-dyno)")


def _destination(name: str) -> str:
    return f"dyno_{name.replace('-', '_')}"


# --- the session ------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; with an environment, check its settings before anything starts."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("dyno_env") is None:
        return
    from harness.errors import DynoError
    from harness.gate_session import GateSession

    try:
        options = _options_of(config)
        config.stash[_SESSION] = GateSession(options)
    except DynoError as error:
        raise pytest.UsageError(_text(error)) from error
    if not hasattr(config, "workerinput"):
        _configure_controller(config, options)


def _configure_controller(config: pytest.Config, options: GateOptions) -> None:
    from harness import gate_shared
    from harness.gate_workers import Workers

    gate_shared.clear_away(options.runs_folder)
    config.stash[_WORKERS] = Workers(
        options.project, options.runs_folder, lambda line: _say(config, line)
    )
    config.pluginmanager.register(_Last(), "dyno-last")


def _options_of(config: pytest.Config) -> GateOptions:
    """Return what command line and pytest-xdist say of this process."""
    from harness.gate_session import GateOptions

    project = _project(config, config.getoption("dyno_env"))
    run_dir = config.getoption("dyno_run_dir")
    runs = config.invocation_params.dir / run_dir if run_dir else project / "runs"
    found = GateOptions(
        project=project,
        env=config.getoption("dyno_env"),
        keep=bool(config.getoption("dyno_keep")),
        runs_folder=runs,
    )
    worker = getattr(config, "workerinput", None)
    if worker is None or "dyno_shared" not in worker:
        return found
    return GateOptions(
        project=project,
        env=found.env,
        keep=found.keep,
        runs_folder=Path(worker["dyno_runs"]),
        worker=worker["workerid"],
        shared=Path(worker["dyno_shared"]),
        owner_pid=worker["dyno_owner"],
        workers=worker["workercount"],
    )


def _project(config: pytest.Config, env: str) -> Path:
    """Return the folder that holds envs/ENV: the root folder, or where pytest was started."""
    from harness.config import SETTINGS_FILE
    from harness.errors import UserError

    here = config.invocation_params.dir
    for folder in (config.rootpath, here, *here.parents):
        if any(folder.glob(f"envs/*/{SETTINGS_FILE}")):
            return folder
    raise UserError(f"--env {env}: there is no envs/{env}/{SETTINGS_FILE} in {config.rootpath}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Show the settings that tests are measured by."""
    session = config.stash.get(_SESSION, None)
    if session is None or hasattr(config, "workerinput"):
        return []
    from harness import gate_summary

    options = session.options
    lines = gate_summary.header(
        options.env,
        session.env.settings,
        workers=len(config.getoption("tx", None) or [""]),
        keep=options.keep,
        runs=options.runs_folder,
    )
    names = [f"--{name}" for name in config.stash.get(_NOT_OURS, [])]
    if names:
        lines.append(f"dyno: {', '.join(names)} belong to somebody else here; use --dyno-...")
    return lines


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let SIGTERM and SIGHUP end a session in order, as Ctrl-C does: environments go down."""
    if _SESSION not in session.config.stash:
        return
    former: dict[signal.Signals, Any] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        try:
            former[number] = signal.signal(number, _interrupt)
        except ValueError:  # not in the main thread: whoever is there has taken care
            break
    session.config.stash[_SIGNALS] = former


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Before workers are ended: wait for those that take an environment down."""
    workers = session.config.stash.get(_WORKERS, None)
    if workers is None:
        return
    from harness.pipeline import shielded
    from harness.progress import Ui

    with shielded(Ui()):
        workers.wait(interrupt=exitstatus == pytest.ExitCode.INTERRUPTED)


class _Last:
    """Hooks that run after those of all others, in the process that the user started."""

    compared = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """When no worker runs any more: take down what crashed ones left."""
        config = session.config
        problems = config.stash[_WORKERS].clean_up(keep=config.stash[_SESSION].options.keep)
        baseline = config.getoption("dyno_baseline")
        if baseline and not self.compared:
            problems.append(
                f"--baseline {baseline}: no test compared with it (they use dyno_baseline)"
            )
        for problem in problems:
            _say(config, f"dyno: {problem}", red=True)
        if problems and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice whether a test compared with the baseline."""
        self.compared |= any(name == _BASELINE_USED for name, _ in report.user_properties)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Show the tables of all runs of the session."""
        from harness import gate_summary

        for title, text in gate_summary.tables(config.stash[_WORKERS].runs()):
            terminalreporter.section(title)
            for line in text.splitlines():
                terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the signals back."""
    for number, handler in config.stash.get(_SIGNALS, {}).items():
        signal.signal(number, handler)


def _say(config: pytest.Config, line: str, *, red: bool = False) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        if config.get_terminal_writer().width_of_current_line:
            reporter.write_line("")  # after the dots of the tests
        reporter.write_line(line, red=red)


# --- pytest-xdist -----------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what it shares with the others."""
    workers = node.config.stash.get(_WORKERS, None)
    if workers is not None:
        node.workerinput["dyno_shared"] = str(workers.shared)
        node.workerinput["dyno_runs"] = str(workers.shared.parent)
        node.workerinput["dyno_owner"] = os.getpid()


# --- markers ----------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check a test's markers while it is collected, long before anything is deployed."""
    if not _FIXTURES & set(metafunc.fixturenames):
        return
    node = metafunc.definition
    if not any(node.get_closest_marker(section) for section in _SECTIONS):
        return
    session = metafunc.config.stash.get(_SESSION, None)
    with _as_sentence():
        if session is not None:
            _settings(node, session.env.settings)
        else:
            from harness.config import Settings

            _settings(node, Settings())


def _settings(node: pytest.Item, settings: Settings) -> Settings:
    """Return the settings with what a test's markers say; the closest marker has the last word."""
    from harness.errors import UserError
    from harness.gate_session import settings_of

    where = f"markers of {node.nodeid}"
    markers = {section: _marked(node, section) for section in _SECTIONS}
    for section in _SECTIONS:
        if any(mark.args for mark in node.iter_markers(section)):
            raise UserError(f"{where}: {section}(...) takes keys by name, such as {section}(key=1)")
    found: Settings = settings_of(settings, markers, where)
    return found


def _marked(node: pytest.Item, section: str) -> dict[str, Any]:
    marked: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(section))):
        marked |= mark.kwargs
    return marked


# --- fixtures ---------------------------------------------------------------------------------


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
    session = pytestconfig.stash.get(_SESSION, None)
    if session is None:
        pytest.skip("no environment to measure in: give --env NAME (a folder of envs/)")
    with _as_sentence():
        run = session.up()
    yield DynoEnvironment(run)
    problem = session.close()
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def smoke_result(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> SmokeResult:
    """The smoke collection's outcome: every operation of the API asked once."""
    session = _session_of(request, dyno_environment, "smoke")
    with _as_sentence():
        return session.smoke()


@pytest.fixture
def tuning_result(
    request: pytest.FixtureRequest, dyno_environment: DynoEnvironment
) -> TuningResult:
    """Duration and cost of the function at every power value of [tuning], or of the marker."""
    session = _session_of(request, dyno_environment)
    with _as_sentence():
        return session.tuning(_settings(request.node, session.env.settings))


@pytest.fixture
def load_result(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> LoadResult:
    """The API under the load of [load], or of the marker; it must answer the smoke test first."""
    session = _session_of(request, dyno_environment, "load")
    with _as_sentence():
        settings = _settings(request.node, session.env.settings)
        if not session.run.why_not("smoke") and not session.smoke().passed:
            from harness.run import smoke_failure

            pytest.fail(
                f"not loaded: the API does not answer as it should. "
                f"{smoke_failure(session.smoke())}",
                pytrace=False,
            )
        return session.load(settings.load).result


@pytest.fixture
def slo(request: pytest.FixtureRequest, dyno_environment: DynoEnvironment) -> Slo:
    """The limits of [slo], or of the marker: `slo.check(load_result)` fails with a sentence."""
    from harness.gate_slo import Slo, properties
    from harness.results import Check

    session = _session_of(request, dyno_environment)
    with _as_sentence():
        settings = _settings(request.node, session.env.settings)

    def record(checks: Sequence[Check]) -> None:
        request.node.user_properties.extend(properties(checks))

    class Sentences(Slo):
        """Fails without a traceback: what is missed is no fault of the test's code."""

        def check(self, *measured: Any) -> Any:
            with _as_sentence():
                return super().check(*measured)

        def verdict(self, *measured: Any) -> Any:
            with _as_sentence():
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
    baseline = request.config.getoption("dyno_baseline")
    if not baseline:
        pytest.skip("nothing to compare with: give --baseline BRANCH, RUN_ID or result.json")
    request.node.user_properties.append((_BASELINE_USED, baseline))
    return str(baseline)


def _session_of(
    request: pytest.FixtureRequest, environment: DynoEnvironment, step: str = ""
) -> GateSession:
    """Return the session of a test, and note in its report which environment it measured."""
    session = request.config.stash[_SESSION]
    if step and (reason := session.run.why_not(step)):
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
def _as_sentence() -> Iterator[None]:
    """Let errors of this project fail a test with their message, without a traceback."""
    from harness.errors import DynoError
    from harness.gate_slo import SloMissedError

    try:
        yield
    except SloMissedError as error:
        message = str(error)
    except DynoError as error:
        message = _text(error)
    else:
        return
    pytest.fail(message, pytrace=False)


def _text(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{error}\n{hint}" if hint else str(error)
