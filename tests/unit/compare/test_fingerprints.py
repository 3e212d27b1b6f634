"""What a measurement was made of: which change makes it untrue."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_dyno.compare import fingerprints
from lambda_dyno.core.config import Env, Settings
from lambda_dyno.terraform.packages import Package


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "envs/dev/main.tf": "module",
        "envs/dev/dyno.toml": "[load]",
        "modules/a/main.tf": "resource",
        "postman/load.postman_collection.json": "{}",
        "postman/smoke.postman_collection.json": "{}",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def of(project: Path, code: str = "code", payload: object = None) -> dict[str, str]:
    settings = Settings.model_validate({"tuning": {"payload": payload}})
    env = Env("dev", project / "envs" / "dev", settings)
    package = Package(Path("x.zip"), base64.b64encode(code.encode()).decode(), 1)
    return fingerprints.of(env, project, project, {"crud_api": package})


def write(name: str, text: str = "other") -> Callable[[Path], dict[str, str]]:
    def change(project: Path) -> dict[str, str]:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return of(project)

    return change


@pytest.mark.parametrize(
    ("change", "tune", "load"),
    [
        pytest.param(lambda p: of(p), [], [], id="nothing"),
        pytest.param(
            lambda p: of(p, code="new"), ["lambda/crud_api"], ["lambda/crud_api"], id="code"
        ),
        pytest.param(
            lambda p: of(p, payload={"a": 1}), ["the payload", "the workload"], [], id="payload"
        ),
        pytest.param(write("envs/dev/main.tf"), ["envs/dev"], ["envs/dev"], id="root"),
        pytest.param(write("modules/b/main.tf"), ["modules"], ["modules"], id="new-file"),
        pytest.param(
            write("postman/load.postman_collection.json"),
            ["the workload"],
            ["postman/load.postman_collection.json"],
            id="load-collection",
        ),
        pytest.param(write("postman/smoke.postman_collection.json"), [], [], id="smoke-collection"),
        pytest.param(write("envs/dev/dyno.toml"), [], [], id="settings"),
        pytest.param(write("envs/dev/.terraform/x"), [], [], id="provider"),
        pytest.param(write("envs/dev/terraform.tfstate"), [], [], id="state"),
    ],
)
def test_a_measurement_is_true_as_long_as_what_it_measured_is_the_same(
    project: Path,
    change: Callable[[Path], dict[str, str]],
    tune: list[str],
    load: list[str],
) -> None:
    """And what changed is named."""
    before = of(project)
    now = change(project)
    assert fingerprints.changed("tune", before, now) == tune
    assert fingerprints.changed("load", before, now) == load


def test_the_files_of_a_load_test_are_among_them(project: Path) -> None:
    """Wherever settings say that they are."""
    load = {"collection": "../../mine.json", "data": "../../rows.csv"}
    smoke = {"globals": "../../globals.json"}
    settings = Settings.model_validate({"load": load, "smoke": smoke})
    env = Env("dev", project / "envs" / "dev", settings)
    before = fingerprints.of(env, project, project, {})
    for name in ("mine.json", "rows.csv", "globals.json"):
        (project / name).write_text("other")
    now = fingerprints.of(env, project, project, {})
    assert fingerprints.changed("tune", before, now) == ["the workload"]
    changed = ["the load test's collection", "the load test's data"]
    assert fingerprints.changed("load", before, now) == changed


def test_nothing_is_true_of_what_is_not_known(project: Path) -> None:
    """A run of a release that noted no inputs is measured again."""
    assert fingerprints.changed("tune", {}, of(project))
