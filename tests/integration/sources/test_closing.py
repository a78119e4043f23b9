"""Which days are closed where several sections close days, or others than sales do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text

from daybreak.errors import DatasetError
from daybreak.sources.closing import awaited
from daybreak.sources.contract.spec import DatasetSpec, load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import LoadReport
from daybreak.warehouse.tables import day_closed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SALES = """
sales:
  files: ${HERE}/sales*.csv
  columns: {business_date: day, store_id: {const: a}, item_id: {const: x}, units: {const: 1}}
"""
CLICKS = """
interactions:
  files: ${HERE}/clicks*.csv
  columns: {event_at: day, user_id: {const: u}, item_id: {const: x}, kind: {const: view}}
"""
SHUT_ON_SUNDAY = "calendar: {closed_weekdays: [sunday]}\n"  # 2 and 9 March 2025


def march(day: int) -> date:
    return date(2025, 3, day)


class Shop:
    """A data set whose files are days of March 2025: ``{"sales": [(1, 3)]}`` is one file."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def spec(self, sections: str, days: dict[str, list[tuple[int, ...]]]) -> DatasetSpec:
        for name, files in days.items():
            for number, file in enumerate(files):
                lines = [f"{march(day)}\n" for day in file]
                (self.folder / f"{name}{number}.csv").write_text("".join(["day\n", *lines]))
        file = self.folder / "mine.yaml"
        file.write_text(f"name: mine\n{sections}")
        return load_spec(file)

    def load(
        self, sections: str, days: dict[str, list[tuple[int, ...]]], through: date | None = None
    ) -> LoadReport:
        return load_dataset(self.engine, self.spec(sections, days), now=NOW, through=through)

    def closed(self) -> list[int]:
        with self.engine.connect() as conn:
            days = conn.scalars(select(day_closed.c.business_date).order_by("business_date"))
            return [day.day for day in days]

    def awaited(self, sections: str, day: int) -> tuple[str, ...]:
        with self.engine.connect() as conn:
            return awaited(conn, self.spec(sections, {}), march(day))

    def empty(self) -> None:
        for file in self.folder.glob("*.csv"):
            file.unlink()
        with self.engine.begin() as conn:
            conn.execute(
                text("TRUNCATE raw.sales, raw.interaction, raw.day_closed, raw.calendar, ops.load")
            )


@pytest.fixture
def shop(warehouse: Engine, tmp_path: Path) -> Shop:
    return Shop(warehouse, tmp_path)


def test_interactions_alone_close_days(shop: Shop) -> None:
    report = shop.load(CLICKS, {"clicks": [(3, 5)]})

    assert shop.closed() == [3, 4, 5]
    assert (report.days_closed, report.last_closed) == (3, march(5))
    query = "SELECT DISTINCT source FROM raw.day_closed JOIN ops.load USING (load_id)"
    with shop.engine.connect() as conn:
        assert list(conn.scalars(text(query))) == ["interactions"]


def test_a_day_waits_for_every_section_that_closes_days(shop: Shop) -> None:
    shop.load(SALES + CLICKS, {"sales": [(3, 6)], "clicks": [(3, 4)]})
    assert shop.closed() == [3, 4]
    assert shop.awaited(SALES + CLICKS, 4) == ()
    assert shop.awaited(SALES + CLICKS, 5) == ("interactions",)
    assert shop.awaited(SALES + CLICKS, 7) == ("sales", "interactions")

    shop.load(SALES + CLICKS, {"clicks": [(3, 4), (5, 8)]})
    assert shop.closed() == [3, 4, 5, 6]
    assert shop.awaited(SALES + CLICKS, 8) == ("sales",)


def test_a_section_that_closes_no_days_is_not_waited_for(shop: Shop) -> None:
    sections = SALES + CLICKS.rstrip() + "\n  closes_days: false\n"

    shop.load(sections, {"sales": [(3, 6)], "clicks": [(3, 4, 8)]})

    assert shop.closed() == [3, 4, 5, 6]
    assert shop.awaited(sections, 6) == ()
    assert shop.awaited(sections, 7) == ("sales",)


def test_days_before_the_first_of_a_section_do_not_wait_for_it(shop: Shop) -> None:
    shop.load(SALES + CLICKS, {"sales": [(3, 12)], "clicks": [(6, 8)]})

    assert shop.closed() == [3, 4, 5, 6, 7, 8]


def test_a_gap_of_one_section_stays_open(shop: Shop) -> None:
    shop.load(SALES + CLICKS, {"sales": [(3, 4), (6, 7)], "clicks": [(3, 7)]})

    assert shop.closed() == [3, 4, 6, 7]
    assert shop.awaited(SALES + CLICKS, 5) == ("sales",)


def test_a_shut_day_waits_for_nobody_but_for_what_comes_before_it(shop: Shop) -> None:
    sections = SHUT_ON_SUNDAY + SALES + CLICKS

    shop.load(sections, {"sales": [(7, 8)], "clicks": [(7,)]})
    assert shop.closed() == [7]  # Saturday's clicks are awaited, and so is Sunday after it

    shop.load(sections, {"clicks": [(7,), (8,)]})
    assert shop.closed() == [7, 8, 9]


def test_the_calendar_reaches_beyond_the_section_that_has_come_farthest(shop: Shop) -> None:
    shop.load(SALES + CLICKS, {"sales": [(3, 20)], "clicks": [(3, 4)]})

    with shop.engine.connect() as conn:
        last = conn.scalar(text("SELECT max(business_date) FROM raw.calendar"))
    assert last == march(20) + timedelta(days=400)


DAYS = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(lambda days: tuple(sorted(days)))
FILES = st.lists(DAYS, min_size=1, max_size=3)


@given(sales=FILES, clicks=FILES, steps=st.lists(st.integers(1, 14), max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_loading_in_steps_closes_the_days_of_loading_at_once(
    shop: Shop,
    sales: list[tuple[int, ...]],
    clicks: list[tuple[int, ...]],
    steps: list[int],
) -> None:
    sections = SHUT_ON_SUNDAY + SALES.rstrip() + "\n  max_bad_share: 1\n" + CLICKS
    days = {"sales": sales, "clicks": clicks}
    shop.empty()
    for step in sorted(steps):
        shop.load(sections, days, march(step))
        assert all(day <= step for day in shop.closed())
    shop.load(sections, days)
    in_steps = shop.closed()
    spans = {name: [(min(file), max(file)) for file in files] for name, files in days.items()}

    shop.empty()
    shop.load(sections, days)

    assert in_steps == shop.closed() == expected(spans)


def expected(spans: dict[str, list[tuple[int, int]]]) -> list[int]:
    """The rule, day by day: as docs/data-contract.md puts it."""

    def reached(name: str, day: int) -> bool:
        return any(first <= day <= last for first, last in spans[name])

    def waits(name: str, day: int) -> bool:
        return day >= min(first for first, _ in spans[name]) and not reached(name, day)

    first = min(span[0] for both in spans.values() for span in both)
    end = min(max(last for _, last in both) for both in spans.values())
    while end + 1 in (2, 9):
        end += 1
    return [
        day
        for day in range(first, end + 1)
        if day in (2, 9)
        or (any(reached(n, day) for n in spans) and not any(waits(n, day) for n in spans))
    ]


IN_WEEKS = "calendar: {period: week}\n"  # which end on Sundays: 2, 9, 16, 23 and 30 March 2025


def test_a_week_is_closed_when_every_section_has_reached_its_last_day(shop: Shop) -> None:
    days = {"sales": [(1, 5, 10)], "clicks": [(1, 12)]}

    shop.load(IN_WEEKS + SALES + CLICKS, days)

    assert shop.closed() == [2, 9]
    assert shop.awaited(IN_WEEKS + SALES + CLICKS, 16) == ("interactions",)
    shop.load(IN_WEEKS + SALES + CLICKS, days | {"clicks": [(1, 12), (12, 17)]})
    assert shop.closed() == [2, 9, 16]


def test_days_become_weeks_by_the_rules_of_aggregate(shop: Shop) -> None:
    lines = ["2025-03-03,2", "no date,5", ",7", "2025-03-09,1", "2025-03-10,4"]
    (shop.folder / "sales0.csv").write_text("\n".join(["day,units", *lines]) + "\n")
    section = SALES.replace("units: {const: 1}", "units: units") + "  aggregate: {}\n"

    report = shop.load(IN_WEEKS + section + "  max_bad_share: 0.5\n", {})

    with shop.engine.connect() as conn:
        found = conn.execute(text("SELECT business_date, units FROM raw.sales ORDER BY 1")).all()
    assert [tuple(row) for row in found] == [(march(9), 3), (march(16), 4)]
    assert report.files[0].quarantined == 2
    assert (report.files[0].first_date, report.files[0].last_date) == (march(9), march(16))


def test_two_rows_of_a_week_are_refused_like_two_of_a_day(shop: Shop) -> None:
    report = shop.load(IN_WEEKS + SALES + "  max_bad_share: 0.5\n", {"sales": [(3, 9)]})

    assert report.files[0].quarantined == 1
    assert shop.closed() == [9]


@pytest.mark.parametrize("later", ["", "calendar: {period: week, week_starts: friday}\n"])
def test_a_warehouse_of_weeks_takes_no_other_periods(shop: Shop, later: str) -> None:
    shop.load(IN_WEEKS + SALES, {"sales": [(1, 10)]})

    with pytest.raises(DatasetError, match="by weeks that end on a Sunday") as caught:
        shop.load(later + SALES, {"sales": [(1, 10), (20,)]})

    assert "Set them back" in caught.value.remedy
    assert shop.closed() == [2, 9, 16]
