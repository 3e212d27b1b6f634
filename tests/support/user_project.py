"""A repository of somebody else: the README's ten-line gate, a module of its own, a function."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil

PROJECT = Path(__file__).parents[2]
SECTION = "## A gate for your own function in ten lines"

FUNCTION = """\
def handler(event, context):
    return {"sum": sum(number * number for number in range(event["n"]))}
"""

MODULE = """\
variable "name" { type = string }
variable "package" { type = object({ path = string, sha256_base64 = string }) }

resource "aws_iam_role" "this" {
  name = var.name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_lambda_function" "this" {
  function_name    = var.name
  role             = aws_iam_role.this.arn
  runtime          = "python3.13"
  handler          = "app.handler"
  memory_size      = 512
  timeout          = 30
  filename         = var.package.path
  source_code_hash = var.package.sha256_base64
}

output "arn" { value = aws_lambda_function.this.arn }
"""


def readme_blocks() -> dict[str, str]:
    """Return the files that the README's section shows, by their names."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8").split(SECTION)[1].split("\n## ")[0]
    found = re.findall(r"^`([\w./-]+)`[^\n]*\n\n```\w+\n(.*?)```$", text, re.M | re.S)
    return dict(found)


def write(folder: Path) -> Path:
    """Write the repository and return its folder."""
    files = {
        **readme_blocks(),
        "lambda/hello/app.py": FUNCTION,
        "modules/hello/main.tf": MODULE,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def start(
    folder: Path, *arguments: str, python: str = sys.executable, **variables: str
) -> subprocess.Popen[str]:
    """Start pytest in a repository, with nothing of this one in its environment.

    Args:
        folder: The repository.
        arguments: Of pytest.
        python: Which has the package; this one has this checkout.
        variables: To set.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_")) and name != "PYTHONPATH"
    }
    environment = inherited | {"COLUMNS": "200"} | variables
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def leases(folder: Path) -> list[dict[str, object]]:
    """Return the leases of all runs, oldest first."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "runs").glob("*/lease.json"))
    ]


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a repository."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        text = " ".join(process.info["cmdline"] or [])
        if str(folder) in text or str(process.info["cwd"] or "").startswith(str(folder)):
            found.append(text)
    return found
