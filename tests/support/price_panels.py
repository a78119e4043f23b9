"""Panels whose response to prices is known, and the synthetic shop as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from daybreak.facts.panel import Panel
from daybreak.sources.synthetic import Shop
from daybreak.sources.synthetic.catalogue import CATEGORIES
from random_panels import plain_panel


def responding_panel(
    seed: int,
    elasticity: float = -2.0,
    *,
    stores: int = 6,
    items: int = 8,
    days: int = 420,
    level: float = 8.0,
    step: int = 1,
    uplift: float = 1.5,
    season: float = 0.0,
) -> Panel:
    """Prices that move every five weeks or so, promotions that lower them too, closed Sundays.

    ``uplift``: of a promotion beside its price. ``season``: half-height of a wave of the year that
    prices follow, as where one is raised in the high season.
    """
    rng = np.random.default_rng(seed)
    n, weeks = stores * items, days * step // 7 + 2
    week = np.arange(days) * step // 7
    moves = rng.random((n, weeks)) < 0.2
    regular = np.cumsum(np.where(moves, rng.normal(0, 0.15, (n, weeks)), 0.0), axis=1).clip(-1, 1)
    promoted = rng.random((n, weeks)) < 0.1
    wave = season * np.sin(2 * np.pi * np.arange(weeks) * 7 / 365)
    log_price = (regular - 0.25 * promoted + wave / 2)[:, week]
    mean = level * np.exp(
        rng.normal(0, 0.8, n)[:, None]
        + elasticity * log_price
        + np.log(uplift) * promoted[:, week]
        + 2 * wave[week]
    )
    is_open = np.ones((n, days), bool)
    if step == 1:
        is_open[:, np.arange(days) % 7 == 6] = False
    units = np.where(is_open, rng.poisson(mean * step), 0).astype(np.float32)
    return Panel(
        store_ids=np.repeat(np.array([f"S{k:02}" for k in range(stores)], object), items),
        item_ids=np.tile(np.array([f"I{k:02}" for k in range(items)], object), stores),
        categories=np.tile(np.array([f"c{k % 2}" for k in range(items)], object), stores),
        first_date=date(2024, 1, 1) + timedelta(days=step - 1),
        units=units,
        price=np.exp(log_price + 1.0).astype(np.float32),
        promotion=promoted[:, week].astype(np.float32),
        open=is_open,
        holiday=np.zeros((n, days), np.float32),
        public_holiday=np.zeros(days, bool),
        covariates={},
        step=step,
    )


def priced(units: np.ndarray, price: object = 2.0, **changes: object) -> Panel:
    """One price unless others are given; from a Monday on, each series there before."""
    panel = plain_panel(np.asarray(units, float), ahead=0)
    whole = np.broadcast_to(np.asarray(price, np.float32), panel.price.shape).copy()
    return replace(panel, price=whole, **changes)


def shop_panel(shop: Shop, days: int = 420) -> Panel:
    """The last days of the synthetic shop, as they are read from a warehouse."""
    truth = shop.truth
    end = truth.units.shape[1] - truth.ahead
    last = slice(end - days, end)
    launch = truth.catalogue.launch[truth.item][:, None]
    carried = (np.arange(truth.units.shape[1]) >= launch)[:, last]
    kinds = np.array([kind.name for kind in CATEGORIES], object)
    units = np.where(truth.open[:, last], truth.units[:, last], 0).astype(np.float32)
    return Panel(
        store_ids=truth.store_ids,
        item_ids=truth.item_ids,
        categories=kinds[truth.catalogue.category[truth.item]],
        first_date=truth.first_date + timedelta(days=int(end - days)),
        units=np.where(carried, units, np.nan).astype(np.float32),
        price=np.where(carried, truth.price[:, last], np.nan).astype(np.float32),
        promotion=truth.promotion[:, last].astype(np.float32),
        open=truth.open[:, last],
        holiday=np.zeros(units.shape, np.float32),
        public_holiday=np.zeros(days, bool),
        covariates={},
    )


def shelf_by_loop(panel: Panel) -> np.ndarray:
    """The price on the shelf of each day (n, T), day by day: what an offer asked ends with it."""
    found = np.full((len(panel), panel.days), np.nan)
    for series in range(len(panel)):
        shelf, offer = np.nan, None
        for day in range(panel.days):
            price = float(panel.price[series, day])
            if panel.promotion[series, day] > 0:
                offer = found[series, day] = price
                continue
            if offer is None or price != offer or panel.units[series, day] > 0:
                shelf, offer = price, None
            found[series, day] = shelf
    return found
