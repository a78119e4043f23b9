"""Before and after a change: each set, all of them, and all but each one.

A choice that is good only because of one set shows in the line without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality.report import OURS, markdown, pooled
from benchmarks.quality.report_lists import SESSIONS
from benchmarks.quality.report_lists import pooled as lists_pooled

MEASURES = ("wape", "rmse", "pinball")
QUESTIONS = ("all", "new", *(f"session: {name}" for name in SESSIONS))


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Of forecasts lower is better, of lists higher; Markdown."""
    return "\n\n".join(
        text for text in (compare_forecasts(before, after), compare_lists(before, after)) if text
    )


def beside(others: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """A result of ours with the other methods of an earlier one, where both measured the same days.

    Other methods change with the data only, and take most of a run's time.
    """
    sets = {}
    for name, of in ours["sets"].items():
        parts, day = ("origins", "origin") if of["kind"] == "sales" else ("windows", "as_of")
        earlier = {one[day]: one["methods"] for one in others["sets"][name][parts]}
        merged = [
            one | {"methods": earlier[one[day]] | one["methods"]}
            for one in of[parts]
            if one[day] in earlier
        ]
        sets[name] = {**of, parts: merged}
    return {**ours, "sets": sets}


def compare_lists(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Relative change of NDCG@10, of the windows that both have."""
    lines, changes = [], {}
    for name, of in before["sets"].items():
        if of["kind"] == "lists" and name in after["sets"]:
            pair = _common(of, after["sets"][name], "windows", "as_of")
            if pair[0]["windows"]:
                old, new = (lists_pooled(one)[OURS] for one in pair)
                ratio = [np.log(max(new[one], 1e-9) / max(old[one], 1e-9)) for one in QUESTIONS]
                changes[name] = [float(value) for value in np.nan_to_num(ratio)]
                lines.append([name, *(_percent(value) for value in changes[name])])
    if not lines:
        return ""
    return markdown(["NDCG@10", *QUESTIONS], lines + _without_each(changes))


def _without_each(changes: Mapping[str, list[float]]) -> list[list[str]]:
    """The mean, and that without each set."""
    lines = [["**mean**", *_means(list(changes.values()))]]
    for left_out in changes:
        rest = [values for name, values in changes.items() if name != left_out]
        if rest:
            lines.append([f"without {left_out}", *_means(rest)])
    return lines


def compare_forecasts(
    before: Mapping[str, Any], after: Mapping[str, Any], method: str = OURS
) -> str:
    """Relative change of each measure, in percent; below 0 is better. Markdown.

    Only origins that both have count. The mean is that of the logarithms, so that +10 % and -9 %
    make nothing.
    """
    lines = []
    changes: dict[str, list[float]] = {}
    for name in before["sets"]:
        if name not in after["sets"] or before["sets"][name]["kind"] != "sales":
            continue
        pair = _common(before["sets"][name], after["sets"][name], "origins", "origin")
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
    if not lines:
        return ""
    rest = [[*line, "", ""] for line in _without_each(changes)]
    return markdown(["set", *MEASURES, "bias", "P10–P90"], lines + rest)


def _common(
    before: Mapping[str, Any], after: Mapping[str, Any], parts: str, day: str
) -> list[dict[str, Any]]:
    shared = {one[day] for one in before[parts]} & {one[day] for one in after[parts]}
    return [
        {**of, parts: [one for one in of[parts] if one[day] in shared]} for of in (before, after)
    ]


def _means(changes: Sequence[Sequence[float]]) -> list[str]:
    return [_percent(value) for value in np.mean(np.array(changes), axis=0)]


def _percent(log_ratio: float) -> str:
    return f"{np.expm1(log_ratio):+.1%}"
