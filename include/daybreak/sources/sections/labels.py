"""Labels: which events of a stream were fraud, and since when. Rows of ``raw.label``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Table, func, literal, select, true

from daybreak.signals.stream import read_stream
from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.durations import Duration
from daybreak.sources.contract.section import Name, Section
from daybreak.sources.merging.log_rows import appended, ordered
from daybreak.sources.merging.shared import Merge, Merged
from daybreak.sources.sections.kind import SectionKind
from daybreak.sources.sections.streams import EVENT_ID
from daybreak.warehouse.tables import Instant, event, event_id, label


class Labels(Section):
    """What was said of events later. The moment at which it became known is either a column
    ``known_at`` or ``delay`` after the event."""

    kind: ClassVar[str] = "labels"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        EVENT_ID,
        CanonicalColumn("fraud", Kind.FLAG, required=True),
        CanonicalColumn("known_at", Kind.INSTANT),
    )

    stream: Name = Field(description="whose events they are about")
    delay: Duration | None = Field(None, description="how long after an event its label was known")

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if not self.generator and (self.delay is None) == ("known_at" not in self.columns):
            raise ValueError("give either `delay` or a column for `known_at`")
        return self


def merge_labels(merge: Merge, section: Labels, staged: Table) -> Merged:
    """Append what labels change; those that became known after the last date wait."""
    stream = read_stream(merge.conn, section.stream)
    # Looked up one by one: a log that was just loaded has no statistics to plan a join by.
    place = (
        select(event_id.c.loaded_at, event_id.c.sequence)
        .where(event_id.c.stream == stream.name, event_id.c.event_id == staged.c.event_id)
        .limit(1)
        .lateral()
    )
    of_event = (
        select(event.c.event_at)
        .where(
            event.c.loaded_at == place.c.loaded_at,
            event.c.stream == stream.name,
            event.c.sequence == place.c.sequence,
        )
        .limit(1)
        .lateral()
    )
    known: ColumnElement[Any] = (
        staged.c.known_at if "known_at" in staged.c else literal(None, Instant)
    )
    if section.delay is not None:
        known = func.coalesce(known, of_event.c.event_at + section.delay)
    rows = select(staged, known.label("_known")).select_from(
        staged.outerjoin(place, true()).outerjoin(of_event, true())
    )
    if merge.through is not None:
        end = merge.knowledge.ends(merge.through)
        rows = rows.where(known < end)
    rows_of_file = rows.subquery()
    listed = ordered(merge, rows_of_file, [rows_of_file.c["_known"]])
    fields = {name: listed.c[name] for name in ("event_id", "fraud")}
    fields["known_at"] = listed.c["_known"]
    outcomes = appended(merge, "append_labels", stream.name, listed, fields)
    return Merged(sum(outcome in {"new", "waits"} for _, outcome in outcomes))


LABELS = SectionKind(model=Labels, table=label, merge=merge_labels, several=True)
