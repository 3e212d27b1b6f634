"""What keeps local figures still: simulated on a machine whose speed changes by the second."""

from __future__ import annotations

import json
import math
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_emulator.meter_path.dyno_meter.cfs import CPU, duration_ms
from lambda_emulator.meter_path.dyno_meter.spin import spin_ms
from lambda_emulator.sandbox import steady
from lambda_emulator.sandbox.demands import Demands
from lambda_emulator.sandbox.steady import Sample, Steadier, Turns
from tests.support.waiting import HANGS_S

SIZES_MB = (128, 256, 512, 1024)
SPIN_MS = 0.27
HARNESS = Path(__file__).parents[3] / "harness"


def tune(
    numbers: random.Random, *, follows: float, known: float | None = None
) -> list[list[float]]:
    """Return trimmed means by size of one tuning: as they were measured, and steadied.

    The core is 1.45 times slower in spells of about a second, how often is this tuning's luck.
    """
    duty, slow, left_s = numbers.uniform(0.1, 0.7), 1.0, 0.0
    samples: list[Sample] = []
    durations = [{size: [] for size in SIZES_MB} for _ in range(2)]
    for block in range(4):
        for size in SIZES_MB:
            for turn in range(5):
                spins = []
                for _ in range(2):
                    left_s -= 0.05
                    if left_s <= 0:
                        slow = 1.45 if numbers.random() < duty else 1.0
                        left_s = numbers.expovariate(1.0)
                    spins.append(SPIN_MS * slow * math.exp(abs(numbers.gauss(0, 0.05))))
                cpu_ms = 20.0 * slow**follows * math.exp(abs(numbers.gauss(0, 0.06)))
                if (block * 5 + turn) % 9 == 3:  # a full garbage collection
                    cpu_ms += 30 * slow**follows
                own = Sample(size, cpu_ms, 1.0, *spins)
                samples.append(own)
                recent = samples[-160:]
                found = steady.estimate(recent, own, SPIN_MS, steady.slope(recent), known)
                for figures, value in zip(durations, (cpu_ms, found.cpu_ms), strict=True):
                    figures[size].append(duration_ms([(CPU, value, 1.0)], size)[0])
    return [
        [statistics.fmean(sorted(values)[4:-4]) for values in figures.values()]
        for figures in durations
    ]


def variations(tunings: list[list[list[float]]], which: int) -> list[float]:
    """Return the coefficient of variation of each size's trimmed mean over tunings."""
    by_size = zip(*(tuning[which] for tuning in tunings), strict=True)
    return [statistics.stdev(means) / statistics.fmean(means) for means in by_size]


def test_figures_of_work_that_follows_the_core_hold_still() -> None:
    """Twenty tunings: each size's mean varies by 12 % and more, steadied by 5 % at most."""
    numbers = random.Random(5)
    tunings = [tune(numbers, follows=1.0) for _ in range(20)]

    assert min(variations(tunings, 0)) > 0.12
    assert max(variations(tunings, 1)) < 0.05


def test_work_that_waits_for_memory_is_left_alone_once_that_is_known() -> None:
    """Divided by the spins it would vary more than it does."""
    numbers = random.Random(6)
    tunings = [tune(numbers, follows=0.2, known=0.2) for _ in range(12)]

    assert max(variations(tunings, 1)) < 1.2 * max(variations(tunings, 0))


def test_level_adds_no_samples() -> None:
    """A size's reports scatter as its own measurements do, though all sizes have one level."""
    numbers = random.Random(7)
    samples = []
    reported: dict[int, list[float]] = {128: [], 256: []}
    for turn in range(40):
        size = (128, 256)[turn % 2]
        own = Sample(size, 20 * math.exp(numbers.gauss(0, 0.08)), 1.0, SPIN_MS, SPIN_MS)
        samples.append(own)
        found = steady.estimate(samples, own, SPIN_MS, 1.0)
        if turn >= 20:
            assert found.pooled_mb == [128, 256]
            reported[size].append(found.cpu_ms)
    for size, values in reported.items():
        measured = [s.cpu_ms for s in samples[20:] if s.memory_mb == size]
        ratio = (statistics.stdev(values) / statistics.fmean(values)) / (
            statistics.stdev(measured) / statistics.fmean(measured)
        )
        assert 0.7 < ratio < 1.4


def test_a_sizes_mean_is_the_pools_level_and_its_scatter_its_own(tmp_path: Path) -> None:
    """Each deviation has its turn; a collection of garbage is none."""
    numbers = random.Random(9)
    means = []
    for run in range(12):
        sizes = {size: steadier(tmp_path / str(run)) for size in SIZES_MB}
        reported: list[float] = []
        for turn in range(30):
            for size, one in sizes.items():
                one.begin(b'{"event": {}, "ctx": {}}')
                own = Sample(size, 3 * math.exp(numbers.gauss(0, 0.12)), 1.0, SPIN_MS, SPIN_MS)
                cpu_ms = own.cpu_ms * one.scale(own, 50)
                if turn >= 10 and size == SIZES_MB[0]:
                    reported.append(cpu_ms)
        assert 0.06 < statistics.stdev(map(math.log, reported)) < 0.25
        means.append(statistics.fmean(reported))
    alone = 0.12 / 20**0.5
    assert statistics.stdev(means) / statistics.fmean(means) < 0.8 * alone

    one.begin(b'{"event": {}, "ctx": {}}')
    own = Sample(SIZES_MB[-1], 9.0, 1.0, SPIN_MS, SPIN_MS)
    assert own.cpu_ms * one.scale(own, 50) > 7


@pytest.mark.parametrize(("count", "varies"), [(20, 0.10), (10, 0.145)])
def test_few_invocations_have_all_deviations(count: int, varies: float) -> None:
    """At a step's edge a mean is made of the share beyond it, which at random varies by `varies`.

    They scatter no less for that.
    """
    numbers = random.Random(10)
    shares, scatters = [], []
    for _ in range(200):
        pool = sorted(math.exp(numbers.gauss(0, 0.1)) for _ in range(80))
        turns = Turns()
        taken = [turns.taken(math.exp(numbers.gauss(0, 0.1)), pool) for _ in range(count)]
        shares.append(sum(value > pool[56] for value in taken) / count)
        scatters.append(statistics.stdev(taken))
    assert statistics.fmean(shares) == pytest.approx(0.3, abs=0.02)
    assert statistics.stdev(shares) < varies / 2
    assert statistics.fmean(scatters) == pytest.approx(0.1, abs=0.01)


def test_how_cold_a_core_is_usually_is_each_functions_own(tmp_path: Path) -> None:
    """One that leaves it colder is no slower for that; its next run and version measure alike."""

    def last(function: str, code: str, spin: float, machine: Path = tmp_path) -> float:
        one = Steadier(str(tmp_path / code / function), function, code, str(machine))
        for turn in range(70):
            one.begin(b'{"event": {}, "ctx": {}}')
            own = Sample(512, 20 * (1 + 0.05 * (turn % 3)), 1.0, spin, spin)
            factor = one.scale(own, 50)
        return factor

    assert last("dyno-261130-2142-d8hg-list", "v1", 0.2) == pytest.approx(1, abs=0.01)
    assert last("dyno-261130-2142-d8hg-other", "w1", 0.3) == pytest.approx(1, abs=0.01)
    # a fifth slower meanwhile
    assert last("dyno-261130-2230-qzzx-list", "v2", 0.24) == pytest.approx(1 / 1.2, abs=0.01)
    # much faster: it was learned in a bad hour
    assert last("dyno-261130-2230-qzzx-list", "v3", 0.1) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("of_size", "pooled_mb"),
    [
        ({128: (20, 1.0), 512: (20.5, 1.0), 1024: (19, 1.0)}, [128, 512, 1024]),
        ({128: (40, 1.0), 512: (20.5, 1.0), 1024: (20, 1.0)}, [512, 1024]),  # a heap near its limit
        ({512: (20, 2.0), 1024: (20, 2.0), 10_240: (20, 6.0)}, [512, 1024]),  # as many as vCPUs
        ({128: (30, 1.0), 1024: (20, 1.0)}, []),
    ],
)
def test_only_sizes_with_the_same_demand_are_pooled(
    of_size: dict[int, tuple[float, float]], pooled_mb: list[int]
) -> None:
    """Medians within 10 % of each other and as many threads; the others keep their own figures."""
    samples = [
        Sample(size, cpu_ms, width, SPIN_MS, SPIN_MS)
        for _ in range(6)
        for size, (cpu_ms, width) in of_size.items()
    ]
    for size, (cpu_ms, width) in of_size.items():
        own = Sample(size, cpu_ms, width, SPIN_MS, SPIN_MS)
        found = steady.estimate([*samples, own], own, SPIN_MS, 1.0)
        assert list(found.pooled_mb) == (pooled_mb if size in pooled_mb else [])
        if size not in pooled_mb:
            assert found.cpu_ms == cpu_ms


def test_slope_is_told_from_spins_own_noise() -> None:
    """What neighbours' spins do not share is noise; with nothing shared there is no slope."""
    numbers = random.Random(8)

    def samples(spread: float, follows: float) -> list[Sample]:
        found, core = [], 1.0
        for turn in range(200):
            if turn % 8 == 0:
                core = math.exp(numbers.gauss(0, spread))
            spins = [SPIN_MS * core * math.exp(numbers.gauss(0, 0.08)) for _ in range(2)]
            found.append(Sample(512, 20 * core**follows, 1.0, *spins))
        return found

    assert steady.slope(samples(0.0, 1.0)) is None
    assert steady.slope(samples(0.15, 0.9)) == pytest.approx(0.9, abs=0.15)
    assert steady.slope(samples(0.15, 0.2)) == pytest.approx(0.2, abs=0.15)
    assert steady.slope(samples(0.15, 0.9)[:11]) is None


def steadier(folder: Path, code: str = "v1", machine: str = "") -> Steadier:
    """Return one of a function."""
    return Steadier(str(folder), "arn:f", code, machine)


def invoke(
    one: Steadier, memory_mb: int, cpu_ms: float, event: str = "{}", peak: int = 60
) -> float:
    """Return the CPU time that an invocation is reported with."""
    one.begin(f'{{"event": {event}, "ctx": {{"request_id": "r"}}}}'.encode())
    return cpu_ms * one.scale(Sample(memory_mb, cpu_ms, 1.0, spin_ms(), spin_ms()), peak)


def test_environments_of_one_code_know_of_each_other(tmp_path: Path) -> None:
    """Those of other sizes pool; another code begins anew, other events are on their own."""
    small, large = steadier(tmp_path), steadier(tmp_path)
    for _ in range(5):
        invoke(small, 128, 20)
        invoke(large, 1024, 20.5)
    assert small.pooled_mb == [128, 1024]

    invoke(small, 128, 20, '{"other": 1}')
    assert small.pooled_mb == ()
    changed = steadier(tmp_path, "v2")
    invoke(changed, 128, 20)
    assert changed.pooled_mb == ()
    invoke(small, 128, 20, peak=120)  # near its limit
    assert small.pooled_mb == ()


def test_events_that_differ_in_identifiers_alone_are_alike(tmp_path: Path) -> None:
    """A UUID, a time or a long number makes no other work; a count does."""
    one = steadier(tmp_path)
    for memory_mb in (128, 256):
        for turn in range(4):
            of = f"6f1c1f9a-0000-4000-8000-{turn:012d}"
            invoke(one, memory_mb, 20, json.dumps({"id": of, "at": 1_700_000_000_000 + turn}))
    assert one.pooled_mb == [128, 256]
    invoke(one, 256, 20, json.dumps({"count": 7}))
    assert one.pooled_mb == ()


def run_of(machine: Path, numbers: random.Random, *, needs_ms: float) -> float:
    """Return the mean CPU time that a run's invocations are reported with."""
    folder = str(machine / f"run-{numbers.random()}")
    sizes = {size: Steadier(folder, "arn:f", "v1", str(machine)) for size in SIZES_MB}
    reported: list[float] = []
    for turn in range(18):
        for size, one in sizes.items():
            one.begin(b'{"event": {"stage": "dyno_261201_%04d_abcd"}, "ctx": {}}' % (turn % 7))
            spin = SPIN_MS * math.exp(numbers.gauss(0, 0.15))
            cpu_ms = needs_ms * math.exp(numbers.gauss(0, 0.15))
            factor = one.scale(Sample(size, cpu_ms, 1.0, spin, spin), 50)
            if turn >= 6:
                reported.append(cpu_ms * factor)
    return statistics.fmean(reported)


def test_a_level_is_that_of_all_runs_of_a_code(tmp_path: Path) -> None:
    """By which figures of one run after the other hold still, until something else is needed."""
    numbers = random.Random(5)

    def varies(runs: list[float]) -> float:
        return statistics.stdev(runs) / statistics.fmean(runs)

    alone = [run_of(tmp_path / str(n), numbers, needs_ms=3.0) for n in range(10)]
    (machine := tmp_path / "machine").mkdir()
    remembered = [run_of(machine, numbers, needs_ms=3.0) for _ in range(12)]
    assert varies(remembered[4:]) < 0.7 * varies(alone)
    assert statistics.fmean(remembered) == pytest.approx(statistics.fmean(alone), rel=0.04)

    other = run_of(machine, numbers, needs_ms=4.0)  # more data, say
    assert other == pytest.approx(statistics.fmean(alone) * 4 / 3, rel=0.06)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\n", b"00 x 1\n", b"zz 3.0 5\n", b"00 -1 5\n", b"7\n"]
)
def test_remembered_levels_are_not_believed_blindly(tmp_path: Path, content: bytes) -> None:
    """A file of whatever origin: what is no line of ours is none."""
    path = tmp_path / "demand"
    path.write_bytes(content)
    one = Demands(str(path))
    assert one.settled({b"\1": 3.0}, b"\1", 1.0, 0.01) == 3.0
    assert one.settled({b"\1": 3.2}, b"\1", 1.0, 0.01) == pytest.approx(3.1)
    assert one.settled({b"\1": 9.0}, b"\1", 1.0, 0.01) == 9.0  # something else
    assert one.settled({b"\1": 9.9}, b"\1", 0.5, 0.2) == pytest.approx(9.3)  # few: less weight
    assert path.read_bytes() == b"01 9.300000 1.500\n"
    doubted = one.settled({b"\1": 11.0}, b"\1", 1.0, 0.01, 0.1)  # on a core that was slower
    assert doubted == pytest.approx(9.3 + 1.7 * 0.11 / 1.61, abs=0.01)


def test_no_more_is_remembered_than_is_used(tmp_path: Path) -> None:
    """Of many kinds of events those that came last; nowhere to write is no fault."""
    one = Demands(str(tmp_path / "demand"))
    for number in range(200):
        one.settled({bytes([number]): 1.0}, bytes([number]), 1.0, 0.01)
    assert len((tmp_path / "demand").read_bytes().splitlines()) == 64
    for path in ("", str(tmp_path), "/nowhere/at/all"):
        assert Demands(path).settled({b"1": 2.0}, b"1", 1.0, 0.01) == 2.0


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from lambda_emulator.sandbox.steady import Sample, Steadier, Turns
one = Steadier(sys.argv[2], "arn:f", "v1", sys.argv[2])
for _ in range(200):
    one.begin(b'{"event": {}, "ctx": {}}')
    one.scale(Sample(int(sys.argv[3]), 20.0, 1.0, 0.25, 0.25), 50)
print(list(one.pooled_mb))
"""


def test_parallel_environments_lose_nothing(tmp_path: Path) -> None:
    """Four at once, each a process: all records are there, and whole."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(HARNESS), str(tmp_path), str(size)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for size in SIZES_MB
    ]
    said = [process.communicate(timeout=HANGS_S)[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert said[-1].startswith("[")
    (pool,) = (file for file in tmp_path.iterdir() if len(file.name) == 64)
    records = list(steady._RECORD.iter_unpack(pool.read_bytes()))
    assert len(records) == 800
    assert {record[0] for record in records} == set(SIZES_MB)


def test_nowhere_to_write_is_no_fault(tmp_path: Path) -> None:
    """Then each invocation is reported as it was measured."""
    (tmp_path / "file").write_text("")
    assert invoke(steadier(tmp_path / "file" / "pools"), 128, 20) == 20


@pytest.mark.parametrize("content", ["", "x", "nan", "-1", "1e9", "0.27\n"])
def test_kept_reference_is_not_believed_blindly(tmp_path: Path, content: str) -> None:
    """What lies there may be anything: no figure comes out that cannot be."""
    one = steadier(tmp_path / "pools", machine=str(tmp_path))
    for _ in range(20):
        invoke(one, 128, 20)
    for file in tmp_path.glob("spin-*"):
        file.write_text(content)
    another = steadier(tmp_path / "pools", machine=str(tmp_path))
    assert 1 < invoke(another, 128, 20) < 100


def test_environments_take_turns_but_not_for_long(tmp_path: Path) -> None:
    """One begins when the other has ended; who never ends keeps nobody."""
    first, second = steadier(tmp_path), steadier(tmp_path)
    assert first.take_turn() < 0.1
    waited_s = second.take_turn()
    assert 0.2 < waited_s < 2
    second.end_turn()  # it has none
    first.end_turn()
    assert second.take_turn() < 0.1
    second.end_turn()
    assert first.take_turn() < 0.1
    first.end_turn()
