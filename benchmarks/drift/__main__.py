"""Planted drifts and quiet days, over shops:

python -m benchmarks.drift --only shop_7,bakery
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drift.nights import Nights, train
from benchmarks.drift.plants import PLANTS, Plant
from benchmarks.quality.sets import SalesSet, prepared, real, shop
from benchmarks.quality.warehouse import server, warehouse
from daybreak.facts.panel import Panel
from daybreak.facts.series import read_all
from daybreak.models.base import Progress
from daybreak.models.sales_forecast.model import MODEL

SEEDS = (7, 11, 12, 13, 14, 15, 16, 17)
SHOPS = tuple(SalesSet(f"shop_{seed}", partial(shop.prepare, seed=seed)) for seed in SEEDS)
REAL = ("bakery", "online_retail", "restaurant", "departments", "categories")
SETS = {one.name: one for one in (*SHOPS, *(one for one in real.SALES if one.name in REAL))}
MOST_SERIES = 300
WITHIN = 2
"""Nights in which a drift has to be found."""


@dataclass(frozen=True)
class Days:
    """``learned``: nights before the quiet ones, from which limits follow. ``quiet``: nights.
    ``trained_every``: nights from one training to the next. ``starts``: quiet nights after which
    each drift is planted. ``before_the_end``: nights that are left out."""

    learned: int = 60
    quiet: int = 60
    trained_every: int = 28
    starts: tuple[int, ...] = (20, 40, 58)
    before_the_end: int = 3


@dataclass
class Found:
    """``alarms``: names by quiet night. ``nights``: until each plant was found, by start; 0 where
    it was not within ``WITHIN``. ``by``: what found it first."""

    name: str
    series: int
    first: str
    last: str
    alarms: dict[str, list[str]] = field(default_factory=dict)
    nights: dict[str, list[int]] = field(default_factory=dict)
    by: dict[str, list[str]] = field(default_factory=dict)

    @property
    def false_alarms(self) -> int:
        """Names that were raised on quiet nights."""
        return sum(map(len, self.alarms.values()))


def measure(name: str, panel: Panel, days: Days, plants: Sequence[Plant] = PLANTS) -> Found:
    """Learn what is usual, pass quiet nights, and plant each drift after some of them."""
    end = panel.days - 1 - days.before_the_end
    start = end - days.quiet - days.learned
    nights = Nights(panel, train(panel, start))
    found = Found(
        name, len(panel), *(panel.date_of(c).isoformat() for c in (end - days.quiet, end))
    )
    for night in range(days.learned + days.quiet):
        column = start + night
        if night and night % days.trained_every == 0:
            nights.version = train(panel, column - 1)
        quiet = night - days.learned
        if quiet in days.starts:
            for plant in plants:
                _plant(found, nights, plant, column)
        raised = nights.night(column)
        if quiet >= 0 and raised:
            found.alarms[panel.date_of(column).isoformat()] = [" ".join(one) for one in raised]
    return found


def _plant(found: Found, nights: Nights, plant: Plant, column: int) -> None:
    planted = plant.into(nights, column)
    for night in range(WITHIN):
        before = set(planted.in_alarm)
        raised = [one for one in planted.night(column + night, plant.spoil) if one not in before]
        if raised:
            break
    found.nights.setdefault(plant.name, []).append(night + 1 if raised else 0)
    names = [" ".join(one) for one in raised]
    found.by.setdefault(plant.name, []).append(", ".join(names[:3]) + (" …" * (len(names) > 3)))


def panels(
    names: Sequence[str], data: Path, cache: Path, days: int, progress: Progress
) -> Iterator[tuple[str, Panel]]:
    """The last ``days`` of each set, of its best sellers; loaded where it is not yet."""
    with server(cache / "warehouse") as started:
        for name in names:
            yaml = prepared(SETS[name], data, cache)
            with warehouse(started, yaml, progress) as loaded, loaded.engine.connect() as conn:
                as_of = loaded.as_of(conn, MODEL.name, loaded.last)
                panel = read_all(conn, as_of, days=days, ahead=28)
            yield name, best_sellers(panel)


def best_sellers(panel: Panel) -> Panel:
    """At most ``MOST_SERIES``, by units, in key order."""
    order = np.argsort(-np.nansum(panel.units, axis=1), kind="stable")
    return panel.of_series(np.sort(order[:MOST_SERIES]))


def report(results: Sequence[Found]) -> str:
    """The table that stands in README.md."""
    heads = ["| data | series | quiet nights | alarms on them |", "|---|---:|---|---:|"]
    lines = [*heads]
    lines += [
        f"| {one.name} | {one.series} | {one.first} to {one.last} | {one.false_alarms} |"
        for one in results
    ]
    lines += ["", "| planted | " + " | ".join(one.name for one in results) + " |"]
    lines.append("|---|" + "---|" * len(results))
    for plant in results[0].nights:
        cells = (", ".join(str(n) if n else "not" for n in one.nights[plant]) for one in results)
        lines.append(f"| {plant} | " + " | ".join(cells) + " |")
    lines += ["", "A number is the night on which it was found, from each of the starts."]
    for one in results:
        for day, names in one.alarms.items():
            lines.append(f"{one.name}, {day}: {', '.join(names)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="shop_7,shop_11", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/drift"))
    parser.add_argument("--json", action="store_true", help="what found each, too")
    options = parser.parse_args()
    days = Days()
    results = []
    for name, panel in panels(options.only.split(","), options.data, options.cache, 800, _quiet):
        results.append(measure(name, panel, days))
        print(f"{name}: {results[-1].false_alarms} alarm(s)", flush=True)
    print(json.dumps([_as_json(one) for one in results]) if options.json else report(results))


def _as_json(found: Found) -> dict[str, Any]:
    return asdict(found)


def _quiet(_message: str) -> None:
    """Loading takes a minute a set."""


if __name__ == "__main__":
    main()
