"""Data sets of prices that move: of a shop whose response to them is known, and real ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.quality.sets import DataSet
from benchmarks.quality.sets.real import categories, invented_weeks, online_retail, receipts


def shop(seed: int, stores: int, items: int, folder: Path, data: Path) -> str:
    """The YAML that ships, of another seed and size; of it sales and plans alone."""
    shipped = Path(__file__).parents[3] / "include" / "daybreak" / "datasets" / "synthetic.yaml"
    text = shipped.read_text(encoding="utf-8")
    for name, default, value in (
        ("SEED", 7, seed),
        ("STORES", 8, stores),
        ("ITEMS", 60, items),
        ("USERS", 2000, 1),
        ("BASKETS", 40, 0),
    ):
        text = text.replace(f"${{DAYBREAK_SYNTHETIC_{name}:-{default}}}", str(value))
    payments = slice(text.index("  payments:"), text.index("\ncalendar:"))
    return text[: payments.start] + text[payments.stop : text.index("\ninteractions:")] + "\n"


def cheese(folder: Path, data: Path) -> str:
    """One product at 86 retailers; what is displayed is its promotion."""
    sold = pd.read_parquet(data / "bayesm_cheese" / "cheese_weekly.parquet")
    sold = sold[sold["week_index"] <= 60]
    sold.assign(date=invented_weeks(sold["week_index"])).to_parquet(
        folder / "sales.parquet", index=False
    )
    return """\
name: cheese
calendar: {period: week}
sales:
  files: ${HERE}/sales.parquet
  columns:
    business_date: date
    store_id: retailer
    item_id: {const: cheese}
    units: volume
    price: price
    promotion: display_acv
items:
  files: ${HERE}/sales.parquet
  columns: {item_id: {const: cheese}, category: {const: cheese}}
  duplicates: first
"""


def groceries(folder: Path, data: Path) -> str:
    """Products of the ten largest stores by what was paid for one; mailed weeks are promotions."""
    lines = receipts(data)
    stores = lines["store_id"].value_counts().index[:10]
    lines = lines[lines["store_id"].isin(stores)]
    best = lines.groupby("product_id")["quantity"].sum().nlargest(300).index
    lines = lines[lines["product_id"].isin(best)]
    keys = ["date", "store_id", "product_id"]
    sold = lines.groupby(keys, as_index=False).agg(
        quantity=("quantity", "sum"), paid=("sales_value", "sum")
    )
    sold = sold[sold["paid"] > 0]
    sold.assign(price=sold["paid"] / sold["quantity"]).to_parquet(
        folder / "sales.parquet", index=False
    )
    kinds = lines.drop_duplicates("product_id")[["product_id", "department"]]
    kinds.to_parquet(folder / "items.parquet", index=False)
    offered = pd.read_parquet(data / "completejourney_subset" / "promotions.parquet")
    offered = offered[offered["store_id"].isin(stores) & offered["product_id"].isin(best)]
    shown = (offered["mailer_location"] != "0") | (offered["display_location"] != "0")
    offered = offered[shown][["week", "store_id", "product_id"]].drop_duplicates()
    weeks = lines[["week", "date"]].drop_duplicates()
    offered.merge(weeks, on="week").assign(promotion=1).drop(columns="week").to_parquet(
        folder / "plan.parquet", index=False
    )
    return """\
name: groceries
calendar: {timezone: America/New_York, country: US, closed_dates: ["12-25"]}
sales:
  files: ${HERE}/sales.parquet
  columns:
    business_date: date
    store_id: store_id
    item_id: product_id
    units: quantity
    price: price
plan:
  files: ${HERE}/plan.parquet
  columns: {business_date: date, store_id: store_id, item_id: product_id, promotion: promotion}
  known_ahead: 28d
items:
  files: ${HERE}/items.parquet
  columns: {item_id: product_id, category: department}
"""


PRICES: tuple[DataSet, ...] = (
    *(
        DataSet(f"shop_{seed}_{stores}x{items}", partial(shop, seed, stores, items))
        for stores, items in ((3, 20), (8, 60))
        for seed in (7, 8, 9)
    ),
    DataSet("cheese", cheese, "bayesm_cheese/cheese_weekly.parquet"),
    DataSet("groceries", groceries, "completejourney_subset/transactions.parquet"),
    DataSet("categories", categories, "completejourney_subset/transactions.parquet"),
    DataSet("online_retail", online_retail, "online_retail/online_retail.parquet"),
)
