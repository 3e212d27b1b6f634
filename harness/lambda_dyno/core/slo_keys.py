"""What a limit of `[slo]` is a limit of: the one declaration that gate, report and plugin share.

A field of `core.config.SloSettings` carries a `SloKey`; `gates.slo` has the judge of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Evidence = Literal["load", "tuning"]


@dataclass(frozen=True, slots=True)
class SloKey:
    """What a limit of `[slo]` is a limit of.

    Attributes:
        title: Of its check in reports, such as "Latency p95".
        unit: Of limit and measured value; "ratio" is a share of 1, shown in per cent.
        needs: The measurement that it is judged by. Where there is only another one, as after a
            deployment, which is not tuned, it is no question.
        brief: Format of the limit for a line with all of them, such as "p95 {:g} ms".
        quantile: Of a latency limit, such as 0.95; None limits something else.
    """

    title: str
    unit: Literal["ms", "USD", "ratio"]
    needs: Evidence
    brief: str
    quantile: float | None = None
