"""Prices as rows of a statement, as a generation gives them to the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Subquery, cast, column, select, values

from daybreak.warehouse.tables import price


def given_prices(
    prices: Mapping[str, int | None], *, store: str = "s", currency: str = "EUR", decimals: int = 2
) -> Subquery:
    """``prices``: item to minor units, None where it is not on sale."""
    names = ("store_id", "item_id", "price", "currency", "decimals")
    rows = [(store, item, cents, currency, decimals) for item, cents in prices.items()]
    given = values(*(column(name, price.c[name].type) for name in names), name="given").data(rows)
    # A column of NULLs alone has no type of its own.
    return select(
        *(cast(given.c[name], price.c[name].type).label(name) for name in names)
    ).subquery()
