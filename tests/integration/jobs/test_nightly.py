"""The steps of a run on a real warehouse, carrying the toy model: nothing in jobs/ knows which."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, insert, select

import toy
from daybreak import models
from daybreak.clock import AsOf
from daybreak.errors import (
    AuditFailed,
    InputsLate,
    InputsNotComing,
    InvalidRequest,
    NoBusinessDate,
    NoChampion,
    NotPublished,
)
from daybreak.facts.days import newest_closed_day
from daybreak.jobs import drift, publishing, scoring, snapshots
from daybreak.jobs.addresses import GenerationAddress, RunAddress, run_address
from daybreak.jobs.deadline import record_missed_deadline
from daybreak.jobs.due import due_of
from daybreak.jobs.inputs import as_of
from daybreak.jobs.report import sla_rows
from daybreak.jobs.run import score_day
from daybreak.jobs.waiting import Look, look_for_inputs, maybe, needless
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import get_generation, published_generation
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import (
    day_closed,
    generation,
    load,
    published,
    run,
    sla,
    step,
)
from statsd_daemon import Daemon, statsd_daemon

DAY = date(2026, 2, 1)
CLOSED = datetime(2026, 2, 2, 0, 30, tzinfo=UTC)
DUE_TO_RUN = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
ROWS = len(toy.KEYS) * toy.HORIZON
MakeRuntime = Callable[..., Runtime]


@pytest.fixture(autouse=True)
def toy_is_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", toy.TOY, raising=False)


@pytest.fixture
def statsd() -> Iterator[Daemon]:
    with statsd_daemon() as daemon:
        yield daemon


@pytest.fixture
def runtime(make_runtime: MakeRuntime, statsd: Daemon) -> Runtime:
    made = make_runtime(
        now=NOW, statsd_host=statsd.host, statsd_port=statsd.port, entities_per_shard=4
    )
    champion(made, scale=1.0)
    close(made, DAY, CLOSED)
    return made


def champion(runtime: Runtime, scale: float, since: datetime = DUE_TO_RUN) -> str:
    """Register a version, whose scores ``scale`` multiplies, and put it in force."""
    manifest = {
        "trained_through": "2026-01-31",
        "features": list(toy.TOY.features),
        "scale": scale,
    }
    version = runtime.registry.register("toy", toy.booster(), manifest)
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model="toy",
            version=version,
            effective_from=since,
            reason="test",
            evidence={},
            actor="test",
            now=since,
        )
    return version


def close(runtime: Runtime, day: date, at: datetime) -> None:
    with begin(runtime.engine) as conn:
        conn.execute(insert(day_closed).values(business_date=day, closed_at=at, load_id=1))


def load_facts(
    runtime: Runtime, first: date, last: date, source: str = "sales", digit: str = "0"
) -> None:
    """Note a loaded file of facts with these days, as the load does."""
    with begin(runtime.engine) as conn:
        conn.execute(
            insert(load).values(
                dataset="shop",
                source=source,
                uri=f"{source}.csv",
                sha256=digit * 64,
                reading="{}",
                rows_read=1,
                rows_loaded=1,
                rows_quarantined=0,
                rules={},
                finished_at=NOW,
                first_date=first,
                last_date=last,
            )
        )


def nothing_comes() -> bool:
    return False


def a_run(day: date = DAY, run_key: str = "daily/one", **fields: Any) -> RunAddress:
    fields = {"run_type": "scheduled", "queued_at": DUE_TO_RUN} | fields
    return run_address(run_key=run_key, model="toy", business_date=day, **fields)


def stage(runtime: Runtime, address: RunAddress) -> GenerationAddress:
    """All steps before the audit."""
    assert look_for_inputs(address, runtime=runtime).ready
    opened = scoring.open_generation(snapshots.build_snapshot(address, runtime), runtime)
    for shard in scoring.plan_shards(opened, runtime):
        scoring.score_shard(opened, shard, runtime)
    return opened


def published_rows(engine: Engine, day: date = DAY) -> list[Any]:
    """What readers see of a day, all columns but the generation."""
    columns = [column for column in score_sales_forecast.c if column.name != "generation_id"]
    query = (
        select(*columns)
        .join(
            published,
            (published.c.generation_id == score_sales_forecast.c.generation_id)
            & (published.c.business_date == score_sales_forecast.c.business_date),
        )
        .where(published.c.business_date == day)
        .order_by(*score_sales_forecast.primary_key.columns.values()[2:])
    )
    with connect(engine) as conn:
        return list(conn.execute(query))


def test_every_step_in_order_publishes_the_whole_day_and_nothing_before(runtime: Runtime) -> None:
    opened = stage(runtime, a_run())
    scoring.audit(opened, runtime)
    assert published_rows(runtime.engine) == []
    event = publishing.publish(opened, runtime)
    assert len(published_rows(runtime.engine)) == ROWS
    assert event == {
        "model": "toy",
        "business_date": "2026-02-01",
        "generation_id": opened["generation_id"],
        "version": opened["version"],
    }
    row = publishing.record_sla(opened, runtime)
    assert (row["status"], row["rows"]) == ("met", ROWS)
    assert row["slack_seconds"] == 3 * 3600


def test_addresses_are_json_under_a_kilobyte(runtime: Runtime) -> None:
    address = a_run(run_key="daily_forecast/" + "x" * 250)
    opened = stage(runtime, address)
    shards = scoring.plan_shards(opened, runtime)
    published = [scoring.audit(opened, runtime), publishing.publish(opened, runtime)]
    for travels in [address, opened, *shards, *published, publishing.record_sla(opened, runtime)]:
        assert len(json.dumps(travels)) < 1024


def test_every_step_run_twice_changes_nothing(runtime: Runtime) -> None:
    address = a_run()
    once = score_steps(runtime, address, times=1)
    before = published_rows(runtime.engine)
    twice = score_steps(runtime, a_run(run_key="daily/two"), times=2)
    assert published_rows(runtime.engine) == before
    assert twice["generation_id"] == once["generation_id"] + 1, "one generation a run"
    with connect(runtime.engine) as conn:
        rows = conn.execute(
            select(score_sales_forecast.c.generation_id, func.count()).group_by(
                score_sales_forecast.c.generation_id
            )
        ).all()
        assert {count for _, count in rows} == {ROWS}
        assert conn.scalar(select(func.count()).select_from(sla)) == 2


def score_steps(runtime: Runtime, address: RunAddress, times: int) -> GenerationAddress:
    def again(step: Callable[[], Any]) -> Any:
        return [step() for _ in range(times)][-1]

    again(lambda: look_for_inputs(address, runtime=runtime).ready)
    snapshot = again(lambda: snapshots.build_snapshot(address, runtime))
    opened = again(lambda: scoring.open_generation(snapshot, runtime))
    for shard in scoring.plan_shards(opened, runtime):
        again(partial(scoring.score_shard, opened, shard, runtime))
    again(lambda: scoring.audit(opened, runtime))
    again(lambda: publishing.publish(opened, runtime))
    again(lambda: publishing.record_sla(opened, runtime))
    address: GenerationAddress = opened
    return address


def test_a_cleared_run_publishes_a_new_generation_with_the_same_rows(runtime: Runtime) -> None:
    first = score_steps(runtime, a_run(), times=1)
    before = published_rows(runtime.engine)
    again = score_steps(runtime, a_run(run_type="backfill", queued_at=None), times=1)
    assert again["generation_id"] != first["generation_id"]
    assert published_rows(runtime.engine) == before
    with connect(runtime.engine) as conn:
        assert get_generation(conn, first["generation_id"]).state == "superseded"


def test_a_replay_gets_the_cutoff_and_the_champion_of_the_first_run(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    first = score_steps(runtime, a_run(), times=1)
    before = published_rows(runtime.engine)
    later = make_runtime(now=NOW + timedelta(days=90), entities_per_shard=4)
    newer = champion(later, scale=2.0, since=DUE_TO_RUN + timedelta(days=7))

    replay = score_steps(later, a_run(run_key="daily/replay"), times=1)
    assert (replay["cutoff"], replay["version"]) == (first["cutoff"], first["version"])
    assert replay["snapshot_id"] == first["snapshot_id"]
    assert published_rows(runtime.engine) == before

    latest = score_steps(later, a_run(run_key="daily/now", knowledge="latest"), times=1)
    assert latest["version"] == newer
    assert datetime.fromisoformat(latest["cutoff"]) == NOW + timedelta(days=90)
    assert published_rows(runtime.engine) != before


@pytest.mark.parametrize(
    ("closed_at", "now", "cutoff"),
    [
        # Closed before the run is due, as every night: the scheduled moment, whenever it runs.
        (CLOSED, NOW, DUE_TO_RUN),
        (CLOSED, NOW + timedelta(days=365), DUE_TO_RUN),
        # The files came late: the moment at which the day was complete.
        (DUE_TO_RUN + timedelta(minutes=50), NOW, DUE_TO_RUN + timedelta(minutes=50)),
        # Started before it was due: the future is unknown.
        (CLOSED, DUE_TO_RUN - timedelta(hours=1), DUE_TO_RUN - timedelta(hours=1)),
    ],
)
def test_the_cutoff_is_what_the_first_run_knew(
    make_runtime: MakeRuntime, closed_at: datetime, now: datetime, cutoff: datetime
) -> None:
    runtime = make_runtime(now=now)
    close(runtime, DAY, closed_at)
    with connect(runtime.engine) as conn:
        known = partial(as_of, conn, "toy", DAY, settings=runtime.settings, now=now)
        assert known() == AsOf(DAY, cutoff)
        assert known(knowledge="latest") == AsOf(DAY, now)


def test_a_wait_names_the_section_that_is_missing(
    make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: shop\n"
        "sales: {files: s.csv, columns: {business_date: d, store_id: s, item_id: i, units: u}}\n"
        "interactions: {files: i.csv, columns: {event_at: d, item_id: i, kind: k}}\n"
    )
    runtime = make_runtime(now=NOW, dataset=str(file))

    def said() -> str:
        return look_for_inputs(a_run(), NOW.isoformat(), nothing_comes, runtime).text

    assert "no file with its sales or interactions is loaded" in said()
    load_facts(runtime, DAY - timedelta(days=3), DAY)
    load_facts(runtime, DAY - timedelta(days=3), DAY - timedelta(days=1), "interactions")
    assert "no file with its interactions is loaded" in said()
    load_facts(runtime, DAY, DAY, "interactions", "1")
    assert "its sales and interactions are loaded, but the ingest" in said()
    file.write_text("name: shop\n")
    assert "the data set cannot be read (mine.yaml has 1 fault(s)" in said()


def test_an_open_day_is_waited_for_and_then_given_up_with_a_reason(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "daybreak")
    began = NOW.isoformat()
    late = a_run(DAY + timedelta(days=1))
    close(make_runtime(), DAY, CLOSED)

    def look(minutes: float) -> Look:
        now = NOW + timedelta(minutes=minutes)
        made = make_runtime(now=now, wait_limit_minutes=90)
        return look_for_inputs(late, began, nothing_comes, made)

    waiting = (
        "Waiting for business day 2026-02-02: no file with its sales is loaded; newest closed "
        "day: 2026-02-01; gives up at 2026-02-02 04:30 UTC."
    )
    assert look(0) == look(89) == Look(ready=False, text=waiting)
    load_facts(make_runtime(), DAY, DAY + timedelta(days=1))
    assert "its sales are loaded, but the ingest that closes the day has not" in look(89).text
    assert caplog.messages[:2] == [waiting, waiting], "each look is a line of the log"
    with pytest.raises(
        InputsLate,
        match=r"2026-02-02 is not closed after a wait of 90 minutes; the newest closed day is "
        r"2026-02-01\..*daybreak ingest",
    ) as failure:
        look(90)
    assert failure.value.details == {
        "business_date": "2026-02-02",
        "newest_closed_day": "2026-02-01",
    }
    close(make_runtime(), DAY + timedelta(days=1), NOW)
    assert look(91) == Look(ready=True, text="Business day 2026-02-02 is closed.")


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered"])
def test_a_person_is_told_at_once_where_waiting_is_in_vain(
    make_runtime: MakeRuntime, run_type: str
) -> None:
    runtime = make_runtime(now=NOW, timezone="Asia/Tokyo")  # midday of 2 February there
    today, yesterday = DAY + timedelta(days=1), DAY

    def look(day: date, on_its_way: Callable[[], bool] = nothing_comes) -> Look:
        return look_for_inputs(a_run(day, run_type=run_type), None, on_its_way, runtime)

    with pytest.raises(
        InputsNotComing, match=r"Load data \(`daybreak ingest`\), as no day is closed"
    ):
        look(today)
    close(runtime, DAY - timedelta(days=1), CLOSED)
    with pytest.raises(
        InputsNotComing,
        match=r"2026-02-02 is not over before 2026-02-03 00:00 \(Asia/Tokyo\)\. .*"
        "Business date 2026-01-31, the newest closed day",
    ):
        look(today, maybe)
    with pytest.raises(
        InputsNotComing,
        match=r"2026-02-01 is not closed and nothing is on its way: no file with its sales is "
        r"loaded, and no ingest runs.* 2026-01-31, the newest closed day, or run `ingest`",
    ):
        look(yesterday)
    with connect(runtime.engine) as conn:
        assert conn.scalar(select(func.count()).select_from(run)) == 0, "refused, so never begun"

    assert not look(yesterday, maybe).ready, "an ingest may load it"
    close(runtime, yesterday, NOW)
    assert look(yesterday).ready
    close(runtime, today, NOW)
    assert look(today).ready, "who says that a day is closed knows better than the clock"


def test_the_timetables_runs_wait_whatever_is_on_its_way(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=NOW)
    close(runtime, DAY, CLOSED)
    for run_type in ("scheduled", "backfill"):
        tomorrow = a_run(DAY + timedelta(days=1), run_type=run_type)
        assert not look_for_inputs(tomorrow, None, nothing_comes, runtime).ready


def test_days_before_the_facts_are_waited_for_by_no_backfill(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=NOW)
    close(runtime, DAY, CLOSED)
    with pytest.raises(
        InputsNotComing, match=r"no facts of .*: the first closed day is 2026-02-01"
    ):
        look_for_inputs(a_run(DAY - timedelta(days=1), run_type="backfill"), runtime=runtime)


def test_the_wait_and_the_run_are_written_down(make_runtime: MakeRuntime) -> None:
    address = a_run()
    assert not look_for_inputs(address, runtime=make_runtime(now=NOW)).ready
    close(make_runtime(), DAY, CLOSED)
    later = make_runtime(now=NOW + timedelta(minutes=7))
    assert look_for_inputs(address, NOW.isoformat(), runtime=later).ready
    with connect(later.engine) as conn:
        noted = conn.execute(select(run)).one()
        waited = conn.execute(select(step)).one()
    assert (noted.run_type, noted.queued_at, noted.started_at) == ("scheduled", DUE_TO_RUN, NOW)
    assert waited.ended_at - waited.started_at == timedelta(minutes=7)


def test_scoring_an_open_day_says_so_and_leaves_nothing(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=NOW)
    with pytest.raises(InputsLate, match="2026-02-01 is not closed; no day is closed yet"):
        score_day("toy", DAY, runtime=runtime)
    with connect(runtime.engine) as conn:
        assert conn.scalar(select(func.count()).select_from(run)) == 0


def test_no_champion_at_the_cutoff_is_an_error_of_its_own(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=NOW)
    close(runtime, DAY, CLOSED)
    champion(runtime, 1.0, since=DUE_TO_RUN + timedelta(seconds=1))
    with pytest.raises(NoChampion, match="toy has no champion as of 2026-02-02T02:00:00"):
        score_day("toy", DAY, runtime=runtime)
    with connect(runtime.engine) as conn:
        assert conn.scalar(select(func.count()).select_from(generation)) == 0


def test_a_failed_audit_rejects_the_generation_and_shows_nothing(runtime: Runtime) -> None:
    opened = stage(runtime, a_run())
    with begin(runtime.engine) as conn:
        conn.execute(delete(score_sales_forecast).where(score_sales_forecast.c.horizon == 3))
    with pytest.raises(AuditFailed):
        scoring.audit(opened, runtime)
    with connect(runtime.engine) as conn:
        assert get_generation(conn, opened["generation_id"]).state == "rejected"
        assert conn.scalar(select(generation.c.reason)) != ""
    assert published_rows(runtime.engine) == []


def test_an_unknown_kind_of_knowledge_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"knowledge is 'tomorrow'.*as_was.*latest"):
        a_run(knowledge="tomorrow")


def test_rollback_brings_the_generation_before_back(runtime: Runtime) -> None:
    lines: list[str] = []
    first = score_day("toy", DAY, progress=lines.append, runtime=runtime)
    second = score_day("toy", DAY, runtime=runtime)
    assert lines[-2:] == ["Publishing", "Measuring drift"]
    done = publishing.rollback("toy", DAY, runtime)
    assert (done["withdrawn"], done["published"]) == (
        second["generation_id"],
        first["generation_id"],
    )
    assert publishing.rollback("toy", DAY, runtime)["published"] is None
    assert published_rows(runtime.engine) == []
    with pytest.raises(NotPublished):
        publishing.rollback("toy", DAY, runtime)


def test_sweep_deletes_what_a_crash_left_and_nothing_published(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    score_day("toy", DAY, runtime=runtime)
    stage(runtime, a_run(run_key="daily/crashed"))
    assert publishing.sweep(runtime) == {"rows": 0}, "it may be running still"
    later = make_runtime(now=NOW + timedelta(days=3))
    assert publishing.sweep(later) == {"rows": ROWS}
    assert len(published_rows(runtime.engine)) == ROWS


def test_sla_rows_are_json_newest_first(runtime: Runtime) -> None:
    score_day("toy", DAY, runtime=runtime)
    close(runtime, DAY + timedelta(days=1), NOW)
    score_day("toy", DAY + timedelta(days=1), runtime=runtime)
    rows = sla_rows(runtime=runtime)
    assert [row["business_date"] for row in rows] == ["2026-02-02", "2026-02-01"]
    assert [row["business_date"] for row in sla_rows(last=1, runtime=runtime)] == ["2026-02-02"]
    assert sla_rows("another", runtime=runtime) == []
    json.dumps(rows)


def test_newest_closed_day_has_a_bound(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    for offset in range(3):
        close(runtime, DAY + timedelta(days=offset), NOW)
    with connect(runtime.engine) as conn:
        assert newest_closed_day(conn) == DAY + timedelta(days=2)
        assert newest_closed_day(conn, DAY + timedelta(days=1)) == DAY + timedelta(days=1)
        assert newest_closed_day(conn, DAY - timedelta(days=1)) is None


def dag_run(run_type: str = "scheduled", **fields: Any) -> dict[str, Any]:
    """The part of Airflow's description that the callback reads."""
    return {
        "dag_id": "daily",
        "dag_run_id": "one",
        "logical_date": "2026-02-01T02:00:00Z",
        "conf": {},
        "run_type": run_type,
        "queued_at": "2026-02-02T02:00:00.5Z",
    } | fields


async def call(runtime: Runtime, **fields: Any) -> bool:
    outcome = await record_missed_deadline("toy", {"dag_run": dag_run(**fields)}, runtime)
    return {"toy of 2026-02-01: missed": True, "toy of 2026-02-01: no miss": False}[outcome]


def test_the_deadline_callback_counts_only_what_is_late(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=datetime(2026, 2, 2, 6, 0, 1, tzinfo=UTC))
    assert not asyncio.run(call(runtime, run_type="backfill"))
    assert sla_rows(runtime=runtime) == []
    assert asyncio.run(call(runtime))
    (row,) = sla_rows(runtime=runtime)
    assert (row["run_key"], row["status"], row["landed_at"]) == ("daily/one", "missed", None)
    by_hand: dict[str, Any] = {
        "dag_run_id": "two",
        "run_type": "manual",
        "logical_date": None,
        "conf": {"business_date": "2026-02-01"},
    }
    assert not asyncio.run(call(runtime, **by_hand)), "refused at its first look: it did not wait"
    assert not look_for_inputs(a_run(run_key="daily/two", run_type="manual"), runtime=runtime).ready
    assert asyncio.run(call(runtime, **by_hand))


def test_the_deadline_callback_waits_for_the_due_time_where_it_comes_early(
    make_runtime: MakeRuntime,
) -> None:
    due = datetime(2026, 2, 2, 6, 0, tzinfo=UTC)
    runtime = make_runtime(now=due - timedelta(hours=1))

    async def outcome() -> bool:
        waiting = asyncio.create_task(call(runtime))
        await asyncio.sleep(0)
        return waiting.done() or waiting.cancel()

    assert asyncio.run(outcome()) is True
    assert sla_rows(runtime=runtime) == []


def test_the_packets_of_one_run(runtime: Runtime, statsd: Daemon) -> None:
    score_day("toy", DAY, runtime=runtime)
    sent = [line.removeprefix("daybreak.toy.") for line in statsd.lines()]
    steps = [re.match(r"(\w+)\.succeeded:1\|c$", line) for line in sent]
    assert [found[1] for found in steps if found] == [
        "wait_for_inputs",
        "plan_snapshot",
        "share_snapshot",
        "build_shard",
        "finish_snapshot",
        "open_generation",
        "score_shard",
        "score_shard",
        "audit",
        "publish",
        "measure_drift",
    ]
    timed = [re.match(r"(\w+)\.duration:\d+\.\d+\|ms$", line) for line in sent]
    assert len([found for found in timed if found]) == 11
    landed = sent.index("sla.met:1|c")
    assert sent[landed : landed + 8] == [
        "sla.met:1|c",
        "run.queue:0.000000|ms",
        "run.wait:0.000000|ms",
        "run.score:0.000000|ms",
        "run.publish:0.000000|ms",
        f"rows:{float(ROWS)}|g",
        "sla.slack_seconds:10800.0|g",
        "sla.interval_days:1.0|g",
    ]
    assert {one.split(":")[0] for one in sent[landed + 10 :]} == {
        *("drift.key", "drift.feature", "drift.score", "drift.size"),
        *("drift.alarms", "drift.raised"),
    }


def test_drift_that_cannot_be_measured_leaves_the_day_published(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: Any) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(drift, "measure", broken)
    said: list[str] = []
    assert score_day("toy", DAY, progress=said.append, runtime=runtime)["status"] == "met"
    assert said[-1].startswith("Drift could not be measured")
    assert len(published_rows(runtime.engine)) == ROWS


def test_a_published_generation_is_what_the_ledger_says(runtime: Runtime) -> None:
    row = score_day("toy", DAY, runtime=runtime)
    with connect(runtime.engine) as conn:
        shown = published_generation(conn, "toy", DAY)
    assert (shown.generation_id, shown.rows) == (row["generation_id"], ROWS)
    assert shown.run_type == "cli"


def intervals(text: str) -> dict[str, Any]:
    return {"schedule_by_model": {"toy": text}}


def test_on_a_day_that_a_weekly_model_does_not_score_nothing_is_missed(
    make_runtime: MakeRuntime,
) -> None:
    late = datetime(2026, 2, 2, 6, 0, 1, tzinfo=UTC)  # DAY is a Sunday
    weekly = make_runtime(now=late, **intervals("weekly:monday"))
    assert not asyncio.run(call(weekly))
    assert sla_rows(runtime=weekly) == []
    assert asyncio.run(call(make_runtime(now=late, **intervals("weekly:sunday"))))


def test_a_run_by_an_asset_that_is_late_is_a_miss_of_its_day(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(now=datetime(2026, 2, 2, 6, 0, 1, tzinfo=UTC))
    by_asset: dict[str, Any] = {"run_type": "asset_triggered", "logical_date": None}
    with pytest.raises(NoBusinessDate):
        asyncio.run(call(runtime, **by_asset))  # nothing was ever closed
    close(runtime, DAY, NOW)
    assert asyncio.run(call(runtime, **by_asset)), "it never looked: of the newest closed day"
    close(runtime, DAY + timedelta(days=1), NOW)
    look_for_inputs(a_run(run_key="daily/two", run_type="asset_triggered"), runtime=runtime)
    assert asyncio.run(call(runtime, **by_asset, dag_run_id="two")), "of the day that it looked for"
    assert {row["business_date"] for row in sla_rows(runtime=runtime)} == {"2026-02-01"}


def test_a_model_by_data_knows_what_was_known_at_the_closing_and_is_due_from_then_on(
    make_runtime: MakeRuntime,
) -> None:
    early = datetime(2026, 2, 2, 0, 30, tzinfo=UTC)
    runtime = make_runtime(now=early + timedelta(days=30), **intervals("on_data"))
    close(runtime, DAY, early)
    with connect(runtime.engine) as conn:
        known = as_of(conn, "toy", DAY, settings=runtime.settings, now=runtime.clock())
        assert known.cutoff == early
        assert due_of(conn, runtime.settings, "toy", DAY) == early + timedelta(hours=4)
        daily = make_runtime().settings
        assert due_of(conn, daily, "toy", DAY) == datetime(2026, 2, 2, 6, tzinfo=UTC)


def test_what_an_asset_started_has_nothing_to_do_on_another_weekday_or_twice(
    make_runtime: MakeRuntime,
) -> None:
    run = a_run(run_key="daily/asset", run_type="asset_triggered")
    weekly = make_runtime(**intervals("weekly:monday"))
    assert needless(run, weekly) == (
        "toy is scored weekly:monday, and business day 2026-02-01 is a Sunday."
    )
    assert needless(a_run(run_type="manual"), weekly) is None, "a person may have it"
    assert needless(run, make_runtime(**intervals("weekly:sunday"))) is None
