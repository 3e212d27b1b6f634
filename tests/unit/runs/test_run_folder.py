"""Runs on disk: leases, locks, which one is meant."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_dyno.cleanup import sweeper
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.private import make_folder
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.run_folder import RunFolder


def new(folder: Path, **lease: object) -> RunFolder:
    return run_folder.create(folder, "local", "dyno", timedelta(hours=1), **lease)


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
    assert run_folder.find(tmp_path, None, standing=False).run_id == newest.run_id
    assert run_folder.find(tmp_path, None, standing=True).run_id == older.run_id


def test_a_baseline_is_never_meant_by_the_newest_run(tmp_path: Path) -> None:
    """Its candidate has the evidence, and is older."""
    candidate, baseline = new(tmp_path), new(tmp_path)
    candidate.update_lease(started_at="2020-01-01T00:00:00+00:00")
    baseline.update_lease(beside=candidate.run_id)
    assert run_folder.find(tmp_path, None, standing=False).run_id == candidate.run_id
    assert run_folder.find(tmp_path, baseline.run_id, standing=False).run_id == baseline.run_id


@pytest.mark.parametrize("run_id", ["nope", "../x", "", "."])
def test_a_run_that_is_not_there_is_refused_with_the_newest(tmp_path: Path, run_id: str) -> None:
    """A run id is never a path."""
    known = new(tmp_path).run_id
    with pytest.raises(UserError, match=f"no such run. The newest: {known}"):
        run_folder.find(tmp_path, run_id, standing=False)


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    """Also when the folder is not there yet."""
    with pytest.raises(UserError, match="make tune KEEP=1"):
        run_folder.find(tmp_path / "runs", None, standing=True)


def test_a_run_in_use_is_refused_with_its_holder(tmp_path: Path) -> None:
    """Two commands never work on one environment; the lock ends with its process."""
    folder = new(tmp_path)
    with holding(folder) as holder:
        refused = rf"in use by process {holder.pid} of \S+ on \S+ since .*; wait for it \(--wait\)"
        with pytest.raises(UserError, match=refused), folder.locked():
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


def holding(folder: RunFolder) -> subprocess.Popen[bytes]:
    """Start a process that holds a run's lock until its standard input is closed."""
    code = (
        "import sys; from pathlib import Path; from lambda_dyno.runs.run_folder import RunFolder\n"
        f"with RunFolder(Path({str(folder.path)!r})).locked():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_who_waits_for_a_run_is_told_for_whom_and_goes_on_after(tmp_path: Path) -> None:
    """Once, not every time it looks."""
    folder = new(tmp_path)
    told: list[str] = []
    with holding(folder) as holder:
        assert holder.stdin is not None
        timer = threading.Timer(0.7, holder.stdin.close)
        timer.start()
        with folder.locked(waiting=told.append):
            assert holder.stdin.closed
    assert len(told) == 1
    assert f"process {holder.pid} of " in told[0]
    assert "(-c); waiting for it" in told[0]


def test_a_lease_of_another_release_can_be_read(tmp_path: Path) -> None:
    """Or its environment would stand for ever: keys too many are left, new ones have defaults."""
    folder = new(tmp_path)
    content = json.loads((folder.path / "lease.json").read_text())
    for key in ("namespace", "identity", "worker", "adopted_at"):
        del content[key]
    (folder.path / "lease.json").write_text(json.dumps(content | {"pid_started": 1.0}))
    assert folder.read_lease().run_id == folder.run_id
    assert folder.read_lease().owner_lives()  # cannot be known: only its expiry counts

    del content["run_id"]
    (folder.path / "lease.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="it has no run_id"):
        folder.read_lease()
    for text in ("", "{", "[]"):
        (folder.path / "lease.json").write_text(text)
        with pytest.raises(UserError, match="not the lease of a run"):
            folder.read_lease()


def test_drafts_of_a_killed_command_go_and_nothing_else(tmp_path: Path) -> None:
    """Half a result, half of a load test's latencies."""
    folder = new(tmp_path)
    drafts = [".lease.json.123", ".result.json.9", "load/current-0.part.jsonl", "local/x.new"]
    kept = ["result.json", "load/current.jsonl", "local/server.log", "logs/terraform-apply.log"]
    for name in (*drafts, *kept):
        path = folder.path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    folder.remove_drafts()
    assert [name for name in drafts if (folder.path / name).exists()] == []
    assert [name for name in kept if not (folder.path / name).exists()] == []


def test_finished_steps_are_noted_with_what_they_worked_on(tmp_path: Path) -> None:
    """A new deployment has finished nothing but what is kept."""
    folder = new(tmp_path)
    assert folder.progress() == {}
    folder.note_inputs({"modules": "a"})
    folder.mark("up")
    folder.mark("tune")
    assert folder.progress() == {"inputs": {"modules": "a"}, "up": True, "tune": True}
    folder.note_inputs({"modules": "b"}, ["tune"])
    assert folder.progress() == {"inputs": {"modules": "b"}, "tune": True}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB, which only root can make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk needs root and tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_a_full_disk_does_not_come_between_a_run_and_its_teardown(small_disk: Path) -> None:
    """Lease and result are written into what was reserved for them; the reserve ends with down."""
    folder = new(small_disk)
    for name, size in run_folder.RESERVES.items():
        assert (folder.path / name).stat().st_size == size
    fill(small_disk)
    folder.update_lease(state="destroying")
    folder.write("result.json", "x" * 1_000_000)
    assert folder.read_lease().state == "destroying"

    fill(small_disk)  # somebody takes what was given free
    folder.update_lease(state="left")
    assert list(folder.path.glob("reserve*")) == []

    fill(small_disk)
    before = folder.read_lease()
    with pytest.raises(StepError, match=r"lease\.json: No space left on device"):
        folder.update_lease(state="up", owner="x" * 100_000)
    assert folder.read_lease() == before  # never half of it
    assert list(folder.path.glob(".lease*")) == []

    (small_disk / "filler").unlink()
    folder.make_reserve()
    folder.update_lease(state="down")
    assert list(folder.path.glob("reserve*")) == []


def test_a_run_without_room_is_refused_before_anything_is_made(small_disk: Path) -> None:
    """Its teardown could not be told."""
    fill(small_disk)
    with pytest.raises(UserError, match="a run cannot be kept there: No space left"):
        new(small_disk)


NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, unlike pytest's, and the usual umask."""
    before = os.umask(0o022)
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        os.umask(before)
        shutil.rmtree(folder)


def can_read(path: Path) -> bool:
    """Whether another user of the machine can."""
    done = subprocess.run(
        ["cat", str(path)], user=NOBODY, group=NOBODY, capture_output=True, check=False
    )
    return done.returncode == 0


def test_another_user_reads_no_state(open_folder: Path) -> None:
    """Terraform writes it for everybody; the folder is closed, one of an older version too."""
    made, old = new(open_folder / "runs"), new(open_folder / "runs")
    old.path.chmod(0o755)
    for run in (made, old):
        state = run.terraform / "envs" / "dev" / "terraform.tfstate"
        state.parent.mkdir(parents=True)
        state.write_text("hunter2")
    if os.getuid() == 0:
        assert can_read(state)  # or this test shows nothing
    with old.locked():
        pass
    for run in (made, old):
        assert run.path.stat().st_mode & 0o777 == 0o700
        if os.getuid() == 0:
            assert not can_read(run.terraform / "envs" / "dev" / "terraform.tfstate")
            assert not can_read(run.path / "lease.json")


def test_a_closed_folder_is_made_with_its_parents_and_again(open_folder: Path) -> None:
    """Nobody's umask opens it, and what its owner may not do stays so."""
    path = open_folder / "a" / ".dyno"
    assert make_folder(path) == path
    assert path.stat().st_mode & 0o777 == 0o700
    path.chmod(0o555)
    make_folder(path)
    assert path.stat().st_mode & 0o777 == 0o500
    assert (open_folder / "a").stat().st_mode & 0o777 == 0o755
