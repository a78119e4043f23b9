"""Responses to prices over many shops: at price changes held out, and beside a regression.

Each set is loaded into a warehouse of its own and the model's own backtest is run on it; of the
synthetic shop the planted elasticities stand beside. Real data are looked for in the folder that
DAYBREAK_TEST_DATA names, else in ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.sets import DataSet, prepared
from benchmarks.quality.sets.prices import PRICES
from benchmarks.quality.warehouse import Warehouse, server, warehouse
from daybreak.models.pricing.learn import LEARNING
from daybreak.sources.synthetic.catalogue import CATEGORIES
from daybreak.warehouse.engine import connect

ROOT = Path(__file__).parents[1]
CLOCK = "sales_forecast"
"""The model whose cutoffs are those of the forecast that prices are made of."""


def measure(held: Warehouse, progress: Callable[[str], None]) -> dict[str, Any]:
    """The model's own backtest up to the newest day."""
    with connect(held.engine) as conn:
        return LEARNING.backtest(
            conn, held.last, lambda day: held.as_of(conn, CLOCK, day), {}, progress
        )


def row(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A line of the table."""
    held, beside = found["held_out"], found["oracle"]
    given = sum(found["basis"][one] for one in ("own", "category", "shop"))
    line = {
        "set": name,
        "series": found["series"],
        "answered": given / found["series"],
        "changes": held["changes"],
        "items": beside["items"],
        "oracle": beside["oracle"],
        "ours": beside["ours"],
    }
    if held["changes"]:
        line |= {
            "right": held["direction"]["right"],
            "by chance": held["direction"]["expected"],
            "decisive": held["direction"]["decisive"],
            "of decisive": held["direction"]["right_of_decisive"],
            "size": held["size"]["factor"],
            "± ": held["size"]["standard_error"],
            "deviance": held["deviance"]["model"],
            "none": held["deviance"]["no_response"],
            "category": held["deviance"]["category"],
        }
    line["gate"] = "passed" if found["bars"]["seen_at_held_out_changes"] else "refused"
    truth = {kind.name: kind.elasticity for kind in CATEGORIES}
    if name.startswith("shop_"):
        off = [
            one["elasticity"] / truth[category] - 1.0
            for category, one in found["categories"].items()
            if one["elasticity"] is not None
        ]
        line |= {"off truth": float(np.median(off)), "largest": float(np.abs(off).max())}
    return line


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elasticity", description=__doc__)
    parser.add_argument("--only", help="sets, of " + ",".join(one.name for one in PRICES))
    parser.add_argument("--home", type=Path, help="where warehouses are kept between runs")
    parser.add_argument("--json", type=Path, help="where everything that was measured goes")
    taken = parser.parse_args(arguments)
    data = Path(os.environ.get("DAYBREAK_TEST_DATA") or ROOT.parent / "shared" / "data")
    wanted = taken.only.split(",") if taken.only else [one.name for one in PRICES]
    everything = {}
    with tempfile.TemporaryDirectory(prefix="dbk-", dir="/tmp") as made:
        home = taken.home or Path(made)
        with server(home) as started:
            for one in _there(wanted, data):
                with warehouse(started, prepared(one, data, home), lambda _line: None) as held:
                    found = measure(held, lambda _line: None)
                everything[one.name] = found
                print(f"\n{one.name}", *LEARNING.describe_backtest(found), sep="\n  ", flush=True)
    print()
    print(pd.DataFrame([row(name, found) for name, found in everything.items()]).round(3).to_csv())
    if taken.json:
        taken.json.write_text(json.dumps(everything, indent=1))


def _there(wanted: Sequence[str], data: Path) -> Iterator[DataSet]:
    for one in PRICES:
        if one.name in wanted:
            if one.needs and not (data / one.needs).exists():
                print(f"{one.name} is left out: no {data / one.needs}")
            else:
                yield one


if __name__ == "__main__":
    main()
