"""Visits of known users: views and purchases with planted tastes and planted pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from daybreak.sources.synthetic.catalogue import CATEGORIES, Catalogue, Floats, Stream, stream
from daybreak.sources.synthetic.options import ShopOptions

_COLUMNS: Mapping[str, pa.DataType] = {
    "event_at": pa.timestamp("us", tz="UTC"),
    "user_id": pa.string(),
    "item_id": pa.string(),
    "kind": pa.string(),
    "basket_id": pa.string(),
    "quantity": pa.int32(),
    "price": pa.float64(),
}
SCHEMA = pa.schema(_COLUMNS)
LOOKS_PER_VISIT = 4.0
BUYS_AFTER_A_LOOK = 0.35
BUYS_THE_PARTNER = 0.5
"""Chance that who buys the first of a pair buys the second with it."""

PAIRS_PER_ITEM = 0.1
OPENING_HOUR, HOURS = 8, 12
SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Tastes:
    """The planted truth. ``affinity`` (users, categories): chance that a look goes there.

    ``pairs`` (p, 2): item numbers; buying the first leads to buying the second.
    """

    user_ids: NDArray[np.object_]
    affinity: Floats
    activity: Floats
    pairs: NDArray[np.intp]


def make_tastes(options: ShopOptions, catalogue: Catalogue) -> Tastes:
    """Two loved categories a user, and pairs of usual items, no item in two."""
    generator = stream(options, Stream.USERS)
    draws = generator.random((options.users, len(CATEGORIES)))
    liking = np.exp(4.0 * (draws - 0.5)) + 0.05
    activity = (1.0 + np.arange(options.users)) ** -0.5
    usual = generator.permutation(np.flatnonzero(~catalogue.slow & (catalogue.launch == 0)))
    pairs = min(int(np.ceil(options.items * PAIRS_PER_ITEM)), len(usual) // 2)
    return Tastes(
        user_ids=np.array([f"U{n + 1:06d}" for n in range(options.users)], dtype=object),
        affinity=liking / liking.sum(axis=1, keepdims=True),
        activity=activity / activity.sum(),
        pairs=usual[: 2 * pairs].reshape(pairs, 2),
    )


def interaction_batches(
    options: ShopOptions, catalogue: Catalogue, tastes: Tastes
) -> Iterator[pa.RecordBatch]:
    """One batch a calendar month, in order of time. Each month is drawn by itself."""
    start, end = np.datetime64(options.start, "D"), np.datetime64(options.end, "D")
    for month in np.arange(start.astype("M8[M]"), end.astype("M8[M]") + 1):
        first = max(month.astype("M8[D]"), start)
        # The whole month is drawn and then cut, so that a later end leaves its events as they are.
        events = _month(options, catalogue, tastes, month, first)
        yield events.filter(_before(events, end + 1))


def _before(events: pa.RecordBatch, end: np.datetime64) -> pa.BooleanArray:
    moments = events.column(0).to_numpy(zero_copy_only=False).astype("M8[us]")
    return pa.array(moments < end)


def _month(
    options: ShopOptions,
    catalogue: Catalogue,
    tastes: Tastes,
    month: np.datetime64,
    first: np.datetime64,
) -> pa.RecordBatch:
    generator = stream(options, Stream.VISITS, int(month.astype(np.int64)))
    days = int(((month + 1).astype("M8[D]") - first).astype(np.int64))
    visits = int(generator.poisson(options.baskets_per_day * days))
    user = generator.choice(options.users, visits, p=tastes.activity)
    moment = generator.integers(0, days * HOURS * 3600, visits)
    day, second = np.divmod(moment, HOURS * 3600)
    at = (
        first.astype("M8[us]").astype(np.int64)
        + ((day * 24 + OPENING_HOUR) * 3600 + second) * SECOND
    )

    look = np.repeat(np.arange(visits), 1 + generator.poisson(LOOKS_PER_VISIT - 1, visits))
    item = _choose(generator, catalogue, tastes.affinity[user[look]])
    pause = generator.integers(20, 90, len(look)) * SECOND
    begin = np.searchsorted(look, look)  # index of the first look of the same visit
    elapsed = np.cumsum(pause)
    look_at = at[look] + elapsed - elapsed[begin]
    bought = generator.random(len(look)) < BUYS_AFTER_A_LOOK

    partner = np.full(options.items, -1)
    partner[tastes.pairs[:, 0]] = tastes.pairs[:, 1]
    follows = bought & (partner[item] >= 0) & (generator.random(len(look)) < BUYS_THE_PARTNER)

    numbers = np.concatenate([item, item[bought], partner[item[follows]]])
    moments = np.concatenate([look_at, look_at[bought] + 5 * SECOND, look_at[follows] + 5 * SECOND])
    visit = np.concatenate([look, look[bought], look[follows]])
    purchase = np.arange(len(numbers)) >= len(item)
    quantity = np.where(purchase, 1 + generator.poisson(0.3, len(numbers)), 1)

    start = np.datetime64(options.start, "us").astype(np.int64)
    carried = moments >= start + catalogue.launch[numbers] * 24 * 3600 * SECOND
    order = np.flatnonzero(carried)
    order = order[np.argsort(moments[order], kind="stable")]
    numbers, purchase, visit = numbers[order], purchase[order], visit[order]
    baskets = [f"{month}-{number:06d}" for number in range(visits)]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(moments[order], pa.int64()).cast(SCHEMA.field("event_at").type),
            pa.array(tastes.user_ids).take(user[visit]),
            pa.array(catalogue.item_ids).take(numbers),
            pa.array(["view", "purchase"]).take(purchase.astype(np.int8)),
            pa.array(baskets, pa.string()).take(visit),
            pa.array(quantity[order].astype(np.int32)),
            pa.array(catalogue.base_price[numbers]),
        ],
        schema=SCHEMA,
    )


def _choose(
    generator: np.random.Generator, catalogue: Catalogue, affinity: Floats
) -> NDArray[np.intp]:
    """An item for each look: a category by the user's affinity, then an item by popularity."""
    weight = catalogue.base_units / catalogue.base_units.max() + 0.05
    order = np.argsort(catalogue.category, kind="stable")
    # Laid end to end by category, one cumulative sum serves every look.
    upper = np.cumsum(weight[order])
    counts = np.bincount(catalogue.category, minlength=len(CATEGORIES))
    edges = np.concatenate([[0.0], upper])[np.concatenate([[0], np.cumsum(counts)])]
    stocked = affinity * (counts > 0)
    reach = np.cumsum(stocked, axis=1)
    draw = generator.random(len(affinity)) * reach[:, -1]
    kind = (draw[:, None] >= reach).sum(axis=1).clip(max=len(CATEGORIES) - 1)
    low, high = edges[kind], edges[kind + 1]
    place = low + generator.random(len(affinity)) * (high - low)
    found = np.searchsorted(upper, place, side="right").clip(max=len(order) - 1)
    return np.asarray(order[found])
