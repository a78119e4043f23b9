"""The real Online Retail file as `Events`, filtered as its data set file filters it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daybreak.warehouse.events import UNKNOWN_USER, Events

DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def online_retail_events() -> Events:
    """All purchases of the file; the test fails plainly where the file is absent."""
    folder = Path(os.environ.get("DAYBREAK_TEST_DATA", DEFAULT))
    path = folder / "online_retail" / "online_retail.parquet"
    if not path.exists():
        pytest.fail(f"{path} is absent; set DAYBREAK_TEST_DATA to the folder of test data.")
    return _read(path)


@cache
def _read(path: Path) -> Events:
    table = pd.read_parquet(path)
    table = table[
        table["StockCode"].str.fullmatch("[0-9]{5}[A-Za-z]{0,2}")
        & (table["UnitPrice"] > 0)
        & (table["Quantity"] > 0)
    ]
    item_ids, item = np.unique(table["StockCode"].str.upper().to_numpy(str), return_inverse=True)
    customer = table["CustomerID"].to_numpy(np.float64)
    user_ids = np.unique(customer[~np.isnan(customer)].astype(np.int64).astype(str))
    user = np.full(len(table), UNKNOWN_USER, np.int32)
    known = ~np.isnan(customer)
    user[known] = np.searchsorted(user_ids, customer[known].astype(np.int64).astype(str))
    at = table["InvoiceDate"].to_numpy("M8[us]")
    basket = table["InvoiceNo"].str.extract(r"(\d+)")[0].to_numpy(np.int64)
    quantity, price = (table[name].to_numpy(np.float64) for name in ("Quantity", "UnitPrice"))
    order = np.lexsort((price, quantity, basket, item, at, user))
    return Events(
        user_ids.astype(object),
        item_ids.astype(object),
        np.full(len(item_ids), "", object),
        user[order],
        item[order].astype(np.int32),
        at[order].astype("M8[D]").astype(np.int32),
        at[order].astype(np.int64),
        basket[order],
        np.ones(len(order)),
        quantity[order],
        price[order],
    )
