"""Report views on a small warehouse whose numbers are worked by hand."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, text

import price_proposals
from daybreak.errors import ConfigError
from daybreak.interval import WEEKDAYS, weekly
from daybreak.ledger import generations as g
from daybreak.ledger.upstream import basis_of, read_upstream, record_upstream
from daybreak.ledger.verdicts import record_verdict
from daybreak.models import model_relations
from daybreak.monitoring.steps import begin_run
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from daybreak.warehouse.reports import report_views
from daybreak.warehouse.reports.page import BLOCK, render_page, report_columns
from grafana_boards import RULES, WAREHOUSE_BOARDS, chosen, everything, expanded, queries
from report_days import (
    DAY,
    MARCH_1,
    MODEL,
    champion,
    close,
    fill,
    load,
    march,
    publish,
    sale,
    version,
)

PAGE = (Path(__file__).parents[3] / "docs" / "reports.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def rows(conn: Connection, view: str, order: str) -> list[dict[str, Any]]:
    found = conn.execute(text(f"SELECT * FROM report.{view} ORDER BY {order}"))
    return [dict(row) for row in found.mappings()]


@pytest.fixture
def conn(warehouse: Engine):
    with begin(warehouse) as connection:
        yield connection


# --- the page --------------------------------------------------------------------------------


@pytest.mark.docs
def test_every_query_of_the_page_answers_an_analyst(warehouse: Engine) -> None:
    assert len(QUERIES) >= 8
    with begin(warehouse) as conn:
        fill(conn)
    with begin(warehouse) as conn:
        conn.execute(text("SET ROLE daybreak_reader"))
        for query in QUERIES:
            assert conn.exec_driver_sql(query).all(), query


# --- boards and alerts -----------------------------------------------------------------------

IN_RANGE = (datetime(2026, 1, 15, 8, tzinfo=UTC), march(31))
TIME = {1114, 1184}
NUMBER = {20, 21, 23, 700, 701, 1700}
TEXT = {25}
"""Types of PostgreSQL that Grafana takes for a moment, a number and a text."""


@pytest.fixture
def filled(warehouse: Engine) -> Iterator[Connection]:
    """The filled warehouse, as the login of Grafana sees it."""
    with begin(warehouse) as conn:
        fill(conn)
    with begin(warehouse) as conn:
        conn.execute(text("SET ROLE daybreak_reader"))
        conn.execute(text("SET default_transaction_read_only = on"))
        yield conn


def asked(conn: Connection, sql: str) -> tuple[list[tuple[str, int]], list[Any]]:
    """Names and types of the columns, and the rows."""
    result = conn.exec_driver_sql(sql.replace("%", "%%"))
    assert result.cursor is not None
    columns = [(column.name, column.type_code) for column in result.cursor.description]
    return columns, list(result.all())


@pytest.mark.parametrize("board", WAREHOUSE_BOARDS, ids=lambda board: board["uid"])
def test_every_query_of_a_board_answers_with_what_its_panel_shows(
    filled: Connection, board: dict[str, Any]
) -> None:
    picked = everything(board)
    for query in queries(board):
        columns, found = asked(filled, expanded(query.sql, *IN_RANGE, everything(board)))
        assert found, query
        names, types = [name for name, _ in columns], [kind for _, kind in columns]
        assert len(set(names)) == len(names), query
        if query.kind == "variable":
            name = query.title.removeprefix("variable ")
            picked[name] = chosen([row[0] for row in found])
            assert types[0] in TEXT, query
        elif query.kind == "annotation":
            assert dict(columns)["time"] in TIME, query
            assert dict(columns)["text"] in TEXT, query
        elif query.kind == "timeseries":
            assert query.format == "time_series", query
            assert (names[0], types[0] in TIME) == ("time", True), query
            assert names[1] != "metric" or types[1] in TEXT, query
            values = [kind for name, kind in columns if name not in {"time", "metric"}]
            assert values, query
            assert set(values) <= NUMBER, query
            assert [row[0] for row in found] == sorted(row[0] for row in found), query
        elif query.kind in {"stat", "barchart"}:
            assert set(types) & NUMBER, query
            assert set(types) <= NUMBER | TEXT, query
    # The same answer where everything is picked by hand: no null falls through.
    for query in queries(board):
        _, all_of_it = asked(filled, expanded(query.sql, *IN_RANGE, everything(board)))
        assert asked(filled, expanded(query.sql, *IN_RANGE, picked))[1] == all_of_it, query


def alerted(conn: Connection, title: str, last: datetime) -> list[float]:
    """The numbers that an alert rule compares at a moment, less the one that is allowed."""
    (rule,) = (rule for rule in RULES if rule["title"] == title)
    asks, compares = rule["data"]
    first = last - timedelta(seconds=asks["relativeTimeRange"]["from"])
    columns, found = asked(conn, expanded(asks["model"]["rawSql"], first, last, {}))
    # Grafana takes texts for labels and has to find one number beside them.
    (number,) = (place for place, (_, kind) in enumerate(columns) if kind in NUMBER)
    assert {kind for _, kind in columns} <= NUMBER | TEXT
    (limit,) = compares["model"]["conditions"][0]["evaluator"]["params"]
    return [float(row[number]) - limit for row in found if row[number] is not None]


def test_every_alert_asks_what_the_login_of_grafana_may_read(filled: Connection) -> None:
    assert [len(alerted(filled, rule["title"], march(20))) for rule in RULES] == [4, 0, 0, 0]


def test_scores_are_stale_while_a_newer_day_is_closed(conn: Connection) -> None:
    close(conn, MARCH_1)
    publish(conn, MARCH_1, {("a", 1): (1, 2, 3, 2)})
    assert alerted(conn, "ScoresStale", march(2)) == [0]
    close(conn, MARCH_1 + DAY)
    assert alerted(conn, "ScoresStale", march(3)) == [1]
    publish(conn, MARCH_1 + DAY, {("a", 1): (1, 2, 3, 2)})
    assert alerted(conn, "ScoresStale", march(3)) == [0]
    g.rollback(conn, MODEL, MARCH_1 + DAY, march(3))
    assert alerted(conn, "ScoresStale", march(3)) == [1], "withdrawn: readers see the day before"


@pytest.mark.parametrize(("p50", "behind"), [(9.5, -0.05), (5, 0.4)])
def test_a_forecast_is_compared_with_naive_over_three_days_or_more(
    conn: Connection, p50: float, behind: float
) -> None:
    """10 sold each day; on the same weekday of the week before 9."""
    for n in range(-6, 3):
        load(conn, tables.sales, sale(MARCH_1 + n * DAY, "a", 9 if n <= 0 else 10))
    for n in range(2):
        publish(conn, MARCH_1 + n * DAY, {("a", 1): (1, p50, 20, p50)})
        close(conn, MARCH_1 + (n + 1) * DAY)
    assert alerted(conn, "ForecastWorseThanNaive", march(20)) == [], "two days say too little"
    load(conn, tables.sales, sale(MARCH_1 + 3 * DAY, "a", 10))
    publish(conn, MARCH_1 + 2 * DAY, {("a", 1): (1, p50, 20, p50)})
    close(conn, MARCH_1 + 3 * DAY)
    assert alerted(conn, "ForecastWorseThanNaive", march(20)) == [pytest.approx(behind)]
    assert alerted(conn, "ForecastWorseThanNaive", march(31) + 5 * DAY) == [], "long ago"


@pytest.mark.docs
def test_every_column_has_a_meaning_and_the_page_lists_it_as_the_database_does(
    conn: Connection,
) -> None:
    views = report_columns(conn)
    assert set(views) == {view.name for view in report_views(model_relations().views)}
    silent = [(view, one.name) for view, found in views.items() for one in found if not one.meaning]
    assert silent == []
    assert views["forecast"] == views["forecast_vintages"]
    assert views["recommendation"] == views["recommendation_vintages"]

    blocks = {found["view"] for found in BLOCK.finditer(PAGE)}
    assert blocks == set(views) - {"forecast_vintages", "recommendation_vintages"}
    assert render_page(conn, PAGE) == PAGE, "run `daybreak warehouse columns --page` on it"
    with pytest.raises(ConfigError, match=r"report\.nothing"):
        render_page(conn, "<!-- columns of report.nothing -->\n<!-- end of columns -->")


# --- forecast --------------------------------------------------------------------------------


def test_forecast_is_the_newest_published_day_and_vintages_are_all(conn: Connection) -> None:
    first = publish(conn, MARCH_1, {("i1", 1): (1, 2, 3, 2.5)})
    old = publish(conn, MARCH_1 + DAY, {("i1", 1): (4, 5, 6, 5.5)}, run_type="backfill")
    new = publish(conn, MARCH_1 + DAY, {("i1", 1): (7, 8, 9, 8.5)}, version="v2")
    load(
        conn,
        tables.item,
        {"item_id": "i1", "name": "old", "category": "c"},
        {"item_id": "i1", "name": "new", "category": "d", "loaded_at": march(2)},
        {"item_id": "i1", "name": "older", "category": "e", "loaded_at": march(1)},
    )
    load(conn, tables.store, {"store_id": "s1", "name": "Corner"})
    assert rows(conn, "forecast", "item_id") == [
        {
            "business_date": date(2026, 3, 2), "target_date": date(2026, 3, 3), "horizon": 1,
            "store_id": "s1", "store_name": "Corner", "item_id": "i1", "item_name": "new",
            "category": "d", "p10": 7.0, "p50": 8.0, "p90": 9.0, "mean": 8.5, "version": "v2",
            "generation_id": new, "cutoff": march(3, 2), "published_at": march(3, 2),
            "gate": "not_judged",
        }
    ]  # fmt: skip
    vintages = rows(conn, "forecast_vintages", "business_date")
    assert [row["generation_id"] for row in vintages] == [first, new]
    g.rollback(conn, MODEL, MARCH_1 + DAY, march(5))
    assert [row["generation_id"] for row in rows(conn, "forecast", "item_id")] == [old]
    g.rollback(conn, MODEL, MARCH_1 + DAY, march(5))
    assert [row["generation_id"] for row in rows(conn, "forecast", "item_id")] == [first]


# --- accuracy, by hand -----------------------------------------------------------------------


def approximately(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: pytest.approx(float(value)) if isinstance(value, Fraction) else value
        for name, value in row.items()
    }


def test_accuracy_worked_by_hand(conn: Connection) -> None:
    """Business date Monday 9 March; a, b, c and d are items, one day ahead is Tuesday the 10th.

    ====  ====  ====  ====  ====  ======  =====  ==========================================
    item   p10   p50   p90  mean  actual  naive
    ====  ====  ====  ====  ====  ======  =====  ==========================================
    a        2     4     8     5       6      3  corrected from 60; naive known as 3 then
    b        0     1     2     1       0      0  no row of sales: sold 0
    c        1     3     5     4      10      8  above p90
    d        -     -     -     -       -      -  its plan says closed: does not count
    ====  ====  ====  ====  ====  ======  =====  ==========================================
    """
    monday, tuesday, before = date(2026, 3, 9), date(2026, 3, 10), date(2026, 3, 3)
    generation = publish(
        conn,
        monday,
        {
            ("a", 1): (2, 4, 8, 5),
            ("b", 1): (0, 1, 2, 1),
            ("c", 1): (1, 3, 5, 4),
            ("d", 1): (1, 3, 5, 4),
            ("a", 2): (2, 4, 8, 5),  # Wednesday is not closed yet
        },
    )
    load(
        conn,
        tables.sales,
        sale(tuesday, "a", 60),
        sale(tuesday, "a", 6, loaded_at=march(12)),
        sale(tuesday, "c", 10),
        sale(before, "a", 2),
        sale(before, "a", 3, loaded_at=march(4)),
        sale(before, "a", 99, loaded_at=march(20)),  # a correction that the run did not know
        sale(before, "c", 8),
        sale(tuesday + DAY, "a", 6),
    )
    key = {"business_date": tuesday, "store_id": "s1", "item_id": "d"}
    load(conn, tables.plan, {**key, "open": False})
    close(conn, tuesday)

    a, b, c = rows(conn, "forecast_accuracy", "item_id")
    assert a == approximately(
        {
            "business_date": monday, "target_date": tuesday, "horizon": 1,
            "store_id": "s1", "store_name": None,
            "item_id": "a", "item_name": None, "category": None,
            "rows": 1,
            "actual_units": Fraction(6),
            "forecast_units": Fraction(5),
            "naive_units": Fraction(3),
            "absolute_error_p50": Fraction(2),
            "absolute_error_mean": Fraction(1),
            "absolute_error_naive": Fraction(3),
            "coverage": Fraction(1),
            "pinball": (Fraction(1, 10) * 4 + Fraction(1, 2) * 2 + Fraction(1, 10) * 2) / 3,
            "pinball_naive": Fraction(3, 2),
            "version": "v1", "generation_id": generation, "gate": "not_judged",
        }
    )  # fmt: skip
    assert {name: b[name] for name in ("actual_units", "naive_units", "coverage")} == {
        "actual_units": 0, "naive_units": 0, "coverage": 1,
    }  # fmt: skip
    assert b["pinball"] == pytest.approx((Fraction(1, 2) * 1 + Fraction(1, 10) * 2) / 3)
    assert (c["actual_units"], c["coverage"], c["absolute_error_p50"]) == (10, 0, 7)
    assert c["pinball"] == pytest.approx(
        float(Fraction(1, 10) * 9 + Fraction(1, 2) * 7 + Fraction(9, 10) * 5) / 3
    )
    found = rows(conn, "forecast_actual", "item_id")
    assert [(row["item_id"], row["actual"], row["naive"], row["open"]) for row in found] == [
        ("a", 6, 3, True), ("b", 0, 0, True), ("c", 10, 8, True), ("d", 0, 0, False),
    ]  # fmt: skip


def test_what_came_late_and_what_was_withdrawn_counts_at_once(conn: Connection) -> None:
    """A revised sale, a plan that closes the day after all, a rollback: the same answer anew."""
    day = MARCH_1 + DAY
    publish(conn, MARCH_1, {("a", 1): (1, 2, 3, 2)}, version="old")
    publish(conn, MARCH_1, {("a", 1): (4, 5, 6, 5)}, version="new", run_type="backfill")
    assert rows(conn, "forecast_actual", "item_id") == []
    close(conn, day)

    def judged() -> list[tuple[Any, ...]]:
        found = rows(conn, "forecast_accuracy", "item_id")
        return [(row["version"], row["actual_units"], row["absolute_error_p50"]) for row in found]

    assert judged() == [("new", 0, 5)]
    load(conn, tables.sales, sale(day, "a", 7))
    load(conn, tables.sales, sale(day, "a", 0, loaded_at=march(8)))
    assert judged() == [("new", 0, 5)]
    load(conn, tables.sales, sale(day, "a", 9, loaded_at=march(9)))
    assert judged() == [("new", 9, 4)]
    g.rollback(conn, MODEL, MARCH_1, march(9))
    assert judged() == [("old", 9, 7)]
    load(conn, tables.sales, sale(day, "a", 0, loaded_at=march(10)))
    key = {"business_date": day, "store_id": "s1", "item_id": ""}
    load(conn, tables.plan, {**key, "open": False, "loaded_at": march(11)})
    assert judged() == []
    g.rollback(conn, MODEL, MARCH_1, march(9))
    assert rows(conn, "forecast_actual", "item_id") == []


@pytest.mark.parametrize(
    ("horizon", "naive_day"), [(1, 3), (6, 8), (7, 9), (8, 3), (14, 9), (28, 9)]
)
def test_naive_is_the_same_weekday_of_the_last_week(
    conn: Connection, horizon: int, naive_day: int
) -> None:
    monday = date(2026, 3, 9)
    publish(conn, monday, {("a", horizon): (0, 0, 0, 0)})
    load(conn, tables.sales, *(sale(date(2026, 3, day), "a", day) for day in range(1, 10)))
    close(conn, monday + horizon * DAY)
    (row,) = rows(conn, "forecast_accuracy", "horizon")
    assert row["absolute_error_naive"] == naive_day


@pytest.mark.parametrize(
    ("calendar", "store_plan", "item_plan", "sold", "counts"),
    [
        (None, None, None, None, True),
        (False, None, None, None, False),  # the business was closed
        (True, False, None, None, False),  # the store was
        (None, False, True, None, True),  # the plan for the item is nearer
        (None, True, False, None, False),
        (None, None, None, (0, False), False),  # the sale itself says so
        (None, True, None, (0, False), True),
        (False, False, False, (3, None), True),  # units were sold: it was open
    ],
)
def test_only_open_days_count(
    conn: Connection,
    *,
    calendar: bool | None,
    store_plan: bool | None,
    item_plan: bool | None,
    sold: tuple[float, bool | None] | None,
    counts: bool,
) -> None:
    target = MARCH_1 + DAY
    publish(conn, MARCH_1, {("a", 1): (0, 0, 0, 0)})
    close(conn, target)
    if calendar is not None:
        conn.execute(insert(tables.calendar).values(business_date=target, open=calendar))
    for item, planned in (("", store_plan), ("a", item_plan)):
        key = {"business_date": target, "store_id": "s1", "item_id": item}
        if planned is not None:
            load(conn, tables.plan, {**key, "open": not planned}, {**key, "open": planned})
    if sold is not None:
        load(conn, tables.sales, sale(target, "a", sold[0], open=sold[1]))
    assert bool(rows(conn, "forecast_accuracy", "horizon")) is counts
    assert [row["open"] for row in rows(conn, "forecast_actual", "horizon")] == [counts]


# --- what scores were made from --------------------------------------------------------------


def test_the_basis_of_scores_is_the_worst_of_all_that_is_under_them(conn: Connection) -> None:
    """Prices stand on a forecast of one day, and that, for this test, on those of two others."""
    bottom = [publish(conn, MARCH_1 + n * DAY, {("i1", 1): (1, 2, 3, 2)}) for n in (1, 2)]
    middle = publish(conn, MARCH_1, {("i1", 1): (1, 2, 3, 2)})
    top = price_proposals.publish(conn, MARCH_1, {"i1": (100, 110), "i2": (100, 100)})
    snapshots = {one: g.get_generation(conn, one).snapshot_id for one in (middle, top)}
    record_upstream(conn, snapshots[middle], bottom)
    for _ in range(2):  # again changes nothing
        record_upstream(conn, snapshots[top], [middle])

    def state(of: int) -> str | None:
        said = basis_of(conn, snapshots[of])
        if of == top:
            found = {row["basis"] for row in rows(conn, "price_proposals", "item_id")}
            found |= {
                row["basis"] for row in rows(conn, "freshness", "model") if row["model"] != MODEL
            }
            assert found == {said}
        return said

    assert [one.generation_id for one in read_upstream(conn, snapshots[top])] == [*bottom, middle]
    assert (state(top), state(middle)) == ("published", "published")
    newer = publish(conn, MARCH_1 + DAY, {("i1", 1): (1, 2, 3, 2)}, run_type="cli")
    assert (state(top), state(middle)) == ("superseded", "superseded")
    g.rollback(conn, MODEL, MARCH_1 + 2 * DAY, march(5))
    assert (state(top), state(middle)) == ("rolled_back", "rolled_back")
    found = rows(conn, "basis", "generation_id, upstream_generation_id")
    assert [
        (row["upstream_generation_id"], row["state"], row["published_instead"])
        for row in found
        if row["generation_id"] == top
    ] == [
        (bottom[0], "superseded", newer),
        (bottom[1], "rolled_back", None),
        (middle, "published", None),
    ]
    assert basis_of(conn, g.get_generation(conn, newer).snapshot_id) is None


# --- freshness and punctuality ---------------------------------------------------------------


@pytest.mark.parametrize("weekday", WEEKDAYS)
@pytest.mark.parametrize("closed", range(7))
def test_a_weekly_model_is_as_old_as_the_last_day_that_it_should_have_scored(
    conn: Connection, weekday: str, closed: int
) -> None:
    last = MARCH_1 + closed * DAY
    close(conn, last)
    expected = weekly(weekday).last(last)
    publish(conn, expected - 7 * DAY, {("a", 1): (0, 0, 0, 0)})
    for n, interval in enumerate(("daily", f"weekly:{weekday}")):  # the last run tells
        begin_run(
            conn, run_key=interval, model=MODEL, business_date=last, run_type="scheduled",
            queued_at=None, now=march(1 + n), interval=interval,
        )  # fmt: skip
    (row,) = rows(conn, "freshness", "model")
    assert (row["newest_expected"], row["age_days"], row["fresh_age_days"]) == (expected, 7, 7)
    assert row["interval"] == f"weekly:{weekday}"
    publish(conn, last, {("a", 1): (0, 0, 0, 0)})  # by hand, between two of its days
    assert rows(conn, "freshness", "model")[0]["age_days"] == 0


def test_a_backfill_is_published_but_never_fresh(conn: Connection) -> None:
    close(conn, *(MARCH_1 + n * DAY for n in range(5)))
    conn.execute(
        insert(tables.champion).values(
            model="idle", version="v", effective_from=march(1), recorded_at=march(1), actor="",
            reason="", evidence={},
        )
    )  # fmt: skip
    publish(conn, MARCH_1, {("a", 1): (0, 0, 0, 0)})
    publish(conn, MARCH_1 + DAY, {("a", 1): (0, 0, 0, 0)})
    publish(conn, MARCH_1 + DAY, {("a", 1): (0, 0, 0, 0)}, run_type="backfill")  # was fresh before
    publish(conn, MARCH_1 + 2 * DAY, {("a", 1): (0, 0, 0, 0)}, run_type="backfill")
    idle, model = rows(conn, "freshness", "model")
    assert model == {
        "model": MODEL,
        "newest_closed": date(2026, 3, 5),
        "newest": date(2026, 3, 3),
        "newest_fresh": date(2026, 3, 2),
        "published_at": march(4, 2),
        "age_days": 2,
        "fresh_age_days": 3,
        "version": "v1",
        "gate": "not_judged",
        "interval": "daily",
        "newest_expected": date(2026, 3, 5),
        "basis": None,
        "generation_id": model["generation_id"],
        "rows": 1,
    }
    assert (idle["newest"], idle["age_days"], idle["newest_closed"]) == (
        None, None, date(2026, 3, 5),
    )  # fmt: skip


def test_the_first_landing_that_counts_speaks_for_the_day(conn: Connection) -> None:
    def landed(day: int, run: str, status: str, hour: int | None, **more: Any) -> None:
        conn.execute(
            insert(tables.sla).values(
                model=MODEL, business_date=date(2026, 3, day), run_key=run, run_type="scheduled",
                due_at=march(day + 1, 6), status=status, recorded_at=march(9),
                landed_at=None if hour is None else march(day + 1, hour), **more,
            )
        )  # fmt: skip

    landed(1, "backfill", "not_counted", 1)
    landed(1, "failed", "missed", None, deadline_fired_at=march(2, 6))
    landed(1, "repair", "missed", 9)
    landed(1, "replay", "missed", 11)
    landed(2, "only a backfill", "not_counted", 3)
    landed(3, "never landed", "missed", None)
    found = rows(conn, "sla_daily", "business_date")
    assert [(row["run_key"], row["status"], row["runs"]) for row in found] == [
        ("repair", "missed", 4),
        ("only a backfill", "not_counted", 1),
        ("never landed", "missed", 1),
    ]
    assert [row["deadline_fired_at"] for row in found] == [march(2, 6), None, None]


def test_model_history_is_the_ledger_beside_the_versions(conn: Connection) -> None:
    version(conn, "v1", metrics={"wape": 0.4})
    version(conn, "v2")
    version(conn, "v3")
    champion(conn, "v2", march(5), "second")
    champion(conn, "v1", march(1), "first, recorded late")
    champion(conn, "v1", march(8), "back")
    found = rows(conn, "model_history", "effective_from NULLS LAST")
    assert [(row["version"], row["effective_from"], row["until"]) for row in found] == [
        ("v1", march(1), march(5)),
        ("v2", march(5), march(8)),
        ("v1", march(8), None),
        ("v3", None, None),
    ]
    assert {row["gate"] for row in found} == {"not_judged"}
    assert found[0]["metrics"] == {"wape": 0.4}
    assert found[0]["evidence"] == {"wape": 0.5}
    assert {row["trained_through"] for row in found} == {MARCH_1}


def test_a_refused_version_is_marked_in_every_view_until_it_passes(conn: Connection) -> None:
    version(conn, "v1")
    publish(conn, MARCH_1, {("a", 1): (0, 0, 0, 0)})
    views = (
        "forecast", "forecast_vintages", "forecast_actual", "forecast_accuracy", "freshness",
        "version_gate", "model_history",
    )  # fmt: skip
    close(conn, MARCH_1 + DAY)

    def marks() -> set[str]:
        return {row["gate"] for view in views for row in rows(conn, view, "version")}

    def judge(passed: bool) -> bool:
        return record_verdict(
            conn, model=MODEL, version="v1", passed=passed, reason=f"{passed}", evidence={},
            actor="test", now=march(1),
            headline={"measure": "WAPE", "value": 0.5, "baseline": "mean", "baseline_value": 0.4},
        )  # fmt: skip

    assert marks() == {"not_judged"}
    assert judge(False)
    assert not judge(False), "a task that is run again adds nothing"
    champion(conn, "v1", march(1), "by hand, all the same")
    assert marks() == {"refused"}
    (found,) = rows(conn, "version_gate", "version")
    assert (found["measure"], found["value"], found["baseline"]) == ("WAPE", 0.5, "mean")
    assert judge(True)
    assert marks() == {"passed"}
