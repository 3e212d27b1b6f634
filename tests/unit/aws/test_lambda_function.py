"""The name of a function, taken apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.function_name import FunctionName, parse_name
from lambda_dyno.tune.preflight import longest_measuring_s
from lambda_dyno.tuner_contract.prices import lookup, tuner_architecture, unlisted

ARN = "arn:aws:lambda:eu-west-1:111122223333:function:shop-cart"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("shop-cart", FunctionName("shop-cart")),
        ("shop-cart:live", FunctionName("shop-cart", "live")),
        ("shop-cart:25", FunctionName("shop-cart", "25")),
        ("shop-cart:$LATEST", FunctionName("shop-cart")),
        (ARN, FunctionName("shop-cart", "", "eu-west-1", "111122223333", "aws")),
        (f"{ARN}:live", FunctionName("shop-cart", "live", "eu-west-1", "111122223333", "aws")),
        (f"{ARN}:$LATEST", FunctionName("shop-cart", "", "eu-west-1", "111122223333", "aws")),
        ("111122223333:function:shop", FunctionName("shop", "", "", "111122223333")),
        (
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:shop",
            FunctionName("shop", "", "cn-north-1", "111122223333", "aws-cn"),
        ),
    ],
)
def test_names_and_arns_are_taken_apart(text: str, parsed: FunctionName) -> None:
    """All forms that Lambda takes; $LATEST is the function itself."""
    assert parse_name(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "shop/cart",
        "arn:aws:lambda:eu-west-1:111122223333:layer:shop",
        "arn:aws:states:eu-west-1:111122223333:stateMachine:shop",
        f"{ARN}:live:1",
        "shop:",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """With an example of what is wanted."""
    with pytest.raises(UserError, match="neither the name of a Lambda function nor its ARN"):
        parse_name(text)


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({"num": 10}, 9000),
        ({"num": " 10 ", "sleepBetweenRunsMs": 1000}, 9010),
        ({"num": 10, "powerValues": [128, "128", 256], "sequential": True}, 18_000),
        ({"num": 10, "powerValues": "ALL", "sequential": "true"}, 159 * 9000),
        ({"num": 10, "parallelInvocation": True}, 900),
        ({"num": 10, "onlyColdStarts": True, "sequential": True}, 900),
        ({"num": 10, "dryRun": True}, 900),
    ],
)
def test_how_long_measuring_may_take(keys: dict[str, Any], seconds: float) -> None:
    """Each invocation as long as the function's time-out, in the order that the input says."""
    assert longest_measuring_s(900, keys) == seconds


@pytest.mark.parametrize(
    ("region", "architecture"),
    [
        ("eu-west-1", "arm64"),
        ("af-south-1", "arm64"),  # with a price of its own
        ("il-central-1", "x86_64"),
        ("cn-north-1", "x86_64"),
        ("eusc-de-east-1", "x86_64"),  # beyond the price list
    ],
)
def test_the_tuner_is_deployed_where_there_is_no_arm64(region: str, architecture: str) -> None:
    """The price list says where arm64 is published."""
    assert tuner_architecture(region) == architecture


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("eu-west-1", ""),
        ("af-south-1", ""),
        ("cn-north-1", ""),
        ("mx-central-1", "the price list has no mx-central-1: costs are those of most regions"),
        ("eusc-de-east-1", "no eusc-de-east-1, which is billed in EUR: costs are .*, in USD"),
    ],
)
def test_a_price_that_the_list_does_not_have_is_told_first(region: str, words: str) -> None:
    """As the tuner's own output tells it; a currency of its own is named."""
    said = unlisted(region)
    assert re.search(words, said) if words else said == ""
    assumed = lookup(region, "x86_64").assumed
    assert bool(assumed) is bool(words)
    assert ("EUR" in assumed) is ("EUR" in words)
