"""Batch scoring: shards of a snapshot, streamed chunk by chunk into the score table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Connection, delete, exists, literal, select, text, true

from daybreak.ledger.generations import Generation, hold_staging
from daybreak.models.base import (
    AnyModel,
    Columns,
    Day,
    Given,
    Nightly,
    Scorer,
    ScoringRows,
    SnapshotRows,
)
from daybreak.scoring.engines.engine import Engine, expect_features
from daybreak.scoring.snapshots import day_of, read_snapshot
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.partitions import ensure_partition

ENTITIES_PER_CHUNK = 250
ROWS_PER_CHUNK = 25_000
"""What a chunk holds at most: 28 rows a series, or 200 candidates a user. More is no faster, and
the first and the last chunk of a shard share their time with no other."""

MOST_SHARDS = 200
"""Airflow fails a list of more than 1,024 mapped tasks, and its scheduler slows down with hundreds.
At 1,000 users a second, 10 million make shards of 50 s, beside which the 2 s that a task takes to
start do not count."""

CHUNKS_AT_ONCE = 2
PROBED = 8
"""Entities sampled for the number of rows of one."""

T = TypeVar("T")
R = TypeVar("R")


def plan_shards(rows: int, per_shard: int) -> list[dict[str, int]]:
    """Ranges ``[first, last)`` of snapshot positions that together cover ``rows``, much alike.

    Each has at most ``per_shard`` entities where ``MOST_SHARDS`` are enough for that, and else
    as many as it takes. The same rows are always cut in the same way.
    """
    shards = min(MOST_SHARDS, ceil(rows / per_shard))
    size = ceil(rows / max(1, shards))
    return [
        {"shard": shard, "first": first, "last": min(first + size, rows)}
        for shard, first in enumerate(range(0, rows, max(1, size)))
    ]


def score_shard(
    conn: Connection,
    model: AnyModel,
    engine: Engine,
    generation: Generation,
    *,
    shard: int,
    first: int,
    last: int,
) -> int:
    """Score one range of a generation's snapshot in the caller's transaction; returns the rows.

    Whatever the generation holds of these entities is replaced, so a shard can run again, also
    after the shards were cut anew. Memory does not grow with the shard.
    Raises ``IllegalTransition`` where the generation is no longer being staged, and ``NotReady``
    where the version was trained on other features or the snapshot is laid out otherwise.
    """
    expect_features(engine.artifact, model.features_of(engine.artifact.manifest))
    nightly = model.night
    hold_staging(conn, generation.generation_id)
    ensure_partition(conn, nightly.score_table, generation.business_date)
    _delete_scores(conn, nightly, generation, first, last)
    constants: dict[str, Any] = {
        "business_date": np.datetime64(generation.business_date, "D"),
        "generation_id": generation.generation_id,
        "shard": shard,
    }

    def read(start: int, entities: int) -> SnapshotRows:
        return read_snapshot(
            conn, model, generation.snapshot_id, start, min(start + entities, last)
        )

    day = day_of(conn, model, generation)
    scorer = model.scorer(engine.artifact, day)

    def ask(snapshot: SnapshotRows) -> ScoringRows:
        return rows_of_a_night(nightly, scorer, day, snapshot)

    probe = read(first, PROBED)
    rows_each = max(1, len(ask(probe).features) // max(1, len(probe)))
    step = max(1, min(ENTITIES_PER_CHUNK, ROWS_PER_CHUNK // rows_each))

    def score(snapshot: SnapshotRows) -> Columns:
        rows = ask(snapshot)
        answers = rows.answers(engine.batch(rows.features))
        constant = {name: np.broadcast_to(one, len(answers)) for name, one in constants.items()}
        return constant | answers.columns

    chunks = (read(start, step) for start in range(first, last, step))
    return sum(copy_in(conn, nightly.score_table, columns) for columns in _ahead(score, chunks))


def rows_of_a_night(
    nightly: Nightly, scorer: Scorer, day: Day, snapshot: SnapshotRows
) -> ScoringRows:
    """The nightly questions about these entities of a day."""
    return scorer.rows(Given(snapshot), nightly.questions(day, len(snapshot)))


def _ahead(work: Callable[[T], R], inputs: Iterable[T]) -> Iterator[R]:
    """``map``, in order, that works on the next inputs in threads while the caller has a result.

    Predicting needs no connection and writing hardly any processor, so they share the time; and
    what numpy and XGBoost do of two chunks shares the cores. As many as are worked on wait, so that
    no thread is idle while the caller writes.
    """
    with ThreadPoolExecutor(CHUNKS_AT_ONCE) as workers:
        pending: deque[Future[R]] = deque()
        for value in inputs:
            pending.append(workers.submit(work, value))
            if len(pending) > 2 * CHUNKS_AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _delete_scores(
    conn: Connection, nightly: Nightly, generation: Generation, first: int, last: int
) -> None:
    """Nearly always there is nothing to delete, so that is looked at first."""
    scored, snapshot = nightly.score_table.c, nightly.snapshot_table.c
    wanted = (
        select(*(snapshot[name] for name in nightly.keys))
        .where(
            snapshot.business_date == generation.business_date,
            snapshot.snapshot_id == generation.snapshot_id,
            snapshot.ordinal >= first,
            snapshot.ordinal < last,
        )
        .subquery("wanted")
    )
    theirs = [
        scored.business_date == generation.business_date,
        scored.generation_id == generation.generation_id,
        *(scored[name] == wanted.c[name] for name in nightly.keys),
    ]
    # PostgreSQL has no statistics of rows that are minutes old and picks a nested loop over all of
    # them: 13 s for 2,000 users. OFFSET keeps it to one look into the primary key an entity.
    one = select(literal(1)).where(*theirs).offset(0).lateral("one")
    if conn.scalar(select(exists().select_from(wanted.join(one, true())))):
        conn.execute(text("SET LOCAL enable_nestloop = off"))
        conn.execute(delete(nightly.score_table).where(*theirs))
        conn.execute(text("SET LOCAL enable_nestloop = on"))
