"""Scenarios, secrets and tokens in dyno.toml: what is allowed, and that no secret is shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lambda_dyno.core.config import Env, Settings, parse_settings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.load import collection_files

TOKEN = '[oauth2.token]\ntoken_url = "https://auth.example/token"\n'
CLIENT = 'client_id = "shop"\nclient_secret = "env:SHOP_SECRET"\n'


def settings(text: str) -> Settings:
    return parse_settings(tomllib.loads(text), "dyno.toml")


def complaint(text: str) -> str:
    with pytest.raises(UserError) as caught:
        settings(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[secrets]\ntoken = "hunter22"', "[secrets] token: a secret is not written here"),
        ("[secrets]\ntoken = 22222222", "[secrets] token: a secret is not written here"),
        ('[secrets]\ntoken = ""', "a secret is not written here"),
        ('[secrets]\ntoken = "env:GITHUB_TOKEN"', "GITHUB_TOKEN is for no collection"),
        ('[secrets]\nt = "env:AWS_SECRET_ACCESS_KEY"', "AWS_SECRET_ACCESS_KEY is for no"),
        ('[secrets]\n"a b" = "env:X"', "a b"),
        (TOKEN + 'client_id = "x"\nclient_secret = "hunter22"', "a secret is not written here"),
        (TOKEN, 'grant = "client_credentials" needs client_id and client_secret'),
        (TOKEN + 'grant = "password"\n' + CLIENT, "needs username and password"),
        (TOKEN + 'grant = "refresh_token"\n' + CLIENT, "needs refresh_token"),
        (TOKEN + CLIENT + "nope = 1", "[oauth2] token.nope: unknown key; allowed: audience"),
        ("[oauth2.t]\n" + CLIENT, "token_url"),
        ("[oauth2]\nt = 1", "[oauth2] t"),
        ("[[load.scenarios]]\nweight = 2", "names a folder, a collection, or both"),
        ('[[load.scenarios]]\nfolder = "a"\nweight = 0', "scenarios.0.weight"),
        ('[[load.scenarios]]\nfolder = "a"\nnope = 0', "unknown key; allowed: collection, data"),
        ('[[smoke.scenarios]]\nfolder = "a"\nweight = 2', "asks each scenario once"),
        (
            '[secrets]\ntoken = "env:X"\n' + TOKEN + CLIENT,
            "token: under [secrets] or [oauth2], not both",
        ),
    ],
)
def test_a_mistake_is_one_line_without_the_secret(text: str, said: str) -> None:
    """What stands where no secret may stand is not repeated."""
    line = complaint(text)
    assert said in line
    assert "hunter22" not in line
    assert "22222222" not in line


@pytest.mark.parametrize(
    "address",
    [
        *("http://auth.example/t", "ftp://x/t", "auth.example", "https://", "https://u:p@x/t"),
        *("https://x/t#f", "file:///etc/passwd", ""),
    ],
)
def test_a_token_server_is_asked_by_https(address: str) -> None:
    """Its answers are secrets; only one on this machine may go without."""
    complaint(f'[oauth2.token]\ntoken_url = "{address}"\n{CLIENT}')
    settings(f'[oauth2.token]\ntoken_url = "http://127.0.0.1:9/t"\n{CLIENT}')


@pytest.fixture
def env(tmp_path: Path) -> Env:
    (tmp_path / "envs" / "dev").mkdir(parents=True)
    return Env(
        "dev", tmp_path / "envs" / "dev", settings(f'{TOKEN}{CLIENT}[secrets]\nkey = "env:K"')
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "[secrets] key: the environment variable K is not set"),
        ({"K": ""}, "[secrets] key: the environment variable K is not set"),
        ({"K": "abc"}, "[secrets] key: K must be one line of at least 4 characters"),
        ({"K": "abcd\nefgh"}, "[secrets] key: K must be one line"),
        ({"K": "abcd"}, "[oauth2.token] client_secret: the environment variable SHOP_SECRET"),
    ],
)
def test_secrets_are_looked_for_before_anything_is_made(
    env: Env, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str
) -> None:
    """The line names file, table, key and variable, and no value."""
    for name in ("K", "SHOP_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        collection_files.check_secrets(env.folder.parents[1], env)
    assert str(caught.value).startswith(f"envs/dev/dyno.toml: {said}")
    assert "abc" not in str(caught.value)
    monkeypatch.setenv("K", "abcd")
    monkeypatch.setenv("SHOP_SECRET", "efgh")
    collection_files.check_secrets(env.folder.parents[1], env)


def test_what_a_lease_and_a_driver_get_has_names_and_no_values(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is in the bucket, and the driver's settings on its standard input."""
    monkeypatch.setenv("K", "abcd")
    assert env.settings.model_dump()["secrets"] == {"key": "env:K"}
    told = collection_files.of_settings(env.folder.parents[1], env, "load").for_driver()
    assert told["secrets"] == {"key": "K"}
    assert "abcd" not in str(told)


def test_flags_replace_scenarios() -> None:
    """Whoever names a collection means that one."""
    of_file = settings('[[load.scenarios]]\nfolder = "a"\nweight = 2')
    flags = {"load.collection": "/x.json", "load.scenarios": []}
    assert with_overrides(of_file, flags).load.scenarios == []
    flags = {"load.scenarios": [{"folder": "b"}]}
    (only,) = with_overrides(of_file, flags).load.scenarios
    assert (only.folder, only.weight) == ("b", 1)
