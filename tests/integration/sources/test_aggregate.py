"""Lines to rows, held against pandas: an independent reading of the same rules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import FileReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ["business_date", "store_id", "item_id"]

SPEC = """\
name: lines
sales:
  files: ${HERE}/lines.parquet
  columns: {business_date: day, store_id: store, item_id: sku, units: qty, price: price,
            promotion: promo, open: open, heat: heat, rank: rank, note: note}
  covariates: [heat, rank, note]
  aggregate:
    negative: net
    covariates: {heat: mean, rank: first, note: last}
"""

lines = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.sampled_from(["2025-01-01", "2025-01-02"]),
            "store": st.sampled_from(["a", "b"]),
            "sku": st.sampled_from(["x", "y"]),
            "qty": st.integers(-50, 50),
            "price": st.none() | st.integers(0, 1000).map(lambda cents: cents / 100),
            "promo": st.none() | st.sampled_from([0.0, 1.0]),
            "open": st.none() | st.booleans(),
            "heat": st.none() | st.integers(-10, 30).map(float),
            "rank": st.none() | st.integers(0, 9).map(float),
            "note": st.none() | st.integers(0, 9).map(float),
        }
    ),
    min_size=1,
    max_size=30,
)


def oracle(frame: pd.DataFrame) -> pd.DataFrame:
    """The rules in pandas, group by group."""

    def one(group: pd.DataFrame) -> pd.Series:
        sold = group[(group.qty > 0) & group.price.notna()]
        weight = sold.qty.sum()

        def pick(name: str, how: str) -> float:
            present = group[name].dropna()
            return float(getattr(present, how)()) if len(present) else np.nan

        def at(name: str, position: int) -> float:
            present = group[name].dropna()
            return float(present.iloc[position]) if len(present) else np.nan

        return pd.Series(
            {
                "units": max(group.qty.sum(), 0),
                "price": (sold.qty * sold.price).sum() / weight if weight else np.nan,
                "promotion": pick("promo", "max"),
                "open": pick("open", "max"),
                "heat": pick("heat", "mean"),
                "rank": at("rank", 0),
                "note": at("note", -1),
            }
        )

    grouped = frame.groupby(["day", "store", "sku"])
    return pd.DataFrame({key: one(group) for key, group in grouped}).T


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=lines)
def test_lines_become_rows_as_in_pandas(
    warehouse: Engine, tmp_path: Path, lines: list[dict[str, object]]
) -> None:
    (tmp_path / "lines.yaml").write_text(SPEC)
    types = {"qty": pa.int64(), "open": pa.bool_()} | dict.fromkeys(
        ("day", "store", "sku"), pa.string()
    )
    columns = {
        name: pa.array([line[name] for line in lines], types.get(name, pa.float64()))
        for name in lines[0]
    }
    pq.write_table(pa.table(columns), tmp_path / "lines.parquet")
    with warehouse.begin() as conn:
        conn.execute(text("TRUNCATE raw.sales, raw.day_closed, ops.load"))

    (file,) = load_dataset(warehouse, load_spec(tmp_path / "lines.yaml"), now=NOW).files

    with warehouse.connect() as conn:
        found = conn.execute(
            text(
                "SELECT business_date::text AS day, store_id, item_id, units, price, promotion, "
                "open, covariates FROM raw.sales ORDER BY 1, 2, 3"
            )
        ).all()
    frame = pd.DataFrame(lines).astype(
        {"price": float, "promo": float, "heat": float, "rank": float, "note": float}
    )
    expected = oracle(frame)
    assert [(row.day, row.store_id, row.item_id) for row in found] == list(expected.index)
    for row, (_, wanted) in zip(found, expected.iterrows(), strict=True):
        extras = row.covariates or {}
        assert None not in extras.values()
        got = [
            row.units,
            row.price,
            row.promotion,
            row.open,
            *map(extras.get, ("heat", "rank", "note")),
        ]
        values = [np.nan if value is None else float(value) for value in got]
        np.testing.assert_allclose(values, wanted.astype(float), rtol=1e-12)
    sums = frame.groupby(["day", "store", "sku"]).qty.sum()
    assert file.rules == {
        "merged_into_one_row": len(lines) - len(sums),
        "cancellation_netted": int((frame.qty < 0).sum()),
        "below_zero_set_to_zero": int((sums < 0).sum()),
    }


# --- the real file ---------------------------------------------------------------------------


def products(frame: pd.DataFrame) -> pd.DataFrame:
    """Lines that are sales of products, as a plain reading of the file's description."""
    code = frame.StockCode.str
    five_digits = code[:5].str.isdigit() & (code.len() >= 5) & (code.len() <= 7)
    letters = code[5:].map(lambda rest: rest == "" or rest.isalpha())
    return frame[five_digits & letters & (frame.UnitPrice > 0)]


def check_against_pandas(
    warehouse: Engine, path: Path, frame: pd.DataFrame
) -> dict[str, FileReport]:
    report = load_dataset(warehouse, load_spec("online_retail", path=str(path)), now=NOW)

    files = {file.section: file for file in report.files}
    sold = products(frame)
    sold = sold.assign(
        day=sold.InvoiceDate.dt.normalize(),
        item=sold.StockCode.str.upper(),
        weight=sold.Quantity.clip(lower=0),
    )
    sold["value"] = sold.weight * sold.UnitPrice
    groups = sold.groupby(["day", "item"])
    expected = groups.agg(net=("Quantity", "sum"), weight=("weight", "sum"), value=("value", "sum"))
    expected["price"] = expected.value / expected.weight.where(expected.weight > 0)
    found = (
        pd.read_sql(
            "SELECT business_date AS day, item_id AS item, units, price, loaded_at FROM raw.sales",
            warehouse,
            parse_dates=["day"],
        )
        .set_index(["day", "item"])
        .sort_index()
    )

    assert list(found.index) == list(expected.index)
    np.testing.assert_array_equal(found.units, expected.net.clip(lower=0))
    np.testing.assert_allclose(found.price.astype(float), expected.price, rtol=1e-12)
    assert files["sales"].rules["below_zero_set_to_zero"] == (expected.net < 0).sum()
    assert files["sales"].rules["cancellation_netted"] == (sold.Quantity < 0).sum()
    assert "sold_on_a_closed_day" not in files["sales"].rules
    # One hour after London's midnight, in winter and in summer.
    midnight = (found.index.get_level_values(0) + pd.Timedelta(days=1)).tz_localize("Europe/London")
    assert (found.loaded_at == midnight + pd.Timedelta(hours=1)).all()
    bought = sold[sold.Quantity > 0]
    assert files["interactions"].loaded == len(bought)
    assert files["items"].loaded == sold.item.nunique()
    with warehouse.connect() as conn:
        baskets = conn.execute(
            text("SELECT basket_id, user_id, count(*) FROM raw.interaction GROUP BY 1, 2")
        ).all()
        names = dict(conn.execute(text("SELECT item_id, name FROM raw.item")).all())
    invoices = bought.groupby(["InvoiceNo", "CustomerID"], dropna=False).size()
    assert {(basket, user): lines for basket, user, lines in baskets} == {
        (invoice, None if np.isnan(user) else str(int(user))): lines
        for (invoice, user), lines in invoices.items()
    }
    first = sold.dropna(subset="Description").groupby("item").Description.first().str.strip()
    assert names == first.to_dict()
    return files


def test_two_days_of_the_real_file(warehouse: Engine, online_retail: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(online_retail)
    days = frame.InvoiceDate.dt.normalize().isin(pd.to_datetime(["2011-06-30", "2011-12-09"]))
    few = frame[days].reset_index(drop=True)
    few.to_parquet(tmp_path / "few.parquet")

    check_against_pandas(warehouse, tmp_path / "few.parquet", few)

    with warehouse.connect() as conn:
        huge = conn.scalar(text("SELECT units FROM raw.sales WHERE item_id = '23843'"))
    assert huge == 0  # 80,995 ordered and cancelled on the same day


@pytest.mark.slow
def test_the_whole_real_file(warehouse: Engine, online_retail: Path) -> None:
    files = check_against_pandas(warehouse, online_retail, pd.read_parquet(online_retail))

    assert files["sales"].rows == 541_909
    assert files["sales"].rules == {
        "not_a_product": 2995,
        "no_price": 2485,
        "merged_into_one_row": 259_434,
        "cancellation_netted": 8704,
        "below_zero_set_to_zero": 3354,
    }
    assert files["sales"].quarantined == 0
