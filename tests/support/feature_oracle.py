"""The history features again, one series and one day at a time, as slowly as they read.

Shares no code with the package: windows are lists, quantiles are ``numpy.quantile``, groups are
dictionaries.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from datetime import timedelta
from typing import Any

import numpy as np

from daybreak.facts.panel import Panel

Row = dict[str, float]


def history_rows(panel: Panel, t: int) -> list[Row]:
    """Feature name to value, for each series."""
    facts = [_series(panel, i, t) for i in range(len(panel))]
    for fact in facts:
        units, days = fact["units"], fact["days"]
        category = fact["usual"] = _usual(facts, fact["category"])
        elsewhere = _middle(
            [f["units"] / f["days"] for f in facts if f["item"] == fact["item"] and f["units"]]
        )
        of_item = sum(f["days"] for f in facts if f["item"] == fact["item"])
        item = (of_item * elsewhere + 2 * category) / (of_item + 2)
        if days:
            item = min(item, 3 * (units + 1) / days)
        fact["level"] = max((units + 2 * item) / (days + 2), 0.02)
    today = _weekday(panel, t)
    profiles = _profiles(facts)
    year = _year(panel, t, facts)
    return [_row(panel, fact, facts, today, profiles, year) for fact in facts]


def _weekday(panel: Panel, c: int) -> int:
    return (panel.first_date + timedelta(days=c * panel.step)).weekday()


def _first_sale(panel: Panel, i: int, t: int) -> int:
    return next((c for c in range(max(0, t - 419), t + 1) if panel.units[i, c] > 0), t + 1)


def _selling(panel: Panel, i: int, t: int) -> tuple[int, list[int]]:
    within = range(max(0, t - 419), t + 1)
    since = next((c for c in within if not np.isnan(panel.units[i, c])), t + 1)
    for lookback in (168, 420):
        first = max(0, t + 1 - lookback)
        days = [c for c in range(max(since, first), t + 1) if panel.open[i, c]]
        columns = _without_closures(panel, i, days)[-56:]
        if len(columns) == 56 or since >= first:
            break
    return since, columns


def _without_closures(panel: Panel, i: int, days: list[int]) -> list[int]:
    """Runs of 14 zeros or more go where, as it sold since, 10 sales were to be expected."""
    kept, run = [], []
    for k, c in enumerate(days):
        if not panel.units[i, c] > 0:
            run.append(c)
            continue
        after = days[k + 1 :]  # the sale that ends the run does not count
        sales = sum(panel.units[i, d] > 0 for d in after)
        if len(run) < 14 or len(run) * sales < 10 * (len(after) + 4):
            kept += run
        kept.append(c)
        run = []
    return kept + run


def _series(panel: Panel, i: int, t: int) -> dict[str, Any]:
    since, columns = _selling(panel, i, t)
    raw = [float(panel.units[i, c]) for c in columns]
    promoted = [float(panel.promotion[i, c]) > 0 for c in columns]
    cap = _cap(raw)
    units = [min(u, cap) for u in raw]
    regular = [0.1 if p else 1.0 for p in promoted]
    back = [len(columns) - 1 - k for k in range(len(columns))]
    weight = [r * (0.5 if b >= 28 else 1.0) for r, b in zip(regular, back, strict=True)]
    priced = [
        (float(panel.price[i, c]), w, p)
        for c, w, p in zip(columns, weight, promoted, strict=True)
        if not math.isnan(panel.price[i, c])
    ]
    prices = [(v, w) for v, w, p in priced if not p] or [(v, w) for v, w, _ in priced]
    price = float(panel.price[i, t])
    week = [[0.0, 0.0] for _ in range(7)]
    for c, u, r in zip(columns, units, regular, strict=True):
        day = _weekday(panel, c)
        week[day][0] += u * r
        week[day][1] += r
    decay = [0.5 ** (b / 10) for b in back]
    return {
        "store": panel.store_ids[i],
        "item": panel.item_ids[i],
        "category": panel.categories[i],
        "shelf": (panel.store_ids[i], panel.categories[i]),
        "raw": raw,
        "capped": units,
        "units": sum(u * w for u, w in zip(units, weight, strict=True)),
        "days": sum(weight),
        "regular": _over(sum(u * r for u, r in zip(units, regular, strict=True)), sum(regular)),
        "recent": _over(sum(u * d for u, d in zip(units, decay, strict=True)), sum(decay)),
        "share": _mean([float(panel.promotion[i, c]) for c in columns]),
        "reference": sum(p * w for p, w in prices) / sum(w for _, w in prices) if prices else price,
        "price": price,
        "age": min(t + 1 - since, 84),
        "never": len(raw) >= 28 and _first_sale(panel, i, t) > t,
        "week": week,
    }


def _cap(raw: list[float]) -> float:
    if len(raw) < 2:
        return max(3 * sum(raw), 1.0)
    *others, second, _ = sorted(raw)
    high = min(float(np.quantile(raw, 0.9)), 3 * max(second, 1))
    return max(3 * high, 2 * (sum(others) + 2 * second) / len(raw), 1.0)


def _row(  # noqa: PLR0917 - an oracle may be plain
    panel: Panel,
    fact: dict[str, Any],
    facts: list[dict[str, Any]],
    today: int,
    profiles: dict[Any, list[float]],
    year: dict[str, float],
) -> Row:
    raw, units, scale = fact["raw"], fact["capped"], fact["level"]
    sold = [k for k, u in enumerate(raw) if u > 0]
    alike = [
        other["reference"]
        for other in facts
        if other["category"] == fact["category"] and not math.isnan(other["reference"])
    ]
    row = {
        "scale": 0.0 if fact["never"] else scale,
        **{f"mean_{d}": _mean(units[-d:]) / scale for d in (7, 14, 28, 56)},
        "recent_mean": fact["recent"] / scale,
        "regular_mean": fact["regular"] / scale,
        "deviation": float(np.std(units)) / scale if units else 0.0,
        "peak_56": max(raw, default=0.0) / scale,
        **{f"p{q}_28": _quantile(raw[-28:], q) / scale for q in (10, 50, 90)},
        **{f"p{q}_56": _quantile(raw, q) / scale for q in (10, 25, 50, 75, 90)},
        "p50_units": _quantile(raw, 50),
        "p90_units": _quantile(raw, 90),
        **{f"zeros_{d}": _mean([float(u == 0) for u in raw[-d:]]) for d in (14, 56)},
        "sale_size": _over(sum(units), len(sold)) / scale,
        "since_sale": len(raw) - 1 - sold[-1] if sold else 56,
        "observed": len(raw),
        "age": fact["age"],
        "reference_price": fact["reference"],
        "price_now": fact["price"],
        "price_to_category": fact["reference"] / _middle(alike) if alike else math.nan,
        "promotion_share": fact["share"],
        "promotion_lift": year.get(fact["category"], math.nan),
        "category_code": zlib.crc32(fact["category"].encode()) % 65521,
        "store_code": zlib.crc32(fact["store"].encode()) % 65521,
    }
    group = [other["capped"] for other in facts if other["item"] == fact["item"]]
    weighed = [(u, _influence(_mean(u), fact["usual"])) for u in group]
    row["item_trend"] = (sum(_mean(u[-14:]) * w for u, w in weighed) + 0.1) / (
        sum(_mean(u) * w for u, w in weighed) + 0.1
    )
    for offset in range(7):
        day = (today + offset) % 7
        profile = profiles[fact["shelf"]][day]
        row[f"weekday_profile_{offset}"] = profile
        sold_then, days = fact["week"][day]
        row[f"same_weekday_{offset}"] = (sold_then + 2 * profile * scale) / (days + 2) / scale
    return row


def _profiles(facts: list[dict[str, Any]]) -> dict[Any, list[float]]:
    """Shelf to its profile, Monday first."""
    sums: dict[Any, list[list[float]]] = defaultdict(lambda: [[0.0, 0.0] for _ in range(7)])
    for fact in facts:
        days = sum(d for _, d in fact["week"])
        level = _over(sum(u for u, _ in fact["week"]), days)
        for key in (fact["shelf"], ("category", fact["category"])):
            for day, (units, count) in enumerate(fact["week"]):
                sums[key][day][0] += units * _influence(level, fact["usual"])
                sums[key][day][1] += count * level * _influence(level, fact["usual"])
    profiles = {}
    for fact in facts:
        whole, shelf = sums["category", fact["category"]], sums[fact["shelf"]]
        category = [(u + 20) / (e + 20) for u, e in whole]
        profiles[fact["shelf"]] = [
            (u + 20 * c) / (e + 20) for (u, e), c in zip(shelf, category, strict=True)
        ]
    return profiles


def _year(panel: Panel, t: int, facts: list[dict[str, Any]]) -> dict[str, float]:
    """Category to the lift of its promotions."""
    sold: dict[str, float] = defaultdict(float)
    usual: dict[str, float] = defaultdict(float)
    for i in range(len(panel)):
        days = [c for c in range(_first_sale(panel, i, t), t + 1) if panel.open[i, c]]
        level = _mean([float(panel.units[i, c]) for c in days])
        for c in days:
            if panel.promotion[i, c] > 0:
                units = min(float(panel.units[i, c]), max(10 * level, 1))
                weight = _influence(level, facts[i]["usual"])
                sold[panel.categories[i]] += units * weight
                usual[panel.categories[i]] += level * weight
    return {name: sold[name] / usual[name] for name in usual if usual[name] > 0}


def season_of(panel: Panel, t: int, category: str, day: int) -> float:
    """Last year's index around ``t + day`` over that of the 28 days up to ``t``, a year ago."""
    usual = _usual([_series(panel, i, t) for i in range(len(panel))], category)
    members = [i for i in range(len(panel)) if panel.categories[i] == category]
    long_run = {}
    for i in members:
        since = _first_sale(panel, i, t)
        days = [c for c in range(since, t + 1) if panel.open[i, c]]
        long_run[i] = (since, _mean([float(panel.units[i, c]) for c in days]))

    def index(c: int) -> float | None:
        if c < max(0, t - 419):
            return None
        above = below = 0.0
        for i in members:
            since, level = long_run[i]
            if c >= since and panel.open[i, c] and not panel.promotion[i, c] > 0:
                units = min(float(panel.units[i, c]), max(10 * level, 1))
                above += units * _influence(level, usual)
                below += level * _influence(level, usual)
        return above / below if below > 0 else None

    def mean(columns: range) -> float | None:
        known = [v for v in map(index, columns) if v is not None]
        return sum(known) / len(known) if 2 * len(known) >= len(columns) else None

    year, month, week = (days // panel.step for days in (364, 28, 7))
    before = mean(range(t - year - month + 1, t - year + 1))
    around = mean(range(t - year + day - week, t - year + day + week + 1))
    return around / before if before and around is not None else math.nan


def _middle(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2] if values else 0.0


def _influence(level: float, usual: float) -> float:
    return min(1.0, 10 * usual / level) if level > 0 and usual > 0 else 1.0


def _usual(facts: list[dict[str, Any]], category: str) -> float:
    return _middle(
        [f["units"] / f["days"] for f in facts if f["category"] == category and f["units"]]
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else 0.0


def _quantile(values: list[float], percent: int) -> float:
    return float(np.quantile(values, percent / 100)) if values else 0.0
