"""Views of recommendations on a small warehouse whose numbers are worked by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log2
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, text

from daybreak.ledger import generations as g
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from recommendation_lists import CUTOFF, DAY, MODEL, MONDAY, buy, publish


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as connection:
        yield connection


def close(conn: Connection, *days: int) -> None:
    for n in days:
        conn.execute(
            insert(tables.day_closed).values(
                business_date=MONDAY + n * DAY, closed_at=CUTOFF, load_id=1
            )
        )


def rows(conn: Connection, view: str, order: str) -> list[dict[str, Any]]:
    found = conn.execute(text(f"SELECT * FROM report.{view} ORDER BY {order}"))
    return [dict(row) for row in found.mappings()]


def hits(conn: Connection) -> list[dict[str, Any]]:
    return rows(conn, "recommendation_hits", "business_date")


# --- the lists -------------------------------------------------------------------------------


def test_the_lists_in_force_are_the_newest_published_ones_and_vintages_are_all(
    conn: Connection,
) -> None:
    first = publish(conn, {"u": ["a"]}, MONDAY - DAY)
    publish(conn, {"u": ["a"]}, version="v0")
    new = publish(conn, {"u": [("a", "together", "b")]})
    for load_id, (item, name, known) in enumerate(
        [("a", "old", 1), ("a", "Tea", 3), ("a", "older", 2), ("b", "Cup", 1)]
    ):
        loaded_at = datetime(2026, 3, known, tzinfo=UTC)
        values = {"item_id": item, "name": name, "category": f"of {name}"}
        conn.execute(insert(tables.item).values(load_id=load_id, loaded_at=loaded_at, **values))

    assert rows(conn, "recommendation", "rank") == [
        {
            "business_date": MONDAY, "user_id": "u", "is_default": False, "rank": 1,
            "item_id": "a", "item_name": "Tea", "category": "of Tea", "score": -1.0,
            "reason": "together", "because": "b", "because_name": "Cup",
            "reason_text": "bought together with Cup", "version": "v1",
            "generation_id": new, "cutoff": CUTOFF, "published_at": CUTOFF, "gate": "not_judged",
        }
    ]  # fmt: skip
    vintages = rows(conn, "recommendation_vintages", "business_date")
    assert [row["generation_id"] for row in vintages] == [first, new]


def test_reasons_are_readable_and_the_default_list_is_told_apart(conn: Connection) -> None:
    conn.execute(insert(tables.item).values(item_id="b", name="Cup", load_id=1, loaded_at=CUTOFF))
    reasons = [
        ("a", "again", ""),
        ("b", "together", "nameless"),
        ("c", "similar", "b"),
        ("d", "trending", ""),
        ("e", "popular", ""),
        ("f", "similar", ""),
    ]
    publish(conn, {"": ["a"], "u": reasons})

    found = rows(conn, "recommendation", "user_id, rank")
    assert [row["is_default"] for row in found] == [True] + [False] * 6
    assert [(row["reason_text"], row["because_name"], row["item_name"]) for row in found[1:]] == [
        ("again", None, None),
        ("bought together with nameless", None, "Cup"),
        ("similar to Cup", "Cup", None),
        ("trending", None, None),
        ("popular", None, None),
        ("similar", None, None),
    ]


# --- hits, by hand ---------------------------------------------------------------------------


def test_hits_worked_by_hand(conn: Connection) -> None:
    """Lists of Monday; Tuesday and Wednesday are closed.

    ====  =======  ==============================  ========  ==================  =============
    user  list     bought on the closed days       met       gain / ideal        recall
    ====  =======  ==============================  ========  ==================  =============
    u1    a b c    b, b, x                         b at 2    1/log2 3 / (1 +     1 / 2
                                                             1/log2 3)
    u2    d a      z (d was only looked at)        none      0 / 1               0 / 1
    u3    a        nothing: does not count         -         -                   -
    u4    -        a, but has no list of its own   -         -                   -
    ====  =======  ==============================  ========  ==================  =============

    Sold in the 28 days up to Monday: x to three buyers, a to two, z to one. So popularity meets
    x (first, of u1) and z (third, of u2).
    """
    generation = publish(
        conn, {"": ["p", "q"], "u1": ["a", "b", "c"], "u2": ["d", "a"], "u3": ["a"]}
    )
    buy(conn, "u1", "b", 1)
    buy(conn, "u1", "b", 2)
    buy(conn, "u1", "x", 1)
    buy(conn, "u1", "c", 3)  # Thursday is not closed yet
    buy(conn, "u2", "z", 2)
    buy(conn, "u2", "d", 2, weight=0.99)
    buy(conn, "u4", "a", 1)
    buy(conn, None, "a", 1)
    buy(conn, "", "p", 1)  # the default list belongs to no user

    buy(conn, "u1", "x", 0)
    buy(conn, "u2", "x", -1)
    buy(conn, None, "x", -27, basket_id="k")
    buy(conn, "u1", "a", 0)
    buy(conn, "u1", "a", 0)  # the same buyer
    buy(conn, None, "a", -3, basket_id="k")
    buy(conn, None, "a", -3, basket_id="k")  # the same basket
    buy(conn, "u1", "z", -5)
    buy(conn, "u1", "z", -5, weight=0.5)
    buy(conn, "u1", "too old", -28)
    buy(conn, "u1", "not known then", 0, loaded_at=CUTOFF + timedelta(microseconds=1))
    buy(conn, "u1", "looked at", 0, weight=0.1)
    close(conn, *range(-28, 3))

    second = 1 / log2(3)
    (row,) = hits(conn)
    assert row == {
        "business_date": MONDAY,
        "version": "v1",
        "generation_id": generation,
        "days_closed": 2,
        "users": 2,
        "purchases": 3,
        "purchases_met": 1,
        "hit_rate": pytest.approx(1 / 2),
        "ndcg_10": pytest.approx((second / (1 + second) + 0) / 2),
        "recall_20": pytest.approx((1 / 2 + 0) / 2),
        "coverage": pytest.approx(1 / 3),
        "popular_purchases_met": 2,
        "popular_hit_rate": pytest.approx(1),
        "popular_ndcg_10": pytest.approx((1 / (1 + second) + 1 / log2(4)) / 2),
        "popular_recall_20": pytest.approx((1 / 2 + 1) / 2),
        "popular_coverage": pytest.approx(1),
        "gate": "not_judged",
    }


def test_places_past_10_and_20_count_where_they_should(conn: Connection) -> None:
    """Twelve bought: those at the places 10, 11 and 21 of the list, and nine others."""
    publish(conn, {"u": [f"i{n:02d}" for n in range(1, 23)]})
    for item in ["i10", "i11", "i21", *(f"other {n}" for n in range(9))]:
        buy(conn, "u", item, 1)
    close(conn, 1)

    (row,) = hits(conn)
    best = sum(1 / log2(place + 1) for place in range(1, 11))
    assert row["ndcg_10"] == pytest.approx(1 / log2(11) / best)
    assert row["recall_20"] == pytest.approx(2 / 12)
    assert (row["purchases"], row["purchases_met"], row["hit_rate"]) == (12, 3, 1.0)
    assert row["coverage"] is None  # nothing was sold before
    assert (row["popular_ndcg_10"], row["popular_coverage"]) == (0.0, None)


def test_popularity_is_a_list_of_twenty_and_equals_go_by_name(conn: Connection) -> None:
    publish(conn, {"u": ["a"]})
    names = [*(f"i{n:02d}" for n in range(24)), "B"]
    for name in names:
        buy(conn, "v", name, 0)
    buy(conn, "u", "i18", 1)  # after B, in bytewise order, the twentieth
    buy(conn, "u", "i19", 1)
    close(conn, 1)

    (row,) = hits(conn)
    assert row["popular_coverage"] == pytest.approx(20 / 25)
    assert row["popular_purchases_met"] == 1
    assert row["popular_recall_20"] == pytest.approx(1 / 2)
    assert row["popular_ndcg_10"] == 0.0


def test_the_window_is_seven_days_and_only_closed_ones_count(conn: Connection) -> None:
    publish(conn, {"u": ["a", "b", "c", "d"]})
    for item, days in {"a": 0, "b": 1, "c": 7, "d": 8}.items():
        buy(conn, "u", item, days)
    close(conn, 0, 8)
    assert hits(conn) == []
    close(conn, 2)
    (row,) = hits(conn)
    assert (row["days_closed"], row["users"], row["purchases"]) == (1, 0, 0)
    assert row["hit_rate"] is row["ndcg_10"] is row["recall_20"] is None
    close(conn, 7)
    (row,) = hits(conn)
    assert (row["days_closed"], row["purchases_met"]) == (2, 1)
    close(conn, 1)
    (row,) = hits(conn)
    assert (row["days_closed"], row["purchases_met"]) == (3, 2)


def test_each_vintage_is_judged_by_its_own_version(conn: Connection) -> None:
    publish(conn, {"u": ["a"]}, version="bad")
    publish(conn, {"u": ["b"]}, version="good")
    publish(conn, {"u": ["c"]}, MONDAY + DAY, "next")
    buy(conn, "u", "b", 2)
    buy(conn, "u", "c", 2)
    close(conn, 2)
    assert [(row["version"], row["recall_20"]) for row in hits(conn)] == [
        ("good", 0.5),
        ("next", 0.5),
    ]
    g.rollback(conn, MODEL, MONDAY, CUTOFF + 3 * DAY)
    assert [(row["version"], row["recall_20"]) for row in hits(conn)] == [
        ("bad", 0.0),
        ("next", 0.5),
    ]


def test_another_model_is_none_of_these(conn: Connection) -> None:
    publish(conn, {"u": ["a"]})
    close(conn, 1)
    conn.execute(text("UPDATE ops.published SET model = 'other'"))
    for view in ("recommendation", "recommendation_vintages", "recommendation_hits"):
        assert conn.execute(text(f"SELECT * FROM report.{view}")).all() == []


# --- hits, against an independent reckoning --------------------------------------------------


@dataclass(frozen=True)
class Purchase:
    """``days`` after Monday; known at the end of its day, and ``late`` days after that."""

    user: str | None
    basket: str | None
    item: str
    days: int
    late: int
    weight: float


def drawn(seed: int) -> tuple[dict[int, dict[str, list[str]]], list[Purchase], set[int]]:
    """Lists by their business date, in days after Monday, purchases, and which days are closed."""
    rng = random.Random(seed)
    items = [f"i{n:02d}" for n in range(40)] + ["B", "ü"]
    users = [f"u{n}" for n in range(12)]
    lists = {
        day: {
            user: rng.sample(items, rng.randint(1, 25))
            for user in ["", *users]
            if user == "" or rng.random() < 0.8
        }
        for day in (0, 1, 4)
    }
    bought = [
        Purchase(
            rng.choice([*users, *users, None, ""]), rng.choice([None, "k1", "k2"]),
            rng.choice(items), rng.randint(-30, 12), rng.choice([0, 0, 0, 3]),
            rng.choice([1.0, 1.0, 2.0, 0.5]),
        )
        for _ in range(600)
    ]  # fmt: skip
    closed = {day for day in range(-30, 10) if rng.random() < 0.8}
    return lists, bought, closed


def reckoned(
    day: int, lists: dict[str, list[str]], bought: list[Purchase], closed: set[int]
) -> dict[str, Any]:
    """The figures of one business date, in plain Python."""
    buyers: dict[str, set[tuple[Any, ...]]] = {}
    for one in bought:
        if day - 28 < one.days <= day and one.days + one.late <= day and one.weight >= 1:
            who = (one.user,) if one.user else ("", one.basket or one.days)
            buyers.setdefault(one.item, set()).add((one.days, *who))
    popular = sorted(buyers, key=lambda item: (-len(buyers[item]), item.encode()))
    wanted: dict[str, set[str]] = {}
    for one in bought:
        if day < one.days <= day + 7 and one.days in closed and one.weight >= 1 and one.user:
            wanted.setdefault(one.user, set()).add(one.item)
    wanted = {user: items for user, items in wanted.items() if user in lists}

    def judged(list_of: Callable[[str], list[str]], prefix: str) -> dict[str, Any]:
        met, first_20, gains = [], [], []
        for user, items in wanted.items():
            offered = list_of(user)
            met.append(len(items & set(offered)))
            first_20.append(len(items & set(offered[:20])) / len(items))
            gain = sum(1 / log2(n + 2) for n, item in enumerate(offered[:10]) if item in items)
            gains.append(gain / sum(1 / log2(n + 2) for n in range(min(len(items), 10))))
        users = len(wanted)
        return {
            f"{prefix}purchases_met": sum(met),
            f"{prefix}hit_rate": sum(n > 0 for n in met) / users,
            f"{prefix}recall_20": sum(first_20) / users,
            f"{prefix}ndcg_10": sum(gains) / users,
        }

    shown = {item for offered in lists.values() for item in offered}
    return {
        "users": len(wanted),
        "purchases": sum(map(len, wanted.values())),
        "coverage": sum(item in shown for item in popular) / len(popular),
        "popular_coverage": len(popular[:20]) / len(popular),
        **judged(lambda user: lists[user], ""),
        **judged(lambda user: popular[:20], "popular_"),
    }


@pytest.mark.parametrize("seed", range(4))
def test_hits_agree_with_plain_python(conn: Connection, seed: int) -> None:
    """Late purchases, baskets without users, days that are not closed, and a roll back."""
    lists, bought, closed = drawn(seed)
    for day, offered in lists.items():
        publish(conn, offered, MONDAY + day * DAY)
    publish(conn, {"u1": ["i01"]}, MONDAY, version="wrong")
    g.rollback(conn, MODEL, MONDAY, CUTOFF + DAY)
    for one in bought:
        known = CUTOFF + (one.days + one.late) * DAY - timedelta(hours=1)
        buy(conn, one.user, one.item, one.days, basket_id=one.basket, weight=one.weight,
            loaded_at=known)  # fmt: skip
    close(conn, *closed)
    found = {(row["business_date"] - MONDAY).days: row for row in hits(conn)}
    assert set(found) == set(lists)
    for day, offered in lists.items():
        expected = reckoned(day, offered, bought, closed)
        assert expected["users"] > 5
        assert {name: found[day][name] for name in expected} == pytest.approx(expected)
