"""The way to S3 Control on this machine, whose clients put the account before the host."""

from __future__ import annotations

import pytest

from lambda_dyno.terraform import stand_in

HERE = "http://127.0.0.1:4566"


@pytest.mark.parametrize("endpoint", [HERE, "http://localhost:4566", "http://127.0.0.1:4566/"])
def test_an_aws_on_this_machine_is_the_proxy_of_a_name_that_has_no_address(endpoint: str) -> None:
    """HTTPS has a variable of its own, which stays."""
    host = endpoint.removeprefix("http://").rstrip("/")
    environment = {"AWS_ENDPOINT_URL": endpoint, "HTTPS_PROXY": "http://proxy:3128"}
    assert stand_in.variables(environment) == {
        "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.dyno.invalid:4566",
        "HTTP_PROXY": f"http://{host}",
    }


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_ENDPOINT_URL": ""},
        {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "http://localstack:4566"},
        {"AWS_ENDPOINT_URL": "http://10.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": HERE, "AWS_ENDPOINT_URL_S3_CONTROL": "http://localhost:4566"},
    ],
)
def test_elsewhere_nothing_is_set(environment: dict[str, str]) -> None:
    """An account of AWS has the addresses; what the user names is the user's word."""
    assert stand_in.variables(environment) == {}


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_star_that_keeps_all_from_their_proxies_gives_way(name: str) -> None:
    """It kept HTTPS from its proxy, too: so that is taken away with it."""
    found = stand_in.variables({"AWS_ENDPOINT_URL": HERE, name: "10.0.0.1, *"})
    taken_away = ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy")
    assert {found[key] for key in taken_away} == {""}
    assert "NO_PROXY" not in stand_in.variables({"AWS_ENDPOINT_URL": HERE, name: "*.corp,10.0.0.1"})
