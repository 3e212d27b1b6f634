"""[attach] of dyno.toml, and what an environment that has it is not for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.core.config import load_env, parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run import prepare


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ({"hosts": ["10.0.0.1"]}, "is an IP address"),
        ({"hosts": ["metadata.google.internal"]}, "is not public"),
        ({"hosts": ["https://api.example.com"]}, "must be a host such as"),
        ({"hosts": "api.example.com"}, "is not allowed"),
        ({"function": "a b"}, "neither the name"),
        ({"authorization": "yes"}, "is not allowed"),
        ({"max_requests": 0}, "is not allowed"),
        ({"max_cost_usd": 0.0}, "is not allowed"),
        ({"urls": []}, "unknown key; allowed: authorization, function, hosts"),
    ],
)
def test_what_no_key_may_be(key: dict[str, object], why: str) -> None:
    """A line with file, section and key."""
    with pytest.raises(UserError, match=why) as caught:
        parse_settings({"attach": key}, "envs/dev/dyno.toml")
    assert str(caught.value).startswith(f"envs/dev/dyno.toml: [attach] {next(iter(key))}")


def test_hosts_are_places_and_stay_so() -> None:
    """Read again, as an override makes it, they are the same."""
    settings = parse_settings({"attach": {"hosts": ["A.example.com", "b.example.com:8443"]}}, "x")
    places = ["a.example.com:443", "b.example.com:8443"]
    assert settings.attach.hosts == places
    assert parse_settings(settings.model_dump(), "x").attach.hosts == places


def test_an_attached_environment_is_not_deployed(tmp_path: Path) -> None:
    """`dyno up` and the like say what it is."""
    folder = tmp_path / "envs" / "dev"
    folder.mkdir(parents=True)
    (folder / "dyno.toml").write_text('[attach]\nfunction = "orders"\n')
    assert load_env(tmp_path, "dev").settings.attach.is_set
    with pytest.raises(UserError, match="has nothing to deploy: dyno run --env dev"):
        prepare.prepare(tmp_path, "dev", TerminalUi())
