"""Parsers, held against Python's own for any input."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.section import Condition, Source
from daybreak.sources.parsing.convert import Converted, WrongTypeError, convert
from daybreak.sources.parsing.filters import holds

LONDON = ZoneInfo("Europe/London")


def parse(given: Any, kind: Kind, **how: Any) -> Converted:
    array = given if isinstance(given, pa.Array) else pa.array(given)
    source = Source.model_validate({"column": "x", **how})
    return convert(array, CanonicalColumn("x", kind), source, LONDON)


def bad(converted: Converted) -> list[bool]:
    masks = [mask for mask, _ in converted.faults]
    if not masks:
        return [False] * len(converted.values)
    return [bool(row) for row in np.any(masks, axis=0)]


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["+5", " 7 ", "1e3", ".5", "5.", "1,000", "0x10", "1_000", "--1", "abc", "1e", "٣"]
    ),
    st.text(max_size=6),
)


@given(st.lists(numbers, min_size=1, max_size=20))
@example(["TRUE", "false"])
def test_numbers_as_python_reads_them(texts: list[str]) -> None:
    found = parse(pa.array(texts, pa.string()), Kind.NUMBER)

    for text, value, is_bad in zip(texts, found.values.to_pylist(), bad(found), strict=True):
        plain = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text.strip(), re.A | re.I)
        absent = text.strip().lower() in ("", "nan")
        flag = {"true": 1.0, "false": 0.0}.get(text.strip().lower())
        if flag is not None:  # as pandas writes one
            assert (value, is_bad) == (flag, False)
        elif plain and math.isfinite(float(text)):
            assert value == float(text)
            assert not is_bad
        else:
            assert is_bad is not absent


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None, 3], pa.int32()), [1.0, None, 3.0]),
        (pa.array([1.5, float("nan"), None]), [1.5, None, None]),
        (pa.array([Decimal("1.25")]), [1.25]),
        (pa.array([True, False]), [1.0, 0.0]),
        (pa.array(["1"]).dictionary_encode(), [1.0]),
        (pa.array(["1"], pa.large_string()), [1.0]),
        (pa.array([None, None]), [None, None]),
    ],
)
def test_numbers_of_other_types(values: Any, expected: list[float | None]) -> None:
    found = parse(values, Kind.NUMBER)

    assert found.values.to_pylist() == expected
    assert not found.faults


@pytest.mark.parametrize("values", [["inf"], [float("inf")], [-math.inf]])
def test_an_infinite_number_is_bad(values: list[Any]) -> None:
    assert parse(values, Kind.NUMBER).faults[0][1] == "is not finite"


iso_dates = st.one_of(
    st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(date.isoformat),
    st.sampled_from(
        ["2011-02-29", "2011-02-30", "2012-02-29", "2011-13-01", "1899-12-31", "20110201"]
    ),
    st.sampled_from(
        ["2011-2-3", "2011-02-03x", "03/02/2011", "yesterday", " 2011-02-03 ", "2200-01-01"]
    ),
)


@given(st.lists(iso_dates, min_size=1, max_size=20))
def test_iso_dates(texts: list[str]) -> None:
    found = parse(texts, Kind.DATE)

    for text, value, is_bad in zip(texts, found.values.to_pylist(), bad(found), strict=True):
        expected = None
        with suppress(ValueError):
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
                expected = date.fromisoformat(text.strip())
        if expected and 1900 <= expected.year < 2200:
            assert value == expected
            assert not is_bad
        else:
            assert is_bad


@given(
    st.lists(
        st.one_of(
            st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(lambda day: f"{day:%d/%m/%Y}"),
            st.sampled_from(["31/02/2011", "1/2/2011", "2011-02-01", "12/31/2011"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_dates_by_format(texts: list[str]) -> None:
    found = parse(texts, Kind.DATE, format="%d/%m/%Y")

    for text, value, is_bad in zip(texts, found.values.to_pylist(), bad(found), strict=True):
        expected = None
        with suppress(ValueError):
            expected = datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=UTC).date()
        assert value == expected
        assert is_bad is (expected is None)


def test_a_date_of_an_aware_time_is_the_local_one() -> None:
    moment = datetime(2011, 6, 1, 23, 30, tzinfo=UTC)  # half past midnight in London

    assert parse(["2011-06-01T23:30:00Z"], Kind.DATE).values.to_pylist() == [date(2011, 6, 2)]
    assert parse([moment], Kind.DATE).values.to_pylist() == [date(2011, 6, 2)]
    assert parse([moment.replace(tzinfo=None)], Kind.DATE).values.to_pylist() == [date(2011, 6, 1)]


@pytest.mark.parametrize("values", [[20110203], [20110203.0, None], ["20110203.0", "20110203"]])
def test_integers_with_a_format_are_dates(values: list[Any]) -> None:
    found = parse(values, Kind.DATE, format="%Y%m%d").values.to_pylist()
    assert found[0] == date(2011, 2, 3)


ODD = {
    Kind.NUMBER: [
        "inf",
        "-Infinity",
        "nan",
        "+5",
        "1e400",
        "true",
        "False",
        "x",
        "",
        "7.0",
        "+inf",
    ],
    Kind.FLAG: ["1.0", "0.0", "True", "x", "", "2.0", "yes"],
    Kind.TEXT: ["7.0", "1.10", "", "True", " a ", "-0.0", "nan"],
    Kind.DATE: ["2011-02-03", "2011-02-03 10", "2011-02-03T10:00Z", "2011-02-30", "", "x"],
    Kind.INSTANT: [
        "2011-02-03",
        "2011-02-03 10",
        "2011-02-03T10:00Z",
        "2011-02-03 10:00:00.5",
        "x",
    ],
}


@pytest.mark.parametrize("kind", list(ODD))
def test_a_value_means_the_same_alone_and_in_company(kind: Kind) -> None:
    """A file is read in batches; no row may depend on where it is cut."""

    def meaning(texts: list[str]) -> list[tuple[Any, str | None]]:
        found = parse(pa.array(texts, pa.string()), kind)
        reasons = [
            next((reason for mask, reason in found.faults if mask[row]), None)
            for row in range(len(texts))
        ]
        return list(zip(found.values.to_pylist(), reasons, strict=True))

    assert meaning(ODD[kind]) == [meaning([text])[0] for text in ODD[kind]]


def test_a_decimal_and_a_float32_are_the_numbers_that_they_are_written_as() -> None:
    written = [f"{n}.{n % 1000:03}" for n in range(0, 100_000, 7)]
    decimals = pa.array([Decimal(text) for text in written])
    assert parse(decimals, Kind.NUMBER).values.to_pylist() == [float(text) for text in written]

    short = pa.array([0.1, 2.7, 16777216.0, None, float("inf")], pa.float32())
    found = parse(short, Kind.NUMBER)
    assert found.values.to_pylist() == [0.1, 2.7, 16777216.0, None, math.inf]
    assert bad(found) == [False] * 4 + [True]


def test_truth_values_as_numbers() -> None:
    assert parse(["True", "false", "2", "", "x"], Kind.NUMBER).values.to_pylist() == [
        1.0,
        0.0,
        2.0,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2011-06-01 08:26:00", datetime(2011, 6, 1, 7, 26, tzinfo=UTC)),
        ("2011-06-01T08:26+02:00", datetime(2011, 6, 1, 6, 26, tzinfo=UTC)),
        ("2011-06-01", datetime(2011, 5, 31, 23, tzinfo=UTC)),
        (date(2011, 6, 1), datetime(2011, 5, 31, 23, tzinfo=UTC)),
        ("2011-10-30 01:30:00", datetime(2011, 10, 30, 0, 30, tzinfo=UTC)),  # the first of two
        ("2011-03-27 01:30:00", datetime(2011, 3, 27, 1, 30, tzinfo=UTC)),  # skipped: 02:30
    ],
)
def test_instants_are_local_unless_they_say(value: Any, expected: datetime) -> None:
    assert parse([value], Kind.INSTANT).values.to_pylist() == [expected]


def test_a_mix_of_forms_is_read_one_by_one() -> None:
    found = parse(["2011-06-01T00:00:00Z", "2011-06-01", None, "nonsense"], Kind.INSTANT)

    assert found.values.to_pylist()[0] - found.values.to_pylist()[1] == timedelta(hours=1)
    assert bad(found) == [False, False, False, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "yes", "TRUE", "t", "y"], [True] * 5),
        (["0", "No", "false", "f", "n"], [False] * 5),
        ([1, 0, None], [True, False, None]),
        ([1.0, 0.0], [True, False]),
        (["1.0", "0.0", ""], [True, False, None]),
        ([True, False], [True, False]),
    ],
)
def test_flags(values: list[Any], expected: list[bool | None]) -> None:
    found = parse(values, Kind.FLAG)

    assert found.values.to_pylist() == expected
    assert not found.faults


def test_what_is_no_flag_is_bad() -> None:
    assert bad(parse(["maybe", "2", ""], Kind.FLAG)) == [True, True, False]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([17850.0, 1.5, float("nan"), None], ["17850", "1.5", None, None]),
        ([85048, None], ["85048", None]),
        (["  a b ", "", " "], ["a b", None, None]),
        ([date(2011, 1, 2)], ["2011-01-02"]),
        (["7.0", "-12.0", "0.0", "-0.0", "7", None], ["7", "-12", "0", "0", "7", None]),
        (["1.10", "7.00", "007.0", "7.0a", "1.0.0", ".0", "7."], None),
        ([0.1, 1e16, 1e-7, -0.0], ["0.1", "1e+16", "1e-07", "0"]),
        (pa.array([0.1, 7.0, float("nan")], pa.float32()), ["0.1", "7", None]),
        ([True, False, None], ["True", "False", None]),
        ([Decimal("7.0"), Decimal("8.5")], ["7", "8.5"]),
    ],
)
def test_text(values: Any, expected: list[str | None] | None) -> None:
    """None: as it is written."""
    assert parse(values, Kind.TEXT).values.to_pylist() == (expected or values)


def test_text_in_one_case() -> None:
    assert parse(["85123a"], Kind.TEXT, case="upper").values.to_pylist() == ["85123A"]
    assert parse(["85123A"], Kind.TEXT, case="lower").values.to_pylist() == ["85123a"]


def test_a_nul_character_is_bad() -> None:
    assert parse(["a\0b"], Kind.TEXT).faults[0][1] == "has a NUL character"


def test_values_are_looked_up_and_others_are_bad() -> None:
    found = parse(["0", "a", "z", None], Kind.NUMBER, values={0: 0, "a": 1.5})

    assert found.values.to_pylist() == [0.0, 1.5, None, None]
    assert bad(found) == [False, False, True, False]
    assert found.faults[0][1] == "is none of ['0', 'a']"


@pytest.mark.parametrize(
    ("values", "separator", "expected"),
    [
        (["Drama|War", " Drama | |Drama", "", None, "|"], "|", ['["Drama", "War"]', '["Drama"]']),
        (["Drama, War"], None, ['["Drama, War"]']),
        (
            [["Drama", "War"], ["Drama", " ", None], [], None],
            None,
            ['["Drama", "War"]', '["Drama"]'],
        ),
        (pa.array([[3, 4], [3, 3]], pa.large_list(pa.int64())), None, ['["3", "4"]', '["3"]']),
        (pa.array(["a/b", "ö"]).dictionary_encode(), "/", ['["a", "b"]', '["ö"]']),
        ([7.0, float("nan")], "|", ['["7"]']),
    ],
)
def test_several_texts(values: Any, separator: str | None, expected: list[str]) -> None:
    found = parse(values, Kind.TEXTS, separator=separator)

    absent: list[str | None] = [None] * (len(values) - len(expected))
    assert found.values.to_pylist() == expected + absent
    assert not found.faults


def test_a_nul_character_among_several_texts_is_bad() -> None:
    assert bad(parse(["a|b", "a|b\0c"], Kind.TEXTS, separator="|")) == [False, True]


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.TEXTS}))
def test_a_list_is_of_no_kind(kind: Kind) -> None:
    with pytest.raises(WrongTypeError):
        parse([[1, 2]], kind)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"matches": "[0-9]{5}[A-Z]?"}, [True, False, False, False]),
        ({"in": ["POST", "D"]}, [False, True, False, False]),
        ({"equals": "POST"}, [False, True, False, False]),
        ({"is_null": True}, [False, False, True, False]),
        ({"is_null": False}, [True, True, False, True]),
        ({"below": 7}, [False, False, False, True]),
        ({"at_most": 6.5}, [False, False, False, True]),
        ({"above": 6.5}, [False, False, False, False]),
        ({"at_least": 6.5}, [False, False, False, True]),
    ],
)
def test_conditions(test: dict[str, Any], expected: list[bool]) -> None:
    condition = Condition.model_validate({"column": "x", **test})
    values = pa.array(["85123A", "POST", None, "6.5"])

    assert holds(condition, values).tolist() == expected


def test_a_condition_compares_numbers_with_text_of_whole_numbers() -> None:
    condition = Condition.model_validate({"column": "x", "in": [1, 2.0, True]})

    assert holds(condition, pa.array([1.0, 2.0, 3.0])).tolist() == [True, True, False]
    assert holds(condition, pa.array(["1.0", "2", "3.0"])).tolist() == [True, True, False]
    for flags in ([True, False, None], ["True", "False", ""], ["true", "false", None]):
        assert holds(condition, pa.array(flags)).tolist() == [True, False, False]
