"""Streams: events that arrive one by one, with keys and amounts. Rows of ``raw.event``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from sqlalchemy import BigInteger, Connection, Date, Interval, Table, cast, func, literal, select

from daybreak.signals.log import advance, first_day
from daybreak.signals.stream import (
    MOST_UNITS,
    OFF,
    OFF_OF_ALL,
    AttributeKind,
    Stream,
    declare,
    is_live,
    read_stream,
)
from daybreak.sources.arrow import Array, as_mask
from daybreak.sources.arrow import compute as pc
from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.durations import Duration
from daybreak.sources.contract.section import Facts, Name
from daybreak.sources.merging.log_rows import (
    appended,
    ordered,
    quarantine_conflicts,
)
from daybreak.sources.merging.shared import Merge, Merged, covariates_json
from daybreak.sources.sections.kind import Check, Declared, SectionKind
from daybreak.warehouse.tables import event

_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "flag": Kind.FLAG}

EVENT_ID = CanonicalColumn("event_id", Kind.TEXT, required=True, key=True)


class Streams(Facts):
    """A stream: past events here, if there are any, and those to come over HTTP."""

    kind: ClassVar[str] = "streams"
    own_columns: ClassVar[tuple[CanonicalColumn, ...]] = (
        EVENT_ID,
        CanonicalColumn("event_at", Kind.INSTANT, required=True),
        CanonicalColumn("known_at", Kind.INSTANT),
    )
    may_be_empty: ClassVar[bool] = True

    name: Name
    keys: Annotated[list[Name], Field(min_length=1)] = Field(
        description="what windows are about, such as a card; each names a canonical column"
    )
    amounts: list[Name] = Field([], description="numbers from 0 up that add up, such as money")
    decimals: int = Field(2, ge=0, le=6, description="that an amount has at most")
    attributes: dict[Name, AttributeKind] = Field(
        default_factory=dict, description="further columns: name -> text, number or flag"
    )
    delay: Duration = Field(
        timedelta(0), description="how long after an event it became known, without `known_at`"
    )

    @model_validator(mode="after")
    def _names_stand_once(self) -> Self:
        names = [*self.keys, *self.amounts, *self.attributes]
        names += [column.name for column in self.own_columns]
        if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
            raise ValueError(f"{repeated} stand twice among `keys`, `amounts` and `attributes`")
        return self

    @property
    def canonical(self) -> tuple[CanonicalColumn, ...]:
        """The columns of the stream."""
        return (
            *self.own_columns,
            *(CanonicalColumn(name, Kind.TEXT, key=True) for name in self.keys),
            *(CanonicalColumn(name, Kind.NUMBER, non_negative=True) for name in self.amounts),
            *(CanonicalColumn(name, _KINDS[kind]) for name, kind in self.attributes.items()),
        )

    def stream(self, timezone: str) -> Stream:
        """What it declares."""
        return Stream(
            self.name,
            tuple(self.keys),
            tuple(self.amounts),
            self.decimals,
            self.attributes,
            timezone,
        )


def declare_stream(conn: Connection, section: Streams, declared: Declared) -> None:
    """Take the stream in as the file has it."""
    declare(conn, section.stream(declared.timezone), declared.now)


@dataclass(frozen=True)
class LiveStream:
    """The events that a stream gets over HTTP."""

    name: str

    @property
    def address(self) -> str:
        """The route that takes them."""
        return f"/v1/streams/{self.name}/events"

    def first_day(self, conn: Connection) -> date | None:
        """Of the event that happened first."""
        return first_day(conn, self.name)

    def seal(self, conn: Connection, moment: datetime) -> None:
        """Move the watermark up to ``moment``."""
        advance(conn, self.name, moment)


def live_stream(conn: Connection, section: Streams) -> LiveStream | None:
    """The stream once it is live, which it stays."""
    return LiveStream(section.name) if is_live(conn, section.name) else None


def merge_events(merge: Merge, section: Streams, staged: Table) -> Merged:
    """Append the events that the log does not have; those whose id has another are bad rows."""
    stream = read_stream(merge.conn, section.name)
    known = staged.c.event_at + literal(section.delay, Interval)
    if "known_at" in staged.c:
        known = func.coalesce(staged.c.known_at, known)
    zone = literal(stream.timezone)
    timed = select(staged, known.label("_known")).subquery()
    rows = ordered(merge, timed, [timed.c["_known"], timed.c.event_at])
    given = set(staged.c.keys())
    fields: dict[str, Any] = {
        "event_id": rows.c.event_id,
        "event_at": rows.c.event_at,
        "business_date": cast(func.timezone(zone, rows.c.event_at), Date),
        "known_at": rows.c["_known"],
        "attributes": covariates_json(rows, [n for n in section.attributes if n in given]),
    }
    fields |= {stream.key_slot(name): rows.c[name] for name in section.keys if name in given}
    fields |= {
        stream.amount_slot(name): cast(func.round(rows.c[name] * stream.scale), BigInteger)
        for name in section.amounts
        if name in given
    }
    outcomes = list(appended(merge, "append_events", stream.name, rows, fields))
    conflicts = [row for row, outcome in outcomes if outcome == "conflict"]
    quarantine_conflicts(merge, staged, conflicts)
    zoned = select(cast(func.timezone(zone, staged.c.event_at), Date).label("day")).distinct()
    days = sorted(merge.conn.scalars(zoned))
    loaded = sum(outcome == "new" for _, outcome in outcomes)
    return Merged(loaded, 0, min(days, default=None), max(days, default=None))


def _checks(section: Streams, column: CanonicalColumn, values: Array) -> list[Check]:
    if column.name not in section.amounts:
        return []
    units = pc.multiply(values, float(10**section.decimals))
    off = pc.abs(pc.subtract(units, pc.round(units)))
    tolerance = pc.add(OFF, pc.multiply(pc.abs(units), OFF_OF_ALL))
    return [
        (as_mask(pc.greater(units, float(MOST_UNITS))), "is beyond 2^53 of its smallest unit"),
        (as_mask(pc.greater(off, tolerance)), f"has more than {section.decimals} decimals"),
    ]


def _last_date(_: Streams, through: date) -> date:
    return through


def _name(section: Streams) -> str:
    return section.name


STREAMS = SectionKind(
    model=Streams,
    table=event,
    merge=merge_events,
    date_column="event_at",
    checks=_checks,
    last_date=_last_date,
    several=True,
    part=_name,
    declare=declare_stream,
    live=live_stream,
)
