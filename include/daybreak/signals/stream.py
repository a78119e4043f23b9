"""What a stream is made of, and how far its log has come: a row of ``ops.stream``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from daybreak.errors import DatasetError, NotFound
from daybreak.warehouse.tables import AMOUNT_SLOTS, KEY_SLOTS
from daybreak.warehouse.tables import stream as streams

MOST_UNITS = 2**53
"""Of an amount, in its smallest unit: float64 counts every one up to here."""
OFF, OFF_OF_ALL = 1e-6, 2.0**-50
"""So much, and such a part of it, may float64 itself be off by: 12.30 is 12.300000000000001."""

AttributeKind = Literal["text", "number", "flag"]


@dataclass(frozen=True)
class Stream:
    """``keys``, ``amounts``: their names, in the order of the columns that they go to.

    ``decimals``: that amounts have at most; the log counts in units of the last one.
    ``attributes``: name to kind. ``timezone``: in which its days begin.
    """

    name: str
    keys: tuple[str, ...]
    amounts: tuple[str, ...]
    decimals: int
    attributes: Mapping[str, AttributeKind]
    timezone: str

    @property
    def scale(self) -> int:
        """How many of the smallest units make one of an amount."""
        return int(10**self.decimals)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Of ``timezone``."""
        return ZoneInfo(self.timezone)

    def key_slot(self, key: str) -> str:
        """The column of a key."""
        return KEY_SLOTS[self.keys.index(key)]

    def amount_slot(self, amount: str) -> str:
        """The column of an amount."""
        return AMOUNT_SLOTS[self.amounts.index(amount)]

    def day_of(self, moment: datetime) -> date:
        """The day of the stream that a moment belongs to."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True)
class Progress:
    """How far a log has come, seen at one moment.

    ``watermark``: all of the log that is known by then can be read, and nothing will be added to
    it once the stream is ``live``. ``tiled_through``: what is known by then is in the tiles.
    """

    watermark: datetime | None
    tiled_through: datetime | None
    live: bool


def read_stream(conn: Connection, name: str) -> Stream:
    """The stream of that name. Raises ``NotFound``, naming those that there are."""
    row = conn.execute(select(streams).where(streams.c.stream == name)).one_or_none()
    if row is None:
        known = list(conn.scalars(select(streams.c.stream).order_by(streams.c.stream)))
        listed = f"The streams are: {', '.join(known)}." if known else "This data set has none."
        raise NotFound(
            f"There is no stream {name!r}.",
            remedy=f"{listed} `streams` in the data set's file declares them; "
            "`daybreak data load` takes that in.",
            field="stream",
            streams=known,
        )
    return Stream(
        row.stream,
        tuple(row.keys),
        tuple(row.amounts),
        row.decimals,
        dict(row.attributes),
        row.timezone,
    )


def read_streams(conn: Connection) -> list[Stream]:
    """All streams, by name."""
    names = conn.scalars(select(streams.c.stream).order_by(streams.c.stream)).all()
    return [read_stream(conn, name) for name in names]


def read_progress(conn: Connection, name: str) -> Progress:
    """How far the log of a stream has come, which exists."""
    c = streams.c
    row = conn.execute(select(c.watermark, c.tiled_through, c.live).where(c.stream == name)).one()
    return Progress(row.watermark, row.tiled_through, row.live)


def is_live(conn: Connection, name: str) -> bool:
    """Whether somebody relies on the log of a stream; False where it is not declared yet."""
    return bool(conn.scalar(select(streams.c.live).where(streams.c.stream == name)))


def declare(conn: Connection, stream: Stream, now: datetime) -> Stream:
    """Take a stream in as its data set's file has it; what it has by now.

    Names that are new get the next column, and those that are gone keep theirs. Raises
    ``DatasetError`` where there are too many, or something else than names was changed.
    """
    statement = insert(streams).values(
        stream=stream.name,
        keys=list(stream.keys),
        amounts=list(stream.amounts),
        decimals=stream.decimals,
        attributes=dict(stream.attributes),
        timezone=stream.timezone,
        sequence=0,
        live=False,
        declared_at=now,
    )
    conn.execute(statement.on_conflict_do_nothing())
    conn.execute(select(streams.c.stream).where(streams.c.stream == stream.name).with_for_update())
    held = read_stream(conn, stream.name)
    _expect_same(held, stream)
    found = Stream(
        held.name,
        _joined("keys", held.keys, stream.keys, len(KEY_SLOTS)),
        _joined("amounts", held.amounts, stream.amounts, len(AMOUNT_SLOTS)),
        held.decimals,
        {**held.attributes, **stream.attributes},
        held.timezone,
    )
    if found != held:
        conn.execute(
            update(streams)
            .where(streams.c.stream == stream.name)
            .values(
                keys=list(found.keys),
                amounts=list(found.amounts),
                attributes=dict(found.attributes),
            )
        )
    return found


def _expect_same(held: Stream, given: Stream) -> None:
    changed = [
        name for name in ("decimals", "timezone") if getattr(held, name) != getattr(given, name)
    ]
    changed += [
        f"attributes.{name}"
        for name, kind in given.attributes.items()
        if held.attributes.get(name, kind) != kind
    ]
    if changed:
        raise DatasetError(
            f"The stream {held.name!r} was declared with other {', '.join(changed)}, and holds "
            "events by it.",
            remedy="Set it back, or give the stream another name.",
            field=changed[0],
            stream=held.name,
        )


def _joined(what: str, held: Sequence[str], given: Sequence[str], most: int) -> tuple[str, ...]:
    names = (*held, *(name for name in given if name not in held))
    if len(names) > most:
        raise DatasetError(
            f"A stream has {most} {what} at most, with those that it had before; here are "
            f"{', '.join(names)}.",
            remedy=f"Leave out some of the {what}, or make them attributes.",
            field=what,
        )
    return names
