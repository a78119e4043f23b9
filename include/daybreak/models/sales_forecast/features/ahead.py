"""What is known of each target date: the plan, the calendar, and the same day of last year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import DatasetError
from daybreak.facts.panel import Panel
from daybreak.models.sales_forecast.features.groups import YEAR
from daybreak.models.sales_forecast.features.layout import CHANNELS, COVARIATE_SLOTS

FAR = 4.0
"""Distances to a public holiday stop here: one that is a fortnight off is a date, not a cause."""

Block = NDArray[np.float32]


def known_ahead(panel: Panel, origin: int) -> Block:
    """The ahead block without what all series have a part in, float32 (n, channels x ahead),
    channel after channel with as many days as the panel has ahead: ``season`` is NaN,
    ``last_year`` in units.

    A covariate that no plan tells is carried forward from the origin (a price) or taken as absent
    (a promotion, a holiday): its later values stand in the panel of a past origin, but were not
    known then. ``last_year`` is NaN where the panel does not reach back.
    """
    days = slice(origin + 1, origin + 1 + panel.ahead)
    is_open = panel.open[:, days]
    since, until = _public_holidays(panel, origin)
    before, after = _closed_runs(panel, origin)
    channels: dict[str, NDArray[np.generic]] = {
        "open": is_open,
        "price": _planned(panel, "price", origin, panel.price[:, [origin]]),
        "promotion": _planned(panel, "promotion", origin, np.float32(0)),
        "holiday": _planned(panel, "holiday", origin, np.float32(0)),
        "public_holiday_in": until,
        "public_holiday_since": since,
        "closed_before": before,
        "closed_after": after,
        "selling_day": is_open.cumsum(axis=1),
        "last_year": _last_year(panel, origin),
        "season": np.array([np.nan], np.float32),
        **_covariates(panel, days),
    }
    block = np.empty((len(panel), len(CHANNELS), panel.ahead), np.float32)
    for place, name in enumerate(CHANNELS):
        block[:, place] = channels[name]
    return block.reshape(len(panel), len(CHANNELS) * panel.ahead)


def complete(block: Block, scale: Block, seasons: Block) -> None:
    """Put in place what `known_ahead` left open.

    ``scale`` (n,), above 0, divides last year's units. ``seasons``: float32 (n, ahead), that of
    each series' category, NaN where the panel does not reach back.
    """
    channels = block.reshape(len(block), len(CHANNELS), seasons.shape[1])
    channels[:, CHANNELS.index("last_year")] /= scale[:, None]
    channels[:, CHANNELS.index("season")] = seasons


def _planned(panel: Panel, name: str, origin: int, otherwise: Block | np.float32) -> Block:
    values: Block = getattr(panel, name)[:, origin + 1 : origin + 1 + panel.ahead]
    return values if name in panel.planned else np.broadcast_to(otherwise, values.shape)


def _covariates(panel: Panel, days: slice) -> dict[str, Block]:
    names = sorted(panel.covariates)
    if len(names) > COVARIATE_SLOTS:
        raise DatasetError(
            f"The data set has {len(names)} extra covariates known ahead: {', '.join(names)}.",
            remedy=f"The sales forecast takes at most {COVARIATE_SLOTS}; leave some out.",
            fields=names,
        )
    unknown = np.full((len(panel), panel.ahead), np.nan, np.float32)
    given = [panel.covariates[name][:, days] for name in names]
    slots = [*given, *[unknown] * (COVARIATE_SLOTS - len(given))]
    return {f"covariate_{slot}": values for slot, values in enumerate(slots, start=1)}


def _last_year(panel: Panel, origin: int) -> Block:
    """Units of the same weekday a year before each target date; NaN when closed or unknown."""
    columns = np.arange(origin + 1, origin + 1 + panel.ahead) - YEAR // panel.step
    within = columns >= 0
    there = columns.clip(min=0)
    known = within & panel.open[:, there]
    return np.where(known, panel.units[:, there], np.float32(np.nan))


def _public_holidays(panel: Panel, origin: int) -> tuple[Block, Block]:
    """Days since the last and until the next public holiday of each target date, (ahead,) each."""
    flags = panel.public_holiday[: origin + 1 + panel.ahead]
    since = _distance(flags)[-panel.ahead :]
    # Later columns of the panel are not looked at, lest a training origin see more than a real one.
    until = _distance(flags[::-1])[::-1][-panel.ahead :]
    return since, until


def _distance(flags: NDArray[np.bool_]) -> Block:
    """Places since the last true one, 0 on it, at most ``FAR``."""
    place = np.arange(len(flags))
    last = np.maximum.accumulate(np.where(flags, place, -len(flags) - int(FAR)))
    return np.minimum(place - last, FAR).astype(np.float32)


def _closed_runs(panel: Panel, origin: int) -> tuple[Block, Block]:
    """Closed days in a row just before and just after each target date, (n, ahead), at most 7."""
    longest = 7
    first = max(0, origin + 1 - longest)
    window = panel.open[:, first : origin + 1 + panel.ahead]
    before = _runs(window, longest)[:, -panel.ahead :]
    after = _runs(window[:, ::-1], longest)[:, ::-1][:, -panel.ahead :]
    return before, after


def _runs(window: NDArray[np.bool_], longest: int) -> Block:
    """Closed days in a row that end just before each column."""
    run = np.zeros(window.shape, np.float32)
    for day in range(1, window.shape[1]):
        longer = np.minimum(run[:, day - 1] + 1, longest)
        run[:, day] = np.where(window[:, day - 1], 0, longer)
    return run
