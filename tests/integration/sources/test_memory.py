"""A load needs the same memory for a file of any size: PostgreSQL does the sorting."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha512
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

ONE_LONG = """\
name: long
sales:
  files: ${{HERE}}/sales.csv
  columns: {{business_date: d, store_id: s, item_id: i, units: u}}
items: {{files: "${{HERE}}/items.{form}", columns: {{item_id: item, name: name}}}}
"""
SPEC = """\
name: big
sales:
  files: ${{HERE}}/big.{form}
  columns: {{business_date: day, store_id: {{const: a}}, item_id: sku, units: qty}}
  aggregate: {{negative: net}}
"""
LOAD = """
import resource, sys
from datetime import UTC, datetime
from daybreak.sources.load import load_dataset
from daybreak.sources.contract.spec import load_spec
from daybreak.warehouse.engine import make_engine

load_dataset(make_engine(sys.argv[1]), load_spec(sys.argv[2]), now=datetime.now(UTC))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write(path: Path, thousands: int) -> None:
    """Lines of a thousand items on each of many days; each item's name, some 120 bytes that no
    format packs away, is new every day."""
    schema = pa.schema({"day": pa.string(), "sku": pa.string(), "qty": pa.int64()})
    opened = pa.csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
    with opened(path, schema) as writer:
        for block in range(thousands):
            day = f"2025-{block % 12 + 1:02}-{block % 28 + 1:02}"
            names = [sha512(b"%d %d" % (block, n)).hexdigest()[:120] for n in range(1000)]
            columns = {"day": [day] * 1000, "sku": names, "qty": list(range(1000))}
            writer.write_table(pa.table(columns, schema))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(
    warehouse: Engine, warehouse_url: str, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "big.yaml"
    file.write_text(SPEC.format(form=form))

    def peak(thousands: int) -> int:
        write(tmp_path / f"big.{form}", thousands)
        with warehouse.begin() as conn:
            conn.execute(text("TRUNCATE raw.sales, raw.day_closed, ops.load"))
        command = [sys.executable, "-c", LOAD, warehouse_url, str(file)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    few, many = peak(100), peak(600)  # 100 thousand lines fill what is read ahead

    assert many < 1.15 * few  # holding the rows would take 1.3 times as much


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_follows_the_bytes_and_not_the_longest_cell(
    warehouse: Engine, warehouse_url: str, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(ONE_LONG.format(form=form))
    (tmp_path / "sales.csv").write_text("d,s,i,u\n2025-01-01,a,i1,1\n")

    def peak(longest: int) -> int:
        names = ["x" * longest if n == 77 else f"thing {n}" for n in range(20_000)]
        table = pa.table({"item": [f"i{n}" for n in range(20_000)], "name": names})
        write = pa.csv.write_csv if form == "csv" else pq.write_table
        write(table, tmp_path / f"items.{form}")
        command = [sys.executable, "-c", LOAD, warehouse_url, str(file)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    short, within, beyond = peak(10), peak(10_000), peak(200_000)

    assert within < short + 60_000  # kB; 20,000 cells as wide as the longest are 200 MB
    assert beyond < short + 60_000
    with warehouse.connect() as conn:
        bad = conn.execute(text("SELECT field, reason, row ->> 'name' FROM raw.quarantine")).all()
        assert bad == [
            ("name", "is longer than 10,000 bytes", "x" * 1000 + "… (200,000 characters)")
        ]
        assert conn.scalar(text("SELECT max(length(name)) FROM raw.item")) == 10_000
