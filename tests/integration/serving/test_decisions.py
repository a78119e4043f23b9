"""Decisions over HTTP: made once, kept with what they were made from, and the same in the proof.

Each test ends with the proof of every decision that was made in it (``fraud_bank.bank``).
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from sqlalchemy import text
from typer.testing import CliRunner

from anybody import Anybody
from daybreak.cli.models import app as commands
from daybreak.errors import InvalidRequest, WarehouseUnavailable
from daybreak.jobs import trials
from daybreak.models.fraud.model import MODEL
from daybreak.runtime import Runtime
from daybreak.serving import decisions
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.serving.schemas import answer_forms
from daybreak.serving.service import service_of
from daybreak.serving.spool import Spool
from daybreak.signals.tiles import build_tiles
from daybreak.warehouse.engine import begin
from fraud_bank import LAST, NOON, Bank, Books, bank, books
from toy import TOY, publish_day

PREDICT, EVENTS = "/v1/models/fraud/predict", "/v1/streams/payments/events"
LABELS = "/v1/streams/payments/labels"
FOLLOW = Spool.follow
KEEP = timedelta(days=400)
ANSWER, ANSWERS, _ = answer_forms(MODEL)
ALONE = ("model", "version", "gate", "watermark", "source", "predictions", "reasons", "recorded",
         "stale", "latency_ms")  # fmt: skip
Json = dict[str, Any]


def payment(event_id: str, **changes: Any) -> Json:
    """A payment of cards that are known, a minute ago."""
    usual: Json = {
        "event_id": event_id,
        "event_at": (NOON - timedelta(minutes=1)).isoformat(),
        "keys": {"card": "c000017", "terminal": "t00004"},
        "amounts": {"amount": 12.34},
        "attributes": {"channel": "web", "distance": 3.5},
    }
    return usual | changes


def at(moment: datetime) -> Json:
    return {"event_at": moment.isoformat()}


@pytest.fixture(scope="module")
def all_books(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with books(postgres, tmp_path_factory.mktemp("bank")) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def by_hand() -> Iterator[None]:
    """What is in a spool goes to the warehouse only when a test says so."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Spool, "follow", lambda _self: None)
        yield


@pytest.fixture(scope="module")
def shared(all_books: Books, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with bank(all_books, tmp_path_factory.mktemp("shared") / "spool") as found:
        yield found


@pytest.fixture
def here(shared: Bank) -> Iterator[Bank]:
    """A bank in which nothing has happened since its champion came into force."""
    try:
        yield shared
        shared.check()
    finally:
        shared.clear()


@pytest.fixture
def own(all_books: Books, tmp_path: Path) -> Iterator[Bank]:
    """The same, of this test alone."""
    with bank(all_books, tmp_path / "spool") as found:
        yield found


def ask(client: FlaskClient, asked: Json, address: str = PREDICT) -> Json:
    response = client.post(address, json=asked)
    assert response.status_code == 200, response.get_data(as_text=True)
    found: Json = response.get_json()
    return found


def error_of(response: Any, status: int, code: str) -> Json:
    assert response.status_code == status, response.get_data(as_text=True)
    found: Json = response.get_json()["error"]
    assert found["code"] == code
    return found


def without_latency(response: Any) -> bytes:
    """The bytes of an answer but for the time that it took."""
    assert response.status_code == 200, response.get_data(as_text=True)
    made, times = re.subn(rb',"latency_ms":[0-9.e-]+}$', b"}", response.data)
    assert times == 1
    return bytes(made)


def document_of(here: Bank) -> Json:
    found: Json = here.client.get("/v1/openapi.json").get_json()
    return found


def check_form(document: Json, answer: Json, form: str) -> None:
    """Hold an answer against the form of that name in the document."""
    schema = {"$ref": f"#/components/schemas/{form}", "components": document["components"]}
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        answer
    )


# The form of an answer


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("explain", [False, True])
def test_an_answer_has_the_form_of_the_document(here: Bank, record: bool, explain: bool) -> None:
    address = f"{PREDICT}?explain=true" if explain else PREDICT
    answer = ask(here.client, payment("a", record=record), address)

    ANSWER.model_validate_json(json.dumps(answer))
    check_form(document_of(here), answer, "FraudAnswer")
    assert tuple(answer) == ALONE
    assert (answer["model"], answer["version"]) == ("fraud", here.books.version)
    assert (answer["recorded"], answer["stale"], answer["source"]) == (record, False, "live")
    (one,) = answer["predictions"]
    assert (one["key"], one["event_id"]) == ("c000017", "a")
    assert 0 <= one["probability"] <= 1
    assert one["decision"] in {"allow", "review", "block"}
    assert ("explanation" in one) == explain
    assert 1 <= len(answer["reasons"]) <= 3
    watermark = datetime.fromisoformat(answer["watermark"])
    assert watermark.tzinfo is not None
    if explain:
        margin = one["explanation"]["margin"]
        added = sum(each["adds"][0] for each in one["explanation"]["features"])
        assert one["explanation"]["base"][0] + added == pytest.approx(margin[0], abs=1e-5)


def test_many_have_each_the_answer_that_it_would_have_alone(here: Bank) -> None:
    rows = [payment("a"), payment("b", keys={"card": "c000018"}), payment("c", amounts={"fee": 1})]
    alone = [here.client.post(PREDICT, json=one).get_json() for one in rows]
    found = ask(here.client, {"rows": rows})

    ANSWERS.model_validate_json(json.dumps(found))
    check_form(document_of(here), found, "FraudAnswers")
    assert tuple(found) == ("model", "version", "gate", "answers", "latency_ms")
    for one, each in zip(found["answers"], alone, strict=True):
        each.pop("model", None)
        each.pop("latency_ms", None)
        assert one == each
    assert found["answers"][2]["error"]["code"] == "invalid_event"


def test_a_row_of_many_that_is_no_event_fails_them_all(here: Bank) -> None:
    rows = [payment("a", record=True), payment("b", amounts={"amount": -1})]
    error = error_of(here.client.post(PREDICT, json={"rows": rows}), 400, "invalid_request")
    assert [one["field"] for one in error["details"]["fields"]] == ["rows.1.amounts.amount"]
    assert here.events("a") == 0
    assert here.decisions() == []


def test_unknown_keys_are_normal(here: Bank) -> None:
    for event_id, keys in (
        ("a", {"card": "nobody", "terminal": "nowhere"}),
        ("b", {"terminal": "t00004"}),
        ("c", {"card": "ünï ✓ ' \" \\ %s"}),
    ):
        answer = ask(here.client, payment(event_id, keys=keys, record=True))
        assert answer["predictions"][0]["key"] == keys.get("card", "")
        assert answer["recorded"]
    ask(here.client, {"event_id": "d", "keys": {"card": "n"}, **at(NOON)})


# Recorded decisions


def test_a_recorded_event_is_appended_once_and_keeps_its_answer(here: Bank) -> None:
    asked = payment("a", record=True)
    first = here.client.post(PREDICT, json=asked)
    assert here.events("a") == len(here.decisions("a")) == 1

    ask(here.client, payment("b", record=True))  # now more is known of the card
    here.client.post(LABELS, json={"labels": [{"event_id": "b", "fraud": True}]})
    again = [here.client.post(PREDICT, json=asked) for _ in range(3)]

    assert {without_latency(one) for one in again} == {without_latency(first)}
    (many,) = ask(here.client, {"rows": [asked]})["answers"]
    assert many == {n: v for n, v in first.get_json().items() if n not in {"model", "latency_ms"}}
    assert here.events("a") == len(here.decisions("a")) == 1
    ((sequence, watermark),) = here.rows(
        "SELECT sequence, loaded_at FROM raw.event WHERE event_id = 'a'"
    )
    (kept,) = here.decisions("a")
    assert kept.recorded
    assert kept.sequence is None, "it was not there when it was decided"
    assert all(datetime.fromisoformat(one) < watermark for one in kept.known.values())
    assert sequence > 0
    assert kept.answer.encode() == without_latency(first)


def test_the_same_event_written_otherwise_is_the_same(here: Bank) -> None:
    first = here.client.post(PREDICT, json=payment("a", record=True))
    zone = (NOON - timedelta(minutes=1)).astimezone().isoformat()
    other = payment("a", record=True, event_at=zone, amounts={"amount": 12.340000000000001})
    other = dict(reversed(other.items()))
    assert without_latency(here.client.post(PREDICT, json=other)) == without_latency(first)


def test_an_answer_that_is_asked_for_again_is_that_of_the_version_which_gave_it(
    own: Bank,
) -> None:
    asked = payment("a", record=True)
    first = own.client.post(PREDICT, json=asked)
    own.promote(own.books.other)
    assert ask(own.client, payment("b", record=True))["version"] == own.books.other
    assert without_latency(own.client.post(PREDICT, json=asked)) == without_latency(first)
    found = ask(own.client, {"rows": [asked]})
    assert (found["version"], found["answers"][0]["version"]) == (
        own.books.other,
        own.books.version,
    )


def test_twenty_at_once_about_one_event_get_one_answer(here: Bank) -> None:
    asked = payment("a", record=True)
    ask(here.client, payment("warm"))

    answers = here.at_once([lambda client: client.post(PREDICT, json=asked)] * 20)

    assert len({without_latency(one) for one in answers}) == 1
    assert here.events("a") == len(here.decisions("a")) == 1


def test_many_at_once_are_each_recorded_once(here: Bank) -> None:
    """Of these some are of one event, and some are in conflict with it."""

    def post(asked: Json) -> Callable[[FlaskClient], Any]:
        return lambda client: client.post(PREDICT, json=asked)

    asked = [payment(f"e{n % 8}", record=True, **at(NOON - timedelta(seconds=n % 8))) for n in
             range(24)]  # fmt: skip
    asked += [one | {"amounts": {"amount": 99.0}} for one in asked[:4]]
    answers = here.at_once([post(one) for one in asked])

    for n in range(8):
        assert here.events(f"e{n}") == len(here.decisions(f"e{n}")) == 1
        of_event = [a for a, b in zip(answers, asked, strict=True) if b["event_id"] == f"e{n}"]
        taken = [one for one in of_event if one.status_code == 200]
        assert len({without_latency(one) for one in taken}) == 1
        assert all(one.status_code in {200, 409} for one in of_event)
        assert len(of_event) - len(taken) in ({1, 3} if n < 4 else {0})


def test_the_same_event_twice_in_one_request(here: Bank) -> None:
    asked = payment("a", record=True)
    other = asked | {"amounts": {"amount": 99.0}}
    first, second, third = ask(here.client, {"rows": [asked, asked, other]})["answers"]
    assert first == second
    assert third["error"]["code"] == "conflict"
    assert third["error"]["details"]["held"]["amounts"] == asked["amounts"]
    assert here.events("a") == len(here.decisions("a")) == 1


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"amounts": {"amount": 12.35}},
        {"amounts": {}},
        {"keys": {"card": "c000017"}},
        {"attributes": {"channel": "shop", "distance": 3.5}},
        at(NOON - timedelta(seconds=61)),
    ],
)
def test_other_content_under_the_same_id_is_a_conflict(
    here: Bank, change: Json, record: bool
) -> None:
    asked = payment("a")
    ask(here.client, asked | {"record": True})

    error = error_of(
        here.client.post(PREDICT, json=asked | change | {"record": record}), 409, "conflict"
    )

    held, given_ = (error["details"][name] for name in ("held", "given"))
    for event, expected in ((held, asked), (given_, asked | change)):
        moment = datetime.fromisoformat(event.pop("event_at"))
        assert moment == datetime.fromisoformat(expected["event_at"])
        assert event == {name: value for name, value in expected.items() if name != "event_at"}
    assert error["details"]["field"] == "event_id"
    assert here.events("a") == len(here.decisions("a")) == 1


def test_an_event_that_came_before_is_decided_as_it_was_then(here: Bank) -> None:
    """It knows neither itself nor what happened later, and is not appended once more."""
    alone = ask(here.client, payment("a"))
    sent = here.client.post(EVENTS, json={"events": [payment("a")]})
    assert sent.get_json()["entries"][0]["outcome"] == "new"
    later = payment("b", **at(NOON - timedelta(seconds=30)))
    assert here.client.post(EVENTS, json={"events": [later]}).status_code == 200

    asked = payment("a", record=True)
    first = here.client.post(PREDICT, json=asked)

    answer = first.get_json()
    assert answer["recorded"]
    assert answer["predictions"] == alone["predictions"]
    assert answer["reasons"] == alone["reasons"]
    assert without_latency(here.client.post(PREDICT, json=asked)) == without_latency(first)
    (kept,) = here.decisions("a")
    assert here.events("a") == 1
    assert kept.sequence == sent.get_json()["entries"][0]["sequence"]
    repeat = here.client.post(EVENTS, json={"events": [payment("a")]}).get_json()
    assert repeat["entries"][0]["outcome"] == "repeat"


def test_a_decision_that_was_not_recorded_does_not_bind(here: Bank) -> None:
    ask(here.client, payment("a"))
    here.spool.drain()
    ask(here.client, payment("b", record=True))
    recorded = ask(here.client, payment("a", record=True))
    assert recorded["recorded"]
    assert [one.recorded for one in here.decisions("a")] == [False, True]
    assert not ask(here.client, payment("a"))["recorded"]


# What is no event of the stream


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    ("change", "field", "fault"),
    [
        (at(NOON + timedelta(minutes=6)), "event_at", "is in the future: it is 2026-04-21T12:00"),
        (at(NOON - KEEP - timedelta(hours=1)), "event_at", "is more than 400 days ago"),
        (at(datetime(1, 1, 1, tzinfo=UTC)), "event_at", "is more than 400 days ago"),
        ({"keys": {"card": "c", "iban": "x"}}, "keys.iban", "none of the stream's"),
        ({"keys": {}}, "keys", "is empty"),
        ({"amounts": {"fee": 1}}, "amounts.fee", "none of the stream's"),
        ({"amounts": {"amount": 90071992547409.93}}, "amounts.amount", "is beyond 2^53"),
        ({"amounts": {"amount": 1e300}}, "amounts.amount", "is beyond 2^53"),
        ({"amounts": {"amount": 0.001}}, "amounts.amount", "more than 2 decimals"),
        ({"attributes": {"color": "red"}}, "attributes.color", "none of the stream's"),
        ({"attributes": {"distance": "far"}}, "attributes.distance", "is no number"),
        ({"attributes": {"channel": True}}, "attributes.channel", "is no text"),
    ],
)
def test_an_event_that_does_not_fit_its_stream(
    here: Bank, change: Json, field: str, fault: str, record: bool
) -> None:
    asked = payment("a", record=record) | change
    error = error_of(here.client.post(PREDICT, json=asked), 422, "invalid_event")
    (named,) = error["details"]["fields"]
    assert named["field"] == field
    assert fault in named["message"]
    found = ask(here.client, {"rows": [payment("b", record=True), asked]})["answers"]
    assert found[1]["error"]["details"] == error["details"]
    assert found[0]["recorded"]
    assert here.events("a") == 0
    assert [one.event_id for one in here.decisions()] == ["b"]
    assert here.spooled == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"event_id": 17}, "event_id"),
        ({"event_at": "2026-04-21T11:59:00"}, "event_at"),  # no zone
        ({"event_at": "2026-04-21"}, "event_at"),
        ({"event_at": 1776772740}, "event_at"),
        ({"keys": {"card": 17}}, "keys.card"),
        ({"keys": {"card": ""}}, "keys.card"),
        ({"keys": None}, "keys"),
        ({"amounts": {"amount": -0.01}}, "amounts.amount"),
        ({"amounts": {"amount": "12"}}, "amounts.amount"),
        ({"amounts": {"amount": True}}, "amounts.amount"),
        ({"attributes": {"channel": None}}, "attributes.channel"),
        ({"record": 1}, "record"),
        ({"record": "yes"}, "record"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_event(here: Bank, change: Json, field: str) -> None:
    error = error_of(
        here.client.post(PREDICT, json=payment("a", record=True) | change), 400, "invalid_request"
    )
    assert all(one["field"].startswith(field) for one in error["details"]["fields"])
    assert here.events("a") == 0


@pytest.mark.parametrize("missing", ["event_id", "event_at", "keys"])
def test_a_field_that_is_missing_is_named(here: Bank, missing: str) -> None:
    asked = {name: value for name, value in payment("a").items() if name != missing}
    error = error_of(here.client.post(PREDICT, json=asked), 400, "invalid_request")
    assert [one["field"] for one in error["details"]["fields"]] == [missing]


def test_what_is_at_the_edge_is_decided_and_kept(here: Bank) -> None:
    """The latest and earliest moments, the largest and longest values that are taken."""
    edges: list[Json] = [
        at(NOON + timedelta(minutes=4)),
        at(NOON - KEEP + timedelta(hours=1)),
        {"amounts": {"amount": 90071992547409.92}},
        {"amounts": {"amount": 0}},
        {"amounts": {}, "attributes": {}},
        {"attributes": {"distance": -0.0}},
        {"attributes": {"distance": -1e22, "channel": "x" * 10_000}},
        {"attributes": {"distance": 1, "channel": ""}},
        {"keys": {"card": "🥐" * 200, "terminal": "\x7f\u2028\ufffd"}},
    ]
    for number, change in enumerate(edges):
        asked = payment(f"{number:0200d}", record=True) | change
        first = here.client.post(PREDICT, json=asked)
        assert without_latency(first) == without_latency(here.client.post(PREDICT, json=asked))
        ask(here.client, asked | {"record": False})
        assert here.events(asked["event_id"]) == 1


# Decisions that are not recorded: by a file


def test_a_decision_that_is_not_recorded_is_kept_once(here: Bank) -> None:
    answer = here.client.post(PREDICT, json=payment("a"))
    assert here.decisions() == []
    assert len(here.spooled) == 1

    assert here.spool.drain() == 1
    assert here.spool.drain() == 0

    (kept,) = here.decisions()
    assert (kept.event_id, kept.recorded, kept.stale) == ("a", False, False)
    assert kept.answer.encode() == without_latency(answer)
    assert json.loads(kept.request) | at(NOON) == payment("a", record=False) | at(NOON)
    assert here.events("a") == 0
    assert here.spooled == []


def test_what_was_written_and_not_deleted_is_written_once(here: Bank) -> None:
    """The process ended after the warehouse had them."""
    for name in ("a", "b", "a"):
        ask(here.client, payment(name))
    (file,) = here.spooled
    before = file.read_bytes()
    assert here.spool.drain() == 3
    file.write_bytes(before)

    here.spool.drain()

    assert [one.event_id for one in here.decisions()] == ["a", "b", "a"]
    assert here.spooled == []


def test_the_end_of_a_process_that_was_killed_as_it_wrote_is_passed_over(here: Bank) -> None:
    ask(here.client, payment("a"))
    ask(here.client, payment("b"))
    (file,) = here.spooled
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1][: len(lines[1]) // 2])

    here.spool.drain()

    assert [one.event_id for one in here.decisions()] == ["a"]
    assert here.spooled == []


def test_a_file_of_a_process_that_ended_is_adopted(here: Bank) -> None:
    ask(here.client, payment("a"))
    other = Spool(here.runtime)
    assert other.drain() == 0, "its process lives, and holds it"
    assert len(here.spooled) == 1

    held = here.spool._file
    assert held is not None
    os.close(held.descriptor)  # as the end of a process does
    here.spool._file = None

    assert other.drain() == 1
    assert [one.event_id for one in here.decisions()] == ["a"]
    assert here.spooled == []


def test_they_go_to_the_warehouse_by_themselves(own: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "follow", FOLLOW)
    ask(own.client, payment("a"))
    deadline = time.monotonic() + 30
    while not own.decisions() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [one.event_id for one in own.decisions()] == ["a"]


def test_where_the_disk_is_full_they_go_to_the_warehouse_at_once(
    here: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    ask(here.client, payment("a"))
    assert [(one.event_id, one.recorded) for one in here.decisions()] == [("a", False)]
    assert here.events("a") == 0


# While PostgreSQL is down


def test_while_the_warehouse_is_down_what_is_remembered_answers(here: Bank) -> None:
    fresh = ask(here.client, payment("a", record=True))
    with here.outage():
        stale = ask(here.client, payment("b", record=True))
        again = ask(here.client, payment("a", record=True))
        for answer in (stale, again):
            ANSWER.model_validate_json(json.dumps(answer))
            assert (answer["recorded"], answer["stale"]) == (False, True)
            assert answer["watermark"] == fresh["watermark"]
        error_of(
            here.client.post(EVENTS, json={"events": [payment("c")]}), 503, "warehouse_unavailable"
        )
        error_of(here.client.get("/readyz"), 503, "not_ready")
        with pytest.raises(WarehouseUnavailable):
            here.spool.drain()
        assert len(here.spooled) >= 1

    assert here.spool.drain() == 2
    kept = [(one.event_id, one.stale, one.recorded) for one in here.decisions()]
    assert kept == [("a", False, True), ("b", True, False), ("a", True, False)]
    assert here.events("b") == 0
    recorded = ask(here.client, payment("b", record=True))
    assert (recorded["recorded"], recorded["stale"]) == (True, False)
    assert here.events("b") == 1
    assert ask(here.client, payment("a", record=True)) | {"latency_ms": 0} == fresh | {
        "latency_ms": 0
    }


def test_what_is_remembered_is_trusted_for_a_while(here: Bank) -> None:
    ask(here.client, payment("a"))
    heads = service_of(here.app).decisions._heads  # another one for the next test
    with here.outage():
        assert ask(here.client, payment("b"))["stale"]
        heads._monotonic = lambda: time.monotonic() + 3601  # settings.stale_seconds are 3600
        error_of(here.client.post(PREDICT, json=payment("b")), 503, "warehouse_unavailable")
        found = here.client.post(PREDICT, json={"rows": [payment("c", record=True)]})
        error_of(found, 503, "warehouse_unavailable")


def test_so_is_the_version_that_answers(all_books: Books, tmp_path: Path) -> None:
    with bank(all_books, tmp_path / "spool", stale_seconds=1.0) as here:
        ask(here.client, payment("a"))
        with here.outage():
            time.sleep(1.1)
            error_of(here.client.post(PREDICT, json=payment("b")), 503, "warehouse_unavailable")
        assert not ask(here.client, payment("b"))["stale"]


def test_keys_that_nobody_asked_about_are_not_remembered(here: Bank) -> None:
    ask(here.client, payment("a"))
    stranger = payment("b", keys={"card": "c000099", "terminal": "t00099"})
    half = payment("c", keys={"card": "c000017", "terminal": "t00099"})
    with here.outage():
        error_of(here.client.post(PREDICT, json=stranger), 503, "warehouse_unavailable")
        assert ask(here.client, half)["watermark"] is not None
        found = ask(here.client, {"rows": [payment("d"), stranger]})
        check_form(document_of(here), found, "FraudAnswers")
        ANSWERS.model_validate_json(json.dumps(found))
        known, unknown = found["answers"]
        assert known["watermark"] is not None
        assert known["stale"]
        assert unknown["error"]["code"] == "warehouse_unavailable"
    here.spool.drain()
    (kept,) = here.decisions("c")
    assert kept.known["card"] is not None
    assert kept.known["terminal"] is None


def test_what_was_read_of_a_later_moment_does_not_answer_for_an_earlier_one(here: Bank) -> None:
    ask(here.client, payment("a"))
    with here.outage():
        earlier = payment("b", **at(NOON - timedelta(hours=1)))
        error_of(here.client.post(PREDICT, json=earlier), 503, "warehouse_unavailable")


@pytest.mark.parametrize("tiled", ["nothing", "before", "meanwhile"])
def test_a_stale_answer_on_the_next_day_is_proven_too(here: Bank, tiled: str) -> None:
    """What was read of the day of one moment is enough for a moment of the day after it."""
    midnight = datetime.combine(LAST + timedelta(days=2), datetime.min.time(), UTC)
    here.clock.now = midnight - timedelta(minutes=10)

    def paid(name: str, minutes: float) -> Json:
        return payment(name, record=True, **at(midnight + timedelta(minutes=minutes)))

    def build() -> None:
        with begin(here.owner) as conn:
            build_tiles(conn, here.stream)

    for n in range(5):
        ask(here.client, paid(f"early-{n}", -300 + n))
    if tiled == "before":
        build()
    for n in range(5):
        ask(here.client, paid(f"late-{n}", -60 + n))
    if tiled == "meanwhile":
        build()
    ask(here.client, paid("last", -9))
    with here.outage():
        here.clock.now = midnight + timedelta(minutes=10)
        for n, minutes in enumerate((-8, -1, 0, 1, 9)):
            assert ask(here.client, paid(f"stale-{n}", minutes))["stale"]
    here.spool.drain()
    assert len([one for one in here.decisions() if one.stale]) == 5


def test_a_connection_that_broke_is_made_anew(here: Bank) -> None:
    first = here.client.post(PREDICT, json=payment("a", record=True))
    with here.outage():
        pass
    again = here.client.post(PREDICT, json=payment("a", record=True))
    assert without_latency(again) == without_latency(first)
    assert not ask(here.client, payment("b", record=True))["stale"]


def test_who_gets_no_answer_asks_again(here: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was recorded, and the answer was lost: the next one is that of the first."""
    record = decisions.record_decisions

    def lost(*asked: Any) -> Any:
        record(*asked)
        raise WarehouseUnavailable("It is away.", remedy="Wait.")

    with monkeypatch.context() as patched:
        patched.setattr(decisions, "record_decisions", lost)
        sent = here.client.post(PREDICT, json=payment("a", record=True))
        error_of(sent, 503, "warehouse_unavailable")
    answer = here.client.post(PREDICT, json=payment("a", record=True))
    (kept,) = here.decisions("a")
    assert kept.answer.encode() == without_latency(answer)
    assert here.events("a") == 1


# The proof


def test_a_decision_that_was_altered_is_named(here: Bank) -> None:
    for n in range(5):
        ask(here.client, payment(f"e{n}", record=True))
    assert here.differing() == []
    wrong = here.decisions("e3")[0]
    flip = text(
        "UPDATE ops.decision SET features = set_byte(features, 0, get_byte(features, 0) # 1)"
        " WHERE decision_id = :one"
    )
    with begin(here.owner) as conn:
        conn.execute(flip, {"one": wrong.decision_id})
    (found,) = here.proven()
    assert (found.decisions, found.differing) == (5, 1)
    assert found.first is not None
    assert found.first.decision_id == wrong.decision_id
    assert f"decision {wrong.decision_id} about event 'e3' (card 'c000017')" in found.first.text
    with begin(here.owner) as conn:
        conn.execute(flip, {"one": wrong.decision_id})


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_between_the_proof_finds_the_same(here: Bank, seed: int) -> None:
    """Late events, labels that come before them, repeats, tiles, outages, in any order."""
    rng = random.Random(seed)
    cards, terminals = [f"c{n:06d}" for n in range(3)], [f"t{n:05d}" for n in range(3)]
    sent: list[Json] = []

    def some(name: str) -> Json:
        back = rng.choice([0, 0, 0, 40, 3600, 90_000, 3_000_000]) + rng.random()
        keys = {"card": rng.choice(cards), "terminal": rng.choice(terminals)}
        if rng.random() < 0.2:
            keys.pop(rng.choice(list(keys)))
        moment = here.clock.now - timedelta(seconds=back)
        amounts = {"amount": rng.randrange(100_000) / 100} if rng.random() < 0.9 else {}
        return payment(name, keys=keys, amounts=amounts, record=rng.random() < 0.6, **at(moment))

    def step(number: int) -> None:
        here.clock.now += timedelta(seconds=rng.choice([0.5, 60, 20_000]))
        what = rng.random()
        if what < 0.5:
            rows = [some(f"e{number}-{n}") for n in range(rng.choice([1, 1, 5]))]
            sent.extend(rows)
            ask(here.client, {"rows": rows} if rng.random() < 0.5 else rows[0])
        elif what < 0.65:
            event = {k: v for k, v in some(f"e{number}").items() if k != "record"}
            sent.append(event)
            assert here.client.post(EVENTS, json={"events": [event]}).status_code == 200
        elif what < 0.75 and sent:
            label = {"event_id": rng.choice(sent)["event_id"], "fraud": rng.random() < 0.8}
            assert here.client.post(LABELS, json={"labels": [label]}).status_code == 200
        elif what < 0.85 and sent:
            ask(here.client, rng.choice(sent) | {"record": rng.random() < 0.5})
        elif what < 0.93:
            with begin(here.owner) as conn:
                build_tiles(conn, here.stream)
        else:
            with here.outage():
                for n in range(3):
                    asked = some(f"o{number}-{n}")
                    status = here.client.post(PREDICT, json=asked).status_code
                    assert status in {200, 503}

    for number in range(60):
        step(number)
    here.spool.drain()
    made = here.decisions()
    assert len(made) > 40
    assert {one.recorded for one in made} == {True, False}


# What a deciding model has and has not


def test_a_decision_is_asked_for_by_a_body_only(here: Bank) -> None:
    address = f"{PREDICT}?event_id=a&event_at=2026-04-21T11:59:00Z"
    response = here.client.get(address)
    error = error_of(response, 405, "method_not_allowed")
    assert "POST /v1/models/fraud/predict" in error["remedy"]
    assert response.headers["Allow"] == "POST"
    assert here.client.head(address).status_code == 405


@pytest.mark.parametrize("address", ["compare=published", "compare=published&explain=true"])
def test_there_is_nothing_to_compare_with(here: Bank, address: str) -> None:
    response = here.client.post(f"{PREDICT}?{address}", json=payment("a", record=True))
    error = error_of(response, 400, "invalid_request")
    assert "fraud answers about events as they come" in error["message"]
    assert error["details"] == {"field": "compare"}
    assert here.events("a") == 0


def test_an_answer_explains_a_hundred_at_most(here: Bank) -> None:
    rows = [payment(f"e{n}", record=True) for n in range(101)]
    response = here.client.post(f"{PREDICT}?explain=true", json={"rows": rows})
    error = error_of(response, 400, "invalid_request")
    assert error["details"] == {"field": "rows", "limit": 100}
    assert here.decisions() == []
    found = ask(here.client, {"rows": rows[:100]}, f"{PREDICT}?explain=true")
    assert all("explanation" in one["predictions"][0] for one in found["answers"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/ready"),
        ("GET", "/versions/1"),
        ("GET", "/versions/1/ready"),
        ("POST", "/infer"),
        ("POST", "/versions/1/infer"),
    ],
)
def test_it_is_not_offered_by_tensors(here: Bank, method: str, path: str) -> None:
    body = {"inputs": []} if method == "POST" else None
    response = here.client.open(f"/v2/models/fraud{path}", method=method, json=body)
    assert response.status_code == 404
    said = response.get_json()
    assert said["code"] == "not_found"
    assert "POST /v1/models/fraud/predict" in said["remedy"]
    unknown = here.client.open(f"/v2/models/x{path}", method=method, json=body).get_json()
    assert (unknown["code"], unknown["details"]["models"]) == ("not_found", [])


def test_the_document_has_what_there_is(here: Bank) -> None:
    found = document_of(here)
    methods = found["paths"][PREDICT]
    assert methods.keys() == {"post"}
    assert {"200", "400", "404", "409", "415", "422", "503"} <= methods["post"]["responses"].keys()
    assert [one["name"] for one in methods["post"]["parameters"]] == ["explain"]
    assert not [path for path in found["paths"] if path.startswith("/v2/models")]
    (example,) = methods["post"]["responses"]["200"]["content"]["application/json"][
        "examples"
    ].values()
    ANSWER.model_validate_json(json.dumps(example["value"]))

    beside = create_app(here.runtime, authenticator=Anybody(), models=[TOY, MODEL])
    both = beside.test_client().get("/v1/openapi.json").get_json()["paths"]
    assert both["/v1/models/toy/predict"].keys() == {"get", "post"}
    assert both[PREDICT].keys() == {"post"}
    for path, methods in both.items():
        for method in methods.values():
            for one in method.get("parameters", ()):
                if one["name"] == "model":
                    names = ["toy"] if path.startswith("/v2") else ["fraud", "toy"]
                    assert one["schema"]["enum"] == names


def test_every_answer_keeps_to_the_document(here: Bank) -> None:
    config = SchemathesisConfig.from_dict(
        {
            "generation": {"with-security-parameters": False},
            "checks": {
                "ignored_auth": {"enabled": False},  # here everybody may ask
                "positive_data_acceptance": {"expected-statuses": ["200", "409", "422"]},
                "negative_data_rejection": {"expected-statuses": ["400", "413"]},
            },
        }
    )
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", here.app, config=config)
    predict = schema[PREDICT]["POST"]
    some = settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @some
    @given(
        st.one_of(
            predict.as_strategy(generation_mode=mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )
    )
    def any_request(case: Case) -> None:
        case.call_and_validate()

    known = st.fixed_dictionaries(
        {
            "event_id": st.sampled_from("abcdefgh"),
            "event_at": st.integers(-400 * 86_400, 290).map(
                lambda seconds: (NOON + timedelta(seconds=seconds)).isoformat()
            ),
            "keys": st.fixed_dictionaries(
                {},
                optional={
                    "card": st.text(st.characters(exclude_characters="\0", codec="utf-8"),
                                    min_size=1, max_size=9),
                    "terminal": st.sampled_from(["t00001", "t00002"]),
                },
            ),
        },
        optional={
            "amounts": st.fixed_dictionaries(
                {}, optional={"amount": st.integers(0, 2**53).map(lambda cents: cents / 100)}
            ),
            "attributes": st.fixed_dictionaries(
                {},
                optional={
                    "channel": st.sampled_from(["web", "shop", "ünï"]),
                    "distance": st.floats(-1e20, 1e20),
                },
            ),
            "record": st.booleans(),
        },
    )  # fmt: skip

    @some
    @given(st.one_of(known, st.lists(known, min_size=1, max_size=5).map(lambda r: {"rows": r})))
    def known_request(body: Json) -> None:
        predict.Case(body=body, media_type="application/json").call_and_validate()

    any_request()
    known_request()


def test_it_is_listed_and_ready_by_its_champion(here: Bank) -> None:
    (listed,) = here.client.get("/v1/models").get_json()["models"]
    nothing = dict.fromkeys(("published", "problem", "absent"))
    assert listed == {"model": "fraud", "champion": here.books.version, **nothing}
    detail = here.client.get("/v1/models/fraud").get_json()
    assert detail["keys"] == []
    assert detail["request"]["required"] == ["event_id", "event_at", "keys"]
    assert detail["manifest"]["version"] == here.books.version
    ready = here.client.get("/readyz").get_json()
    assert ready["checks"] == {"warehouse": "ok", "fraud": "ok"}


def test_metrics_show_it(own: Bank) -> None:
    ask(own.client, payment("a"))
    ask(own.client, {"rows": [payment("b")]})
    own.client.post(PREDICT, json=payment("c", keys={}))
    shown = own.client.get("/metrics").get_data(as_text=True)
    for line in (
        'daybreak_prediction_seconds_count{model="fraud",source="live"} 1.0',
        'daybreak_prediction_seconds_count{model="fraud",source="many"} 1.0',
        'daybreak_requests_total{code="invalid_event",route="/v1/models/<name>/predict",'
        'status="422"} 1.0',
    ):
        assert line in shown
    info = f'model="fraud",version="{own.books.version}"'
    (published,) = re.findall(r"^daybreak_publication_info{(.*)} 1.0$", shown, re.M)
    assert 'generation=""' in published
    assert 'business_date=""' in published
    assert all(part in published for part in info.split(","))
    assert 'daybreak_business_date_timestamp_seconds{model="fraud"' not in shown


def test_before_a_promotion_it_says_so_and_holds_up_nobody(
    make_runtime: Callable[..., Runtime],
) -> None:
    runtime = make_runtime(refresh_seconds=1e-9, dataset="payments")
    publish_day(runtime)
    client = create_app(runtime, authenticator=Anybody(), models=[TOY, MODEL]).test_client()
    error = error_of(client.post(PREDICT, json=payment("a")), 503, "no_champion")
    assert "fraud" in error["message"]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]) == (
        200,
        {"warehouse": "ok", "toy": "ok", "fraud": "no_champion"},
    )
    listed = {one["model"]: one for one in client.get("/v1/models").get_json()["models"]}
    assert (listed["fraud"]["champion"], listed["fraud"]["published"]) == (None, None)
    assert listed["fraud"]["problem"]["code"] == "no_champion"
    alone = create_app(runtime, authenticator=Anybody(), models=[MODEL]).test_client()
    error = error_of(alone.get("/readyz"), 503, "not_ready")
    assert error["details"]["checks"] == {"fraud": "no_champion"}


def test_a_data_set_without_streams_is_ready_without_it(
    make_runtime: Callable[..., Runtime], tmp_path: Path
) -> None:
    file = tmp_path / "ratings.yaml"
    file.write_text("name: ratings\ninteractions: {files: ratings.csv}\n")
    runtime = make_runtime(refresh_seconds=1e-9, dataset=str(file))
    publish_day(runtime)
    client = create_app(runtime, authenticator=Anybody(), models=[TOY, MODEL]).test_client()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]) == (
        200,
        {"warehouse": "ok", "toy": "ok", "fraud": "not_carried"},
    )
    listed = {one["model"]: one for one in client.get("/v1/models").get_json()["models"]}
    assert listed["fraud"]["absent"] == "needs streams and labels"
    error_of(client.post(PREDICT, json=payment("a")), 503, "no_champion")


def test_a_stream_that_is_gone_is_not_found(here: Bank) -> None:
    ask(here.client, payment("a"))
    here.spool.drain()
    with begin(here.owner) as conn:
        conn.execute(text("UPDATE ops.stream SET stream = 'other'"))
    response = here.client.post(PREDICT, json=payment("b", record=True))
    assert error_of(response, 404, "not_found")["details"]["field"] == "stream"
    with begin(here.owner) as conn:
        conn.execute(text("UPDATE ops.stream SET stream = 'payments'"))
    ask(here.client, payment("b", record=True))


def test_it_takes_no_trials(here: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    version = here.books.other
    for begin_trial in (
        lambda: trials.canary("fraud", version, 10, "look", actor="test", runtime=here.runtime),
        lambda: trials.shadow("fraud", version, "look", actor="test", runtime=here.runtime),
    ):
        with pytest.raises(InvalidRequest, match="models that decide take no trials yet") as error:
            begin_trial()
        assert "daybreak models promote fraud" in error.value.remedy
    monkeypatch.setattr(trials, "get_runtime", lambda: here.runtime)
    for command in (["canary", "--share", "10"], ["shadow"]):
        name, *options = command
        done = CliRunner().invoke(
            commands, ["models", name, "fraud", version, "--reason", "look", *options]
        )
        assert done.exit_code != 0
        assert isinstance(done.exception, InvalidRequest)
    assert here.rows("SELECT FROM ops.trial") == []


def test_a_version_that_cannot_be_used_leaves_the_one_before(own: Bank) -> None:
    """The answer and the lists say which one it is."""
    before = ask(own.client, payment("a"))["version"]
    files = Path(own.runtime.settings.registry_location) / "fraud" / own.books.other
    moved = files.rename(files.with_name("moved"))
    try:
        own.promote(own.books.other)
        assert ask(own.client, payment("b"))["version"] == before
        (listed,) = own.client.get("/v1/models").get_json()["models"]
        assert listed["champion"] == own.books.other
        assert listed["problem"]["code"] == "artifact_missing"
        assert own.client.get("/readyz").get_json()["checks"]["fraud"] == "artifact_missing"
    finally:
        moved.rename(files)


@pytest.mark.parametrize("distance", [1e23, -1e25, 1e30, 1.7976931348623157e20, 0.1])
def test_a_number_of_any_size_is_the_same_when_it_is_asked_about_again(
    here: Bank, distance: float
) -> None:
    form = payment("a", record=True) | {"attributes": {"distance": distance}}
    first = ask(here.client, form)
    assert ask(here.client, form)["predictions"] == first["predictions"]


def test_an_event_is_appended_by_who_may_send_events_only(here: Bank) -> None:
    app = create_app(here.runtime, authenticator=ApiKeys(here.runtime), models=[MODEL])
    with begin(here.owner) as conn:
        reading = create_key(conn, "reads", here.runtime.clock(), scopes=["predict"]).token
        sending = create_key(conn, "s", here.runtime.clock(), scopes=["predict", "events"]).token
    client = app.test_client()

    def asked(token: str, body: dict[str, Any]) -> int:
        headers = {"X-API-Key": token}
        return client.post(PREDICT, json=body, headers=headers).status_code

    assert asked(reading, payment("a")) == 200
    assert asked(reading, payment("a", record=True)) == 403
    assert asked(reading, {"rows": [payment("b"), payment("a", record=True)]}) == 403
    assert asked(sending, {"rows": [payment("b"), payment("a", record=True)]}) == 200
