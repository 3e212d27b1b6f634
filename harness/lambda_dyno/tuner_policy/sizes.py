"""Which memory sizes are looked at."""

from __future__ import annotations

# May be measured and chosen.
_CHOSEN_MB = (
    *(128, 256, 512, 1024, 1536, 1769, 2048, 3008),
    *(4096, 5120, 6144, 7168, 8192, 9216, 10240),
)
# What is chosen is held against these as well.
_JUDGED_MB = (192, 384, 768, 1280, 2560, 3584)
# A limit is kept from some size on, so what lies between counts.
_LIMIT_MB = (*_JUDGED_MB, 160, 320, 448, 640, 896, 1152, 1408)
# Below one vCPU a short function ends at the foot of a step, wherever that is.
_STAIRS_FROM_MB, _STAIRS_TO_MB = 128, 1900
STAIRS_RATIO = 1.04


def candidates(
    least_mb: int, most_mb: int, *, stairs: bool = False, limited: bool = False
) -> tuple[int, ...]:
    """Return the sizes that may be measured and chosen, ascending, both ends among them."""
    found = {least_mb, most_mb, *_CHOSEN_MB, *(_LIMIT_MB if limited else ())}
    if stairs:
        found.update(_ladder())
    return _within(found, least_mb, most_mb)


def stepped() -> tuple[int, ...]:
    """Return the sizes at which a decision may look at steps, but for a function's own, ascending.

    From the last one on every step is over, at the next smaller size, too.
    """
    found = set(_ladder()) | {x for x in (*_CHOSEN_MB, *_LIMIT_MB) if x < _STAIRS_TO_MB}
    return tuple(sorted(found))


def _ladder() -> list[int]:
    found = [_STAIRS_FROM_MB]
    while (size := round(found[-1] * STAIRS_RATIO)) <= _STAIRS_TO_MB:
        found.append(size)
    return found


def judged(
    least_mb: int, most_mb: int, *, stairs: bool = False, limited: bool = False
) -> tuple[int, ...]:
    """Return the sizes among which the best is looked for, ascending."""
    allowed = candidates(least_mb, most_mb, stairs=stairs, limited=limited)
    found = {*allowed, *(() if stairs else _JUDGED_MB)}
    return _within(found, least_mb, most_mb)


def _within(found: set[int], least_mb: int, most_mb: int) -> tuple[int, ...]:
    return tuple(sorted(size for size in found if least_mb <= size <= most_mb))
