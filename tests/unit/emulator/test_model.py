"""The CPU model, held to what AWS measured and to its own limits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.emulator.model import Work, cheapest_by_speed, durations_by_speed, predict
from lambda_emulator.meter_path.dyno_meter import cfs, latency


def duration_ms(cpu_ms: float, blocked_ms: float, memory_mb: int, parallelism: int = 1) -> float:
    """Return the modelled mean at one size."""
    (prediction,) = predict(Work(cpu_ms, parallelism, blocked_ms), [memory_mb])
    return prediction.duration_ms.mean


# means of 300 invocations each, from the data set cpu17ms (see docs/local-lambda.md)
@pytest.mark.parametrize(
    ("memory_mb", "aws_ms"), [(128, 222.7), (275, 99.3), (487, 48.2), (1690, 17.2)]
)
def test_short_function_takes_what_aws_took(memory_mb: int, aws_ms: float) -> None:
    """17.2 ms of CPU time take within 10 % of AWS's own duration."""
    assert duration_ms(17.2, 0, memory_mb) == pytest.approx(aws_ms, rel=0.10)


@pytest.mark.parametrize("memory_mb", [128, 500, 1000, 1700])
def test_long_work_gets_its_share(memory_mb: int) -> None:
    """Seconds of CPU time are stretched by 1769 / memory; the staircase is lost in them."""
    assert duration_ms(5000, 0, memory_mb) == pytest.approx(5000 * 1769 / memory_mb, rel=0.01)


def test_a_whole_cpu_takes_the_cpu_time() -> None:
    """From 1769 MB on, one thread is not throttled, and more memory does not speed it up."""
    assert duration_ms(17.2, 0, 1769) == pytest.approx(17.2)
    assert duration_ms(17.2, 0, 10_240) == pytest.approx(17.2)


def test_waiting_is_not_stretched() -> None:
    """Time blocked is the same at every size."""
    assert duration_ms(0, 50, 128) == pytest.approx(50)
    assert duration_ms(0, 50, 10_240) == pytest.approx(50)


def test_threads_use_more_than_one_cpu() -> None:
    """Four threads gain up to four vCPUs, and no more."""
    assert duration_ms(4000, 0, 1769, parallelism=4) == pytest.approx(4000, rel=0.02)
    assert duration_ms(4000, 0, 3538, parallelism=4) == pytest.approx(2000, rel=0.02)
    assert duration_ms(4000, 0, 10_240, parallelism=4) == pytest.approx(1000)


def test_more_memory_never_is_much_slower() -> None:
    """The staircase falls with memory; a step back is smaller than a tick."""
    durations = [duration_ms(17.2, 0, size) for size in range(128, 1770)]

    assert all(later <= earlier + 4.0 for earlier, later in pairwise(durations))


@pytest.mark.parametrize(
    ("processes", "memory_mb", "cpu_ms", "architecture", "aws_ms"),
    [
        # PBKDF2 in equal processes, means of AWS; CPU time from sizes where each has a vCPU
        (6, 7168, 8130, "", 2345),
        (6, 8704, 8160, "", 2201),
        (5, 6912, 8290, "", 2602),
        (4, 5120, 8260, "", 3169),
        (6, 7168, 13_370, "x86_64", 3795),
        (6, 8704, 13_400, "x86_64", 3696),
    ],
)
def test_equal_processes_share_fewer_vcpus_unevenly(
    processes: int, memory_mb: int, cpu_ms: float, architecture: str, aws_ms: float
) -> None:
    """Two of them are on one vCPU until another is idle: within 9 % of AWS, not 14 to 26 %."""
    steps = [(cfs.CPU, cpu_ms, processes)]
    assert cfs.duration_ms(steps, memory_mb, architecture)[0] == pytest.approx(aws_ms, rel=0.09)


@pytest.mark.parametrize(
    ("width", "count", "longest"),
    [(6, 5, 1.5), (5, 4, 1.5), (4, 3, 1.5), (5, 3, 1.75), (6, 3, 2), (6, 4, 1.5), (5.25, 5, 1.25)],
)
def test_spread_keeps_all_work(width: float, count: int, longest: float) -> None:
    """What runs in the phases is the work; they last as long as the last thread."""
    phases = cfs.spread(width, width, count)
    assert sum(cpu for cpu, _ in phases) == pytest.approx(width)
    assert sum(cpu / busy for cpu, busy in phases) == pytest.approx(longest)


def test_cores_of_large_sizes_differ_by_architecture() -> None:
    """arm64 gets newer ones; six busy vCPUs of x86_64 are three cores."""

    def at(memory_mb: int, threads: int, architecture: str) -> float:
        work = Work(6000, threads, architecture=architecture)  # type: ignore[arg-type]
        (found,) = predict(work, [memory_mb])
        return found.duration_ms.mean

    assert at(2048, 1, "arm64") == at(2048, 1, "x86_64")
    assert at(10_240, 1, "arm64") == pytest.approx(4800)
    assert at(10_240, 1, "x86_64") == pytest.approx(6000)
    assert at(10_240, 6, "x86_64") > 1.09 * 1000
    assert at(10_240, 5, "x86_64") == pytest.approx(1200, rel=0.02)


def test_network_and_heaps_follow_memory() -> None:
    """Half the memory, half the bandwidth; near the limit collecting costs, far from it not."""
    slow, full = predict(Work(0, transfer_ms=100), [128, 3008])
    assert slow.duration_ms.mean == pytest.approx(100 * 1769 / 128)
    assert full.duration_ms.mean == pytest.approx(100)  # one connection's limit
    tight, roomy = predict(Work(10_000, live_mb=120), [128, 1769])
    assert tight.duration_ms.mean > 3 * 10_000 * 1769 / 128
    assert roomy.duration_ms.mean < 1.02 * 10_000


def test_a_kb_takes_longer_at_128_mb() -> None:
    """The network's share of a call's latency follows memory, the service's own does not."""
    table = {
        "default": {"median_ms": 1.0, "sigma": 0.0, "ms_per_kb": 0.012},
        "services": {"dynamodb": {"default": {"ms_per_kb": 0.04}}},
    }
    of_size = {size: latency.LatencyModel(table, "0", size) for size in (128, 1769)}
    assert of_size[1769].transfer_ms("s3", "GetObject", 102_400) == pytest.approx(1.2)
    assert of_size[128].transfer_ms("s3", "GetObject", 102_400) == pytest.approx(1.2 * 1769 / 128)
    grown = [of_size[s].transfer_ms("dynamodb", "Query", 102_400) for s in (1769, 128)]
    assert grown[1] - grown[0] == pytest.approx(1.2 * (1769 / 128 - 1))


def test_choice_that_hangs_on_the_cpu_is_told() -> None:
    """Right above a cliff of the staircase 15 % decide; for long work nothing changes."""
    sizes = (128, 256, 512, 1024)
    assert len(set(cheapest_by_speed(Work(18), sizes).values())) > 1
    assert set(cheapest_by_speed(Work(2, blocked_ms=500), sizes).values()) == {128}


def test_live_data_must_fit() -> None:
    """More than the smallest size is refused."""
    with pytest.raises(UserError, match="less than 128 MB"):
        predict(Work(10, live_mb=128), [256, 128])


@pytest.mark.parametrize("work", [Work(19), Work(300, blocked_ms=80), Work(0, blocked_ms=50)])
def test_measured_durations_are_told_at_other_speeds(work: Work) -> None:
    """From the durations alone, near what the model says of that work."""
    sizes = (128, 256, 512, 1024, 1769)
    found = durations_by_speed({size: work.duration_ms(size).mean for size in sizes})

    assert list(found) == [0.85, 1.0, 1.15]
    for factor, durations in found.items():
        other = Work(work.cpu_ms * factor, blocked_ms=work.blocked_ms)
        for size in sizes:
            assert durations[size] == pytest.approx(other.duration_ms(size).mean, rel=0.06, abs=1)
