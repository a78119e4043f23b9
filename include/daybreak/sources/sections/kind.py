"""A kind of section: one entry defines it; ``table.py`` lists them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Table

from daybreak.sources.arrow import Array, Mask
from daybreak.sources.contract.canonical import CanonicalColumn
from daybreak.sources.contract.section import Facts, Section
from daybreak.sources.merging.shared import Merge, Merged

S = TypeVar("S", bound=Section)
Check: TypeAlias = tuple[Mask, str]
"""Which values, bool (n,), are bad, and why, as a message goes on after the column's name."""


def _no_key(_section: Section, _columns: Collection[str]) -> tuple[str, ...]:
    return ()


def _no_check(_section: Section, _column: CanonicalColumn, _values: Array) -> Sequence[Check]:
    return ()


def _nothing_to_declare(_conn: Connection, _section: Section, _declared: Declared) -> None:
    """Does nothing."""


def _nothing_follows(
    _conn: Connection, _section: Section, _declared: Declared, _last_closed: date
) -> None:
    """Does nothing."""


def _all_dates(_section: Section, _through: date) -> date | None:
    return None


def _one_of_its_kind(_section: Section) -> str:
    return ""


def _nothing_to_say(_section: Section) -> str:
    return ""


def _by_files_only(_conn: Connection, _section: Section) -> None:
    """Nothing else brings rows."""


class Declared(NamedTuple):
    """When, and in which time zone, a section is declared."""

    now: datetime
    timezone: str


class Live(Protocol):
    """Rows of a section that come by themselves, without a file."""

    @property
    def address(self) -> str:
        """Where they come to."""

    def first_day(self, conn: Connection) -> date | None:
        """The earliest day of all rows there are; None where there is none."""

    def seal(self, conn: Connection, moment: datetime) -> None:
        """See to it that whatever comes from now on is known after ``moment``, which has passed."""


@dataclass(frozen=True)
class SectionKind(Generic[S]):
    """A kind of section: its form in the YAML file, and how its rows get into the warehouse.

    ``model``: the section as it stands in the file, with ``kind`` (its name) and ``own_columns``.
    A subclass of ``Facts`` is about what has happened, which closes days.
    ``table``: where its rows go.
    ``merge(merge, section, staged)``: appends what is new of the staged rows of one file.
    ``date_column``: the canonical column, required, that dates a row; None for master data.
    ``unique(section, columns)``: which of the staged columns are a key that stands once in a file.
    ``checks(section, column, values)``: what a value must keep beyond its type and the rules that
    ``CanonicalColumn`` states; ``values`` is an Arrow array with nulls.
    ``last_date(section, through)``: the last date to stage where facts are loaded up to
    ``through``; None: all.
    ``by_period``: whether a row stands for a whole period of the calendar; ``date_column`` then
    becomes the last day of it.
    ``observed``: whether its rows have happened though they close no days, so that none is in the
    future.
    ``several``: whether the file may have a list of them.
    ``part(section)``: which of several it is; sections that give the same are about the same rows.
    ``declare(conn, section, declared)``: takes in what it says of itself, at each load and before
    any file.
    ``in_short(section)``: what a check shows of it beside its files; "": nothing.
    ``follow(conn, section, declared, last_closed)``: what follows from a load whose days are
    closed, in a transaction of its own.
    ``live(conn, section)``: how its rows come by themselves; None while they come by files only.
    """

    model: type[S]
    table: Table
    merge: Callable[[Merge, S, Table], Merged]
    date_column: str | None = None
    unique: Callable[[S, Collection[str]], tuple[str, ...]] = _no_key
    checks: Callable[[S, CanonicalColumn, Array], Sequence[Check]] = _no_check
    last_date: Callable[[S, date], date | None] = _all_dates
    by_period: bool = False
    observed: bool = False
    several: bool = False
    part: Callable[[S], str] = _one_of_its_kind
    declare: Callable[[Connection, S, Declared], None] = _nothing_to_declare
    follow: Callable[[Connection, S, Declared, date], None] = _nothing_follows
    in_short: Callable[[S], str] = _nothing_to_say
    live: Callable[[Connection, S], Live | None] = _by_files_only

    @property
    def name(self) -> str:
        """The section's name in the file, in messages and in ``ops.load.source``."""
        return self.model.kind

    @property
    def is_fact(self) -> bool:
        """Whether its rows have happened: none is in the future, and they may close days."""
        return issubclass(self.model, Facts)

    @property
    def has_happened(self) -> bool:
        """Whether a row in the future is a bad one."""
        return self.is_fact or self.observed


def days_after(day: date, ahead: timedelta) -> date:
    """``day`` and ``ahead``, in whole days and rather one more."""
    return day + timedelta(days=ceil(ahead.total_seconds() / 86_400))
