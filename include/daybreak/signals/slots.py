"""Expressions over the columns of the log, and numbers that stand for what is not there."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal
from sqlalchemy.dialects.postgresql import BIT

from daybreak.warehouse.packed import Field
from daybreak.warehouse.tables import event

ABSENT = -1
"""Of an amount; others are 0 or more."""
NO_KEY = 0
"""Of the number of a key."""
NOT_IN_LOG = 2**63 - 1
"""The sequence of a moment whose event is not in the log: it is after all that happened then."""
MICROSECONDS = 1_000_000
"""Of a second, the denominator of a time."""


def key_number(slot: str) -> ColumnElement[int]:
    """A number of 64 bits for a key that is only compared, ``NO_KEY`` where there is none.

    The first bits of its MD5, which every version of PostgreSQL gives alike. Two in 10^9 keys of
    one window are taken for one key once in 37 windows.
    """
    digest = literal("x").op("||")(func.left(func.md5(event.c[slot]), 16))
    number = cast(cast(digest, BIT(64)), BigInteger)
    return func.coalesce(number, NO_KEY, type_=BigInteger)


def amount_field(slot: str) -> Field:
    """An amount in the smallest unit, ``ABSENT`` where there is none."""
    return Field(func.coalesce(event.c[slot], ABSENT, type_=BigInteger), "i8")
