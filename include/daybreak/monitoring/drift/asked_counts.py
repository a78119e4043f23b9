"""What the endpoint was asked, as it is kept: appended by its processes, read by the night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, text

from daybreak.histogram import ROW, Histogram, Name
from daybreak.ledger.states import Generation
from daybreak.monitoring.drift.distances import Counts
from daybreak.monitoring.drift.reference import Binned, from_manifest

OLDEST = timedelta(weeks=8)
"""Of a night that is asked about until the next one comes."""

_APPEND = text(
    """
    SELECT ops.append_asked(
        :generation, :begun, :ended, :answers, CAST(:names AS text[]), CAST(:counts AS bytea[])
    )
    """
)

_NIGHT = text(
    """
    SELECT before.generation_id, version.manifest
    FROM ops.published AS pointer
    JOIN ops.generation AS before USING (generation_id)
    JOIN ops.model_version AS version
        ON version.model = before.model AND version.version = before.version
    WHERE pointer.model = :model AND pointer.business_date < :day
        AND pointer.business_date >= :oldest
    ORDER BY pointer.business_date DESC
    LIMIT 1
    """
)

_COUNTED = text(
    """
    SELECT asked.name, asked.answers, asked.counts
    FROM ops.asked_histogram AS asked
    WHERE asked.generation_id = :before
        AND asked.ended_at <= (
            SELECT published_at FROM ops.generation WHERE generation_id = :after
        )
    """
)

_OF_NIGHT = text(
    """
    SELECT name, bins, counts
    FROM ops.drift_histogram
    WHERE generation_id = :before AND kind = :kind
    """
)


@dataclass(frozen=True)
class OfFeature:
    """A feature as it was asked about, and as the night had it that answered.

    ``answers``: whose rows were counted. ``asked`` and ``night``: (b,) by the bins of ``trained``.
    """

    answers: int
    asked: Counts
    night: Counts
    trained: Binned


def append(
    conn: Connection,
    generation_id: int,
    begun: datetime,
    ended: datetime,
    *,
    answers: int,
    counts: Mapping[str, Counts],
) -> None:
    """Append what a process was asked about a generation: of each feature int64 (b,), by the bins
    of its version. With the rights of the service, in the caller's transaction."""
    conn.execute(
        _APPEND,
        {
            "generation": generation_id,
            "begun": begun,
            "ended": ended,
            "answers": answers,
            "names": list(counts),
            "counts": [one.astype("<i8").tobytes() for one in counts.values()],
        },
    )


def read(conn: Connection, after: Generation) -> dict[str, OfFeature]:
    """By feature what was asked about the published night before ``after``, until that was
    published; nothing where nobody asked, or that night was not counted.

    Bounded by the moment of publication, so that what is read again is the same.
    """
    day = after.business_date
    asked = {"model": after.model, "day": day, "oldest": day - OLDEST}
    before = conn.execute(_NIGHT, asked).first()
    if before is None:
        return {}
    trained = rows_of_manifest(before.manifest)
    of = {"before": before.generation_id, "after": after.generation_id, "kind": ROW}
    nights = {
        row.name: Histogram.from_bytes(row.bins, row.counts) for row in conn.execute(_OF_NIGHT, of)
    }
    answers: dict[str, int] = {}
    sums: dict[str, Counts] = {}
    for row in conn.execute(_COUNTED, of):
        if row.name in trained and row.name in nights:
            counts = np.frombuffer(row.counts, "<i8").astype(np.int64)
            sums[row.name] = sums.get(row.name, np.zeros_like(counts)) + counts
            answers[row.name] = answers.get(row.name, 0) + row.answers
    return {
        name: OfFeature(answers[name], sums[name], one.bins.counts(nights[name]), one)
        for name, one in trained.items()
        if name in sums
    }


def rows_of_manifest(manifest: Mapping[str, object]) -> dict[str, Binned]:
    """By feature the bins of what the engine was given in training; none of a version that does
    not say."""
    found: dict[Name, Binned] = from_manifest(manifest)
    return {name.name: one for name, one in found.items() if name.kind == ROW}
