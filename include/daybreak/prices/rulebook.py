"""Which rules were in force when: ``ops.price_rules``, append-only.

The load of a data set takes its rules in where they changed. The first ones count as known from
the beginning, so that a history that is loaded at once can be priced; every later change is known
from the moment of its load.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.prices.money import decimals
from daybreak.prices.rules import Rules
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import price_rules

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Book(NamedTuple):
    """Rules, and the time zone of the business dates that they are about."""

    rules: Rules
    timezone: str


def declare_rules(conn: Connection, rules: Rules, now: datetime, timezone: str = "UTC") -> bool:
    """Take the rules in as known from ``now`` (aware) on; whether they changed.

    A clock that was put back makes them known just after those before, which they replace.
    """
    hold(conn, "daybreak.price_rules")
    newest = conn.execute(
        select(price_rules.c.sha256, price_rules.c.timezone, price_rules.c.known_from)
        .order_by(price_rules.c.known_from.desc())
        .limit(1)
    ).first()
    if newest is not None and (newest.sha256, newest.timezone) == (rules.sha256, timezone):
        return False
    known_from = ALWAYS if newest is None else max(now, newest.known_from + _MICROSECOND)
    conn.execute(
        insert(price_rules).values(
            sha256=rules.sha256,
            rules=json.loads(rules.to_json()),
            decimals=decimals(rules.currency),
            timezone=timezone,
            known_from=known_from,
        )
    )
    return True


def read_rules(conn: Connection, as_of: AsOf) -> Rules:
    """The rules that were in force at ``as_of.cutoff``. Raises ``NoData`` where there are none."""
    return read_book(conn, as_of.cutoff).rules


def read_book(conn: Connection, cutoff: datetime) -> Book:
    """What was in force at a moment (aware). Raises ``NoData`` where there was nothing."""
    found = conn.execute(
        select(price_rules.c.rules, price_rules.c.timezone)
        .where(price_rules.c.known_from <= cutoff)
        .order_by(price_rules.c.known_from.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NoData(
            f"No rules of prices were known at {cutoff.isoformat()}.",
            remedy="Add a section `pricing` to the data set's file (docs/data-contract.md) and "
            "load it.",
            field="pricing",
            cutoff=cutoff.isoformat(),
        )
    return Book(Rules.from_json(json.dumps(found.rules)), found.timezone)
