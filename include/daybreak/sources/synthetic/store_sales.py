"""The sample files of the data set ``store_sales``: ``python -m ...synthetic.store_sales FOLDER``.

The shape of public store-sales files (one line a store and day, closed days included), filled by
the synthetic shop with one item a store. No line of a published file is in it.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from daybreak.sources.synthetic.catalogue import Stream, stream
from daybreak.sources.synthetic.options import ShopOptions
from daybreak.sources.synthetic.plan import make_days
from daybreak.sources.synthetic.shop import generate

OPTIONS = ShopOptions(
    seed=11,
    stores=10,
    items=1,
    start=date(2025, 1, 1),
    end=date(2026, 6, 30),
    ahead=28,
    country="DE",
    closed_weekday_share=1,
    holiday_opening_share=0,
    units_per_day=6000,
    dispersion=0.012,
    slow_share=0,
    new_item_share=0,
    promotion_share=0.4,
    stockout_rate=0,
)
TURNOVER_PER_CUSTOMER = 9.0
CHRISTMAS_DAYS = ((12, 25), (12, 26))
EASTER_MONTHS = (3, 4)


def store_sales() -> dict[str, pd.DataFrame]:
    """File name -> its table: ``sales.csv``, ``ahead.csv`` and ``stores.csv``."""
    shop = generate(OPTIONS)
    days, truth = make_days(OPTIONS), shop.truth
    stores, span = truth.units.shape
    hours = shop.hours.to_pandas()
    lines = pd.DataFrame(
        {
            "Store": np.repeat(np.arange(1, stores + 1), span),
            "DayOfWeek": np.tile(days.weekday + 1, stores),
            "Date": np.tile(np.datetime_as_string(days.dates), stores),
            "Sales": truth.units.ravel(),
            "Customers": _customers(truth.units),
            "Open": hours["open"].to_numpy(dtype=np.int8),
            "Promo": truth.promotion.ravel().astype(np.int8),
            "StateHoliday": np.tile(_state_holidays(days.dates, days.public_holiday), stores),
            "SchoolHoliday": hours["holiday"].to_numpy(),
        }
    ).sort_values(["Date", "Store"])
    past = lines["Date"] <= OPTIONS.end.isoformat()
    letters = stream(OPTIONS, Stream.STORES, 1).integers(0, 3, (stores, 2))
    return {
        "sales.csv": lines[past],
        "ahead.csv": lines[~past].drop(columns=["Sales", "Customers"]),
        "stores.csv": pd.DataFrame(
            {
                "Store": np.arange(1, stores + 1),
                "StoreType": np.array(list("abd"))[letters[:, 0]],
                "Assortment": np.array(list("abc"))[letters[:, 1]],
            }
        ),
    }


def write_store_sales(folder: Path) -> None:
    """Write the three files; the same bytes every time."""
    for name, table in store_sales().items():
        (folder / name).write_text(table.to_csv(index=False, lineterminator="\n"))


def _customers(units: np.ndarray) -> np.ndarray:
    generator = stream(OPTIONS, Stream.VISITS)
    spending = TURNOVER_PER_CUSTOMER * generator.normal(1, 0.03, units.shape)
    return np.floor(units / spending).astype(np.int64).ravel()


def _state_holidays(dates: np.ndarray, public: np.ndarray) -> np.ndarray:
    """``a`` public holiday, ``b`` Easter, ``c`` Christmas, ``0`` none."""
    letters = np.where(public, "a", "0")
    for place, day in enumerate(dates.tolist()):
        if public[place] and day.month in EASTER_MONTHS:
            letters[place] = "b"
        elif public[place] and (day.month, day.day) in CHRISTMAS_DAYS:
            letters[place] = "c"
    return letters


if __name__ == "__main__":
    write_store_sales(Path(sys.argv[1]))
