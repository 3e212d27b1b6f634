"""The figures of `make bench-gate` as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lambda_dyno.core import formatting
from lambda_dyno.report.tables import Cell, Column, Row, Table
from tools.gate_simulation.gate import REGRESSION, STEPS, Share, Tally, Target
from tools.gate_simulation.noise import NO_EFFECT, Effect
from tools.gate_simulation.widths import Widths

# What a row of the first table is called: the gate, and how the load was made.
_GATES = {
    ("one load test", "slo"): ("SLO gate", "one load test, one set of sandboxes"),
    ("one load test, new sandboxes", "slo"): ("SLO gate", "one load test, new sandboxes per turn"),
    ("two load tests", "naive"): ("naive rule", "one load test after the other"),
    ("interleaved", "naive"): ("naive rule", "interleaved, new sandboxes per turn"),
    ("same sandboxes", "regression"): ("regression gate", "interleaved, one set of sandboxes"),
    ("interleaved", "regression"): ("regression gate", "interleaved, new sandboxes per turn"),
}
_DRIFT = {
    ("one after the other, restless", "naive"): ("naive rule", "one after the other"),
    ("interleaved, restless", "naive"): ("naive rule", "interleaved"),
    ("one after the other, restless", "regression"): ("regression gate", "one after the other"),
    ("interleaved, restless", "regression"): ("regression gate", "interleaved"),
}
_OTHERS = {
    "interleaved": "default profile on AWS",
    "interleaved, other changes": "default profile on AWS",
    "interleaved, s3writes": "all noise between sandboxes",
    "interleaved, restless": "restless machine",
    "interleaved, local profile, restless": "restless machine, local profile",
}
_KINDS = {
    "all": "every request {} slower",
    "some": "one request in seven slower, p95 {} higher",
    "slowest": "what was above p90 {} slower",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a simulation found."""

    tallies: Sequence[Tally]
    widths: Widths
    targets: Sequence[Target]
    runs: int
    seed: int
    elapsed_s: float

    def find(self, case: str, judge: str, effect: Effect = NO_EFFECT) -> Tally:
        """Return one tally."""
        wanted = (case, judge, effect)
        return next(t for t in self.tallies if (t.case, t.judge, t.effect) == wanted)

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain types; an infinite width is None."""
        return {
            "runs": self.runs,
            "seed": self.seed,
            "elapsed_s": self.elapsed_s,
            "targets": [
                {
                    "target": target.text,
                    "share": target.share.value,
                    "interval95": target.share.interval,
                    "outcome": target.outcome,
                }
                for target in self.targets
            ],
            "verdicts": [tally.to_json() for tally in self.tallies],
            "latency_widths": [
                {
                    "requests": width.requests,
                    "halves": {
                        f"p{q * 100:g}": half if math.isfinite(half) else None
                        for q, half in width.halves.items()
                    },
                }
                for width in self.widths.latencies
            ],
            "ratio_widths": [
                {
                    key: value if math.isfinite(value) else None
                    for key, value in asdict(width).items()
                }
                for width in self.widths.ratios
            ],
        }


# --- tables ---------------------------------------------------------------------------------


def tables(report: Report) -> dict[str, Table]:
    """Return all tables by the name of their place in docs/gates.md."""
    return {
        "errors": _verdicts(
            "How often each gate is wrong, and how often right", report, _GATES, requests=True
        ),
        "drift": _verdicts("The same on a machine that drifts and has bursts", report, _DRIFT),
        "kinds": _kinds(report),
        "pairs": _pairs(report),
        "requests": _requests(report),
    }


def _verdicts(
    caption: str,
    report: Report,
    names: dict[tuple[str, str], tuple[str, str]],
    *,
    requests: bool = False,
) -> Table:
    """Return a table with a row for every way to judge."""
    columns = [Column("Gate", numeric=False), Column("Load", numeric=False), Column("False alarms")]
    columns += [Column(f"Finds {_plus(effect)}") for effect in STEPS if effect.size]
    columns += [Column("Undecided, unchanged"), Column(f"Undecided, {_plus(REGRESSION)}")]
    if requests:
        columns += [Column("Requests")]
    rows = []
    for (case, judge), words in names.items():
        same, worse = report.find(case, judge), report.find(case, judge, REGRESSION)
        cells = [*words, with_interval(same.share("fail"))]
        cells += [
            _found(report.find(case, judge, effect), looks=judge == "regression")
            for effect in STEPS
            if effect.size
        ]
        cells += [_percent(tally.share("inconclusive")) for tally in (same, worse)]
        cells += [_count(same)] if requests else []
        rows.append(_row(cells))
    return Table(caption, tuple(columns), tuple(rows))


def _kinds(report: Report) -> Table:
    """Return a table of the regression gate on other regressions, noises and loads."""
    columns = ("Load", "Change", "Fails", "Passes", "Undecided", "Requests")
    of_load: dict[str, list[Tally]] = {}
    for tally in report.tallies:
        if tally.case in _OTHERS and tally.judge == "regression":
            of_load.setdefault(_OTHERS[tally.case], []).append(tally)
    rows = []
    for load in dict.fromkeys(_OTHERS.values()):
        for tally in sorted(of_load[load], key=lambda t: (_order(t.effect), t.effect.size)):
            shares = [_percent(tally.share(o)) for o in ("fail", "pass", "inconclusive")]
            rows.append(_row([load, _change(tally.effect), *shares, _count(tally)]))
    return Table(
        "The regression gate on other changes, noises and loads",
        tuple(Column(title, numeric=number > 1) for number, title in enumerate(columns)),
        tuple(rows),
    )


def _plus(effect: Effect) -> str:
    return f"+{formatting.percent(effect.size)}".replace(" ", "\N{NO-BREAK SPACE}")


def _order(effect: Effect) -> int:
    return ["some", "all", "slowest"].index(effect.kind) if effect.size else -1


def _change(effect: Effect) -> str:
    if not effect.size:
        return "nothing"
    return _KINDS[effect.kind].format(formatting.percent(effect.size))


def _pairs(report: Report) -> Table:
    titles = (
        "Pairs of blocks",
        "Requests on AWS",
        "Ratio known to",
        "In 9 of 10 runs to",
        "Passes unchanged",
        f"Finds {_plus(REGRESSION)}",
    )
    rows = [
        _row(
            [
                formatting.integer(width.pairs),
                formatting.integer(width.requests),
                _half(width.half),
                _half(width.half_p90),
                formatting.percent(width.passed),
                formatting.percent(width.found),
            ]
        )
        for width in report.widths.ratios
    ]
    return Table(
        "Regression gate: pairs of blocks, and what one look at them tells",
        tuple(map(Column, titles)),
        tuple(rows),
    )


def _requests(report: Report) -> Table:
    shares = list(report.widths.latencies[0].halves)
    rows = [
        _row(
            [formatting.integer(width.requests)] + [_half(width.halves[share]) for share in shares]
        )
        for width in report.widths.latencies
    ]
    columns = [Column("Requests"), *(Column(f"p{share * 100:g} to") for share in shares)]
    return Table("One load test: requests, and how well they tell", tuple(columns), tuple(rows))


def _row(texts: Iterable[str]) -> Row:
    return Row(tuple(Cell(text) for text in texts))


def _percent(share: Share) -> str:
    return formatting.percent(share.value)


def with_interval(share: Share) -> str:
    """Return a share and, in brackets, its 95 % interval."""
    low, high = (formatting.percent(end) for end in share.interval)
    return f"{_percent(share)} ({low.removesuffix(' %')} to {high})"


def _found(tally: Tally, *, looks: bool) -> str:
    """Return how often a change was found; for a gate with looks, at the first and in the end."""
    text = _percent(tally.share("fail"))
    if looks and tally.first("fail") != tally.share("fail"):
        text = f"{_percent(tally.first('fail'))}, then {text}"
    return text


def _count(tally: Tally) -> str:
    typical, most = tally.requests(0.5), tally.requests(0.9)
    text = formatting.integer(typical)
    return text if most < 1.5 * typical else f"{text} (9 in 10: {formatting.integer(most)})"


def _half(half: float) -> str:
    return "not at all" if math.isinf(half) else f"± {formatting.percent(half)}"


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [
        "| " + " | ".join(column.title for column in table.columns) + " |",
        "|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|",
    ]
    lines += ["| " + " | ".join(cell.text for cell in row.cells) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"
