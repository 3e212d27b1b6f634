"""From the outbox into the store: in order, within a time, and again as often as it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lambda_dyno.core.errors import DynoError
from lambda_dyno.evidence.bucket import Bucket, NotAddedError
from lambda_dyno.evidence.outbox import Entry

# A run's end is not held up longer, whatever the network does.
MOST_S = 60.0

Progress = Callable[[int, int], None]


class StillWaitsError(DynoError):
    """Not all of an entry is in the store yet; the step that it ends has said why."""


@dataclass(slots=True)
class Sent:
    """What became of an entry.

    Attributes:
        added: Files that are new in the store.
        there: Files that it had already.
        problem: Why the rest still waits; empty: all of it is there.
    """

    added: int = 0
    there: int = 0
    problem: str = ""


def send(entry: Entry, bucket: Bucket, progress: Progress, ends_at: float | None = None) -> Sent:
    """Add to the store what an entry still has, in its order, and forget what is there.

    Args:
        entry: What waits.
        bucket: Of the entry's store.
        progress: Told how many files are there, of how many.
        ends_at: Moment of the monotonic clock after which no file is begun; None: no such.
    """
    sent = Sent()
    left = entry.left
    for number, (path, file) in enumerate(left):
        progress(number, len(left))
        if ends_at is not None and time.monotonic() >= ends_at:
            sent.problem = "not in time"
            break
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # another command has added it meanwhile
        except OSError as error:
            sent.problem = f"{path.name} cannot be read: {error.strerror}"
            break
        try:
            is_new = bucket.add(entry.key(file), content, file.sha256)
        except NotAddedError as error:
            sent.problem = str(error)
            break
        sent.added += is_new
        sent.there += not is_new
        path.unlink(missing_ok=True)
    if sent.problem:
        entry.note(sent.problem)
    else:
        progress(len(left), len(left))
        entry.remove()
    return sent


def send_within(entry: Entry, progress: Progress, most_s: float = MOST_S) -> Sent:
    """Add to the store what an entry has, and come back in time, whatever the network does.

    What is still under way then goes on until this process ends, and is no error: the entry is in
    the outbox until the store has all of it.

    Args:
        entry: What waits.
        progress: Told how many files are there, of how many.
        most_s: Longest time, in seconds.
    """
    found: list[Sent] = []
    over = threading.Event()
    ends_at = time.monotonic() + most_s

    def tell(done: int, total: int) -> None:
        if not over.is_set():  # nobody looks any more
            progress(done, total)

    def work() -> None:
        try:
            found.append(send(entry, Bucket(entry.store), tell, ends_at))
        except DynoError as error:
            entry.note(str(error))
            found.append(Sent(problem=str(error)))

    worker = threading.Thread(target=work, name="evidence", daemon=True)
    worker.start()
    worker.join(most_s)
    over.set()
    if not found:
        problem = "it failed" if not worker.is_alive() else f"not within {most_s:g} s"
        entry.note(problem)
        return Sent(problem=problem)
    return found[0]
