"""A load needs the same memory for a file of any size: PostgreSQL does the sorting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

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
from daybreak.sources.spec import load_spec
from daybreak.warehouse.engine import make_engine

load_dataset(make_engine(sys.argv[1]), load_spec(sys.argv[2]), now=datetime.now(UTC))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write(path: Path, thousands: int) -> None:
    """Lines of a thousand items on each of many days; each item's name is new every day."""
    schema = pa.schema({"day": pa.string(), "sku": pa.string(), "qty": pa.int64()})
    opened = pa.csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
    with opened(path, schema) as writer:
        for block in range(thousands):
            day = f"2025-{block % 12 + 1:02}-{block % 28 + 1:02}"
            names = [f"item {block} {n}" for n in range(1000)]
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

    few, many = peak(300), peak(2400)  # 300 thousand lines fill what is read ahead

    assert many < 1.25 * few  # holding the rows would take 1.7 times as much
