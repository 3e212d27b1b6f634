"""What both versions of a comparison are invoked with: an event, or the requests of a workload."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from lambda_dyno.core.errors import StepError
from lambda_dyno.tuner_contract.workload import LinkError, Replay, Workload, status_of

Ask = Callable[[bytes], bytes]  # from an event to its answer


class Events:
    """The invocations of a function.

    Args:
        payload: The event; not used if there is a workload.
        workload: What is asked.
        memory_mb: Of the function, for templates.
    """

    def __init__(
        self, payload: Any = None, workload: Workload | None = None, memory_mb: int = 128
    ) -> None:
        self._body = json.dumps(payload).encode()
        self._workload = workload
        self._memory_mb = memory_mb

    @property
    def one(self) -> bytes:
        """An event that needs nothing of another one."""
        return self._body if self._workload is None else self._filled(self._replay(), 0)

    def lanes(self, times: int) -> list[Callable[[Ask], None]]:
        """Return what can be made side by side: each asks some events, one after the other.

        Args:
            times: How many events, at least; of a workload whole passes.
        """
        if self._workload is None:
            return [self._ask_once] * times
        replay = self._replay()
        lanes: dict[int, list[int]] = {}
        for number in range(self._workload.whole_passes(times)):
            start = number - self._workload.place(number).step
            lanes.setdefault(start, []).append(number)
        return [_lane(self, replay, numbers) for numbers in lanes.values()]

    def _ask_once(self, ask: Ask) -> None:
        ask(self._body)

    def _replay(self) -> Replay:
        assert self._workload is not None
        return Replay(self._workload, uuid.uuid4().hex, self._memory_mb)

    def asked(self, replay: Replay, number: int, ask: Ask) -> None:
        """Ask one request of a workload.

        Raises:
            StepError: Its answer is another one than was recorded.
        """
        request = replay.workload.requests[replay.workload.place(number).request]
        answer = ask(self._filled(replay, number))
        replay.answered(number, answer)
        status = status_of(answer)
        if request.status and status and status != request.status:
            raise StepError(
                "compare",
                f"`{request.name}` answers {status}, and {request.status} when it was recorded",
            )

    @staticmethod
    def _filled(replay: Replay, number: int) -> bytes:
        try:
            return json.dumps(replay.event(number)).encode()
        except LinkError as error:
            raise StepError("compare", f"the workload cannot be asked: {error}") from error


def _lane(events: Events, replay: Replay, numbers: list[int]) -> Callable[[Ask], None]:
    def run(ask: Ask) -> None:
        for number in numbers:
            events.asked(replay, number, ask)

    return run
