"""The CPU model, held to what AWS measured and to its own limits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lambda_dyno.emulator.model import predict


def duration_ms(cpu_ms: float, blocked_ms: float, memory_mb: int, parallelism: int = 1) -> float:
    """Return the modelled mean at one size."""
    (prediction,) = predict(cpu_ms, [memory_mb], threads=parallelism, blocked_ms=blocked_ms)
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
