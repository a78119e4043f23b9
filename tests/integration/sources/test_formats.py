"""One table means one thing in every format: CSV, gzip, Parquet, S3 or a query."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, create_engine, text

from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.reading import csv_reader, readers
from daybreak.warehouse.engine import make_engine

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = """
name: every
calendar: {{timezone: Europe/Berlin}}
sales:
  {origin}
  columns:
    {{business_date: day, store_id: store, item_id: sku, units: qty, price: price,
      promotion: promo, open: is_open, heat: heat, weight: weight}}
  covariates: [heat, weight]
  max_bad_share: 1
items:
  {origin}
  columns: {{item_id: sku, name: title, category: shelf, known_from: day}}
  duplicates: first
  max_bad_share: 1
interactions:
  {origin}
  columns:
    {{event_at: at, user_id: who, item_id: sku, basket_id: basket, quantity: qty, price: price,
      kind: {{column: did, values: {{true: cart, false: view}}}}}}
  max_bad_share: 1
"""
NAN = float("nan")
# Integers and flags have gaps, so pandas holds them as floats and writes 7.0 for 7.
ROWS: dict[str, list[Any]] = {
    "day": ["2025-03-30"] * 3 + ["2025-10-26"] * 5,
    "at": [  # Berlin skips the first and has the fourth twice
        "2025-03-30 02:30:00", "2025-03-30 00:00:00", "2025-03-30 23:59:59.000001",
        "2025-10-26 02:30:00", "2025-10-26 03:00:00", "2025-10-26 12:00:00",
        "2025-10-26 12:00:01", "2025-10-26 12:00:02",
    ],
    "store": [1, 1, 2, 2, NAN, 1, 1, 2],
    "sku": [7, 8, 7, 8, 7, NAN, 9007199254740991, -3],
    "qty": [3, 0, 1.5, 2, 1, 1, NAN, 4],
    "price": [0.29, 1.13, NAN, np.inf, 2.0, -np.inf, 1e-7, 1234.56],
    "promo": [True, None, False, True, True, True, True, False],
    "is_open": [1, NAN, 0, 1, 1, 1, 1, 0],
    "heat": np.array([0.1, NAN, 21.7, 1e10, 5, 6, 7, -2.3], np.float32),
    "weight": [12, 2**53 - 1, NAN, 0, 1, 2, 3, -4],
    "who": [17850, NAN, 17850, 12, 12, 13, 13, NAN],
    "did": [True, True, False, False, True, True, True, False],
    "basket": ["1.10", "1.0", "A-1.0", None, "007.0", "-5.0", "tea, green", "x\ny"],
    "title": ["Tea", None, "Tee", " Größe ", "1.10", "0.0", "yes", "-0.0"],
    "shelf": [3, NAN, 4, 5, 3, 3, 0.5, NAN],
}  # fmt: skip
TYPES = {
    "day": "date", "at": "timestamp", "store": "smallint", "sku": "bigint",
    "qty": "double precision", "price": "numeric", "promo": "boolean", "is_open": "boolean",
    "heat": "real", "weight": "bigint", "who": "integer", "did": "boolean", "basket": "text",
    "title": "text", "shelf": "double precision",
}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    frame = pd.DataFrame(ROWS)
    return frame.assign(
        day=pd.to_datetime(frame["day"]), at=pd.to_datetime(frame["at"], format="ISO8601")
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A store with S3's protocol, on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


Load = Callable[..., dict[str, list[Any]]]


@pytest.fixture
def loaded(postgres: Any, tmp_path: Path) -> Load:
    """What a fresh warehouse holds after a load from ``origin``."""

    def load(origin: str, **how: Any) -> dict[str, list[Any]]:
        file = tmp_path / "every.yaml"
        file.write_text(SPEC.format(origin=origin))
        with postgres.database("warehouse_template") as name:
            engine = make_engine(postgres.url(name))
            load_dataset(engine, load_spec(file), now=NOW, **how)
            found = contents(engine)
            engine.dispose()
        return found

    return load


def contents(engine: Engine) -> dict[str, list[Any]]:
    """Every row of ``raw`` as PostgreSQL writes it, numbers to the last bit."""
    own = ("load_id", "quarantined_at", "row")
    with engine.connect() as conn:
        columns = conn.execute(
            text(
                "SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position) "
                "FROM information_schema.columns WHERE table_schema = 'raw' "
                "AND column_name <> ALL(:own) GROUP BY table_name"
            ),
            {"own": list(own)},
        ).all()
        return {
            table: conn.scalars(text(f"SELECT ({names})::text FROM raw.{table} ORDER BY 1")).all()
            for table, names in columns
        }


def test_one_table_by_every_carrier(  # noqa: PLR0917 - fixtures
    table: pd.DataFrame,
    endpoint: str,
    postgres: Any,
    tmp_path: Path,
    loaded: Load,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    table.to_csv(tmp_path / "every.csv", index=False)
    table.to_parquet(tmp_path / "every.parquet", index=False)
    (tmp_path / "every.csv.gz").write_bytes(gzip.compress((tmp_path / "every.csv").read_bytes()))
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="every")
    client.upload_file(tmp_path / "every.parquet", "every", "every.parquet")

    expected = loaded("files: ${HERE}/every.csv")
    found = {form: loaded(f"files: ${{HERE}}/every.{form}") for form in ("csv.gz", "parquet")}
    found["s3"] = loaded("files: s3://every/every.parquet", s3_endpoint_url=endpoint)
    with postgres.database() as name:
        monkeypatch.setenv("TILL_URL", postgres.url(name))
        sold_into(create_engine(postgres.url(name)), table)
        found["query"] = loaded("query: SELECT * FROM every ORDER BY n\n  url_env: TILL_URL")
    monkeypatch.setattr(readers, "BATCH_ROWS", 1)
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 400)
    found["parquet, row by row"] = loaded("files: ${HERE}/every.parquet")
    found["csv, in small blocks"] = loaded("files: ${HERE}/every.csv")

    for carrier, held in found.items():
        assert held == expected, carrier
    assert {row.split(",")[2] for row in expected["sales"]} == {"7", "8", "-3"}


def sold_into(engine: Engine, table: pd.DataFrame) -> None:
    """The table in another database, with the types that such a column has there."""
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    rows = [
        dict(zip(TYPES, row, strict=True)) for row in table[list(TYPES)].itertuples(index=False)
    ]
    for row in rows:
        for name, kind in TYPES.items():
            value = row[name]
            if value is None or (kind != "numeric" and value != value):  # noqa: PLR0124 - NaN
                row[name] = None
            elif kind in ("smallint", "integer", "bigint"):
                row[name] = int(value)
            elif kind == "boolean":
                row[name] = bool(value)
    with engine.begin() as conn:
        conn.execute(text(f"CREATE TABLE every (n serial, {columns})"))
        names = ", ".join(TYPES)
        values = ", ".join(f"CAST(:{name} AS {kind})" for name, kind in TYPES.items())
        conn.execute(text(f"INSERT INTO every ({names}) VALUES ({values})"), rows)
    engine.dispose()
