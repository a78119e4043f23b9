"""Real data sets, as a user would bring them: their columns named in a YAML, little else done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality.sets import SalesSet

FUEL = ("FUEL", "MISCELLANEOUS")
"""Not counted in pieces: up to 35,836 units a line."""


def online_retail(folder: Path, data: Path) -> str:
    """The data set that ships, on the file as it is."""
    shipped = Path(__file__).parents[3] / "include" / "daybreak" / "datasets"
    text = (shipped / "online_retail.yaml").read_text(encoding="utf-8")
    file = data / "online_retail" / "online_retail.parquet"
    text = text.replace("${DAYBREAK_ONLINE_RETAIL:-data/online_retail.parquet}", str(file))
    return text.replace("${HERE}", str(shipped))


def bakery(folder: Path, data: Path) -> str:
    return f"""\
name: bakery
calendar: {{timezone: Europe/Berlin, country: DE}}
sales:
  files: {data}/ddop_bakery/bakery_daily.parquet
  columns:
    business_date: date
    store_id: store
    item_id: product
    units: demand
    promotion: promotion_currentweek
    holiday: is_schoolholiday
  known_ahead: {{promotion: 28d, holiday: 28d}}
"""


def restaurant(folder: Path, data: Path) -> str:
    days = pd.read_parquet(data / "ddop_yaz" / "yaz_daily.parquet")
    dishes = ["calamari", "fish", "shrimp", "chicken", "koefte", "lamb", "steak"]
    kept = ["date", "is_holiday", "is_closed", "temperature", "rain"]
    long = days.melt(kept, dishes, "item", "units")
    long.assign(open=1 - long["is_closed"]).to_parquet(folder / "sales.parquet", index=False)
    return """\
name: restaurant
calendar: {timezone: Europe/Berlin, country: DE}
sales:
  files: ${HERE}/sales.parquet
  columns:
    business_date: date
    store_id: {const: stuttgart}
    item_id: item
    units: units
    open: open
    holiday: is_holiday
    temperature: temperature
    rain: rain
  covariates: [temperature, rain]
  known_ahead: {open: 28d, holiday: 28d}
"""


def receipts(data: Path) -> pd.DataFrame:
    folder = data / "completejourney_subset"
    lines = pd.read_parquet(folder / "transactions.parquet")
    products = pd.read_parquet(folder / "products.parquet")
    lines = lines.merge(products, on="product_id")
    lines = lines[~lines["department"].isin(FUEL) & (lines["quantity"] > 0)]
    return lines.assign(date=lines["transaction_timestamp"].dt.normalize())


def departments(folder: Path, data: Path) -> str:
    lines = receipts(data)
    keys = ["date", "store_id", "department"]
    sold = lines.groupby(keys, as_index=False)["quantity"].sum()
    sold.to_parquet(folder / "sales.parquet", index=False)
    return """\
name: departments
calendar: {timezone: America/New_York, country: US, closed_dates: ["12-25"]}
sales:
  files: ${HERE}/sales.parquet
  columns: {business_date: date, store_id: store_id, item_id: department, units: quantity}
"""


def categories(folder: Path, data: Path) -> str:
    """Product categories of the ten largest stores, with the share of products that are mailed."""
    lines = receipts(data)
    stores = lines["store_id"].value_counts().index[:10]
    lines = lines[lines["store_id"].isin(stores)]
    keys = ["date", "store_id", "product_category"]
    sold = lines.groupby(keys, as_index=False).agg(
        quantity=("quantity", "sum"), paid=("sales_value", "sum")
    )
    sold.assign(price=sold["paid"] / sold["quantity"]).to_parquet(
        folder / "sales.parquet", index=False
    )
    source = data / "completejourney_subset"
    offered = pd.read_parquet(source / "promotions.parquet")
    products = pd.read_parquet(source / "products.parquet")[["product_id", "product_category"]]
    offered = offered[offered["store_id"].isin(stores) & (offered["mailer_location"] != "0")]
    offered = offered.merge(products, on="product_id")
    counts = offered.groupby(["week", "store_id", "product_category"]).size()
    share = counts / counts.groupby(["store_id", "product_category"]).transform("max")
    weeks = lines[["week", "date"]].drop_duplicates()
    plan = share.rename("promotion").reset_index().merge(weeks, on="week")
    plan.drop(columns="week").to_parquet(folder / "plan.parquet", index=False)
    return """\
name: categories
calendar: {timezone: America/New_York, country: US, closed_dates: ["12-25"]}
sales:
  files: ${HERE}/sales.parquet
  columns:
    business_date: date
    store_id: store_id
    item_id: product_category
    units: quantity
    price: price
plan:
  files: ${HERE}/plan.parquet
  columns:
    business_date: date
    store_id: store_id
    item_id: product_category
    promotion: promotion
  known_ahead: 28d
"""


def invented_weeks(weeks: pd.Series) -> pd.Series:
    """The Sunday that ends week 0, 1, ...: the source has no dates."""
    return pd.Timestamp("2015-01-04") + pd.to_timedelta(7 * weeks.astype(np.int64), unit="D")


def weekly_products(folder: Path, data: Path) -> str:
    sold = pd.read_parquet(data / "uci_sales_weekly" / "sales_weekly.parquet")
    sold.assign(date=invented_weeks(sold["week"])).to_parquet(folder / "sales.parquet", index=False)
    return """\
name: weekly_products
calendar: {period: week}
sales:
  files: ${HERE}/sales.parquet
  columns:
    business_date: date
    store_id: {const: all}
    item_id: product_code
    units: quantity
"""


def cheese(folder: Path, data: Path) -> str:
    """One product at 86 retailers; of the last weeks, which hold 27 of them, nothing."""
    sold = pd.read_parquet(data / "bayesm_cheese" / "cheese_weekly.parquet")
    sold = sold[sold["week_index"] <= 60]
    sold = sold.assign(date=invented_weeks(sold["week_index"]))
    sold.to_parquet(folder / "sales.parquet", index=False)
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
    display: display_acv
  covariates: [display]
  known_ahead: {price: 91d, display: 91d}
"""


SALES = (
    SalesSet("online_retail", online_retail, "online_retail/online_retail.parquet", 14, 4, 28),
    SalesSet("bakery", bakery, "ddop_bakery/bakery_daily.parquet", 28, 4, 84),
    SalesSet("restaurant", restaurant, "ddop_yaz/yaz_daily.parquet", 28, 4, 84),
    SalesSet(
        "departments", departments, "completejourney_subset/transactions.parquet", 28, 3, 56, 8
    ),
    SalesSet(
        "categories", categories, "completejourney_subset/transactions.parquet", 28, 3, 56, 25
    ),
    SalesSet(
        "weekly_products", weekly_products, "uci_sales_weekly/sales_weekly.parquet", 4, 3, 4, 300
    ),
    SalesSet("cheese", cheese, "bayesm_cheese/cheese_weekly.parquet", 6, 3, 6),
)
