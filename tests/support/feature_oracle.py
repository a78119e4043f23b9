"""The history features again, one series and one day at a time, as slowly as they read.

Shares no code with the package: windows are lists, quantiles are ``numpy.quantile``, groups are
dictionaries.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np

from daybreak.facts.panel import Panel
from profile_oracle import cell_of, factors, own, price_effects, shrunk

Row = dict[str, float]


def history_rows(panel: Panel, t: int) -> list[Row]:
    """Feature name to value, for each series."""
    facts = _facts(panel, t)
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
    return [_row(fact, facts, today) for fact in facts]


def _facts(panel: Panel, t: int) -> list[dict[str, Any]]:
    """What is known of each series, days divided by their factors."""
    facts = [_series(panel, i, t) for i in range(len(panel))]
    weight = []
    for fact in facts:
        alike = [_mean(f["raw"]) for f in facts if f["category"] == fact["category"]]
        weight.append(_influence(_mean(fact["raw"]), _middle([m for m in alike if m > 0])))
    groups = [[fact[name] for fact in facts] for name in ("category", "item", "shelf")]
    own, of_groups = factors([fact["own"] for fact in facts], weight, groups)
    effects = price_effects([fact["own"] for fact in facts], weight, groups)
    for fact, mine, group, effect in zip(facts, own, of_groups, effects, strict=True):
        fact["effect"] = effect
        _in_usual_days(fact, mine if math.isnan(fact["reference"]) else mine[:7] * 2)
        fact |= {"group": group, "every": mine}
    for fact, slope in zip(facts, _slopes(facts, weight, groups[:2]), strict=True):
        fact["slope"] = slope if panel.step == 1 else 0.0
    return facts


def _slopes(
    facts: list[dict[str, Any]], weight: list[float], groups: list[list[Any]]
) -> list[float]:
    """Share of the level by 28 selling days, of the item beside all."""
    rise = sum(w * f["rise"] for f, w in zip(facts, weight, strict=True))
    level = sum(w * f["rise_level"] for f, w in zip(facts, weight, strict=True))
    common = _over(rise, level)
    slope = [common] * len(facts)
    for names in groups:
        sums: dict[Any, list[float]] = defaultdict(lambda: [0.0] * 3)
        for f, s, w, name in zip(facts, slope, weight, names, strict=True):
            sums[name][0] += w * (f["rise_level"] + f["rise"] - f["rise_level"] * s)
            sums[name][1] += w * f["rise_level"]
            sums[name][2] += w * f["rise_level"] * f["own"].dispersion
        deviation = shrunk([(name, 0, *of) for name, of in sums.items()])
        slope = [s + deviation[name, 0] - 1 for s, name in zip(slope, names, strict=True)]
    return [s - common for s in slope]


def _in_usual_days(fact: dict[str, Any], factor: list[float]) -> None:
    by_day = [
        factor[k] * (1 + fact["effect"] * low if low > 0 else 1 / (1 - fact["effect"] * low))
        for k, low in zip(fact["cells"], fact["lower"], strict=True)
    ]
    usual = [u / f for u, f in zip(fact["raw"], by_day, strict=True)]
    cap = _cap(usual)
    units = [min(u, cap) for u in usual]
    back = [len(units) - 1 - k for k in range(len(units))]
    regular = [(0.1 if k >= 7 else 1.0) * f for k, f in zip(fact["cells"], by_day, strict=True)]
    weight = [r * (0.5 if b >= 28 else 1.0) for r, b in zip(regular, back, strict=True)]
    decay = [f * 0.5 ** (b / 10) for f, b in zip(by_day, back, strict=True)]
    late = sum(d * f for d, f in zip(fact["own"].late_days, factor, strict=True))
    level, month = _weighed(units, by_day), [k / 28 for k in range(len(units))]
    since = [x - _weighed(month, by_day) for x in month]
    told = len(units) >= 28
    fact |= {
        "rise": sum(x * f * (u - level) for x, f, u in zip(since, by_day, units, strict=True))
        if told
        else 0.0,
        "rise_level": level * sum(x**2 * f for x, f in zip(since, by_day, strict=True))
        if told
        else 0.0,
        "factor": factor,
        "by_day": by_day,
        "usual_days": usual,
        "capped": units,
        "units": _dot(units, weight),
        "days": sum(weight),
        "regular": _over(_dot(units, regular), sum(regular)),
        "recent": _over(_dot(units, decay), sum(decay)),
        "late": fact["own"].late_units / late if late > 0 else _weighed(units, by_day),
    }


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
    promoted = [float(panel.promotion[i, c]) > 0 for c in columns]
    back = [len(columns) - 1 - k for k in range(len(columns))]
    priced = [
        (float(panel.price[i, c]), 0.5 if b >= 28 else 1.0, p)
        for c, b, p in zip(columns, back, promoted, strict=True)
        if not math.isnan(panel.price[i, c])
    ]
    prices = [(v, w) for v, w, p in priced if not p] or [(v, w) for v, w, _ in priced]
    price = float(panel.price[i, t])
    raw = [float(panel.units[i, c]) for c in columns]
    reference = sum(p * w for p, w in prices) / sum(w for _, w in prices) if prices else price
    lower = [_lower(float(panel.price[i, c]), reference if prices else math.nan) for c in columns]
    open_days = [c for c in range(max(since, t - 419), t + 1) if panel.open[i, c]]
    weekday = partial(_weekday, panel)
    return {
        "own": own(panel, i, t, sorted(_without_closures(panel, i, open_days)), weekday),
        "cells": [cell_of(panel, i, c, weekday(c)) for c in columns],
        "store": panel.store_ids[i],
        "item": panel.item_ids[i],
        "category": panel.categories[i],
        "shelf": (panel.store_ids[i], panel.categories[i]),
        "raw": raw,
        "share": _mean([float(panel.promotion[i, c]) for c in columns]),
        "reference": reference,
        "lower": lower,
        "price": price,
        "age": min(t + 1 - since, 84),
        "never": len(raw) >= 28 and _first_sale(panel, i, t) > t,
    }


def _lower(price: float, usual: float) -> float:
    if math.isnan(price) or math.isnan(usual) or usual == 0:
        return 0.0
    return max(-0.5, min(0.5, 1 - price / usual))


def _cap(raw: list[float]) -> float:
    if len(raw) < 2:
        return max(3 * sum(raw), 1.0)
    *others, second, _ = sorted(raw)
    high = min(float(np.quantile(raw, 0.9)), 3 * max(second, 1))
    return max(3 * high, 2 * (sum(others) + 2 * second) / len(raw), 1.0)


def _row(fact: dict[str, Any], facts: list[dict[str, Any]], today: int) -> Row:
    by_day, usual = fact["by_day"], fact["usual_days"]
    raw, units, scale = fact["raw"], fact["capped"], fact["level"]
    sold = [k for k, u in enumerate(raw) if u > 0]
    alike = [
        other["reference"]
        for other in facts
        if other["category"] == fact["category"] and not math.isnan(other["reference"])
    ]
    row = {
        "scale": 0.0 if fact["never"] else scale,
        **{f"mean_{d}": _weighed(units[-d:], by_day[-d:]) / scale for d in (7, 14, 28, 56)},
        "mean_112": fact["late"] / scale,
        "recent_mean": fact["recent"] / scale,
        "regular_mean": fact["regular"] / scale,
        "deviation": math.sqrt(_mean([(u - _weighed(units, by_day)) ** 2 for u in units])) / scale,
        "peak_56": max(usual, default=0.0) / scale,
        **{f"p{q}_28": _quantile(usual[-28:], q) / scale for q in (10, 50, 90)},
        **{f"p{q}_56": _quantile(usual, q) / scale for q in (10, 25, 50, 75, 90)},
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
        "price_effect": fact["effect"],
        "promotion_share": fact["share"],
        "promotion_lift": sum(fact["every"][7:]) / sum(fact["every"][:7]),
        "item_slope": fact["slope"],
        "category_code": zlib.crc32(fact["category"].encode()) % 65521,
        "store_code": zlib.crc32(fact["store"].encode()) % 65521,
    }
    group = [
        (
            _weighed(other["capped"][-14:], other["by_day"][-14:]),
            _weighed(other["capped"], other["by_day"]),
        )
        for other in facts
        if other["item"] == fact["item"]
    ]
    weighed = [(late, all_, _influence(all_, fact["usual"])) for late, all_ in group]
    row["item_trend"] = (sum(late * w for late, _, w in weighed) + 0.1) / (
        sum(all_ * w for _, all_, w in weighed) + 0.1
    )
    for offset in range(7):
        day = (today + offset) % 7
        row[f"day_factor_{offset}"] = fact["factor"][day]
        row[f"promoted_factor_{offset}"] = fact["factor"][day + 7]
        row[f"group_factor_{offset}"] = fact["group"][day]
        row[f"promoted_group_factor_{offset}"] = fact["group"][day + 7]
    return row


Seasons = list[list[tuple[float, float]]]
RECENCY = [0.5] * 28 + [1.0] * 28


def seasons_of(panel: Panel, t: int) -> Seasons:
    """For each series and day ahead: last year's index around it over that of the 56 days a year
    before ``t``, of the category, and by what that of the item is another one.

    Of weeks those 56 are the ones up to ``t`` where the ones before are unknown, but something was
    sold before these.
    """
    facts = _facts(panel, t)
    sums: dict[tuple[str, Any, int], list[float]] = defaultdict(lambda: [0.0] * 3)
    for i, fact in enumerate(facts):
        since = _first_sale(panel, i, t)
        days = [c for c in range(since, t + 1) if panel.open[i, c]]
        factor = {c: fact["every"][cell_of(panel, i, c, _weekday(panel, c))] for c in days}
        level = _over(sum(float(panel.units[i, c]) for c in days), sum(factor.values()))
        weight = _influence(level, _usual(facts, fact["category"]))
        for c in days:
            units = min(float(panel.units[i, c]), max(10 * level, 1)) * weight
            usual = level * factor[c] * weight
            for kind in ("category", "item"):
                of = sums[kind, fact[kind], c]
                for place, value in enumerate((units, usual, usual * weight)):
                    of[place] += value * (fact["own"].dispersion if place == 2 else 1)

    def index(category: str, c: int) -> float | None:
        units, usual, _ = sums["category", category, c]
        return units / usual if c >= max(0, t - 419) and usual > 0 else None

    def mean(category: str, columns: range, weight: list[float]) -> float | None:
        known = [(index(category, c), w) for c, w in zip(columns, weight, strict=True)]
        total = sum(w for v, w in known if v is not None)
        if 2 * total < sum(weight):
            return None
        return sum(v * w for v, w in known if v is not None) / total

    year, week = 364 // panel.step, 7 // panel.step

    def before(category: str) -> tuple[range, list[float]]:
        of_level = range(t - year - 55, t - year + 1)
        begun = any(index(category, c) is not None for c in range(t - 54))
        if panel.step == 7 and begun and mean(category, of_level, RECENCY) is None:
            of_level = range(t - 55, t + 1)
        return of_level, RECENCY

    around = [
        (range(t - year + day - week, t - year + day + week + 1), [1.0] * (2 * week + 1))
        for day in range(1, panel.ahead + 1)
    ]

    def of_item(item: Any, category: str, columns: range, weight: list[float]) -> Any:
        """Units over what the category says of them, a unit more each, and the noise of that."""
        sold, level, noise = 1.0, 1.0, 0.0
        for c, w in zip(columns, weight, strict=True):
            if share := index(category, c):
                units, usual, variance = sums["item", item, c]
                sold += w * units
                level += w * usual * share
                noise += w * w * variance * share
        return sold / level, noise / level**2

    rows = []
    for item, category in {(fact["item"], fact["category"]) for fact in facts}:
        start, start_noise = of_item(item, category, *before(category))
        for day, days in enumerate(around):
            ratio, noise = of_item(item, category, *days)
            variance = noise + start_noise
            rows.append((item, day, ratio / start, 1.0 if variance > 0 else 0.0, variance))
    deviation = shrunk(rows)

    def both(fact: dict[str, Any], day: int) -> tuple[float, float]:
        name = fact["category"]
        level, now = (mean(name, *days) for days in (before(name), around[day]))
        if not level or now is None:
            return math.nan, math.nan
        return tuple(min(max(v, 0.1), 10.0) for v in (now / level, deviation[fact["item"], day]))

    return [[both(fact, day) for day in range(panel.ahead)] for fact in facts]


def _middle(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2] if values else 0.0


def _dot(values: list[float], weights: list[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True))


def _weighed(values: list[float], weights: list[float]) -> float:
    return _over(_dot(values, weights), sum(weights))


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
