"""Before and after a change: each set, all of them, and all but each one.

A choice that is good only because of one set shows in the line without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality.report import OURS, pooled

MEASURES = ("wape", "rmse", "pinball")


def compare(before: Mapping[str, Any], after: Mapping[str, Any], method: str = OURS) -> str:
    """Relative change of each measure, in percent; below 0 is better. Markdown.

    Only origins that both have count. The mean is that of the logarithms, so that +10 % and -9 %
    make nothing.
    """
    lines = []
    changes: dict[str, list[float]] = {}
    for name in before["sets"]:
        if name not in after["sets"]:
            continue
        pair = _common(before["sets"][name], after["sets"][name])
        if not pair[0]["origins"]:
            continue
        old, new = (pooled(one)[method] for one in pair)
        changes[name] = [float(np.log(new[one] / old[one])) for one in MEASURES]
        lines.append(
            [
                name,
                *(_percent(value) for value in changes[name]),
                f"{old['bias']:+.1%} → {new['bias']:+.1%}",
                f"{old['coverage']:.1%} → {new['coverage']:.1%}",
            ]
        )
    lines.append(["**mean**", *_means(list(changes.values())), "", ""])
    for left_out in changes:
        rest = [values for name, values in changes.items() if name != left_out]
        if rest:
            lines.append([f"without {left_out}", *_means(rest), "", ""])
    head = ["set", *MEASURES, "bias", "P10–P90"]
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def _common(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    shared = {one["origin"] for one in before["origins"]} & {
        one["origin"] for one in after["origins"]
    }
    return [
        {**of, "origins": [one for one in of["origins"] if one["origin"] in shared]}
        for of in (before, after)
    ]


def _means(changes: Sequence[Sequence[float]]) -> list[str]:
    return [_percent(value) for value in np.mean(np.array(changes), axis=0)]


def _percent(log_ratio: float) -> str:
    return f"{np.expm1(log_ratio):+.1%}"
