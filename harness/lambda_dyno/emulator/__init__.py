"""The embedded AWS (MiniStack) and the meter that gives its Lambdas weight."""

from __future__ import annotations
