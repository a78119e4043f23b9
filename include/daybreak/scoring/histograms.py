"""Histograms of what a night was given and what it answered."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import REAL, ColumnElement, Connection, Table, func, literal, select, text

from daybreak.histogram import FEATURE, KEY, ROW, SCORE, Histogram, Name
from daybreak.ledger.states import Generation
from daybreak.models.base import AnyModel, Day, SnapshotRows
from daybreak.registry.artifact import Artifact
from daybreak.scoring.audit import hash_of
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.engines.engine import Engine
from daybreak.scoring.snapshot_bytes import unpack
from daybreak.scoring.snapshots import day_of
from daybreak.types import Float32
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.packed import AT_ONCE, Field, Packing, stream_bytes
from daybreak.warehouse.tables import snapshot as snapshots

MOST_ENTITIES = 32_768
"""Of more, a half, a quarter and so on: those whose key has a hash that ends on so many zeros, the
same ones every night. Shares are then known to 0.3 %, which is less than nights differ by."""

MOST_OF_ROWS = 512
"""Entities whose rows are counted as the engine was given them: a user has hundreds of them."""

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 4 << 20
BUCKETS = 64
"""That keys are counted in: a store that goes takes its rows out of one."""

_CURSORS = count(1)


class Measured(NamedTuple):
    """``entities``: of the whole snapshot. ``histograms``: by what they are of."""

    entities: int
    histograms: dict[Name, Histogram]


class _Sums:
    """Histograms that grow chunk by chunk."""

    def __init__(self) -> None:
        self._of: defaultdict[Name, list[Histogram]] = defaultdict(list)

    def add(self, kind: str, name: str, histogram: Histogram) -> None:
        """To those of a name; memory is that of two histograms a name."""
        parts = self._of[Name(kind, name)]
        parts.append(histogram)
        if len(parts) > 1:
            parts[:] = [Histogram.sum(parts)]

    def add_rows(self, model: AnyModel, rows: SnapshotRows, day: Day) -> None:
        """Keys and values of snapshot rows."""
        for name, keys in zip(model.keys, rows.keys, strict=True):
            self.add(KEY, name, Histogram.of_keys(_buckets(keys)))
        for name, values in model.night.watched(rows, day).items():
            self.add(FEATURE, name, Histogram.of(values))

    def add_features(self, model: AnyModel, manifest: Mapping[str, Any], rows: Float32) -> None:
        """Features (m, F) as the engine is given them."""
        names = model.features_of(manifest)
        for name in model.night.watched_features(names):
            self.add(ROW, name, Histogram.of(rows[:, names.index(name)]))

    def found(self) -> dict[Name, Histogram]:
        """The sums."""
        return {name: parts[0] for name, parts in self._of.items()}


def of_generation(conn: Connection, model: AnyModel, generation: Generation) -> Measured:
    """Of all that a generation was scored from, and of all that was scored.

    A function of its rows alone: measured again it has the same bytes. Streams: memory does not
    grow with the rows. Raises ``NotReady`` where its snapshot went, or another release laid it out.
    """
    day = day_of(conn, model, generation)
    of_snapshot = snapshots.c.snapshot_id == generation.snapshot_id
    entities = conn.scalar(select(snapshots.c.rows).where(of_snapshot)) or 0
    share = _halvings(entities)
    sums = _Sums()
    for rows in _snapshot_rows(conn, model, generation, share):
        sums.add_rows(model, rows, day)
    for chunk in _scores(conn, model, generation, share):
        for name, values in chunk.items():
            sums.add(SCORE, name, Histogram.of(values))
    return Measured(entities, sums.found())


def of_rows(
    conn: Connection, model: AnyModel, generation: Generation, artifact: Artifact
) -> dict[Name, Histogram]:
    """Of what the engine was given of ``MOST_OF_ROWS`` entities at most of a generation, those
    whose key has such a hash; nothing of a formula.

    Requests about its day are compared with that. ``artifact``: the version that scored it. As
    `of_generation` a function of its rows alone, and raises the same.
    """
    if not model.features_of(artifact.manifest):
        return {}
    day = day_of(conn, model, generation)
    of_snapshot = snapshots.c.snapshot_id == generation.snapshot_id
    entities = conn.scalar(select(snapshots.c.rows).where(of_snapshot)) or 0
    scorer, sums = model.scorer(artifact, day), _Sums()
    for rows in _snapshot_rows(conn, model, generation, _halvings(entities, MOST_OF_ROWS)):
        asked = rows_of_a_night(model.night, scorer, day, rows)
        sums.add_features(model, artifact.manifest, asked.features)
    return sums.found()


def of_nights(
    model: AnyModel, engine: Engine, nights: Iterable[tuple[Day, SnapshotRows]]
) -> dict[Name, Histogram]:
    """All of these of rows at hand, as a version scores them."""
    sums = _Sums()
    for day, rows in nights:
        sums.add_rows(model, rows, day)
        asked = rows_of_a_night(model.night, model.scorer(engine.artifact, day), day, rows)
        features = asked.features
        sums.add_features(model, engine.artifact.manifest, features)
        columns = asked.answers(engine.batch(features)).columns
        for name in _score_names(model.night.score_table):
            if name in columns:
                sums.add(SCORE, name, Histogram.of(columns[name]))
    return sums.found()


def _buckets(keys: NDArray[np.object_]) -> NDArray[np.int16]:
    found, place = np.unique(keys.astype(str), return_inverse=True)
    numbers = [zlib.crc32(one.encode()) % BUCKETS for one in found.tolist()]
    return np.array(numbers, np.int16)[place]


def _halvings(entities: int, most: int = MOST_ENTITIES) -> int:
    halvings = 0
    while entities >> halvings > most:
        halvings += 1
    return halvings


def _in_sample(columns: Sequence[ColumnElement[Any]], halvings: int) -> list[ColumnElement[bool]]:
    if not halvings:
        return []
    return [hash_of(*columns).op("&")(literal((1 << halvings) - 1)) == 0]


def _snapshot_rows(
    conn: Connection, model: AnyModel, generation: Generation, halvings: int
) -> Iterator[SnapshotRows]:
    table = model.night.snapshot_table
    keys = [table.c[name] for name in model.keys]
    query = select(*keys, table.c.features).where(
        *_of_snapshot(table, generation), *_in_sample(keys, halvings)
    )
    compiled = query.compile(dialect=conn.dialect)
    with driver_of(conn).cursor(name=f"histograms_{next(_CURSORS)}") as cursor:
        conn.execute(text("SET LOCAL cursor_tuple_fraction = 1"))  # all rows will be fetched
        cursor.execute(str(compiled).encode(), compiled.params, binary=True)
        while fetched := cursor.fetchmany(ROWS_AT_ONCE):
            *columns, packed = zip(*fetched, strict=True)
            yield unpack(model.night, columns, packed)


def _scores(
    conn: Connection, model: AnyModel, generation: Generation, halvings: int
) -> Iterator[dict[str, NDArray[Any]]]:
    """Columns of scores, some rows at a time: an entity's come as one value, as in the audit."""
    table = model.night.score_table
    names = _score_names(table)
    if not names:
        return
    nothing = literal("NaN").cast(REAL)
    packing = Packing({name: Field(func.coalesce(table.c[name], nothing), "f4") for name in names})
    keys = [table.c[name] for name in model.keys]
    query = select(keys[0], packing.aggregate()).where(
        table.c.business_date == generation.business_date,
        table.c.generation_id == generation.generation_id,
        *_in_sample(keys, halvings),
    )
    # By the primary key, so that the server holds one entity at a time.
    for setting in ("enable_hashagg", "enable_sort"):
        conn.execute(text(f"SET LOCAL {setting} = off"))
    for groups in stream_bytes(conn, query.group_by(*keys), BYTES_AT_ONCE, AT_ONCE):
        yield packing.unpack(groups).columns


def _score_names(table: Table) -> list[str]:
    return [column.name for column in table.columns if type(column.type) is REAL]


def _of_snapshot(table: Table, generation: Generation) -> list[ColumnElement[bool]]:
    return [
        table.c.business_date == generation.business_date,
        table.c.snapshot_id == generation.snapshot_id,
    ]
