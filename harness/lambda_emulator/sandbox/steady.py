"""Steadies what invocations are reported with, on a machine whose speed changes by the second.

Before and after each invocation the worker does a short piece of work that is always the same, a
spin. CPU time is divided by how much slower than usual the spins were, unless it was seen not to
follow them: work that waits for memory does not.

Where the same code, given the same event, needs the same CPU time at several memory sizes, its
level is taken from the invocations of all of them. Each keeps its own deviation from its size's
level, so the level adds no sample to any size's.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import struct
import time
from collections.abc import Callable, Sequence

# Five functions whose work follows the core, in 63 tunings: the slope of log CPU on log spin was
# 0.6 to 0.9; of two that wait for memory, whose variation division would double: 0.2 and 0.3.
FOLLOWS = 0.45
_FEWEST = 12
_LEAST_SPREAD = 0.05  # of log spin, that the spins before and after agree on: less says nothing
_SURE = 2.0  # standard errors from the limit: nearer, the samples do not tell
_LATEST = 12
_UNCERTAIN = 1.1  # what spins vary by themselves
# What an involuntary context switch costs whoever comes back to a core where others have worked:
# 17.4 ms of JSON in Python took 18.3 with ten of them in place of four, and 22.8 ms 26.4 with 25 in
# place of 8.
_SWITCH_MS = 0.15
_SWITCHES_SHARE = 0.2
_RECENT = 160
_PLAIN = 1.5  # times CPU over spin: beyond is another course, as with a full garbage collection
_FEWEST_OF_SIZE = 3
_SAME_DEMAND = 0.10
_SAME_WIDTH = 0.25
_LEVEL = 0.25  # quantile: disturbances only ever make work longer
_ROOMY = 0.9  # of the memory size: nearer to the limit, sizes are not alike

_LONGEST_TURN_S = 0.25
_LOOK_EVERY_S = 0.002
_RECORD = struct.Struct("<8sddddd")
_READ_BYTES = _RECORD.size * 512
_MOST_BYTES = _RECORD.size * 65_536
# What makes events of one kind differ: UUIDs and other long identifiers, times.
_VOLATILE = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,}|\d{10,}|\d\d:\d\d:\d\d")
_NORMALISED_BYTES = 65_536
_KEPT_SPINS = 15
_FASTER = 0.95


class Sample:
    """One invocation: its memory size, CPU time, width, and the spins before and after."""

    __slots__ = ("after_ms", "before_ms", "cpu_ms", "memory_mb", "width")

    def __init__(
        self, memory_mb: float, cpu_ms: float, width: float, before_ms: float, after_ms: float
    ) -> None:
        self.memory_mb = memory_mb
        self.cpu_ms = cpu_ms
        self.width = width
        self.before_ms = before_ms
        self.after_ms = after_ms

    @property
    def spin_ms(self) -> float:
        """The core's speed meanwhile."""
        return (self.before_ms + self.after_ms) / 2


class Estimate:
    """CPU time on a core at its usual speed, and the memory sizes that it is pooled from."""

    __slots__ = ("cpu_ms", "pooled_mb")

    def __init__(self, cpu_ms: float, pooled_mb: Sequence[int] = ()) -> None:
        self.cpu_ms = cpu_ms
        self.pooled_mb = pooled_mb


def estimate(
    samples: Sequence[Sample],
    own: Sample,
    reference_ms: float,
    now: float | None,
    known: float | None = None,
) -> Estimate:
    """Return what an invocation is reported with. Pure.

    Args:
        samples: Recent invocations of the same code with the same event, and this one.
        own: This one.
        reference_ms: A spin's CPU time on a core at its usual speed.
        now: The samples' `slope`.
        known: That of former samples, for when these do not tell.
    """
    slow = _slowness(samples, reference_ms, now, known)
    demands: dict[float, list[float]] = {}
    widths: dict[float, list[float]] = {}
    for sample in samples:
        demands.setdefault(sample.memory_mb, []).append(sample.cpu_ms / slow(sample))
        widths.setdefault(sample.memory_mb, []).append(sample.width)
    cpu_ms = own.cpu_ms / slow(own)
    levels = {
        size: _quantile(values, 0.5)
        for size, values in demands.items()
        if len(values) >= _FEWEST_OF_SIZE
    }
    if own.memory_mb not in levels:
        return Estimate(cpu_ms)
    middle = _quantile(list(levels.values()), 0.5)
    alike = [
        size
        for size, level in levels.items()
        if abs(level / middle - 1) <= _SAME_DEMAND
        and abs(_quantile(widths[size], 0.5) - own.width) <= _SAME_WIDTH
    ]
    if own.memory_mb not in alike or len(alike) < 2:
        return Estimate(cpu_ms)
    level = _quantile([value for size in alike for value in demands[size]], _LEVEL)
    return Estimate(level * cpu_ms / levels[own.memory_mb], [int(size) for size in sorted(alike)])


def _slowness(
    samples: Sequence[Sample], reference_ms: float, now: float | None, known: float | None
) -> Callable[[Sample], float]:
    """Return what tells by how much longer than usual an invocation's CPU time was."""
    follows = known if now is None else now
    if follows is not None and follows <= FOLLOWS:
        return lambda _: 1.0
    if now is None:  # the core's speed does not change: one figure for all has no noise
        latest = _quantile([sample.spin_ms for sample in samples[-_LATEST:]], 0.5) / reference_ms
        beyond = max(1.0, latest / _UNCERTAIN) * min(1.0, latest * _UNCERTAIN)
        return lambda _: beyond
    return lambda sample: sample.spin_ms / reference_ms


def slope(samples: Sequence[Sample]) -> float | None:
    """Return how CPU time follows the core: the slope of its logarithm on the spins'.

    Within memory sizes, and by what the spins before and after have in common: what one of them
    has alone is its own noise, which would make the slope too small (errors in variables).

    Returns:
        None where there are too few samples, or the core's speed did not change enough to tell on
        which side of `FOLLOWS` it is.
    """
    of_sizes: dict[float, list[Sample]] = {}
    for sample in samples:
        of_sizes.setdefault(sample.memory_mb, []).append(sample)
    rows: list[list[float]] = []
    for members in of_sizes.values():
        most = _PLAIN * _quantile([sample.cpu_ms / sample.spin_ms for sample in members], 0.5)
        plain = [
            [math.log(value) for value in (sample.before_ms, sample.after_ms, sample.cpu_ms)]
            for sample in members
            if sample.cpu_ms <= most * sample.spin_ms
        ]
        means = [sum(column) / len(plain) for column in zip(*plain, strict=True)]
        rows += [[x - mean for x, mean in zip(row, means, strict=True)] for row in plain]
    common = sum(before * after for before, after, _ in rows)
    if len(rows) < _FEWEST or common < len(rows) * _LEAST_SPREAD**2:
        return None
    found = sum((before + after) / 2 * cpu for before, after, cpu in rows) / common
    rest = sum((cpu - found * (before + after) / 2) ** 2 for before, after, cpu in rows)
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
        self._reference = _Reference(machine, interpreter)
        # the code's alone: the next run's function has another name, and follows cores alike
        name = hashlib.sha256(code.encode()).hexdigest()[:16]
        self._slope = _Kept(machine and os.path.join(machine, f"slope-{name}"))
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

    def scale(self, own: Sample, peak_mb: int, switches: int = 0) -> float:
        """Return what an invocation's CPU time is to be multiplied with, after its end.

        Args:
            own: The invocation.
            peak_mb: The most memory that the environment has used.
            switches: Its involuntary context switches.
        """
        measured_ms = own.cpu_ms
        own.cpu_ms -= min(_SWITCH_MS * switches, _SWITCHES_SHARE * measured_ms)
        reference_ms = self._reference.look(own.spin_ms)
        least_ms = min(own.cpu_ms, own.before_ms, own.after_ms)
        if least_ms <= 0 or peak_mb > _ROOMY * own.memory_mb:
            return 1.0
        try:
            self._append(own)
            samples = self._read()
        except OSError:
            return 1.0
        now, known = slope(samples), self._slope.read()
        if now is not None and (known is None or (now > FOLLOWS) != (known > FOLLOWS)):
            self._slope.write(now)
        found = estimate(samples, own, reference_ms, now, known)
        self.pooled_mb = found.pooled_mb
        return found.cpu_ms / measured_ms

    def _append(self, own: Sample) -> None:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self._path, flags, 0o600)
        try:
            if os.fstat(file).st_size > _MOST_BYTES:
                os.ftruncate(file, 0)
            numbers = own.memory_mb, own.cpu_ms, own.width, own.before_ms, own.after_ms
            os.write(file, _RECORD.pack(self._event, *numbers))
        finally:
            os.close(file)

    def _read(self) -> list[Sample]:
        with open(self._path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            whole = size - size % _RECORD.size
            file.seek(max(0, whole - _READ_BYTES))
            content = file.read(min(whole, _READ_BYTES))
        records = _RECORD.iter_unpack(content[: len(content) - len(content) % _RECORD.size])
        mine = [numbers for event, *numbers in records if event == self._event]
        return [Sample(*numbers) for numbers in mine[-_RECENT:]]


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


class _Reference:
    """A spin's CPU time on this machine's core at its usual speed.

    Kept for each kind of core and Python, and given up only for one that is clearly less: a level
    that followed every measurement would be as unsteady as they are.
    """

    def __init__(self, machine: str, interpreter: str) -> None:
        kind = f"{interpreter} {_core()}"
        name = hashlib.sha256(kind.encode()).hexdigest()[:16]
        self._kept = _Kept(machine and os.path.join(machine, f"spin-{name}"))
        self._spins: list[float] = []
        self._known_ms = 0.0

    def look(self, spin_ms: float) -> float:
        """Return it, and learn from one more."""
        self._spins.append(spin_ms)
        if not self._known_ms:
            self._known_ms = self._read()
        if len(self._spins) >= _KEPT_SPINS:
            least_ms, kept_ms = _quantile(self._spins, _LEVEL), self._read()
            self._spins = []
            self._known_ms = kept_ms
            if not kept_ms or least_ms < _FASTER * kept_ms:
                self._known_ms = least_ms
                self._kept.write(least_ms)
        return self._known_ms or _quantile(self._spins, _LEVEL)

    def _read(self) -> float:
        return max(0.0, self._kept.read() or 0.0)


def _core() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line for line in file if line.startswith("model name")), "")
    except OSError:
        return ""
