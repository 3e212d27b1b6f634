"""Terraform behind its class, with real Terraform on built-in resources (no provider)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lambda_dyno.review import plan_summary
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Change, Terraform, TerraformError
from lambda_dyno.terraform.toolchain import Toolchain

ROOT = """
variable "fail" {
  type    = bool
  default = false
}
resource "terraform_data" "one" { input = "x" }
resource "terraform_data" "two" {
  input = terraform_data.one.output
  lifecycle {
    precondition {
      condition     = !var.fail
      error_message = "told to fail"
    }
  }
}
output "value" { value = terraform_data.two.output }
"""


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    """Terraform in a root of two resources."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text(ROOT)
    tools = toolchain.prepare(tmp_path / "cache")
    made = Terraform(root, tools, dict(os.environ), tmp_path)
    made.init()
    return made


def test_a_sensitive_output_is_no_reason_to_fail(terraform: Terraform, tmp_path: Path) -> None:
    """Many roots have one; what it holds is nobody's business here."""
    with (tmp_path / "root" / "main.tf").open("a") as root:
        root.write('output "secret" {\n  value     = "hidden"\n  sensitive = true\n}\n')
    assert terraform.apply() == {"value": "x"}


def test_a_roots_whole_life(terraform: Terraform, tmp_path: Path) -> None:
    """Apply, an empty plan, outputs, destroy; every change is told while it happens."""
    changes: list[Change] = []
    assert terraform.apply(changes.append) == {"value": "x"}
    assert terraform.plan() == []
    assert changes[-1] == Change("create", "terraform_data.two", done=2, total=2)

    changes.clear()
    terraform.destroy(changes.append)
    assert changes[-1] == Change("delete", "terraform_data.one", done=2, total=2)
    assert sorted(terraform.plan()) == ["create terraform_data.one", "create terraform_data.two"]
    assert (tmp_path / "terraform-apply.log").read_text()


def test_a_failed_apply_says_why_and_keeps_what_was_made(
    terraform: Terraform, tmp_path: Path
) -> None:
    """The message is Terraform's own diagnostic; destroy then removes the rest."""
    (tmp_path / "root" / "fail.auto.tfvars.json").write_text('{"fail": true}')
    with pytest.raises(TerraformError, match="told to fail") as caught:
        terraform.apply()
    assert caught.value.command == "apply"
    assert caught.value.exit_code == 3
    terraform.destroy()
    state, *_ = tmp_path.rglob("*.tfstate")
    assert json.loads(state.read_text())["resources"] == []


def test_a_root_that_is_no_terraform_fails_with_the_file(
    terraform: Terraform, tmp_path: Path
) -> None:
    """A syntax error is an error of every command."""
    (tmp_path / "root" / "broken.tf").write_text("resource {")
    with pytest.raises(TerraformError, match=r"(?s)terraform plan: .*"):
        terraform.plan()


@pytest.mark.parametrize(
    ("message", "passes"),
    [
        ("deleting IAM Role (x): DeleteConflict: Cannot delete entity", True),
        ("deleting Lambda Function: ResourceConflictException: an update is in progress", True),
        ("deleting S3 Bucket (x): BucketNotEmpty", True),
        ("ThrottlingException: Rate exceeded", True),
        ("https response error StatusCode: 503, ServiceUnavailable", True),
        ("Error acquiring the state lock: 412 PreconditionFailed", True),
        ("connection reset by peer", True),
        ("api error AccessDenied: User is not authorized to perform: iam:DeleteRole", False),
        ("No valid credential sources found", False),
        ("ExpiredToken: The provided token has expired", False),
        ("state snapshot was created by Terraform v2", False),
    ],
)
def test_an_error_that_may_pass_is_told_from_one_that_stays(message: str, passes: bool) -> None:
    """By what AWS and Terraform say."""
    assert TerraformError("destroy", message, Path("log")).may_pass == passes


def test_a_real_mistake_in_a_root_is_one_of_the_root(terraform: Terraform, tmp_path: Path) -> None:
    """So that teardown goes on without the root."""
    assert terraform.is_valid()
    (tmp_path / "root" / "broken.tf").write_text('output "x" { value = var.no_such }')
    assert not terraform.is_valid()
    with pytest.raises(TerraformError) as caught:
        terraform.destroy()
    assert not caught.value.is_of_aws


def test_a_mistake_is_told_in_a_line_with_its_place(terraform: Terraform, tmp_path: Path) -> None:
    """The first of several; where the others are."""
    root = tmp_path / "root"
    (root / "wrong.tf").write_text('output "x" { value = var.no_such }\noutput "y" { value = u.v }')
    with pytest.raises(TerraformError) as caught:
        terraform.plan()
    assert caught.value.line.startswith("wrong.tf:1: Reference to undeclared input variable: An ")
    assert caught.value.line.endswith(f"(and 1 more: {tmp_path / 'terraform-plan.log'})")
    assert "\n" not in caught.value.line


def test_a_mistake_that_init_finds_has_its_place_too(terraform: Terraform, tmp_path: Path) -> None:
    """It is told in JSON as well."""
    (tmp_path / "root" / "wrong.tf").write_text('module "x" {\n  source = "../nowhere"\n}')
    with pytest.raises(TerraformError) as caught:
        terraform.init()
    assert "Unreadable module directory" in caught.value.line


def test_terraform_is_killed_when_there_is_nobody_to_ask(tmp_path: Path) -> None:
    """It would go on asking an embedded AWS that is gone for minutes."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text(
        'resource "terraform_data" "slow" {\n'
        '  provisioner "local-exec" { command = "sleep 60" }\n'
        "}\n"
    )
    tools = toolchain.prepare(tmp_path / "cache")
    made = Terraform(root, tools, dict(os.environ), tmp_path, watch=lambda: "the AWS is gone")
    with pytest.raises(TerraformError, match="the AWS is gone"):
        made.apply()


SECRET_ROOT = """
variable "password" {
  type      = string
  sensitive = true
}
variable "size" { type = number }
resource "terraform_data" "login" { input = var.password }
resource "terraform_data" "plain" { input = { size = var.size, text = nonsensitive(var.password) } }
output "password" {
  value     = var.password
  sensitive = true
}
"""


def test_a_plan_that_is_handed_on_has_no_secret_and_neither_has_a_log(
    terraform: Terraform, tmp_path: Path
) -> None:
    """Terraform's own JSON has sensitive values in clear, and so its output must stay here."""
    root = tmp_path / "root"
    (root / "main.tf").write_text(SECRET_ROOT)
    variables = root / "x.auto.tfvars.json"
    variables.write_text('{"password": "hunter2", "size": 1}')  # pragma: allowlist secret
    terraform._run("apply", 60.0, auto_approve=True)
    variables.write_text('{"password": "hunter3", "size": 2}')  # pragma: allowlist secret

    plan = terraform.plan_json()
    assert terraform.outputs() == {"password": "hunter2"}  # pragma: allowlist secret

    assert json.dumps(plan).count("hunter3") > 1
    public = plan_summary.public(plan, "plan")
    assert "hunter" not in json.dumps(public)
    changes = plan_summary.parse(public, "plan").changes
    assert changes == plan_summary.parse(plan, "plan").changes
    assert [change.what for change in changes] == ["input, output (known after apply)"] * 2
    for name in ("output", "show"):
        assert "hunter" not in (tmp_path / f"terraform-{name}.log").read_text()


def test_a_show_that_is_killed_tells_nothing_of_what_it_had_printed(tmp_path: Path) -> None:
    """Half of a plan is one long line with every value in it."""
    program = tmp_path / "terraform"
    program.write_text('#!/bin/sh\necho \'{"login": "hunter2"\'\nkill -9 $$\n')
    program.chmod(0o755)
    tools = Toolchain(program, {}, (), (), tmp_path / "lock")
    broken = Terraform(tmp_path, tools, dict(os.environ), tmp_path)
    with pytest.raises(TerraformError, match="ended by signal 9") as error:
        broken._run("show", 20.0, json=True)
    assert "hunter" not in f"{error.value}{(tmp_path / 'terraform-show.log').read_text()}"


# Notes its arguments, and answers as the real one does in JSON.
STAND_IN = """#!/bin/sh
case "$1" in
  version) [ -z "$2" ] && echo 'NAME v1.11.4' && exit
    echo '{"provider_selections": {"HOST/hashicorp/aws": "5.100.0"}}' ;;
  apply) echo '{"type": "outputs", "outputs": {"value": {"value": "x"}}}' ;;
  output) echo '{"value": {"value": "x"}}' ;;
  show) echo '{}' ;;
  validate) echo '{"valid": true}' ;;
esac
echo "$@" >> "ARGUMENTS"
"""


@pytest.mark.parametrize("name", ["Terraform", "OpenTofu"])
def test_opentofu_is_called_as_terraform_is(tmp_path: Path, name: str) -> None:
    """All commands, with the same arguments; it is known by what it says, whatever it is called."""
    programs, root = tmp_path / "bin", tmp_path / "root"
    programs.mkdir()
    root.mkdir()
    program = programs / ("my-tofu" if name == "OpenTofu" else "terraform")
    host = "registry.opentofu.org" if name == "OpenTofu" else "registry.terraform.io"
    text = STAND_IN.replace("NAME", name).replace("HOST", host)
    program.write_text(text.replace("ARGUMENTS", str(tmp_path / "arguments")))
    program.chmod(0o755)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "TERRAFORM": program.name}
    tools = toolchain.prepare(tmp_path / "cache", environ)
    assert tools.program.is_opentofu == (name == "OpenTofu")
    called = Terraform(root, tools, environ, tmp_path)
    called.init({"bucket": "states"})
    assert called.providers() == {f"{host}/hashicorp/aws": "5.100.0"}
    assert called.is_valid()
    assert called.apply() == {"value": "x"}
    assert called.plan() == []
    assert called.plan_json() == {}
    assert called.outputs() == {"value": "x"}
    called.push_state(tmp_path / "errored")
    called.destroy()
    plan = root / "dyno.tfplan"
    flags = "-no-color -input=false"
    lines = (tmp_path / "arguments").read_text().splitlines()
    assert [sorted(line.split()) for line in lines] == [
        sorted(line.split())
        for line in (
            f"init -backend-config=bucket=states -json {flags}",
            "version -json",
            "validate -json -no-color",
            f"apply -json -auto-approve {flags}",
            f"plan -json -detailed-exitcode {flags}",
            f"plan -out={plan} -json {flags}",
            f"show -json {plan}",
            "output -json",
            f"state push {tmp_path / 'errored'}",
            f"destroy -json -auto-approve {flags}",
        )
    ]
