"""The embedded AWS's environment: made once, whole or not at all, and never twice at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator import installation
from tests.support import bad_inputs
from tests.support.waiting import HANGS_S

HARNESS = Path(__file__).parents[3] / "harness"
MAKE = """
import sys
from pathlib import Path
from lambda_dyno.emulator import installation
from tests.support import bad_inputs
installation.LOCK = Path(sys.argv[1])
print(installation.python(Path(sys.argv[2])))
"""
WAITS = """#!/bin/sh
touch "$READY"
exec sleep 60
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock file of no package, which needs no index."""
    path = tmp_path / "requirements.lock"
    path.write_text("")
    monkeypatch.setattr(installation, "LOCK", path)
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package index to be reached."""
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)


def kept(folder: Path) -> list[str]:
    """Return what is in the folder of environments beside their locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.usefixtures("lock")
def test_it_is_made_once_and_found_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs, sees none of this environment's packages, and is told of in one line."""
    monkeypatch.setenv("PYTHONPATH", str(HARNESS))
    python = installation.python(tmp_path / "made")
    assert capsys.readouterr().err == f"setup: the embedded AWS into {python.parents[1]} (once)\n"
    assert kept(tmp_path / "made") == [python.parents[1].name]
    program = "import sys, importlib.util as u; print(sys.prefix, u.find_spec('boto3'))"
    said = subprocess.check_output([python, "-P", "-c", program], text=True)
    assert said == f"{python.parents[1]} None\n"

    assert installation.python(tmp_path / "made") == python
    assert capsys.readouterr().err == ""


def test_another_release_gets_another_one(lock: Path, tmp_path: Path) -> None:
    """A server of the older one may still run."""
    old = installation.python(tmp_path / "made")
    lock.write_text("# of another release\n")
    assert installation.python(tmp_path / "made") != old
    assert old.exists()


@pytest.mark.usefixtures("lock")
def test_one_whose_python_is_gone_is_made_again(tmp_path: Path) -> None:
    """A Python was uninstalled: the link to it leads nowhere."""
    python = installation.python(tmp_path / "made")
    python.unlink()
    python.symlink_to(tmp_path / "uninstalled")
    assert installation.python(tmp_path / "made") == python
    assert python.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("nowhere")
def test_without_an_index_it_is_said_in_a_line_and_nothing_stays(
    lock: Path, tmp_path: Path
) -> None:
    """Status 2, as without a Terraform: nothing was made."""
    lock.write_text(f"ministack==0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UserError, match=r"pip does not get its packages \(.*ministack==0\)") as no:
        installation.python(tmp_path / "made")
    assert "\n" not in str(no.value)
    assert kept(tmp_path / "made") == []


def test_a_folder_that_takes_nothing_is_named(tmp_path: Path) -> None:
    """With what to set."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/made: Not a directory\. Set XDG_CACHE_HOME"):
        installation.python(tmp_path / "file" / "made")


def test_it_lies_in_the_checkout_or_with_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make clean` removes the checkout's; an installed package has no checkout."""
    assert installation.environments_folder({}) == HARNESS.parent / ".cache" / "emulator"
    monkeypatch.setattr(assets, "checkout", lambda: None)
    found = installation.environments_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert found == tmp_path / "lambda-dyno" / "emulator"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert installation.environments_folder({}) == tmp_path / ".cache/lambda-dyno/emulator"


def makers(lock: Path, folder: Path, count: int, **variables: str) -> list[subprocess.Popen[str]]:
    """Start processes that each want the environment."""
    return [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(lock), str(folder)],
            env=os.environ | {"PYTHONPATH": str(HARNESS)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


def test_two_at_once_wait_for_each_other(lock: Path, tmp_path: Path) -> None:
    """One makes it, the other takes it."""
    both = [maker.communicate(timeout=HANGS_S) for maker in makers(lock, tmp_path / "made", 2)]
    assert both[0][0] == both[1][0] == f"{installation.python(tmp_path / 'made')}\n"
    assert sorted(len(said.splitlines()) for _, said in both) == [0, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_half_is_ever_taken_for_whole(
    lock: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Interrupted or killed while it is made; the next one makes it, over what is left."""
    folder, ready, uv = tmp_path / "made", tmp_path / "ready", tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(WAITS)
    uv.chmod(0o755)
    path = f"{uv.parent}{os.pathsep}{os.environ['PATH']}"
    (maker,) = makers(lock, folder, 1, PATH=path, READY=str(ready))
    deadline = time.monotonic() + HANGS_S
    while not ready.exists():
        assert maker.poll() is None, maker.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    maker.send_signal(number)
    maker.communicate(timeout=HANGS_S)
    if number == signal.SIGINT:
        assert kept(folder) == []
    assert installation.python(folder).exists()
    assert len(kept(folder)) == 1


def test_a_run_that_cannot_have_it_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a folder that somebody would have to remove."""

    def refused() -> Path:
        raise UserError("the embedded AWS cannot be installed")

    monkeypatch.setattr(installation, "python", refused)
    root = 'variable "name_prefix" {}\noutput "function_arn" { value = "" }\n'
    finished = bad_inputs.write_project(tmp_path, root, "down")
    ended = bad_inputs.dyno(tmp_path, "run", "--env", "local")
    assert (ended.status, ended.out) == (2, "")
    assert ended.lines == ["error: the embedded AWS cannot be installed"]
    assert [path for path in (tmp_path / "runs").iterdir() if path.is_dir()] == [finished.path]
