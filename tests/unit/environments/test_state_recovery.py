"""What a killed Terraform leaves behind, and what is made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_dyno.environments import state_recovery
from lambda_dyno.environments.state_bucket import StateLock
from lambda_dyno.runs import run_folder
from lambda_dyno.runs.ownership import this_host
from lambda_dyno.runs.run_folder import Lease

STATE = '{"version": 4, "serial": 3}'
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("broken", ["", '{"version": 4, "ser', "[]", "\0" * 10])
def test_the_backup_takes_the_place_of_a_state_that_was_cut_off(
    tmp_path: Path, broken: str
) -> None:
    """Terraform writes a local state in place; a kill in that moment leaves half of it."""
    state = tmp_path / "terraform.tfstate"
    state.write_text(broken)
    (tmp_path / "terraform.tfstate.backup").write_text(STATE)
    told: list[str] = []
    state_recovery.restore_from_backup(state, told.append)
    assert state.read_text() == STATE
    assert (tmp_path / "terraform.tfstate.broken").read_text() == broken
    assert len(told) == 1


def test_without_a_backup_there_is_no_state(tmp_path: Path) -> None:
    """Then everything is found by its name."""
    state = tmp_path / "terraform.tfstate"
    state.write_text("{")
    state_recovery.restore_from_backup(state, lambda _: None)
    assert not state.exists()


@pytest.mark.parametrize("exists", [True, False])
def test_a_whole_state_is_left_alone(tmp_path: Path, exists: bool) -> None:
    """Also one that is not there."""
    state = tmp_path / "terraform.tfstate"
    if exists:
        state.write_text(STATE)
    state_recovery.restore_from_backup(state, lambda _: pytest.fail("nothing is wrong"))
    assert state.exists() == exists


def test_a_bare_root_has_a_provider_and_the_states_backend(tmp_path: Path) -> None:
    """Nothing else, so that all that is in the state is superfluous."""
    root, backend = state_recovery.destroy_only_root(
        tmp_path, tmp_path / "x.tfstate", version="= 5.99.1"
    )
    content = json.loads((root / "main.tf.json").read_text())
    assert content["terraform"]["backend"] == {"local": {}}
    assert content["terraform"]["required_providers"]["aws"]["version"] == "= 5.99.1"
    assert backend == {"path": str((tmp_path / "x.tfstate").resolve())}
    assert "resource" not in content
    assert state_recovery.has_root(root)
    assert not state_recovery.has_root(tmp_path)


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    return run_folder.create(tmp_path / "runs", "dev", "dyno", timedelta(hours=1)).read_lease()


def lock(host: str, age: timedelta) -> StateLock:
    return StateLock("id", f"root@{host}", "Apply", NOW - age, "key.tflock")


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Path]:
    """A folder that a process works in, as Terraform does in its root."""
    root = tmp_path / "terraform" / "envs" / "dev"
    root.mkdir(parents=True)
    command = [sys.executable, "-c", "print('there', flush=True); input()"]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield tmp_path / "terraform"
        process.kill()


def test_a_lock_of_this_machine_is_dead_when_nobody_works_there(
    lease: Lease, tmp_path: Path
) -> None:
    """Even if the lease runs on: we hold the run's own lock."""
    assert state_recovery.owner_is_dead(
        lock(this_host(), timedelta(seconds=5)), lease, tmp_path, NOW
    )


def test_a_lock_is_alive_while_a_process_works_there(lease: Lease, at_work: Path) -> None:
    """However old it is."""
    assert not state_recovery.owner_is_dead(
        lock(this_host(), timedelta(days=9)), lease, at_work, NOW
    )


@pytest.mark.parametrize(
    ("age_h", "expired", "dead"),
    [
        pytest.param(5, True, True, id="old-and-expired"),
        pytest.param(0.1, True, False, id="young"),
        pytest.param(5, False, False, id="lease-runs"),
    ],
)
def test_a_lock_of_another_machine_is_dead_when_nothing_can_hold_it_any_more(
    lease: Lease, tmp_path: Path, age_h: float, expired: bool, dead: bool
) -> None:
    """Nobody can look there; no command of ours takes that long."""
    expires = NOW - timedelta(minutes=1) if expired else NOW + timedelta(hours=1)
    theirs = replace(lease, host="elsewhere", expires_at=expires.isoformat())
    found = state_recovery.owner_is_dead(
        lock("elsewhere", timedelta(hours=age_h)), theirs, tmp_path, NOW
    )
    assert found == dead


def test_what_was_locked_before_a_run_was_adopted_is_not_ours(lease: Lease, tmp_path: Path) -> None:
    """A machine of the same name may still be at it; what the adopter locked is known here."""
    adopted = replace(
        lease,
        adopted_at=(NOW - timedelta(minutes=5)).isoformat(),
        expires_at=(NOW + timedelta(hours=1)).isoformat(),
    )
    before, after = (lock(this_host(), timedelta(minutes=minutes)) for minutes in (9, 1))
    assert not state_recovery.owner_is_dead(before, adopted, tmp_path, NOW)
    assert state_recovery.owner_is_dead(after, adopted, tmp_path, NOW)


def test_the_arns_of_a_state_are_those_of_what_it_manages() -> None:
    """A data source is read, never destroyed."""
    state = {
        "version": 4,
        "resources": [
            {"mode": "managed", "instances": [{"attributes": {"arn": "arn:a"}}]},
            {"mode": "managed", "instances": [{"attributes": {"arn": None}}, {"attributes": {}}]},
            {"mode": "data", "instances": [{"attributes": {"arn": "arn:b"}}]},
        ],
    }
    assert state_recovery.arns(json.dumps(state).encode()) == {"arn:a"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"resources": [1]}', b"[" * 100_000])
def test_a_state_that_cannot_be_read_has_no_arns(content: bytes) -> None:
    assert state_recovery.arns(content) == set()
