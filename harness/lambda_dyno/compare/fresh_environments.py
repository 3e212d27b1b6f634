"""New execution environments for every block: a version is published, and the alias moved there.

A function without an alias is invoked by the version's number. Execution environments belong to
a published version. One whose configuration differs in nothing but the description is the same
function, and has none yet.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.exceptions

from lambda_dyno.compare.events import Events
from lambda_dyno.compare.invocations import Invoked, invoke
from lambda_dyno.core.errors import StepError

# What an alias points at is known everywhere at once, or a little later.
_KNOWN_S = 30.0
_POLL_S = 0.2


class FreshEnvironments:
    """The sandboxes of a function's newest version; `renewable` makes one and puts all back.

    Args:
        client: boto3's, for Lambda.
        name: The function.
        alias: What its callers invoke; empty: it has none.
        events: What to invoke it with.
    """

    def __init__(self, client: Any, name: str, alias: str, events: Events) -> None:
        self._client = client
        self._name = name
        self._alias = alias
        self._events = events
        config = client.get_function_configuration(FunctionName=name)
        self._description = str(config.get("Description", ""))
        self._first = _LATEST
        if alias:
            found = client.get_alias(FunctionName=name, Name=alias)
            self._first = str(found["FunctionVersion"])
        self._current = self._first
        self._turn = 0

    @property
    def target(self) -> str:
        """What is invoked."""
        return f"{self._name}:{self._alias or self._current}"

    def renew(self) -> None:
        """Let the alias point at a version that nobody has invoked yet.

        Raises:
            StepError: The new version does not answer.
        """
        self._turn += 1
        self._describe(f"dyno: turn {self._turn}")
        version = str(self._client.publish_version(FunctionName=self._name)["Version"])
        self._client.get_waiter("published_version_active").wait(
            FunctionName=self._name, Qualifier=version, WaiterConfig=_EAGER
        )
        self._point_at(version)
        deadline = time.monotonic() + _KNOWN_S
        while self._answering() != version:
            if time.monotonic() > deadline:
                raise StepError("compare", f"{self.target} does not reach version {version}")
            time.sleep(_POLL_S)

    def invoke(self, times: int) -> list[Invoked]:
        """Invoke the newest version, and return what each invocation says of itself."""
        return invoke(self._client, self.target, self._events, times)

    def _answering(self) -> str:
        """Return the version that the alias leads to now."""
        answer = self._client.invoke(FunctionName=self.target, Payload=self._events.one)
        return str(answer.get("ExecutedVersion", ""))

    def restore(self) -> None:
        """Put alias and description back, and remove what was published."""
        self._point_at(self._first)
        self._describe(self._description)

    def _point_at(self, version: str) -> None:
        """Move the alias, and remove the version that it leaves."""
        left, self._current = self._current, version
        if self._alias:
            self._client.update_alias(
                FunctionName=self._name, Name=self._alias, FunctionVersion=version
            )
        if left not in (self._first, version):
            # environments of former turns would only take room
            self._client.delete_function(FunctionName=self._name, Qualifier=left)

    def _describe(self, text: str) -> None:
        self._client.update_function_configuration(FunctionName=self._name, Description=text)
        self._client.get_waiter("function_updated_v2").wait(
            FunctionName=self._name, WaiterConfig=_EAGER
        )


_LATEST = "$LATEST"
# Seconds between two looks; botocore takes fractions, and AWS allows 100 GetFunction a second.
_EAGER = {"Delay": 0.2, "MaxAttempts": 600}


@contextmanager
def renewable(client: Any, name: str, alias: str, events: Events) -> Iterator[FreshEnvironments]:
    """Hold a function whose sandboxes can be renewed; it is as it was afterwards."""
    found = FreshEnvironments(client, name, alias, events)
    try:
        yield found
    except BaseException:
        with contextlib.suppress(
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
        ):
            found.restore()  # the environment goes anyway
        raise
    found.restore()
