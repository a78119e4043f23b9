"""What the page makes of rows: CSV that no spreadsheet runs, figures, a calendar."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.charts.figures import figure, line, plain
from daybreak.charts.tables import Column, Table, as_csv
from daybreak.serving.page import accuracy, lists
from daybreak.serving.page.data import months
from daybreak.serving.page.login import _WITHIN

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")']


def read_back(values: list[Any]) -> list[str]:
    table = Table("t", "T", [Column("v", "V"), Column("w", "W")], [{"v": v} for v in values])
    header, *rows = csv.reader(io.StringIO(as_csv(table), newline=""))
    assert header == ["v", "w"]
    return [row[0] for row in rows]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert read_back([text]) == [f"'{text}"]


def test_a_csv_has_names_as_they_are_and_columns_that_are_not_shown() -> None:
    shown, beside = [Column("rule", "Rule", "words")], [Column("currency", "Currency")]
    table = Table("t", "T", shown, [{"rule": "no_cost", "currency": "EUR"}], only_in_csv=beside)
    assert as_csv(table).splitlines() == ["rule,currency", "no_cost,EUR"]


def test_numbers_dates_and_nothing_stay_what_they_are() -> None:
    moment = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    values = [-1.5, -3, Decimal("-0.10"), True, None, date(2026, 3, 1), moment, "plain", "a,b"]
    assert read_back(values) == [
        *("-1.5", "-3", "-0.10", "true", "", "2026-03-01", "2026-03-01T02:30:00+00:00"),
        *("plain", "a,b"),
    ]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), max_size=5))
def test_every_text_comes_back_from_csv_and_no_cell_begins_a_formula(texts: list[str]) -> None:
    found = read_back(list(texts))
    assert [one.removeprefix("'") for one in found] == [text.removeprefix("'") for text in texts]
    assert not any(one.startswith(("=", "+", "-", "@", "\t", "\r")) for one in found)


def test_values_are_shown_for_people() -> None:
    assert Column("n", "n", "number", 1).shown(1234.56) == "1,234.6"
    assert Column("n", "n", "percent").shown(0.123) == "12.3 %"
    assert (
        Column("n", "n", "moment").shown(datetime(2026, 3, 1, 2, tzinfo=UTC)) == "2026-03-01 02:00"
    )
    assert Column("n", "n", "words").shown("largest_change") == "largest change"
    assert Column("n", "n").shown(None) == Column("n", "n", "number").shown(math.nan) == "–"


def test_a_figure_is_json_whatever_is_in_it() -> None:
    made = figure([line("<b>x</b>", [date(2026, 3, 1)], [math.nan], "var(--ink)")], height=10)
    (trace,) = json.loads(json.dumps(made, allow_nan=False))["data"]
    assert trace["x"] == ["2026-03-01"]
    assert trace["y"] == [None]
    assert trace["name"] == "&lt;b&gt;x&lt;/b&gt;"
    assert plain('<a href="javascript:x">%{y} $x$') == (
        '&lt;a href="javascript:x"&gt;%&#123;y} &#36;x&#36;'
    )


def test_a_day_is_missing_only_where_it_should_have_had_facts() -> None:
    newest = date(2026, 3, 4)
    closed = datetime(2026, 3, 5, tzinfo=UTC)

    def row(day: int, **more: Any) -> dict[str, Any]:
        usual = {"closed_at": None, "open": None, "holiday": None, "days": 1}
        return {"business_date": date(2026, 3, day), **usual, **more}

    days = [row(1, closed_at=closed), row(2, open=False), row(4, closed_at=closed), row(5)]
    (month,) = months(days, newest, date(2026, 3, 1))
    found = {day.number: day.state for week in month.weeks for day in week if day}
    assert {n: found[n] for n in range(1, 6)} == {
        1: "closed", 2: "shut", 3: "missing", 4: "closed", 5: "ahead",
    }  # fmt: skip
    assert len(found) == 4 + 7
    assert month.title == "March 2026"
    assert month.weeks[0][6] is not None, "1 March 2026 is a Sunday"


@given(st.none() | st.integers(0, 10**8))
def test_no_more_days_are_judged_unasked_than_rows_allow(rows: int | None) -> None:
    days = accuracy.affordable(rows)
    read, judged = (rows or 0) * days, (rows or 0) / 28 * days * (days + 1) / 2
    assert 1 <= days <= 14
    assert days == 1 or read / 16 + judged <= accuracy.ROWS_AT_ONCE

    days = lists.affordable(rows)
    assert 1 <= days <= lists.DAYS
    assert days == 1 or days * (rows or 0) <= lists.ROWS_AT_ONCE


@given(
    days=st.none() | st.integers(1, 60),
    rows=st.integers(0, 10**7),
    weekly=st.booleans(),
    late=st.integers(0, 40),
)
def test_lists_are_judged_up_to_the_newest_or_over_a_whole_week(
    days: int | None, rows: int, weekly: bool, late: int
) -> None:
    closed = date(2026, 3, 31)
    newest = closed - timedelta(days=late)
    interval = "weekly:sunday" if weekly else "daily"
    known = {"newest": newest, "newest_closed": closed, "interval": interval, "rows": rows}
    judged, first, last = lists._span(days, known)
    assert (last - first).days == judged - 1
    assert last <= newest
    if days:
        assert (judged, last) == (days, newest)
    elif judged <= 7:
        assert (closed - last).days >= 7, "all days that it is judged by are closed"
        assert judged == 7 or not weekly, "one that is scored weekly is met"


@pytest.mark.parametrize("back", ["", "models", "forecast?store=S1&item=a%2Fb", "data?csv=x"])
def test_a_login_goes_on_to_a_view(back: str) -> None:
    assert _WITHIN.fullmatch(back)


@pytest.mark.parametrize(
    "back",
    [
        *("//evil.example", "https://evil.example", "/\\evil", "\\\\evil", "javascript:alert(1)"),
        *("../v1/models", "/ui", "models/../..", "models?x#y", "models\r\nSet-Cookie: a=b"),
        *("models?a\\b", "Models", "models ", " models", "models?a b", "data:text/html,x"),
    ],
)
def test_a_login_goes_nowhere_else(back: str) -> None:
    assert not _WITHIN.fullmatch(back)


def test_a_calendar_spans_what_is_shown_and_no_more() -> None:
    newest = date(2026, 3, 31)
    spanned = months([], newest, newest - timedelta(days=1000))
    assert (spanned[0].title, spanned[-1].title) == ("September 2025", "April 2026")
