"""The shop as Arrow: whole for tests and benchmarks, or store by store for loading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from daybreak.sources.synthetic.catalogue import (
    CATEGORIES,
    REGIONS,
    Catalogue,
    make_catalogue,
)
from daybreak.sources.synthetic.demand import draw_store
from daybreak.sources.synthetic.interactions import (
    SCHEMA as INTERACTIONS_SCHEMA,
)
from daybreak.sources.synthetic.interactions import Tastes, interaction_batches, make_tastes
from daybreak.sources.synthetic.options import ShopOptions
from daybreak.sources.synthetic.plan import Days, Flags, make_days, plan_store
from daybreak.sources.synthetic.price_inputs import (
    SCHEMAS as PRICE_INPUTS,
)
from daybreak.sources.synthetic.price_inputs import (
    competitor_batches,
    cost_batches,
    stock_batch,
)
from daybreak.sources.synthetic.truth import Truth

BATCH_ROWS = 65_536

_STORE_DAY: Mapping[str, pa.DataType] = {"business_date": pa.date32(), "store_id": pa.string()}
_PLANNED: Mapping[str, pa.DataType] = {"price": pa.float64(), "promotion": pa.int8()}
SCHEMAS: Mapping[str, pa.Schema] = {
    "items": pa.schema({name: pa.string() for name in ("item_id", "name", "category")}),
    "stores": pa.schema({name: pa.string() for name in ("store_id", "name", "region")}),
    "sales": pa.schema({**_STORE_DAY, "item_id": pa.string(), "units": pa.int32(), **_PLANNED}),
    "plan": pa.schema({**_STORE_DAY, "item_id": pa.string(), **_PLANNED}),
    "hours": pa.schema({**_STORE_DAY, "open": pa.bool_(), "holiday": pa.int8()}),
    "interactions": INTERACTIONS_SCHEMA,
    **PRICE_INPUTS,
}
"""Sections and their columns. ``sales`` has one row for each item that a store carries and each day
it is open, zero units included. ``plan`` has the same days and those ahead. ``hours`` has one row
a store and day, all days. ``costs`` and ``competitors`` hold for all stores; ``stock`` has one row
for each item that a store carries on the last days, closed ones included."""


@dataclass(frozen=True)
class Shop:
    """One synthetic shop. Nothing is drawn before it is asked for; whole tables are kept."""

    options: ShopOptions

    def stream(self, section: str) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``BATCH_ROWS`` rows; memory is that of one store, or of one month.

        Stores follow one another; within a store rows are in order of date. ``KeyError`` for a
        section that is not in ``SCHEMAS``.
        """
        for batch in self._sections[section]():
            for first in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(first, BATCH_ROWS)

    @cached_property
    def items(self) -> pa.Table:
        """``item_id, name, category``."""
        return self._whole("items")

    @cached_property
    def stores(self) -> pa.Table:
        """``store_id, name, region``."""
        return self._whole("stores")

    @cached_property
    def sales(self) -> pa.Table:
        """``business_date, store_id, item_id, units, price, promotion``."""
        return self._whole("sales")

    @cached_property
    def plan(self) -> pa.Table:
        """``business_date, store_id, item_id, price, promotion``, ``ahead`` days past the end."""
        return self._whole("plan")

    @cached_property
    def hours(self) -> pa.Table:
        """``business_date, store_id, open, holiday`` (of schools), ``ahead`` days past the end."""
        return self._whole("hours")

    @cached_property
    def interactions(self) -> pa.Table:
        """``event_at, user_id, item_id, kind, quantity, price`` in order of time."""
        return self._whole("interactions")

    @cached_property
    def costs(self) -> pa.Table:
        """``business_date, item_id, cost``, from each date on."""
        return self._whole("costs")

    @cached_property
    def competitors(self) -> pa.Table:
        """``business_date, item_id, competitor, price``, of the last Mondays."""
        return self._whole("competitors")

    @cached_property
    def stock(self) -> pa.Table:
        """``business_date, store_id, item_id, units``, at the close of the last days."""
        return self._whole("stock")

    @cached_property
    def truth(self) -> Truth:
        """Mean demand and everything else that is not in the tables."""
        columns: dict[str, list[NDArray[np.generic]]] = {}
        for store in range(self.options.stores):
            plan = plan_store(self.options, self.catalogue, self._days, store)
            demand = draw_store(self.options, self.catalogue, self._days, plan, store)
            opened = np.broadcast_to(plan.open[:, None], demand.rate.shape)
            for name, values in (
                ("rate", demand.rate),
                ("units", demand.units),
                ("short", demand.short),
                ("stock", demand.stock),
                ("open", opened),
                ("price", plan.price),
                ("promotion", plan.promotion),
            ):
                columns.setdefault(name, []).append(values.T)
        return Truth(
            first_date=self.options.start,
            ahead=self.options.ahead,
            dispersion=self.options.dispersion,
            catalogue=self.catalogue,
            store=np.repeat(np.arange(self.options.stores), self.options.items),
            item=np.tile(np.arange(self.options.items), self.options.stores),
            **{name: np.concatenate(blocks) for name, blocks in columns.items()},
        )

    @cached_property
    def tastes(self) -> Tastes:
        """Affinities and pairs planted in the interactions."""
        return make_tastes(self.options, self.catalogue)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Stores, items and the effects planted in them."""
        return make_catalogue(self.options)

    @cached_property
    def _days(self) -> Days:
        return make_days(self.options)

    @cached_property
    def _sections(self) -> Mapping[str, Callable[[], Iterator[pa.RecordBatch]]]:
        return {
            "items": self._items,
            "stores": self._stores,
            "sales": self._sales,
            "plan": self._plan,
            "hours": self._hours,
            "interactions": lambda: interaction_batches(self.options, self.catalogue, self.tastes),
            "costs": lambda: cost_batches(self.options, self.catalogue),
            "competitors": lambda: competitor_batches(self.options, self.catalogue),
            "stock": self._stock,
        }

    def _whole(self, section: str) -> pa.Table:
        return pa.Table.from_batches(self.stream(section), SCHEMAS[section])

    def _items(self) -> Iterator[pa.RecordBatch]:
        names = [CATEGORIES[kind].name for kind in self.catalogue.category]
        titles = [f"{name} {n + 1}" for n, name in enumerate(names)]
        yield _batch("items", self.catalogue.item_ids, titles, names)

    def _stores(self) -> Iterator[pa.RecordBatch]:
        regions = [REGIONS[region] for region in self.catalogue.region]
        titles = [f"Store {n + 1}" for n in range(len(regions))]
        yield _batch("stores", self.catalogue.store_ids, titles, regions)

    def _sales(self) -> Iterator[pa.RecordBatch]:
        for store in range(self.options.stores):
            plan = plan_store(self.options, self.catalogue, self._days, store)
            units = draw_store(self.options, self.catalogue, self._days, plan, store).units
            rows = plan.carried & plan.open[:, None]
            rows[self.options.days :] = False
            yield _batch(
                "sales",
                *self._keys(rows, store),
                units[rows],
                plan.price[rows],
                plan.promotion[rows].astype(np.int8),
            )

    def _plan(self) -> Iterator[pa.RecordBatch]:
        for store in range(self.options.stores):
            plan = plan_store(self.options, self.catalogue, self._days, store)
            rows = plan.carried & plan.open[:, None]
            yield _batch(
                "plan",
                *self._keys(rows, store),
                plan.price[rows],
                plan.promotion[rows].astype(np.int8),
            )

    def _hours(self) -> Iterator[pa.RecordBatch]:
        for store in range(self.options.stores):
            plan = plan_store(self.options, self.catalogue, self._days, store)
            yield _batch(
                "hours",
                self._days.dates,
                pa.repeat(self.catalogue.store_ids[store], len(self._days)),
                plan.open,
                plan.school_holiday.astype(np.int8),
            )

    def _stock(self) -> Iterator[pa.RecordBatch]:
        for store in range(self.options.stores):
            plan = plan_store(self.options, self.catalogue, self._days, store)
            demand = draw_store(self.options, self.catalogue, self._days, plan, store)
            yield stock_batch(self.options, self.catalogue, plan, demand, store)

    def _keys(self, rows: Flags, store: int) -> tuple[pa.Array[Any], pa.Array[Any], pa.Array[Any]]:
        day, item = np.nonzero(rows)
        return (
            pa.array(self._days.dates[day]),
            pa.repeat(self.catalogue.store_ids[store], len(day)),
            pa.array(self.catalogue.item_ids).take(item),
        )


def generate(options: ShopOptions | None = None) -> Shop:
    """The shop of these options (default: the one of ``make demo``)."""
    return Shop(options or ShopOptions())


def _batch(section: str, *columns: Any) -> pa.RecordBatch:
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMAS[section])
