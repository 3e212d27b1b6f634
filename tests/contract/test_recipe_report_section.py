"""docs/recipes/report-section.md, followed to the letter: one new file, shown in four places."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lambda_dyno
from tests.support import report_samples as samples

pytestmark = pytest.mark.contract

PACKAGE = Path(lambda_dyno.__file__).parent
RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "report-section.md"

SHOW = """
import io, json, sys
from pathlib import Path
from rich.console import Console
from lambda_dyno.runs import result_store
from lambda_dyno.report import console
from lambda_dyno.artefacts import render
from lambda_dyno.review.comment import compose
from lambda_dyno.review.comment_parts import CODECOMMIT, Review

folder = Path(sys.argv[1])
run = result_store.parse(json.loads((folder / "given.json").read_text()))
report = render.render(run, folder)
out = io.StringIO()
console.print_summary(run, Console(file=out, width=200), report.html)
comment = compose(Review(run), CODECOMMIT).text
print(json.dumps([report.html.read_text(), report.markdown.read_text(), out.getvalue(), comment]))
"""


def test_the_recipe_adds_a_section_to_all_outputs(tmp_path: Path) -> None:
    """Page, Markdown, terminal and comment show it in its place; nothing else was changed."""
    (code,) = re.findall(r"```python\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    (path,) = re.findall(r"one file, `harness/(.*?)`", RECIPE.read_text(encoding="utf-8"))
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "lambda_dyno", ignore=ignore)
    assert not (tmp_path / path).exists()
    (tmp_path / path).write_text(code, encoding="utf-8")
    run = samples.run(tuning=samples.many_sizes())
    (tmp_path / "given.json").write_text(json.dumps(run.to_json()), encoding="utf-8")
    command = [sys.executable, "-c", SHOW, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page, markdown, terminal, comment = json.loads(done.stdout)
    order = [page.index(f'id="{key}"') for key in ("memory", "failures", "load")]
    assert order == sorted(order)
    assert "## Failed invocations\n" in markdown
    assert "| 128 | Runtime.ExitError | 5 |" in markdown
    assert "Errors by memory size" in terminal
    assert "### Failed invocations\n" in comment
    assert "| 128 | Runtime.ExitError | 5 |" in comment
