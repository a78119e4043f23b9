"""The way of a price through a day, beside loops over events that know nothing of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import live_oracle as oracle
from daybreak.models.base import Day
from daybreak.models.pricing.layout import VALUES
from daybreak.models.pricing.live.feeds import Facts, Sale, Seen
from daybreak.models.pricing.live.path import Price, Slots, Way, way_of
from daybreak.models.pricing.live.profile import A_DAY, Profile, bounds, profile_of, share_by
from daybreak.models.pricing.live.signals import competitors_by, demand, units_by
from daybreak.models.pricing.moment import Terms
from daybreak.prices.rules import Rules
from live_oracle import Asked, Sold
from price_cases import DAY, offers, rules
from price_nights import demand as expected
from price_nights import night

BEGINS = datetime(2026, 3, 2, tzinfo=UTC)
LENGTH = timedelta(minutes=15)
NEWEST = timedelta(minutes=60)
SALES = {"stream": "till", "store_id": "store", "item_id": "sku", "units": "quantity"}
FEED = {"stream": "feed", "price": "price", "item_id": "sku", "store_id": "store"}
LIVE = rules(
    competitor={"above": 0.1, "below": 0.1},
    live={"sales": SALES, "competitors": FEED, "changes_a_day": 4},
)
minutes = st.integers(-90, 24 * 60)
moments_of = minutes.map(lambda n: BEGINS + timedelta(minutes=n))


def slots(count: int, shares: list[float] | None = None) -> Slots:
    begins = [BEGINS + number * LENGTH for number in range(count)]
    known_by = oracle.moments(BEGINS, count, LENGTH)
    return Slots(begins, known_by, [n / 96 for n in range(count)] if shares is None else shares)


def price_of(elasticity: float, said: Rules = LIVE, **offer: Any) -> tuple[Price, Terms]:
    """Ten units a day at 1.00, and stock for one day more or less."""
    made = night(offers({"stock": 10} | offer), expected(elasticity), said)
    values = dict(zip(VALUES, map(float, made.values[0]), strict=True))
    terms = Terms.of(Day(DAY, made.context).context, DAY)
    return Price(values, made.records, int(values["chosen"])), terms


def seen(asked: list[Asked]) -> list[Seen]:
    """As the log has them, in the order in which they came."""
    return [
        Seen(one.event_at, n, one.known_at, one.price, one.rival, one.store is not None)
        for n, one in enumerate(asked)
        if 0 < one.price < 2**24
    ]


def amounts(price: Price, way: Way, over: Slots) -> list[int]:
    """In force in each slot."""
    found, now = [], price.amount(price.published)
    changes = {one.slot_at: one.price for one in way.changes}
    for begins in over.begins:
        now = changes.get(begins, now)
        found.append(now)
    return found


# Signals


@given(st.lists(st.tuples(moments_of, moments_of, st.integers(0, 900)), max_size=20))
def test_units_are_those_that_had_happened_and_were_known(
    events: list[tuple[datetime, datetime, int]],
) -> None:
    sold = [Sold(*one) for one in events]
    at = oracle.moments(BEGINS, 96, LENGTH)
    found = units_by([Sale(max(one[:2]), one.units) for one in sold], at, 100)
    assert found == [float(oracle.units(sold, moment)) for moment in at]


@given(
    st.lists(
        st.tuples(
            moments_of,
            st.integers(-5, 90),
            st.sampled_from(["near", "far"]),
            st.sampled_from(["S", None]),
            st.sampled_from([80, 90, 101, 110, 0, 10**11]),
        ),
        max_size=15,
        unique_by=lambda one: one[0],
    ),
    st.booleans(),
)
def test_of_each_competitor_the_newest_price_counts(
    events: list[tuple[datetime, int, str, str | None, int]], median: bool
) -> None:
    asked = [
        Asked(moment, moment + timedelta(minutes=late), rival, store, price)
        for moment, late, rival, store, price in events
    ]
    at = oracle.moments(BEGINS, 96, LENGTH)
    found = competitors_by(seen(asked), at, NEWEST, "median" if median else "lowest")
    assert found == [oracle.competitor(asked, m, NEWEST, "S", median=median) for m in at]


def test_demand_is_shrunk_to_what_was_expected() -> None:
    assert demand(30, 10, 4) == float(Fraction(34, 14))
    assert demand(0, 0, 4) == 1
    assert 0 < demand(0, 1e9, 1) < 1e-8


# The usual day


def test_a_profile_is_the_share_of_units_by_the_clock() -> None:
    of_a, of_b = np.array([0.0, 3, 1, 0]), np.array([0.0, 0, 0, 4])
    found = profile_of({"a": of_a, "b": of_b}, {"a": 7, "b": 6}, 7)
    assert found.of_store("a") == [0, 0, 0.75, 1, 1]
    assert found.of_store("b") == found.of_store("new") == [0, 0, 0.375, 0.5, 1]
    again = Profile.of_context(found.as_context())
    assert again.of_store("a") == found.of_store("a")


@pytest.mark.parametrize(("days", "units"), [(6, 1.0), (28, 0.0)])
def test_of_a_shop_with_hardly_an_event_there_is_none(days: int, units: float) -> None:
    found = profile_of({"a": np.array([units, units])}, {"a": days}, days)
    assert found.of_store("a") is None
    assert Profile.of_context(found.as_context()).of_store("a") is None
    assert Profile.none().of_store("a") is None


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)])
@pytest.mark.parametrize("length", [15, 60, 7, 720])
def test_shares_follow_the_clock_on_every_day(day: date, length: int) -> None:
    """Also on one of 23 and one of 25 hours."""
    zone = ZoneInfo("Europe/London")
    shares = (bounds(length) / A_DAY).tolist()
    midnight = datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
    at = [midnight + timedelta(minutes=5 * n) for n in range(-1, 12 * 25 + 1)]
    found = [share_by(shares, length, moment, day, zone) for moment in at]
    assert found[:2] == [0, 0]
    for moment, share in zip(at, found, strict=True):
        local = moment.astimezone(zone)
        if local.date() == day:
            assert share == pytest.approx((local.hour * 60 + local.minute) / A_DAY)
        else:
            assert share == (0 if local.date() < day else 1)


# The way


def test_without_a_signal_it_is_the_published_price() -> None:
    price, terms = price_of(-3.0)
    way = way_of(price, Facts(), slots(96), LIVE, terms)
    assert (way.record, way.changes, way.demand) == (price.published, (), None)


def test_what_sells_well_gets_dearer_while_there_is_little_of_it() -> None:
    price, terms = price_of(-3.0)
    assert price.amount(price.published) == 80
    for stock, risen in ((10, True), (10_000, False), (None, False)):
        price, terms = price_of(-3.0, stock=stock)
        sold = [Sale(BEGINS + timedelta(hours=1), 20)]
        way = way_of(price, Facts(1, sold, frozenset(range(96))), slots(10), LIVE, terms)
        assert (price.amount(way.record) > 80) == risen, stock
    assert way_of(price, Facts(1, sold), slots(10), LIVE, terms).changes == (), (
        "a till that has said nothing lately says nothing of demand"
    )


def test_of_its_own_price_it_expects_what_that_sells() -> None:
    """A price that rose sells less, which is no sign of less demand."""
    price, terms = price_of(-3.0)
    busy = [Sale(BEGINS + timedelta(minutes=10 + 15 * n), 1) for n in range(20)]
    facts = Facts(1, busy, frozenset(range(96)) - {40})
    over = slots(41)
    first, *_, last = way_of(price, facts, over, LIVE, terms).changes
    assert first.price > first.published
    assert (last.slot_at, last.price) == (over.begins[40], last.published)
    facts = Facts(1, busy, frozenset(range(96)))
    risen = next(one for one in way_of(price, facts, over, LIVE, terms).changes)
    usual = price.values["expected"] * price.records[price.published, 1] / price.records[0, 1]
    assert risen.expected == pytest.approx(usual * over.begins.index(risen.slot_at) / 96)
    for change in way_of(price, facts, over, LIVE, terms).changes[1:]:
        assert change.expected is not None
        assert change.expected < 0.9 * usual * over.begins.index(change.slot_at) / 96


def test_what_is_expected_never_falls() -> None:
    """Where clocks go back, the share that usually came by then goes back, too."""
    price, terms = price_of(-3.0)
    sold = [Sale(BEGINS + timedelta(minutes=n), 1) for n in range(60)]
    facts = Facts(1, sold, frozenset({4}))
    straight, back = (
        way_of(price, facts, slots(5, shares), LIVE, terms).changes
        for shares in ([0.0, 0.1, 0.2, 0.2, 0.2], [0.0, 0.1, 0.2, 0.1, 0.15])
    )
    assert straight == back != ()


facts_of = st.builds(
    lambda sold, fresh, asked: Facts(
        1,
        [Sale(BEGINS + timedelta(minutes=at), units) for at, units in sold],
        frozenset(fresh),
        [
            Seen(BEGINS + timedelta(minutes=at), n, BEGINS + timedelta(minutes=at + late), cents,
                 rival, here)
            for n, (at, late, cents, rival, here) in enumerate(asked)
        ],
    ),
    st.lists(st.tuples(st.integers(0, 1440), st.integers(0, 30)), max_size=25),
    st.sets(st.integers(0, 95)),
    st.lists(
        st.tuples(st.integers(-60, 1440), st.integers(0, 60), st.integers(1, 300),
                  st.sampled_from("ab"), st.booleans()),
        max_size=25,
    ),
)  # fmt: skip


@pytest.mark.slow
@given(facts_of, st.floats(-4, -0.1), st.integers(2, 6), st.sampled_from(["revenue", "margin"]))
def test_it_stays_within_the_night_and_its_changes(
    facts: Facts, elasticity: float, most: int, objective: str
) -> None:
    said = rules(
        objective=objective,
        largest_rise=0.15,
        largest_fall=0.15,
        competitor={"above": 0.05, "below": 0.05},
        live={"sales": SALES, "competitors": FEED, "changes_a_day": most},
    )
    price, terms = price_of(elasticity, said)
    over = slots(96)
    way = way_of(price, facts, over, said, terms)
    points = {int(one) for one in price.records[1:, 0]} | {price.amount(price.published)}
    assert {one.price for one in way.changes} <= points
    assert len(way.changes) <= most
    assert amounts(price, way, over)[-1] == price.amount(way.record)
    home = price.amount(price.published)
    nothing = [
        n
        for n, asked in enumerate(
            competitors_by(facts.asked, over.known_by, timedelta(minutes=240), "lowest")
        )
        if asked is None and n not in facts.fresh
    ]
    assert all(amounts(price, way, over)[n] == home for n in nothing), "without a signal it is home"


@pytest.mark.slow
@given(facts_of, st.integers(1, 95))
def test_a_slot_that_has_begun_does_not_change(facts: Facts, upto: int) -> None:
    """The way to a slot is the beginning of every longer one, and knows nothing that came later."""
    price, terms = price_of(-3.0)
    whole = way_of(price, facts, slots(96), LIVE, terms)
    bound = slots(upto).known_by[-1]
    known = Facts(
        1,
        [one for one in facts.sales if one.at <= bound],
        facts.fresh,
        [one for one in facts.asked if max(one.known_at, one.event_at) <= bound],
    )
    part = way_of(price, known, slots(upto), LIVE, terms)
    assert part.changes == tuple(
        one for one in whole.changes if one.slot_at < BEGINS + upto * LENGTH
    )


@given(st.lists(st.sampled_from([90, 100, 120]), max_size=30), st.integers(2, 6))
def test_changes_are_counted_as_the_definition_does(asked: list[int], most: int) -> None:
    """A competitor who is followed to the cent, slot by slot."""
    said = rules(
        largest_rise=0.3,
        competitor={"above": 0.0, "below": 0.0},
        live={"competitors": FEED | {"newest_minutes": 15}, "changes_a_day": most},
    )
    price, terms = price_of(-0.5, said)
    home = price.amount(price.published)
    events = [
        Seen(BEGINS + n * LENGTH - timedelta(minutes=1), n, BEGINS + n * LENGTH
             - timedelta(minutes=1), cents, "", False)
        for n, cents in enumerate(asked)
    ]  # fmt: skip
    over = slots(max(len(asked), 1))
    way = way_of(price, Facts(asked=events), over, said, terms)
    assert amounts(price, way, over)[: len(asked)] == oracle.prices(asked, home, most)


@pytest.mark.parametrize("cents", [1, 2**24 - 1])
def test_an_absurd_competitor_leads_nowhere_outside(cents: int) -> None:
    price, terms = price_of(-0.5)
    asked = [Seen(BEGINS, 0, BEGINS, cents, "", False)]
    way = way_of(price, Facts(asked=asked), slots(4), LIVE, terms)
    assert way.changes == (), "no price of the night is near it"
