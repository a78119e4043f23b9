"""``ops.run``, ``ops.step`` and ``ops.sla`` as a day's run, a re-run and an alarm write them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select

from daybreak.ledger import generations
from daybreak.monitoring import sla
from daybreak.monitoring.metrics import NullMetrics
from daybreak.monitoring.steps import begin_run, record_step, timed_step
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import run, snapshot, step
from daybreak.warehouse.tables import sla as sla_table

MODEL = "sales_forecast"
DAY = date(2026, 1, 5)
RUN_AT = datetime(2026, 1, 6, 2, 0, tzinfo=UTC)
DUE = datetime(2026, 1, 6, 6, 0, tzinfo=UTC)
NIGHT = "daily_forecast/scheduled__2026-01-05"


def after(seconds: float) -> datetime:
    return RUN_AT + timedelta(seconds=seconds)


class Sent(NullMetrics):
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def timing(self, name: str, seconds: float) -> None:
        self.values[name] = seconds

    def incr(self, name: str, count: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + count

    def gauge(self, name: str, value: float) -> None:
        self.values[name] = value


def land(
    engine: Engine,
    *,
    run_key: str = NIGHT,
    run_type: str = "scheduled",
    queued_at: datetime | None = RUN_AT,
    landed: datetime | None = None,
) -> dict[str, Any]:
    """One run from its first step to its SLA row: it waits 20 s, scores 60 and publishes 10."""
    begun, landed = after(5), landed or after(100)
    with begin(engine) as conn:
        begin_run(
            conn,
            run_key=run_key,
            model=MODEL,
            business_date=DAY,
            run_type=run_type,
            queued_at=queued_at,
            now=begun,
        )
        snapshot_id = conn.scalar(
            insert(snapshot)
            .values(
                model=MODEL,
                business_date=DAY,
                cutoff=begun,
                layout=uuid.uuid4().hex,
                rows=10,
                sha256="",
                built_at=begun,
            )
            .returning(snapshot.c.snapshot_id)
        )
        opened = generations.open_generation(
            conn,
            model=MODEL,
            business_date=DAY,
            run_key=run_key,
            run_type=run_type,
            cutoff=begun,
            version="v1",
            snapshot_id=snapshot_id,
            now=begun,
        )
        shards = [("score_shard", 0, 40, 65), ("score_shard", 1, 40, 85)]
        for name, shard, since, until in [
            ("wait_for_inputs", -1, 5, 25),
            ("plan_snapshot", -1, 25, 40),
            *shards,
            ("audit", -1, 85, 88),
            ("publish", -1, 90, 95),
        ]:
            record_step(
                conn,
                run_key=run_key,
                step=name,
                shard=shard,
                started_at=after(since),
                ended_at=after(until),
            )
        generations.mark_staged(conn, opened.generation_id, 300, landed)
        generations.mark_audited(conn, opened.generation_id, landed)
        generations.publish(conn, opened.generation_id, landed)
        return sla.record_landing(
            conn, run_key=run_key, generation_id=opened.generation_id, due=DUE, now=landed
        )


def alarm(engine: Engine, run_type: str = "scheduled", begun_at: datetime = RUN_AT) -> bool:
    with begin(engine) as conn:
        return sla.record_miss(
            conn,
            run_key=NIGHT,
            model=MODEL,
            business_date=DAY,
            run_type=run_type,
            begun_at=begun_at,
            due=DUE,
            now=DUE + timedelta(seconds=2),
        )


def rows(engine: Engine) -> list[Any]:
    with connect(engine) as conn:
        return list(conn.execute(select(sla_table).order_by(sla_table.c.run_key)))


def test_a_run_in_time_says_where_its_time_went(warehouse: Engine) -> None:
    row = land(warehouse)
    assert (row["status"], row["run_type"]) == ("met", "scheduled")
    assert row["landed_at"] == after(100)
    assert row["slack_seconds"] == 4 * 3600 - 100
    assert row["queue_seconds"] == 5
    assert row["wait_seconds"] == 20
    assert row["score_seconds"] == 60
    assert row["publish_seconds"] == 10
    assert (row["rows"], row["rows_per_second"]) == (300, 5)
    assert row["deadline_fired_at"] is None


def test_a_late_run_is_a_miss_with_negative_slack(warehouse: Engine) -> None:
    row = land(warehouse, landed=DUE + timedelta(minutes=3))
    assert (row["status"], row["slack_seconds"]) == ("missed", -180)


def test_a_backfill_is_not_counted_and_has_no_queue_time(warehouse: Engine) -> None:
    row = land(warehouse, run_type="backfill", queued_at=None, landed=DUE + timedelta(days=300))
    assert (row["status"], row["queue_seconds"]) == ("not_counted", None)


def test_the_first_landing_decides_and_publishing_again_does_not_rewrite_it(
    warehouse: Engine,
) -> None:
    first = land(warehouse)
    again = land(warehouse, run_type="backfill", landed=DUE + timedelta(days=3))
    assert again == first
    assert len(rows(warehouse)) == 1
    with connect(warehouse) as conn:
        assert conn.scalar(select(run.c.run_type)) == "backfill"
        assert conn.scalar(select(run.c.started_at)) == after(5)


def test_a_manual_run_of_a_day_that_is_out_is_not_counted(warehouse: Engine) -> None:
    land(warehouse)
    afternoon = DUE + timedelta(hours=8)
    again = land(
        warehouse,
        run_key="daily_forecast/manual__1",
        run_type="manual",
        queued_at=afternoon,
        landed=afternoon + timedelta(minutes=1),
    )
    assert again["status"] == "not_counted"


def test_a_manual_run_that_repairs_a_failed_night_is_counted(warehouse: Engine) -> None:
    assert alarm(warehouse)
    repair = land(
        warehouse,
        run_key="daily_forecast/manual__1",
        run_type="manual",
        queued_at=DUE + timedelta(hours=1),
        landed=DUE + timedelta(hours=2),
    )
    assert repair["status"] == "missed"


def test_the_alarm_records_a_miss_and_the_landing_completes_it(warehouse: Engine) -> None:
    assert alarm(warehouse)
    (missed,) = rows(warehouse)
    assert (missed.status, missed.landed_at, missed.generation_id) == ("missed", None, None)
    assert missed.deadline_fired_at == DUE + timedelta(seconds=2)

    assert alarm(warehouse), "a callback that runs twice says the same"
    assert rows(warehouse) == [missed]

    landed = land(warehouse, landed=DUE + timedelta(minutes=1))
    assert (landed["status"], landed["slack_seconds"]) == ("missed", -60)
    assert landed["deadline_fired_at"] == missed.deadline_fired_at
    assert len(rows(warehouse)) == 1


def test_a_miss_stays_a_miss_whatever_the_clocks_say(warehouse: Engine) -> None:
    alarm(warehouse)
    assert land(warehouse, landed=DUE - timedelta(seconds=1))["status"] == "missed"


def test_the_alarm_of_a_day_that_is_out_says_nothing(warehouse: Engine) -> None:
    before = land(warehouse)
    assert not alarm(warehouse)
    assert rows(warehouse)[0].deadline_fired_at is None
    assert before["status"] == "met"


@pytest.mark.parametrize(
    ("run_type", "begun_at"), [("backfill", RUN_AT), ("manual", DUE + timedelta(days=30))]
)
def test_the_alarm_of_a_replay_is_no_miss(
    warehouse: Engine, run_type: str, begun_at: datetime
) -> None:
    assert not alarm(warehouse, run_type, begun_at)
    assert rows(warehouse) == []


def test_only_counted_runs_move_the_gauge_of_slack(warehouse: Engine) -> None:
    sent = Sent()
    sla.send_landing(sent, land(warehouse))
    assert sent.values == {
        "sales_forecast.sla.met": 1,
        "sales_forecast.run.queue": 5,
        "sales_forecast.run.wait": 20,
        "sales_forecast.run.score": 60,
        "sales_forecast.run.publish": 10,
        "sales_forecast.rows": 300,
        "sales_forecast.rows_per_second": 5,
        "sales_forecast.sla.slack_seconds": 4 * 3600 - 100,
    }
    replayed = Sent()
    row = land(warehouse, run_key="b", run_type="backfill", queued_at=None)
    sla.send_landing(replayed, row)
    assert replayed.values["sales_forecast.sla.not_counted"] == 1
    assert "sales_forecast.sla.slack_seconds" not in replayed.values


def test_a_step_is_recorded_when_it_succeeds_and_counted_when_it_fails(warehouse: Engine) -> None:
    sent = Sent()
    moments = iter(after(second) for second in (0, 1, 4, 5, 6))

    def shard_three(*, fail: bool) -> None:
        with timed_step(
            warehouse,
            sent,
            lambda: next(moments),
            run_key=NIGHT,
            model=MODEL,
            step="score_shard",
            shard=3,
        ) as timed:
            timed.rows = 7
            if fail:
                raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shard_three(fail=True)
    with connect(warehouse) as conn:
        assert conn.scalar(select(func.count()).select_from(step)) == 0

    shard_three(fail=False)
    with connect(warehouse) as conn:
        (row,) = conn.execute(select(step))
    assert (row.step, row.shard, row.rows) == ("score_shard", 3, 7)
    assert (row.started_at, row.ended_at) == (after(1), after(4))
    assert sent.values == {
        "sales_forecast.score_shard.failed": 1,
        "sales_forecast.score_shard.succeeded": 1,
        "sales_forecast.score_shard.duration": 4,
    }
