"""The bars of the pricing model in one run, each part with a PostgreSQL of its own:

python -m benchmarks.prices

Shops whose true demand is known: what the published prices earn, beside keeping prices and the
best ones under the same rules; responses at price changes held out; how soon a price is answered,
and whether it is the night's. Then random rules, and a night of 30,000 prices by the real jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks import elasticity
from benchmarks.online.drill import say
from benchmarks.prices import live, margins, night, report, rules
from benchmarks.prices.shops import Size, priced_shop
from daybreak.models.base import Progress

SEEDS = (101, 102, 103)
"""On none of which anything was tuned."""
PARTS = ("shops", "rules", "night")
RULES: dict[str, dict[str, Any]] = {
    "the rules that ship": {},
    "any number of changes": {"changes_a_night": None},
}
"""What is changed of the rules that ship."""


def measure(
    seeds: Sequence[int],
    size: Size,
    scale: night.Scale,
    *,
    cases: int,
    seconds: float,
    parts: Sequence[str] = PARTS,
    progress: Progress = say,
) -> dict[str, Any]:
    """``cases``: of random rules. ``seconds``: that each kind of question is asked."""
    found: dict[str, Any] = {"again": []}
    if "shops" in parts:
        found |= {"shops": [], "live": []}
        for seed in seeds:
            _shop(seed, size, seconds, found, progress)
    if "rules" in parts:
        found["rules"] = rules.measure(cases, progress)
    if "night" in parts:
        found["night"] = night.measure(scale, progress)
        found["again"].append(found["night"]["again"])
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return found | {"machine": f"{machine}, load {os.getloadavg()[0]:.1f}"}


def _shop(seed: int, size: Size, seconds: float, found: dict[str, Any], progress: Progress) -> None:
    with priced_shop(seed, size, progress) as priced:
        earned = {}
        for name, changed in RULES.items():
            if changed:
                priced.propose(**changed)
            progress(f"seed {seed}: what is earned, {name}")
            earned[name] = margins.measure(priced)
        found["again"].append(live.asked_again(priced.runtime, priced.as_of))
        answered = live.measure(priced.runtime, priced.as_of, seconds, progress)
        found["again"].append(answered["over_http"])
        found["live"].append(answered)
        progress(f"seed {seed}: responses at price changes held out, and a regression")
        held = elasticity.measure(priced.warehouse, lambda _line: None)
    found["shops"].append({"seed": seed, "margins": earned, "elasticity": held})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--stores", type=int, default=Size.stores, help="of each shop")
    parser.add_argument("--items", type=int, default=Size.items, help="of each shop")
    parser.add_argument("--cases", type=int, default=10_000, help="random rules")
    parser.add_argument("--prices", type=int, default=30_000, help="of the night")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each kind of question")
    parser.add_argument("--json", action="store_true", help="all figures")
    taken = parser.parse_args(arguments)
    scale = night.Scale()
    found = measure(
        taken.seeds,
        Size(taken.stores, taken.items),
        replace(scale, stores=max(1, taken.prices // scale.items)),
        cases=taken.cases,
        seconds=taken.seconds,
        parts=taken.only,
    )
    if taken.json:
        print(json.dumps(found, indent=1))
    else:
        print(report.table(report.lines(found)), found["machine"], sep="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
