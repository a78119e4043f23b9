"""The sample in the shape of public store-sales files, and the two data sets of the shop."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

import daybreak
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.synthetic import SCHEMAS, ShopOptions, generate, shop_options
from daybreak.sources.synthetic.store_sales import store_sales, write_store_sales

SAMPLE = Path(daybreak.__file__).parent / "datasets" / "store_sales"


def test_the_files_that_ship_are_the_generated_ones(tmp_path: Path) -> None:
    write_store_sales(tmp_path)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in SAMPLE.iterdir()}


def test_the_sample_reads_like_a_store_sales_file() -> None:
    tables = store_sales()
    sales, ahead, stores = tables["sales.csv"], tables["ahead.csv"], tables["stores.csv"]
    assert list(sales) == [
        *("Store", "DayOfWeek", "Date", "Sales", "Customers"),
        *("Open", "Promo", "StateHoliday", "SchoolHoliday"),
    ]
    assert len(sales) == 10 * 546  # a line a store and day, closed days too
    closed = sales[sales["Open"] == 0]
    assert not closed[["Sales", "Customers"]].to_numpy().any()
    assert (sales[sales["DayOfWeek"] == 7]["Open"] == 0).all()
    assert set(sales["StateHoliday"]) == {"0", "a", "b", "c"}
    day = pd.to_datetime(sales["Date"])
    assert (day.dt.day_of_week + 1 == sales["DayOfWeek"]).all()
    opened = sales[sales["Open"] == 1]
    by_promo = opened.groupby("Promo")["Sales"].mean()
    assert 1.3 < by_promo[1] / by_promo[0] < 2.5
    assert pd.to_datetime(ahead["Date"]).max() - day.max() == timedelta(days=28)
    assert set(stores["Store"]) == set(sales["Store"]) == set(ahead["Store"])


def test_the_synthetic_data_set_is_the_default_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEED", "STORES", "ITEMS", "START", "END"):
        monkeypatch.delenv(f"DAYBREAK_SYNTHETIC_{name}", raising=False)
    assert shop_options(load_spec("synthetic").generators["synthetic"]) == ShopOptions()


def test_the_size_of_the_shop_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_SYNTHETIC_STORES", "2")
    monkeypatch.setenv("DAYBREAK_SYNTHETIC_END", "2024-05-01")
    options = shop_options(load_spec("synthetic").generators["synthetic"])
    assert (options.stores, options.days) == (2, 31)
    assert generate(options).stores.num_rows == 2


def test_every_table_of_the_shop_is_loaded_under_canonical_names() -> None:
    spec = load_spec("synthetic")
    tables = {
        section.table or section.kind: section
        for section in spec.sections
        if section.generator == "synthetic"
    }
    assert set(tables) == set(SCHEMAS)
    for table, section in tables.items():
        assert set(SCHEMAS[table].names) <= {column.name for column in section.canonical}


def test_the_store_sales_data_set_names_columns_that_the_files_have() -> None:
    for section in load_spec("store_sales").sections:
        (file,) = section.patterns
        header = Path(file).read_text().partition("\n")[0].split(",")
        used = {source.column for source in section.columns.values() if source.column}
        assert used <= set(header), file
