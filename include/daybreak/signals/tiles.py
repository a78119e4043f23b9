"""Tiles: what became known of a key and a day between two builds, folded to integers.

A build folds the entries since the one before, so an event that is late, or a label, makes one more
tile of its day. All tiles of a day together say what the log says of it, as counts and sums add up
and the most of two maxima is the most of all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    Select,
    SmallInteger,
    Subquery,
    and_,
    cast,
    column,
    delete,
    distinct,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    table,
    union_all,
    update,
)

from daybreak.errors import DaybreakError
from daybreak.signals.slots import key_number
from daybreak.signals.stream import Stream, read_progress
from daybreak.warehouse.locks import hold
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import AMOUNT_SLOTS, KEY_SLOTS, event, label, tile
from daybreak.warehouse.tables import stream as streams

IDENTITY = ("business_date", "key")
PASSES = 3
"""After so many of them tiles that are still wrong are not going to be right."""
_WRONG = "wrong_tiles"


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


def make_partitions(conn: Connection, stream: Stream, now: datetime, days: int = 8) -> None:
    """Partitions that the next build writes to, and those of the log for so many days from now on.

    In a transaction of its own, before anything says that they are to be read: a statement that was
    planned a moment before does not look into them.
    """
    progress = read_progress(conn, stream.name)
    if progress.watermark is not None:
        for month in _months(conn, stream, progress.tiled_through, progress.watermark):
            ensure_partition(conn, tile, month)
    today = now.astimezone(UTC).date()
    for day in (today + timedelta(days=number) for number in range(days)):
        for schema, entries in (("raw", "event"), ("ops", "decision")):
            conn.execute(select(func.ops.ensure_day(schema, entries, day)))


def build_tiles(conn: Connection, stream: Stream) -> Built:
    """Fold what became known since the last build, up to the watermark of a settled stream.

    In the caller's transaction; another build of the stream waits for its end.
    """
    _hold(conn, stream)
    progress = read_progress(conn, stream.name)
    since, through = progress.tiled_through, progress.watermark
    if through is None or since == through:
        return Built(0, through)
    for month in _months(conn, stream, since, through):
        ensure_partition(conn, tile, month)
    made = sum(
        _insert(conn, stream, slot, through, _folded(stream, slot, since, through))
        for slot in _slots(stream)
    )
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
    for key, slot in zip(stream.keys, _slots(stream), strict=True):
        sides = _Sides.of(stream, slot, through, first_day)
        names = sides.names
        both = [side.c[name] for side in (sides.logged, sides.merged) for name in names]
        query = sides.differing(*both).order_by(sides.day, sides.value).limit(most - len(found))
        for day, value, *columns in conn.execute(query):
            in_log, in_tiles = columns[: len(names)], list(map(_whole, columns[len(names) :]))
            place = next(n for n in range(len(names)) if in_log[n] != in_tiles[n])
            found.append(WrongTile(key, value, day, names[place], in_tiles[place], in_log[place]))
        if len(found) == most:
            break
    return found


def mend_tiles(conn: Connection, stream: Stream, first_day: date) -> int:
    """Make tiles of days from ``first_day`` on anew where they differ from the log; of how many
    days of a key.

    Each of these has one tile then, of all that is known by ``tiled_through``, or none where the
    log has nothing of it. In the caller's transaction; a build of the stream waits for its end.

    Raises ``DaybreakError`` where tiles are wrong however often they are made.
    """
    _hold(conn, stream)
    through = read_progress(conn, stream.name).tiled_through
    if through is None:
        return 0
    mended = 0
    for _ in range(PASSES):
        found = sum(_mend(conn, stream, slot, through, first_day) for slot in _slots(stream))
        if not found:
            return mended
        mended += found
    raise DaybreakError(
        f"Tiles of {stream.name} differ from the log again as soon as they are made.",
        remedy="Nothing was changed. See that the database itself is whole: "
        "`REINDEX TABLE feature.tile`, then mend again.",
        stream=stream.name,
    )


def _mend(conn: Connection, stream: Stream, slot: str, through: datetime, first_day: date) -> int:
    """What ``mend_tiles`` does, of one kind of key."""
    sides = _Sides.of(stream, slot, through, first_day)
    # Kept in a table: the log is folded once, and a tile has to be gone before its place is taken.
    compiled = sides.differing(*(sides.logged.c[name] for name in sides.names)).compile(
        dialect=conn.dialect
    )
    statement = f"CREATE TEMPORARY TABLE {_WRONG} ON COMMIT DROP AS {compiled}"
    conn.exec_driver_sql(statement, compiled.params)
    conn.exec_driver_sql(f"ANALYZE {_WRONG}")
    wrong = table(_WRONG, *(column(name, tile.c[name].type) for name in (*IDENTITY, *sides.names)))
    found = conn.scalar(select(func.count()).select_from(wrong)) or 0
    if found:
        logged = select(wrong).where(wrong.c.events.is_not(None)).subquery()
        for month in conn.scalars(select(_month(logged.c.business_date)).distinct()).all():
            ensure_partition(conn, tile, month)
        same = [tile.c[name] == wrong.c[name] for name in IDENTITY]
        of_slot = [tile.c.stream == stream.name, tile.c.slot == _number(slot)]
        conn.execute(delete(tile).where(*of_slot, *same))
        _insert(conn, stream, slot, through, logged)
    conn.exec_driver_sql(f"DROP TABLE {_WRONG}")
    return found


class _Sides(NamedTuple):
    """What the log says of each key and day, and what its tiles say."""

    logged: Subquery
    merged: Subquery

    @classmethod
    def of(cls, stream: Stream, slot: str, through: datetime, first_day: date) -> _Sides:
        """Both of one kind of key, of days from ``first_day`` on."""
        return cls(
            _folded(stream, slot, None, through, first_day),
            _merged(stream, _number(slot), through, first_day),
        )

    @property
    def names(self) -> list[str]:
        """Of the columns that are compared."""
        return [name for name in self.logged.c.keys() if name not in IDENTITY]  # noqa: SIM118

    @property
    def day(self) -> ColumnElement[Any]:
        return func.coalesce(self.logged.c.business_date, self.merged.c.business_date)

    @property
    def value(self) -> ColumnElement[Any]:
        return func.coalesce(self.logged.c.key, self.merged.c.key)

    def differing(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """The day, the key, and these, where the two differ."""
        logged, merged = self.logged.c, self.merged.c
        both = and_(*(logged[name] == merged[name] for name in IDENTITY))
        differs = or_(*(logged[name].is_distinct_from(merged[name]) for name in self.names))
        identity = [self.day.label("business_date"), self.value.label("key")]
        joined = self.logged.join(self.merged, both, full=True)
        return select(*identity, *columns).select_from(joined).where(differs)


def _insert(
    conn: Connection, stream: Stream, slot: str, through: datetime, folded: FromClause
) -> int:
    """Write tiles; how many."""
    columns = [one for one in folded.c if one.name not in IDENTITY]
    names = [*IDENTITY, "stream", "slot", "through", *(one.name for one in columns)]
    rows = select(
        *(folded.c[name] for name in IDENTITY),
        literal(stream.name),
        literal(_number(slot), SmallInteger),
        literal(through, DateTime(timezone=True)),
        *columns,
    )
    statement = insert(tile).from_select(names, rows)
    return conn.execute(statement.execution_options(preserve_rowcount=True)).rowcount


def _hold(conn: Connection, stream: Stream) -> None:
    """Keep others from writing tiles of the stream until the transaction ends."""
    hold(conn, f"daybreak.tiles.{stream.name}")


def _slots(stream: Stream) -> tuple[str, ...]:
    return KEY_SLOTS[: len(stream.keys)]


def _number(slot: str) -> int:
    return KEY_SLOTS.index(slot) + 1


def _month(day: ColumnElement[Any]) -> ColumnElement[date]:
    return cast(func.date_trunc("month", day), event.c.business_date.type)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def _months(
    conn: Connection, stream: Stream, since: datetime | None, through: datetime
) -> list[date]:
    months: set[date] = set()
    for entries in (event, label):
        dated = entries.c.business_date.is_not(None)
        query = (
            select(_month(entries.c.business_date))
            .distinct()
            .where(*_known_between(stream, entries, since, through), dated)
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
    """All tiles of each key and day as one.

    Sums are numeric: those of wrong tiles may be larger than any that the log can have.
    """
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
        same = [inner.c[one] == c[one] for one in ("stream", "slot", "key", "business_date")]
        listed = select(number).where(*same, inner.c.through <= through).correlate(tile).subquery()
        return select(_numbers(listed.c.number)).scalar_subquery()

    return (
        select(
            c.business_date,
            c.key,
            func.sum(c.events).label("events"),
            func.sum(c.frauds).label("frauds"),
            func.max(c.last_at).label("last_at"),
            *(
                (func.max if what == "most" else func.sum)(c[name]).label(name)
                for what in ("sum", "most", "given")
                for name in (_named(slot_name, what) for slot_name in AMOUNT_SLOTS)
            ),
            *(numbers(name).label(name) for name in others),
        )
        .where(*here)
        .group_by(c.stream, c.slot, c.business_date, c.key)
        .subquery()
    )


def _known_between(
    stream: Stream, entries: Any, since: datetime | None, through: datetime
) -> list[ColumnElement[bool]]:
    known = [entries.c.stream == stream.name, entries.c.loaded_at <= through]
    return known if since is None else [*known, entries.c.loaded_at > since]


def _total(values: ColumnElement[Any]) -> ColumnElement[int]:
    """PostgreSQL sums bigint as numeric; back, with its error where it does not fit."""
    return cast(func.sum(values), BigInteger)


def _numbers(values: ColumnElement[Any]) -> ColumnElement[Any]:
    """Distinct ones in order; NULL where there are none."""
    listed = func.array_agg(distinct(values)).filter(values.is_not(None))
    return listed


def _named(slot: str, what: str) -> str:
    return slot.replace("amount", what)
