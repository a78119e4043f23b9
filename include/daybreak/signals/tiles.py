"""Tiles: what became known of a key and a day between two builds, folded to integers.

A build folds the entries since the one before, so an event that is late, or a label, makes one more
tile of its day. All tiles of a day together say what the log says of it, as counts and sums add up
and the most of two maxima is the most of all.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    SmallInteger,
    Subquery,
    and_,
    cast,
    distinct,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)

from daybreak.signals.slots import key_number
from daybreak.signals.stream import Stream, read_progress
from daybreak.warehouse.locks import hold
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import AMOUNT_SLOTS, KEY_SLOTS, event, label, tile
from daybreak.warehouse.tables import stream as streams

IDENTITY = ("business_date", "key")


class Built(NamedTuple):
    """``through``: what is known by then is in the tiles; None where the log is empty."""

    tiles: int
    through: datetime | None


class WrongTile(NamedTuple):
    """A key and a day whose tiles do not say what the log says, and in which column."""

    key: str
    value: str
    business_date: date
    column: str
    in_tiles: Any
    in_log: Any

    @property
    def text(self) -> str:
        """In a sentence."""
        return (
            f"{self.key} {self.value!r} on {self.business_date} has {self.column} {self.in_tiles} "
            f"in its tiles, and {self.in_log} in the log"
        )


def build_tiles(conn: Connection, stream: Stream) -> Built:
    """Fold what became known since the last build, up to the watermark of a settled stream.

    In the caller's transaction; another build of the stream waits for its end.
    """
    hold(conn, f"daybreak.tiles.{stream.name}")
    progress = read_progress(conn, stream.name)
    since, through = progress.tiled_through, progress.watermark
    if through is None or since == through:
        return Built(0, through)
    for month in _months(conn, stream, since, through):
        ensure_partition(conn, tile, month)
    made = 0
    for number, slot in enumerate(KEY_SLOTS[: len(stream.keys)], start=1):
        folded = _folded(stream, slot, since, through)
        columns = [column for column in folded.c if column.name not in IDENTITY]
        names = [*IDENTITY, "stream", "slot", "through", *(column.name for column in columns)]
        rows = select(
            folded.c.business_date,
            folded.c.key,
            literal(stream.name),
            literal(number, SmallInteger),
            literal(through, DateTime(timezone=True)),
            *columns,
        )
        statement = insert(tile).from_select(names, rows)
        made += conn.execute(statement.execution_options(preserve_rowcount=True)).rowcount
    conn.execute(
        update(streams).where(streams.c.stream == stream.name).values(tiled_through=through)
    )
    return Built(made, through)


def wrong_tiles(
    conn: Connection, stream: Stream, first_day: date, most: int = 10
) -> list[WrongTile]:
    """Tiles of days from ``first_day`` on that differ from the log, ``most`` of them."""
    through = read_progress(conn, stream.name).tiled_through
    found: list[WrongTile] = []
    if through is None:
        return found
    for key, slot in zip(stream.keys, KEY_SLOTS, strict=False):
        number = KEY_SLOTS.index(slot) + 1
        logged = _folded(stream, slot, None, through, first_day)
        merged = _merged(stream, number, through, first_day)
        names = [column.name for column in logged.c if column.name not in IDENTITY]
        differs = or_(*(logged.c[name].is_distinct_from(merged.c[name]) for name in names))
        both = and_(logged.c.key == merged.c.key, logged.c.business_date == merged.c.business_date)
        day = func.coalesce(logged.c.business_date, merged.c.business_date)
        value = func.coalesce(logged.c.key, merged.c.key)
        query = (
            select(day, value, *(logged.c[n] for n in names), *(merged.c[n] for n in names))
            .select_from(logged.join(merged, both, full=True))
            .where(differs)
            .order_by(day, value)
            .limit(most - len(found))
        )
        for row in conn.execute(query):
            in_log, in_tiles = row[2 : 2 + len(names)], row[2 + len(names) :]
            place = next(n for n in range(len(names)) if in_log[n] != in_tiles[n])
            found.append(
                WrongTile(key, row[1], row[0], names[place], in_tiles[place], in_log[place])
            )
        if len(found) == most:
            break
    return found


def _months(
    conn: Connection, stream: Stream, since: datetime | None, through: datetime
) -> list[date]:
    months: set[date] = set()
    for table in (event, label):
        month = cast(func.date_trunc("month", table.c.business_date), event.c.business_date.type)
        query = (
            select(month)
            .distinct()
            .where(
                *_known_between(stream, table, since, through), table.c.business_date.is_not(None)
            )
        )
        months.update(conn.scalars(query))
    return sorted(months)


def _folded(
    stream: Stream,
    slot: str,
    since: datetime | None,
    through: datetime,
    first_day: date | None = None,
) -> Subquery:
    """Entries of each key and day that became known after ``since``, folded."""
    others = [other for other in KEY_SLOTS[: len(stream.keys)] if other != slot]
    events = select(
        event.c.business_date,
        event.c[slot].label("key"),
        literal(1, BigInteger).label("events"),
        literal(0, BigInteger).label("frauds"),
        event.c.event_at,
        *(event.c[name] for name in AMOUNT_SLOTS),
        *(func.nullif(key_number(other), 0, type_=BigInteger).label(other) for other in others),
    ).where(*_known_between(stream, event, since, through), event.c[slot].is_not(None))
    changes = select(
        label.c.business_date,
        label.c[slot],
        literal(0, BigInteger),
        cast(cast(label.c.fraud, Integer) - cast(label.c.was_fraud, Integer), BigInteger),
        cast(null(), DateTime(timezone=True)),
        *(cast(null(), BigInteger) for _ in (*AMOUNT_SLOTS, *others)),
    ).where(
        *_known_between(stream, label, since, through),
        label.c[slot].is_not(None),
        label.c.fraud != label.c.was_fraud,
    )
    if first_day is not None:
        events = events.where(event.c.business_date >= first_day)
        changes = changes.where(label.c.business_date >= first_day)
    entry = union_all(events, changes).subquery()
    return (
        select(
            entry.c.business_date,
            entry.c.key,
            _total(entry.c.events).label("events"),
            _total(entry.c.frauds).label("frauds"),
            func.max(entry.c.event_at).label("last_at"),
            *(_total(entry.c[name]).label(_named(name, "sum")) for name in AMOUNT_SLOTS),
            *(func.max(entry.c[name]).label(_named(name, "most")) for name in AMOUNT_SLOTS),
            *(func.count(entry.c[name]).label(_named(name, "given")) for name in AMOUNT_SLOTS),
            *(_numbers(entry.c[other]).label(other.replace("key", "others")) for other in others),
        )
        .group_by(entry.c.business_date, entry.c.key)
        .subquery()
    )


def _merged(stream: Stream, slot: int, through: datetime, first_day: date) -> Subquery:
    """All tiles of each key and day as one."""
    c = tile.c
    others = [name.replace("key", "others") for name in KEY_SLOTS[: len(stream.keys)]]
    others.remove(f"others_{slot}")
    here = [
        c.stream == stream.name,
        c.slot == slot,
        c.business_date >= first_day,
        c.through <= through,
    ]

    def numbers(name: str) -> ColumnElement[Any]:
        inner = tile.alias()
        number = func.unnest(inner.c[name]).label("number")
        same = [
            inner.c[column] == c[column] for column in ("stream", "slot", "key", "business_date")
        ]
        listed = select(number).where(*same, inner.c.through <= through).correlate(tile).subquery()
        return select(_numbers(listed.c.number)).scalar_subquery()

    return (
        select(
            c.business_date,
            c.key,
            _total(c.events).label("events"),
            _total(c.frauds).label("frauds"),
            func.max(c.last_at).label("last_at"),
            *(
                (func.max(c[name]) if column == "most" else _total(c[name])).label(name)
                for column in ("sum", "most", "given")
                for name in (_named(slot_name, column) for slot_name in AMOUNT_SLOTS)
            ),
            *(numbers(name).label(name) for name in others),
        )
        .where(*here)
        .group_by(c.stream, c.slot, c.business_date, c.key)
        .subquery()
    )


def _known_between(
    stream: Stream, table: Any, since: datetime | None, through: datetime
) -> list[ColumnElement[bool]]:
    known = [table.c.stream == stream.name, table.c.loaded_at <= through]
    return known if since is None else [*known, table.c.loaded_at > since]


def _total(column: ColumnElement[Any]) -> ColumnElement[int]:
    """PostgreSQL sums bigint as numeric; back, with its error where it does not fit."""
    return cast(func.sum(column), BigInteger)


def _numbers(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Distinct ones in order; NULL where there are none."""
    listed = func.array_agg(distinct(column)).filter(column.is_not(None))
    return listed


def _named(slot: str, column: str) -> str:
    return slot.replace("amount", column)
