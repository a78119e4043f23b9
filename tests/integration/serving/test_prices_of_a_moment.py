"""The price of a moment over HTTP: one for all who ask, kept, and back in time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from daybreak.jobs.publishing import rollback
from daybreak.jobs.run import score_day
from daybreak.models.pricing.live.path import Change
from daybreak.models.pricing.model import MODEL
from daybreak.prices.ledger import in_force
from daybreak.prices.moments import OfPrice, keep_changes
from daybreak.serving.schemas import answer_forms
from daybreak.signals.log import Event, append_events
from daybreak.signals.stream import read_stream
from daybreak.warehouse.engine import begin, connect
from live_shop import (
    DAY,
    FEED,
    LAST,
    LIVE,
    LOADED,
    MIDNIGHT,
    PREDICT,
    Price,
    Shelves,
    Shop,
    ask,
    at,
    price_in,
    serve_from,
    shelves,
    shop,
)
from waiting import wait_for

BUSY = ("S002", "I0006")
"""Its price is within its rails, and its stock is for some two days."""
WATCHED = ("S001", "I0002")
HOME = {BUSY: 1015, WATCHED: 580}
ANSWER, _, _ = answer_forms(MODEL)


@pytest.fixture(scope="module")
def made(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    with shelves(postgres, tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture
def here(made: Shelves) -> Iterator[Shop]:
    with shop(made) as found:
        yield found


def kept(here: Shop, price: Price) -> list[tuple[datetime, int]]:
    """Changes of the day, by slot."""
    query = (
        "SELECT slot_at, price FROM ops.price_moment WHERE (store_id, item_id) = (:s, :i) "
        "ORDER BY generation_id, slot_at"
    )
    return here.rows(query, s=price[0], i=price[1])


def shown(here: Shop, price: Price, moment: datetime) -> int:
    """In force by all that the ledger knows."""
    with connect(here.owner) as conn:
        found = in_force(conn, moment, at(1000))
    (one,) = (row for row in found if (row.store_id, row.item_id) == price)
    return one.price


def in_the_ledger(here: Shop) -> int:
    ((count,),) = here.rows("SELECT count(*) FROM ops.price WHERE source = 'live'")
    return int(count)


def move(here: Shop, client: FlaskClient, hours: float = 9.1) -> None:
    """Both prices, from the next slot on."""
    here.clock.now = at(hours)
    here.sell(client, BUSY, 30)
    here.see(client, WATCHED, 500)
    here.clock.now = at(hours // 0.25 * 0.25 + 0.25)


def test_without_a_signal_it_is_the_published_row(here: Shop) -> None:
    client = here.worker()
    for hours in (0.6, 8, 23.9):
        here.clock.now = at(hours)
        answer = client.post(
            f"{PREDICT}?compare=published", json={"store_id": BUSY[0], "item_id": BUSY[1]}
        ).get_json()
        (row,) = answer["predictions"]
        assert answer["source"] == "published"
        assert row.pop("published") == row
        assert answer["valid_on"] == str(DAY)
        ends = datetime.fromisoformat(answer["valid_until"])
        assert here.clock.now < ends <= here.clock.now + timedelta(minutes=15)
    assert in_the_ledger(here) == 0


def test_a_price_moves_with_a_slot_and_goes_back(here: Shop) -> None:
    client, other = here.worker(), here.worker()
    here.clock.now = at(9.1)
    ask(client, BUSY)
    move(here, client)
    for worker in (client, other):
        busy, watched = ask(worker, BUSY), ask(worker, WATCHED)
        assert (busy["source"], watched["source"]) == ("live", "live")
        assert price_in(busy) > HOME[BUSY]
        assert price_in(watched) == 525, "5 % above what the competitor asks"
        assert datetime.fromisoformat(busy["valid_until"]) == at(9.5)
        assert busy["reasons"][0] == "What is known of this moment moves it up."
        ANSWER.model_validate_json(json.dumps(busy))
    here.clock.now = at(12)
    assert [price_in(ask(other, one)) for one in (BUSY, WATCHED)] == [*HOME.values()]
    assert kept(here, WATCHED) == [(at(9.25), 525), (at(11.25), 580)]


def test_the_ledger_knows_it_and_the_lowest_of_30_days_too(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    ask(client, WATCHED)
    moments = {9.2: 580, 9.3: 525, 23.9: 525, 24: 580, 30: 580}
    assert {hours: shown(here, WATCHED, at(hours)) for hours in moments} == moments
    low = (
        "SELECT price FROM report.price_low_30d WHERE (store_id, item_id) = (:s, :i) "
        "AND DATE '2026-04-02' BETWEEN first_day AND last_day"
    )
    ((lowest,),) = here.rows(low, s=WATCHED[0], i=WATCHED[1])
    before = shown(here, WATCHED, MIDNIGHT - timedelta(hours=5))
    assert lowest == min(525, before)


def test_who_asks_with_words_gets_a_what_if(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    said = {"stock": 3.0}
    first = ask(client, BUSY, **said)
    assert (first["source"], first["valid_until"]) == ("what_if", None)
    assert "It is a what-if: nobody else gets this price." in first["reasons"]
    assert kept(here, BUSY) == []
    assert ask(client, WATCHED, competitor_price=600)["source"] == "what_if"
    now = ask(client, BUSY)
    assert (now["source"], len(kept(here, BUSY))) == ("live", 1)
    again = ask(client, BUSY, **said)
    for one in (first, again):
        del one["latency_ms"]
    assert again == first


def test_of_many_rows_each_is_answered_as_alone(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    rows = [
        {"store_id": BUSY[0], "item_id": BUSY[1]},
        {"store_id": WATCHED[0], "item_id": WATCHED[1], "competitor_price": 600},
        {"store_id": WATCHED[0], "item_id": WATCHED[1]},
        {"store_id": "S001", "item_id": "I0001", "demand": 2.0},
        {"store_id": "nowhere", "item_id": "I0001"},
    ]
    answers = client.post(PREDICT, json={"rows": rows}).get_json()["answers"]
    assert [one.get("source") for one in answers] == ["live", "what_if", "live", "what_if", None]
    alone = here.worker()
    for row, answer in zip(rows[:4], answers[:4], strict=True):
        single = alone.post(PREDICT, json=row).get_json()
        assert {name: single[name] for name in answer} == answer
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
        for name, value in rows[0].items()
    ]
    found = client.post("/v2/models/pricing/infer", json={"inputs": tensors}).get_json()
    priced = {one["name"]: one["data"] for one in found["outputs"]}
    assert priced["price"] == [answers[0]["predictions"][0]["price"]]


def test_an_event_that_is_late_changes_no_slot_that_has_begun(here: Shop) -> None:
    client, other = here.worker(), here.worker()
    here.clock.now = at(9.25)
    assert price_in(ask(client, WATCHED)) == HOME[WATCHED]
    here.clock.now += timedelta(seconds=1)
    here.see(client, WATCHED, 500, event_at=at(9.1).isoformat())
    assert price_in(ask(other, WATCHED)) == HOME[WATCHED]
    here.clock.now = at(9.5)
    assert [price_in(ask(one, WATCHED)) for one in (other, client)] == [525, 525]
    assert kept(here, WATCHED) == [(at(9.5), 525)]


def test_what_comes_within_the_margin_waits_for_the_next_slot(here: Shop) -> None:
    client = here.worker()
    here.clock.now = at(9.25) - timedelta(seconds=5)
    here.see(client, WATCHED, 500)
    here.clock.now = at(9.25)
    assert price_in(ask(client, WATCHED)) == HOME[WATCHED]
    here.clock.now = at(9.5)
    assert price_in(ask(client, WATCHED)) == 525


def test_who_asks_waits_for_who_appends(here: Shop) -> None:
    """An event that was stamped before the slot and is committed in it: nobody is answered without
    it, and somebody else with it."""
    client = here.worker()
    here.clock.now = at(9)
    here.see(client, ("", "I0001"), 500)
    seen = Event("late", at(9.2), {"sku": WATCHED[1], "rival": "near"}, {"price": 500})
    here.clock.now = at(9.25)
    with ThreadPoolExecutor(1) as pool, connect(here.owner) as conn:
        append_events(conn, read_stream(conn, "feed"), [seen], at(9.2))
        asked = pool.submit(ask, client, WATCHED)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_for(lambda: here.rows(waits) != [(0,)] or asked.done())
        assert not asked.done()
        conn.commit()
        assert price_in(asked.result()) == 525
    assert price_in(ask(here.worker(), WATCHED)) == 525


@pytest.mark.parametrize("cents", [0, 10**9 * 100])
def test_an_absurd_price_of_a_competitor_is_none(here: Shop, cents: int) -> None:
    client = here.worker()
    here.clock.now = at(9.1)
    here.see(client, WATCHED, 500)
    here.clock.now = at(9.2)
    here.see(client, WATCHED, cents)
    here.clock.now = at(9.25)
    assert price_in(ask(client, WATCHED)) == 525, "the last price that can be one"


@pytest.mark.parametrize("cents", [1, 99_999])
def test_a_price_far_from_all_points_moves_nothing(here: Shop, cents: int) -> None:
    client = here.worker()
    here.clock.now = at(9.1)
    here.see(client, WATCHED, cents)
    here.clock.now = at(9.25)
    answer = ask(client, WATCHED)
    assert (price_in(answer), answer["source"]) == (HOME[WATCHED], "published")


def test_a_feed_has_no_currency_to_be_another_one(here: Shop) -> None:
    """What a competitor asks is an amount of the stream, and its events have nothing beside."""
    client = here.worker()
    event = {
        "event_id": "x",
        "event_at": here.clock.now.isoformat(),
        "keys": {"sku": "I0002"},
        "amounts": {"price": 5.0},
        "attributes": {"currency": "USD"},
    }
    response = client.post(FEED, json={"events": [event]})
    assert response.status_code == 422, response.get_json()
    (fault,) = response.get_json()["error"]["details"]["fields"]
    assert fault["field"] == "events.0.attributes.currency"


def test_workers_that_ask_at_once_keep_one_row(here: Shop) -> None:
    move(here, here.worker())
    workers = [here.worker() for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        asked = [
            pool.submit(ask, worker.application.test_client(), price)
            for _ in range(4)
            for worker in workers
            for price in (BUSY, WATCHED)
        ]
        found = [one.result() for one in asked]
    assert len({price_in(one) for one in found}) == 2
    assert [len(kept(here, one)) for one in (BUSY, WATCHED)] == [1, 1]
    assert in_the_ledger(here) == 4, "each comes, and goes at midnight"


@pytest.mark.parametrize("seed", range(3))
def test_everybody_gets_one_price_in_a_slot(here: Shop, seed: int) -> None:
    """A day of two stores, with workers that ask when they like, and one that asks at its end."""
    draw = random.Random(seed)
    workers = [here.worker(), here.worker()]
    points = {price: _points(here, price) for price in HOME}
    told: dict[tuple[Price, int], set[int]] = {}
    here.clock.now = at(8)
    while here.clock.now < at(20):
        here.clock.now += timedelta(minutes=draw.choice([1, 2, 7, 16]))
        client, price = draw.choice(workers), draw.choice([*HOME])
        late = timedelta(minutes=draw.choice([0, 0, 40]))
        moment = {"event_at": (here.clock.now - late).isoformat()}
        match draw.choice(["sell", "see", "ask", "ask", "ask"]):
            case "sell":
                here.sell(client, price, draw.choice([0, 3, 20]), **moment)
            case "see":
                store = draw.choice([price[0], ""])
                cents = round(HOME[price] * draw.choice([0.0, 0.8, 0.95, 1.0, 1.1, 5.0]))
                here.see(client, (store, price[1]), cents, draw.choice("ab"), **moment)
            case "ask":
                slot = (here.clock.now - MIDNIGHT) // timedelta(minutes=15)
                told.setdefault((price, slot), set()).add(price_in(ask(client, price)))
    assert {len(prices) for prices in told.values()} == {1}
    for price, home in HOME.items():
        assert {amount for (of, _), one in told.items() if of == price for amount in one} <= (
            points[price]
        )
        ask(here.worker(), price)
        changes = kept(here, price)
        assert len(changes) <= LIVE["changes_a_day"]
        for (of, slot), (amount,) in told.items():
            if of == price:
                moment = MIDNIGHT + slot * timedelta(minutes=15)
                upto = [one for begins, one in changes if begins <= moment]
                assert amount == (upto[-1] if upto else home)
                assert shown(here, price, moment) == amount
        assert shown(here, price, at(24)) == home
    assert any(kept(here, price) for price in HOME)


def test_a_rollback_at_noon_ends_it(here: Shop) -> None:
    """The generation before answers, from the next slot on by streams too."""
    jobs = here.jobs()
    here.clock.now = at(8)
    score_day("pricing", LAST, runtime=jobs)
    serve_from(here.owner, at(8))
    client = here.worker()
    move(here, client)
    moved = {price: price_in(ask(client, price)) for price in HOME}
    here.clock.now = at(10.1)
    late = here.worker()
    ask(late, ("S001", "I0001"))
    generation = ask(client, BUSY)["generation"]
    rollback("pricing", LAST, runtime=jobs)
    for price, home in HOME.items():
        moments = {9.3: moved[price], 10.0: moved[price], 10.1: home, 23: home, 24: home, 40: home}
        assert {hours: shown(here, price, at(hours)) for hours in moments} == moments
    serve_from(here.owner, at(10.1))
    back = ask(here.worker(), WATCHED)
    assert back["generation"] != generation
    assert (back["source"], price_in(back)) == ("published", HOME[WATCHED])
    here.clock.now = at(10.25)
    assert price_in(ask(here.worker(), WATCHED)) == 525
    moments = {10.2: 580, 10.25: 525, 23.9: 525, 24: 580}
    assert {hours: shown(here, WATCHED, at(hours)) for hours in moments} == moments


def test_a_new_publication_ends_what_the_one_before_moved(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    for price in HOME:
        ask(client, price)
    here.clock.now = at(10.1)
    score_day("pricing", LAST, runtime=here.jobs())
    for price, home in HOME.items():
        moments = {10.1: home, 12: home, 24: home}
        assert {hours: shown(here, price, at(hours)) for hours in moments} == moments


def test_the_next_night_starts_from_what_it_goes_back_to(here: Shop) -> None:
    """Sales of a day show what a price moved to."""
    noon, price = MIDNIGHT - timedelta(hours=12), 700
    change = Change(noon, price, 505, None, None, None, 690, noon)
    moved = OfPrice(*WATCHED, "EUR", 2, "Europe/London", MIDNIGHT, [change])
    with connect(here.owner) as conn:
        keep_changes(conn, ask(here.worker(), BUSY)["generation"], [moved], noon)
    with begin(here.owner) as conn:
        whose = "(store_id, item_id, business_date) = (:s, :i, :d)"
        values = {"s": WATCHED[0], "i": WATCHED[1], "d": LAST}
        for table in ("raw.sales", "raw.plan"):
            shown = text(f"UPDATE {table} SET price = 7 WHERE {whose}")
            assert conn.execute(shown, values).rowcount == 1
    here.clock.now = at(2)
    score_day("pricing", LAST, knowledge="latest", runtime=here.jobs())
    now = "SELECT current_price FROM score.pricing WHERE (store_id, item_id) = (:s, :i)"
    assert here.rows(f"{now} ORDER BY generation_id", s=WATCHED[0], i=WATCHED[1]) == [(505,)] * 2


def test_outside_of_its_day_it_is_the_published_price(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    assert ask(client, WATCHED)["source"] == "live"
    here.clock.now = at(24.1)
    here.see(client, WATCHED, 500)
    here.clock.now = at(26)
    answer = ask(client, WATCHED)
    assert (answer["source"], price_in(answer), answer["valid_until"]) == ("published", 580, None)
    here.clock.now = LOADED - timedelta(hours=2)
    before = ask(here.worker(), WATCHED)
    assert (before["source"], before["valid_until"]) == ("published", MIDNIGHT.isoformat())


def test_while_the_warehouse_is_away_what_was_in_force_goes_on(here: Shop) -> None:
    client = here.worker()
    move(here, client)
    first = ask(client, WATCHED)
    address = {"store_id": WATCHED[0], "item_id": WATCHED[1]}
    with here.outage():
        assert price_in(ask(client, WATCHED)) == 525
        here.clock.now = at(9.6)
        stale = ask(client, WATCHED)
        assert (stale["source"], price_in(stale), stale["stale"]) == ("live", 525, True)
        assert datetime.fromisoformat(stale["valid_until"]) == at(9.75)
        here.clock.now = at(10.5)
        gone = client.post(PREDICT, json=address)
        assert (gone.status_code, gone.get_json()["error"]["code"]) == (
            503,
            "warehouse_unavailable",
        )
        here.clock.now = at(9.7)
        assert client.post(PREDICT, json={"store_id": BUSY[0], "item_id": BUSY[1]}).status_code == (
            503
        ), "nothing is known of it"
    again = ask(client, WATCHED)
    assert (again["stale"], price_in(again)) == (False, price_in(first))


def _points(here: Shop, price: Price) -> set[int]:
    """Those of the ladder between which the night left it, and what it published."""
    ((lowest, highest),) = here.rows(
        "SELECT lowest_price::int, highest_price::int FROM score.pricing "
        "WHERE (store_id, item_id) = (:s, :i)",
        s=price[0],
        i=price[1],
    )
    return {*range(lowest, highest + 1, 5), HOME[price]}
