"""Prices as rows of a statement, as a generation gives them to the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Subquery, cast, column, select, values

from daybreak.warehouse.tables import price

_NAMES = ("store_id", "item_id", "price", "currency", "decimals")


def given_prices(
    prices: Mapping[str, int | None], *, store: str = "s", currency: str = "EUR", decimals: int = 2
) -> Subquery:
    """``prices``: item to minor units, None where it is not on sale."""
    types = {name: price.c[name].type for name in _NAMES}
    rows = [(store, item, cents, currency, decimals) for item, cents in prices.items()]
    given = values(*(column(*one) for one in types.items()), name="given").data(rows)
    # A column of NULLs alone has no type of its own.
    typed = (cast(given.c[name], of).label(name) for name, of in types.items())
    return select(*typed).subquery()
