import threading
from datetime import date

import pytest
from sqlalchemy import Engine, inspect, text

from daybreak.models.sales_forecast.tables import scores, snapshots
from daybreak.warehouse.engine import begin
from daybreak.warehouse.partitions import ensure_partition, partition_name

BOUNDS = text(
    "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = :name AND relispartition"
)


@pytest.mark.parametrize(
    ("day", "name", "first", "after"),
    [
        (date(2026, 3, 1), "sales_forecast_2026_03", "2026-03-01", "2026-04-01"),
        (date(2026, 12, 31), "sales_forecast_2026_12", "2026-12-01", "2027-01-01"),
        (date(2024, 2, 29), "sales_forecast_2024_02", "2024-02-01", "2024-03-01"),
    ],
)
def test_a_partition_holds_one_month(
    warehouse: Engine, day: date, name: str, first: str, after: str
) -> None:
    assert partition_name(scores, day) == name
    with begin(warehouse) as conn:
        for _ in range(2):
            ensure_partition(conn, scores, day)
            ensure_partition(conn, scores, day.replace(day=1))
        assert conn.scalars(BOUNDS, {"name": name}).all() == [
            f"FOR VALUES FROM ('{first}') TO ('{after}')"
        ]


def test_a_partition_has_the_key_and_indexes_of_its_table(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        ensure_partition(conn, snapshots, date(2026, 3, 5))
        inspector = inspect(conn)
        for table in ("sales_forecast", "sales_forecast_2026_03"):
            key = inspector.get_pk_constraint(table, "feature")["constrained_columns"]
            assert key == ["business_date", "snapshot_id", "store_id", "item_id"]
            indexes = inspector.get_indexes(table, "feature")
            assert [index["column_names"] for index in indexes] == [["snapshot_id", "ordinal"]]


def test_partitions_asked_for_at_once_are_made_once(warehouse: Engine) -> None:
    days = [date(2026, 5, 1), date(2026, 5, 31)] * 3
    start = threading.Barrier(len(days))
    errors: list[BaseException] = []

    def ensure(day: date) -> None:
        start.wait()
        try:
            with begin(warehouse) as conn:
                ensure_partition(conn, scores, day)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ensure, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    with begin(warehouse) as conn:
        assert len(conn.scalars(BOUNDS, {"name": "sales_forecast_2026_05"}).all()) == 1


def test_a_new_month_does_not_wait_for_readers(warehouse: Engine) -> None:
    with begin(warehouse) as reader:
        reader.execute(text("SELECT count(*) FROM score.sales_forecast"))
        with begin(warehouse) as conn:
            conn.execute(text("SET lock_timeout = '50ms'"))
            ensure_partition(conn, scores, date(2026, 7, 1))


def test_what_rolls_back_leaves_no_partition(warehouse: Engine) -> None:
    with warehouse.connect() as conn:
        ensure_partition(conn, scores, date(2026, 8, 1))
        conn.rollback()
        assert conn.scalars(BOUNDS, {"name": "sales_forecast_2026_08"}).all() == []
        ensure_partition(conn, scores, date(2026, 8, 1))
