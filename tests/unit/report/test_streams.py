"""Progress and results on terminals of all kinds, in pipes, and where nobody reads any more."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.terminal import CTRL_C, terminal
from tests.support.waiting import HANGS_S

PROJECT = Path(__file__).parents[3]
# Steps as a run has them: text that changes, lines between, a library's warning, brackets.
STEPS = """
import logging, os, sys, time
from lambda_dyno.report.terminal import TerminalUi
ui = TerminalUi()
with ui.step("first", "begins") as step:
    for number in range(3):
        step.update(f"resource {number}", number, 3)
        time.sleep(0.2)
    logging.getLogger("library").warning("a library warns")
    ui.warn("in the middle")
    with ui.step("inner", "a step within"):
        time.sleep(0.2)
    step.update('create module.x.aws_s3_object.code["a/b"] [bold] [/nothing] ' + "w" * 30)
with ui.step("second", "http://127.0.0.1:42801/_aws/execute-api/83b24182/dyno_run"):
    pass
print("the end")
"""
WAITS = """
import pathlib, sys, time
from lambda_dyno.run import lifecycle
from lambda_dyno.report.terminal import TerminalUi
ui = TerminalUi()
with lifecycle.signals_raise():
    try:
        with ui.step("long", "works"):
            time.sleep(60)
    finally:
        with lifecycle.shielded(ui), ui.step("down", "takes down"):
            time.sleep(1)
        pathlib.Path(sys.argv[1]).write_text("down")
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


@pytest.fixture(autouse=True)
def _from_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "harness"))
    monkeypatch.chdir(PROJECT)


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_terminal_sees_each_step_once_and_gets_its_cursor_back(columns: int) -> None:
    """The living line is gone at the end; nothing is cut, nothing hangs."""
    with terminal(python(STEPS), columns=columns) as window:
        assert window.wait(120) == 0
        text = " ".join(window.text.split())
        for once in (
            "✓ first",
            "✓ inner",
            "✓ second",
            "a library warns",
            "warning: in the",
            "the end",
        ):
            assert text.count(once) == 1, window.text
        assert "[bold]" in text
        assert "[/nothing] " + "w" * 18 in text
        assert not window.cursor_hidden


def test_an_address_can_be_copied_from_a_narrow_terminal() -> None:
    """The terminal breaks it, not we: copied, it is one word again."""
    with terminal(python(STEPS), columns=40) as window:
        assert window.wait(120) == 0
        assert b"http://127.0.0.1:42801/_aws/execute-api/83b24182/dyno_run" in window.output


def test_the_line_of_a_step_moves_while_it_works() -> None:
    """A person sees how far it is, in place."""
    with terminal(python(STEPS)) as window:
        assert window.says(" 33%  resource 1")
        assert window.says(" 67%  resource 2")
        assert "resource 1" not in window.text
        assert window.wait(120) == 0


def test_a_dumb_terminal_gets_lines() -> None:
    """It can only be written to from left to right."""
    with terminal(python(STEPS), term="dumb") as window:
        assert window.wait(120) == 0
        assert b"\x1b" not in window.output
        assert [line for line in window.lines if line.startswith("…")] == [
            "… first      0.0 s  begins",
            "… inner      0.0 s  a step within",
            "… second     0.0 s  http://127.0.0.1:42801/_aws/execute-api/83b24182/dyno_run",
        ]


def test_no_color_means_none() -> None:
    """A terminal then has bold and moving lines, and no colour."""
    env = {**os.environ, "NO_COLOR": "1"}
    env.pop("FORCE_COLOR", None)
    with terminal(python(STEPS), env=env) as window:
        assert window.wait(120) == 0
        assert not any(b"\x1b[3%dm" % colour in window.output for colour in range(8))


@pytest.mark.parametrize(
    "forced", [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"TTY_INTERACTIVE": "1"}]
)
def test_forced_colours_leave_a_log_a_log(forced: dict[str, str]) -> None:
    """CI jobs force colours on a pipe: lines in colour, and no cursor that moves."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        python(STEPS),
        env={**inherited, **forced, "TERM": "xterm-256color"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=HANGS_S,
        text=True,
        check=True,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
    address = "http://127.0.0.1:42801/_aws/execute-api/83b24182/dyno_run"
    assert re.search(rf"^✓ second +\d+\.\d s  {address}$", plain, re.M)
    assert re.search(r"^✓ inner +\d+\.\d s  a step within$", plain, re.M)
    assert ("\x1b[32m✓" in done.stderr) == ("TTY_INTERACTIVE" not in forced)
    assert not any(f"\x1b[{move}" in done.stderr for move in ("2K", "1A", "?25l"))
    assert done.stdout == "the end\n"


def test_a_result_may_go_to_a_file_while_a_terminal_shows_the_steps(tmp_path: Path) -> None:
    """What is printed during a step goes where it was sent, not above the living line."""
    code = (
        "from lambda_dyno.report.terminal import TerminalUi\n"
        "with TerminalUi().step('a', 'b'): print('result')\n"
    )
    with (
        (tmp_path / "out").open("wb") as out,
        terminal(python(code), stdout=out.fileno()) as window,
    ):
        assert window.wait(120) == 0
        assert "result" not in window.text
    assert (tmp_path / "out").read_text() == "result\n"


def test_ctrl_c_ends_a_step_and_the_teardown_is_seen(tmp_path: Path) -> None:
    """And a second one in the middle of it says what it would take."""
    with terminal(python(WAITS, str(tmp_path / "done"))) as window:
        assert window.says("works")
        window.type(CTRL_C)
        assert window.says("takes down")
        window.type(CTRL_C)
        assert window.says("still taking the environment down; 2 more to abandon it")
        assert window.wait(120) != 0
        assert "! long" in window.text
        assert "interrupted" in window.text
        assert "✓ down" in window.text
        assert not window.cursor_hidden
    assert (tmp_path / "done").read_text() == "down"


def test_a_window_that_is_closed_does_not_keep_a_run_from_its_teardown(tmp_path: Path) -> None:
    """The hang-up interrupts it; what it then says, nobody reads."""
    done = tmp_path / "done"
    with terminal(python(WAITS, str(done))) as window:
        assert window.says("works")
        window.close()
        window.process.wait(timeout=HANGS_S)
    assert done.read_text() == "down"


# --- standard output ------------------------------------------------------------------------


def dyno(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from lambda_dyno.__main__ import main; main()", *arguments]


def test_a_reader_that_has_enough_is_no_failure() -> None:
    """`dyno ... | head -0`: the command's own status, and no complaint."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        dyno("local", "model", "--cpu-ms", "17.2", "--memory-mb", "128"),
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=HANGS_S,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_result_that_cannot_be_written_is_no_success() -> None:
    """A full disk under `> result.json` is told, once, in a line."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            dyno("local", "model", "--cpu-ms", "17.2", "--memory-mb", "128"),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=HANGS_S,
            text=True,
        )
    assert done.returncode == 3
    assert done.stderr == "error: standard output: No space left on device\n"


def test_a_terminal_without_our_characters_gets_others() -> None:
    """Text is written as far as the terminal's encoding goes."""
    done = subprocess.run(
        dyno("run", "--help"),
        env={**os.environ, "PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"},
        capture_output=True,
        timeout=HANGS_S,
    )
    assert done.returncode == 0, done.stderr
    assert b"Deploy, tune, load" in done.stdout


def test_what_nobody_foresaw_is_one_line_and_never_a_missed_slo(tmp_path: Path) -> None:
    """Status 3; the traceback is in a file that only its owner can read."""
    (tmp_path / "envs" / "local").mkdir(parents=True)
    (tmp_path / "envs" / "local" / "dyno.toml").touch()
    broken = (
        "import sys; from lambda_dyno.cli import app; from lambda_dyno.cleanup import sweeper\n"
    )
    broken += "sweeper.listing = lambda *_: 1 / 0; sys.argv[1:] = ['ls']; app.main()"
    done = subprocess.run(
        python(broken), cwd=tmp_path, capture_output=True, timeout=HANGS_S, text=True
    )
    kept = tmp_path / ".dyno" / "traceback.txt"
    assert done.returncode == 3
    assert done.stderr.startswith("error: ZeroDivisionError: division by zero (nobody foresaw")
    assert done.stderr.count("\n") == 1
    assert str(kept) in done.stderr
    assert "Traceback" not in done.stderr
    assert kept.read_text().startswith("Traceback")
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("after_s", [0.02, 0.06, 0.1, 0.2, 0.4])
def test_ctrl_c_while_it_starts_is_no_traceback(after_s: float) -> None:
    """Whatever is being imported; before `main`, Python itself is starting."""
    begins = "from lambda_dyno.__main__ import main; print('begins', flush=True); main()"
    with terminal(python(begins, "ls")) as window:
        assert window.says("begins")
        time.sleep(after_s)
        with contextlib.suppress(OSError):
            window.type(CTRL_C)
        status = window.wait(120)
        # a shell says 130 of both; Python itself ends by the signal when it is about to exit
        assert status in (0, 130, -signal.SIGINT)
        assert "Traceback" not in window.text
