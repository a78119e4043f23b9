"""Interactions as columns of numbers, every read bounded on both clocks by ``AsOf``.

A row is visible when it happened in the last days up to the business date and was loaded within
the cutoff. Equal facts give equal arrays, whatever the order in which they were loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.events import UNKNOWN_USER, Events, Further
from daybreak.facts.interaction_rows import (
    PACKING,
    PURCHASES,
    allow_memory,
    by_item_and_span,
    by_unknown_users,
    by_user,
    is_anything_visible,
    read_item_ids,
    select_users,
)
from daybreak.facts.rows import Bounds, read_categories, read_further_categories
from daybreak.warehouse.packed import Group, read_groups, stream_bytes, stream_groups

USERS_PER_BATCH = 2_000
USERS_AT_ONCE = 10_000
PURCHASES_AT_ONCE = 4 << 20
"""Bytes of packed purchases that are added up in one go."""


class ItemDayArrays(TypedDict):
    """Purchases by item and day, in that order; ``m`` rows.

    ``item_ids``, ``categories``: object (N,) as in ``Events``, items without a purchase too;
    ``further`` as there.
    ``item`` (ordinal), ``day`` (since 1970-01-01), ``events``, ``buyers`` (distinct known users,
    and baskets, else moments, of unknown ones): int64 (m,). ``quantity`` and ``spend`` of
    purchases whose price and quantity are known: float64 (m,).
    """

    item_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    further: Further
    item: NDArray[np.int64]
    day: NDArray[np.int64]
    events: NDArray[np.int64]
    buyers: NDArray[np.int64]
    quantity: NDArray[np.float64]
    spend: NDArray[np.float64]


def read_events(conn: Connection, as_of: AsOf, *, days: int) -> Events:
    """All events of the last ``days`` days up to the business date.

    A user's are in order of time, then item, basket, weight, quantity and price. Categories are
    as last known at the cutoff. Raises ``NoData`` where nothing is visible.
    """
    bounds = _bounds(conn, as_of, days)
    item_ids = _objects(read_item_ids(conn, bounds))
    unknown = read_groups(conn, by_unknown_users(bounds, item_ids))
    known = read_groups(conn, by_user(bounds, item_ids))
    user = np.arange(-len(unknown), len(known))
    return _events(
        [*unknown, *known],
        np.where(user < 0, UNKNOWN_USER, user),
        [name for (name,), _ in known],
        item_ids,
        _categories(conn, as_of, item_ids),
        read_further_categories(conn, as_of),
    )


def stream_events(
    conn: Connection,
    as_of: AsOf,
    *,
    days: int,
    item_ids: Sequence[str] | NDArray[Any],
    users_per_batch: int = USERS_PER_BATCH,
    users: Sequence[str] | NDArray[Any] | None = None,
) -> Iterator[Events]:
    """What ``read_events`` reads of known users, a batch of whole users at a time.

    Users come in bytewise order of their id; ``user`` counts from 0 in each batch. ``item`` are
    ordinals in ``item_ids``; events of other items are left out. ``users``: only these, in this
    order of their ids. Memory is that of one batch.
    Between batches the connection may do other work, within the same transaction. Raises
    ``NoData``, at the first batch, where nothing is visible.
    """
    bounds = _bounds(conn, as_of, days)
    names = _objects(item_ids)
    categories, further = _categories(conn, as_of, names), read_further_categories(conn, as_of)
    for query in _by_user(bounds, names, users, users_per_batch):
        for groups in stream_groups(conn, query, users_per_batch):
            found = [name for (name,), _ in groups]
            yield _events(groups, np.arange(len(groups)), found, names, categories, further)


def stream_users(conn: Connection, as_of: AsOf, *, days: int) -> Iterator[str]:
    """The known users that ``stream_events`` gives, in bytewise order of their id.

    Raises ``NoData``, at the first one, where nothing is visible.
    """
    bounds = _bounds(conn, as_of, days)
    options = {"yield_per": USERS_AT_ONCE}
    yield from conn.scalars(select_users(bounds), execution_options=options)


def _by_user(
    bounds: Bounds, names: NDArray[np.object_], users: Any, users_per_batch: int
) -> Iterator[Select[Any]]:
    """One query for all users, or one a batch of those that are asked for."""
    if users is None:
        yield by_user(bounds, names)
        return
    wanted = list(users)
    for first in range(0, len(wanted), users_per_batch):
        yield by_user(bounds, names, wanted[first : first + users_per_batch])


def item_totals(conn: Connection, as_of: AsOf, *, days: int) -> ItemDayArrays:
    """What ``read_events`` would give, purchases only and added up by item and day.

    Read a few megabytes of purchases at a time, so memory is that of the result: it grows with
    the items and days on which they sold, and users add what they bought of one item in four
    weeks. Sums are added in ascending order of what is added, so the order of loading changes no
    bit. Raises ``NoData`` where nothing is visible; where nothing was bought, m is 0.
    """
    bounds = _bounds(conn, as_of, days)
    item_ids = _objects(read_item_ids(conn, bounds))
    place = {name: number for number, name in enumerate(item_ids)}
    added = [_added_up([], place)]
    groups = stream_bytes(conn, by_item_and_span(bounds), PURCHASES_AT_ONCE)
    added += [_added_up(batch, place) for batch in groups]
    columns = {name: np.concatenate([part[name] for part in added]) for name in added[0]}
    order = np.lexsort((columns["day"], columns["item"]))
    return ItemDayArrays(
        item_ids=item_ids,
        categories=_categories(conn, as_of, item_ids),
        further=read_further_categories(conn, as_of),
        item=columns["item"][order],
        day=columns["day"][order],
        events=columns["events"][order],
        buyers=columns["buyers"][order],
        quantity=columns["quantity"][order],
        spend=columns["spend"][order],
    )


def _added_up(groups: Sequence[Group], place: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """The columns of ``ItemDayArrays`` for the items and days of ``groups``, each whole in it.

    ``bincount`` adds in the order of the rows, which are sorted by what is added: the sums are
    the same bits whatever order the rows came in.
    """
    rows = PURCHASES.unpack(groups)
    item = np.array([place[name] for (name,), _ in groups], np.int64)[rows.group]
    day = rows.columns["day"].astype(np.int64)
    buyer, quantity = rows.columns["buyer"], rows.columns["quantity"]
    spend = rows.columns["price"] * quantity
    quantity = np.where(np.isnan(spend), 0.0, quantity)
    spend = np.nan_to_num(spend, nan=0.0)

    def sorted_by(values: NDArray[Any]) -> NDArray[np.intp]:
        return np.lexsort((values, day, item))

    order = sorted_by(buyer)
    is_first = _changes(item[order], day[order])
    cell = np.cumsum(is_first) - 1  # the same in every order within a day of an item
    cells = int(is_first.sum())
    is_new = _changes(item[order], day[order], buyer[order])
    return {
        "item": item[order][is_first],
        "day": day[order][is_first],
        "events": np.bincount(cell, minlength=cells),
        "buyers": np.bincount(cell[is_new], minlength=cells),
        "quantity": np.bincount(cell, quantity[sorted_by(quantity)], cells),
        "spend": np.bincount(cell, spend[sorted_by(spend)], cells),
    }


def _changes(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a row differs from the one before it, (m,); the first one does."""
    differs = np.ones(len(columns[0]), bool)
    if len(differs):
        differs[1:] = np.any([values[1:] != values[:-1] for values in columns], axis=0)
    return differs


def _bounds(conn: Connection, as_of: AsOf, days: int) -> Bounds:
    last = as_of.business_date
    bounds = Bounds(as_of, last - timedelta(days=days - 1), last)
    allow_memory(conn)
    if not is_anything_visible(conn, bounds):
        raise NoData(
            f"No interactions of {bounds.first} to {last} were known at "
            f"{as_of.cutoff.isoformat()}.",
            remedy="Load a data set with `interactions` (`daybreak data load`), or choose a later "
            "business date.",
            business_date=last.isoformat(),
            cutoff=as_of.cutoff.isoformat(),
        )
    return bounds


def _categories(
    conn: Connection, as_of: AsOf, item_ids: NDArray[np.object_]
) -> NDArray[np.object_]:
    known = read_categories(conn, as_of)
    return _objects([known.get(name, "") for name in item_ids])


def _events(  # noqa: PLR0917 - as ``Events`` has them
    groups: Sequence[Group],
    user: NDArray[np.int64],
    user_ids: Sequence[str],
    item_ids: NDArray[np.object_],
    categories: NDArray[np.object_],
    further: Further,
) -> Events:
    """``user``: (len(groups),) whose events a group holds, ascending."""
    rows = PACKING.unpack(groups)
    columns = {
        "user": user[rows.group].astype(np.int32),
        **rows.columns,
        "at": rows.columns["at"],
    }
    for name in ("weight", "quantity", "price"):
        columns[name] = columns[name] + 0.0  # one zero, not -0.0 beside it, which sorts the same
    order = _order(columns)
    sorted_columns = {name: values[order] for name, values in columns.items()}
    return Events(_objects(user_ids), item_ids, categories, **sorted_columns, further=further)


def _order(columns: dict[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Rows by user, time and item, then by the rest, which is looked at where those are equal."""
    first = [columns[name] for name in ("user", "at", "item")]
    rest = [columns[name] for name in ("basket", "weight", "quantity", "price", "day")]
    order = np.lexsort(first[::-1])
    is_new = np.append(_changes(*(values[order] for values in first)), True)
    tied = np.flatnonzero(~(is_new[:-1] & is_new[1:]))
    among = order[tied]
    order[tied] = among[np.lexsort([values[among] for values in (*first, *rest)[::-1]])]
    return order


def _objects(values: Sequence[str] | NDArray[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = list(map(str, values))
    return found
