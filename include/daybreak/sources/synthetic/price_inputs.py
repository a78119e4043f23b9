"""What prices are set by beside sales: costs, what competitors ask, and stock.

None of it moves demand, and each has random streams of its own: the rest of the shop is as it would
be without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from daybreak.sources.synthetic.catalogue import Catalogue, Floats, Stream, stream
from daybreak.sources.synthetic.demand import StoreDemand
from daybreak.sources.synthetic.options import ShopOptions
from daybreak.sources.synthetic.plan import StorePlan

CHEAPEST, DEAREST = 0.5, 0.75
"""What an item costs at first, as a share of its base price."""
LEAST_DRIFT, LARGEST_DRIFT = 0.99, 1.04
COST_DAYS = 365
"""Costs change after so many days, by a factor between these two."""

COMPETITORS = ("Corner Market", "Price Barn")
COMPETITOR_LEVEL = np.array([1.02, 0.96])
"""Of the base price, in the middle."""
COMPETITOR_SPREAD = 0.2
COMPETITOR_DAYS = 180
COMPETITOR_WEEKS = 4
"""Competitors are looked at every Monday of the last ``COMPETITOR_DAYS``; they ask the same for
``COMPETITOR_WEEKS``."""

STOCK_DAYS = 30
SHORTEST_COVER, LONGEST_COVER = 5, 20
"""A delivery brings what is usually sold in so many days."""
LEAST_DELIVERY = 2

_STORE_DAY: Mapping[str, pa.DataType] = {"business_date": pa.date32(), "store_id": pa.string()}
_DATED: Mapping[str, pa.DataType] = {"business_date": pa.date32(), "item_id": pa.string()}
SCHEMAS: Mapping[str, pa.Schema] = {
    "costs": pa.schema({**_DATED, "cost": pa.float64()}),
    "competitors": pa.schema({**_DATED, "competitor": pa.string(), "price": pa.float64()}),
    "stock": pa.schema({**_STORE_DAY, "item_id": pa.string(), "units": pa.int32()}),
}


def cost_batches(options: ShopOptions, catalogue: Catalogue) -> Iterator[pa.RecordBatch]:
    """What each item costs in all stores, a batch for each date on which costs change."""
    first = stream(options, Stream.COSTS).random(options.items)
    cost = catalogue.base_price * (CHEAPEST + (DEAREST - CHEAPEST) * first)
    for change, back in enumerate(range(0, options.days, COST_DAYS)):
        if change:
            draws = stream(options, Stream.COSTS, change).random(options.items)
            cost = cost * (LEAST_DRIFT + (LARGEST_DRIFT - LEAST_DRIFT) * draws)
        day = np.datetime64(options.start, "D") + back
        yield _batch("costs", np.full(options.items, day), catalogue.item_ids, np.round(cost, 2))


def competitor_batches(options: ShopOptions, catalogue: Catalogue) -> Iterator[pa.RecordBatch]:
    """What each competitor asks for each item, a batch for each Monday."""
    asked = len(COMPETITORS)
    last = np.datetime64(options.end, "D")
    first = max(np.datetime64(options.start, "D"), last - (COMPETITOR_DAYS - 1))
    for day in np.arange(first, last + 1):
        weeks, weekday = divmod(int(day.astype(np.int64)) + 3, 7)
        if weekday:
            continue
        generator = stream(options, Stream.COMPETITORS, weeks // COMPETITOR_WEEKS)
        draws = generator.random((options.items, asked))
        level = COMPETITOR_LEVEL * np.exp(COMPETITOR_SPREAD * (draws - 0.5))
        price = np.maximum(np.round(catalogue.base_price[:, None] * level, 2), 0.01)
        yield _batch(
            "competitors",
            np.full(options.items * asked, day),
            np.repeat(catalogue.item_ids, asked),
            np.tile(np.array(COMPETITORS, dtype=object), options.items),
            price.ravel(),
        )


def stock_batch(
    options: ShopOptions, catalogue: Catalogue, plan: StorePlan, demand: StoreDemand, store: int
) -> pa.RecordBatch:
    """What is left in a store at the close of the last days, open or not, of what it carries."""
    left = _left(options, catalogue, plan, demand, store)
    shown = plan.carried[: options.days].copy()
    shown[: max(0, options.days - STOCK_DAYS)] = False
    day, item = np.nonzero(shown)
    return _batch(
        "stock",
        np.datetime64(options.start, "D") + day,
        pa.repeat(catalogue.store_ids[store], len(day)),
        pa.array(catalogue.item_ids, pa.string()).take(item),
        left[shown],
    )


def _left(
    options: ShopOptions, catalogue: Catalogue, plan: StorePlan, demand: StoreDemand, store: int
) -> NDArray[np.int32]:
    """Units at the close of each day with sales, int32 (days, I).

    A delivery comes on the morning after less than a third of one was left, and whenever the day
    will sell more than there is. On a day of stock-out there were the units that the truth says.
    """
    draws = stream(options, Stream.STOCK, store).random(options.items)
    cover = SHORTEST_COVER + (LONGEST_COVER - SHORTEST_COVER) * draws
    usual: Floats = catalogue.base_units * catalogue.size[store]
    delivery = np.maximum(np.ceil(cover * usual), LEAST_DELIVERY).astype(np.int32)
    left = np.empty((options.days, options.items), np.int32)
    before = delivery
    for day in range(options.days):
        units = demand.units[day]
        there = before + np.where(3 * before < delivery, delivery, 0)
        there = np.maximum(there, units)
        there = np.where(demand.short[day], demand.stock[day], there)
        before = np.where(plan.carried[day], there - units, delivery)
        left[day] = before
    return left


def _batch(section: str, *columns: Any) -> pa.RecordBatch:
    schema = SCHEMAS[section]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
