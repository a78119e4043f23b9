"""The backtest: past price changes by what one would have known, and elasticities by two ways.

For each origin the facts are read as of that day's own knowledge cutoff and everything is learned
again; judged are the price changes of the weeks after it. Then, as of the last day, elasticities
stand beside those of a regression that shares nothing with them (`oracle`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.days import days_of_period
from daybreak.facts.sales import read_panel
from daybreak.models.base import AsOfDay, Progress, quiet
from daybreak.models.options import Option, chosen
from daybreak.models.pricing.elasticity.cells import Cells
from daybreak.models.pricing.learn.evidence import WEEKS, Fold, fold_of, together
from daybreak.models.pricing.learn.facts import Facts, read_facts
from daybreak.models.pricing.learn.gate import against_no_response
from daybreak.models.pricing.learn.oracle import regression
from daybreak.models.pricing.learn.summary import answered, counted, number, of_categories
from daybreak.models.pricing.learn.variances import learned
from daybreak.models.pricing.response import Responses, periods

OPTIONS = {
    "origins": Option(2, 1, 12, whole=True),
    "weeks": Option(WEEKS, 4, 26, whole=True),
    "oracle": Option(40, 0, 200, whole=True),
}
"""How many origins, so many weeks apart; how many series of a category the regression takes (0:
there is none)."""
MOST_CATEGORIES = 20
"""That the regression is made of: those with the most series."""
NEAR = 0.15
"""Of the regression's median: how far ours may be."""


def backtest(
    warehouse: Connection,
    last: date,
    as_of: AsOfDay,
    options: Mapping[str, float],
    progress: Progress = quiet,
) -> dict[str, Any]:
    """What ``daybreak backtest pricing`` measures. Raises ``NoData`` where there is too little."""
    taken = chosen(options, OPTIONS)
    progress(f"Reading what is known of {last}")
    now = read_facts(warehouse, as_of(last))
    dates = [last - timedelta(weeks=taken["weeks"] * k) for k in range(taken["origins"], 0, -1)]
    folds = []
    for origin in dates:
        progress(f"Origin {origin}: learning, then the price changes after it")
        try:
            folds.append(_fold(read_facts(warehouse, as_of(origin)), now, taken["weeks"]))
        except NoData as error:
            progress(f"{origin} is left out: {error.message}")
    held_out = {"weeks": taken["weeks"] * len(folds), **together(folds)}
    progress("Learning of all, for the elasticities")
    fitter = now.before(now.weeks)
    hyper = learned(fitter)
    found = answered(now, fitter.fit(hyper))
    beside = _oracle(warehouse, as_of(last), now, found, most=taken["oracle"], progress=progress)
    return {
        "last": last.isoformat(),
        "origin_dates": [origin.isoformat() for origin in dates],
        "series": len(now.series),
        "weeks": now.weeks,
        "held_out": held_out,
        "basis": counted(found.series),
        "categories": of_categories(found),
        "oracle": beside,
        "options": hyper.to_options(),
        "bars": _bars(held_out, found, beside),
    }


def _fold(early: Facts, now: Facts, weeks: int) -> Fold:
    """Changes of the weeks after ``early``, of its series, as they are known ``now``."""
    place = {key: number for number, key in enumerate(early.series)}
    number_of = np.array([place.get(key, -1) for key in now.series])
    cells = now.cells
    series = number_of[cells.series]
    week = cells.week + now.first_week - early.first_week
    since = early.weeks
    kept = (series >= 0) & (week < since + weeks)
    later = replace(cells, count=early.cells.count, series=series, week=week).where(kept)
    fitter = early.before(since)
    return fold_of(fitter, learned(fitter), _not_before_0(later), since, series=early.series)


def _not_before_0(cells: Cells) -> Cells:
    return cells.where(cells.week >= 0)


def _oracle(
    warehouse: Connection,
    as_of: AsOf,
    now: Facts,
    found: Responses,
    *,
    most: int,
    progress: Progress,
) -> dict[str, Any]:
    """Elasticities of the regression beside ours, of the same items, by category and in all."""
    names, counts = np.unique(now.categories.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
    sold = now.cells.by_series(now.cells.units)
    days = periods(days_of_period(warehouse))
    by_category: dict[str, Any] = {}
    theirs: list[float] = []
    errors: list[float] = []
    ours: list[float] = []
    for name in sorted(names[order].tolist()) if most else ():
        progress(f"The regression of {name or 'items without a category'}")
        of_it = np.flatnonzero(now.categories == name)
        best = of_it[np.argsort(-sold[of_it], kind="stable")[:most]]
        stores, items = zip(*(now.series[place] for place in best), strict=True)
        panel = read_panel(
            warehouse, as_of, days=days, ahead=0, stores=[*set(stores)], items=[*set(items)]
        )
        keys = {now.series[place]: place for place in best}
        both = [*zip(panel.store_ids, panel.item_ids, strict=True)]
        oracle = regression(panel.of_series(np.array([key in keys for key in both])))
        mine = np.array(
            [
                np.mean(found.series.elasticity[[keys[key] for key in keys if key[1] == item]])
                for item in oracle.items
            ]
        )
        sure = oracle.sure & np.isfinite(mine)
        theirs += oracle.elasticity[sure].tolist()
        errors += oracle.standard_error[sure].tolist()
        ours += mine[sure].tolist()
        by_category[name] = {
            "items": int(sure.sum()),
            "oracle": number(np.median(oracle.elasticity[sure])) if sure.any() else None,
            "ours": number(np.median(mine[sure])) if sure.any() else None,
        }
    return {
        "items": len(ours),
        "oracle": number(np.median(theirs)) if theirs else None,
        "ours": number(np.median(ours)) if ours else None,
        # Of a median of normal variates: that of the mean times the root of pi / 2.
        "standard_error": number(1.2533 * np.sqrt(np.square(errors).sum()) / len(errors))
        if errors
        else None,
        "by_category": by_category,
    }


def _bars(
    held_out: Mapping[str, Any], found: Responses, beside: Mapping[str, Any]
) -> dict[str, bool | None]:
    """What a version has to be; None where the data cannot say."""
    given = found.series.elasticity[~found.series.refused]
    near, median = None, beside["oracle"]
    if median is not None and beside["standard_error"] <= NEAR * abs(median):
        near = bool(abs(beside["ours"] / median - 1.0) <= NEAR)
    return {
        "demand_falls_with_the_price": bool((given < 0).all()),
        "seen_at_held_out_changes": not against_no_response(held_out),
        "near_the_regression": near,
    }


def describe(found: Mapping[str, Any]) -> list[str]:
    """The measures in lines for people."""
    held_out, beside = found["held_out"], found["oracle"]
    lines = [
        f"{found['series']:,} series over {found['weeks']} weeks up to {found['last']}; "
        + ", ".join(f"{count:,} {name}" for name, count in found["basis"].items() if count),
        f"Price changes held out  {held_out['changes']:,} (of series without an elasticity: "
        f"{held_out['refused_changes']:,})",
    ]
    if held_out["changes"]:
        direction, size = held_out["direction"], held_out["size"]
        lines += [
            f"  demand went as said   {direction['right']:.1%} (by chance, were it right: "
            f"{direction['expected']:.1%}); of {direction['decisive']} decisive ones "
            f"{_share(direction['right_of_decisive'])}",
            f"  by how much of it     {_with_error(size['factor'], size['standard_error'])}",
            *(f"  deviance {name:13}{value:.4f}" for name, value in held_out["deviance"].items()),
        ]
    lines += [
        f"{name or '(none)':22}{_with_interval(one)}"
        for name, one in list(found["categories"].items())[:MOST_CATEGORIES]
    ]
    if beside["oracle"] is not None:
        lines.append(
            f"Regression by dummies   median {beside['oracle']:.2f} of {beside['items']} items, "
            f"ours {beside['ours']:.2f}"
        )
    words = {True: "passed", False: "MISSED", None: "unknown"}
    return lines + [f"{words[passed]:8}{name}" for name, passed in found["bars"].items()]


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.2f}" if error is None else f"{value:.2f} (standard error {error:.2f})"


def _with_interval(one: Mapping[str, Any]) -> str:
    if one["elasticity"] is None:
        return f"refused: {one['basis']}"
    return f"{one['elasticity']:.2f} ({one['low']:.2f} to {one['high']:.2f}), {one['basis']}"
