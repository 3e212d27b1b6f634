"""Work in many threads at once that can be left where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

_Lane = TypeVar("_Lane")


def run_lanes(
    lanes: Sequence[_Lane], work: Callable[[_Lane], None], *, at_once: int, longest_s: float
) -> None:
    """Work on lanes side by side until all are done, one fails, or time is up.

    What is still at work then is not waited for, unlike in an executor of the standard library:
    an invocation can take longer than there is time.

    Args:
        lanes: What to work on, in this order.
        work: Works on one lane; it must stop by itself when its result is not wanted any more.
        at_once: Threads.
        longest_s: Seconds after which this returns whatever is not done.

    Raises:
        BaseException: The first one that the work raised.
    """
    todo: SimpleQueue[_Lane] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    for lane in lanes:
        todo.put(lane)

    def run() -> None:
        while True:
            try:
                lane = todo.get_nowait()
            except Empty:
                return
            try:
                work(lane)
            except BaseException as problem:
                done.put(problem)
            else:
                done.put(None)

    for _ in range(min(at_once, len(lanes))):
        Thread(target=run, daemon=True).start()
    until = time.monotonic() + longest_s
    for _ in lanes:
        try:
            problem = done.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return
        if problem is not None:
            raise problem
