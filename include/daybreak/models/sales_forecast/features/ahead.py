"""What is known of each target date: the plan, the calendar, and the same day of last year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daybreak.facts.panel import Panel
from daybreak.facts.pivot import carried_forward
from daybreak.models.sales_forecast.features.layout import CHANNELS, channels
from daybreak.models.sales_forecast.features.season import YEAR

FAR = 4.0
"""Distances to a public holiday stop here: one that is a fortnight off is a date, not a cause."""

SEASONS = ("season", "item_season")

Block = NDArray[np.float32]


def known_ahead(panel: Panel, origin: int) -> Block:
    """The ahead block without what all series have a part in, float32 (n, channels x ahead),
    channel after channel with as many days as the panel has ahead: seasons are NaN,
    ``last_year`` in units.

    A covariate that no plan gives is carried forward from the origin (a price) or taken as absent
    (a promotion, a holiday): its later values stand in the panel of a past origin, but were not
    known then. ``last_year`` is NaN where the panel does not reach back.
    """
    is_open = _open(panel, origin)
    since, until = _public_holidays(panel, origin)
    before, after = _closed_runs(panel, is_open, origin)
    values: dict[str, NDArray[np.generic]] = {
        "open": is_open,
        "price": _planned(panel, "price", origin),
        "promotion": _planned(panel, "promotion", origin),
        "holiday": _planned(panel, "holiday", origin),
        "public_holiday_in": until,
        "public_holiday_since": since,
        "closed_before": before,
        "closed_after": after,
        "selling_day": is_open.cumsum(axis=1),
        "last_year": _last_year(panel, origin),
        **dict.fromkeys(SEASONS, np.array([np.nan], np.float32)),
        **_covariates(panel, origin),
    }
    names = channels(panel.slots)
    block = np.empty((len(panel), len(names), panel.ahead), np.float32)
    for place, name in enumerate(names):
        block[:, place] = values[name]
    return block.reshape(len(panel), len(names) * panel.ahead)


def complete(block: Block, scale: Block, seasons: Block) -> None:
    """Put in place what `known_ahead` left open.

    ``scale`` (n,), above 0, divides last year's units. ``seasons``: float32 (n, 2, ahead),
    NaN where the panel does not reach back.
    """
    days = seasons.shape[2]
    by_channel = block.reshape(len(block), block.shape[1] // days, days)
    by_channel[:, CHANNELS.index("last_year")] /= scale[:, None]
    for place, name in enumerate(SEASONS):
        by_channel[:, CHANNELS.index(name)] = seasons[:, place]


def _planned(panel: Panel, name: str, origin: int) -> Block:
    """What was known at the origin of the days ahead: planned, else as `_unplanned`."""
    days = slice(origin + 1, origin + 1 + panel.ahead)
    values: Block = getattr(panel, name)
    if name not in panel.planned:
        return _unplanned(name, values, origin, panel.ahead)
    known = _known(panel, name, origin)
    if known is None:
        return values[:, days]
    if name != "price":
        return np.where(known, values[:, days], np.float32(0))
    upto = np.where(known, values[:, days], np.float32(np.nan))
    return carried_forward(np.concatenate([values[:, [origin]], upto], axis=1))[:, 1:]


def _open(panel: Panel, origin: int) -> NDArray[np.bool_]:
    """Which of the days ahead are open, as far as was known at the origin: else the business is."""
    days = slice(origin + 1, origin + 1 + panel.ahead)
    planned = panel.open[:, days]
    if origin == panel.days - 1:
        return planned
    business = np.broadcast_to(panel.business_open, panel.public_holiday.shape)[days]
    if "open" not in panel.planned:
        return np.broadcast_to(business, planned.shape)
    known = _known(panel, "open", origin)
    return planned if known is None else np.where(known, planned, business)


def _unplanned(name: str, values: Block, origin: int, ahead: int) -> Block:
    """A price goes on as it was; a promotion or a holiday of which nothing is known is none."""
    last = values[:, [origin]] if name == "price" else np.float32(0)
    return np.broadcast_to(last, (len(values), ahead))


def _known(panel: Panel, name: str, origin: int) -> NDArray[np.bool_] | None:
    """Which plans of the days ahead were known at an earlier origin; None: all that there are."""
    known_from = panel.known_from.get(name)
    if known_from is None or origin == panel.days - 1:
        return None
    late = known_from[:, origin + 1 : origin + 1 + panel.ahead] > origin
    return None if not late.any() else ~late


def _covariates(panel: Panel, origin: int) -> dict[str, Block]:
    """Planned covariates first, by name, then those that are known with the sale only."""
    days = slice(origin + 1, origin + 1 + panel.ahead)
    shape = (len(panel), panel.ahead)
    slots = [np.full(shape, np.nan, np.float32)] * panel.slots
    for slot, (name, values) in enumerate(panel.covariates.items()):
        known = _known(panel, name, origin)
        if name in panel.history_only:
            slots[slot] = np.broadcast_to(values[:, [origin]], shape)
        elif known is None:
            slots[slot] = values[:, days]
        else:
            slots[slot] = np.where(known, values[:, days], np.float32(np.nan))
    return {f"covariate_{slot}": values for slot, values in enumerate(slots, start=1)}


def _last_year(panel: Panel, origin: int) -> Block:
    """Units of the same weekday a year before each target date; NaN when closed or unknown.

    Of a date more than a year ahead, that is one ahead as well.
    """
    columns = np.arange(origin + 1, origin + 1 + panel.ahead) - YEAR // panel.step
    within = (columns >= 0) & (columns <= origin)
    there = columns.clip(0, origin)
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


def _closed_runs(panel: Panel, is_open: NDArray[np.bool_], origin: int) -> tuple[Block, Block]:
    """Closed days in a row just before and just after each target date, (n, ahead), at most 7."""
    longest = 7
    first = max(0, origin + 1 - longest)
    window = np.concatenate([panel.open[:, first : origin + 1], is_open], axis=1)
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
