"""Events and labels over HTTP: taken wholly or not at all, once, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient
from sqlalchemy import text

from daybreak.errors import WarehouseUnavailable
from daybreak.runtime import Runtime
from daybreak.serving import streams
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse.engine import begin, connect
from toy import TOY

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENTS, LABELS = "/v1/streams/payments/events", "/v1/streams/payments/labels"
PAYMENT: dict[str, Any] = {
    "event_id": "a",
    "event_at": "2026-03-02T12:00:00+01:00",
    "keys": {"card": "c1", "shop": "s1"},
    "amounts": {"amount": 12.34},
    "attributes": {"channel": "web", "distance": 3, "app": True},
}
ATTRIBUTES = {"channel": "text", "distance": "number", "app": "flag"}
STREAM = Stream("payments", ("card", "shop"), ("amount",), 2, ATTRIBUTES, "UTC")


class Anybody:
    """Lets in everybody, to all but what the header X-Lacking names."""

    def authenticate(self, request: Request) -> Caller:
        lacking = request.headers.get("X-Lacking")
        return Caller("test", "test", lambda scope, _: scope != lacking)


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    found = make_runtime()
    found.clock = lambda: NOW
    with begin(found.engine) as conn:
        declare(conn, STREAM, NOW)
    return found


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return create_app(runtime, authenticator=Anybody(), models=[TOY])


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def rows(runtime: Runtime, query: str) -> list[tuple[Any, ...]]:
    with connect(runtime.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    error: dict[str, Any] = response.get_json()["error"]
    assert error["code"] == code
    return error


def test_an_event_is_taken(runtime: Runtime, client: FlaskClient) -> None:
    answer = client.post(EVENTS, json={"events": [PAYMENT]})

    assert answer.status_code == 200
    assert answer.get_json() == {
        "stream": "payments",
        "entries": [
            {"event_id": "a", "outcome": "new", "sequence": 1, "known_at": "2026-03-02T12:00:00Z"}
        ],
    }
    columns = "event_at, business_date, key_1, key_2, amount_1, attributes, load_id"
    ((at, day, *others),) = rows(runtime, f"SELECT {columns} FROM raw.event")
    assert (at, str(day)) == (NOW - timedelta(hours=1), "2026-03-02")
    assert others == ["c1", "s1", 1234, {"channel": "web", "distance": 3, "app": True}, None]


def test_a_repeat_gets_the_same_answer(runtime: Runtime, client: FlaskClient) -> None:
    sent = {"events": [PAYMENT, PAYMENT | {"event_id": "b"}, PAYMENT]}
    first = client.post(EVENTS, json=sent).get_json()
    again = client.post(EVENTS, json=sent).get_json()

    assert [one["outcome"] for one in first["entries"]] == ["new", "new", "repeat"]
    assert [one["outcome"] for one in again["entries"]] == ["repeat"] * 3
    for one in (*first["entries"], *again["entries"]):
        one.pop("outcome")
    assert again == first
    assert len(rows(runtime, "SELECT FROM raw.event")) == 2


def test_a_conflict_says_both_and_takes_nothing(runtime: Runtime, client: FlaskClient) -> None:
    client.post(EVENTS, json={"events": [PAYMENT]})
    other = PAYMENT | {"amounts": {"amount": 12.35}}

    answer = client.post(EVENTS, json={"events": [PAYMENT | {"event_id": "b"}, other]})

    details = error_of(answer, 409, "conflict")["details"]
    assert details["field"] == "events.1.event_id"
    assert details["given"]["amounts"] == {"amount": 12.35}
    at = {"event_at": "2026-03-02T11:00:00Z"}
    assert details["held"] == PAYMENT | at
    assert len(rows(runtime, "SELECT FROM raw.event")) == 1


@pytest.mark.parametrize(
    ("change", "field", "fault"),
    [
        ({"keys": {"card": "c", "iban": "x"}}, "keys.iban", "none of the stream's"),
        ({"keys": {}}, "keys", "empty"),
        ({"amounts": {"fee": 1}}, "amounts.fee", "none of the stream's"),
        ({"amounts": {"amount": 1.234}}, "amounts.amount", "more than 2 decimals"),
        ({"amounts": {"amount": 1e300}}, "amounts.amount", "beyond 2^53"),
        ({"amounts": {"amount": 90071992547409.93}}, "amounts.amount", "beyond 2^53"),
        ({"attributes": {"color": "red"}}, "attributes.color", "none of the stream's"),
        ({"attributes": {"distance": True}}, "attributes.distance", "no number"),
        ({"attributes": {"distance": -1.1e30}}, "attributes.distance", "beyond 1e30"),
        ({"attributes": {"channel": 1}}, "attributes.channel", "no text"),
        ({"attributes": {"app": "yes"}}, "attributes.app", "no flag"),
        ({"event_at": "2026-03-02T15:00:00Z"}, "event_at", "future: it is 2026-03-02T12:00:00"),
        ({"event_at": "2025-01-25T11:00:00Z"}, "event_at", "more than 400 days ago"),
        ({"event_at": "0001-01-01T00:00:00+14:00"}, "event_at", "more than 400 days ago"),
        ({"event_at": "9999-12-31T23:59:59-14:00"}, "event_at", "future"),
    ],
)
def test_an_event_that_does_not_fit_its_stream(
    runtime: Runtime, client: FlaskClient, change: dict[str, Any], field: str, fault: str
) -> None:
    answer = client.post(
        EVENTS, json={"events": [PAYMENT, PAYMENT | {"event_id": "b"} | change, PAYMENT]}
    )

    (named,) = error_of(answer, 422, "invalid_event")["details"]["fields"]
    assert named["field"] == f"events.1.{field}"
    assert fault in named["message"]
    assert rows(runtime, "SELECT FROM raw.event") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"event_at": "2026-03-02T12:00:00"}, "event_at"),
        ({"event_at": "2026-03-02"}, "event_at"),
        ({"event_at": 1772452800}, "event_at"),
        ({"keys": {"card": ""}}, "keys.card"),
        ({"keys": {"card": 17}}, "keys.card"),
        ({"keys": ["c1"]}, "keys"),
        ({"amounts": {"amount": -1}}, "amounts.amount"),
        ({"amounts": {"amount": "12"}}, "amounts.amount"),
        ({"amounts": {"amount": True}}, "amounts.amount"),
        ({"attributes": {"channel": None}}, "attributes.channel"),
        ({"attributes": {"channel": "x" * 10_001}}, "attributes.channel"),
        ({"label": 1}, "label"),
    ],
)
def test_what_is_no_event(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    answer = client.post(EVENTS, json={"events": [PAYMENT | change]})

    named = error_of(answer, 400, "invalid_request")["details"]["fields"]
    assert all(one["field"].startswith(f"events.0.{field}") for one in named)


@pytest.mark.parametrize(
    ("events", "fault"),
    [([], "at least 1"), ([PAYMENT] * 1001, "at most 1000"), (PAYMENT, "valid array")],
)
def test_how_many(client: FlaskClient, events: Any, fault: str) -> None:
    answer = client.post(EVENTS, json={"events": events})
    assert fault in error_of(answer, 400, "invalid_request")["message"]


def test_many_faults_are_told_in_short(client: FlaskClient) -> None:
    wrong = PAYMENT | {"keys": {"iban": "x"}}
    error = error_of(client.post(EVENTS, json={"events": [wrong] * 30}), 422, "invalid_event")
    assert error["message"].startswith("30 field(s)")
    assert error["message"].endswith("and more.")
    assert len(error["details"]["fields"]) == 20


def test_a_thousand_at_once(runtime: Runtime, client: FlaskClient) -> None:
    sent = [PAYMENT | {"event_id": f"e{n}"} for n in range(1000)]
    answer = client.post(EVENTS, json={"events": sent}).get_json()

    assert [one["sequence"] for one in answer["entries"]] == list(range(1, 1001))
    assert len(rows(runtime, "SELECT FROM raw.event")) == 1000


def test_labels_are_taken(runtime: Runtime, client: FlaskClient) -> None:
    client.post(EVENTS, json={"events": [PAYMENT]})
    said = [("a", True), ("a", True), ("z", True), ("a", False)]

    answer = client.post(
        LABELS, json={"labels": [{"event_id": name, "fraud": fraud} for name, fraud in said]}
    )

    outcomes = [one["outcome"] for one in answer.get_json()["entries"]]
    assert outcomes == ["new", "repeat", "waits", "new"]
    found = rows(runtime, "SELECT event_id, was_fraud, fraud FROM raw.label ORDER BY sequence")
    assert found == [("a", False, True), ("z", False, True), ("a", True, False)]


@pytest.mark.parametrize("label", [{"event_id": "a"}, {"event_id": "a", "fraud": "yes"}])
def test_what_is_no_label(client: FlaskClient, label: dict[str, Any]) -> None:
    error_of(client.post(LABELS, json={"labels": [label]}), 400, "invalid_request")


@pytest.mark.parametrize("kind", ["events", "labels"])
def test_a_stream_that_there_is_not(client: FlaskClient, kind: str) -> None:
    sent = {"events": [PAYMENT]} if kind == "events" else {"labels": [
        {"event_id": "a", "fraud": True}]}  # fmt: skip
    answer = client.post(f"/v1/streams/visits/{kind}", json=sent)
    assert error_of(answer, 404, "not_found")["details"]["streams"] == ["payments"]


def test_a_stream_that_was_just_declared(
    runtime: Runtime, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(EVENTS, json={"events": [PAYMENT]})
    with begin(runtime.engine) as conn:
        declare(conn, Stream("visits", ("card",), (), 0, {}, "UTC"), NOW)

    event = {name: PAYMENT[name] for name in ("event_id", "event_at")} | {"keys": {"card": "c"}}
    answer = client.post("/v1/streams/visits/events", json={"events": [event]})

    assert answer.status_code == 200


def test_the_scope_is_that_of_events(client: FlaskClient) -> None:
    sent = {"events": [PAYMENT]}
    error_of(client.post(EVENTS, json=sent, headers={"X-Lacking": "events"}), 403, "forbidden")
    assert client.post(EVENTS, json=sent, headers={"X-Lacking": "predict"}).status_code == 200


def test_what_the_warehouse_cannot_take_is_not_acknowledged(
    runtime: Runtime, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(EVENTS, json={"events": [PAYMENT]})

    def fails(*_: Any) -> None:
        raise WarehouseUnavailable("It is away.", remedy="Wait.")

    with monkeypatch.context() as patched:
        patched.setattr(streams, "append_events", fails)
        sent = {"events": [PAYMENT | {"event_id": "b"}]}
        error_of(client.post(EVENTS, json=sent), 503, "warehouse_unavailable")
    assert client.post(EVENTS, json=sent).get_json()["entries"][0]["outcome"] == "new"
