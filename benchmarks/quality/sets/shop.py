"""The synthetic shop that ships, smaller: its own generator, its own plan, its own truth."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality.sets import SalesSet
from daybreak.sources.synthetic import ShopOptions, generate

OPTIONS = ShopOptions(stores=6, items=25, start=date(2023, 7, 1), end=date(2025, 6, 30), users=1500)


def prepare(folder: Path, data: Path, seed: int = OPTIONS.seed) -> str:
    """The YAML that ships, with fewer stores and items."""
    truth = generate(OPTIONS.model_copy(update={"seed": seed})).truth
    days = truth.rate.shape[1]
    known = pd.DataFrame(
        {
            "business_date": np.tile(
                np.datetime64(truth.first_date) + np.arange(days), len(truth.rate)
            ),
            "store_id": np.repeat(truth.store_ids, days),
            "item_id": np.repeat(truth.item_ids, days),
            "mean": truth.rate.ravel(),
            "dispersion": truth.dispersion,
        }
    )
    known.to_parquet(folder / "truth.parquet", index=False)
    shipped = Path(__file__).parents[3] / "include" / "daybreak" / "datasets" / "synthetic.yaml"
    text = shipped.read_text(encoding="utf-8")
    for name, value in {
        "STORES:-8": OPTIONS.stores,
        "ITEMS:-60": OPTIONS.items,
        "START:-2024-04-01": OPTIONS.start,
        "END:-2026-06-30": OPTIONS.end,
        "USERS:-2000": OPTIONS.users,
        "SEED:-7": seed,
        "BASKETS:-40": OPTIONS.baskets_per_day,
    }.items():
        text = text.replace("${DAYBREAK_SYNTHETIC_" + name + "}", str(value))
    return text


SHOP = SalesSet("shop", prepare)
