"""What is there, found out without any of the harness's own code."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import boto3
import psutil

# Files that nobody was to leave half written, or that say that somebody holds something.
_DRAFTS = re.compile(r"\.part(\.jsonl)?$|\.new$|^\..+\.\d+$|lock\.info$|^errored\.tfstate$")
_LOCKS = re.compile(r"(^|\.)lock$")


def account(session: boto3.Session, endpoint: str, function: str | None) -> dict[str, Any]:
    """Return everything that an account has, as far as environments can make it.

    Args:
        session: Of the account.
        endpoint: Where it is.
        function: A function that was there before; its own state is part of the answer.
    """

    def client(name: str) -> Any:
        return session.client(name, endpoint_url=endpoint)

    def names(service: str, operation: str, rows: str, key: str | None) -> list[str]:
        pages = client(service).get_paginator(operation).paginate()
        found = [row for page in pages for row in page.get(rows, ())]
        return sorted(row[key] if key else row for row in found)

    s3 = client("s3")
    buckets = sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])
    there: dict[str, Any] = {
        "functions": names("lambda", "list_functions", "Functions", "FunctionName"),
        "roles": names("iam", "list_roles", "Roles", "RoleName"),
        "tables": names("dynamodb", "list_tables", "TableNames", None),
        "apis": names("apigateway", "get_rest_apis", "items", "name"),
        "machines": names("stepfunctions", "list_state_machines", "stateMachines", "name"),
        "rules": names("events", "list_rules", "Rules", "Name"),
        # a function that stays makes its own log group
        "logs": [
            name
            for name in names("logs", "describe_log_groups", "logGroups", "logGroupName")
            if name != f"/aws/lambda/{function}"
        ],
        "buckets": buckets,
        "objects": {
            name: [row["Key"] for row in s3.list_objects_v2(Bucket=name).get("Contents", ())]
            for name in buckets
        },
    }
    if function:
        functions = client("lambda")
        there["function"] = {
            "memory_mb": functions.get_function_configuration(FunctionName=function)["MemorySize"],
            "versions": [
                row["Version"]
                for row in functions.list_versions_by_function(FunctionName=function)["Versions"]
            ],
            "aliases": [
                row["Name"] for row in functions.list_aliases(FunctionName=function)["Aliases"]
            ],
        }
    return there


def processes(*folders: Path) -> list[str]:
    """Return the processes that work in one of the folders, or were told of it."""
    words = [str(folder) for folder in folders]
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        texts = []
        for ask in (process.cmdline, process.cwd, process.environ):
            try:
                texts.append(str(ask()))
            except (psutil.Error, OSError):
                continue
        if any(word in text for word in words for text in texts):
            found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
    return found


def temp(folder: Path) -> list[str]:
    """Return what is in a folder of temporary files."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def files(project: Path) -> list[str]:
    """Return drafts, locks that are held and servers' temporary folders below a project."""
    found = []
    for path in project.rglob("*"):
        if path.is_symlink() or "node_modules" in path.parts or ".terraform" in path.parts:
            continue
        name = path.relative_to(project).as_posix()
        if path.is_dir():
            if name.endswith("local/tmp"):
                found.append(f"{name}/")
        elif _DRAFTS.search(path.name):
            found.append(name)
        elif _LOCKS.search(path.name) and _is_held(path):
            found.append(f"{name} is held")
    return found


def leases(project: Path) -> dict[str, str]:
    """Return the state of each run's environment."""
    states = {}
    for folder in sorted((project / "runs").glob("[0-9]*")):
        try:
            states[folder.name] = json.loads((folder / "lease.json").read_text())["state"]
        except FileNotFoundError:
            names = sorted(
                path.name for path in folder.iterdir() if not path.name.startswith("reserve")
            )
            states[folder.name] = f"no lease, but {names}"
        except ValueError:
            states[folder.name] = "unreadable"
    return states


def measurements(project: Path) -> dict[str, Any]:
    """Return what the runs have measured, with a hash of every latency file that they name."""
    found: dict[str, Any] = {}
    for path in sorted((project / "runs").glob("*/result.json")):
        content = json.loads(path.read_text())
        if content["tuning"]:
            found[f"{path.parent.name} tuning"] = content["tuning"]
        for load in content["load"]:
            samples = path.parent / load["samples_path"]
            digest = hashlib.sha256(samples.read_bytes()).hexdigest() if samples.is_file() else ""
            found[f"{path.parent.name} load {load['label']}"] = (load, digest)
    return found


def _is_held(path: Path) -> bool:
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
