"""Streams for the command line: how far each has come, and whether its tiles are right."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select

from daybreak.jobs.report import as_json
from daybreak.models.base import Progress, logged
from daybreak.runtime import Runtime, get_runtime
from daybreak.signals.retention import first_whole_day
from daybreak.signals.stream import Stream, read_progress, read_stream, read_streams
from daybreak.signals.tiles import mend_tiles, wrong_tiles
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import event_id

MOST_NAMED = 10_000
"""Wrong tiles of a stream that are named; more say no more."""


def list_streams(runtime: Runtime | None = None) -> list[dict[str, Any]]:
    """Each stream by name: what it declares, how many events it has, and how far it has come.

    JSON-able. ``watermark``, ``tiled_through``: None where nothing is known, or tiled.
    """
    runtime = runtime or get_runtime()
    with connect(runtime.engine) as conn:
        of_stream = select(event_id.c.stream, func.count().label("events"))
        events = {
            row.stream: row.events for row in conn.execute(of_stream.group_by(event_id.c.stream))
        }
        return [
            as_json(
                {
                    "stream": stream.name,
                    "keys": list(stream.keys),
                    "amounts": list(stream.amounts),
                    "decimals": stream.decimals,
                    "attributes": dict(stream.attributes),
                    "timezone": stream.timezone,
                    "events": events.get(stream.name, 0),
                    **vars(read_progress(conn, stream.name)),
                }
            )
            for stream in read_streams(conn)
        ]


def check_streams(
    name: str | None = None,
    first_day: date | None = None,
    *,
    mend: bool = False,
    progress: Progress = logged,
    runtime: Runtime | None = None,
) -> list[dict[str, Any]]:
    """Compare the tiles of each stream, or of the one called ``name``, with its log.

    ``first_day``: leaves out earlier days; those of which a part of the log has gone are left out
    anyway. ``mend``: makes wrong tiles anew, a transaction a stream.

    For each stream, JSON-able: ``wrong``, ``MOST_NAMED`` at most, and ``more`` where there are
    others; ``mended``: of how many days of a key. Raises ``NotFound`` for an unknown stream.
    """
    runtime = runtime or get_runtime()
    with connect(runtime.engine) as conn:
        streams = read_streams(conn) if name is None else [read_stream(conn, name)]
    return [_check(runtime, stream, first_day, mend, progress) for stream in streams]


def _check(
    runtime: Runtime, stream: Stream, first_day: date | None, mend: bool, progress: Progress
) -> dict[str, Any]:
    progress(f"Comparing the tiles of {stream.name} with its log")
    with connect(runtime.engine) as conn:
        tiled = read_progress(conn, stream.name).tiled_through
        first = max(first_day or date.min, first_whole_day(conn, stream.name) or date.min)
        wrong = wrong_tiles(conn, stream, first, MOST_NAMED + 1)
    mended = 0
    if wrong and mend:
        progress(f"Mending the tiles of {stream.name}")
        with begin(runtime.engine) as conn:
            mended = mend_tiles(conn, stream, first)
    return {
        "stream": stream.name,
        "from": None if first == date.min else first.isoformat(),
        "tiled_through": tiled and tiled.isoformat(),
        "wrong": [as_json(one._asdict()) | {"text": one.text} for one in wrong[:MOST_NAMED]],
        "more": len(wrong) > MOST_NAMED,
        "mended": mended,
    }
