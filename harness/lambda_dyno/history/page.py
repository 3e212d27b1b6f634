"""The trends page: one file with everything in it, that loads nothing and sends nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from lambda_dyno.core.errors import printable
from lambda_dyno.core.files import write_atomically
from lambda_dyno.history import commits
from lambda_dyno.history.series import METRICS, Change, Metric, Series

TEMPLATES = Path(__file__).parent / "templates"
_MOST_SERIES = 40
_MOST_RUNS = 2_000  # of a series, the newest
_SHA_CHARS = 9


def render(series: Sequence[Series], *, web: str, written: datetime, chosen: str = "") -> str:
    """Return the page.

    Args:
        series: The one with the newest run first.
        web: The repository's page, which `/commit/SHA` leads on from; empty: no links.
        written: Now, UTC.
        chosen: What was chosen of the history, in words.
    """
    # a branch with one run is no trend: those with the most runs are shown, the newest first
    most = sorted(series, key=lambda one: len(one.records), reverse=True)[:_MOST_SERIES]
    shown = [
        Series(one.key, one.records[-_MOST_RUNS:]) for one in series if any(one is x for x in most)
    ]
    changes = [
        _listed(change, at, one, web)
        for at, one in enumerate(shown)
        for change in sorted(one.changes, key=lambda x: x.after["started_at"], reverse=True)
    ]
    runs = sum(len(one.records) for one in shown)
    left = len(series) - len(shown)
    uplot, script = _text("uplot/uPlot.iife.min.js"), _text("trends.js")
    content = {"web": web, "series": [_data(one) for one in shown]}
    return (
        _environment()
        .get_template("trends.html.j2")
        .render(
            script_hashes=_ours(" ".join(map(_hash, (uplot, script)))),
            css=_ours(_text("uplot/uPlot.min.css") + _text("trends.css")),
            counts=f"{runs:,} run{'s' if runs != 1 else ''}",
            written=f"{written:%Y-%m-%d %H:%M} UTC",
            chosen=printable(chosen),
            headline=_headline(shown),
            names=[_name(one) for one in shown],
            changes=changes,
            metrics=METRICS,
            left_out=f"{left:,} trends with fewer runs are left out." if left else "",
            data=_ours(_as_json(content)),
            uplot=_ours(uplot),
            script=_ours(script),
            licence=_ours(_text("uplot/LICENSE").strip()),
        )
    )


def write(place: Path, found: Sequence[Series], project: Path, chosen: str = "") -> Path:
    """Write the trends page into the folder of a history, and return its path.

    Args:
        place: The folder.
        found: What it shows.
        project: The working tree, whose remote has the commits.
        chosen: What was chosen of the history, in words.

    Raises:
        OSError: It cannot be written.
    """
    path = place / "trends.html"
    now = datetime.now(UTC)
    text = render(found, web=commits.web_address(project), written=now, chosen=chosen)
    write_atomically(path, text)
    return path


def _headline(shown: Sequence[Series]) -> str:
    newest = shown[0] if shown else None
    if newest is None:
        return "No run has figures yet."
    last = max(newest.changes, key=lambda change: change.after["started_at"], default=None)
    what = f"{printable(newest.key.function_name)} on {printable(newest.key.place)}"
    count = len(newest.records)
    if last is None:
        runs = f"{count:,} run{'s' if count != 1 else ''}"
        return f"{what}: no change shown in {runs}{newest.doubt}."
    return f"{what}: {last.metric.title.lower()} {last.words} since {_commit(last)}{last.doubt}."


def _name(one: Series) -> str:
    key = one.key
    branch = f" · {key.branch}" if key.branch else ""
    return printable(f"{key.function_name} · {key.place}{branch} · {len(one.records):,} runs")


def _commit(change: Change) -> str:
    sha = str(change.after["git_sha"])[:_SHA_CHARS]
    if not sha:
        return "changes that are not committed"
    return f"commit {sha}{' with changes' if change.after['is_dirty'] else ''}"


def _listed(change: Change, at: int, one: Series, web: str) -> dict[str, Any]:
    """Return a change for the list, with its link."""
    sha = str(change.after["git_sha"])
    return {
        "series": at,
        "name": f"in {printable(one.key.function_name)} on {printable(one.key.place)}",
        "metric": change.metric.title,
        "words": change.words,
        "commit": _commit(change),
        "sha": sha[:_SHA_CHARS],
        "url": f"{web}/commit/{sha}" if web and sha else "",
        "run_id": change.after["run_id"],
        "doubt": change.doubt,
        "date": f"{change.after['started_at']:%Y-%m-%d}",
        "before": str(change.before["git_sha"])[:_SHA_CHARS],
    }


def _data(one: Series) -> dict[str, Any]:
    records = one.records
    return {
        "runs": {
            "id": [record["run_id"] for record in records],
            "began": [f"{record['started_at']:%Y-%m-%d %H:%M}" for record in records],
            "sha": [record["git_sha"] for record in records],
            "dirty": [int(record["is_dirty"]) for record in records],
            "memory": [record["memory_mb"] for record in records],
        },
        "metrics": [_metric(one, metric) for metric in METRICS],
    }


def _metric(one: Series, metric: Metric) -> dict[str, Any]:
    limit = one.limit(metric)
    position = {id(record): at for at, record in enumerate(one.records)}
    return {
        "title": metric.title,
        "unit": metric.unit,
        "values": [_shown(metric.value(record), metric) for record in one.records],
        "limit": _shown(limit, metric),
        "limit_is_of": one.limit_is_of,
        "changes": [
            {
                "at": position[id(change.after)],
                "ratio": change.found.ratio,
                "short": f"{change.words.partition(' (')[0]}",
            }
            for change in one.changes
            if change.metric is metric
        ],
    }


def _shown(value: float | None, metric: Metric) -> float | None:
    """Return a value in the unit that is shown, with five digits: there are many."""
    if value is None:
        return None
    scaled = value * metric.scale
    digits = 4 - math.floor(math.log10(abs(scaled))) if scaled else 0
    return round(scaled, digits)


def _as_json(content: Any) -> str:
    """Return JSON that no HTML can begin or end in."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # names come from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def _ours(text: str) -> Markup:
    """Return what is not escaped: files of this package, hashes, JSON without brackets."""
    return Markup(text)  # noqa: S704


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
