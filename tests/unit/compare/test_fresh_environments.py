"""New sandboxes for every block, and a function that is afterwards as it was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lambda_dyno.compare.events import Events
from lambda_dyno.compare.fresh_environments import renewable
from lambda_dyno.core.errors import StepError


class FakeLambda:
    """One function with versions and, if it has one, an alias."""

    def __init__(self, *, alias: str = "") -> None:
        self.description = "mine"
        self.published = "mine"  # description of the newest version
        self.versions = ["1"]
        self.next = 2
        self.alias = {alias: "1"} if alias else {}
        self.lag = 0  # invocations that still meet the version before
        self.invoked: list[str] = []

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Description": self.description}

    def get_alias(self, **call: Any) -> dict[str, Any]:
        return {"FunctionVersion": self.alias[call["Name"]]}

    def update_function_configuration(self, **call: Any) -> None:
        self.description = call["Description"]

    def publish_version(self, **_: Any) -> dict[str, Any]:
        """Publish, unless nothing changed, as Lambda does."""
        if self.description != self.published:
            self.published = self.description
            self.versions.append(str(self.next))
            self.next += 1
        return {"Version": self.versions[-1]}

    def update_alias(self, **call: Any) -> None:
        self.alias[call["Name"]] = call["FunctionVersion"]

    def delete_function(self, **call: Any) -> None:
        assert call["Qualifier"] not in self.alias.values()
        self.versions.remove(call["Qualifier"])

    def get_waiter(self, _name: str) -> Any:
        return SimpleNamespace(wait=lambda **_: None)

    def invoke(self, **call: Any) -> dict[str, Any]:
        qualifier = call["FunctionName"].split(":")[1]
        version = self.alias.get(qualifier, qualifier)
        if self.lag:
            self.lag -= 1
            version = "1"
        self.invoked.append(version)
        return {"ExecutedVersion": version}


@pytest.mark.parametrize("alias", ["live", ""])
def test_every_renewal_is_a_version_that_nobody_has_invoked(alias: str) -> None:
    """The ones before are gone at once, and in the end everything is as it was."""
    client = FakeLambda(alias=alias)
    with renewable(client, "f", alias, Events({})) as sandboxes:
        for number in (2, 3, 4):
            assert str(number) not in client.invoked
            sandboxes.renew()
            assert client.invoked[-1] == str(number)
            assert client.versions == ["1", str(number)]
    assert client.versions == ["1"]
    assert client.description == "mine"
    assert client.alias == ({"live": "1"} if alias else {})


def test_an_alias_that_is_known_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request of a block may meet the version before."""
    monkeypatch.setattr("lambda_dyno.compare.fresh_environments._POLL_S", 0.0)
    client = FakeLambda(alias="live")
    with renewable(client, "f", "live", Events({})) as sandboxes:
        client.lag = 3
        sandboxes.renew()
    assert client.invoked == ["1", "1", "1", "2"]


def test_an_alias_that_stays_where_it_was_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the function is put back all the same."""
    monkeypatch.setattr("lambda_dyno.compare.fresh_environments._KNOWN_S", 0.0)
    client = FakeLambda(alias="live")
    client.lag = 1000
    with (
        pytest.raises(StepError, match="f:live does not reach version 2"),
        renewable(client, "f", "live", Events({})) as sandboxes,
    ):
        sandboxes.renew()
    assert (client.versions, client.alias) == (["1"], {"live": "1"})
