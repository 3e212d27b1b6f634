"""What many replays come to: rows for each policy, strategy and set of curves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from tools.tuner_bench.replay import NAMES, Replayed

_WITHIN = 0.05


def summarise(found: Sequence[Replayed]) -> list[dict[str, Any]]:
    """Return a row for each policy, strategy and set of curves that something was replayed of."""
    rows = []
    for strategy in dict.fromkeys(one.strategy for one in found):
        for curves in ("all", "plausible"):
            for name in NAMES:
                mine = [
                    one
                    for one in found
                    if (one.policy, one.strategy) == (name, strategy)
                    and (curves == "all" or one.plausible)
                ]
                if mine:
                    rows.append(
                        {"name": name, "strategy": strategy, "curves": curves, **_row(mine)}
                    )
    return rows


def _row(mine: Sequence[Replayed]) -> dict[str, Any]:
    """Return figures of at least one replay; of a limit, regret is of choices that keep it."""
    limited = mine[0].limit_ms is not None
    kept = [one for one in mine if one.keeps and one.possible] or mine
    regrets = sorted(one.regret for one in kept)
    said = [one for one in kept if one.proven] if limited else mine
    stated = [(one.stated, one.regret) for one in said if one.stated is not None]
    true = [regret <= most + 1e-9 for most, regret in stated]
    return {
        "replays": len(mine),
        "regret": {
            "mean": round(fmean(regrets), 4),
            "median": round(median(regrets), 4),
            "p90": round(regrets[min(len(regrets) - 1, int(0.9 * len(regrets)))], 4),
        },
        "within_5_percent": round(fmean(regret <= _WITHIN for regret in regrets), 4),
        "invocations": round(fmean(one.invocations for one in mine), 1),
        "units": round(fmean(one.units for one in mine), 1),
        "sizes": round(fmean(one.sizes for one in mine), 2),
        "rounds": round(fmean(one.rounds for one in mine), 2),
        "usd": median(one.usd for one in mine),
        "coverage": round(fmean(true), 4) if true else None,
        "stated_percent_median": round(100 * median(most for most, _ in stated), 1)
        if stated
        else None,
        **(_of_limit(mine) if limited else {}),
    }


def _of_limit(mine: Sequence[Replayed]) -> dict[str, Any]:
    possible = [one for one in mine if one.possible]
    proven = [one for one in mine if one.proven]
    return {
        "limit": {
            "kept": round(fmean(one.keeps for one in possible), 4) if possible else None,
            "proven": round(fmean(one.proven for one in possible), 4) if possible else None,
            "proven_true": round(fmean(one.keeps for one in proven), 4) if proven else None,
        }
    }


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a table for people."""
    head = (
        f"{'policy':<11}{'mean':>6}{'median':>8}{'p90':>7}{'in 5 %':>8}{'calls':>7}{'units':>7}"
        f"{'sizes':>7}{'rounds':>8}{'USD':>9}{'true':>7}{'states':>8}"
    )
    lines: list[str] = []
    group = None
    for row in rows:
        if group != (row["strategy"], row["curves"]):
            group = (row["strategy"], row["curves"])
            lines += ["", f"{row['strategy']}, {row['curves']} curves (regret: 0.05 is 5 %)", head]
        regret = row["regret"]
        true = "" if row["coverage"] is None else f"{row['coverage']:.3f}"
        states = "" if row["coverage"] is None else f"{row['stated_percent_median']:.1f} %"
        lines.append(
            f"{row['name']:<11}{regret['mean']:>6.3f}{regret['median']:>8.3f}{regret['p90']:>7.3f}"
            f"{row['within_5_percent']:>8.3f}{row['invocations']:>7.1f}{row['units']:>7.1f}"
            f"{row['sizes']:>7.2f}{row['rounds']:>8.2f}{row['usd']:>9.2g}{true:>7}{states:>8}"
            f"{_limit_text(row.get('limit'))}"
        )
    return "\n".join(lines).strip()


def _limit_text(found: dict[str, Any] | None) -> str:
    """Return what became of a limit, where some size keeps it; of none, nothing."""
    if found is None:
        return ""
    kept, proven, true = (
        "-" if found[key] is None else f"{found[key]:.3f}"
        for key in ("kept", "proven", "proven_true")
    )
    return f"   keeps it {kept}, proven {proven}, of these true {true}"
