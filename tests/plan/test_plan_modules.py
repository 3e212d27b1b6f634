"""What each module plans: its examples, and the inventory beside each of them."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.plan.conftest import EXAMPLES, PROJECT, Resources, initialised

if TYPE_CHECKING:
    from lambda_dyno.emulator.server import LocalServer

pytestmark = pytest.mark.plan

HELLO = PROJECT / "modules" / "function" / "examples" / "basic"


def inventory(name: str) -> dict[str, Any]:
    """Return what an example is to plan."""
    module, example = name.split("/")
    path = PROJECT / "modules" / module / "examples" / example / "inventory.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def test_every_module_has_an_example() -> None:
    """A new module without one fails here, not in somebody's account."""
    modules = {path.parent.name for path in PROJECT.glob("modules/*/main.tf")}
    assert {f"{module}/basic" for module in modules} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_plans_these_resources(examples: dict[str, Resources], name: str) -> None:
    """No more and no fewer of each type."""
    kinds = Counter(
        resource["type"] for resource in examples[name].values() if resource["mode"] == "managed"
    )
    assert dict(kinds) == inventory(name)["counts"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_plans_these_values(examples: dict[str, Resources], name: str) -> None:
    """What the inventory names is planned so; lists of blocks are compared as subsets, too."""
    assert inventory(name)["values"]
    for address, expected in inventory(name)["values"].items():
        values = examples[name][address]["values"]
        missing = _differences(expected, values)
        assert not missing, f"{name}: {address}: {json.dumps(missing)}"


def _differences(expected: Any, got: Any) -> Any:
    """Return what of the expected values is not there; empty if all is."""
    if isinstance(expected, dict) and isinstance(got, dict):
        parts = {key: _differences(value, got.get(key)) for key, value in expected.items()}
        return {key: part for key, part in parts.items() if part}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [part for pair in zip(expected, got, strict=True) if (part := _differences(*pair))]
    return "" if expected == got else f"{got!r} instead of {expected!r}"


@pytest.mark.slow
def test_an_example_is_a_root_of_its_own(embedded_aws: LocalServer, tmp_path: Path) -> None:
    """`terraform init && terraform plan` in its folder is all that it takes."""
    shutil.copytree(PROJECT / "modules", tmp_path / "modules")
    folder = tmp_path / HELLO.relative_to(PROJECT)
    said = initialised(folder, embedded_aws).plan(lock=False)
    assert re.search(r"# module\.\w+\.aws_lambda_function\.this will be created", said)


def test_the_examples_package_is_what_stands_beside_it() -> None:
    """A zip cannot be reviewed; this one needs no review."""
    with zipfile.ZipFile(HELLO / "hello.zip") as archive:
        assert archive.namelist() == ["hello.py"]
        assert archive.read("hello.py") == (HELLO / "hello.py").read_bytes()


def test_access_logs_hold_no_payload(examples: dict[str, Resources]) -> None:
    """Their format names fields of the request, none of which is a body or a query."""
    stage = examples["api/public"]["module.api.aws_api_gateway_stage.this"]["values"]
    (settings,) = stage["access_log_settings"]
    fields = json.loads(settings["format"])
    assert fields["requestId"] == "$context.requestId"
    assert not any(
        word in value for value in fields.values() for word in ("body", "path.", "query")
    )
