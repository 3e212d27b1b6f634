"""S3 Control on the embedded AWS, whose clients put the account before the host of its endpoint.

The AWS provider asks it for the tags of every bucket since 6.23, which cannot be had on the machine
that this was written on: botocore's client has the same rules, and so has 5.100's, for access
points. CI runs this file with 6.x (.github/workflows/ci.yml, provider-six).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from botocore.config import Config

from lambda_dyno.emulator import server
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.terraform import stand_in, toolchain
from lambda_dyno.terraform.command import Terraform
from tests.support import user_project
from tests.support.waiting import HANGS_S

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
# What the roots of this checkout ask for: CI's leg for 6.x has changed them.
RANGE = re.findall(
    r'"hashicorp/aws"\n\s+version = "(.+?)"', (PROJECT / "envs/local/main.tf").read_text()
)
ROOT = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

provider "aws" {
  s3_use_path_style = true
}

variable "color" { type = string }

resource "aws_s3_bucket" "this" {
  bucket = "s3-control-bucket"
  tags   = { color = var.color }
}

resource "aws_s3_access_point" "this" {
  bucket = aws_s3_bucket.this.bucket
  name   = "s3-control-point"
}

output "alias" { value = aws_s3_access_point.this.alias }
"""


def control(aws: server.LocalServer, account: str, **keys: str) -> Any:
    """Return a client of S3 Control as Terraform is told to have it."""
    told = stand_in.variables(aws.environment(account))
    config = Config(proxies={"http": told["HTTP_PROXY"]}, retries={"max_attempts": 0})
    where = told[stand_in.S3_CONTROL]
    return LocalSession(aws, account).client("s3control", endpoint_url=where, config=config, **keys)


def test_a_buckets_tags_are_read_and_written_by_it(
    embedded_aws: server.LocalServer, new_aws_account: Callable[[], str]
) -> None:
    """The host begins with the account, the proxy is asked for it, and the signature holds."""
    account = new_aws_account()
    s3 = LocalSession(embedded_aws, account).client("s3")
    tags = {"Tags": [{"Key": "made", "Value": "with it"}]}
    s3.create_bucket(Bucket=f"tagged-{account}", CreateBucketConfiguration=tags)
    client = control(embedded_aws, account)
    hosts: list[str] = []
    client.meta.events.register(
        "before-send.s3-control", lambda request, **_: hosts.append(request.url.split("/")[2])
    )
    of = {"AccountId": account, "ResourceArn": f"arn:aws:s3:::tagged-{account}"}
    assert client.list_tags_for_resource(**of)["Tags"] == tags["Tags"]
    client.tag_resource(**of, Tags=[{"Key": "color", "Value": "red"}])
    client.untag_resource(**of, TagKeys=["made"])
    found = s3.get_bucket_tagging(Bucket=f"tagged-{account}")["TagSet"]
    assert found == [{"Key": "color", "Value": "red"}]
    port = embedded_aws.endpoint.rpartition(":")[2]
    assert set(hosts) == {f"{account}.s3-control.dyno.invalid:{port}"}


def test_other_keys_and_other_hosts_are_refused(
    embedded_aws: server.LocalServer, new_aws_account: Callable[[], str]
) -> None:
    """The way there is no way around the guard, and no proxy to anywhere."""
    account = new_aws_account()
    others = {"aws_access_key_id": account, "aws_secret_access_key": "f" * 64}
    client = control(embedded_aws, account, **others)
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        client.list_tags_for_resource(AccountId=account, ResourceArn="arn:aws:s3:::none")
    program = "import sys, urllib.request as u; u.urlopen(sys.argv[1])"
    for address in ("http://example.invalid/", "http://169.254.169.254/latest/meta-data/"):
        asked = subprocess.run(
            [sys.executable, "-c", program, address],
            env={"http_proxy": embedded_aws.endpoint},
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        )
        assert "HTTP Error 403: " in asked.stderr, asked.stderr


@pytest.mark.slow
def test_terraform_reaches_it_whatever_proxy_is_set(
    embedded_aws: server.LocalServer,
    new_aws_account: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An access point by the provider itself; nothing is left to do then, and nothing stays."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    account = new_aws_account()
    (tmp_path / "main.tf").write_text(ROOT.replace("~> 5.100", RANGE[0]))
    environment = {"PATH": "/usr/bin:/bin", "NO_PROXY": "*", **embedded_aws.environment(account)}
    terraform = Terraform(tmp_path, toolchain.prepare(PROJECT / ".cache"), environment, tmp_path)
    assert terraform.reaches_s3_control
    colors = tmp_path / "color.auto.tfvars"
    colors.write_text('color = "red"\n')
    terraform.init()
    assert terraform.apply()["alias"]
    assert terraform.plan() == []
    colors.write_text('color = "blue"\n')
    terraform.apply()
    s3 = LocalSession(embedded_aws, account).client("s3")
    found = s3.get_bucket_tagging(Bucket="s3-control-bucket")["TagSet"]
    assert found == [{"Key": "color", "Value": "blue"}]
    assert terraform.plan() == []
    terraform.destroy()
    assert s3.list_buckets()["Buckets"] == []


@pytest.mark.slow
def test_a_root_with_a_provider_that_nobody_tried_is_told_so_and_goes_on(tmp_path: Path) -> None:
    """5.100's program under another number: the number is what is chosen by."""
    mirror = toolchain.find_mirror()
    if mirror is None:
        pytest.skip("there is no provider mirror here: CI runs 6.x itself")
    place = Path("registry.terraform.io/hashicorp/aws")
    (real,) = (mirror / place / "5.100.0").glob(f"{toolchain.platform_name()}/*_v5.100.0*")
    untried = tmp_path / "mirror" / place / "6.23.0" / toolchain.platform_name()
    untried.mkdir(parents=True)
    (untried / "terraform-provider-aws_v6.23.0_x5").symlink_to(real)
    project = user_project.write(tmp_path / "project")
    root = project / "envs" / "local" / "main.tf"
    text = root.read_text()
    root.write_text(text[text.index('variable "name_prefix"') :])
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "lambda_dyno", "plan"],
        cwd=project,
        env={**inherited, "TF_PLUGIN_MIRROR": str(tmp_path / "mirror")},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "create module.hello.aws_lambda_function.this" in done.stdout
    said = "envs/local: version 6.23.0 of the AWS provider was not tried on the embedded AWS"
    assert said in done.stderr
