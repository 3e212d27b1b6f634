"""Packages of npm: fetched once, from the lock, whole or not at all.

npm is a stand-in that makes what it is told to: what the real one gets, test_installed.py shows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lambda_dyno.runs import npm_packages
from lambda_dyno.runs.npm_packages import NotFetchedError, NpmPackages
from tests.support.waiting import HANGS_S

HARNESS = Path(__file__).parents[3] / "harness"
NPM = """#!/bin/sh
echo "$@" >> "$ASKED"
[ -f package.json ] && [ -f package-lock.json ] || exit 9
mkdir -p node_modules/newman
echo '{}' > node_modules/newman/package.json
"""
WAITS = """#!/bin/sh
mkdir -p node_modules
touch "$ASKED"
exec sleep 60
"""
FAILS = "#!/bin/sh\necho 'npm error code ENOTFOUND\nnpm error network' >&2\nexit 1\n"
FETCH = """
import sys
from pathlib import Path
from lambda_dyno.runs.npm_packages import NpmPackages
packages = NpmPackages(Path(sys.argv[1]), "Newman")
packages.fetch(packages.place(Path(sys.argv[2]), "newman"))
"""


@pytest.fixture
def packages(tmp_path: Path) -> NpmPackages:
    """Those of a lock."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "package.json").write_text('{"name": "x"}')
    (source / "package-lock.json").write_text('{"lockfileVersion": 3}')
    return NpmPackages(source, "Newman")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What npm was asked, a line each; it makes what it should."""
    use(tmp_path, NPM, monkeypatch)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def use(folder: Path, npm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program before all others that is called npm."""
    program = folder / "bin" / "npm"
    program.parent.mkdir(exist_ok=True)
    program.write_text(npm)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_they_are_fetched_once_by_the_lock_and_run_no_scripts(
    packages: NpmPackages, tmp_path: Path, asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in one line; the second time npm is not asked."""
    place = packages.place(tmp_path / "made", "newman")
    packages.fetch(place)
    assert capsys.readouterr().err == f"setup: Newman into {place} (once)\n"
    assert npm_packages.is_there(place)
    packages.fetch(place)
    assert capsys.readouterr().err == ""
    (line,) = asked.read_text().splitlines()
    assert line.startswith("ci --ignore-scripts ")
    assert kept(tmp_path / "made") == [place.name]


@pytest.mark.usefixtures("asked")
def test_another_lock_gets_another_place(packages: NpmPackages, tmp_path: Path) -> None:
    """What an older release fetched may still run."""
    old = packages.place(tmp_path, "newman")
    (packages.source / "package-lock.json").write_text('{"lockfileVersion": 3, "x": 1}')
    assert packages.place(tmp_path, "newman") != old


def test_without_npm_or_a_registry_it_is_said_and_nothing_stays(
    packages: NpmPackages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm's own first line, for it says which address."""
    place = packages.place(tmp_path / "made", "newman")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFetchedError, match="there is no `npm` on PATH"):
        packages.fetch(place)
    monkeypatch.undo()
    use(tmp_path, FAILS, monkeypatch)
    with pytest.raises(NotFetchedError, match=r"^npm error code ENOTFOUND$"):
        packages.fetch(place)
    assert kept(tmp_path / "made") == []


def fetchers(packages: NpmPackages, folder: Path, count: int) -> list[subprocess.Popen[str]]:
    """Start processes that each want the packages."""
    return [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, str(packages.source), str(folder)],
            env={**os.environ, "PYTHONPATH": str(HARNESS)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


def test_two_at_once_fetch_them_once(packages: NpmPackages, tmp_path: Path, asked: Path) -> None:
    """One waits for the other."""
    both = fetchers(packages, tmp_path / "made", 2)
    said = [each.communicate(timeout=HANGS_S)[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert len(asked.read_text().splitlines()) == 1
    assert len(kept(tmp_path / "made")) == 1


def test_nothing_half_is_taken_for_whole(
    packages: NpmPackages, tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while npm works: the next one makes them anew."""
    use(tmp_path, WAITS, monkeypatch)
    (fetcher,) = fetchers(packages, tmp_path / "made", 1)
    deadline = time.monotonic() + HANGS_S
    while not asked.exists():
        assert fetcher.poll() is None, fetcher.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    fetcher.send_signal(signal.SIGKILL)
    fetcher.communicate(timeout=HANGS_S)
    place = packages.place(tmp_path / "made", "newman")
    assert not npm_packages.is_there(place)
    use(tmp_path, NPM, monkeypatch)
    packages.fetch(place)
    assert (place / "node_modules" / "newman" / "package.json").is_file()
    assert kept(tmp_path / "made") == [place.name]
