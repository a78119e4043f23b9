"""What the contract tests need of each model; the tests themselves know none by name.

The last two are not part of the package: they are in ``tests/outside`` and are found by their
entry points, as a user's own models are. One learns; the other uses published scores and does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import ColumnElement, Connection, Table, Update, func, update

import first_champion
from daybreak import models
from daybreak.clock import AsOf
from daybreak.facts.interactions import read_events
from daybreak.facts.sales import read_panel
from daybreak.models import get_learning, get_model
from daybreak.models.base import Model, Trained
from daybreak.models.recommendations.learn import train as recommendations
from daybreak.models.recommendations.numbers import DEFAULT
from daybreak.models.sales_forecast.learn.train import train_panel
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON

OUTSIDE = Path(__file__).parents[1] / "outside"
ON_SCORES = OUTSIDE / "on_scores"
ON_REQUEST = OUTSIDE / "on_request"

Row = Mapping[str, Any]
Train = Callable[[Connection, AsOf], Trained]
Breakage = Callable[[Table], Update]


@dataclass(frozen=True)
class ModelCase:
    """A model, and what only it can say.

    ``train``: its own training, smaller where that takes minutes; where it does not learn, what a
    person registers. ``request``: the body that asks
    for what is published, of which ``row`` is a row. ``breakages``: what breaks a rule of its
    audit, by words of the rule.
    """

    model: Model
    train: Train
    request: Callable[[Row], dict[str, Any]]
    breakages: Mapping[str, Breakage]


NAMES = ("sales_forecast", "recommendations", "pricing", "reorder_point", "stock_cover")


@contextmanager
def outside_installed(*folders: Path) -> Iterator[None]:
    """Let ``daybreak.models`` find the models of these folders too, in this process.

    By default those of ``NAMES``.
    """
    installed = models._installed  # a test may put another in its place
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders or (OUTSIDE, ON_SCORES):
            patch.syspath_prepend(folder)
        installed.cache_clear()
        yield
    installed.cache_clear()


def case_of(name: str) -> ModelCase:
    """The case of a model that is installed."""
    model = get_model(name)
    train, request, breakages = {
        "sales_forecast": (_train_forecast, _ask_forecast, _BROKEN_FORECASTS),
        "recommendations": (_train_recommendations, _ask_list, _BROKEN_LISTS),
        "pricing": (_train_prices, _ask_price, _BROKEN_PRICES),
        "reorder_point": (_train_orders, _ask_stock, _BROKEN_ORDERS),
        "stock_cover": (_formula, _ask_stock, _BROKEN_COVER),
    }[name]
    return ModelCase(model, train, request, breakages)


def _train_forecast(conn: Connection, as_of: AsOf) -> Trained:
    small = replace(first_champion.SMALL, threads=1)
    return train_panel(
        read_panel(conn, as_of, days=small.panel_days(DEFAULT_HORIZON)), options=small
    )


def _ask_forecast(row: Row) -> dict[str, Any]:
    names = ("store_id", "item_id", "target_date")
    return {name: str(row[name]) for name in names}


_BROKEN_FORECASTS: dict[str, Breakage] = {
    "units are negative": lambda t: update(t).where(t.c.horizon == 3).values(mean=-1),
    "quantiles cross": lambda t: update(t).values(p10=t.c.p90 + 1),
    "the mean is below half of P50": lambda t: (
        update(t).where(t.c.horizon == 2).values(p50=10, p90=10, mean=4.99)
    ),
    "the mean is below a tenth of P90": lambda t: (
        update(t).where(t.c.horizon == 2).values(p90=t.c.p90 + 100, mean=t.c.p90 / 10 + 9.99)
    ),
    "horizons are not 1 to 28": lambda t: (
        update(t).where(t.c.horizon == 28).values(horizon=29, target_date=t.c.target_date + 1)
    ),
    "horizons and target dates disagree": lambda t: (
        update(t).where(t.c.horizon == 1).values(target_date=t.c.target_date + 1)
    ),
}


def _train_recommendations(conn: Connection, as_of: AsOf) -> Trained:
    events = read_events(conn, as_of, days=DEFAULT.history_days)
    ranker = recommendations.Ranker(depths=(4,), rounds=20, least_rounds=10)
    small = recommendations.Options(weeks=3, enough=0, threads=1, ranker=ranker)
    return recommendations.train_events(events, as_of.business_date, options=small)


def _ask_list(row: Row) -> dict[str, Any]:
    return {"user_id": row["user_id"]} if row["user_id"] else {}


_BROKEN_LISTS: dict[str, Breakage] = {
    "ranks below 1": lambda t: update(t).where(t.c.rank == 1).values(rank=0),
    "ranks have gaps": lambda t: update(t).where(t.c.rank == 20).values(rank=22),
    "scores rise with the rank": lambda t: (
        update(t).where(t.c.rank == 2).values(score=t.c.score + 1000)
    ),
    "an item stands twice in a list": lambda t: (
        update(t).where(t.c.rank <= 2).values(item_id="twice")
    ),
    "reasons are unknown": lambda t: update(t).where(t.c.rank == 1).values(reason="because"),
}


def _train_prices(conn: Connection, as_of: AsOf) -> Trained:
    return get_learning("pricing").train(conn, as_of)


def _ask_price(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("store_id", "item_id")}


def _changed(t: Table) -> ColumnElement[bool]:
    return t.c.price != t.c.current_price


_BROKEN_PRICES: dict[str, Breakage] = {
    "a price is not in whole minor units": lambda t: update(t).values(price=t.c.price + 0.5),
    "a price that changes is outside its rails": lambda t: (
        update(t).where(_changed(t)).values(price=t.c.highest_price + 1)
    ),
    "units are negative": lambda t: update(t).values(current_units=-1),
    "quantiles cross": lambda t: update(t).values(units_p10=t.c.units_p90 + 1),
    "more is sold at a higher price": lambda t: update(t).values(elasticity=0.5),
    "a price has a place that stays": lambda t: update(t).where(~_changed(t)).values(place=1),
}


def _train_orders(conn: Connection, as_of: AsOf) -> Trained:
    return get_learning("reorder_point").train(conn, as_of)


def _ask_stock(row: Row) -> dict[str, Any]:
    return {"store": row["store_id"], "item": row["item_id"]}


_BROKEN_ORDERS: dict[str, Breakage] = {
    "units are negative": lambda t: update(t).values(usual=-1),
    "enough is less than usual": lambda t: update(t).values(usual=t.c.enough + 1),
    "the order does not fill an empty shelf": lambda t: update(t).values(reorder=t.c.reorder + 1),
    "the whole order is wild": lambda t: update(t).values(
        enough=func.ceil(t.c.enough) + 1e6, reorder=func.ceil(t.c.enough) + 1e6
    ),
}


def _formula(conn: Connection, as_of: AsOf) -> Trained:
    manifest = {"trained_through": as_of.business_date.isoformat(), "engine": "none"}
    return Trained(None, manifest)


_BROKEN_COVER: dict[str, Breakage] = {
    "units are negative": lambda t: update(t).values(needed=-1, short=-1),
    "an empty shelf is not short": lambda t: update(t).values(short=t.c.needed + 1),
    "a week does not have so many days": lambda t: update(t).values(days=8),
}


def bits(columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Columns in a form whose equality is that of the bits; texts as texts, however stored."""
    return {
        name: values.tolist() if values.dtype.kind in "OU" else (values.dtype, values.tobytes())
        for name, values in columns.items()
    }
