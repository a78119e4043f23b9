"""The interactions of the synthetic shop as `Events`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from daybreak.facts.events import Events
from daybreak.sources.synthetic.shop import Shop

WEIGHTS = {"view": 0.1, "purchase": 1.0}


def synthetic_events(shop: Shop) -> Events:
    """All views and purchases, in the order in which the warehouse gives them."""
    table: pa.Table = shop.interactions
    user_ids, user = np.unique(_text(table, "user_id"), return_inverse=True)
    items = shop.items
    item_ids = np.sort(_text(items, "item_id"))
    category = dict(zip(_text(items, "item_id"), _text(items, "category"), strict=True))
    at = table["event_at"].to_numpy().astype("M8[us]")
    item = np.searchsorted(item_ids, _text(table, "item_id"))
    basket = np.unique(_text(table, "basket_id"), return_inverse=True)[1] + 1
    weight = np.array([WEIGHTS[kind] for kind in table["kind"].to_pylist()])
    quantity, price = (table[name].to_numpy().astype(np.float64) for name in ("quantity", "price"))
    order = np.lexsort((price, quantity, weight, basket, item, at, user))
    return Events(
        user_ids.astype(object),
        item_ids.astype(object),
        np.array([category[name] for name in item_ids], object),
        user[order].astype(np.int32),
        item[order].astype(np.int32),
        at[order].astype("M8[D]").astype(np.int32),
        at[order].astype(np.int64),
        basket[order].astype(np.int64),
        weight[order],
        quantity[order],
        price[order],
    )


def _text(table: pa.Table, name: str) -> np.ndarray:
    return np.array(table[name].to_pylist(), np.str_)
