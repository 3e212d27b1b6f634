"""The pytest plugin: performance gates of a Lambda function, in any project.

    pytest --env local

Options are --dyno-env, --dyno-keep, --dyno-run-dir and --dyno-baseline; --env, --keep, --run-dir
and --baseline are short for them unless the project's conftest.py, or another plugin, has options
of these names. Without --env, a test that needs an environment is skipped.

Fixtures: `dyno_environment`, `smoke_result`, `tuning_result`, `load_result`, `slo`,
`dyno_baseline`, `regression_result`. Markers: `gate`, and `slo(...)`, `tuning(...)`, `load(...)`,
`regression(...)`, whose arguments take the place of the keys in dyno.toml.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lambda_dyno.plugin import fixtures as gate_fixtures
from lambda_dyno.plugin.fixtures import (
    BASELINE_USED,
    FIXTURES,
    SECTIONS,
    SESSION,
    UNDECIDED,
    as_sentence,
    settings_of_test,
    text_of,
)

if TYPE_CHECKING:
    # Every session of a project that has this plugin installed imports this module.
    from lambda_dyno.core.progress import Ui
    from lambda_dyno.plugin.options import GateOptions
    from lambda_dyno.plugin.workers import Workers

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
    "regression(**settings): settings of regression_result, instead of those under [regression]",
)
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
    taken = _option_names(parser)
    for name, spelling in _OPTIONS.items():
        if f"--{name}" not in taken:
            again = {**spelling, "help": f"short for --dyno-{name}"}
            _group(parser).addoption(f"--{name}", dest=_destination(name), **again)
    early_config.stash[_NOT_OURS] = [name for name in _OPTIONS if f"--{name}" in taken]


def _option_names(parser: pytest.Parser) -> set[str]:
    """Return all options that there are; pytest tells nobody, and looks itself from 9.1 on."""
    groups = [parser._anonymous, *parser._groups]
    return {name for group in groups for option in group.options for name in option.names()}


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
    config.pluginmanager.register(gate_fixtures, "dyno-fixtures")
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("dyno_env") is None:
        return
    from lambda_dyno.core import systems
    from lambda_dyno.core.errors import DynoError

    if why := systems.refusal():
        raise pytest.UsageError(why)
    from lambda_dyno.plugin.session import GateSession

    try:
        options = _options_of(config)
        config.stash[SESSION] = GateSession(options, _progress(config, options.worker))
    except DynoError as error:
        raise pytest.UsageError(text_of(error)) from error
    if not hasattr(config, "workerinput"):
        _configure_controller(config, options)


def _progress(config: pytest.Config, worker: str) -> Ui | None:
    """Return what tells how far the measuring is: gates take minutes, and pytest captures stderr.

    None with -q, and with -s, which shows it anyway. Of pytest-xdist's workers, standard error
    is the only stream that a person sees.
    """
    if config.get_verbosity() < 0 or config.getoption("capture") == "no":
        return None
    from rich.console import Console

    from lambda_dyno.report.terminal import TerminalUi

    stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1)
    config.add_cleanup(stderr.close)
    plain = Console(file=stderr, highlight=False, force_terminal=False)
    return TerminalUi(plain, prefix=f"{worker} " if worker else "")


def _configure_controller(config: pytest.Config, options: GateOptions) -> None:
    from lambda_dyno.aws import shared_emulator as gate_shared
    from lambda_dyno.plugin.workers import Workers

    gate_shared.clear_away(options.runs_folder)
    config.stash[_WORKERS] = Workers(
        options.project, options.runs_folder, lambda line: _say(config, line)
    )
    config.pluginmanager.register(_Last(), "dyno-last")


def _options_of(config: pytest.Config) -> GateOptions:
    """Return what command line and pytest-xdist say of this process."""
    from lambda_dyno.plugin.options import GateOptions

    project = _project(config, config.getoption("dyno_env"))
    run_dir = config.getoption("dyno_run_dir")
    runs = config.invocation_params.dir / run_dir if run_dir else project / "runs"
    found = GateOptions(
        project=project,
        env=config.getoption("dyno_env"),
        keep=bool(config.getoption("dyno_keep")),
        runs_folder=runs,
        baseline=config.getoption("dyno_baseline") or "",
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
        baseline=found.baseline,
    )


def _project(config: pytest.Config, env: str) -> Path:
    """Return the folder that holds envs/ENV: the root folder, or where pytest was started."""
    from lambda_dyno.core.config import SETTINGS_FILE
    from lambda_dyno.core.errors import UserError

    here = config.invocation_params.dir
    for folder in (config.rootpath, here, *here.parents):
        if any(folder.glob(f"envs/*/{SETTINGS_FILE}")):
            return folder
    raise UserError(f"--env {env}: there is no envs/{env}/{SETTINGS_FILE} in {config.rootpath}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Show the settings that tests are measured by."""
    session = config.stash.get(SESSION, None)
    if session is None or hasattr(config, "workerinput"):
        return []
    from lambda_dyno.plugin import summary as gate_summary

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
    if SESSION not in session.config.stash:
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
    from lambda_dyno.report.terminal import TerminalUi
    from lambda_dyno.run.lifecycle import shielded

    with shielded(TerminalUi()):
        workers.wait(interrupt=exitstatus == pytest.ExitCode.INTERRUPTED)


class _Last:
    """Hooks that run after those of all others, in the process that the user started."""

    compared = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """When no worker runs any more: take down what crashed ones left."""
        config = session.config
        problems = config.stash[_WORKERS].clean_up(keep=config.stash[SESSION].options.keep)
        baseline = config.getoption("dyno_baseline")
        if baseline and not self.compared:
            problems.append(
                f"--baseline {baseline}: no test compared with it (they use regression_result)"
            )
        for problem in problems:
            _say(config, f"dyno: {problem}", red=True)
        if problems and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice whether a test compared with the baseline."""
        self.compared |= any(name == BASELINE_USED for name, _ in report.user_properties)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Show the tables of all runs of the session."""
        from lambda_dyno.plugin import summary as gate_summary

        for report in terminalreporter.stats.get("undecided", ()):
            reasons = dict(report.user_properties)[UNDECIDED]
            terminalreporter.write_line(f"{report.nodeid}: not decided: {reasons}", yellow=True)
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
    if not FIXTURES & set(metafunc.fixturenames):
        return
    node = metafunc.definition
    if not any(node.get_closest_marker(section) for section in SECTIONS):
        return
    session = metafunc.config.stash.get(SESSION, None)
    with as_sentence():
        if session is not None:
            settings_of_test(node, session.env.settings)
        else:
            from lambda_dyno.core.config import Settings

            settings_of_test(node, Settings())
