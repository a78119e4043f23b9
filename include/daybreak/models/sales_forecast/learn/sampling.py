"""Rows to learn from: pairs of an origin and a later open day whose units are known by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import LEAST_SLOTS, Panel
from daybreak.models.base import Day, Progress, SnapshotRows, quiet
from daybreak.models.sales_forecast.features.assemble import assemble
from daybreak.models.sales_forecast.features.effects import Effects
from daybreak.models.sales_forecast.features.layout import HISTORY, features
from daybreak.models.sales_forecast.features.snapshot import snapshot
from daybreak.models.sales_forecast.learn.lineage import scope_of
from daybreak.models.sales_forecast.link import usual_units

Night = tuple[Day, SnapshotRows]

NIGHTS = 28
"""About so many origins are kept as nights, with so many series at most."""
SERIES_OF_A_NIGHT = 250

REPORT_EVERY = 20
"""Origins, of which each takes ten seconds for 30,000 series."""
ARRAYS = ("features", "units", "origin", "horizon", "series")
AGE, LEVEL = HISTORY.index("age"), HISTORY.index("scale")


@dataclass(frozen=True)
class Sample:
    """``m`` rows. ``features`` float32 (m, F); the other arrays are (m,).

    ``origin`` is a column of the panel and ``series`` a row of it. ``effects``: how far
    units follow seasons and trends (`learn/effects.py`).
    """

    features: NDArray[np.float32]
    units: NDArray[np.float32]
    origin: NDArray[np.int64]
    horizon: NDArray[np.int64]
    series: NDArray[np.int64]
    effects: Effects = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.units)

    @property
    def scale(self) -> NDArray[np.float32]:
        """Units that 1 stands for in each row (`link.usual_units`)."""
        return usual_units(self.features, self.effects)


def draw(
    panel: Panel,
    origins: Sequence[int],
    rows_per_origin: int | None,
    seed: int,
    progress: Progress = quiet,
    *,
    nights: list[Night] | None = None,
) -> Sample:
    """Rows of each origin, drawn evenly where there are more than ``rows_per_origin``.

    Each is of a day after the origin, of as many as the panel has ahead. Left out are series
    without a row before the origin, those whose level is 0 (their forecast is 0 whatever the trees
    say), and days on which a store is closed. ``nights`` gets some of the origins as a night has
    them.
    """
    parts = []
    for place, origin in enumerate(origins):
        if place % REPORT_EVERY == 0:
            progress(f"Features of {len(panel):,} series: {place} of {len(origins)} days")
        rows = snapshot(panel, origin)
        parts.append(_of_origin(panel, origin, rows, rows_per_origin, seed))
        if nights is not None and place % max(1, len(origins) // NIGHTS) == 0:
            nights.append(_as_a_night(panel, origin, rows, seed))
    return join(parts, panel.slots)


def _as_a_night(panel: Panel, origin: int, rows: NDArray[np.float32], seed: int) -> Night:
    known = np.flatnonzero(rows[:, AGE] > 0)  # a night has no series before its first row
    if len(known) > SERIES_OF_A_NIGHT:
        random = np.random.default_rng([seed, origin, 1])
        known = np.sort(random.choice(known, SERIES_OF_A_NIGHT, replace=False))
    options = scope_of(panel).to_options()
    keys = (panel.store_ids[known], panel.item_ids[known])
    return Day(panel.date_of(origin), options=options), SnapshotRows(keys, rows[known])


def join(parts: Sequence[Sample], slots: int = LEAST_SLOTS) -> Sample:
    """One sample of several; of none, it has the features of so many ``slots``."""
    if not parts:
        none = np.empty(0, np.int64)
        return Sample(
            np.empty((0, len(features(slots))), np.float32),
            none.astype(np.float32),
            none,
            none,
            none,
        )
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS
    }
    return replace(parts[0], **arrays)


def subset(sample: Sample, keep: NDArray[np.bool_]) -> Sample:
    """The rows for which ``keep`` (m,) is true."""
    arrays: dict[str, Any] = {name: getattr(sample, name)[keep] for name in ARRAYS}
    return replace(sample, **arrays)


def _of_origin(
    panel: Panel, origin: int, rows: NDArray[np.float32], limit: int | None, seed: int
) -> Sample:
    ahead = np.arange(1, min(panel.ahead, panel.days - 1 - origin) + 1)
    usable = panel.open[:, origin + ahead] & ((rows[:, AGE] > 0) & (rows[:, LEVEL] > 0))[:, None]
    series, place = np.nonzero(usable)
    if limit is not None and len(series) > limit:
        # One stream an origin, so that adding origins leaves the rows of the others as they are.
        chosen = np.random.default_rng([seed, origin]).choice(len(series), limit, replace=False)
        chosen.sort()
        series, place = series[chosen], place[chosen]
    horizon = ahead[place]
    return Sample(
        features=assemble(
            rows, panel.date_of(origin), horizon, series, step=panel.step, slots=panel.slots
        ),
        units=np.nan_to_num(panel.units[series, origin + horizon]),
        origin=np.full(len(series), origin, np.int64),
        horizon=horizon,
        series=series,
    )
