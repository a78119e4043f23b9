"""Snapshots: the same facts give the same bytes, and each row is found again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Thread

import numpy as np
import pytest
from sqlalchemy import Engine, delete, func, select

from daybreak.errors import NoData, NotFound, NotReady
from daybreak.facts.sales import read_panel
from daybreak.models import get_model
from daybreak.models.base import SnapshotRows
from daybreak.models.sales_forecast.features.snapshot import snapshot as snapshot_values
from daybreak.models.sales_forecast.nightly import ForecastNightly
from daybreak.models.sales_forecast.tables import snapshots as snapshot_sales_forecast
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import (
    layout_hash,
    read_day,
    read_entity,
    read_snapshot,
)
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import snapshot, snapshot_context
from small_shop import AS_OF, CUTOFF, DAY

MODEL = get_model("sales_forecast")


class Rebatched(ForecastNightly):
    """The same rows in batches of another size."""

    def __init__(self, size: int) -> None:
        self.size = size

    def rows(self, warehouse, span, context, part):  # type: ignore[no-untyped-def]
        return self._cut(super().rows(warehouse, span, context, part))

    def _cut(self, rows):  # type: ignore[no-untyped-def]
        for batch in rows:
            for first in range(0, len(batch), self.size):
                part = slice(first, first + self.size)
                yield SnapshotRows(tuple(k[part] for k in batch.keys), batch.values[part])


def test_written_once_and_read_back(shop: Engine) -> None:
    with begin(shop) as conn:
        panel = read_panel(conn, AS_OF)
        built = SnapshotRows((panel.store_ids, panel.item_ids), snapshot_values(panel))
        snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        assert write_snapshot(conn, MODEL, AS_OF, CUTOFF + timedelta(days=9)) == snapshot_id
        assert len(built) == 10
        row = conn.execute(select(snapshot)).one()
        assert (row.rows, row.built_at, len(row.sha256)) == (10, CUTOFF, 64)

        whole = read_snapshot(conn, MODEL, snapshot_id, 0, 99)
        assert whole.values.tobytes() == built.values.tobytes()
        assert [k.tolist() for k in whole.keys] == [k.tolist() for k in built.keys]
        middle = read_snapshot(conn, MODEL, snapshot_id, 3, 5)
        assert middle.values.tobytes() == built.values[3:5].tobytes()
        assert len(read_snapshot(conn, MODEL, snapshot_id, 10, 12)) == 0
        for position, key in enumerate(zip(*built.keys, strict=True)):
            one = read_entity(conn, MODEL, snapshot_id, DAY, key)
            assert one.values.tobytes() == built.values[position].tobytes()
            assert tuple(k.item() for k in one.keys) == key


def test_the_hash_is_of_the_contents(shop: Engine) -> None:
    hashes = []
    for model in (
        MODEL,
        replace(MODEL, nightly=Rebatched(1)),
        replace(MODEL, nightly=Rebatched(3)),
    ):
        with begin(shop) as conn:
            write_snapshot(conn, model, AS_OF, CUTOFF)
            hashes.append(conn.scalar(select(snapshot.c.sha256)))
            conn.execute(delete(snapshot_sales_forecast))
            conn.execute(delete(snapshot_context))
            conn.execute(delete(snapshot))
    assert len(set(hashes)) == 1
    with begin(shop) as conn:
        later = replace(AS_OF, cutoff=CUTOFF + timedelta(days=20))  # sees the late correction
        write_snapshot(conn, MODEL, later, CUTOFF)
        assert conn.scalar(select(snapshot.c.sha256)) != hashes[0]


def test_another_layout_is_another_snapshot(shop: Engine) -> None:
    class Later(ForecastNightly):
        def context_layout(self) -> tuple[str, ...]:
            return ("calendar",)

    changed = replace(MODEL, nightly=Later())
    with begin(shop) as conn:
        first = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        layout = conn.scalar(select(snapshot.c.layout))
        assert layout == layout_hash(MODEL.night.layout()), "as before contexts had a layout"
        later = write_snapshot(conn, changed, AS_OF, CUTOFF)
        assert later != first
        days = [read_day(conn, MODEL, first), read_day(conn, changed, later)]
        assert [(day.business_date, day.options) for day in days] == [(DAY, {})] * 2
        assert [day.context["covariates"].tolist() for day in days] == [["rain"]] * 2
        with pytest.raises(NotReady, match="laid out by another release") as error:
            read_day(conn, changed, first)
        assert error.value.remedy.startswith("Score the day again: `daybreak score sales_forecast")


def test_two_that_build_the_same_one_get_the_same_id(shop: Engine) -> None:
    ids = []

    def build() -> None:
        with begin(shop) as conn:
            ids.append(write_snapshot(conn, MODEL, AS_OF, CUTOFF))

    threads = [Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 3
    assert len(set(ids)) == 1
    with connect(shop) as conn:
        assert conn.scalar(select(func.count()).select_from(snapshot_sales_forecast)) == 10


def test_a_build_that_fails_leaves_nothing(warehouse: Engine) -> None:
    with pytest.raises(NoData), begin(warehouse) as conn:
        write_snapshot(conn, MODEL, AS_OF, CUTOFF)
    with connect(warehouse) as conn:
        assert conn.scalar(select(func.count()).select_from(snapshot)) == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("order", "rows go in key order"),
        ("infinite", r"infinite values in price_now, first in the row of \('A', "),
        ("dtype", "float64"),
        ("context", "infinite values in levels of the context"),
    ],
)
def test_a_model_that_breaks_its_word(shop: Engine, fault: str, message: str) -> None:

    class Faulty(ForecastNightly):
        def shared(self, warehouse, as_of, options, parts):  # type: ignore[no-untyped-def]
            context = {"levels": np.array([1, np.inf])} if fault == "context" else {}
            return replace(super().shared(warehouse, as_of, options, parts), context=context)

        def rows(self, warehouse, span, context, part):  # type: ignore[no-untyped-def]
            return self._broken(super().rows(warehouse, span, context, part))

        def _broken(self, rows):  # type: ignore[no-untyped-def]
            for batch in rows:
                if fault == "order":
                    yield SnapshotRows(tuple(k[::-1] for k in batch.keys), batch.values)
                elif fault == "dtype":
                    yield SnapshotRows(batch.keys, batch.values.astype(np.float64))
                else:
                    batch.values[2, self.layout().index("price_now")] = np.inf
                    yield batch

    with pytest.raises(ValueError, match=message), begin(shop) as conn:
        write_snapshot(conn, replace(MODEL, nightly=Faulty()), AS_OF, CUTOFF)


@pytest.mark.parametrize(
    ("key", "field"),
    [(("A", "nothing"), "item"), (("Z", "tea"), "store"), (("Z", "nothing"), "store")],
)
def test_an_unknown_entity_names_the_field(shop: Engine, key: tuple[str, str], field: str) -> None:
    with begin(shop) as conn:
        snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        with pytest.raises(NotFound, match=f"The {field} ") as error:
            read_entity(conn, MODEL, snapshot_id, DAY, key)
        assert error.value.details["field"] == f"{field}_id"


def test_known_apart_but_not_together(shop: Engine) -> None:
    with begin(shop) as conn:
        snapshot_id = write_snapshot(conn, MODEL, AS_OF, CUTOFF)
        conn.execute(
            delete(snapshot_sales_forecast).where(
                snapshot_sales_forecast.c.store_id == "A",
                snapshot_sales_forecast.c.item_id == "tea",
            )
        )
        with pytest.raises(NotFound, match="unknown together with the rest of the key"):
            read_entity(conn, MODEL, snapshot_id, DAY, ("A", "tea"))
