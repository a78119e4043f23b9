"""The snapshot of a day in shards of series: what is kept of each, and what all have a part in.

Facts are read once. A shard keeps what follows from its series alone (some 5 kB a series); levels,
weekdays and seasons are made of those columns over all series, in key order whatever the shards;
then each shard makes its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.models.arrays import from_names, to_names
from daybreak.models.base import Context, Part
from daybreak.models.sales_forecast.features.ahead import known_ahead
from daybreak.models.sales_forecast.features.alone import ALONE, alone
from daybreak.models.sales_forecast.features.groups import Names, names_of
from daybreak.models.sales_forecast.features.history import monday_offset, together
from daybreak.models.sales_forecast.features.layout import COVARIATES, channels
from daybreak.models.sales_forecast.features.recent import chunks
from daybreak.models.sales_forecast.features.season import YearDays, year_days
from daybreak.models.sales_forecast.features.snapshot import whole_rows
from daybreak.types import Float32

_NAMES = ("store", "item", "category")


def part_of(panels: Sequence[Panel]) -> Part:
    """What a shard keeps of its series, ``panels`` in key order; as of their last day."""
    names = np.array([*panels[0].covariates], object)
    return {**_joined([_of_panel(panel) for panel in panels]), COVARIATES: from_names(names)}


def context_of(parts: Sequence[Part]) -> Context:
    """Which covariate is in which slot; nothing where there is none."""
    names = parts[0][COVARIATES]
    return {COVARIATES: names} if len(names) else {}


def share(parts: Sequence[Part]) -> list[Part]:
    """For each part the history block of its series, and their seasons."""
    sizes = [len(part["alone"]) for part in parts]
    ends = np.cumsum(sizes)
    known = np.empty((ends[-1], len(ALONE)))
    for end, size, part in zip(ends, sizes, parts, strict=True):
        known[end - size : end] = part["alone"]  # one by one: there are some 2 kB a series
    columns = [[to_names(part[name]) for part in parts] for name in _NAMES]
    names = Names(*(np.concatenate(column) for column in columns))
    ahead = parts[0]["ahead"].shape[1] // len(channels(int(parts[0]["slots"])))
    block, seasons = together(
        known,
        names,
        int(parts[0]["weekday"]),
        _days(parts, len(known)),
        ahead=ahead,
        step=int(parts[0]["step"]),
    )
    return [
        {"history": block[end - size : end], "season": seasons[end - size : end]}
        for end, size in zip(ends, sizes, strict=True)
    ]


def rows_of(part: Part) -> Float32:
    """The rows of a shard, float32 (n, S)."""
    return whole_rows(part["history"], part["ahead"].copy(), part["season"])


def _of_panel(panel: Panel) -> dict[str, NDArray[Any]]:
    origin = panel.days - 1
    days = year_days(panel, origin, slice(None))
    return {
        "alone": alone(panel, origin),
        "ahead": known_ahead(panel, origin),
        "units": days.units,
        "cell": days.cell.astype(np.uint8),
        "weekday": np.array(monday_offset(panel, origin)),
        "step": np.array(panel.step),
        "slots": np.array(panel.slots),
        **dict(zip(_NAMES, names_of(panel), strict=True)),
    }


def _joined(panels: Sequence[dict[str, NDArray[Any]]]) -> Part:
    first = panels[0]
    joined = {
        name: values if values.ndim == 0 else np.concatenate([panel[name] for panel in panels])
        for name, values in first.items()
    }
    return joined | {name: from_names(joined[name]) for name in _NAMES}


def _days(parts: Sequence[Part], series: int) -> Iterator[YearDays]:
    """The days of all series as `chunks` cuts them, which is not how the shards were cut."""
    waiting: list[YearDays] = []
    coming = iter(parts)
    for rows in chunks(series):
        wanted = rows.stop - rows.start
        while sum(len(days.units) for days in waiting) < wanted:
            part = next(coming)
            waiting.append(YearDays(part["units"], part["cell"].astype(np.int64)))
        units = np.concatenate([days.units for days in waiting])
        cell = np.concatenate([days.cell for days in waiting])
        yield YearDays(units[:wanted], cell[:wanted])
        waiting = [YearDays(units[wanted:], cell[wanted:])]
