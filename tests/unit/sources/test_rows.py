"""From bytes to canonical rows: readers, row numbers, counts, and files that are refused."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybreak.errors import DatasetError
from daybreak.sources.check import check_dataset
from daybreak.sources.contract.spec import DatasetSpec, load_spec
from daybreak.sources.reading import csv_encoding, csv_reader, readers
from daybreak.sources.reading.origins import origins
from daybreak.sources.report import FileReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "day,store,sku,qty,price\n"
GOOD = "2025-01-01,a,x,1,2.5\n"


def spec(folder: Path, more: str = "", files: str = "*.csv") -> DatasetSpec:
    file = folder / "mine.yaml"
    text = f"""
    name: mine
    sales:
      files: {folder}/{files}
      columns: {{business_date: day, store_id: store, item_id: sku, units: qty, price: price}}
    """
    file.write_text(dedent(text) + more)
    return load_spec(file)


def check(folder: Path, content: str | bytes, more: str = "") -> FileReport:
    data = content.encode() if isinstance(content, str) else content
    (folder / "sales.csv").write_bytes(data)
    return check_dataset(spec(folder, more), now=NOW).files[0]


def refused(folder: Path, content: str | bytes, more: str = "") -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        check(folder, content, more)
    return caught.value


PATIENT = "  max_bad_share: 1\n  longest_text: 1000\n"


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("yesterday,a,x,1,2", "business_date", "is not a date"),
        (",a,x,1,2", "business_date", "is absent"),
        ("2026-01-02,a,x,1,2", "business_date", "is in the future"),
        ("1066-10-14,a,x,1,2", "business_date", "is outside 1900 to 2199"),
        ("2025-01-01,,x,1,2", "store_id", "is absent"),
        ("2025-01-01,a,,1,2", "item_id", "is absent"),
        (f"2025-01-01,a,{'x' * 201},1,2", "item_id", "is longer than 200 characters"),
        (f"2025-01-01,{'ü' * 501},x,1,2", "store_id", "is longer than 1,000 bytes"),
        ("2025-01-01,a,x,,2", "units", "is absent"),
        ("2025-01-01,a,x,many,2", "units", "is not a number"),
        ("2025-01-01,a,x,inf,2", "units", "is not finite"),
        ("2025-01-01,a,x,-1,2", "units", "is negative"),
        ("2025-01-01,a,x,16777217,2", "units", "is beyond 2^24"),
        ("2025-01-01,a,x,1,-2", "price", "is negative"),
        ("2025-01-01,a,x,1,1e39", "price", "is beyond 1e30"),
        ("2025-01-01,a,x,1", None, "has 4 values, the header 5"),
        ("2025-01-01,a,x,1,2,3", None, "has 6 values, the header 5"),
    ],
)
def test_a_bad_row_is_told_by_number_field_and_reason(
    tmp_path: Path, row: str, field: str | None, reason: str
) -> None:
    report = check(tmp_path, HEADER + GOOD + row + "\n" + GOOD, PATIENT)

    assert (report.rows, report.kept, report.quarantined) == (3, 2, 1)
    (example,) = report.examples
    assert (example["row_number"], example["field"], example["reason"]) == (2, field, reason)
    assert row in (example["row"].get("line"), ",".join(v or "" for v in example["row"].values()))


def test_a_bad_row_keeps_the_beginning_of_a_long_value(tmp_path: Path) -> None:
    long = "x" * 100_000
    report = check(tmp_path, HEADER + GOOD + f"2025-01-01,a,x,1,{long}\n{long}\n", PATIENT)

    kept = "x" * 1000 + "… (100,000 characters)"
    assert [example["row"].get("line", example["row"].get("price")) for example in report.examples]
    assert kept in (report.examples[0]["row"].get("price"), report.examples[1]["row"].get("price"))
    assert kept in (report.examples[0]["row"].get("line"), report.examples[1]["row"].get("line"))


def test_rows_are_cut_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that a Parquet file holds once may stand in all of its rows."""
    monkeypatch.setattr(readers, "BATCH_BYTES", 50_000)
    names = ["x" * 10_000] * 40 + [f"thing {n}" for n in range(60)]
    table = {"sku": [f"i{n}" for n in range(100)], "title": names, "stock": list(range(100))}
    pq.write_table(pa.table(table), tmp_path / "items.parquet")
    (tmp_path / "sales.csv").write_text(HEADER + GOOD)
    more = "items: {files: '${HERE}/items.parquet', columns: {item_id: sku, name: title}}\n"
    data = spec(tmp_path, more)
    (origin,) = origins(data, data.sections[1])

    with origin.open() as rows:
        chunks = list(rows.chunks)

    assert max(chunk.batch.num_rows for chunk in chunks[:10]) <= 6
    found = [row for chunk in chunks for row in chunk.batch.column("title").to_pylist()]
    assert found == names
    assert np.concatenate([chunk.row_numbers for chunk in chunks]).tolist() == list(range(1, 101))


def test_the_first_fault_of_a_row_counts_once(tmp_path: Path) -> None:
    report = check(tmp_path, HEADER + GOOD + "never,a,x,-1,-2\n", PATIENT)

    assert report.quarantined == 1
    assert report.examples[0]["field"] == "business_date"


def test_an_absent_price_is_no_fault(tmp_path: Path) -> None:
    report = check(tmp_path, HEADER + "2025-01-01,a,x,1,\n2025-01-01,a,y,1,NA\n")

    assert report.quarantined == 0
    assert [row["price"] for row in report.first_rows] == [None, None]


def test_a_renamed_column_is_suggested(tmp_path: Path) -> None:
    error = refused(tmp_path, "day,store,SKU_,qty\n2025-01-01,a,x,1\n")

    assert "lacks the column(s) 'sku', 'price'" in error.message
    assert "Was 'sku' renamed to 'SKU_'?" in error.remedy
    assert "It has: day, store, SKU_, qty." in error.remedy


def test_a_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, HEADER + "2025-01-01,a,x,one,2\n" * 5)

    assert "column 'qty' is not a number" in error.message
    assert "the first is row 1: 'one'" in error.message
    assert "Check what is mapped to 'qty'" in error.remedy


def test_the_most_common_fault_is_named_however_late_it_begins(tmp_path: Path) -> None:
    error = refused(tmp_path, HEADER + "never,a,x,1,2\n" * 6 + "2025-01-01,a,x,1,-2\n" * 9)

    assert "In 9 of them column 'price' is negative; the first is row 7: '-2'" in error.message


def test_too_many_bad_rows_refuse_the_file(tmp_path: Path) -> None:
    bad = "2025-01-01,a,x,-1,2\n"

    assert check(tmp_path, HEADER + GOOD * 99 + bad).quarantined == 1
    error = refused(tmp_path, HEADER + GOOD * 98 + bad)

    assert "1 of 99 rows are bad" in error.message
    assert "max_bad_share (now 0.01)" in error.remedy


@pytest.mark.parametrize("content", ["", HEADER, HEADER.strip(), "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    assert "is empty" in refused(tmp_path, content).message


def test_bytes_that_are_no_utf8_are_placed(tmp_path: Path) -> None:
    content = (HEADER + GOOD).encode() + b"2025-01-01,a,\xa3x,1,2\n"

    error = refused(tmp_path, content)

    assert error.details["byte"] == content.index(b"\xa3")
    assert error.details["row"] == 2
    assert "line 3" in error.message
    assert "latin-1" in error.remedy


def test_a_header_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, b"d\xe9,a\n1,2\n").details["byte"] == 1


def test_another_encoding_can_be_named(tmp_path: Path) -> None:
    content = HEADER.encode() + "2025-01-01,a,£x,1,2\n".encode("latin-1")

    assert check(tmp_path, content, "  csv: {encoding: latin-1}").first_rows[0]["item_id"] == "£x"
    error = refused(tmp_path, content, "  csv: {encoding: klingon}")
    assert "There is no encoding 'klingon'" in error.message


def test_a_wrong_byte_far_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 100)
    content = (HEADER + GOOD * 50).encode() + b"2025-01-01,a,\xa3x,1,2\n"

    assert refused(tmp_path, content).details["row"] == 51


def test_a_file_of_broken_lines_only(tmp_path: Path) -> None:
    error = refused(tmp_path, HEADER + "a,b\n" * 3)

    assert "3 of 3 rows are bad. In 3 of them the line has 2 values, the header 5" in error.message


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 40), st.data())
def test_the_place_of_a_wrong_byte_whatever_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, data: st.DataObject
) -> None:
    monkeypatch.setattr(csv_encoding, "_SCAN_BYTES", data.draw(st.integers(1, 9)))
    rows = "2025-01-01,ä,x,1,2\n" * before
    content = (HEADER + rows).encode() + b"2025-01-01,a,\xff,1,2\n"

    error = refused(tmp_path, content)

    assert (error.details["byte"], error.details["row"]) == (content.index(b"\xff"), before + 1)


def test_a_mapped_column_that_stands_twice(tmp_path: Path) -> None:
    error = refused(tmp_path, "day,store,sku,qty,price,qty\n2025-01-01,a,x,1,2,3\n")

    assert "has the column 'qty' twice, and it is mapped" in error.message
    assert error.details["column"] == "qty"


TWICE = ["day", "store", "sku", "qty", "price", "note", "note", "", ""]
"""The last four are not mapped."""


def test_columns_that_nobody_maps_refuse_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sales.csv").write_text(",".join(TWICE) + "\n2025-01-01,a,x,1,2.5,b,c,,\n")
    values = ["2025-01-01", "a", "x", "1", "2.5", "b", "c", None, None]
    pq.write_table(
        pa.Table.from_arrays([pa.array([value]) for value in values], TWICE),
        tmp_path / "sales.parquet",
    )
    monkeypatch.setenv("TILL_URL", "sqlite://")
    # A column of mixed types, and one of a type that Arrow does not know, harm as little.
    selected = ", ".join(
        f"{value or 'NULL'!r} AS '{name}'" for value, name in zip(values, TWICE, strict=True)
    )
    mixed = ", x'00' AS odd UNION ALL SELECT " + selected.replace("-01'", "-02'") + ", 1.5 AS odd"
    query = tmp_path / "query.yaml"
    columns = "{business_date: day, store_id: store, item_id: sku, units: qty, price: price}"
    query.write_text(
        f'name: q\nsales:\n  query: "SELECT {selected}{mixed}"\n  url_env: TILL_URL\n'
        f"  columns: {columns}\n"
    )

    wanted = {
        "business_date": date(2025, 1, 1),
        "store_id": "a",
        "item_id": "x",
        "units": 1.0,
        "price": 2.5,
    }
    for one in (spec(tmp_path), spec(tmp_path, files="*.parquet"), load_spec(query)):
        report = check_dataset(one, now=NOW).files[0]
        assert report.first_rows[0] == wanted
        assert report.quarantined == 0


def test_delimiter_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    content = "\ufeff" + HEADER.replace(",", ";") + '2025-01-01;a;"x;\ny";1;2\n'

    report = check(tmp_path, content, '  csv: {delimiter: ";"}')

    assert report.first_rows[0]["item_id"] == "x;\ny"


def test_compressed_csv(tmp_path: Path) -> None:
    (tmp_path / "sales.csv.gz").write_bytes(gzip.compress((HEADER + GOOD).encode()))

    report = check_dataset(spec(tmp_path, files="sales.csv.gz"), now=NOW).files[0]

    assert report.kept == 1


line = st.sampled_from(["good", "short", "bad", "blank", "quoted"])
TEXT = {
    "good": GOOD,
    "short": "2025-01-01,a\n",
    "bad": "2025-01-01,a,x,-1,2\n",
    "blank": "\n",
    "quoted": '2025-01-01,a,"two\nlines",1,2\n',
}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(line, min_size=1, max_size=60), block=st.sampled_from([60, 200, 1 << 20]))
def test_row_numbers_survive_broken_lines_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], block: int
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", block)
    lines = ["good", *lines]
    (tmp_path / "sales.csv").write_text(HEADER + "".join(TEXT[kind] for kind in lines))
    rows = [kind for kind in lines if kind != "blank"]
    (origin,) = origins(one := spec(tmp_path, PATIENT), one.sales)

    numbers: list[int] = []
    broken: list[int] = []
    with origin.open() as opened:
        for chunk in opened.chunks:
            numbers += chunk.row_numbers.tolist()
            broken += [entry.row_number for entry in chunk.malformed]

    assert numbers == [n for n, kind in enumerate(rows, 1) if kind != "short"]
    assert broken == [n for n, kind in enumerate(rows, 1) if kind == "short"]


def test_chunks_are_small_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["day", "store", "sku", "qty", "price"])
    writer.writerows(["2025-01-01", "a", f"item {n}", n % 9, 2.5] for n in range(300_000))
    (tmp_path / "sales.csv").write_text(buffer.getvalue())
    table = pa.table({name: ["x"] * 300_000 for name in ("day", "store", "sku", "qty", "price")})
    pq.write_table(table, tmp_path / "sales.parquet")

    for files in ("sales.csv", "sales.parquet"):
        (origin,) = origins(one := spec(tmp_path, files=files), one.sales)
        with origin.open() as opened:
            sizes = [(chunk.batch.num_rows, chunk.batch.nbytes) for chunk in opened.chunks]
        assert sum(rows for rows, _ in sizes) == 300_000
        assert max(size for _, size in sizes) < 3 * csv_reader.BLOCK_BYTES
        assert max(rows for rows, _ in sizes) < 200_000


def test_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "day": pa.array(["2025-01-01 09:00"]).cast(pa.timestamp("ns")),
            "store": pa.array([7]),
            "sku": pa.array(["x"]).dictionary_encode(),
            "qty": pa.array([1], pa.int16()),
            "price": pa.array([2.5], pa.float32()),
        }
    )
    pq.write_table(table, tmp_path / "sales.parquet")

    (row,) = check_dataset(spec(tmp_path, files="sales.parquet"), now=NOW).files[0].first_rows

    assert row == {
        "business_date": date(2025, 1, 1),
        "store_id": "7",
        "item_id": "x",
        "units": 1.0,
        "price": 2.5,
    }


def test_a_parquet_column_that_no_value_can_come_from(tmp_path: Path) -> None:
    names = ("day", "store", "sku", "qty", "price")
    pq.write_table(pa.table({name: [[1]] for name in names}), tmp_path / "sales.parquet")

    with pytest.raises(DatasetError, match=r"Column 'day' .* holds list<.*>, .*business_date") as e:
        check_dataset(spec(tmp_path, files="sales.parquet"), now=NOW)

    assert e.value.details["column"] == "day"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sales.parquet", b"PAR1 this is none", "is not readable as Parquet"),
        ("sales.doc", b"x", "is neither .parquet nor .csv"),
        ("sales.csv.gz", b"\x1f\x8b broken", "is not readable as CSV"),
    ],
)
def test_a_file_of_another_format(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DatasetError, match=message):
        check_dataset(spec(tmp_path, files=name), now=NOW)


def test_no_file_matches(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"finds no file .*\*\.csv") as caught:
        check_dataset(spec(tmp_path), now=NOW)

    assert "DAYBREAK_DATASET_PATH" in caught.value.remedy


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(HEADER + GOOD)
    (origin,) = origins(one := spec(tmp_path), one.sales)

    with pytest.raises(DatasetError, match="changed while it was read"), origin.open():
        file.write_text(HEADER + GOOD + GOOD)


def test_files_with_brackets_in_their_names(tmp_path: Path) -> None:
    (tmp_path / "sales[1].csv").write_text(HEADER + GOOD)

    assert check_dataset(spec(tmp_path, files="sales[1].csv"), now=NOW).files[0].kept == 1


def test_filters_count_in_order_and_come_before_checks(tmp_path: Path) -> None:
    more = """\
  filters:
    - {name: postage, keep: {column: sku, matches: "[xyz]"}}
    - {name: free, drop: {column: price, at_most: 0}}
"""
    rows = "2025-01-01,a,POST,1,0\nnever,a,x,1,-5\n2025-01-01,a,x,1,2\n"

    report = check(tmp_path, HEADER + rows, more)

    assert report.rules == {"postage": 1, "free": 1}
    assert (report.kept, report.quarantined) == (1, 0)


def test_the_report_is_json(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(HEADER + GOOD)
    report = check_dataset(spec(tmp_path), now=NOW)

    plain: dict[str, Any] = report.as_json()

    assert plain["files"][0]["first_date"] == "2025-01-01"
    assert plain["files"][0]["first_rows"][0]["business_date"] == "2025-01-01"


def test_an_unknown_generator(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("name: g\nsales: {generator: dice}\n")

    with pytest.raises(DatasetError, match="no generator 'dice'"):
        check_dataset(load_spec(file), now=NOW)


def test_an_unknown_table_of_a_generator(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("name: g\nsales: {generator: synthetic, table: weather}\n")

    with pytest.raises(DatasetError, match="makes no table 'weather'"):
        check_dataset(load_spec(file), now=NOW)
