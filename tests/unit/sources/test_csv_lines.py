"""Every line of a CSV file is accounted for: held against Python's ``csv``, whatever the text."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daybreak.errors import DatasetError
from daybreak.sources.check import check_dataset
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.reading import csv_records
from daybreak.sources.reading.csv_reader import open_csv
from daybreak.sources.report import FileReport
from daybreak.sources.sections.items import Items

COLUMNS = {"item_id": "a", "name": "b", "category": "c"}
WORDS = st.text(st.sampled_from('ab ",;\n\r\tä'), max_size=6)


def items(**how: object) -> Items:
    return Items.model_validate({"files": "x.csv", "columns": COLUMNS, "csv": how})


def lines_of(text: str) -> int:
    """Physical lines, by ``str.splitlines`` on the three line ends of CSV alone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + (not text.endswith("\n"))


@dataclass(frozen=True)
class Written:
    """How a table is written and read."""

    delimiter: str
    end: str
    quoting: Any
    encoding: str
    last_end: bool
    block: int


written = st.builds(
    Written,
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
    last_end=st.booleans(),
    block=st.sampled_from([3, 11, 64]),
)
tables = st.lists(st.one_of(st.none(), st.tuples(WORDS, WORDS, WORDS)), min_size=1, max_size=12)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=tables, how=written)
def test_values_and_lines_are_those_of_pythons_csv(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: list[tuple[str, str, str] | None],
    how: Written,
) -> None:
    monkeypatch.setattr("daybreak.sources.reading.csv_reader.BLOCK_BYTES", how.block)
    text = _as_csv(table, how)
    file = tmp_path / "x.csv"
    file.write_bytes(text.encode(how.encoding))
    found = csv.reader(io.StringIO(text, newline=""), delimiter=how.delimiter)
    wanted = [row for row in found if row]
    section = items(delimiter=how.delimiter, encoding=how.encoding, null_values=[])
    if len(wanted) == 1:
        with pytest.raises(DatasetError, match="is empty"):
            open_csv(file, "x.csv", "", section)
        return

    rows = open_csv(file, "x.csv", "", section)
    chunks = list(rows.chunks)

    read = {
        int(number): list(row.values())
        for chunk in chunks
        for number, row in zip(chunk.row_numbers, chunk.batch.to_pylist(), strict=True)
    }
    broken = {row.row_number for chunk in chunks for row in chunk.malformed}
    assert list(rows.columns) == wanted[0]
    # A writer that ends lines by LF leaves a CR within a value without quotes.
    assert read == {n: row for n, row in enumerate(wanted[1:], 1) if len(row) == len(wanted[0])}
    assert read.keys() | broken == set(range(1, len(wanted)))
    lines = rows.lines
    assert lines is not None
    assert lines.total == lines_of(text)
    assert lines.total == lines.header + lines.blank + len(wanted[1:]) + lines.merged
    assert lines.merged == sum(chunk.merged_lines for chunk in chunks)


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from('ab",\n\r'), min_size=1, max_size=40))
def test_any_text_is_split_as_python_splits_it_or_is_refused(text: str) -> None:
    """Quotes anywhere: stray ones, in the middle of a value, after its end, never closed."""
    lines = csv_records.Lines()
    reader = csv_records.RecordReader(iter([text.encode()]), "x.csv", ",", 100, lines)
    blocks, fault = [], None
    try:
        blocks += reader.blocks()
    except DatasetError as error:
        fault = error
    if fault:
        assert re.search("never closed|in the middle of a value", fault.message)
        assert 1 <= fault.details["line"] <= lines_of(text)
        assert '"' in text.splitlines()[fault.details["line"] - 1]
        return

    covered = [int(count) for block in blocks for count in block.covered]
    found = csv.reader(io.StringIO(text, newline=""))
    before, wanted = 0, []
    for row in found:
        wanted += [found.line_num - before] if row else []
        before = found.line_num
    assert covered == wanted
    assert lines.total == sum(covered) + lines.blank


def _as_csv(table: list[tuple[str, str, str] | None], how: Written) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=how.delimiter, lineterminator=how.end, quoting=how.quoting
    )
    writer.writerow("abc")
    for row in table:
        if row is None:
            buffer.write(how.end)
        else:
            writer.writerow(row)
    return buffer.getvalue() if how.last_end else buffer.getvalue().removesuffix(how.end)


SALES = "day,store,sku,qty,note\n"


def check(folder: Path, rows: list[str], more: str = "", name: str = "sales.csv") -> FileReport:
    data = (SALES + "".join(f"{row}\n" for row in rows)).encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    file = folder / "mine.yaml"
    columns = "{business_date: day, store_id: store, item_id: sku, units: qty}"
    file.write_text(f"name: m\nsales:\n  files: {folder}/{name}\n  columns: {columns}\n{more}")
    return check_dataset(load_spec(file), now=datetime(2026, 1, 1, tzinfo=UTC)).files[0]


def good(count: int) -> list[str]:
    return [f"2025-01-{1 + n % 28:02},s{n},x,1,fine" for n in range(count)]


@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz"])
@pytest.mark.parametrize(
    ("opening", "closing", "fault"),
    [
        ('2025-01-05,s,"x,1,fine', "", "not closed within 100 lines"),
        ('2025-01-05,s,x,1,"fine', "", "not closed within 100 lines"),
        ('2025-01-05,s,"x,1,fine', '2025-01-05,s,x",1,fine', "not closed within 100 lines"),
    ],
)
def test_a_stray_quote_refuses_the_file_and_is_placed(
    tmp_path: Path, opening: str, closing: str, fault: str, name: str
) -> None:
    rows = [*good(50), opening, *good(150), *([closing] if closing else []), *good(150)]

    with pytest.raises(DatasetError, match=fault) as caught:
        check(tmp_path, rows, "  max_bad_share: 1\n", name)

    assert caught.value.details["line"] == 52
    assert "record_lines" in caught.value.remedy


def test_a_quote_that_stays_open_until_the_end(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"opened in line 12 .* is never closed") as caught:
        check(tmp_path, [*good(10), '2025-01-05,s,"x,1,fine', *good(3)], "  max_bad_share: 1\n")

    assert caught.value.details["line"] == 12


def test_a_stray_quote_that_the_next_quoted_value_ends(tmp_path: Path) -> None:
    rows = [*good(3), '2025-01-05,s,"x,1,fine', *good(5), '2025-01-05,s,x,1,"a, b"', *good(3)]

    with pytest.raises(DatasetError, match=r"opened in line 5 .* closed in line 11, in the middle"):
        check(tmp_path, rows, "  max_bad_share: 1\n")


def test_text_of_several_lines_loads(tmp_path: Path) -> None:
    text = 'Oak chair.\r\nSeat: 18"" high,\n\nfour legs'
    rows = [*good(20), f'2025-01-05,s,x,1,"{text}"', "", *good(20)]

    report = check(tmp_path, rows)

    assert (report.rows, report.kept) == (41, 41)
    assert report.lines == {"total": 46, "header": 1, "blank": 1, "merged": 3, "bad": 0}


def test_the_most_lines_of_a_record_can_be_set(tmp_path: Path) -> None:
    rows = [*good(20), f'2025-01-05,s,x,1,"{"more" * 5}{chr(10) * 119}"']

    with pytest.raises(DatasetError, match="within 100 lines"):
        check(tmp_path, rows)
    assert check(tmp_path, rows, "  csv: {record_lines: 120}\n").kept == 21
    with pytest.raises(DatasetError, match="within 119 lines"):
        check(tmp_path, rows, "  csv: {record_lines: 119}\n")


def test_a_bad_row_weighs_by_its_lines(tmp_path: Path) -> None:
    long = '2025-01-05,s,x,many,"' + "\n" * 9 + '"'

    report = check(tmp_path, [*good(989), long], "  max_bad_share: 0.0101\n")
    assert (report.quarantined, report.lines) == (
        1,
        {"total": 1000, "header": 1, "blank": 0, "merged": 9, "bad": 10},
    )
    with pytest.raises(DatasetError, match=r"1 of 990 rows are bad \(10 of 999 lines\)"):
        check(tmp_path, [*good(989), long], "  max_bad_share: 0.01\n")


def test_a_line_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_records, "LONGEST_RECORD_BYTES", 2 << 20)
    rows = [*good(2), "x" * (4 << 20), *good(2)]

    with pytest.raises(DatasetError, match=r"begins in line 4 .* is longer than 2 MB"):
        check(tmp_path, rows)


def test_a_value_longer_than_a_block_is_read(tmp_path: Path) -> None:
    long = f"2025-01-05,s,x,1,{'x' * (3 << 20)}"

    assert check(tmp_path, [*good(3), long, *good(3)]).kept == 7


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    text = end.join(["", "", SALES.strip(), *good(3), "", *good(2), "2025-01-05,s", ""])
    (tmp_path / "sales.csv").write_bytes(text.encode())
    section = load_spec(_written(tmp_path)).sales

    rows = open_csv(tmp_path / "sales.csv", "sales.csv", "", section)
    chunks = list(rows.chunks)

    assert [n for chunk in chunks for n in chunk.row_numbers] == [1, 2, 3, 4, 5]
    broken = [row for chunk in chunks for row in chunk.malformed]
    assert [(row.row_number, row.text) for row in broken] == [(6, "2025-01-05,s")]
    assert rows.lines == csv_records.Lines(total=10, header=1, blank=3, merged=0)


def _written(folder: Path) -> Path:
    file = folder / "mine.yaml"
    columns = "{business_date: day, store_id: store, item_id: sku, units: qty}"
    file.write_text(f"name: m\nsales:\n  files: sales.csv\n  columns: {columns}\n")
    return file


@pytest.mark.parametrize("apart", [1, 2, 3, 60])
@pytest.mark.parametrize("quoted", ["sku", "note"])
def test_two_stray_quotes_close_together_are_a_bad_row(
    tmp_path: Path, apart: int, quoted: str
) -> None:
    rows = good(200)
    first, last = {
        "sku": ((",x,", ',"x,'), (",x,", ',x",')),
        "note": ((",fine", ',"fine'), (",fine", ',fine"')),
    }[quoted]
    rows[20] = rows[20].replace(*first)
    rows[20 + apart] = rows[20 + apart].replace(*last)
    drop = "  filters: [{name: other, keep: {column: store, equals: s1}}]\n"

    report = check(tmp_path, rows, "  max_bad_share: 1\n" + drop)

    assert report.lines == {
        "total": 201,
        "header": 1,
        "blank": 0,
        "merged": apart,
        "bad": apart + 1,
    }
    (example,) = report.examples
    assert (example["row_number"], example["field"]) == (21, None)
    assert example["reason"] == f"swallows {apart} others: a quote in it is stray"
    with pytest.raises(DatasetError, match=rf"\({apart + 1} of 200 lines\)"):
        check(tmp_path, rows, "  max_bad_share: 0.009\n")


def test_text_with_as_many_delimiters_as_a_row_is_text(tmp_path: Path) -> None:
    rows = [*good(5), '2025-01-05,s,x,1,"fine\nred, blue, green, black, white\n2025-01-05,a,b,c,d"']

    report = check(tmp_path, rows)

    assert (report.kept, report.quarantined) == (6, 0)
