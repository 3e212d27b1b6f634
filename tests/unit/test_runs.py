"""Runs on disk: leases, locks, which one is meant."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness import runs, sweeper
from harness.errors import UserError
from harness.runs import RunFolder


def new(folder: Path, **lease: object) -> RunFolder:
    return runs.create(folder, "local", "dyno", timedelta(hours=1), **lease)


def test_a_name_prefix_is_short_and_valid_everywhere(tmp_path: Path) -> None:
    """Lower-case letters, digits and dashes; 32 characters leave room for every suffix."""
    prefix = new(tmp_path).read_lease().name_prefix
    assert re.fullmatch(r"dyno-\d{6}-\d{4}-[a-z0-9]{4}", prefix)
    assert len(prefix) <= 32


def test_every_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Fifty runs in one minute do not collide."""
    assert len({new(tmp_path).run_id for _ in range(50)}) == 50


def test_the_newest_run_is_meant_when_none_is_named(tmp_path: Path) -> None:
    """Where a standing environment is needed, the newest that stands."""
    older, newest = new(tmp_path, memory_mb=1), new(tmp_path)
    older.update_lease(started_at="2020-01-01T00:00:00+00:00", state="up")
    assert runs.find(tmp_path, None, standing=False).run_id == newest.run_id
    assert runs.find(tmp_path, None, standing=True).run_id == older.run_id


@pytest.mark.parametrize("run_id", ["nope", "../x", "", "."])
def test_a_run_that_is_not_there_is_refused_with_the_newest(tmp_path: Path, run_id: str) -> None:
    """A run id is never a path."""
    known = new(tmp_path).run_id
    with pytest.raises(UserError, match=f"no such run. The newest: {known}"):
        runs.find(tmp_path, run_id, standing=False)


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    """Also when the folder is not there yet."""
    with pytest.raises(UserError, match="make tune KEEP=1"):
        runs.find(tmp_path / "runs", None, standing=True)


def test_a_run_in_use_is_refused_with_its_holder(tmp_path: Path) -> None:
    """Two commands never work on one environment; the lock ends with its process."""
    folder = new(tmp_path)
    code = (
        "import sys; from pathlib import Path; from harness.runs import RunFolder\n"
        f"with RunFolder(Path({str(folder.path)!r})).locked():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=f"in use by process {holder.pid}"), folder.locked():
            pass
        holder.kill()
    with folder.locked():
        pass


def test_a_lease_knows_whether_its_owner_lives(tmp_path: Path) -> None:
    """A recycled process id is not the owner."""
    folder = new(tmp_path)
    assert folder.read_lease().owner_lives()
    assert not folder.update_lease(identity="other").owner_lives()
    elsewhere = folder.update_lease(namespace="another container's")
    assert elsewhere.owner_lives()  # cannot be known: only its expiry counts
    assert folder.update_lease(host="elsewhere").owner_lives()
    assert folder.take_over().owner_lives()


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "older_than", "reason"),
    [
        pytest.param({}, None, "", id="lives"),
        pytest.param({"identity": "other"}, None, "is gone", id="owner-gone"),
        pytest.param({"identity": "other", "kept": True}, None, "", id="kept"),
        pytest.param(
            {"expires_at": "2026-01-01T11:59:59+00:00", "kept": True}, None, "expired", id="expired"
        ),
        pytest.param({"kept": True}, timedelta(hours=1), "older than", id="older"),
        pytest.param({"kept": True}, timedelta(hours=3), "", id="younger"),
        pytest.param({"state": "down", "identity": "other"}, timedelta(0), "", id="down"),
    ],
)
def test_what_the_sweeper_takes(
    tmp_path: Path, changes: dict[str, object], older_than: timedelta | None, reason: str
) -> None:
    """Expired, ownerless or old enough; never what stands by right."""
    lease = {
        "state": "up",
        "started_at": "2026-01-01T10:00:00+00:00",
        "expires_at": "2026-01-01T14:00:00+00:00",
    }
    made = new(tmp_path).update_lease(**(lease | changes))
    found = sweeper.why(made, NOW, older_than)
    assert reason in found
    assert bool(found) == bool(reason)
