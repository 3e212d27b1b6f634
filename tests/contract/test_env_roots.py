"""The roots below envs/ against the harness that drives them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from lambda_dyno.core.config import Settings
from lambda_dyno.environments import state_recovery
from lambda_dyno.environments.environment import REQUIRED_OUTPUTS, TUNER_OUTPUTS
from lambda_dyno.runs.run_folder import TUNER_ENV
from lambda_dyno.terraform import hcl, provider
from lambda_dyno.terraform.outputs import OBJECT
from lambda_dyno.tune.tuner_root import VARIABLES as TUNER_VARIABLES
from tools.module_docs import read_blocks, update, update_history, update_settings

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[2]
ROOTS = sorted(path.parent for path in PROJECT.glob("envs/[!_]*/main.tf"))
TUNER = PROJECT / "envs" / TUNER_ENV
ENVIRONMENT = PROJECT / "modules" / "environment"
MODULES = sorted(path.parent for path in PROJECT.glob("modules/*/main.tf"))

# What `Environment.stage` and `Environment.set_memory` write.
WRITTEN_VARIABLES = {"name_prefix", "tags", "packages", "memory_mb"}
# What the module leaves to each root.
DECIDED = {"api_authorization", "log_retention_days"}


def names(root: Path, kind: str) -> set[str]:
    """Return the names of a folder's variables or outputs."""
    return {block.name for block in read_blocks(root) if block.kind == kind}


def text(root: Path) -> str:
    """Return what a root's main file says."""
    return (root / "main.tf").read_text()


def test_all_environments_are_there() -> None:
    """`ENV=` takes these four."""
    assert [root.name for root in ROOTS] == ["dev", "local", "prod", "test"]


def test_the_environment_has_the_outputs_that_the_harness_reads() -> None:
    """And no others: an output nobody reads is a promise nobody keeps."""
    optional = {"tuner_isolation"}  # `dyno tune --deployed`: without it, versions are measured
    assert names(ENVIRONMENT, "output") == set(REQUIRED_OUTPUTS) | optional


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_a_root_passes_on_what_the_environment_takes_and_tells(root: Path) -> None:
    """Each variable by its name, but for what the root decides; the tags are its provider's."""
    taken = hcl.read(ENVIRONMENT).variables
    variables = hcl.read(root).variables
    assert variables.keys() == taken.keys() - DECIDED | {"tags"}
    main = (root / "main.tf").read_text()
    for name in variables.keys() - {"tags"}:
        assert re.search(rf"^  {name} += var\.{name}$", main, re.M), name
    required = {name for name, body in variables.items() if "default" not in body}
    assert required == {name for name, body in taken.items() if "default" not in body}
    assert variables.keys() >= WRITTEN_VARIABLES
    assert required <= WRITTEN_VARIABLES - {"memory_mb"}
    assert all(body.get("default") is None for name, body in variables.items() if name != "tags")
    assert hcl.read(root).outputs[OBJECT]["value"] == "module.environment"


def test_the_roots_decide_who_may_call_and_how_long_logs_are_kept() -> None:
    """That, and the backend, is all that they differ in: one code path."""
    decided = {
        root.name: dict(re.findall(r"^  (\w+) += ([^v\n]\S*)$", call, re.M))
        for root in ROOTS
        for call in re.findall(r'^module "environment" \{\n.*?^\}$', text(root), re.M | re.S)
    }
    assert {root: values.pop("source") for root, values in decided.items()} == dict.fromkeys(
        decided, '"../../modules/environment"'
    )
    assert decided == {
        "dev": {"api_authorization": '"AWS_IAM"', "log_retention_days": "7"},
        "local": {"api_authorization": '"NONE"', "log_retention_days": "1"},
        "prod": {"api_authorization": '"AWS_IAM"', "log_retention_days": "90"},
        "test": {"api_authorization": '"AWS_IAM"', "log_retention_days": "7"},
    }
    assert len({(root / "variables.tf").read_text() for root in ROOTS}) == 1
    assert len({(root / "moved.tf").read_text() for root in ROOTS}) == 1


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_a_roots_settings_are_valid(root: Path) -> None:
    """dyno.toml has known keys with allowed values."""
    content = tomllib.loads((root / "dyno.toml").read_text())
    settings = Settings.model_validate(content)
    assert settings.environment.emulated == (root.name == "local")
    tuning = settings.tuning  # what is tuned is what is loaded
    assert (tuning.payload, tuning.payload_file, tuning.payload_s3) == (None, "", "")
    assert tuning.workload in ("", "load")
    assert settings.slo.judge == ("recommended" if root.name == "local" else "deployed")


@pytest.mark.parametrize("root", [*ROOTS, TUNER], ids=lambda root: root.name)
def test_a_root_takes_regions_that_terraform_does_not_know(root: Path) -> None:
    """Its lists of regions are as old as it is; the harness checks the name before."""
    main = (root / "main.tf").read_text()
    assert main.count("skip_region_validation") == (2 if 'backend "s3"' in main else 1)


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_only_the_local_root_keeps_its_state_beside_itself(root: Path) -> None:
    """The others lock theirs in a bucket."""
    local = root.name == "local"
    assert ('backend "local"' in text(root)) == local
    assert bool(re.search(r"use_lockfile\s+= true", text(root))) != local


def test_the_tuner_alone_has_what_the_harness_reads_and_takes_what_it_writes() -> None:
    """It is no environment: without dyno.toml, no command lists it."""
    assert names(TUNER, "output") == set(TUNER_OUTPUTS)
    written = {"name_prefix", "tags", "packages"} | set(TUNER_VARIABLES)
    # a workflow gives the boundary (TF_VAR_permissions_boundary_arn), not the harness
    assert names(TUNER, "variable") == written | {"permissions_boundary_arn"}
    assert not (TUNER / "dyno.toml").exists()
    assert 'backend "local" {}' in (TUNER / "main.tf").read_text()


@pytest.mark.parametrize("folder", [TUNER, *MODULES], ids=lambda path: path.name)
def test_variables_and_outputs_are_described_and_in_order(folder: Path) -> None:
    """Alphabetical, each with a type and a description that ends like a sentence."""
    blocks = read_blocks(folder)
    for kind in ("variable", "output"):
        found = [block.name for block in blocks if block.kind == kind]
        assert found == sorted(found)
    for block in blocks:
        assert block.description.endswith("."), block.name
        assert block.kind == "output" or "type" in block.attributes, block.name


def test_the_modules_tables_are_up_to_date() -> None:
    """`make docs` writes them."""
    assert update(PROJECT / "modules", check=True) == []


def test_the_tables_of_the_history_are_up_to_date() -> None:
    """As the modules' are."""
    assert update_history(PROJECT / "docs" / "history.md", check=True) == []


def test_the_tables_of_the_settings_are_up_to_date() -> None:
    """As the modules' are; and each key of each section is there."""
    page = PROJECT / "docs" / "settings.md"
    schema = PROJECT / "harness" / "lambda_dyno" / "schemas" / "dyno.schema.json"
    assert update_settings(page, schema, check=True) == []
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    keys = [name for section in Settings().model_dump().values() for name in section]
    assert len(rows) >= len(keys) - 1  # [deploy.load] is a table of its own
    assert not [line for line in rows if "noqa" in line or "type: ignore" in line]


TERRAFORM = sorted(path for path in PROJECT.glob("modules/**/*.tf"))


@pytest.mark.parametrize("path", TERRAFORM, ids=lambda path: "/".join(path.parts[-2:]))
def test_modules_know_neither_providers_nor_emulators(path: Path) -> None:
    """The caller brings the provider; "local" is an endpoint in the environment, nothing else."""
    text = path.read_text()
    assert not re.search(r'^(provider|  backend) "', text, re.M)
    assert "endpoint" not in re.sub(r"endpoint_configuration", "", text)


def test_only_the_aws_provider_is_used() -> None:
    """No archive, random, null or local provider."""
    used = {
        source
        for path in PROJECT.glob("*/*/*.tf")
        for source in re.findall(r'source += "([a-z]+/[a-z]+)"', path.read_text())
    }
    assert used == {"hashicorp/aws"}


# --- the provider's versions -------------------------------------------------------------------

# First of a kind that nobody has tried: the last before the range, and all that come after it.
UNTRIED = ("5.99.1", "6.0.0", "6.2.0", "6.22.1", "6.23.0", "7.0.0")
# Who asks for a provider: the roots, what the README and the docs show, and the tests' own roots.
ASKING = sorted(
    path
    for pattern in (
        "envs/*/*.tf",
        "modules/*/examples/*/*.tf",
        "README.md",
        "docs/*.md",
        "tests/**/*.py",
        "tests/**/*.tf",
    )
    for path in PROJECT.glob(pattern)
    if 'source = "hashicorp/aws"' in re.sub(" +", " ", path.read_text()) and path != Path(__file__)
)


def allows(constraint: str, version: str) -> bool:
    """Whether Terraform may choose a version, by its documented rules for constraints."""
    wanted = numbers(version)
    for part in constraint.split(","):
        operator, text = re.fullmatch(r"\s*(~>|>=|<=|!=|=|>|<)?\s*([\d.]+)\s*", part).groups()  # type: ignore[union-attr]
        given = numbers(text)
        if operator == "~>":
            parts = text.split(".")[:-1]
            ceiling = numbers(".".join([*parts[:-1], str(int(parts[-1]) + 1)]))
            holds = given <= wanted < ceiling
        else:
            holds = {
                ">=": wanted >= given,
                "<=": wanted <= given,
                "!=": wanted != given,
                ">": wanted > given,
                "<": wanted < given,
            }.get(operator, wanted == given)
        if not holds:
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's three numbers."""
    found = [int(number) for number in version.split(".")]
    return (*found, 0, 0)[:3]


@pytest.mark.parametrize(
    ("constraint", "version", "allowed"),
    [
        ("~> 5.100", "5.100.0", True),
        ("~> 5.100", "5.101.3", True),
        ("~> 5.100", "6.0.0", False),
        ("~> 5.100.0", "5.101.0", False),
        (">= 5.100, < 7.0", "6.23.0", True),
        (">= 5.100, < 6.23", "6.22.9", True),
        (">= 5.100, != 6.23.0", "6.23.0", False),
        ("5.100.0", "5.100.1", False),
        ("> 5.100", "5.100.0", False),
    ],
)
def test_constraints_are_read_as_terraform_does(
    constraint: str, version: str, allowed: bool
) -> None:
    """Else the next test would prove nothing."""
    assert allows(constraint, version) == allowed


def test_all_who_ask_for_a_provider_are_looked_at() -> None:
    """Every root below envs/, and the README's example, which people copy."""
    asking = {path.relative_to(PROJECT).as_posix() for path in ASKING}
    roots = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("envs/*/main.tf")}
    assert asking >= roots | {"README.md", "docs/plugin.md", "tests/e2e/test_leaks.py"}


@pytest.mark.parametrize("path", ASKING, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_root_reaches_a_provider_that_nothing_was_tried_with(path: Path) -> None:
    """A machine that reaches the registry takes the newest that a root allows."""
    found = re.findall(
        r'source\s*=\s*"hashicorp/aws"[,\s]*version\s*=\s*"([^"]+)"', path.read_text()
    )
    asked = len(re.findall(r'source\s*=\s*"hashicorp/aws"', path.read_text()))
    assert len(found) == asked, "a source without a version"
    for constraint in found:
        assert allows(constraint, provider.TRIED), constraint
        assert [v for v in UNTRIED if allows(constraint, v)] == [], constraint


def test_what_destroys_a_state_asks_for_what_was_tried(tmp_path: Path) -> None:
    """Unless the root that made it had another one."""
    root, _ = state_recovery.destroy_only_root(
        tmp_path, tmp_path / "x", version=provider.of_root(tmp_path)
    )
    content = json.loads((root / "main.tf.json").read_text())
    assert content["terraform"]["required_providers"]["aws"]["version"] == provider.RANGE
    assert allows(provider.RANGE, provider.TRIED)
    assert [v for v in UNTRIED if allows(provider.RANGE, v)] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_allows_what_was_tried_and_says_what_that_is(module: Path) -> None:
    """Whoever calls it chooses."""
    text = (module / "versions.tf").read_text()
    (constraint,) = re.findall(r'version = "([^"]+)"', text.partition("required_providers")[2])
    assert allows(constraint, provider.TRIED)
    assert provider.TRIED in text
    assert provider.TRIED in (module / "README.md").read_text()


def test_the_apis_paths_are_the_functions_routes() -> None:
    """A route that one side lacks would be a 403, or dead code."""
    from crud_api.http import CATCH_ALL, ROUTES

    listed = json.loads((PROJECT / "modules" / "service" / "routes.json").read_text())
    assert {path: set(methods) for path, methods in listed.items()} == {
        CATCH_ALL: set(),
        **{path: set(methods) for path, methods in ROUTES.items()},
    }
