"""Building a snapshot takes the memory of a shard, however many facts there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from benchmarks.facts import AS_OF, CUTOFF, fill
from sqlalchemy import Engine

from daybreak.models import get_model
from daybreak.models.sales_forecast.features import recent
from daybreak.scoring.snapshot_plan import plan
from daybreak.scoring.snapshot_shards import build, finish, read, share
from daybreak.warehouse.engine import begin, make_engine

MODEL = get_model("sales_forecast")
PER_SHARD = 100


def peaks(engine: Engine) -> tuple[dict[str, int], int]:
    """The largest peak of any run of each step, bytes of Python and numpy; and the rows."""
    found: dict[str, int] = {}

    def step(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        tracemalloc.start()
        try:
            with begin(engine) as conn:
                result = work(conn, MODEL, *arguments)
            found[name] = max(found.get(name, 0), tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        return result

    with begin(engine) as conn:
        planned = plan(conn, MODEL, AS_OF, CUTOFF, per_shard=PER_SHARD)
    for shard in planned.to_read:
        step("read", read, planned.snapshot_id, shard)
    step("share", share, planned.snapshot_id)
    for shard in planned.shards:
        step("build", build, planned.snapshot_id, shard)
    rows = step("finish", finish, planned.snapshot_id, CUTOFF)
    return found, rows


@pytest.fixture
def another_warehouse(postgres: Any) -> Iterator[Engine]:
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        yield engine
        engine.dispose()


def test_ten_times_the_series_take_the_memory_of_one(
    warehouse: Engine, another_warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "SERIES_PER_CHUNK", PER_SHARD)  # a year of so many is added at once
    fill(warehouse, stores=1, items=PER_SHARD, days=120)
    fill(another_warehouse, stores=10, items=PER_SHARD, days=120)
    (few, some), (many, more) = peaks(warehouse), peaks(another_warehouse)
    assert (some, more) == (PER_SHARD, 10 * PER_SHARD)
    for step in ("read", "build"):
        assert many[step] < 1.3 * few[step] + 200_000, step
    assert many["share"] < few["share"] + 4_200 * more, "what all share grows with their number"
    assert many["finish"] < few["finish"] + 4_500 * 1_000, "a run of rows at most"
