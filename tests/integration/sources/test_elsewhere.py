"""Rows from elsewhere: S3 over real HTTP, and another database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from daybreak.errors import DatasetError
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.reading import readers
from daybreak.sources.reading.origins import origins
from daybreak.sources.report import LoadReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "day,store,sku,qty\n"
COLUMNS = "columns: {business_date: day, store_id: store, item_id: sku, units: qty}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A store with S3's protocol, on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="shop")
    yield client
    for entry in client.list_objects_v2(Bucket="shop").get("Contents", []):
        client.delete_object(Bucket="shop", Key=entry["Key"])
    client.delete_bucket(Bucket="shop")


def from_s3(warehouse: Engine, folder: Path, endpoint: str, files: str) -> LoadReport:
    file = folder / "mine.yaml"
    file.write_text(f"name: mine\nsales:\n  files: {files}\n  {COLUMNS}\n")
    return load_dataset(warehouse, load_spec(file), now=NOW, s3_endpoint_url=endpoint)


def test_objects_that_match_are_loaded_in_order(
    warehouse: Engine, tmp_path: Path, endpoint: str, bucket: Any
) -> None:
    for key, day in (("in/b.csv", 2), ("in/a.csv", 1), ("in/old/c.csv", 3), ("in/d.txt", 4)):
        bucket.put_object(Bucket="shop", Key=key, Body=f"{HEADER}2025-01-0{day},a,x,1\n".encode())

    report = from_s3(warehouse, tmp_path, endpoint, "s3://shop/in/*.csv")

    assert [file.uri for file in report.files] == ["s3://shop/in/a.csv", "s3://shop/in/b.csv"]
    assert report.loaded == 2
    again = from_s3(warehouse, tmp_path, endpoint, "s3://shop/in/*.csv")
    assert all(file.already_loaded for file in again.files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("s3://shop/absent.csv", r"s3://shop/absent\.csv cannot be read"),
        ("s3://nowhere/*.csv", "cannot be read"),
        ("s3://shop/*.csv", "finds no file"),
        ("s3://shop", "names no object"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_what_is_not_there(
    warehouse: Engine, tmp_path: Path, endpoint: str, files: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        from_s3(warehouse, tmp_path, endpoint, files)


@pytest.fixture
def till(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Another database with two sales, its URL in TILL_URL."""
    path = tmp_path / "till.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE sold (day TEXT, store TEXT, sku INTEGER, qty REAL)")
    connection.execute(
        "INSERT INTO sold VALUES ('2025-01-01', 'a', 7, 1), ('2025-01-02', 'a', 7, 2)"
    )
    connection.commit()
    monkeypatch.setenv("TILL_URL", f"sqlite:///{path}")
    yield connection
    connection.close()


def from_query(warehouse: Engine, folder: Path, query: str) -> LoadReport:
    file = folder / "mine.yaml"
    file.write_text(f"name: mine\nsales:\n  query: {query}\n  url_env: TILL_URL\n  {COLUMNS}\n")
    return load_dataset(warehouse, load_spec(file), now=NOW)


def test_the_result_of_a_query(warehouse: Engine, tmp_path: Path, till: sqlite3.Connection) -> None:
    query = "SELECT day, store, sku, qty FROM sold ORDER BY day"

    assert from_query(warehouse, tmp_path, query).loaded == 2
    again = from_query(warehouse, tmp_path, query)
    assert again.files[0].already_loaded
    with warehouse.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM ops.load")) == 1

    till.execute("UPDATE sold SET qty = 5 WHERE day = '2025-01-02'")
    till.commit()
    assert from_query(warehouse, tmp_path, query).loaded == 1
    with warehouse.connect() as conn:
        assert conn.scalar(text("SELECT item_id FROM raw.sales LIMIT 1")) == "7"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM bought", "no such table: bought"),
        ("SELECT day, store, sku FROM sold", "lacks the column.* 'qty'"),
        ("SELECT day, store, sku, qty FROM sold WHERE 0", "is empty"),
        ("SELECT day, store, sku, CASE qty WHEN 1 THEN 'x' ELSE 2 END AS qty FROM sold", "mixed"),
    ],
)
@pytest.mark.usefixtures("till")
def test_a_query_that_cannot_be_loaded(
    warehouse: Engine, tmp_path: Path, query: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        from_query(warehouse, tmp_path, query)


@pytest.mark.usefixtures("till")
def test_a_query_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BATCH_ROWS", 2)
    query = "SELECT a.day, a.store, a.sku, a.qty FROM sold a, sold b, sold c"
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nsales:\n  query: {query}\n  url_env: TILL_URL\n  {COLUMNS}\n")
    spec = load_spec(file)
    (origin,) = origins(spec, spec.sales)

    with origin.open() as opened:
        numbers = [chunk.row_numbers.tolist() for chunk in opened.chunks]

    assert numbers == [[1, 2], [3, 4], [5, 6], [7, 8]]


@pytest.mark.usefixtures("till")
def test_a_fault_of_the_warehouse_is_not_blamed_on_the_query(
    warehouse: Engine, tmp_path: Path
) -> None:
    with warehouse.begin() as conn:
        conn.execute(text("ALTER TABLE raw.sales ADD CHECK (units < 2)"))

    with pytest.raises(IntegrityError):
        from_query(warehouse, tmp_path, "SELECT day, store, sku, qty FROM sold")


def test_a_query_without_its_url(
    warehouse: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TILL_URL", raising=False)
    with pytest.raises(DatasetError, match="needs the environment variable TILL_URL"):
        from_query(warehouse, tmp_path, "SELECT 1")

    monkeypatch.setenv("TILL_URL", "oracle-of-delphi://user:secret@host/db")
    with pytest.raises(DatasetError, match="failed") as caught:
        from_query(warehouse, tmp_path, "SELECT 1")
    assert "secret" not in str(caught.value)
