"""A business date of fraud is every event of it, as it is known by the cutoff."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, delete, func, select, update

from daybreak.clock import AsOf
from daybreak.errors import AuditFailed, NotReady
from daybreak.jobs.addresses import run_address
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.jobs.run import score_day
from daybreak.jobs.scoring import audit, open_generation, plan_shards, score_shard
from daybreak.jobs.snapshots import build_snapshot
from daybreak.ledger.champions import champion_at
from daybreak.models.base import Day, Span
from daybreak.models.fraud import nightly
from daybreak.models.fraud.features import assemble
from daybreak.models.fraud.learn.examples import read_examples
from daybreak.models.fraud.learn.train import trained
from daybreak.models.fraud.model import MODEL
from daybreak.models.fraud.scorer import FraudScorer
from daybreak.monitoring.steps import begin_run
from daybreak.runtime import Runtime
from daybreak.scoring.engines.opening import open_engine
from daybreak.settings import Settings
from daybreak.signals.log import Event, Label, append_events, append_labels
from daybreak.signals.online import Signals
from daybreak.signals.reading import Moment
from daybreak.signals.stream import Progress, read_stream
from daybreak.signals.transactions import EventRows, read_transactions
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import published, run
from fraud_bank import LAST, LOADED, SMALL, SPEC

END, NOW = LAST, LOADED


@pytest.fixture(scope="module")
def bank(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Payments of 51 days, and a champion that learned from them."""
    home = tmp_path_factory.mktemp("bank")
    spec = home / "bank.yaml"
    spec.write_text(SPEC)
    with postgres.database("warehouse_template") as name:
        settings = Settings(home=home, warehouse_url=postgres.url(name), dataset=str(spec))
        runtime = Runtime(settings, clock=lambda: NOW)
        load_dataset(runtime.engine, load_spec(str(spec)), now=NOW)
        with connect(runtime.engine) as conn:
            examples = read_examples(conn, AsOf(END, NOW))
        version = register_trained(runtime, "fraud", trained(examples, END, trees=SMALL))
        early = NOW - timedelta(days=9)
        promote("fraud", version, "a test", actor="test", effective_from=early, runtime=runtime)
        yield runtime
        runtime.engine.dispose()


def scored(conn: Connection, day: date = END) -> dict[str, tuple[str, float, str]]:
    """What is published of a day: key, probability and decision by event."""
    table = MODEL.night.score_table
    current = select(published.c.generation_id).where(
        published.c.model == "fraud", published.c.business_date == day
    )
    rows = conn.execute(select(table).where(table.c.generation_id == current.scalar_subquery()))
    return {row.event_id: (row.key, row.probability, row.decision) for row in rows}


def test_every_event_has_the_score_that_the_online_path_gives_it(bank: Runtime) -> None:
    found = score_day("fraud", END, runtime=bank)
    artifact, rows = bank.registry.load("fraud", open_version(bank)), nightly.FraudNightly()
    scorer, engine = FraudScorer(artifact, Day()), open_engine(artifact)
    with connect(bank.engine) as conn:
        table = scored(conn)
        stream = read_stream(conn, "payments")
        events = read_transactions(conn, stream, END, END, NOW)
        assert found["rows"] == len(table) == len(events) > 300
        signals = Signals(stream, scorer.layout.signals)
        as_of = AsOf(END, NOW)
        context = rows.shared(conn, as_of, artifact.manifest["options"], ()).context
        span = Span(as_of, artifact.manifest["options"])
        (made,) = rows.rows(conn, span, context, {})
        names = context[nightly.NAMES].tolist()
        columns = [names.index(one.name) for one in scorer.layout.signals]
        by_night = made.records.reshape(len(made), -1)[:, columns]
        number = {event_id: n for n, event_id in enumerate(made.keys[1].tolist())}
        for place in range(len(events)):
            one = events.where(np.array([place]))
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(one.moments.at[0]))
            keys = {name: values[0] for name, values in one.moments.keys.items()}
            moment = Moment(at, keys, int(one.moments.sequence[0]))
            values = signals.of(conn, moment, Progress(NOW, None, live=True))
            of_night = by_night[number[one.event_id[0]]]
            np.testing.assert_array_equal(values.view(np.uint32), of_night.view(np.uint32))
            features = assemble(scorer.layout, EventRows(one, values[None]), scorer.rates)
            probability = scorer.probability_of(engine.single(features))
            key, stored, _ = table[one.event_id[0]]
            assert key == keys["card"]
            assert np.float32(stored) == probability[0]


def open_version(bank: Runtime) -> str:
    with connect(bank.engine) as conn:
        return champion_at(conn, "fraud", NOW)


def test_how_many_events_are_folded_together_does_not_show(
    bank: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = END - timedelta(days=1)
    score_day("fraud", day, runtime=bank)
    with connect(bank.engine) as conn:
        whole = scored(conn, day)
        rows = nightly.FraudNightly()
        as_of = AsOf(day, NOW)
        context = rows.shared(conn, as_of, {}, ()).context
        once = list(rows.rows(conn, Span(as_of), context, {}))
        monkeypatch.setattr(nightly, "EVENTS_AT_ONCE", 37)
        often = list(rows.rows(conn, Span(as_of), context, {}))
    assert len(once) == 1
    assert len(often) > 5
    assert len(whole) == len(once[0])
    np.testing.assert_array_equal(
        np.concatenate([one.records for one in often]).view(np.uint32),
        once[0].records.view(np.uint32),
    )
    assert [name for one in often for name in one.keys[1]] == once[0].keys[1].tolist()


def test_a_replay_knows_what_the_day_knew(bank: Runtime) -> None:
    day = END - timedelta(days=2)
    score_day("fraud", day, runtime=bank)
    with connect(bank.engine) as conn:
        before, stream = scored(conn, day), read_stream(conn, "payments")
    later = NOW + timedelta(days=3)
    at = datetime(2026, 4, 18, 12, tzinfo=UTC)
    late = [
        Event(f"late-{n}", at + timedelta(seconds=n), {"card": "c000001", "terminal": "t00001"})
        for n in range(5)
    ]
    with begin(bank.engine) as conn:
        append_events(conn, stream, late, later)
        append_labels(conn, stream, [Label(name, True) for name in list(before)[:20]], later)
    after = Runtime(bank.settings, clock=lambda: later + timedelta(hours=1))
    score_day("fraud", day, runtime=after)
    with connect(bank.engine) as conn:
        assert scored(conn, day) == before
    score_day("fraud", day, "latest", runtime=after)
    with connect(bank.engine) as conn:
        assert scored(conn, day).keys() == before.keys() | {one.event_id for one in late}
    after.engine.dispose()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"probability": 1.5}, "probability is not from 0 to 1"),
        ({"probability": float("nan")}, "probability is not finite"),
        ({"decision": "perhaps"}, "decision is none that there is"),
    ],
)
def test_the_audit_finds_what_is_no_score(bank: Runtime, values: dict[str, Any], rule: str) -> None:
    day = END - timedelta(days=3)
    address = run_address(run_key=f"test/{rule}", run_type="cli", model="fraud", business_date=day)
    with begin(bank.engine) as conn:
        begin_run(
            conn,
            run_key=address["run_key"],
            model="fraud",
            business_date=day,
            run_type="cli",
            queued_at=None,
            now=NOW,
        )
    generation = open_generation(build_snapshot(address, bank), bank)
    for shard in plan_shards(generation, bank):
        score_shard(generation, shard, bank)
    table = MODEL.night.score_table
    mine = table.c.generation_id == generation["generation_id"]
    with begin(bank.engine) as conn:
        one = select(func.min(table.c.event_id)).where(mine).scalar_subquery()
        conn.execute(update(table).where(mine, table.c.event_id == one).values(values))
    with pytest.raises(AuditFailed, match=rule):
        audit(generation, bank)
    with begin(bank.engine) as conn:
        conn.execute(delete(run).where(run.c.run_key == address["run_key"]))


def test_rows_that_lack_a_feature_are_refused(bank: Runtime) -> None:
    artifact = bank.registry.load("fraud", open_version(bank))
    context = {nightly.NAMES: np.array(FraudScorer(artifact, Day()).layout.features[1:])}
    with pytest.raises(NotReady, match="lack amount"):
        FraudScorer(artifact, Day(END, context))


def test_a_version_keeps_the_delay_that_its_days_are_built_with(bank: Runtime) -> None:
    manifest = bank.registry.load("fraud", open_version(bank)).manifest
    (delay,) = {
        signal["delay_minutes"] // 1440
        for signal in manifest["layout"]["signals"]
        if signal["measure"] == "fraud_share"
    }
    assert manifest["options"] == {"delay_days": delay}
