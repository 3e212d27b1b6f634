"""The items that `list` reads."""

from __future__ import annotations

from lambda_dyno.environments.test_data import seed_item


def test_items_are_always_the_same() -> None:
    """Two runs measure the same work."""
    assert seed_item(7) == seed_item(7)
    assert len({seed_item(number)["checksum"] for number in range(50)}) == 50


def test_an_item_has_every_type_of_json() -> None:
    """Converting it exercises the whole codec."""
    kinds = {type(value).__name__ for value in seed_item(1).values()}
    assert kinds == {"str", "Decimal", "int", "bool", "list", "dict", "NoneType"}
