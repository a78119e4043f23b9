"""The backtest that ``daybreak backtest recommendations`` runs, and its summary for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from daybreak.facts.events import Events
from daybreak.models.base import Progress, quiet
from daybreak.models.options import Option, chosen
from daybreak.models.recommendations.learn.backtest import JUDGED, WINDOWS, backtest_windows
from daybreak.models.recommendations.learn.baselines import BASELINES
from daybreak.models.recommendations.learn.evaluate import MEASURES
from daybreak.models.recommendations.learn.held_out import READINGS
from daybreak.models.recommendations.numbers import LEARNED, Numbers

OPTIONS = {"windows": Option(WINDOWS, 1, 104, whole=True), **LEARNED}
"""How many of the last windows are looked at, and by which numbers is learned."""

_TITLES = {"all": "Every purchase counts", "new": "Only items new to the user count"}


def roll(
    read: Callable[[date, int], Events],
    last: date,
    options: Mapping[str, float],
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Windows up to ``last``; ``read`` gives the events of so many days known for a date."""
    taken = chosen(options, OPTIONS)
    windows = taken.pop("windows")
    numbers = Numbers(**taken)
    return backtest_windows(
        lambda day: read(day, numbers.history_days),
        last,
        windows=windows,
        numbers=numbers,
        progress=progress,
    )


def describe(found: Mapping[str, Any]) -> list[str]:
    """The measures beside those of the single sources, a line each."""
    first, last = found["window_dates"][0]["first"], found["window_dates"][-1]["last"]
    lines = [f"{found['windows']} weeks ({first} to {last}), {found['users']:,} lists of users"]
    for reading in READINGS:
        lines += [
            f"{_TITLES[reading]} (recall of all candidates {found['ceiling'][reading]:.3f})",
            f"  {'':12}" + "".join(f"{name:>13}" for name in MEASURES),
            *(
                f"  {name:12}" + "".join(f"{found[reading][name][one]:13.4f}" for one in MEASURES)
                for name in ("model", *BASELINES)
            ),
            f"  gain        {_gains(found[reading])} against the best single source",
        ]
    return [
        *lines,
        *(f"{'passed' if passed else 'MISSED':8}{name}" for name, passed in found["bars"].items()),
    ]


def _gains(of: Mapping[str, Mapping[str, float]]) -> str:
    best = {name: max(of[one][name] for one in BASELINES) for name in JUDGED}
    return ", ".join(
        f"{name} {of['model'][name] / best[name] - 1:+.1%}" if best[name] else f"{name} has none"
        for name in JUDGED
    )
