"""Weekly windows: make lists as one would have then, and compare with what was bought.

For each window the events are read as of its first day's own knowledge cutoff and the model is
trained anew on them, so no number here has seen a purchase that it predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from daybreak.facts.events import Events
from daybreak.models.base import Progress, Trained, quiet
from daybreak.models.recommendations.features.catalogue import EPOCH
from daybreak.models.recommendations.features.learned import FILE, Learned
from daybreak.models.recommendations.learn.baselines import BASELINES, baselines
from daybreak.models.recommendations.learn.day import day_of
from daybreak.models.recommendations.learn.evaluate import (
    Values,
    ceiling,
    evaluate,
    model_lister,
    pooled,
    trees,
)
from daybreak.models.recommendations.learn.held_out import READINGS, readings
from daybreak.models.recommendations.learn.train import SEED, Options, train_events
from daybreak.models.recommendations.numbers import DEFAULT, Numbers

WINDOWS = 4
LEAST_GAIN = {"all": 0.05, "new": 0.10}
"""By how much the lists have to be better than those of the best single source."""
JUDGED = ("ndcg@10", "recall@20")

Reader = Callable[[date], Events]
"""The events that were known for a business date."""
Trainer = Callable[[Events, date], Trained]


def backtest_windows(
    read: Reader,
    last: date,
    *,
    windows: int = WINDOWS,
    numbers: Numbers = DEFAULT,
    trainer: Trainer | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """The last ``windows`` weeks up to ``last``; the JSON of ``daybreak backtest``.

    Measures are means over users, those of all windows together. Raises ``NoData`` where a window
    has too little history to learn from.
    """
    length = numbers.window_days
    train = trainer or partial(train_events, options=Options(numbers=numbers), judge=False)
    later = read(last)
    dates = [last - timedelta(days=length * n) for n in range(windows, 0, -1)]
    measured: dict[str, dict[str, list[Values]]] = {
        reading: {name: [] for name in ("model", *BASELINES)} for reading in READINGS
    }
    reached: dict[str, list[NDArray[np.float64]]] = {reading: [] for reading in READINGS}
    for day in dates:
        progress(f"Window after {day}: training and making lists")
        found, most = _window(read(day), later, day, train, numbers)
        for reading in READINGS:
            reached[reading].append(most[reading])
            for name, values in found[reading].items():
                measured[reading][name].append(values)
    result = {
        reading: {name: pooled(parts) for name, parts in of.items()}
        for reading, of in measured.items()
    }
    users = {reading: sum(len(part) for part in parts) for reading, parts in reached.items()}
    return {
        "windows": windows,
        "window_dates": [
            {
                "as_of": day.isoformat(),
                "first": (day + timedelta(days=1)).isoformat(),
                "last": (day + timedelta(days=length)).isoformat(),
            }
            for day in dates
        ],
        "refit": "every window",
        "users": users["all"],
        "users_new": users["new"],
        **result,
        "ceiling": {
            reading: float(np.concatenate(parts).mean()) if users[reading] else 0.0
            for reading, parts in reached.items()
        },
        "bars": bars(result, users),
    }


def bars(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], users: Mapping[str, int]
) -> dict[str, bool]:
    """The bars that lists have to pass to be published, by name.

    ``users``: how many were measured, by reading; nothing is reached where there were none.
    """
    return {
        f"{reading}: {measure} at least {gain:.0%} over the best single source": (
            users[reading] > 0
            and found[reading]["model"][measure]
            >= (1 + gain) * max(found[reading][name][measure] for name in BASELINES)
        )
        for reading, gain in LEAST_GAIN.items()
        for measure in JUDGED
    }


def _window(
    known: Events, later: Events, day: date, train: Trainer, numbers: Numbers
) -> tuple[dict[str, dict[str, Values]], dict[str, NDArray[np.float64]]]:
    trained = train(known, day)
    learned = Learned.from_bytes(trained.files[FILE])
    at = day_of(known, (day - EPOCH).days, learned, numbers)
    booster = xgb.Booster(model_file=bytearray(trained.trees))
    singles = baselines(known, at, seed=SEED, threads=Options().threads)
    ours = model_lister(trees(booster), at, trained.manifest)
    found = evaluate(at, readings(later, at), {"model": ours, **singles})
    return found, ceiling(at, later)
