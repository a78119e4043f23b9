"""Who bought from their list on the day after, worked by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from daybreak.clock import AsOf
from daybreak.models.recommendations.quality import quality
from daybreak.warehouse.engine import begin
from recommendation_lists import CUTOFF, DAY, MONDAY, buy, publish

TUESDAY = AsOf(MONDAY + DAY, CUTOFF + DAY)


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as connection:
        yield connection


def test_of_forty_buyers_thirty_had_a_list_and_twelve_bought_from_it(conn: Connection) -> None:
    users = [f"u{n}" for n in range(40)]
    publish(conn, {"": ["z"], **{user: ["y", "x"] for user in users}}, MONDAY - DAY)  # older lists
    publish(conn, {"": ["z"], **{user: ["a", "b"] for user in users[:30]}})
    for place, user in enumerate(users):
        buy(conn, user, "b" if place < 12 else "c", 1)
        buy(conn, user, "a", 0)  # on the day of the lists: they know it
        buy(conn, user, "a", 1, weight=0.1)  # looked at
        buy(conn, user, "a", 1, loaded_at=TUESDAY.cutoff + DAY)  # not known yet
    buy(conn, users[0], "a", 1)  # a second one of the same buyer
    buy(conn, "", "z", 1)  # the default list belongs to no user
    found = quality(conn, TUESDAY)
    assert {name: (one.value, one.rows) for name, one in found.items()} == {
        "listed": (30 / 40, 40),
        "hit_rate": (12 / 30, 30),
    }


def test_of_few_buyers_nothing_is_said(conn: Connection) -> None:
    assert quality(conn, TUESDAY) == {}
    publish(conn, {"": ["z"], "u": ["a"]})
    buy(conn, "u", "a", 1)
    assert quality(conn, TUESDAY) == {}
