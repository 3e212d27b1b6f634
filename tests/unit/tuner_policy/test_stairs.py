"""The table of steps: it is the law's own, and near enough to it between its sizes."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from lambda_dyno.tuner_policy import sizes, stairs
from lambda_emulator.meter_path.dyno_meter import cfs
from tools import stairs_table


def test_it_has_every_size_and_row() -> None:
    assert stairs.TABLE.stat().st_size == 2 * len(stairs.TABLE_MB) * len(stairs.ROWS)
    looked_at = sizes.candidates(128, 10240, stairs=True, limited=True)
    assert {size for size in looked_at if size < 1769} <= set(stairs.TABLE_MB)


def test_its_values_are_those_of_the_law() -> None:
    """`make docs` writes it anew where this fails."""
    chance = random.Random(3)
    for _ in range(60):
        memory_mb, row = chance.choice(stairs.TABLE_MB), chance.randrange(len(stairs.ROWS))
        expected = stairs_table.log_ms(stairs.ROWS[row], memory_mb)
        assert stairs.at(memory_mb)[row] == pytest.approx(expected, abs=1 / stairs.UNITS)


@pytest.mark.slow
def test_it_is_what_make_docs_writes() -> None:
    assert stairs.TABLE.read_bytes() == stairs_table.content()


def test_between_its_sizes_a_line_will_do() -> None:
    """A function's own size may be any."""
    chance = random.Random(4)
    off = []
    for _ in range(80):
        memory_mb, row = chance.randrange(128, 1900), chance.randrange(len(stairs.ROWS))
        off.append(
            abs(stairs.at(memory_mb)[row] - stairs_table.log_ms(stairs.ROWS[row], memory_mb))
        )
    assert sorted(off)[len(off) // 2] < 0.01
    assert sorted(off)[int(0.9 * len(off))] < 0.06


def test_above_one_vcpu_there_are_no_steps() -> None:
    cpu_ms, wait_ms = stairs.ROWS[100]
    assert stairs.at(3008)[100] == pytest.approx(math.log(cpu_ms + wait_ms))


def test_the_edge_of_a_step_is_no_place_to_stay() -> None:
    """Where it ends is known to a per cent only: beyond that it is as fast as it looks."""
    row = min(stairs.ROWS, key=lambda row: math.dist(row, (17.0, 0.0)))
    law = {size: cfs.duration_ms(((cfs.CPU, row[0], 1),), size)[0] for size in range(128, 1769)}
    edges = [b for a, b in pairwise(law) if law[b] < 0.97 * law[a] and b > 400]
    assert edges
    for edge in edges:
        assert math.exp(stairs_table.log_ms(row, edge)) > 1.01 * law[edge]
    for size in range(900, 1400):  # between its last two steps
        assert math.exp(stairs_table.log_ms(row, size)) == pytest.approx(law[size], rel=0.001)
