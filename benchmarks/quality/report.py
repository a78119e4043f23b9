"""The tables, as Markdown: ranks over all data sets, each set by itself, each origin by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.quality.measures import Sums, added, of_json
from benchmarks.quality.naives import NAIVES

OURS, TREES, BASELINE, TRUTH = "daybreak", "daybreak_trees", "daybreak_baseline", "truth"
MEASURES = {"wape": "WAPE of P50", "rmse": "RMSE of the mean", "pinball": "pinball"}
NEITHER = (BASELINE, TRUTH)
"""Not ranked: a part of ours, and what cannot be beaten."""
HOLDS, HOLDS_EACH = (0.75, 0.85), (0.65, 0.92)
"""Share of days that P10 to P90 should hold: of a data set, of a single origin."""
UNKNOWABLE = 0.2
"""Where totals of the past miss each other by more, the bias of one origin says little."""

Found = Mapping[str, Any]


def pooled(of: Found) -> dict[str, dict[str, float]]:
    """Method to measures over all origins of a set; of methods that answered at each of them."""
    origins = of["origins"]
    names = [name for name in origins[0]["methods"] if all(name in o["methods"] for o in origins)]
    return {name: added(_sums(origins, name)).measures() for name in names}


def _sums(origins: Iterable[Found], name: str) -> list[Sums]:
    return [of_json(one["methods"][name]["sums"]) for one in origins]


def ranks(sets: Mapping[str, Found], ours: str = OURS) -> dict[str, dict[str, float]]:
    """Measure to method to mean rank over the sets, 1 is best; equals share a rank.

    Of ours only ``ours`` takes part. A method is ranked where it has the measure.
    """
    return {
        measure: mean_ranks(
            {name: one[measure] for name, one in pooled(of).items() if _takes_part(name, ours)}
            for of in sets.values()
        )
        for measure in MEASURES
    }


def mean_ranks(sets: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Method to its mean rank over the sets that have a value of it; the least has rank 1."""
    found: dict[str, list[float]] = {}
    for values in sets:
        known = {name: value for name, value in values.items() if not np.isnan(value)}
        for name, rank in zip(known, stats.rankdata(list(known.values())), strict=True):
            found.setdefault(name, []).append(float(rank))
    return {name: float(np.mean(several)) for name, several in found.items()}


def _takes_part(name: str, ours: str) -> bool:
    return name == ours or (name not in (OURS, TREES) and name not in NEITHER)


def best(measured: Mapping[str, Found], measure: str, names: Iterable[str]) -> tuple[str, float]:
    """Of some methods the one that does best, and its value; ("", NaN) where there is none."""
    values = {
        name: measured[name][measure]
        for name in names
        if name in measured and not np.isnan(measured[name][measure])
    }
    if not values:
        return "", float("nan")
    name = min(values, key=lambda one: values[one])
    return name, values[name]


def forecast_tables(sets: Mapping[str, Found]) -> str:
    """All tables of the forecast."""
    if not sets:
        return "No data set with sales was measured."
    parts = [_rank_table(sets), _set_table(sets), _origin_table(sets)]
    return "\n\n".join(parts)


def _rank_table(sets: Mapping[str, Found]) -> str:
    in_force, trees = ranks(sets), ranks(sets, TREES)
    complete = len([of for of in sets.values() if TREES in pooled(of)])
    names = sorted(in_force["wape"], key=lambda name: in_force["wape"][name])
    lines = [
        [
            f"**{name}**" if name == OURS else name,
            *(_number(in_force[measure].get(name), 2) for measure in MEASURES),
            *(_worst(sets, name, measure) for measure in MEASURES),
            _seconds(sets, name),
        ]
        for name in names
    ]
    alone = [_number(trees[measure].get(TREES), 2) for measure in MEASURES]
    worst = [_worst(sets, TREES, measure) for measure in MEASURES]
    lines.append([f"({TREES}, {complete} sets)", *alone, *worst, _seconds(sets, TREES)])
    head = [
        f"mean rank of {len(sets)} sets",
        *MEASURES.values(),
        *(f"worst {name}" for name in ("WAPE", "RMSE", "pinball")),
        "s an origin",
    ]
    return markdown(head, lines)


def _worst(sets: Mapping[str, Found], name: str, measure: str) -> str:
    """The set on which a method is furthest above the best simple one."""
    gaps = {}
    for title, of in sets.items():
        measured = pooled(of)
        simple = best(measured, measure, (one for one in NAIVES if one != name))[1]
        if name in measured and simple > 0 and not np.isnan(measured[name][measure]):
            gaps[title] = measured[name][measure] / simple - 1
    if not gaps:
        return ""
    title = max(gaps, key=lambda one: gaps[one])
    return f"{gaps[title]:+.1%} ({title})"


def _seconds(sets: Mapping[str, Found], name: str) -> str:
    found = [
        origin["methods"][name]["about"]["seconds"]
        for of in sets.values()
        for origin in of["origins"]
        if name in origin["methods"]
    ]
    return f"{np.mean(found):.1f}" if found else ""


def _set_table(sets: Mapping[str, Found]) -> str:
    head = [
        "data set",
        "series × origins",
        *(f"{title}: ours" for title in ("WAPE", "RMSE", "pinball")),
        "best simple WAPE",
        "best other WAPE",
        "RMSE / best simple, other",
        "pinball / best simple, other",
        "floor WAPE",
        "bias",
        "P10–P90",
        "promotion effect",
        "gate passed",
    ]
    return markdown(head, [_set_line(name, of) for name, of in sets.items()])


def _set_line(title: str, of: Found) -> list[str]:
    measured, origins = pooled(of), of["origins"]
    ours = measured[OURS]
    others = [name for name in measured if _takes_part(name, "") and name not in NAIVES]
    best_simple, best_other = (best(measured, "wape", names) for names in (NAIVES, others))
    ratios = [
        " ".join(
            _ratio(ours[measure], best(measured, measure, names)) for names in (NAIVES, others)
        )
        for measure in ("rmse", "pinball")
    ]
    floor = measured[TRUTH]["wape"] if TRUTH in measured else None
    effects = [o["methods"][OURS].get("promotion") for o in origins]
    known = [one for one in effects if one is not None]
    passed = sum(o["methods"][OURS]["about"]["passed"] for o in origins)
    return [
        title,
        f"{origins[-1]['series']} × {len(origins)}",
        *(_number(ours[measure]) for measure in MEASURES),
        f"{_number(best_simple[1])} {best_simple[0]}",
        f"{_number(best_other[1])} {best_other[0]}",
        *ratios,
        "" if floor is None else f"{_number(floor)} ({ours['wape'] / floor - 1:+.1%})",
        f"{ours['bias']:+.1%}",
        _coverage(ours, HOLDS),
        f"{np.mean(known):+.0%}" if known else "",
        f"{passed} of {len(origins)}",
    ]


def _origin_table(sets: Mapping[str, Found]) -> str:
    head = [
        "origin",
        "bias: ours",
        "seasonal naive",
        "least of all",
        "noise of totals",
        "P10–P90",
        "WAPE: trees",
        "baseline",
        "best simple",
        "gate",
        "later days",
    ]
    lines = [_origin_line(title, origin) for title, of in sets.items() for origin in of["origins"]]
    return markdown(head, lines)


def _origin_line(title: str, origin: Found) -> list[str]:
    measured = {name: of_json(one["sums"]).measures() for name, one in origin["methods"].items()}
    ours, noise = measured[OURS], origin["noise"]
    about = origin["methods"][OURS]["about"]
    biases = [one["bias"] for name, one in measured.items() if _takes_part(name, "")]
    trees, baseline = measured.get(TREES), measured[BASELINE]
    later = "no trees"
    if trees is not None:
        right = (trees["pinball"] < baseline["pinball"]) == about["passed"]
        later = f"trees {trees['pinball'] / baseline['pinball'] - 1:+.0%}" + ("" if right else " ✗")
    lost = abs(ours["bias"]) > UNKNOWABLE
    return [
        f"{title} {origin['origin']}",
        f"{ours['bias']:+.1%}" + (" ✗" if lost else ""),
        f"{measured['seasonal_naive']['bias']:+.1%}" if "seasonal_naive" in measured else "",
        f"{min(biases, key=abs):+.1%}" if biases else "",
        "" if noise is None else f"{noise:.0%}",
        _coverage(ours, HOLDS_EACH),
        "" if trees is None else _number(trees["wape"]),
        _number(baseline["wape"]),
        _number(best(measured, "wape", NAIVES)[1]),
        "passed" if about["passed"] else f"refused, {about['baseline']}",
        later,
    ]


def _coverage(measured: Found, bounds: tuple[float, float]) -> str:
    """Of whole units a share cannot be met; between both ways to count it has to lie."""
    holds = measured["inside"] <= bounds[1] and measured["coverage"] >= bounds[0]
    return f"{measured['coverage']:.1%}" + ("" if holds else " ✗")


def _ratio(ours: float, other: tuple[str, float]) -> str:
    return "" if np.isnan(other[1]) else f"{ours / other[1] - 1:+.1%}"


def _number(value: float | None, digits: int | None = None) -> str:
    if value is None or np.isnan(value):
        return ""
    return f"{value:.{digits}f}" if digits is not None else f"{value:.4g}"


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    align = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, align, *lines))
