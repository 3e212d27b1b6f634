"""Steadies what invocations are reported with, on a machine whose speed changes by the second.

Before and after each invocation the worker does a short piece of work that is always the same, a
spin. CPU time is divided by how much longer than usual the spins around that time were, unless it
was seen not to follow them: work that waits for memory does not.

Where the same code needs the same CPU time at several memory sizes, its level is taken from the
invocations of all of them, each kind of event by itself, and of former runs of that code
(`demands`). An invocation keeps its own deviation from its size's level, or one like it of a part
whose turn it is: the level adds no sample to any size's, whose reports scatter as its measurements
do.
"""

from __future__ import annotations

import bisect
import fcntl
import hashlib
import itertools
import math
import os
import re
import struct
import time
from collections.abc import Mapping, Sequence

from lambda_emulator.sandbox.demands import Demands

# Five functions whose work follows the core, in 63 tunings: the slope of log CPU on log spin was
# 0.6 to 0.9; of two that wait for memory, whose variation division would double: 0.2 and 0.3.
FOLLOWS = 0.45
_FEWEST = 12
_LEAST_SPREAD = 0.05  # of log spin, that neighbours agree on: less says nothing
_SURE = 2.0  # standard errors from the limit: nearer, the samples do not tell
_VARIES = 0.015  # what varies less by itself is measured by a clock, or needs no steadying
# A spin alone is noisy by a fifth, and a core's speed lasts for a second: so many invocations and
# their neighbours of as many each have one speed.
_BLOCK = 3
# Of so many invocations the middle spin is what is usual for their function, until it is clearly
# less: how cold a function leaves its core is its own.
_LEARNED = 60
_CLEARLY_LESS = 0.8
_RUN = re.compile(r"\d{6}-\d{4}-[0-9a-z]{4}")
_RECENT = 160
_DOUBT = 0.5  # of what CPU time is divided by: slopes of work that follows are 0.6 to 1.2
_LEAST_NOISE = 0.15  # of residuals: few may agree by chance
_FULL = 80  # of a pool: with fewer its level is remembered by so much less
_PLAIN = 1.5  # times the middle: beyond is another course, as with a full garbage collection
_FEWEST_OF_SIZE = 3
_SAME_DEMAND = 0.10
_SAME_WIDTH = 0.25
_LEVEL = 0.25  # quantile: disturbances only ever make work longer
_ROOMY = 0.9  # of the memory size: nearer to the limit, sizes are not alike

_LONGEST_TURN_S = 0.25
_LOOK_EVERY_S = 0.002
_RECORD = struct.Struct("<ddddd8s")
_READ_BYTES = _RECORD.size * _RECENT
_MOST_BYTES = _RECORD.size * 65_536
# What makes events of one kind differ: UUIDs and other long identifiers, times.
# A run's own are the names that it gives, its API and the port of its server.
_VOLATILE = re.compile(
    rb"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,}|\d{10,}|\d\d:\d\d:\d\d"
    rb"|\d{6}[-_]\d{4}[-_][0-9a-z]{4}"
    rb'|(?<="apiId": ")\w+|(?<="X-Forwarded-Port": ")\d+|(?<="X-Forwarded-Port": \[")\d+'
)
_NORMALISED_BYTES = 65_536
# Of five deviations of a size each is in another fifth of all, of ten in another tenth.
_TENTHS = 10


class Sample:
    """One invocation: its memory size, CPU time, width, and the spins before and after."""

    __slots__ = ("after_ms", "before_ms", "cpu_ms", "event", "memory_mb", "width")

    def __init__(
        self,
        memory_mb: float,
        cpu_ms: float,
        width: float,
        before_ms: float,
        after_ms: float,
        event: bytes = b"",
    ) -> None:
        self.memory_mb = memory_mb
        self.cpu_ms = cpu_ms
        self.width = width
        self.before_ms = before_ms
        self.after_ms = after_ms
        self.event = event  # its kind

    @property
    def spin_ms(self) -> float:
        """The core's speed meanwhile."""
        return (self.before_ms + self.after_ms) / 2


class Estimate:
    """CPU time on a core at its usual speed, and the memory sizes that it is pooled from.

    The level is its size's; `deviations`, ascending, are those of all in the pool from theirs.
    `levels_ms` has the pool's by kind of event, `error` what they are sure to, relatively, were
    invocations independent, and `doubt` what may be wrong with all of them.
    """

    __slots__ = ("cpu_ms", "deviations", "doubt", "error", "level_ms", "levels_ms", "pooled_mb")

    def __init__(
        self,
        cpu_ms: float,
        level_ms: float,
        pooled_mb: Sequence[int] = (),
        deviations: Sequence[float] = (),
        levels_ms: Mapping[bytes, float] | None = None,
        error: float = 0.0,
        doubt: float = 0.0,
    ) -> None:
        self.cpu_ms = cpu_ms
        self.level_ms = level_ms
        self.pooled_mb = pooled_mb
        self.deviations = deviations
        self.levels_ms = levels_ms or {}
        self.error = error
        self.doubt = doubt


def estimate(
    samples: Sequence[Sample],
    own: Sample,
    reference_ms: float,
    now: float | None,
    known: float | None = None,
) -> Estimate:
    """Return what an invocation is reported with. Pure.

    Args:
        samples: Recent invocations of the same code in their order, this one the last.
        own: This one.
        reference_ms: A spin's CPU time on a core at its usual speed.
        now: The samples' `slope`.
        known: That of former samples, for when these do not tell.
    """
    known_event = sum(sample.event == own.event for sample in samples) >= _FEWEST_OF_SIZE
    slow = _slowness(samples, reference_ms)
    doubt = _DOUBT * abs(math.log(_quantile(slow, 0.5)))
    follows = known if now is None else now
    if follows is None:  # what varies less than it would have to does not
        noise = _noise(_residuals([sample.cpu_ms for sample in samples], samples))
        follows = 1.0 if noise > max(_VARIES, FOLLOWS * _noise(slow)) else 0.0
    if follows <= FOLLOWS:
        slow = [1.0] * len(samples)
    demands = [sample.cpu_ms / by for sample, by in zip(samples, slow, strict=True)]
    cpu_ms = own.cpu_ms / slow[-1]
    middles = _middles(demands, samples)
    parts = [one / middles[sample.event] for one, sample in zip(demands, samples, strict=True)]
    centres = _centres(parts, samples, own)
    if own.memory_mb not in centres or not known_event:
        return Estimate(cpu_ms, cpu_ms)
    middle = _quantile(list(centres.values()), 0.5)
    alike = [size for size, centre in centres.items() if abs(centre / middle - 1) <= _SAME_DEMAND]
    if own.memory_mb not in alike or len(alike) < 2 or _is_apart(parts, samples, centres):
        return Estimate(cpu_ms, cpu_ms)
    pool = [part for part, sample in zip(parts, samples, strict=True) if sample.memory_mb in alike]
    level = _quantile(pool, _LEVEL)
    return Estimate(
        cpu_ms * level / centres[own.memory_mb],
        cpu_ms * level / parts[-1],
        [int(size) for size in sorted(alike)],
        sorted(
            part / centres[sample.memory_mb]
            for part, sample in zip(parts, samples, strict=True)
            if sample.memory_mb in alike and part <= _PLAIN
        ),
        {event: middle * level for event, middle in middles.items()},
        max(_LEAST_NOISE, _noise(pool)) / math.sqrt(len(pool)),
        doubt,
    )


def _middles(values: Sequence[float], samples: Sequence[Sample]) -> dict[bytes, float]:
    """Return the middle value of each kind of event."""
    of_events: dict[bytes, list[float]] = {}
    for value, sample in zip(values, samples, strict=True):
        of_events.setdefault(sample.event, []).append(value)
    return {event: _quantile(found, 0.5) for event, found in of_events.items()}


def _residuals(values: Sequence[float], samples: Sequence[Sample]) -> list[float]:
    """Return each value over the middle of its event's."""
    middles = _middles(values, samples)
    return [value / middles[sample.event] for value, sample in zip(values, samples, strict=True)]


def _noise(parts: Sequence[float]) -> float:
    """Return how much residuals vary, by half of them."""
    return (_quantile(parts, 0.75) - _quantile(parts, 0.25)) / 1.35


def _centres(parts: Sequence[float], samples: Sequence[Sample], own: Sample) -> dict[float, float]:
    """Return the mean residual of each size where there are enough, and the width is this one's.

    Not the median: what is divided by it shall have a mean of one.
    """
    of_sizes: dict[float, list[float]] = {}
    widths: dict[float, list[float]] = {}
    for part, sample in zip(parts, samples, strict=True):
        if part <= _PLAIN:
            of_sizes.setdefault(sample.memory_mb, []).append(part)
        if sample.event == own.event:
            widths.setdefault(sample.memory_mb, []).append(sample.width)
    return {
        size: sum(found) / len(found)
        for size, found in of_sizes.items()
        if len(found) >= _FEWEST_OF_SIZE
        and abs(_quantile(widths.get(size, [own.width]), 0.5) - own.width) <= _SAME_WIDTH
    }


def _is_apart(
    parts: Sequence[float], samples: Sequence[Sample], centres: Mapping[float, float]
) -> bool:
    """Whether the last one's event needs another share at its size than all events together do."""
    own = samples[-1]
    found = [
        part
        for part, sample in zip(parts, samples, strict=True)
        if (sample.event, sample.memory_mb) == (own.event, own.memory_mb) and part <= _PLAIN
    ]
    if len(found) < _FEWEST_OF_SIZE:
        return False
    error = _noise(parts) / math.sqrt(len(found))
    apart = abs(sum(found) / len(found) / centres[own.memory_mb] - 1)
    return apart > _SAME_DEMAND + _SURE * error


def _slowness(samples: Sequence[Sample], reference_ms: float) -> list[float]:
    """Return by how much longer than usual spins took around each invocation."""
    spins = [sample.spin_ms for sample in samples]
    found: list[float] = []
    for begin in range(0, len(spins), _BLOCK):
        around = spins[max(0, begin - _BLOCK) : begin + 2 * _BLOCK]
        found += [_quantile(around, 0.5) / reference_ms] * len(spins[begin : begin + _BLOCK])
    return found


def slope(samples: Sequence[Sample]) -> float | None:
    """Return how CPU time follows the core: the slope of its logarithm on the spins'.

    By what an invocation's neighbours say of the core's speed: what a spin has alone is its own
    noise, which would make the slope too small (errors in variables).

    Returns:
        None where there are too few samples, or the core's speed did not change enough to tell on
        which side of `FOLLOWS` it is.
    """
    if len(samples) < _FEWEST:
        return None
    parts = _residuals([sample.cpu_ms for sample in samples], samples)
    spins = _residuals([sample.spin_ms for sample in samples], samples)
    plain = [
        (sample.memory_mb, math.log(spin), math.log(part))
        for sample, spin, part in zip(samples, spins, parts, strict=True)
        if part <= _PLAIN
    ]
    means = {}
    for size in {size for size, _, _ in plain}:
        own = [row for row in plain if row[0] == size]
        means[size] = [sum(row[i] for row in own) / len(own) for i in (1, 2)]
    rows = [(spin - means[size][0], part - means[size][1]) for size, spin, part in plain]
    pairs = list(itertools.pairwise(rows))
    common = sum(one[0] * other[0] for one, other in pairs)
    if len(rows) < _FEWEST or common < len(pairs) * _LEAST_SPREAD**2:
        return None
    found = sum(one[0] * other[1] + one[1] * other[0] for one, other in pairs) / 2 / common
    rest = sum((part - found * spin) ** 2 for spin, part in rows)
    error = math.sqrt(rest / len(rows) / common)
    return found if abs(found - FOLLOWS) > _SURE * error else None


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


class Steadier:
    """The spins of one worker, and what its function's environments know of each other.

    That is a file for each function's code, to which every environment appends a record for each
    invocation: so parallel ones need no lock. The code's hash is in its name.
    """

    def __init__(
        self, folder: str, function: str, code: str, machine: str, interpreter: str = ""
    ) -> None:
        """Begin.

        Args:
            folder: Where the files are; made if it is missing.
            function: The function's ARN.
            code: What changes with its code.
            machine: Folder for what holds on this machine until it is removed; "" for nowhere.
            interpreter: What spins: another one takes another time.
        """
        name = hashlib.sha256(f"{function}\n{code}".encode()).hexdigest()
        self._path = os.path.join(folder, name)
        # the same function of the next run, and its next version, shall have the same measure
        kind = hashlib.sha256(f"{interpreter} {_core()} {_RUN.sub('', function)}".encode())
        self._usual = _Kept(machine and os.path.join(machine, f"spin-{kind.hexdigest()[:16]}"))
        self._turns = Turns()
        # the code's alone: the next run's function has another name, and follows cores alike
        name = hashlib.sha256(code.encode()).hexdigest()[:16]
        self._slope = _Kept(machine and os.path.join(machine, f"slope-{name}"))
        name = hashlib.sha256(f"{interpreter} {_core()} {code}".encode()).hexdigest()[:16]
        self._demands = Demands(machine and os.path.join(machine, f"demand-{name}"))
        self._turn = -1  # descriptor of a lock that is held
        self._event = b""
        self.pooled_mb: Sequence[int] = ()

    def take_turn(self) -> float:
        """Wait until no other environment of this function is at work; return for how long, in s.

        Side by side they take 4 to 8 % more CPU time than one after the other. But not for long:
        a function may call itself, and one that sleeps would keep the others from nothing.
        """
        begin = time.monotonic()
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            turn = os.open(f"{self._path}.turn", flags, 0o600)
        except OSError:
            return 0.0
        while True:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                waited_s = time.monotonic() - begin
                if waited_s < _LONGEST_TURN_S:
                    time.sleep(_LOOK_EVERY_S)
                    continue
                os.close(turn)
                return waited_s
            self._turn = turn
            return time.monotonic() - begin

    def end_turn(self) -> None:
        """Let the next one begin. A process that ends does so by itself."""
        if self._turn >= 0:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            os.close(self._turn)
            self._turn = -1

    def begin(self, line: bytes) -> None:
        """Note an invocation's event, by the line that starts it."""
        event = line.rpartition(b', "ctx": {')[0]
        if len(event) <= _NORMALISED_BYTES:
            event = _VOLATILE.sub(b"#", event)
        self._event = hashlib.blake2b(event, digest_size=8).digest()
        self.pooled_mb = ()

    def scale(self, own: Sample, peak_mb: int) -> float:
        """Return what an invocation's CPU time is to be multiplied with, after its end.

        Args:
            own: The invocation.
            peak_mb: The most memory that the environment has used.
        """
        least_ms = min(own.cpu_ms, own.before_ms, own.after_ms)
        if least_ms <= 0 or peak_mb > _ROOMY * own.memory_mb:
            return 1.0
        own.event = self._event
        try:
            samples = [*self._before(own), own]
        except OSError:
            return 1.0
        now, known = slope(samples), self._slope.read()
        if now is not None and (known is None or (now > FOLLOWS) != (known > FOLLOWS)):
            self._slope.write(now)
        found = estimate(samples, own, self._usual_ms(samples), now, known)
        self.pooled_mb = found.pooled_mb
        deviation, level_ms = found.cpu_ms / found.level_ms, found.level_ms
        if found.pooled_mb:
            weight = min(1.0, len(found.deviations) / _FULL)
            level_ms = self._demands.settled(
                found.levels_ms, own.event, weight, found.error, found.doubt
            )
            if deviation <= _PLAIN:
                deviation = self._turns.taken(deviation, found.deviations)
        return deviation * level_ms / own.cpu_ms

    def _usual_ms(self, samples: Sequence[Sample]) -> float:
        """Return a spin's CPU time on this machine as it is usual for this function."""
        middle_ms = _quantile([sample.spin_ms for sample in samples[-_LEARNED:]], 0.5)
        known_ms = max(0.0, self._usual.read() or 0.0)
        if known_ms and middle_ms >= _CLEARLY_LESS * known_ms:
            return known_ms
        if len(samples) >= _LEARNED:
            self._usual.write(middle_ms)
            return middle_ms
        return known_ms or middle_ms

    def _before(self, own: Sample) -> list[Sample]:
        """Return what was recorded last, and record one more."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self._path, flags, 0o600)
        try:
            size = os.fstat(file).st_size
            if size > _MOST_BYTES:
                os.ftruncate(file, size := 0)
            whole = size - size % _RECORD.size
            length = min(whole, _READ_BYTES)
            content = os.pread(file, length, whole - length)
            numbers = own.memory_mb, own.cpu_ms, own.width, own.before_ms, own.after_ms
            os.write(file, _RECORD.pack(*numbers, own.event))
        finally:
            os.close(file)
        records = _RECORD.iter_unpack(content[: len(content) - len(content) % _RECORD.size])
        return [Sample(*numbers) for numbers in records]


class Turns:
    """Whose turn it is of the tenths of all deviations, so that few invocations have all of them.

    At the edge of a step of the staircase it is the share of invocations beyond it that makes a
    size's mean, and 20 deviations at random have a share of 30 % +- 10.
    """

    def __init__(self) -> None:
        self._tenths: set[int] = set()
        self._fifths: set[int] = set()

    def taken(self, deviation: float, all_of_them: Sequence[float]) -> float:
        """Return a deviation, or the middle of the nearest tenth if its own has had its turn.

        Args:
            deviation: Of an invocation from its size's level.
            all_of_them: What there is, ascending.
        """
        if len(all_of_them) < _FEWEST:
            return deviation
        if len(self._tenths) == _TENTHS:
            self._tenths.clear()
        if len(self._fifths) == _TENTHS // 2:
            self._fifths.clear()
        below = bisect.bisect_left(all_of_them, deviation)
        own = min(_TENTHS - 1, below * _TENTHS // len(all_of_them))
        free = [
            tenth
            for tenth in range(_TENTHS)
            if tenth not in self._tenths and tenth // 2 not in self._fifths
        ]
        nearest = min(free, key=lambda tenth: abs(tenth - own))
        self._tenths.add(nearest)
        self._fifths.add(nearest // 2)
        if nearest == own:
            return deviation
        return _quantile(all_of_them, (nearest + 0.5) / _TENTHS)


class _Kept:
    """A number in a file that outlives this process, if there is a place for it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self) -> float | None:
        """Return it; None where there is none."""
        try:
            with open(self._path, encoding="ascii") as file:
                value = float(file.read(32))
        except (OSError, ValueError):
            return None
        return value if -1e3 < value < 1e3 else None

    def write(self, value: float) -> None:
        """Keep it, if that is possible: other workers read the old or the new one."""
        if not self._path:
            return
        beside = f"{self._path}.{os.getpid()}"
        try:
            with open(beside, "w", encoding="ascii") as file:
                file.write(f"{value:.6f}\n")
            os.replace(beside, self._path)
        except OSError:
            return


def _core() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line for line in file if line.startswith("model name")), "")
    except OSError:
        return ""
