"""A day scored in shards, audited, and asked again row by row: not one bit differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

import small_shop
from daybreak.errors import AuditFailed, IllegalTransition, NotReady, OutsideHorizon
from daybreak.ledger.generations import (
    Generation,
    mark_audited,
    mark_staged,
    open_generation,
    publish,
)
from daybreak.models import get_model
from daybreak.models.base import Day, Given, Questions, ScoringRows, SnapshotRows
from daybreak.models.sales_forecast.features.layout import FEATURES
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.nightly import ForecastNightly
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.models.sales_forecast.tables import scores as scored
from daybreak.scoring import batch
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import MOST_SHARDS, plan_shards, rows_of_a_night, score_shard
from daybreak.scoring.engines.predictor import Predictor
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_entity, read_snapshot
from daybreak.warehouse.engine import begin, connect
from small_shop import AS_OF, CUTOFF, DAY

MODEL = get_model("sales_forecast")
PREDICTOR = Predictor(small_shop.tiny_artifact(), threads=1)
SCORER = MODEL.scorer(PREDICTOR.artifact, Day(DAY))


def ask(entity: SnapshotRows, request: ForecastRequest) -> ScoringRows:
    return SCORER.rows(Given(entity), Questions.of([request]))


@pytest.fixture
def staged(shop: Engine) -> tuple[Engine, Generation]:
    """A generation with a snapshot of 10 series, nothing scored yet."""
    with begin(shop) as conn:
        generation = _open(conn)
    return shop, generation


def _open(conn: Connection, run_key: str = "test") -> Generation:
    return open_generation(
        conn,
        model=MODEL.name,
        business_date=DAY,
        run_key=run_key,
        run_type="manual",
        cutoff=CUTOFF,
        version=PREDICTOR.artifact.version,
        snapshot_id=write_snapshot(conn, MODEL, AS_OF, CUTOFF),
        now=CUTOFF,
    )


def score(engine: Engine, generation: Generation, per_shard: int = 4) -> int:
    rows = 0
    for shard in plan_shards(10, per_shard):
        with begin(engine) as conn:
            rows += score_shard(conn, MODEL, PREDICTOR, generation, **shard)
    return rows


def all_rows(engine: Engine, *columns: Any) -> list[Any]:
    with connect(engine) as conn:
        query = select(*(columns or (scored,))).order_by(*scored.primary_key.columns)
        return [*conn.execute(query)]


def test_batch_equals_online_bit_for_bit(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged
    assert score(engine, generation) == 280
    assert PREDICTOR.name == "twin"
    rows = all_rows(engine)
    assert len(rows) == 280
    with connect(engine) as conn:
        for row in rows:
            request = ForecastRequest(store=row.store_id, item=row.item_id, date=row.target_date)
            key = (row.store_id, row.item_id)
            asked = ask(read_entity(conn, MODEL, generation.snapshot_id, DAY, key), request)
            scores = asked.answers(PREDICTOR.single(asked.features)).columns
            online = np.array([scores[name][0] for name in SCORES])
            table = np.array([getattr(row, name) for name in SCORES], np.float32)
            assert online.tobytes() == table.tobytes()
            assert scores["horizon"].tolist() == [row.horizon]


def test_the_rows_say_what_they_are(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged
    score(engine, generation, per_shard=4)
    rows = all_rows(engine)
    assert {row.shard for row in rows} == {0, 1, 2}
    assert {row.generation_id for row in rows} == {generation.generation_id}
    assert all(row.target_date == DAY + timedelta(days=row.horizon) for row in rows)
    assert all(row.p10 <= row.p50 <= row.p90 for row in rows)
    closed = [r for r in rows if (r.target_date - small_shop.DAY).days % 7 == 3]
    assert len(closed) == 40
    assert all((r.p10, r.p50, r.p90, r.mean) == (0, 0, 0, 0) for r in closed)
    assert any(row.mean > 0 for row in rows)


def test_shards_and_chunks_do_not_show(
    staged: tuple[Engine, Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, generation = staged
    values = (scored.c.store_id, scored.c.item_id, scored.c.horizon, *(scored.c[n] for n in SCORES))
    score(engine, generation, per_shard=10)
    expected = all_rows(engine, *values)
    # Run again, cut otherwise, in chunks of another size: the same rows, none twice.
    monkeypatch.setattr(batch, "ENTITIES_PER_CHUNK", 3)
    score(engine, generation, per_shard=7)
    assert all_rows(engine, *values) == expected
    assert audit(engine, generation) == 280


def test_a_shard_that_fails_leaves_what_was_there(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged
    score(engine, generation)
    expected = all_rows(engine)

    class Broken(Predictor):
        def batch(self, X):  # type: ignore[no-untyped-def]
            raise MemoryError

    broken = Broken(PREDICTOR.artifact, threads=1)
    with pytest.raises(MemoryError), begin(engine) as conn:
        score_shard(conn, MODEL, broken, generation, shard=0, first=0, last=4)
    assert all_rows(engine) == expected


def test_nothing_is_written_once_it_left_staging(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged
    score(engine, generation)
    with begin(engine) as conn:
        mark_staged(conn, generation.generation_id, 280, CUTOFF)
        mark_audited(conn, generation.generation_id, CUTOFF)
        publish(conn, generation.generation_id, CUTOFF)
    with pytest.raises(IllegalTransition):
        score(engine, generation)
    # Another generation of the day has rows of its own.
    with begin(engine) as conn:
        second = _open(conn, "second")
    score(engine, second)
    assert len(all_rows(engine)) == 560
    assert audit(engine, second) == 280


def test_plan_shards() -> None:
    assert plan_shards(5, 2) == [
        {"shard": 0, "first": 0, "last": 2},
        {"shard": 1, "first": 2, "last": 4},
        {"shard": 2, "first": 4, "last": 5},
    ]
    assert plan_shards(0, 2) == []


@pytest.mark.parametrize("rows", [1, 1999, 2000, 2001, 400_000, 400_001, 2_048_001, 10_000_000])
def test_shards_are_alike_and_never_more_than_airflow_can_map(rows: int) -> None:
    shards = plan_shards(rows, 2000)
    assert [shard["shard"] for shard in shards] == list(range(len(shards)))
    assert [0, *(shard["last"] for shard in shards)] == [
        *(shard["first"] for shard in shards),
        rows,
    ], "they follow on each other"
    sizes = [shard["last"] - shard["first"] for shard in shards]
    assert min(sizes) >= 1
    assert max(sizes) == -(-rows // len(shards))
    if rows <= 400_000:
        assert max(sizes) <= 2000
    else:
        assert 195 <= len(shards) <= MOST_SHARDS < 1024


# --- audit -----------------------------------------------------------------------------------


def audit(engine: Engine, generation: Generation) -> int:
    with connect(engine) as conn:
        return audit_generation(conn, MODEL, generation)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        (
            "missing row",
            ["279 rows instead of the 280 of 10 entities", "1 entities do not have their own"],
        ),
        ("missing shard", ["168 rows instead of the 280", "4 entities do not"]),
        ("moved", ["1 entities do not have their own number of rows"]),
        ("nan", ["mean is not finite"]),
        ("infinite", ["p90 is not finite", "the mean is below a tenth of P90"]),
        ("negative", ["units are negative"]),
        ("crossing", ["quantiles cross"]),
        ("horizon", ["horizons are not 1 to 28", "horizons and target dates disagree"]),
        ("date", ["horizons and target dates disagree"]),
    ],
)
def test_each_rule_is_named(
    staged: tuple[Engine, Generation], fault: str, rules: list[str]
) -> None:
    engine, generation = staged
    score(engine, generation)
    tea = (scored.c.store_id == "A", scored.c.item_id == "tea")
    one = (*tea, scored.c.horizon == 5)
    changes = {
        "missing row": delete(scored).where(*one),
        "missing shard": delete(scored).where(scored.c.shard == 1),
        "nan": update(scored).where(*one).values(mean=float("nan")),
        "infinite": update(scored).where(*one).values(p90=float("inf")),
        "negative": update(scored).where(*one).values(p10=-0.5),
        "crossing": update(scored).where(*one).values(p50=scored.c.p90 + 1, mean=scored.c.p90 + 1),
        "horizon": update(scored).where(*one).values(horizon=29),
        "date": update(scored).where(*one).values(target_date=DAY),
    }
    with begin(engine) as conn:
        if fault == "moved":  # the sum is right, the rows are not
            conn.execute(delete(scored).where(*one))
            row = conn.execute(select(scored).where(scored.c.item_id == "coffee")).first()
            assert row is not None
            conn.execute(insert(scored), [{**row._mapping, "item_id": "stranger"}])
        else:
            conn.execute(changes[fault])
    with pytest.raises(AuditFailed) as error:
        audit(engine, generation)
    assert len(error.value.details["rules"]) == len(rules)
    for rule in rules:
        assert rule in error.value.message


def test_nothing_scored(staged: tuple[Engine, Generation]) -> None:
    with pytest.raises(AuditFailed, match="0 rows instead of the 280 of 10 entities"):
        audit(*staged)


# --- requests ----------------------------------------------------------------------------------


def test_overrides_change_only_what_they_should(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged
    with connect(engine) as conn:
        entity = read_snapshot(conn, MODEL, generation.snapshot_id, 4, 5)
    store, name = (key.item() for key in entity.keys)
    plain = {"store": store, "item": name, "date": small_shop.day(3)}
    rows = ask(entity, ForecastRequest(**plain))
    whole = rows_of_a_night(MODEL.night, SCORER, Day(DAY), entity)
    assert rows.features.tobytes() == whole.features[2].tobytes()
    changed = ask(entity, ForecastRequest(**plain, price=0.99, promotion=1.0))
    names = np.array(FEATURES)
    differing = set(names[rows.features[0] != changed.features[0]])
    both_missing = set(names[np.isnan(rows.features[0]) & np.isnan(changed.features[0])])
    assert differing - both_missing == {
        *("price", "promotion", "price_ratio", "price_change", "group_factor"),
    }
    assert changed.features[0, FEATURES.index("price")] == np.float32(0.99)


@pytest.mark.parametrize("offset", [0, -3, 29, 4000])
def test_a_date_outside_the_horizon(staged: tuple[Engine, Generation], offset: int) -> None:
    engine, generation = staged
    with connect(engine) as conn:
        entity = read_snapshot(conn, MODEL, generation.snapshot_id, 0, 1)
    request = ForecastRequest(store="A", item="bread", date=small_shop.day(offset))
    with pytest.raises(OutsideHorizon, match="is not within 2026-03-11 to 2026-04-07") as error:
        ask(entity, request)
    assert error.value.details["field"] == "target_date"


def test_a_snapshot_of_another_layout_is_not_scored(staged: tuple[Engine, Generation]) -> None:
    engine, generation = staged

    class Later(ForecastNightly):
        def context_layout(self) -> tuple[str, ...]:
            return ("calendar",)

    later = replace(MODEL, nightly=Later())

    with begin(engine) as conn:
        with pytest.raises(NotReady, match="laid out by another release") as error:
            score_shard(conn, later, PREDICTOR, generation, shard=0, first=0, last=10)
        assert error.value.remedy.startswith("Score the day again")
        assert write_snapshot(conn, later, AS_OF, CUTOFF) != generation.snapshot_id


def test_counted_units_come_whole(shop: Engine) -> None:
    predictor = Predictor(small_shop.tiny_artifact(round=True), threads=1)
    with begin(shop) as conn:
        generation = _open(conn)
        score_shard(conn, MODEL, predictor, generation, shard=0, first=0, last=10)
        quantiles = conn.execute(select(scored.c.p10, scored.c.p50, scored.c.p90)).all()
        assert all(value == int(value) for row in quantiles for value in row)
        fraction = scored.c.mean - func.floor(scored.c.mean)
        assert conn.scalar(select(func.max(fraction))) > 0
