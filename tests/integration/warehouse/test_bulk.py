"""COPY against plain INSERT and SELECT, which are slow and right."""

import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Double,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse import bulk
from daybreak.warehouse.bulk import copy_in, copy_out
from daybreak.warehouse.copy_encode import Texts
from daybreak.warehouse.engine import make_engine

EVERY = Table(
    "every",
    MetaData(),
    Column("small", SmallInteger),
    Column("whole", Integer),
    Column("big", BigInteger),
    Column("real", REAL),
    Column("double", Double),
    Column("flag", Boolean),
    Column("day", Date),
    Column("instant", DateTime(timezone=True)),
    Column("text", Text),
    Column("bytes", LargeBinary),
    Column("json", JSONB),
    Column("filled", Text, server_default="by the server"),
    Column("exact", Numeric),
    prefixes=["TEMPORARY"],
)

# PostgreSQL's text holds neither NUL nor lone surrogates.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
VALUES: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "small": (st.integers(-(2**15), 2**15 - 1), np.int16),
    "whole": (st.integers(-(2**31), 2**31 - 1), np.int32),
    "big": (st.integers(-(2**63), 2**63 - 1), np.int64),
    "real": (st.floats(width=32), np.float32),
    "double": (st.floats(), np.float64),
    "flag": (st.booleans(), np.bool_),
    "day": (st.dates(), "datetime64[D]"),
    "instant": (INSTANTS, "datetime64[us]"),
    "text": (TEXTS, object),
    "bytes": (st.binary(max_size=12), object),
}


@st.composite
def columns(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(0, 6))
    return {
        name: draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        for name, (values, _) in VALUES.items()
    }


def as_array(values: list[Any], dtype: Any) -> np.ndarray:
    if dtype is object:
        return np.array([*values, None], object)[:-1]
    missing = np.array([value is None for value in values], bool)
    filler = {"datetime64[D]": "1970-01-01", "datetime64[us]": "1970-01-01"}.get(dtype, 0)
    plain = [
        filler
        if value is None
        else value.replace(tzinfo=None)
        if dtype == "datetime64[us]"
        else value
        for value in values
    ]
    return np.ma.MaskedArray(np.array(plain, dtype), missing)


@pytest.fixture(scope="module")
def scratch(postgres):
    """One database for all tests here: each has temporary tables of its own."""
    with postgres.database() as name:
        engine = make_engine(postgres.url(name))
        yield engine
        engine.dispose()


@pytest.fixture
def connection(scratch: Engine):
    with scratch.connect() as connection:
        EVERY.create(connection)
        yield connection
        connection.rollback()
        EVERY.drop(connection, checkfirst=True)


def rows_of(connection: Connection, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(select(*(EVERY.c[name] for name in names)))]


@given(columns())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_copy_in_stores_what_insert_stores(connection: Connection, given: dict[str, Any]) -> None:
    names = list(VALUES)
    connection.execute(EVERY.delete())
    arrays = {name: as_array(values, VALUES[name][1]) for name, values in given.items()}
    assert copy_in(connection, EVERY, arrays) == len(given["small"])
    copied = rows_of(connection, *names)

    connection.execute(EVERY.delete())
    rows = [dict(zip(names, row, strict=True)) for row in zip(*given.values(), strict=True)]
    if rows:
        connection.execute(insert(EVERY), rows)
    inserted = rows_of(connection, *names)

    # A short row may stand before a long one that came first: it fits into an earlier page.
    assert sorted(map(repr, copied)) == sorted(map(repr, inserted))


NUMBERS = {name: VALUES[name] for name in VALUES if name not in ("text", "bytes")}


@st.composite
def full_columns(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(0, 6))
    return {
        name: draw(st.lists(values, min_size=rows, max_size=rows))
        for name, (values, _) in NUMBERS.items()
    }


@given(full_columns())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_copy_out_reads_what_was_stored(connection: Connection, given: dict[str, Any]) -> None:
    connection.execute(EVERY.delete())
    arrays = {
        name: np.ma.getdata(as_array(values, VALUES[name][1])) for name, values in given.items()
    }
    copy_in(connection, EVERY, arrays)
    dtype = np.dtype([(name, array.dtype) for name, array in arrays.items()])
    query = select(*(EVERY.c[name] for name in NUMBERS))
    chunks = list(copy_out(connection, query, dtype))
    for name, array in arrays.items():
        got = np.concatenate([chunk[name] for chunk in chunks] or [array[:0]])
        np.testing.assert_array_equal(got, array)


def test_chunks_join_without_a_seam(connection: Connection, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "ROWS_PER_CHUNK", 7)
    numbers = np.arange(50, dtype=np.int32)
    texts = np.array(["x" * (n % 5) for n in numbers], object)
    assert copy_in(connection, EVERY, {"whole": numbers, "text": texts}) == 50
    chunks = list(copy_out(connection, select(EVERY.c.whole), np.dtype([("whole", "i4")])))
    assert [len(chunk) for chunk in chunks] == [7] * 7 + [1]
    assert np.concatenate(chunks)["whole"].tolist() == numbers.tolist()
    assert [text for (text,) in rows_of(connection, "text")] == texts.tolist()


def test_long_values_make_short_chunks(connection: Connection, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "BYTES_PER_CHUNK", 1000)
    texts = np.array(["short", None, "long" * 5000, "ü" * 300], object)
    copy_in(connection, EVERY, {"text": texts})
    assert [text for (text,) in rows_of(connection, "text")] == texts.tolist()


def test_parameters_of_the_query_are_bound(connection: Connection) -> None:
    texts = np.array(["100 %", "o'clock", "x"], object)
    copy_in(connection, EVERY, {"text": texts, "day": np.arange(3).astype("M8[D]")})
    query = (
        select(func.count().label("n"), func.max(EVERY.c.day).label("day"))
        .where(EVERY.c.text.in_(["100 %", "o'clock"]))
        .where(EVERY.c.text.like("%%") | (EVERY.c.text == "o'clock"))
        .where(EVERY.c.day >= date(1970, 1, 1))
    )
    (rows,) = copy_out(connection, query, np.dtype([("n", "i8"), ("day", "i4")]))
    assert rows.tolist() == [(2, 1)]  # a date into an integer: days since 1970-01-01


def test_features_go_in_and_out_as_matrices(connection: Connection) -> None:
    features = np.array([[1, np.nan, -0.0], [np.inf, 1e-45, 3.5]], np.float32)
    copy_in(connection, EVERY, {"bytes": features})
    assert rows_of(connection, "bytes") == [(row.tobytes(),) for row in features]
    (rows,) = copy_out(connection, select(EVERY.c.bytes), np.dtype([("bytes", "<f4", (3,))]))
    assert rows["bytes"].tobytes() == features.tobytes()


def texts_of(words: list[str | None]) -> Texts:
    encoded = [(word or "").encode() for word in words]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    nulls = np.array([word is None for word in words])
    return Texts(np.frombuffer(b"".join(encoded), np.uint8), offsets, nulls if any(nulls) else None)


@pytest.mark.parametrize("rows_per_chunk", [50_000, 3])
def test_text_as_utf8_bytes_and_as_numpy_text(
    connection: Connection, monkeypatch, rows_per_chunk: int
) -> None:
    monkeypatch.setattr(bulk, "ROWS_PER_CHUNK", rows_per_chunk)
    words = ["", "plain", "größer", "日本", None, "last"]
    copy_in(connection, EVERY, {"text": texts_of(words)})
    copy_in(connection, EVERY, {"text": np.array(words[:4])})
    assert [text for (text,) in rows_of(connection, "text")] == words + words[:4]


def test_one_long_text_costs_its_own_bytes(connection: Connection) -> None:
    words = ["x" * 200_000 if n == 700 else f"word {n}" for n in range(20_000)]
    for texts in (texts_of(words), np.array(words, object)):
        tracemalloc.start()
        copy_in(connection, EVERY, {"text": texts, "big": np.arange(20_000)})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100e6  # a matrix as wide as the longest would hold 4 GB
    lengths = select(func.max(func.length(EVERY.c.text)), func.count())
    assert tuple(connection.execute(lengths).one()) == (200_000, 40_000)


def test_json_and_defaults_and_constants(connection: Connection) -> None:
    json = np.array(['{"a": [1, null]}', None, '"ü"'], object)
    copy_in(connection, EVERY, {"json": json, "whole": np.broadcast_to(np.int64(4), 3)})
    assert rows_of(connection, "json", "whole", "filled") == [
        ({"a": [1, None]}, 4, "by the server"),
        (None, 4, "by the server"),
        ("ü", 4, "by the server"),
    ]


def test_times_without_a_value_are_null(connection: Connection) -> None:
    copy_in(connection, EVERY, {"day": np.array(["NaT", "2026-03-01"], "datetime64[s]")})
    assert rows_of(connection, "day") == [(None,), (date(2026, 3, 1),)]


def test_what_was_copied_commits_and_rolls_back_with_the_transaction(scratch: Engine) -> None:
    table = Table("kept", MetaData(), Column("n", Integer))
    with scratch.begin() as connection:
        table.create(connection)
    for commit in (True, False):
        with scratch.connect() as connection:  # nothing has begun a transaction here
            copy_in(connection, table, {"n": np.arange(3)})
            if commit:
                connection.commit()
    with scratch.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(table)) == 3


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (
            {"small": np.array([40_000])},
            ValueError,
            "every.small: values 40000 to 40000 do not fit",
        ),
        ({"whole": np.array([1.0])}, TypeError, "every.whole: values of dtype float64"),
        ({"whole": np.array([True])}, TypeError, "every.whole: values of dtype bool"),
        ({"real": np.array([0.1])}, TypeError, "every.real: float64 would lose digits"),
        ({"flag": np.array([1])}, TypeError, "every.flag: values of dtype int64"),
        ({"day": np.array(["2026-01-01T01"], "M8[h]")}, ValueError, "every.day: times are finer"),
        ({"day": np.array([None])}, TypeError, "every.day: give numbers, dates and flags"),
        ({"text": np.array([1.5], object)}, TypeError, "every.text: .*expected str"),
        ({"text": np.array(["\ud800"], object)}, ValueError, "every.text: .*surrogates"),
        ({"whole": texts_of(["x"])}, TypeError, "every.whole: texts do not belong"),
        ({"json": np.array([{}], object)}, TypeError, "every.json: give JSON as text, not as dict"),
        ({"bytes": np.zeros((1, 2))}, TypeError, "every.bytes: rows of float64"),
        ({"exact": np.zeros(1)}, TypeError, "every.exact: columns of type"),
        ({"nothing": np.zeros(1)}, ValueError, "every has no column nothing"),
        ({"small": np.zeros(1), "whole": np.zeros(2)}, ValueError, "differ in length"),
        ({}, ValueError, "no columns given"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    connection: Connection, columns: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        copy_in(connection, EVERY, columns)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ([("whole", "i4"), ("real", "f4")], "column whole is NULL"),
        ([("whole", "i8"), ("real", "f8")], "column real has 4 bytes a value, not the 8"),
        ([("real", "f4"), ("whole", "i4")], "the dtype asks for"),
    ],
)
def test_rows_that_do_not_fit_the_dtype_are_refused(
    connection: Connection, dtype: list[tuple[str, str]], message: str
) -> None:
    whole = np.ma.MaskedArray(np.arange(3), [False, "4" in dtype[0][1], False])
    copy_in(connection, EVERY, {"whole": whole, "real": np.zeros(3, np.float32)})
    if dtype[0][1] == "i8":
        query = select(EVERY.c.whole.cast(BigInteger).label("whole"), EVERY.c.real)
    else:
        query = select(EVERY.c.whole, EVERY.c.real)
    with pytest.raises(ValueError, match=message):
        list(copy_out(connection, query, np.dtype(dtype)))


@pytest.mark.parametrize("dtype", [np.dtype("i4"), np.dtype([("text", "U5")])])
def test_dtypes_of_varying_width_are_refused(connection: Connection, dtype: np.dtype) -> None:
    query = select(EVERY.c.text) if dtype.names else select().add_columns()
    with pytest.raises((TypeError, ValueError), match=r"no named fields|cannot be copied out"):
        list(copy_out(connection, query, dtype))


def test_times_come_out_in_utc(connection: Connection) -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC) + timedelta(microseconds=7)
    connection.execute(insert(EVERY).values(instant=moment))
    (rows,) = copy_out(connection, select(EVERY.c.instant), np.dtype([("instant", "M8[us]")]))
    assert rows["instant"][0] == np.datetime64("2026-03-29T01:30:00.000007")
