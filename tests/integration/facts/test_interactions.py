"""Interactions to columns: both clocks, order, batches, sums; against plain SQL and pandas."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, func, insert, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts import interactions
from daybreak.facts.events import UNKNOWN_USER, Events
from daybreak.facts.interaction_rows import DAYS_PER_GROUP, PURCHASES, by_item_and_span
from daybreak.facts.interactions import item_totals, read_events, stream_events
from daybreak.facts.rows import Bounds
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.packed import read_groups
from daybreak.warehouse.tables import interaction, item

DAY = date(2026, 3, 10)
CUTOFF = datetime(2026, 3, 11, 2, tzinfo=UTC)
AS_OF = AsOf(DAY, CUTOFF)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
NAN = float("nan")
COLUMNS = ("user", "item", "day", "at", "basket", "weight", "quantity", "price")


def event(user: str | None, name: str, **more: Any) -> dict[str, Any]:
    at = more.pop("at", NOON)
    return {
        "event_at": at,
        "business_date": more.pop("day", at.date()),
        "user_id": user,
        "item_id": name,
        "kind": "purchase",
        "basket_id": None,
        "weight": 1.0,
        "quantity": 1.0,
        "price": 2.5,
        "load_id": 1,
        "loaded_at": CUTOFF,
        **more,
    }


def put(engine: Engine, *rows: dict[str, Any]) -> None:
    with begin(engine) as conn:
        conn.execute(insert(interaction), list(rows))


def events(engine: Engine, as_of: AsOf = AS_OF, days: int = 30) -> Events:
    with connect(engine) as conn:
        return read_events(conn, as_of, days=days)


def batches(engine: Engine, size: int = 2, items: Any = None, days: int = 30) -> list[Events]:
    with connect(engine) as conn:
        names = read_events(conn, AS_OF, days=days).item_ids if items is None else items
        found = stream_events(conn, AS_OF, days=days, item_ids=names, users_per_batch=size)
        return list(found)


def totals(engine: Engine, as_of: AsOf = AS_OF, days: int = 30) -> pd.DataFrame:
    with connect(engine) as conn:
        arrays: dict[str, Any] = {**item_totals(conn, as_of, days=days)}
    names = arrays.pop("item_ids")
    del arrays["categories"], arrays["further"]
    frame = pd.DataFrame(arrays)
    frame["item"] = names[frame["item"]]
    frame["day"] = frame["day"].to_numpy().astype("M8[D]").astype(str)
    return frame


def bits(found: Events) -> dict[str, Any]:
    columns = dict(vars(found))
    further = columns.pop("further")
    return {"further": further} | {
        name: value.tolist() if value.dtype == object else value.tobytes()
        for name, value in columns.items()
    }


def shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    return [rows[n] for n in np.random.default_rng(seed).permutation(len(rows))]


def many(count: int = 3_000, seed: int = 5) -> list[dict[str, Any]]:
    """Events with ties in every part of the order, unknown values, both kinds of unknown users."""
    rng = np.random.default_rng(seed)
    users = [None, "", *(f"u{n}" for n in range(40)), "ü", "Z", "a b", "\U0001f980", "\uffee"]
    rows = []
    for _ in range(count):
        at = NOON - timedelta(days=int(rng.integers(12)), seconds=int(rng.integers(4)))
        rows.append(
            event(
                users[rng.integers(len(users))],
                f"i{rng.integers(9)}",
                at=at,
                basket_id=[None, "b1", "b2"][rng.integers(3)],
                weight=[0.1, 0.5, 1.0][rng.integers(3)],
                quantity=[None, 1.0, 0.1, 3.0, -0.0, 0.0][rng.integers(6)],
                price=[None, 0.1, 0.7, 1e9][rng.integers(4)],
                loaded_at=CUTOFF + MOMENT * int(rng.integers(-1, 2)),
            )
        )
    return rows


@pytest.fixture
def busy(warehouse: Engine) -> Engine:
    put(warehouse, *many())
    return warehouse


def oracle(engine: Engine, days: int = 30) -> pd.DataFrame:
    """The visible rows, in SQL's plainest words."""
    query = """
        SELECT *, coalesce(hashtextextended(basket_id, 0), 0) AS basket FROM raw.interaction
        WHERE business_date > DATE '2026-03-10' - %(days)s AND business_date <= '2026-03-10'
            AND loaded_at <= '2026-03-11 02:00Z'
    """
    with connect(engine) as conn:
        frame = pd.read_sql(query, conn, params={"days": days})
    frame["user_id"] = frame["user_id"].fillna("")
    return frame


# --- what is visible -------------------------------------------------------------------------


def test_both_clocks_and_the_span_of_days_bound_what_is_seen(warehouse: Engine) -> None:
    put(
        warehouse,
        event("u", "in", at=NOON - timedelta(days=29)),
        event("u", "too early", at=NOON - timedelta(days=30)),
        event("u", "tomorrow", at=NOON + timedelta(days=1)),
        event("u", "late", loaded_at=CUTOFF + MOMENT),
    )
    assert events(warehouse).item_ids.tolist() == ["in"]
    assert totals(warehouse)["item"].tolist() == ["in"]
    assert [b.item_ids[b.item].tolist() for b in batches(warehouse)] == [["in"]]
    later = AsOf(DAY, CUTOFF + MOMENT)
    assert events(warehouse, later).item_ids.tolist() == ["in", "late"]
    assert totals(warehouse, later)["item"].tolist() == ["in", "late"]
    assert events(warehouse, AsOf(DAY + timedelta(days=1), CUTOFF)).item_ids.tolist() == [
        "tomorrow"
    ]


def test_the_business_date_counts_and_not_the_day_in_utc(warehouse: Engine) -> None:
    in_auckland = datetime(2026, 3, 10, 11, 30, tzinfo=UTC)  # half past midnight on the 11th
    put(warehouse, event("u", "a", at=in_auckland, day=date(2026, 3, 11)), event("u", "b"))
    assert events(warehouse).item_ids.tolist() == ["b"]
    put(warehouse, event("u", "c", at=datetime(2026, 3, 10, 23, tzinfo=UTC), day=DAY))
    got = events(warehouse)
    assert got.item_ids.tolist() == ["b", "c"]
    assert got.day.tolist() == [(DAY - date(1970, 1, 1)).days] * 2


@pytest.mark.parametrize("as_of", [AS_OF, AsOf(date(2026, 3, 9), CUTOFF)])
def test_nothing_visible_is_no_data(warehouse: Engine, as_of: AsOf) -> None:
    put(warehouse, event("u", "a", loaded_at=CUTOFF + MOMENT))
    with connect(warehouse) as conn:
        for read in (
            lambda: read_events(conn, as_of, days=5),
            lambda: item_totals(conn, as_of, days=5),
            lambda: next(stream_events(conn, as_of, days=5, item_ids=["a"])),
        ):
            with pytest.raises(NoData, match=r"No interactions of 2026-03-0\d to") as caught:
                read()
            assert "data load" in caught.value.remedy


# --- what comes out --------------------------------------------------------------------------


def test_an_event_keeps_every_value(warehouse: Engine) -> None:
    put(
        warehouse,
        event("u", "b", at=NOON + MOMENT, weight=0.1, quantity=None, price=None),
        event("u", "a", basket_id="inv", quantity=3.0, price=0.85),
    )
    with begin(warehouse) as conn:
        conn.execute(
            insert(item),
            [
                {"item_id": "a", "category": "old", "load_id": 1, "loaded_at": CUTOFF - MOMENT},
                {"item_id": "a", "category": "tea", "load_id": 2, "loaded_at": CUTOFF},
                {"item_id": "a", "category": "later", "load_id": 3, "loaded_at": CUTOFF + MOMENT},
            ],
        )
        basket = conn.scalar(select(func.hashtextextended("inv", 0)))
    got = events(warehouse)
    assert got.user_ids.tolist() == ["u"]
    assert got.user.tolist() == [0, 0]
    assert got.item_ids.tolist() == ["a", "b"]
    assert got.item.tolist() == [0, 1]
    assert got.categories.tolist() == ["tea", ""]
    at = int(NOON.timestamp()) * 1_000_000
    assert got.at.tolist() == [at, at + 1]
    assert got.basket.tolist() == [basket, 0]
    np.testing.assert_array_equal(got.weight, [1.0, 0.1])
    np.testing.assert_array_equal(got.quantity, [3.0, NAN])
    np.testing.assert_array_equal(got.price, [0.85, NAN])
    kinds = {name: getattr(got, name).dtype.str for name in COLUMNS}
    assert kinds == dict.fromkeys(("user", "item", "day"), "<i4") | dict.fromkeys(
        ("at", "basket"), "<i8"
    ) | dict.fromkeys(("weight", "quantity", "price"), "<f8")
    assert len(got) == 2


def test_events_are_those_of_the_oracle_in_order(busy: Engine) -> None:
    got = events(busy)
    frame = oracle(busy)
    assert 1_500 < len(frame) < 2_500
    assert got.user_ids.tolist() == sorted(set(frame["user_id"]) - {""}, key=str.encode)
    names = np.append(got.user_ids, "")  # -1, of unknown users, is the last
    found = pd.DataFrame(
        {
            "user": names[got.user],
            "at": pd.to_datetime(got.at, unit="us", utc=True),
            "item": got.item_ids[got.item],
            **{name: getattr(got, name) for name in ("basket", "weight", "quantity", "price")},
            "day": got.day.astype("M8[D]").astype(str),
        }
    )
    wanted = frame.rename(columns={"event_at": "at", "item_id": "item"}).drop(columns="user_id")
    wanted["user"] = frame["user_id"]
    wanted["day"] = frame["business_date"].astype(str)
    wanted["bytes"] = [name.encode() for name in wanted["user"]]
    by = ["bytes", "at", "item", "basket", "weight", "quantity", "price"]
    wanted = wanted.sort_values(by, ignore_index=True)[list(found)]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=0, atol=0)
    unknown = int((got.user == UNKNOWN_USER).sum())
    assert unknown > 10
    assert (got.user[:unknown] == UNKNOWN_USER).all()


def test_the_order_of_loading_changes_no_bit(busy: Engine) -> None:
    first, sums = bits(events(busy)), totals(busy)
    with begin(busy) as conn:
        conn.execute(interaction.delete())
    put(busy, *shuffled(many(), 9))
    assert bits(events(busy)) == first
    pd.testing.assert_frame_equal(totals(busy), sums, check_exact=True)


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_batches_are_whole_users_and_together_all_known_events(busy: Engine, size: int) -> None:
    whole = events(busy)
    parts = batches(busy, size)
    assert len(parts) == -(-len(whole.user_ids) // size)
    assert [user for part in parts for user in part.user_ids] == whole.user_ids.tolist()
    first = np.cumsum([0] + [len(part.user_ids) for part in parts[:-1]])
    user = np.concatenate([part.user + n for part, n in zip(parts, first, strict=True)])
    known = whole.user != UNKNOWN_USER
    np.testing.assert_array_equal(user, whole.user[known])
    for name in COLUMNS[1:]:
        together = np.concatenate([getattr(part, name) for part in parts])
        assert together.tobytes() == getattr(whole, name)[known].tobytes(), name
    assert all(part.item_ids is parts[0].item_ids for part in parts)
    assert parts[0].categories.tolist() == whole.categories.tolist()


def test_batches_number_items_as_they_are_given(warehouse: Engine) -> None:
    put(
        warehouse,
        event("u", "a"),
        event("u", "b"),
        event("v", "c"),
        event(None, "a"),
    )
    (got,) = batches(warehouse, 5, np.array(["0", "a", "b"]))
    assert got.user_ids.tolist() == ["u"]
    assert got.item.tolist() == [1, 2]
    assert got.item_ids.tolist() == ["0", "a", "b"]


def test_only_unknown_users_are_no_batch(warehouse: Engine) -> None:
    put(warehouse, event(None, "a"), event("", "a"))
    assert batches(warehouse) == []
    got = events(warehouse)
    assert got.user.tolist() == [UNKNOWN_USER] * 2
    assert got.user_ids.tolist() == []


def test_the_connection_works_between_batches(busy: Engine) -> None:
    """A snapshot is written while its rows are read, on one connection."""
    with begin(busy) as conn:
        count = 0
        for part in stream_events(conn, AS_OF, days=30, item_ids=["i1", "i2"], users_per_batch=4):
            conn.execute(insert(interaction), [event("new", "i1")])
            assert "new" not in part.user_ids
            count += 1
        assert count > 3
        rows = select(func.count()).where(interaction.c.user_id == "new")
        assert conn.scalar(rows) == count


# --- sums ------------------------------------------------------------------------------------


def test_totals_by_hand(warehouse: Engine) -> None:
    yesterday = NOON - timedelta(days=1)
    put(
        warehouse,
        event("u", "a", quantity=2.0, price=1.5),
        event("u", "a", quantity=1.0, price=None),  # the same buyer; nothing is known of its price
        event("v", "a", quantity=None, price=9.0),
        event("w", "a", weight=0.99),  # a look
        event(None, "a", basket_id="i", quantity=1.0, price=0.1),
        event("", "a", basket_id="i", quantity=1.0, price=0.2),  # the same basket
        event(None, "a", at=NOON + MOMENT, quantity=1.0, price=4.0),
        event(None, "a", at=NOON + MOMENT, quantity=1.0, price=4.0),  # the same moment
        event("x", "a", basket_id="i", at=yesterday, weight=2.0),
        event("x", "b", weight=0.5),
    )
    got = totals(warehouse)
    assert got.to_dict("records") == [
        {"item": "a", "day": "2026-03-09", "events": 1, "buyers": 1, "quantity": 1, "spend": 2.5},
        {"item": "a", "day": "2026-03-10", "events": 7, "buyers": 4, "quantity": 6, "spend": 11.3},
    ]
    with connect(warehouse) as conn:
        assert item_totals(conn, AS_OF, days=30)["item_ids"].tolist() == ["a", "b"]


def test_totals_are_those_of_the_oracle(busy: Engine) -> None:
    frame = oracle(busy)
    frame = frame[frame["weight"] >= 1]
    unnamed = frame["basket_id"].fillna("").where(frame["basket_id"].notna(), frame["event_at"])
    frame["buyer"] = [
        user or ("nobody", str(visit))
        for user, visit in zip(frame["user_id"], unnamed, strict=True)
    ]
    frame["spend"] = frame["price"] * frame["quantity"]
    frame["quantity"] = frame["quantity"].where(frame["spend"].notna(), 0.0)
    frame["day"] = frame["business_date"].astype(str)
    wanted = (
        frame.rename(columns={"item_id": "item"})
        .groupby(["item", "day"])
        .agg(
            events=("weight", "size"),
            buyers=("buyer", "nunique"),
            quantity=("quantity", "sum"),
            spend=("spend", "sum"),
        )
        .reset_index()
    )
    pd.testing.assert_frame_equal(totals(busy), wanted, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize("most", [1, 1_000])
def test_purchases_are_added_up_by_bytes_and_how_many_at_once_changes_no_bit(
    busy: Engine, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many bought: a batch holds no more than asked for, and the last item's four weeks."""
    whole = totals(busy)
    batches: list[list[int]] = []
    added_up = interactions._added_up

    def watched(groups: Any, place: Any) -> Any:
        batches.append([len(group.data) for group in groups])
        return added_up(groups, place)

    monkeypatch.setattr(interactions, "_added_up", watched)
    monkeypatch.setattr(interactions, "PURCHASES_AT_ONCE", most)
    pd.testing.assert_frame_equal(totals(busy), whole, check_exact=True)
    assert len(batches) > 5
    assert all(sum(sizes[:-1]) < most for sizes in batches)


def test_an_item_comes_once_a_span_of_days(warehouse: Engine) -> None:
    put(warehouse, *(event("u", "a", at=NOON - timedelta(days=n)) for n in range(90)))
    with connect(warehouse) as conn:
        bounds = Bounds(AS_OF, DAY - timedelta(days=89), DAY)
        groups = read_groups(conn, by_item_and_span(bounds))
    days = [PURCHASES.unpack([group]).columns["day"] // DAYS_PER_GROUP for group in groups]
    assert [len(set(of.tolist())) for of in days] == [1] * len(groups)
    assert len(groups) in (4, 5)
    assert totals(warehouse, days=90)["events"].tolist() == [1] * 90


def test_totals_where_nothing_was_bought(warehouse: Engine) -> None:
    put(warehouse, event("u", "a", weight=0.1))
    assert len(totals(warehouse)) == 0
