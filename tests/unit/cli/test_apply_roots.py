"""`dyno apply` for roots that lie elsewhere, with names of their own and several functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import RunResult, TunedFunction
from tests.support import report_samples as samples
from tests.support.review_project import Project, good_run

ROOT = """
variable "project" { type = string }
variable "memory" {
  type    = map(number)
  default = { orders = 128, stock = 128, carts = 256 }
}
output "functions" { value = {} }
"""
SETTINGS = """
[environment.variables]
name_prefix = "project"
memory_mb = "memory.orders"
[environment.outputs]
function_arn = "functions"
"""


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A root below infra/ with its settings beside it, and no envs/ but those of others."""
    made = Project(tmp_path, monkeypatch, capsys)
    (made.folder / "infra" / "shop").mkdir(parents=True)
    (made.folder / "infra" / "shop" / "main.tf").write_text(ROOT)
    (made.folder / "infra" / "shop" / "dyno.toml").write_text(SETTINGS)
    made.commit("A root")
    return made


def run_of_root(root: str = "infra/shop", **changes: Any) -> RunResult:
    """A run of the root, with a second function that should have 256 MB."""
    stock = TunedFunction("stock", replace(samples.TUNING, power=256))
    run = good_run(settings={"environment": {"root": root}}, functions=(stock,))
    return replace(run, env="shop", **changes)


def test_a_map_of_sizes_is_written_whole_and_taken_back(project: Project) -> None:
    """Terraform takes a variable as a whole, so a function that was not tuned is in it, too."""
    run_id = project.add_run(run_of_root())
    path = project.folder / "infra" / "shop" / "tuned.auto.tfvars.json"
    done = project.dyno("apply", run_id, "--commit")
    assert done.status == 0, done.err
    assert "stock: 256 MB" in done.out
    assert json.loads(path.read_text())["memory"] == {"orders": 512, "stock": 256, "carts": 256}
    again = project.dyno("apply", run_id)
    assert (again.status, "has it already" in again.err) == (2, True)


def test_settings_that_say_where_the_root_is(project: Project) -> None:
    """envs/NAME/dyno.toml with `root`: the file is the root's, and rollback finds it."""
    (project.folder / "envs" / "shop").mkdir()
    (project.folder / "envs" / "shop" / "dyno.toml").write_text(
        '[environment]\nroot = "infra/shop"\n' + SETTINGS
    )
    (project.folder / "infra" / "shop" / "dyno.toml").unlink()
    project.commit("Settings in envs")
    run_id = project.add_run(run_of_root())
    path = project.folder / "infra" / "shop" / "tuned.auto.tfvars.json"
    assert project.dyno("apply", run_id, "--commit").status == 0
    assert json.loads(path.read_text())["memory"]["orders"] == 512
    back = project.dyno("rollback", "--env", "shop")
    assert back.status == 0, back.err
    sizes = json.loads(path.read_text())["memory"]
    assert sizes == {"orders": 128, "stock": 128, "carts": 256}


@pytest.mark.parametrize(
    "root", ["", "infra/cart", "../infra/shop", "/infra/shop", "infra/../infra/shop", 5]
)
def test_where_a_result_says_its_root_is_counts_only_if_that_is_there(
    project: Project, root: Any
) -> None:
    """A result is somebody's file: no path of it is followed out of the project."""
    run_id = project.add_run(run_of_root(root))
    done = project.dyno("apply", run_id)
    assert (done.status, "there is no such environment" in done.err) == (2, True)
    assert project.git("status", "--porcelain") == ""


def test_a_file_that_wins_over_it_is_said(project: Project) -> None:
    """Terraform takes the last file by name."""
    later = project.folder / "infra" / "shop" / "zz.auto.tfvars"
    later.write_text("memory = { orders = 1 }\n")
    project.commit("Another")
    done = project.dyno("apply", project.add_run(run_of_root()))
    assert done.status == 2
    assert "infra/shop/zz.auto.tfvars sets memory too" in done.err
