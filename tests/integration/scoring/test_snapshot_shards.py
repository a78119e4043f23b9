"""Snapshots in shards: however they are cut, built again or broken off, the bytes are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, delete, func, select, text

import model_shop
import small_shop
from daybreak.errors import NoData, NotReady
from daybreak.facts import sheets
from daybreak.facts.sales import read_panel
from daybreak.facts.series import read_all, read_panels, read_series
from daybreak.ledger.retention import Windows, prune_snapshots
from daybreak.models import get_model
from daybreak.models.base import AnyModel
from daybreak.models.sales_forecast.features.snapshot import snapshot as snapshot_values
from daybreak.models.sales_forecast.learn.lineage import panel_sha256
from daybreak.scoring import snapshot_plan
from daybreak.scoring.snapshot_plan import Planned, plan
from daybreak.scoring.snapshot_shards import build, finish, read, share, write_snapshot
from daybreak.scoring.snapshots import read_day, read_snapshot
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import snapshot, snapshot_part, snapshot_shard
from model_cases import case_of, outside_installed
from model_shop import AS_OF, CUTOFF

EVERYTHING = 1_000_000


@pytest.fixture(scope="module")
def market(postgres: Any) -> Iterator[Engine]:
    """Two stores and their users, with corrections that became known later."""
    with outside_installed(), model_shop.filled(postgres) as name:
        engine = make_engine(postgres.url(name))
        model_shop.learn_more(engine)
        yield engine
        engine.dispose()


@pytest.fixture(params=("sales_forecast", "recommendations", "reorder_point"))
def model(request: pytest.FixtureRequest) -> Iterator[AnyModel]:
    with outside_installed():
        yield case_of(request.param).model


def entities(engine: Engine, model: AnyModel) -> int:
    with begin(engine) as conn:
        found = model.night.entities(conn, AS_OF)
        return 1 if found is None else sum(1 for _ in found)


def forget(engine: Engine, model: AnyModel) -> None:
    """Every snapshot of a model, so that the next one is built from nothing."""
    with begin(engine) as conn:
        numbers = list(
            conn.scalars(select(snapshot.c.snapshot_id).where(snapshot.c.model == model.name))
        )
        conn.execute(delete(model.night.snapshot_table))
        for table in ("feature.context", "feature.snapshot_part", "ops.snapshot_shard"):
            conn.execute(
                text(f"DELETE FROM {table} WHERE snapshot_id = ANY (:ids)"), {"ids": numbers}
            )
        conn.execute(delete(snapshot).where(snapshot.c.snapshot_id.in_(numbers)))


def contents(engine: Engine, model: AnyModel, snapshot_id: int) -> tuple[Any, ...]:
    with connect(engine) as conn:
        rows = read_snapshot(conn, model, snapshot_id, 0, EVERYTHING)
        context = read_day(conn, model, snapshot_id).context
        query = select(snapshot.c.sha256, snapshot.c.rows)
        line = conn.execute(query.where(snapshot.c.snapshot_id == snapshot_id)).one()
        left = [
            conn.scalar(select(func.count()).select_from(table))
            for table in (snapshot_part, snapshot_shard)
        ]
    assert left == [0, 0], "what shards kept is gone"
    assert line.rows == len(rows)
    keys = [column.tolist() for column in rows.keys]
    arrays = {name: values.tobytes() for name, values in context.items()}
    offsets = None if rows.offsets is None else rows.offsets.tolist()
    return line.sha256, keys, rows.values.tobytes(), rows.records.tobytes(), offsets, arrays


@pytest.fixture
def whole(market: Engine, model: AnyModel) -> Iterator[tuple[Any, ...]]:
    """What one shard gives."""
    forget(market, model)
    with begin(market) as conn:
        number = write_snapshot(conn, model, AS_OF, CUTOFF, per_shard=EVERYTHING)
    found = contents(market, model, number)
    forget(market, model)
    yield found
    forget(market, model)


@pytest.mark.parametrize("count", [4, 13])
def test_the_number_of_shards_does_not_show(
    market: Engine, model: AnyModel, whole: tuple[Any, ...], count: int
) -> None:
    each = max(1, -(-entities(market, model) // count))
    with begin(market) as conn:
        number = write_snapshot(conn, model, AS_OF, CUTOFF, per_shard=each)
    assert contents(market, model, number) == whole


def test_shards_in_any_order_and_again(
    market: Engine, model: AnyModel, whole: tuple[Any, ...]
) -> None:
    with begin(market) as conn:
        planned = plan(conn, model, AS_OF, CUTOFF, per_shard=5)
    number = planned.snapshot_id
    for shard in (*reversed(planned.to_read), *planned.to_read[:2]):
        with begin(market) as conn:
            read(conn, model, number, shard)
    for _ in range(2):
        with begin(market) as conn:
            share(conn, model, number)
    for shard in planned.to_read[:1]:  # by a run that shares the snapshot and is late
        with begin(market) as conn:
            read(conn, model, number, shard)
    for shard in (*reversed(planned.shards), *planned.shards[:2]):
        with begin(market) as conn:
            build(conn, model, number, shard)
    for _ in range(2):
        with begin(market) as conn:
            assert finish(conn, model, number, CUTOFF) > 0
    assert contents(market, model, number) == whole
    with begin(market) as conn:
        again = plan(conn, model, AS_OF, CUTOFF + timedelta(days=1), per_shard=2)
        assert again == Planned(number, (), ()), "it is there"
        assert build(conn, model, number, 0) == 0
        read(conn, model, number, 0)
        share(conn, model, number)
    assert contents(market, model, number) == whole


def test_a_killed_run_is_taken_up_again(
    market: Engine, model: AnyModel, whole: tuple[Any, ...]
) -> None:
    with begin(market) as conn:
        planned = plan(conn, model, AS_OF, CUTOFF, per_shard=5)
    number = planned.snapshot_id
    for shard in planned.to_read[:1]:
        with begin(market) as conn:
            read(conn, model, number, shard)
    with connect(market) as conn:  # in the middle of the next step
        if planned.to_read:
            read(conn, model, number, 1)
        else:
            share(conn, model, number)
            build(conn, model, number, 0)
        conn.rollback()
    with begin(market) as conn:
        with pytest.raises(NotReady, match="is not finished: shards are missing"):
            read_day(conn, model, number)
        with pytest.raises(NotReady, match="of its shards are not written"):
            finish(conn, model, number, CUTOFF)
        with pytest.raises(NotReady, match="have in common is not made yet"):
            build(conn, model, number, 0)
        if planned.to_read:
            with pytest.raises(NotReady, match="shards of the snapshot"):
                share(conn, model, number)
    with begin(market) as conn:
        assert write_snapshot(conn, model, AS_OF, CUTOFF) == number
    assert contents(market, model, number) == whole


def test_one_whose_entities_are_others_by_now_is_planned_anew(
    market: Engine, model: AnyModel, whole: tuple[Any, ...]
) -> None:
    with begin(market) as conn:
        planned = plan(conn, model, AS_OF, CUTOFF, per_shard=5)
        conn.execute(snapshot_shard.update().values(keys=b"somebody else\0"))
    with begin(market) as conn:
        assert write_snapshot(conn, model, AS_OF, CUTOFF) == planned.snapshot_id
    assert contents(market, model, planned.snapshot_id) == whole


def test_two_runs_share_a_snapshot(market: Engine, model: AnyModel, whole: tuple[Any, ...]) -> None:
    found: list[int] = []
    both = Barrier(2)

    def run() -> None:
        with begin(market) as conn:
            planned = plan(conn, model, AS_OF, CUTOFF, per_shard=5)
        both.wait(30)
        for shard in planned.to_read:
            with begin(market) as conn:
                read(conn, model, planned.snapshot_id, shard)
        with begin(market) as conn:
            share(conn, model, planned.snapshot_id)
        for shard in planned.shards:
            with begin(market) as conn:
                build(conn, model, planned.snapshot_id, shard)
        with begin(market) as conn:
            finish(conn, model, planned.snapshot_id, CUTOFF)
        found.append(planned.snapshot_id)

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 2
    assert len(set(found)) == 1
    assert contents(market, model, found[0]) == whole


def test_one_that_nobody_takes_up_goes_with_all_that_its_shards_kept(
    market: Engine, model: AnyModel, whole: tuple[Any, ...]
) -> None:
    with begin(market) as conn:
        planned = plan(conn, model, AS_OF, CUTOFF, per_shard=5)
        for shard in planned.to_read:
            read(conn, model, planned.snapshot_id, shard)
        share(conn, model, planned.snapshot_id)
        build(conn, model, planned.snapshot_id, 0)
    later = CUTOFF + timedelta(days=9)
    windows = Windows(later, generations_before=CUTOFF, snapshots_kept=1)
    tables = {model.name: model.night.snapshot_table}
    (gone,) = prune_snapshots(market, tables, windows)
    assert gone.id == planned.snapshot_id
    with begin(market) as conn:
        for table in (snapshot_part, snapshot_shard, model.night.snapshot_table):
            assert conn.scalar(select(func.count()).select_from(table)) == 0
        with pytest.raises(NotReady, match="Retention took its rows"):
            finish(conn, model, planned.snapshot_id, later)
        assert write_snapshot(conn, model, AS_OF, later) == planned.snapshot_id
    assert contents(market, model, planned.snapshot_id) == whole


def test_a_cut_has_at_most_two_hundred_shards(
    market: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_plan, "MOST_SHARDS", 3)
    model = get_model("recommendations")
    forget(market, model)
    with begin(market) as conn:
        planned = plan(conn, model, AS_OF, CUTOFF, per_shard=1)
    assert 1 < len(planned.shards) <= 3
    forget(market, model)


# --- the panel, read some series at a time ---------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3, EVERYTHING])
@pytest.mark.parametrize("few_stores", [0, EVERYTHING])
def test_panels_of_some_series_are_the_rows_of_that_of_all(
    shop: Engine, monkeypatch: pytest.MonkeyPatch, at_once: int, few_stores: int
) -> None:
    """The oracle reads whole rows of all series at once; corrections are among them."""
    monkeypatch.setattr(sheets, "FEW_STORES", few_stores)
    for cutoff in (small_shop.CUTOFF, small_shop.CUTOFF + timedelta(days=20)):
        as_of = replace(small_shop.AS_OF, cutoff=cutoff)
        with connect(shop) as conn:
            panel = read_panel(conn, as_of)
            series = read_series(conn, as_of)
            parts = list(read_panels(conn, as_of, series, at_once=at_once))
        assert series == list(zip(panel.store_ids, panel.item_ids, strict=True))
        for name in ("store_ids", "item_ids", "categories"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            assert joined.tolist() == getattr(panel, name).tolist()
        for name in ("units", "price", "promotion", "open", "holiday"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            assert joined.tobytes() == getattr(panel, name).tobytes(), name
        for part in parts:
            assert part.public_holiday.tobytes() == panel.public_holiday.tobytes()
            assert part.covariates.keys() == panel.covariates.keys()
        for name, values in panel.covariates.items():
            joined = np.concatenate([part.covariates[name] for part in parts])
            assert joined.tobytes() == values.tobytes(), name


def test_a_panel_filled_some_series_at_a_time_is_that_of_all(shop: Engine) -> None:
    as_of = replace(small_shop.AS_OF, cutoff=small_shop.CUTOFF + timedelta(days=20))
    with connect(shop) as conn:
        for slots in (None, 5):
            panel = read_panel(conn, as_of, slots=slots)
            filled = read_all(conn, as_of, slots=slots, at_once=3)
            assert panel_sha256(filled) == panel_sha256(panel)
            assert (filled.slots, filled.planned) == (panel.slots, panel.planned)
        with pytest.raises(NoData):
            read_all(conn, replace(as_of, cutoff=as_of.cutoff - timedelta(days=9_999)))


def test_the_forecast_is_what_the_whole_panel_gives(market: Engine) -> None:
    model = get_model("sales_forecast")
    forget(market, model)
    with begin(market) as conn:
        number = write_snapshot(conn, model, AS_OF, CUTOFF, per_shard=3)
        expected = snapshot_values(read_panel(conn, AS_OF))
        assert read_snapshot(conn, model, number, 0, EVERYTHING).values.tobytes() == (
            expected.tobytes()
        )
    forget(market, model)
