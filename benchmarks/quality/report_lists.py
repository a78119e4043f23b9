"""The tables of lists, as Markdown: NDCG@10, higher is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.quality.report import BASELINE, OURS, TREES, markdown, mean_ranks
from benchmarks.quality.run_lists import GROUPS

Found = Mapping[str, Any]
POPULARITY = "popularity_best"
"""Of all windows that which does best on the set, known afterwards only."""
CLEARLY = 2.0
"""Standard errors by which ours are clearly below."""
SESSIONS = ("user + session", "user alone", "stranger + session")


def pooled(of: Found) -> dict[str, dict[str, float]]:
    """Method to question to NDCG@10 over all windows; NaN where nothing was asked."""
    windows = of["windows"]
    found: dict[str, dict[str, float]] = {}
    for name in windows[0]["methods"]:
        if all(name in window["methods"] for window in windows):
            parts = [window["methods"][name]["ndcg"] for window in windows]
            totals = {one: np.sum([part[one] for part in parts], axis=0) for one in parts[0]}
            found[name] = {
                one: float(s / n) if n else float("nan") for one, (s, n) in totals.items()
            }
    popular = [values for name, values in found.items() if name.startswith("popularity_")]
    if popular:
        # One window for a set, by all lists; a list of new items may be best by another.
        found[POPULARITY] = max(popular, key=lambda values: values["all"])
    return found


def ranks(sets: Mapping[str, Found], question: str, ours: str = OURS) -> dict[str, float]:
    """Method to mean rank, 1 is best; of popularity the best window alone takes part."""
    return mean_ranks(
        {name: -one[question] for name, one in pooled(of).items() if _takes_part(name, ours)}
        for of in sets.values()
    )


def _takes_part(name: str, ours: str) -> bool:
    if name in (OURS, TREES, BASELINE):
        return name == ours
    return name == POPULARITY or not name.startswith("popularity_")


def list_tables(sets: Mapping[str, Found]) -> str:
    """All tables of the recommendations."""
    if not sets:
        return "No data set with interactions was measured."
    return "\n\n".join([_rank_table(sets), _set_table(sets), _group_table(sets)])


def _rank_table(sets: Mapping[str, Found]) -> str:
    readings = ("all", "new", *(f"session: {name}" for name in SESSIONS))
    found = {reading: ranks(sets, reading) for reading in readings}
    trees = {reading: ranks(sets, reading, TREES) for reading in readings}
    names = sorted(found["all"], key=lambda name: found["all"][name])
    lines = [
        [f"**{n}**" if n == OURS else n, *(_number(found[one].get(n)) for one in readings)]
        for n in names
    ]
    lines.append([f"({TREES})", *(_number(trees[one].get(TREES)) for one in readings)])
    return markdown([f"mean rank of {len(sets)} sets", *readings], lines)


def _set_table(sets: Mapping[str, Found]) -> str:
    head = ["data set", "users, baskets", "all: ours", "best other", "new: ours", "best other"]
    head += [f"session: {name}" for name in SESSIONS]
    head += ["item cosine", "gate passed", "s, MB"]
    lines = []
    for title, of in sets.items():
        measured, windows = pooled(of), of["windows"]
        ours = measured[OURS]
        about = [window["methods"][OURS]["about"] for window in windows]
        users = sum(window["users"]["all"] for window in windows)
        line = [title, f"{users}, {sum(window['baskets'] for window in windows)}"]
        for reading in ("all", "new"):
            name, value = _best(measured, reading)
            line += [
                f"{ours[reading]:.4f} ({ours[reading] / value - 1:+.1%})",
                f"{value:.4f} {name}",
            ]
        with_session, alone = (ours[f"session: {name}"] for name in SESSIONS[:2])
        line.append(f"{with_session:.4f}" + (" ✗" if with_session < alone else ""))
        line += [f"{ours[f'session: {name}']:.4f}" for name in SESSIONS[1:]]
        cosine = measured.get("item_cosine", {}).get("session: stranger + session", float("nan"))
        seconds = np.mean([one["seconds"] for one in about])
        line += [
            _number(cosine, 4),
            f"{sum(one['passed'] for one in about)} of {len(about)}",
            f"{seconds:.0f}, {max(one['peak_mb'] for one in about):.0f}",
        ]
        lines.append(line)
    return markdown(head, lines)


def _best(measured: Mapping[str, Found], question: str) -> tuple[str, float]:
    others = [name for name in measured if _takes_part(name, "")]
    name = max(others, key=lambda one: np.nan_to_num(measured[one][question]), default="")
    return name, measured[name][question] if name else float("nan")


def _group_table(sets: Mapping[str, Found]) -> str:
    """Ours beside the best window of popularity, by on how many days the users had bought."""
    lines = [line for title, of in sets.items() for line in group_lines(title, of)]
    return markdown(["ours, popularity: history of", *GROUPS], lines)


def group_lines(title: str, of: Found) -> list[list[str]]:
    """The lines of one set, all purchases and what was new."""
    measured, lines = pooled(of), []
    for reading in ("all", "new"):
        line = [f"{title}, {reading}"]
        for group in GROUPS:
            question = f"{reading}: {group}"
            ours = measured[OURS][question]
            popular = measured.get(POPULARITY, {}).get(question, float("nan"))
            less = _behind(of, measured, question) if ours < popular else ""
            line.append("" if np.isnan(ours) else f"{ours:.4f}, {popular:.4f}{less}")
        lines.append(line)
    return lines


def _behind(of: Found, measured: Found, question: str) -> str:
    """How far ours are below the best popularity, with the standard error of the lists; ✗ where
    that is clear."""
    name = next(
        one for one in measured if one != POPULARITY and measured[one] is measured[POPULARITY]
    )
    parts = [window["methods"][name] for window in of["windows"]]
    count = sum(part["ndcg"][question][1] for part in parts)
    total, squares = np.sum([part["behind"][question] for part in parts], axis=0)
    mean = total / count
    error = np.sqrt(max(squares / count - mean**2, 0.0) / max(count - 1, 1))
    return f" (−{mean:.4f} ± {error:.4f}{' ✗' if mean > CLEARLY * error else ''})"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.{digits}f}"
