"""Linear algebra of a handful of rows, for where there is no library."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

Matrix = list[list[float]]


def cholesky(matrix: Sequence[Sequence[float]]) -> Matrix:
    """Return the lower triangle L with L Lᵀ = matrix, which must be positive (semi)definite."""
    lower: Matrix = []
    for i, row in enumerate(matrix):
        made: list[float] = []
        for j in range(i):
            other = lower[j]
            rest = row[j] - sum(map(mul, made, other))
            made.append(rest / other[j] if other[j] > 0 else 0.0)
        rest = row[i] - sum(map(mul, made, made))
        made.append(rest**0.5 if rest > 1e-12 else 0.0)
        lower.append(made)
    return lower


def solve_lower(lower: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Return x with L x = values."""
    found: list[float] = []
    for row, value in zip(lower, values, strict=True):
        found.append((value - sum(map(mul, row, found))) / row[len(found)])
    return found
