"""When scores have to be out, by the clock or by when the data landed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection

from daybreak.clock import between, due_at
from daybreak.facts.days import closed_at
from daybreak.models import interval_of
from daybreak.settings import Settings


def due_of(conn: Connection, settings: Settings, model: str, day: date) -> datetime:
    """The moment (UTC) at which the scores of ``day`` have to be out.

    The due time on the day after; a model that is scored as data land has as long from the closing
    of the day as others have from the start of the nightly run.
    """
    run_at, due = settings.run_at, settings.due_for(model)
    closed = closed_at(conn, day) if interval_of(model, settings).on_data else None
    return closed + between(run_at, due) if closed else due_at(day, run_at, due, settings.timezone)
