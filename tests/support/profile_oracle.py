"""Factors of the days of a week again, one series and one day at a time.

Shares no code with the package: levels are sums over a slice, groups are dictionaries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from daybreak.facts.panel import Panel

CELLS = range(14)


class Own(NamedTuple):
    """What one series says of its cells."""

    sold: list[float]
    level: list[float]
    dispersion: float
    beyond: float
    price_level: float
    late_units: float
    late_days: list[int]


def cell_of(panel: Panel, i: int, c: int, weekday: int) -> int:
    """0 to 6 by weekday, 7 to 13 where it is promoted."""
    return weekday + (7 if panel.promotion[i, c] > 0 else 0)


def own(panel: Panel, i: int, t: int, columns: Sequence[int], weekday: Callable[[int], int]) -> Own:
    """Of the selling days ``columns`` of the last 420 up to ``t``."""
    every = sorted(float(panel.units[i, c]) for c in columns)
    others = (sum(every[:-1]) + (every[-2] if len(every) > 1 else 0)) / max(len(every), 1)
    units = {c: min(float(panel.units[i, c]), max(10 * others, 1.0)) for c in columns}
    mean = sum(units.values()) / max(len(columns), 1)
    cell = {c: cell_of(panel, i, c, weekday(c)) for c in columns}
    days = [sum(cell[c] == k for c in columns) for k in CELLS]
    sold = [sum(units[c] for c in columns if cell[c] == k) for k in CELLS]
    usual = [0 if any(days[:7]) and k >= 7 else days[k] for k in CELLS]
    reach = 28 // panel.step
    near = {c: [d for d in columns if abs(d - c) <= reach] for c in columns}

    def levels(factors: list[float]) -> dict[int, float]:
        return {
            c: sum(units[d] for d in near[c]) / max(sum(factors[cell[d]] for d in near[c]), 1e-9)
            for c in columns
        }

    factors = [1.0] * 14
    for _ in range(4):
        level = levels(factors)
        expected = [sum(level[c] for c in columns if cell[c] == k) for k in CELLS]
        factors = [(s + mean) / max(e + mean, 1e-9) for s, e in zip(sold, expected, strict=True)]
        middle = sum(f * d for f, d in zip(factors, usual, strict=True)) / max(sum(usual), 1)
        factors = [f / max(middle, 1e-9) for f in factors]
    level = levels(factors)
    fitted = {c: max(level[c] * factors[cell[c]], 1e-9) for c in columns}
    error = sum((units[c] - fitted[c]) ** 2 / fitted[c] for c in columns)
    used = sum(count > 0 for count in days)
    enough = len(columns) >= 21
    late = [c for c in columns if c > t - 112]
    beyond, price_level = _by_price(
        {c: float(panel.price[i, c]) for c in columns if cell[c] < 7 and panel.price[i, c] > 0}
        if "price" in panel.planned
        else {},
        units,
        {c: factors[cell[c]] for c in columns},
        near,
    )
    return Own(
        sold,
        [sum(level[c] for c in columns if cell[c] == k) for k in CELLS],
        max(error / max(len(columns) - used, 1), 1 - mean, 1e-3 * mean) if enough else 1.0 + mean,
        beyond,
        price_level,
        sum(units[c] for c in late),
        [sum(cell[c] == k for c in late) for k in CELLS],
    )


def _by_price(
    price: dict[int, float],
    units: dict[int, float],
    factor: dict[int, float],
    near: dict[int, list[int]],
) -> tuple[float, float]:
    """Units beyond what the level around explains, by how much lower the price was than around."""
    beyond = level = 0.0
    for c, paid in price.items():
        alike = [d for d in near[c] if d in price]
        usual = sum(price[d] for d in alike) / len(alike)
        expected = (
            factor[c] * sum(units[d] for d in alike) / max(sum(factor[d] for d in alike), 1e-9)
        )
        lower = max(-0.5, min(0.5, 1 - paid / usual))
        beyond += lower * (units[c] - expected)
        level += lower**2 * expected
    return beyond, level


def price_effects(found: list[Own], weight: list[float], groups: list[list[Any]]) -> list[float]:
    """Of each series; ``groups`` as for `factors`."""
    units = sum(w * f.beyond for f, w in zip(found, weight, strict=True))
    level = sum(w * f.price_level for f, w in zip(found, weight, strict=True))
    noise = sum(w * f.price_level * f.dispersion for f, w in zip(found, weight, strict=True))
    if level <= 0 or units <= 0:
        return [0.0] * len(found)
    effect = [units / level * max(0.0, 1 - noise / units**2)] * len(found)
    for names, counted in [
        *((names, weight) for names in groups),
        (list(range(len(found))), [1.0] * len(found)),
    ]:
        sums: dict[Any, list[float]] = defaultdict(lambda: [0.0] * 3)
        for f, e, w, name in zip(found, effect, counted, names, strict=True):
            sums[name][0] += w * (f.price_level + f.beyond - f.price_level * e)
            sums[name][1] += w * f.price_level
            sums[name][2] += w * f.price_level * f.dispersion
        deviation = shrunk([(name, 0, *of) for name, of in sums.items()])
        effect = [e + deviation[name, 0] - 1 for e, name in zip(effect, names, strict=True)]
    return [max(e, 0.0) for e in effect]


def factors(
    found: list[Own], weight: list[float], groups: list[list[Any]]
) -> tuple[list[list[float]], list[list[float]]]:
    """Factors of each series, and of its groups; ``groups`` from the widest, a name a series."""
    units = [sum(w * f.sold[k] for f, w in zip(found, weight, strict=True)) for k in CELLS]
    level = [sum(w * f.level[k] for f, w in zip(found, weight, strict=True)) for k in CELLS]
    week = [(units[k] + 20) / (level[k] + 20) for k in range(7)]
    expected = [level[7 + k] * week[k] for k in range(7)]
    lift = (sum(units[7:]) + 20) / (sum(expected) + 20)
    promoted = [(units[7 + k] + 20) / (expected[k] * lift + 20) for k in range(7)]
    root = [*week, *(w * lift * p for w, p in zip(week, promoted, strict=True))]
    so_far = [list(root) for _ in found]
    for names in groups:
        so_far = _deviate(found, so_far, weight, names)
    alone = _deviate(found, so_far, [1.0] * len(found), list(range(len(found))))
    return _floored(alone), _floored(so_far)


def _deviate(
    found: list[Own], so_far: list[list[float]], weight: list[float], names: list[Any]
) -> list[list[float]]:
    sums: dict[Any, list[list[float]]] = defaultdict(lambda: [[0.0] * 3 for _ in CELLS])
    for f, factor, w, name in zip(found, so_far, weight, names, strict=True):
        for k in CELLS:
            expected = f.level[k] * factor[k] * w
            for place, value in enumerate((f.sold[k] * w, expected, expected * f.dispersion * w)):
                sums[name][k][place] += value
    whole = shrunk(
        [
            (name, 0, *(sum(cell[place] for cell in of[7:]) for place in range(3)))
            for name, of in sums.items()
        ]
    )
    ordinary = shrunk([(name, k, *of[k]) for name, of in sums.items() for k in range(7)])
    promoted = shrunk(
        [
            (name, k, of[k][0], of[k][1] * whole[name, 0], of[k][2] * whole[name, 0])
            for name, of in sums.items()
            for k in range(7, 14)
        ]
    )
    return [
        [
            factor[k] * (ordinary[name, k] if k < 7 else whole[name, 0] * promoted[name, k])
            for k in CELLS
        ]
        for factor, name in zip(so_far, names, strict=True)
    ]


def shrunk(rows: list[tuple[Any, int, float, float, float]]) -> dict[tuple[Any, int], float]:
    """Ratios that differ by more than their noise, by the method of moments."""
    known = {
        (name, k): (sold / expected, variance / expected**2)
        for name, k, sold, expected, variance in rows
        if expected > 0 and variance > 0
    }
    every = {(name, k): 1.0 for name, k, *_ in rows}
    if len(known) < 2:
        return every
    weight = {key: 1 / (noise + 0.04) for key, (_, noise) in known.items()}
    total = sum(weight.values())
    middle = sum(weight[key] * ratio for key, (ratio, _) in known.items()) / total
    observed = sum(weight[key] * (ratio - middle) ** 2 for key, (ratio, _) in known.items())
    by_chance = sum(
        weight[key] * noise - weight[key] ** 2 * noise / total for key, (_, noise) in known.items()
    )
    between = (observed - by_chance) / (total - sum(w * w for w in weight.values()) / total)
    if between <= 0:
        return every
    return every | {
        key: 1 + between / (between + noise) * (ratio - 1) for key, (ratio, noise) in known.items()
    }


def _floored(rows: Iterable[list[float]]) -> list[list[float]]:
    return [[max(value, 0.02) for value in row] for row in rows]
