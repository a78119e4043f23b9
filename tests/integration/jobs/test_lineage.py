"""What the server says that a transaction read and wrote, noted and never in the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, event, insert, select, text
from sqlalchemy.exc import ProgrammingError

from daybreak.jobs import lineage
from daybreak.models.fraud.tables import scores as score_fraud
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.runtime import Runtime
from daybreak.warehouse import touched
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import day_closed, item, plan, sales

DAY = date(2026, 3, 1)
MakeRuntime = Callable[..., Runtime]


def sell(conn: Connection, load_id: int = 1) -> None:
    conn.execute(
        insert(sales).values(
            business_date=DAY, store_id="s", item_id="i", units=1, load_id=load_id,
            loaded_at=datetime(2026, 3, 2, tzinfo=UTC),
        )
    )  # fmt: skip


def test_what_is_read_and_written_is_noted_by_transaction(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    trace = lineage.watch(runtime)
    with begin(runtime.engine) as conn:
        conn.execute(select(item)).all()
        conn.execute(select(sales)).all()
        sell(conn)
        conn.execute(text("CREATE TEMPORARY TABLE mine AS SELECT * FROM raw.plan"))
    assert (trace.read, trace.written) == ({"raw.item", "raw.plan"}, {"raw.sales"})
    with connect(runtime.engine) as conn:  # ends without a commit
        conn.execute(text("SELECT * FROM report.freshness")).all()
    assert "raw.day_closed" in trace.read
    assert not [name for name in trace.read | trace.written if name.startswith("ops.")]

    again = lineage.watch(runtime)
    with begin(runtime.engine) as conn:
        conn.execute(select(day_closed)).all()
    assert again.read == {"raw.day_closed"}, "what was counted before belongs to the other trace"


def test_a_month_of_scores_counts_as_its_table_and_what_is_deleted_is_not_written(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime()
    with begin(runtime.engine) as conn:
        ensure_partition(conn, score_sales_forecast, DAY)
    trace = lineage.watch(runtime)
    with begin(runtime.engine) as conn:
        conn.execute(
            insert(score_sales_forecast).values(
                business_date=DAY, generation_id=1, store_id="s", item_id="i", horizon=1,
                target_date=DAY, shard=0, p10=1, p50=1, p90=1, mean=1,
            )
        )  # fmt: skip
    assert trace.written == {"score.sales_forecast"}
    trace = lineage.watch(runtime)
    with begin(runtime.engine) as conn:
        conn.execute(score_sales_forecast.delete().where(score_sales_forecast.c.shard == 0))
    assert (trace.read, trace.written) == ({"score.sales_forecast"}, set())


def test_what_is_undone_was_not_written(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    trace = lineage.watch(runtime)
    with pytest.raises(ProgrammingError), begin(runtime.engine) as conn:  # noqa: PT012
        sell(conn)
        conn.execute(text("SELECT nothing"))
    assert trace.written == set()


def test_a_publication_shows_in_the_views_that_stand_on_its_scores(
    make_runtime: MakeRuntime,
) -> None:
    runtime = make_runtime()
    with begin(runtime.engine) as conn:
        lineage.published(conn, score_fraud)  # nobody watches
    trace = lineage.watch(runtime)
    with begin(runtime.engine) as conn:
        lineage.published(conn, score_sales_forecast)
    views = ("forecast", "forecast_accuracy", "forecast_actual", "forecast_vintages")
    assert trace.written == {f"report.{view}" for view in views}
    assert trace.read == {"score.sales_forecast"}


def test_where_the_question_fails_the_transaction_does_not(
    make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = make_runtime()
    trace = lineage.watch(runtime)
    monkeypatch.setattr(touched, "_TOUCHED", "SELECT nothing FROM nowhere WHERE %s IS NULL")
    with caplog.at_level(logging.WARNING), begin(runtime.engine) as conn:
        sell(conn)
    assert "What this transaction read and wrote is not known" in caplog.text
    assert trace.written == set()
    with connect(runtime.engine) as conn:
        assert len(conn.execute(select(sales)).all()) == 1


def test_without_a_watch_nothing_is_asked(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    with begin(runtime.engine) as conn:
        sell(conn)
        conn.execute(select(plan)).all()
    lineage.loaded(runtime.engine, ["sales.csv"])
    assert not event.contains(runtime.engine, "commit", lineage._note)
    assert lineage.watch(runtime).files == set()
