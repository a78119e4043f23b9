"""One night, measured: a real business date made and scored by the steps of a run, and undone.

All of it is one transaction that is rolled back, so that nothing is published, and nothing stays
but what PostgreSQL's vacuum takes away.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, select, text

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.jobs.advising.processors import Meter, Spent, peak_memory, times_of
from daybreak.jobs.advising.undone import undone
from daybreak.jobs.inputs import as_of
from daybreak.jobs.options import model_options
from daybreak.ledger.generations import Generation, open_generation
from daybreak.models import get_model
from daybreak.models.base import AnyModel, Key, Options, Span
from daybreak.monitoring.advice.measurements import NOTHING, Night, Times
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import plan_shards, score_shard
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_day
from daybreak.settings import Settings
from daybreak.warehouse.partitions import partition_name
from daybreak.warehouse.tables import snapshot as snapshots

READS = 200
"""Published rows that are looked up."""
ROWS = 40
"""Entities whose row is made alone."""
HEADER = 28
"""Bytes of a row that are not its columns: 24 of its header, and 4 that point to it."""


class MeasuredNight(NamedTuple):
    """``read``: of one entity's rows by its key. ``row``: of making one entity's feature row."""

    night: Night
    read: Times
    row: Times
    sees_server: bool


@dataclass(frozen=True)
class _Work:
    """What a measured night stands on."""

    runtime: Runtime
    model: AnyModel
    artifact: Artifact
    conn: Connection
    known: AsOf
    now: datetime

    @property
    def options(self) -> Options:
        return model_options(self.runtime, self.model.name)

    @property
    def trained(self) -> Options:
        found: Options = self.artifact.manifest.get("options", {})
        return found


def measure_night(
    settings: Settings, name: str, version: str, days: Sequence[date], now: datetime
) -> MeasuredNight:
    """Of a nightly model, in this process, whose peak of memory it is: of the first of ``days`` on
    which there is something to score.

    Raises what the steps of a run raise, ``NoData`` where there is nothing on any of them.
    """
    runtime, model = Runtime(settings, lambda: now), get_model(name)
    artifact = runtime.registry.load(name, version)
    try:
        for day in days:
            tables = model.night.snapshot_table, model.night.score_table
            with undone(runtime.engine, day, *tables) as conn:
                known = as_of(conn, name, day, settings=settings, now=now)
                # A microsecond later nothing else was known, and no snapshot of then is there.
                known = replace(known, cutoff=known.cutoff + timedelta(microseconds=1))
                found = _measured(_Work(runtime, model, artifact, conn, known, now))
            if found is not None:
                return found
    finally:
        runtime.engine.dispose()
    raise NoData(
        f"{name} has nothing to score on {days[-1]} to {days[0]}.",
        remedy="`daybreak data check` shows which days the data set has facts for.",
        model=name,
    )


def _measured(work: _Work) -> MeasuredNight | None:
    """None where the day has nothing to score."""
    conn, model = work.conn, work.model
    meter = Meter(conn)
    engine = open_engine(work.artifact, work.runtime.settings.threads)
    begun = meter.read()
    snapshot_id = write_snapshot(
        conn,
        model,
        work.known,
        work.now,
        work.options,
        trained=work.trained,
        per_shard=work.runtime.settings.entities_per_shard,
    )
    built = meter.read()
    rows_of = select(snapshots.c.rows).where(snapshots.c.snapshot_id == snapshot_id)
    entities = int(conn.scalar(rows_of) or 0)
    if not entities:
        return None
    generation = _opened(work, snapshot_id)
    per_shard = work.runtime.settings.entities_per_shard
    for shard in plan_shards(entities, per_shard):
        score_shard(conn, model, engine, generation, **shard)
    rows = audit_generation(conn, model, generation)
    ended, memory = meter.read(), peak_memory()
    snapshot, score = built.since(begun), ended.since(built)
    both = ended.since(begun)
    night = Night(
        work.known.business_date,
        entities,
        rows,
        snapshot.own,
        score.own,
        both.server,
        both.wall,
        memory,
        _stored(conn, model, generation),
    )
    keys = _some_keys(conn, model, generation, max(READS, ROWS))
    read = _looked_up(meter, conn, model, generation, keys[:READS])
    row = NOTHING if model.decides else _rows_alone(work, meter, snapshot_id, keys[:ROWS], night)
    return MeasuredNight(night, read, row, meter.sees_server)


def _opened(work: _Work, snapshot_id: int) -> Generation:
    return open_generation(
        work.conn,
        model=work.model.name,
        business_date=work.known.business_date,
        run_key=f"advise/{work.model.name}/{uuid.uuid4().hex}",
        run_type="cli",
        cutoff=work.known.cutoff,
        version=work.artifact.version,
        snapshot_id=snapshot_id,
        now=work.now,
    )


def _stored(conn: Connection, model: AnyModel, generation: Generation) -> float:
    """Bytes of the rows of a night, their share of the indexes of their month included."""
    night = model.night
    snapshot, score = night.snapshot_table, night.score_table
    of_snapshot = snapshot.c.snapshot_id == generation.snapshot_id
    of_score = score.c.generation_id == generation.generation_id
    return _bytes(conn, snapshot, generation.business_date, of_snapshot) + _bytes(
        conn, score, generation.business_date, of_score
    )


def _bytes(conn: Connection, table: Table, day: date, where: Any) -> float:
    sizes = reduce(add, (func.coalesce(func.pg_column_size(one), 0) for one in table.c))
    found = select(func.sum(sizes + HEADER)).where(table.c.business_date == day, where)
    payload = float(conn.scalar(found) or 0)
    month = f"{table.schema}.{partition_name(table, day)}"
    with_indexes = func.pg_total_relation_size(month) / func.nullif(func.pg_table_size(month), 0.0)
    return payload * float(conn.scalar(select(with_indexes)) or 1.0)


def _some_keys(conn: Connection, model: AnyModel, generation: Generation, count: int) -> list[Key]:
    """Of entities spread over all positions of the snapshot."""
    c = model.night.snapshot_table.c
    query = (
        select(*(c[name] for name in model.keys))
        .where(
            c.business_date == generation.business_date,
            c.snapshot_id == generation.snapshot_id,
        )
        .order_by(c.ordinal)
    )
    found = [tuple(row) for row in conn.execute(query)]
    places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
    order = np.random.default_rng(0).permutation(places)
    return [found[place] for place in order.tolist()]


def _looked_up(
    meter: Meter, conn: Connection, model: AnyModel, generation: Generation, keys: list[Key]
) -> Times:
    """The rows of each by its key, as who reads the table does."""
    c = model.night.score_table.c

    def read(key: Key) -> object:
        query = select(model.night.score_table).where(
            c.business_date == generation.business_date,
            c.generation_id == generation.generation_id,
            *(c[name] == value for name, value in zip(model.keys, key, strict=True)),
        )
        return conn.execute(query).all()

    conn.execute(text("SET LOCAL enable_seqscan = off"))  # of a table that has its statistics
    read(keys[0])
    return _timed(meter, read, keys)


def _rows_alone(
    work: _Work, meter: Meter, snapshot_id: int, keys: list[Key], night: Night
) -> Times:
    """Making the feature row of one entity from the facts, with what a day shares as it is.

    A model whose rows are made in one piece cannot make one alone: of that, each row's share.
    """
    model, conn = work.model, work.conn
    options = {**work.options, **work.trained}
    if model.night.entities(conn, work.known, options) is None:
        each = night.wall_seconds / max(night.answers, 1)
        seconds = night.snapshot_processor_seconds / max(night.answers, 1)
        return Times(night.answers, seconds, 1000 * each, 1000 * each)
    context = read_day(conn, model, snapshot_id).context

    def make(key: Key) -> object:
        span = Span(work.known, options, tuple(_column(name) for name in key))
        if model.night.in_parts:
            return model.night.part(conn, span)
        return list(model.night.rows(conn, span, context, {}))

    make(keys[0])
    return _timed(meter, make, keys)


def _timed(meter: Meter, work: Callable[[Key], object], keys: list[Key]) -> Times:
    before: Spent = meter.read()
    seconds = []
    for key in keys:
        began = time.perf_counter()
        work(key)
        seconds.append(time.perf_counter() - began)
    return times_of(seconds, meter.read().since(before))


def _column(name: str) -> NDArray[np.object_]:
    found = np.empty(1, object)
    found[0] = name
    return found
