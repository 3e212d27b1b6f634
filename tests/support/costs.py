"""What each test costs: `pytest -p tests.support.costs --costs FILE`.

A line of JSON for each phase of each test: seconds on the clock, and seconds of processor time of
this process and all below it. On a busy machine only the latter say what a test costs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", metavar="FILE", help="append what each test costs to FILE")


def _processor_seconds() -> float:
    """Of this process, the children that ended, and those that still run."""
    spent = sum(os.times()[:4])
    for process in _children():
        try:
            spent += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return spent


def _children() -> list[psutil.Process]:
    """Return all that this process started; psutil reads all processes of the machine for that.

    Most tests start none, which Linux tells at once.
    """
    try:
        tasks = [Path(task, "children").read_text() for task in Path("/proc/self/task").iterdir()]
    except OSError:
        tasks = ["unknown"]
    return psutil.Process().children(recursive=True) if any(tasks) else []


def _measured(item: pytest.Item, phase: str) -> Generator[None, object, object]:
    path = item.config.getoption("costs")
    began, spent = time.monotonic(), _processor_seconds()
    try:
        return (yield)
    finally:
        if path:
            figures = {
                "test": item.nodeid,
                "phase": phase,
                "seconds": round(time.monotonic() - began, 3),
                "processor_seconds": round(_processor_seconds() - spent, 3),
                "slow": bool(item.get_closest_marker("slow")),
            }
            with open(path, "a", encoding="utf-8") as costs:
                costs.write(json.dumps(figures) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _measured(item, "setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _measured(item, "call"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _measured(item, "teardown"))
