"""Chains that do not exist, drawn by a few lines of numpy, so that their mean demand is known.

Independent of ``daybreak.sources.synthetic``, which plants other effects in another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.quality.sets import SalesSet

Floats = NDArray[np.float64]
AHEAD = 35


@dataclass(frozen=True)
class Chain:
    """``level``: median units a day. ``trend``: log change a year, of all; ``drift``: its spread.

    ``promotions``: "none"; "weeks": an item's own Thursday to Wednesday, in all stores;
    "alternating": Monday to Friday of every second week, all items and stores. ``lift``: its log
    effect, ``lift_spread`` of series; ``own_weeks``: spread of a store's own weekdays, with and
    without a promotion. ``price``: elasticity, with promotions at 20 % off and regular prices that
    change now and then.
    """

    seed: int
    stores: int = 10
    items: int = 4
    days: int = 800
    level: float = 12.0
    spread: float = 0.7
    trend: float = 0.0
    drift: float = 0.05
    season: float = 0.25
    week: float = 0.3
    own_weeks: float = 0.05
    promotions: str = "weeks"
    lift: float = 0.4
    lift_spread: float = 0.1
    price: float = 0.0
    closed_sundays: bool = False
    late_share: float = 0.0
    dispersion: float = 0.05
    weekly: bool = False
    end: date = date(2025, 6, 29)  # a Sunday


def prepare(chain: Chain, folder: Path, data: Path) -> str:
    """Sales, plans and the truth as files; the YAML."""
    frame = draw(chain)
    past = frame["business_date"] <= np.datetime64(chain.end)
    keys = ["business_date", "store_id", "item_id"]
    began = frame["mean"].notna()
    sold = frame[past & began & frame["open"]]
    sold[[*keys, "units"]].to_parquet(folder / "sales.parquet", index=False)
    plans = [name for name in ("promotion", "price") if name in frame]
    if plans:
        frame.loc[began, [*keys, *plans]].to_parquet(folder / "plan.parquet", index=False)
    truth = frame.loc[began & frame["open"], [*keys, "mean"]].assign(dispersion=chain.dispersion)
    truth.to_parquet(folder / "truth.parquet", index=False)
    closed = "closed_weekdays: [sunday], " if chain.closed_sundays else ""
    period = "period: week, " if chain.weekly else ""
    named = ", ".join(f"{name}: {name}" for name in keys)
    lines = [
        f"name: {folder.name.split('.')[0]}",
        f"calendar: {{{closed}{period}timezone: Europe/Berlin}}",
        "sales:",
        "  files: ${HERE}/sales.parquet",
        f"  columns: {{{named}, units: units}}",
    ]
    if plans:
        more = ", ".join(f"{name}: {name}" for name in plans)
        lines += [
            "plan:",
            "  files: ${HERE}/plan.parquet",
            f"  columns: {{{named}, {more}}}",
            f"  known_ahead: {'91d' if chain.weekly else '28d'}",
        ]
    return "\n".join(lines) + "\n"


def draw(chain: Chain) -> pd.DataFrame:
    """One row a series and day (or week), ``AHEAD`` days past the end; mean NaN before a launch."""
    rng = np.random.default_rng(chain.seed)
    ahead = 7 * 13 if chain.weekly else AHEAD
    wide = chain.days + ahead
    day = np.datetime64(chain.end, "D") - chain.days + 1 + np.arange(wide)
    weekday = (day.astype(np.int64) + 3) % 7
    series = chain.stores * chain.items
    store, item = np.divmod(np.arange(series), chain.items)
    years = (np.arange(wide) - chain.days) / 365.25

    level = chain.level * np.exp(chain.spread * _mixed(rng, chain, store, item))
    growth = chain.trend + chain.drift * _mixed(rng, chain, store, item)
    usual_week = np.sort(rng.normal(0, chain.week, 7))  # Saturday and Sunday sell most
    week = (
        usual_week[weekday] + rng.normal(0, chain.own_weeks, (chain.stores, 7))[store][:, weekday]
    )
    peak = rng.uniform(0, 1, chain.items)[item]
    of_year = (day - day.astype("M8[Y]")).astype(np.int64) / 365.25
    season = chain.season * np.cos(2 * np.pi * (of_year - peak[:, None]))
    promotion = _promotions(rng, chain, day, weekday)[item]
    lift = chain.lift + chain.lift_spread * rng.normal(size=series)
    own = rng.normal(0, chain.own_weeks, (chain.stores, 7))[store][:, weekday]
    log_mean = np.log(level)[:, None] + growth[:, None] * years + week + season
    log_mean += promotion * (lift[:, None] + own)
    frame = {}
    if chain.price:
        base = np.round(np.exp(rng.normal(1.0, 0.4, chain.items)), 2)[item][:, None]
        steps = rng.random((chain.items, wide)) < 1 / 120
        regular = base * np.exp(
            np.cumsum(steps * rng.normal(0.03, 0.08, steps.shape), axis=1)[item]
        )
        price = np.round(regular * np.where(promotion, 0.8, 1.0), 2)
        log_mean += chain.price * np.log(price / base)
        frame["price"] = price
    mean = np.exp(log_mean)
    is_open = np.ones((series, wide), bool)
    if chain.closed_sundays:
        is_open[:, weekday == 6] = False
    late = rng.random(series) < chain.late_share
    launch = np.where(late, (rng.uniform(0.2, 0.9, series) * chain.days).astype(np.int64), 0)
    mean[np.arange(wide) < launch[:, None]] = np.nan
    if chain.promotions != "none":
        frame["promotion"] = promotion * 1.0
    if chain.weekly:
        keep = wide // 7 * 7
        day = day[6:keep:7]
        # The end is a Sunday, and the days before it are whole weeks.
        mean = mean[:, :keep].reshape(series, -1, 7).sum(axis=2)
        is_open = np.ones_like(mean, bool)
        frame = {
            name: values[:, :keep].reshape(series, -1, 7).mean(axis=2)
            for name, values in frame.items()
        }
    luck = rng.gamma(1 / chain.dispersion, chain.dispersion, mean.shape)
    units = rng.poisson(np.nan_to_num(mean) * luck)
    return pd.DataFrame(
        {
            "business_date": np.tile(day, series),
            "store_id": np.repeat([f"S{one + 1:03d}" for one in store], len(day)),
            "item_id": np.repeat([f"I{one + 1:03d}" for one in item], len(day)),
            "units": units.ravel(),
            "open": is_open.ravel(),
            "mean": mean.ravel(),
            **{name: values.ravel() for name, values in frame.items()},
        }
    )


def _mixed(
    rng: np.random.Generator, chain: Chain, store: NDArray[np.intp], item: NDArray[np.intp]
) -> Floats:
    """Of each series, by its store, its item and itself, (series,); variance 1."""
    parts = (
        rng.normal(size=chain.stores)[store],
        rng.normal(size=chain.items)[item],
        rng.normal(size=len(store)),
    )
    return np.asarray(sum(parts) / np.sqrt(3))


def _promotions(
    rng: np.random.Generator, chain: Chain, day: NDArray[np.datetime64], weekday: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(items, days)."""
    number = day.astype(np.int64)
    if chain.promotions == "none":
        return np.zeros((chain.items, len(day)), bool)
    if chain.promotions == "alternating":
        weeks = (number + 3) // 7  # Monday to Sunday
        return np.broadcast_to((weeks % 2 == 0) & (weekday < 5), (chain.items, len(day)))
    leaflet = number // 7  # 1970-01-01 was a Thursday
    leaflet -= leaflet[0]
    return (rng.random((chain.items, leaflet[-1] + 1)) < 0.18)[:, leaflet]


def _set(
    name: str, chain: Chain, *, horizon: int = 28, origins: int = 3, apart: int = 84
) -> SalesSet:
    drawn = partial(prepare, chain)
    return SalesSet(name, drawn, horizon=horizon, origins=origins, apart=apart)


CHAINS = (
    _set("leaflet_weeks", Chain(1, price=-1.2, late_share=0.1)),
    _set(
        "many_stores",
        Chain(
            2,
            stores=250,
            items=1,
            days=760,
            level=5000.0,
            spread=0.4,
            promotions="alternating",
            lift=0.35,
            own_weeks=0.12,
            closed_sundays=True,
            dispersion=0.01,
        ),
    ),
    _set("no_promotions", Chain(3, promotions="none", own_weeks=0.1)),
    _set("short_history", Chain(4, days=180), apart=12),
    _set("new_shop", Chain(5, days=110), origins=2, apart=20),
    _set("weeks", Chain(6, days=7 * 130, weekly=True, price=-1.5), horizon=13, apart=10),
    _set("intermittent", Chain(7, level=0.15, items=8, stores=8, lift=0.6)),
    _set("strong_trend", Chain(8, trend=-0.5, drift=0.4, late_share=0.1)),
)
