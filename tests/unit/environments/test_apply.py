"""From a root to an environment, with real Terraform on built-in resources (no provider)."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.aws.target import of_account
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.environments.environment import Environment
from lambda_dyno.runs import run_folder
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import TerraformError

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
BASE = f'variable "name_prefix" {{ type = string }}\noutput "function_arn" {{ value = "{ARN}" }}\n'
FAILS = """
locals {{ now = timestamp() }}
resource "terraform_data" "x" {{
  lifecycle {{
    {kind} {{
      condition     = local.now == ""
      error_message = "told to fail"
    }}
  }}
}}
"""
TOO_SMALL = f"""{BASE}
variable "size" {{
  default = 1
  validation {{
    condition     = var.size > 1
    error_message = "too small"
  }}
}}
"""
Make = Callable[[str], Environment]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that stages a root of that text, in an account that is never asked."""

    def stage(root: str) -> Environment:
        folder = run_folder.create(tmp_path / "runs", "local", "dyno", timedelta(hours=1))
        source = tmp_path / "envs" / "local"
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.tf").write_text(root)
        account = accounts.Account("123456789012", "eu-west-1", "", {})
        environment = Environment(
            folder, of_account(account), toolchain.prepare(tmp_path / "cache")
        )
        environment.stage(tmp_path, {})
        return environment

    return stage


def state_of(environment: Environment) -> str:
    return environment.folder.read_lease().state


def test_a_root_that_can_be_used_is_up(make: Make) -> None:
    """With the outputs that reports may show."""
    environment = make(
        f'{BASE}output "secret" {{\n  value     = "x"\n  sensitive = true\n}}\n'
        'output "api_url" { value = null }\noutput "memory_mb" { value = { a = 512 } }\n'
    )
    assert environment.apply() == {"function_arn": ARN, "memory_mb": {"a": 512}}
    assert state_of(environment) == "up"


def test_the_runs_own_name_wins_over_the_roots_files(make: Make, tmp_path: Path) -> None:
    """Else two environments, or one and production, would meet."""
    make(BASE)
    for name in ("terraform.tfvars", "prod.auto.tfvars"):
        (tmp_path / "envs" / "local" / name).write_text('name_prefix = "prod"\n')
    environment = make(f'{BASE}output "name" {{ value = var.name_prefix }}\n')
    assert environment.apply()["name"] == environment.folder.read_lease().name_prefix


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (f'{BASE}variable "vpc_id" {{}}', "envs/local: main.tf:3: No value for required variable"),
        (f'{BASE}output "x" {{ value = var.nope }}', "envs/local: main.tf:3: Reference to undecl"),
        (
            f'{BASE}module "x" {{ source = "../../elsewhere" }}',
            "envs/local: Unreadable module directory",
        ),
        (TOO_SMALL, "envs/local: main.tf:4: Invalid value for variable: too small"),
        (
            'variable "name_prefix" {}\noutput "function_arn" { value = { a = 5 } }',
            "envs/local: the output function_arn: a is no text",
        ),
        (BASE.replace("eu-west-1", "us-east-1"), 'Set region = "us-east-1"'),
    ],
)
def test_a_mistake_is_told_in_a_line_before_anything_is_made(
    make: Make, root: str, message: str
) -> None:
    """The lease says that there is nothing to take down."""
    environment = make(root)
    with pytest.raises(UserError) as error:
        environment.apply()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not environment.folder.read_lease().holds_resources


def test_what_fails_before_it_made_anything_is_a_mistake_too(make: Make) -> None:
    """Even if no plan can foresee it: the state says that nothing is there."""
    environment = make(BASE + FAILS.format(kind="precondition"))
    with pytest.raises(UserError, match=r"^envs/local: main\.tf:\d+: .*told to fail"):
        environment.apply()


def test_what_fails_half_way_is_no_mistake_but_a_failed_step(make: Make) -> None:
    """Something is there, and the lease says so."""
    environment = make(BASE + FAILS.format(kind="postcondition"))
    with pytest.raises(TerraformError, match="told to fail"):
        environment.apply()
    assert state_of(environment) == "creating"
    assert environment.folder.read_lease().holds_resources


def test_what_only_the_apply_tells_is_a_failed_step(make: Make) -> None:
    """The output is known when everything is made."""
    environment = make(
        'variable "name_prefix" {}\nresource "terraform_data" "x" { input = timestamp() }\n'
        'output "function_arn" { value = "arn:aws:s3:::${terraform_data.x.output}" }\n'
    )
    with pytest.raises(StepError, match="envs/local: the output function_arn: 'arn:aws:s3"):
        environment.apply()


def test_what_cannot_be_copied_is_told_in_a_line(make: Make, tmp_path: Path) -> None:
    """A pipe, say, or a link that leads nowhere."""
    make(BASE)
    os.mkfifo(tmp_path / "envs" / "local" / "pipe")
    with pytest.raises(UserError, match=r"^envs/local: .*pipe") as error:
        make(BASE)
    assert "\n" not in str(error.value)
