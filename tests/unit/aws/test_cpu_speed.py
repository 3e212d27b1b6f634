"""Whether a choice hangs on how fast the CPU was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambda_dyno.aws import cpu_speed
from lambda_dyno.aws.accounts import Account
from lambda_dyno.core.results import TuningResult
from lambda_dyno.emulator.model import Work, durations_by_speed
from tests.support import report_samples

HERE = Account("000000000000", "us-east-1", "http://127.0.0.1:4566", {})


def tuning(durations_ms: dict[int, float], power: int, strategy: str = "cost") -> TuningResult:
    """Return what was measured."""
    details = [report_samples.detail(size, ms) for size, ms in durations_ms.items()]
    return report_samples.tuning(*details, power=power, current=power, strategy=strategy)


def test_a_choice_at_the_edge_of_a_step_hangs_on_the_cpu() -> None:
    """18 ms of CPU time need another period at 512 MB than 15 ms do."""
    work = Work(cpu_ms=18)
    durations = {size: work.duration_ms(size).mean for size in (128, 256, 512, 1024, 1769)}
    by_speed = durations_by_speed(durations).values()
    assert {min(ms, key=lambda mb: mb * ms[mb]) for ms in by_speed} == {512, 1024}
    found = cpu_speed.doubt(tuning(durations, 1024), HERE, 0.5)
    assert found.startswith("512 or 1024 MB: it hangs on 15 %")


def test_a_plain_choice_has_no_doubt() -> None:
    durations = {128: 300.0, 512: 299.0, 1024: 298.0}
    assert cpu_speed.doubt(tuning(durations, 128), HERE, 0.5) == ""


@pytest.mark.parametrize("account", [HERE, replace(HERE, endpoint="")])
def test_nothing_is_said_of_one_size_nor_on_aws(account: Account) -> None:
    durations = {1024: 27.0} if account.endpoint else {512: 60.5, 1024: 27.0}
    assert cpu_speed.doubt(tuning(durations, 1024), account, 0.5) == ""
