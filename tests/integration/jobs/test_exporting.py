"""``daybreak export``: every published row, bit for bit, and whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner, Result

from daybreak.cli.export import app
from daybreak.errors import Conflict, InvalidRequest, NotFound, NotPublished
from daybreak.models.recommendations.tables import scores as score_recommendation
from daybreak.runtime import get_runtime
from daybreak.warehouse.engine import begin
from recommendation_lists import DAY, MODEL, MONDAY, publish

TEXTS = ["", "plain", "007", "1.0", "NULL", "NaN", "t", 'a "quote"', "two\nlines", "a,b", " é🦀 "]
BITS = np.array([0, 1 << 31, 1, 0x3DCCCCCD, 0x7F7FFFFF, 0x00800000, 0x7F800000, 0x4B7FFFFF], "u4")
"""Of float32: zeros, the least one, 0.1, the largest, the least normal one, infinity, 2^24-1."""


@pytest.fixture
def published(
    warehouse: Engine, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """A generation with awkward text and numbers; one before it is superseded."""
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    get_runtime.cache_clear()
    with begin(warehouse) as conn:
        publish(conn, {"old": ["a"]}, version="v0")
        generation = publish(conn, dict.fromkeys(TEXTS, TEXTS[1:]))
        for rank, value in enumerate(random_floats(len(TEXTS) - 1), 1):
            conn.execute(
                text("UPDATE score.recommendation SET score = :score WHERE rank = :rank"),
                {"score": float(value), "rank": rank},
            )
    yield generation
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def random_floats(count: int) -> np.ndarray:
    more = np.random.default_rng(5).integers(0, 0x7F800000, count - len(BITS), "u4")
    return np.concatenate([BITS, more]).view("f4")


def export(*arguments: str, day: date = MONDAY, model: str = MODEL) -> Result:
    return CliRunner().invoke(app, [model, "--business-date", day.isoformat(), *arguments])


def expected(generation: int) -> pa.Table:
    """The rows in the order of their keys: users by their bytes."""
    users = sorted(TEXTS, key=str.encode)
    items = TEXTS[1:]
    rows = len(users) * len(items)
    return pa.table(
        {
            "business_date": pa.array([MONDAY] * rows, pa.date32()),
            "generation_id": pa.array([generation] * rows, pa.int64()),
            "user_id": [user for user in users for _ in items],
            "rank": pa.array(list(range(1, len(items) + 1)) * len(users), pa.int16()),
            "item_id": items * len(users),
            "score": pa.array(np.tile(random_floats(len(items)), len(users))),
            "reason": ["popular"] * rows,
            "because": [""] * rows,
        }
    )


def test_parquet_is_what_is_published_bit_for_bit(published: int, tmp_path: Path) -> None:
    file = tmp_path / "lists.parquet"
    done = export("--format", "parquet", "--output", str(file), "--json")
    assert json.loads(done.stdout) == {
        "model": MODEL, "business_date": "2026-03-09", "generation_id": published,
        "version": "v1", "format": "parquet", "output": str(file), "rows": 110,
    }  # fmt: skip
    found = pq.read_table(file)
    assert found.schema.metadata[b"daybreak.generation_id"] == str(published).encode()
    truth = expected(published)
    assert found.replace_schema_metadata(None).drop_columns("score") == truth.drop_columns("score")
    bits = found["score"].to_numpy().view("u4")
    assert bits.tolist() == truth["score"].to_numpy().view("u4").tolist()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_csv_is_the_same_and_goes_to_standard_output_or_a_file(
    published: int, tmp_path: Path
) -> None:
    done = export("--json")
    assert json.loads(done.stderr)["output"] == "-"
    assert export("--output", str(tmp_path / "lists.csv")).exit_code == 0
    assert (tmp_path / "lists.csv").read_bytes() == done.stdout_bytes
    names, *rows = csv.reader(io.StringIO(done.stdout_bytes.decode()))
    truth = expected(published)
    assert names == truth.column_names
    found = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name in ("user_id", "item_id", "because"):
        assert list(found[name]) == truth[name].to_pylist()
    bits = np.array(found["score"], "f4").view("u4")
    assert bits.tolist() == truth["score"].to_numpy().view("u4").tolist()


@pytest.mark.usefixtures("published")
def test_what_is_not_published_leaves_the_file_as_it_was(warehouse: Engine, tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    file.write_text("yesterday")
    to_file = ("--output", str(file))
    missing = export(*to_file, day=MONDAY + DAY)
    assert isinstance(missing.exception, NotPublished)
    assert "2026-03-10" in missing.exception.message
    assert isinstance(export(*to_file, model="nothing").exception, NotFound)

    with begin(warehouse) as conn:  # a row is gone: whatever the file would hold, it is not all
        conn.execute(text("DELETE FROM score.recommendation WHERE user_id = 'plain' AND rank = 1"))
    for file_format in ("csv", "parquet"):
        assert isinstance(export(*to_file, "--format", file_format).exception, Conflict)
    assert file.read_text() == "yesterday"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.usefixtures("published")
def test_a_path_that_takes_no_file_is_an_error_and_a_link_stays_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "folder.csv", Path("/dev/null")):
        assert isinstance(export("--output", str(path)).exception, InvalidRequest)
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    link.symlink_to(target)
    assert export("--output", str(link)).exit_code == 0
    assert link.is_symlink()
    assert target.read_text().count("\n") > 110


def test_rows_come_in_blocks(warehouse: Engine, published: int, tmp_path: Path) -> None:
    """More than fits into one block of either reader, so that their seams are crossed."""
    item = "x" * 400 + '\n,"'
    rows = [
        {
            "business_date": MONDAY, "generation_id": published, "user_id": f"u{n:05}", "rank": 1,
            "shard": 0, "item_id": item, "score": n, "reason": "popular", "because": "",
        }
        for n in range(15_000)
    ]  # fmt: skip
    with begin(warehouse) as conn:
        conn.execute(insert(score_recommendation), rows)
        conn.execute(text("UPDATE ops.generation SET rows = rows + 15000 WHERE version = 'v1'"))
    file = tmp_path / "lists.parquet"
    assert export("--format", "parquet", "--output", str(file)).exit_code == 0
    written = pq.ParquetFile(file)
    assert written.num_row_groups > 1
    found = written.read()
    assert found["user_id"].to_pylist()[-1] == "u14999"
    assert set(found["item_id"].to_pylist()) == {item, *TEXTS[1:]}
    printed = export()
    assert len(list(csv.reader(io.StringIO(printed.stdout_bytes.decode())))) == 15_111
