"""The endpoint over a real warehouse and a real artifact, through Flask's client."""

from __future__ import annotations

import gzip
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient
from pydantic import create_model
from sqlalchemy import event, update

from day_equality import assert_day_equals, published_rows
from daybreak.errors import ConfigError, Unauthenticated
from daybreak.ledger.generations import rollback
from daybreak.ledger.verdicts import record_verdict
from daybreak.models.base import Day, Endpoint
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.batch import rows_of_a_night
from daybreak.scoring.engines.predictor import Predictor
from daybreak.serving import answers
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller, needs, public, require
from daybreak.serving.http.envelope import HEADERS
from daybreak.serving.rows import OVERHEAD, RowCache
from daybreak.serving.service import service_of
from daybreak.serving.turn import Turn
from daybreak.settings import Settings
from daybreak.types import Float32
from daybreak.warehouse.engine import begin, make_engine
from daybreak.warehouse.tables import snapshot
from open_routes import open_paths
from toy import (
    DAY,
    HORIZON,
    ITEMS,
    KEYS,
    SCORES,
    TOY,
    booster,
    publish_day,
    snapshot_rows,
)

PREDICT = "/v1/models/toy/predict"
BODY: dict[str, Any] = {"store": "S1", "item": "pear", "date": "2026-02-03"}


class Anybody:
    """Lets in every caller that does not ask to be refused, to what it does not ask to be kept
    from."""

    def authenticate(self, request: Request) -> Caller:
        if request.headers.get("X-API-Key") == "wrong":
            raise Unauthenticated("No.", remedy="Send a key.")
        lacking = request.headers.get("X-Lacking", "").split()
        return Caller("test", "test", lambda scope, model: not {scope, model} & {*lacking})


def make_app(runtime: Runtime) -> Flask:
    return create_app(runtime, authenticator=Anybody(), models=[TOY])


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=1e-9)  # each request looks at the pointer


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return make_app(runtime).test_client()


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error of a response, after checking the one shape that all errors have."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "remedy", "details"}
    assert body["error"]["code"] == code
    assert response.headers["Cache-Control"] == "no-store"
    return body["error"]


# Predictions


def test_a_whole_published_day_is_answered_bit_for_bit(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    assert assert_day_equals(client, runtime.engine, DAY, model=TOY) == len(KEYS) * HORIZON


def test_an_answer_says_all_that_is_needed_to_find_it_again(
    runtime: Runtime, client: FlaskClient
) -> None:
    generation = publish_day(runtime)
    response = client.post(PREDICT, json=BODY)
    answer = response.get_json()
    assert list(answer) == [
        "model",
        "version",
        "gate",
        "generation",
        "business_date",
        "source",
        "predictions",
        "latency_ms",
    ]
    assert answer["model"] == "toy"
    assert answer["version"] == generation.version
    assert answer["gate"] == "not_judged"
    assert answer["generation"] == generation.generation_id
    assert answer["business_date"] == "2026-02-01"
    assert 0 < answer["latency_ms"] < 60_000
    (prediction,) = answer["predictions"]
    assert list(prediction) == ["store_id", "item_id", "horizon", "target_date", *SCORES]
    assert prediction["store_id"] == "S1"
    assert prediction["item_id"] == "pear"
    assert prediction["horizon"] == 2
    assert prediction["target_date"] == "2026-02-03"
    assert response.headers["Cache-Control"] == "no-store"


def test_an_answer_by_address_is_the_same_until_another_generation_answers(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)

    def look_up(**headers: str) -> Any:
        return client.get(PREDICT, query_string=BODY, headers=headers)

    first = look_up()
    answer = client.post(PREDICT, json=BODY).get_json()
    assert first.get_json() == {name: answer[name] for name in answer if name != "latency_ms"}
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (look_up().data, look_up().headers["ETag"]) == (first.data, first.headers["ETag"])

    etag = first.headers["ETag"]
    assert not etag.startswith("W/")
    for named in (etag, "*", f'"other", {etag}'):
        unchanged = look_up(**{"If-None-Match": named})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        assert unchanged.headers["ETag"] == etag
        assert unchanged.headers["Cache-Control"] == "private, no-cache"
    assert look_up(**{"If-None-Match": '"other"'}).data == first.data
    elsewhere = client.get(PREDICT, query_string=BODY | {"item": "apple"})
    assert elsewhere.headers["ETag"] != etag

    publish_day(runtime, level=2.0, scale=3.0)
    changed = look_up(**{"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY, runtime.clock())
    # The version and generation of before answer again, with the very bytes.
    assert look_up(**{"If-None-Match": etag}).status_code == 304


def test_an_address_that_is_wrong_is_told_so(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    wrong = client.get(PREDICT, query_string=BODY | {"prize": "3", "explain": "true"})
    details = error_of(wrong, 400, "invalid_request")["details"]
    assert [one["field"] for one in details["fields"]] == ["prize", "explain"]
    error_of(client.get(PREDICT, query_string=BODY | {"item": "plum"}), 404, "not_found")
    error_of(
        client.get(PREDICT, query_string=BODY | {"date": "2027-01-01"}), 422, "outside_horizon"
    )


def test_each_of_many_has_its_own_answer_or_its_own_error(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    rows = [
        BODY,
        BODY | {"item": "plum"},
        BODY | {"date": "2026-03-01"},
        BODY | {"price": 3.5},
        BODY | {"store": "S2"},
        BODY,
    ]
    asked = statements(runtime)
    answer = client.post(PREDICT, json={"rows": rows}).get_json()
    assert sum("feature.sales_forecast" in text for text in asked) == 1, "of all entities"
    alone = [client.post(PREDICT, json=row).get_json() for row in rows]
    head = {name: alone[0][name] for name in ("model", "version", "gate", "generation")}
    assert {name: answer[name] for name in head} == head
    for number in (0, 3, 4, 5):
        names = answer["answers"][number].keys()
        assert names == {"source", "predictions"}
        assert answer["answers"][number] == {name: alone[number][name] for name in names}
    unknown, outside = (answer["answers"][number]["error"] for number in (1, 2))
    assert (unknown["code"], unknown["details"]["item_id"]) == ("not_found", "plum")
    assert outside == alone[2]["error"]


def statements(runtime: Runtime) -> list[str]:
    """What is sent to the warehouse from now on."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    event.listen(runtime.engine, "before_cursor_execute", note)
    return sent


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([], "rows"),
        ([BODY] * 1001, "rows"),
        ([BODY, BODY | {"price": "1"}], "rows.1.price"),
        ([BODY | {"date": "20260203"}], "rows.0.date"),
        (BODY, "rows"),
    ],
)
def test_rows_that_are_no_requests_are_named(client: FlaskClient, rows: Any, field: str) -> None:
    error = error_of(client.post(PREDICT, json={"rows": rows}), 400, "invalid_request")
    assert {one["field"] for one in error["details"]["fields"]} == {field}


def test_many_are_scored_a_few_at_a_time_and_no_further_than_an_answer_may_be_long(
    runtime: Runtime, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_day(runtime)
    rows = [BODY | {"price": 1 + n / 8} for n in range(20)]
    together = client.post(PREDICT, json={"rows": rows}).get_json()["answers"]
    scored: list[int] = []
    single = Predictor.single

    def count(engine: Predictor, X: Float32) -> Float32:
        scored.append(len(X))
        return single(engine, X)

    monkeypatch.setattr(Predictor, "single", count)
    monkeypatch.setattr(answers, "MOST_SCORED", 6)
    assert client.post(PREDICT, json={"rows": rows}).get_json()["answers"] == together
    assert scored == [5, 5, 5, 5]
    scored.clear()
    monkeypatch.setattr(answers, "MOST_PREDICTIONS", 7)
    error_of(client.post(PREDICT, json={"rows": rows}), 400, "invalid_request")
    assert scored == [5, 5], "what comes after is not scored"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"rows": [BODY | {str(n): n for n in range(100)}] * 200}, "and more"),
        ({str(n): n for n in range(20_000)}, "more than 1000 fields"),
    ],
)
def test_what_is_wrong_is_listed_in_few_lines(client: FlaskClient, body: Any, fault: str) -> None:
    response = client.post(PREDICT, json=body)
    assert fault in error_of(response, 400, "invalid_request")["message"]
    assert len(response.data) < 20_000


def test_an_answer_has_so_many_predictions(
    runtime: Runtime, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_day(runtime)
    monkeypatch.setattr(answers, "MOST_PREDICTIONS", 3)
    assert client.post(PREDICT, json={"rows": [BODY] * 3}).status_code == 200
    error = error_of(client.post(PREDICT, json={"rows": [BODY] * 4}), 400, "invalid_request")
    assert error["details"] == {"field": "rows", "limit": 3}
    monkeypatch.undo()
    monkeypatch.setattr(answers, "MOST_EXPLAINED", 2)
    asked = client.post(f"{PREDICT}?explain=true", json={"rows": [BODY] * 3})
    assert "each explained" in error_of(asked, 400, "invalid_request")["message"]


def test_a_live_answer_has_the_published_row_and_its_reasons_beside_it(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    published = client.post(PREDICT, json=BODY).get_json()["predictions"][0]
    answer = client.post(
        f"{PREDICT}?explain=true&compare=published", json=BODY | {"price": 4.5}
    ).get_json()
    (live,) = answer["predictions"]
    assert answer["source"] == "live"
    assert live["published"] == published
    assert live["p50"] != published["p50"]
    assert live["explanation"]["outputs"] == ["margin_1", "margin_2", "margin_3", "margin_4"]
    price = next(one for one in live["explanation"]["features"] if one["name"] == "price")
    assert price["value"] == 4.5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("compare=yesterday", "compare"),
        ("explain=1", "explain"),
        ("explain=true&explain=true", "explain"),
        ("explian=true", "explian"),
    ],
)
def test_an_address_that_asks_for_something_else_is_refused(
    runtime: Runtime, client: FlaskClient, query: str, field: str
) -> None:
    error = error_of(client.post(f"{PREDICT}?{query}", json=BODY), 400, "invalid_request")
    assert [one["field"] for one in error["details"]["fields"]] == [field]


def test_a_model_whose_requests_have_rows_cannot_be_served(runtime: Runtime) -> None:
    form = create_model("Rows", rows=(int, ...))
    model = replace(TOY, endpoint=Endpoint(form, entity=lambda _: ("S1", "pear")))
    with pytest.raises(ConfigError, match="'rows'"):
        create_app(runtime, authenticator=Anybody(), models=[model])


def test_a_version_that_its_gate_refused_is_marked_in_every_answer(
    make_runtime: Callable[..., Runtime],
) -> None:
    runtime = make_runtime(refresh_seconds=3600)
    generation = publish_day(runtime)
    client = make_app(runtime).test_client()

    def judge(passed: bool) -> None:
        with begin(runtime.engine) as conn:
            record_verdict(
                conn, model="toy", version=generation.version, passed=passed, reason=f"{passed}",
                evidence={}, actor="test", now=runtime.clock(),
            )  # fmt: skip

    judge(False)
    assert client.post(PREDICT, json=BODY).get_json()["gate"] == "refused"
    assert client.get("/v1/models/toy").get_json()["published"]["gate"] == "refused"
    judge(True)
    answer = client.post(PREDICT, json=BODY).get_json()
    assert answer["gate"] == "refused", "read with the publication, not for each request"
    again = make_app(runtime).test_client().post(PREDICT, json=BODY).get_json()
    assert again["gate"] == "passed"


def test_an_override_is_live_and_the_planned_value_given_again_is_not(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    plain = client.post(PREDICT, json=BODY).get_json()
    planned = float(snapshot_rows(1.0).values[KEYS.index(("S1", "pear")), 1])
    cases = {4.5: "live", planned: "published", None: "published"}
    for price, source in cases.items():
        answer = client.post(PREDICT, json=BODY | {"price": price}).get_json()
        assert answer["source"] == source, price
        assert (answer["predictions"] == plain["predictions"]) == (source == "published")


def test_an_unknown_item_is_named(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    for body in ({"item": "durian"}, {"store": "S9"}, {"item": "'; DROP TABLE raw.sales; --"}):
        error = error_of(client.post(PREDICT, json=BODY | body), 404, "not_found")
        assert error["remedy"]


def test_a_date_outside_the_horizon_is_refused_with_the_allowed_range(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    for days in (-400, 0, HORIZON + 1):
        asked = (DAY + timedelta(days=days)).isoformat()
        error = error_of(client.post(PREDICT, json=BODY | {"date": asked}), 422, "outside_horizon")
        assert error["details"]["first"] == "2026-02-02"
        assert error["details"]["last"] == "2026-02-08"


def test_a_malformed_request_names_each_field(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    error = error_of(
        client.post(PREDICT, json={"item": "", "date": "soon", "prize": 1}), 400, "invalid_request"
    )
    named = {fault["field"] for fault in error["details"]["fields"]}
    assert named == {"store", "item", "date", "prize"}


@pytest.mark.parametrize("body", [b"", b"{", b'{"store": "a", "store": "b"}', b"\xff", b"[1]"])
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, body: bytes) -> None:
    response = client.post(PREDICT, data=body, content_type="application/json")
    error_of(response, 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_a_body_of_another_type_is_refused(client: FlaskClient, content_type: str | None) -> None:
    response = client.post(PREDICT, data=json.dumps(BODY), content_type=content_type)
    error_of(response, 415, "unsupported_media_type")


def test_json_with_its_charset_is_taken(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    body = json.dumps(BODY | {"item": ITEMS[2]}, ensure_ascii=False).encode()
    response = client.post(PREDICT, data=body, content_type="application/json; charset=UTF-8")
    assert response.get_json()["predictions"][0]["item_id"] == "ünï ✓"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(
    make_runtime: Callable[..., Runtime], chunked: bool
) -> None:
    """Padded with blanks, so that a body cut off at the limit would still be good JSON."""
    runtime = make_runtime(max_body_bytes=200)
    publish_day(runtime)
    client = make_app(runtime).test_client()

    def send(length: int) -> Any:
        body = json.dumps(BODY).encode().ljust(length)
        if not chunked:
            return client.post(PREDICT, data=body, content_type="application/json")
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return client.post(
            PREDICT,
            input_stream=io.BytesIO(body),
            content_type="application/json",
            environ_overrides=environ,
        )

    assert send(200).status_code == 200
    for length in (201, 202, 5000):
        error = error_of(send(length), 413, "request_too_large")
        assert error["details"] == {"limit": 200}


def test_a_body_may_be_sent_with_gzip(
    make_runtime: Callable[..., Runtime],
) -> None:
    runtime = make_runtime(max_body_bytes=200)
    publish_day(runtime)
    client = make_app(runtime).test_client()
    whole = json.dumps(BODY).encode().ljust(200)

    def send(body: bytes, encoding: str = "gzip") -> Any:
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        return client.post(PREDICT, data=body, headers=headers)

    assert send(gzip.compress(whole)).status_code == 200
    assert send(gzip.compress(whole), "X-GZip").status_code == 200
    too_long = send(gzip.compress(whole + b" "))
    assert error_of(too_long, 413, "request_too_large")["details"] == {"limit": 200}
    for broken in (whole, gzip.compress(whole)[:-1], gzip.compress(whole) * 2, b""):
        assert "gzip" in error_of(send(broken), 400, "invalid_request")["message"]
    for other in ("br", "deflate", "identity", "gzip, gzip", ""):
        response = send(gzip.compress(whole), other)
        error_of(response, 415, "unsupported_media_type")
        assert response.headers["Accept-Encoding"] == "gzip"


# What is missing or wrong


def test_before_the_first_publication_the_answer_is_503(client: FlaskClient) -> None:
    error_of(client.post(PREDICT, json=BODY), 503, "not_published")


def test_an_altered_artifact_is_never_served(runtime: Runtime, client: FlaskClient) -> None:
    generation = publish_day(runtime)
    file = runtime.settings.state / "registry" / "toy" / generation.version / "model.ubj"
    file.chmod(0o644)
    original = file.read_bytes()
    file.write_bytes(original[:-1] + b"\x00")
    error_of(client.post(PREDICT, json=BODY), 503, "artifact_altered")
    assert client.get("/readyz").status_code == 503
    file.unlink()
    error_of(client.post(PREDICT, json=BODY), 503, "artifact_missing")
    file.write_bytes(original)
    assert client.post(PREDICT, json=BODY).status_code == 200


def test_a_version_trained_on_other_features_is_never_served(
    runtime: Runtime, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_day(runtime)
    of_the_next_release = tuple(reversed(TOY.features))
    monkeypatch.setitem(TOY.__dict__, "features", of_the_next_release)
    error_of(client.post(PREDICT, json=BODY), 503, "not_ready")
    assert client.get("/readyz").status_code == 503


def test_a_snapshot_of_another_layout_is_never_read(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    with begin(runtime.engine) as conn:
        conn.execute(update(snapshot).values(layout="of an older release"))
    error = error_of(client.post(PREDICT, json=BODY), 503, "not_ready")
    assert f"daybreak score toy --business-date {DAY}" in error["remedy"]
    assert client.get("/readyz").status_code == 503


def test_a_warehouse_that_was_never_there_is_503(tmp_path: Path) -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/nowhere"
    client = make_app(Runtime(Settings(home=tmp_path, warehouse_url=url))).test_client()
    for response in (client.post(PREDICT, json=BODY), client.get("/v1/models")):
        error_of(response, 503, "warehouse_unavailable")
        assert "hunter2" not in response.get_data(as_text=True)
    assert client.get("/healthz").status_code == 200
    assert "hunter2" not in client.get("/readyz").get_data(as_text=True)


def test_a_warehouse_that_was_never_migrated_says_so(tmp_path: Path, empty_url: str) -> None:
    runtime = Runtime(Settings(home=tmp_path, warehouse_url=empty_url))
    error = error_of(make_app(runtime).test_client().get("/readyz"), 503, "not_ready")
    assert error["details"]["checks"] == {"toy": "config_error"}
    assert "daybreak warehouse migrate" in error["remedy"]
    runtime.engine.dispose()


@pytest.fixture
def outage(warehouse_url: str) -> Callable[[Runtime], None]:
    """Make the warehouse of a runtime stop answering, from the next connection on."""

    def stop(runtime: Runtime) -> None:
        runtime.engine.dispose()
        runtime.__dict__["engine"] = make_engine("postgresql+psycopg://u@127.0.0.1:1/nowhere")

    return stop


def test_while_the_warehouse_is_down_rows_in_memory_are_answered(
    make_runtime: Callable[..., Runtime], outage: Callable[[Runtime], None]
) -> None:
    runtime = make_runtime(refresh_seconds=1e-9, stale_seconds=3600)
    client = make_app(runtime).test_client()
    publish_day(runtime)
    before = client.post(PREDICT, json=BODY).get_json()["predictions"]
    outage(runtime)
    assert client.post(PREDICT, json=BODY).get_json()["predictions"] == before
    error_of(client.post(PREDICT, json=BODY | {"item": "apple"}), 503, "warehouse_unavailable")
    error = error_of(client.get("/readyz"), 503, "not_ready")
    assert error["details"]["checks"] == {"warehouse": "warehouse_unavailable"}


def test_memory_is_not_trusted_for_longer_than_it_may_be(
    make_runtime: Callable[..., Runtime], outage: Callable[[Runtime], None]
) -> None:
    runtime = make_runtime(refresh_seconds=1e-9, stale_seconds=0)
    client = make_app(runtime).test_client()
    publish_day(runtime)
    assert client.post(PREDICT, json=BODY).status_code == 200
    outage(runtime)
    error_of(client.post(PREDICT, json=BODY), 503, "warehouse_unavailable")


# Publishing while requests come in


def test_the_newest_day_is_answered_and_a_rollback_is_followed(
    runtime: Runtime, client: FlaskClient
) -> None:
    first = publish_day(runtime)
    second = publish_day(runtime, level=2.0, scale=3.0)
    later = publish_day(runtime, DAY + timedelta(days=1))

    def generation() -> int:
        return client.post(PREDICT, json=BODY).get_json()["generation"]

    assert generation() == later.generation_id
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY + timedelta(days=1), runtime.clock())
    assert generation() == second.generation_id
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY, runtime.clock())
    assert generation() == first.generation_id
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY, runtime.clock())
    error_of(client.post(PREDICT, json=BODY), 503, "not_published")


def test_each_answer_comes_wholly_from_one_generation(runtime: Runtime) -> None:
    """Publishes flip version and snapshot while four threads ask: no answer mixes two."""
    app = make_app(runtime)
    tables: dict[int, list[dict[str, Any]]] = {}
    done = threading.Event()

    def ask() -> list[dict[str, Any]]:
        client, answers = app.test_client(), []
        while not done.is_set():
            answers.append(client.post(PREDICT, json=BODY).get_json())
        return answers

    def publish(turn: int) -> None:
        generation = publish_day(runtime, level=1.0 + turn, scale=2.0 + turn)
        _, rows = published_rows(runtime.engine, TOY, DAY)
        tables[generation.generation_id] = [
            {name: row[name] for name in SCORES}
            for row in rows
            if (row["store_id"], row["item_id"], row["horizon"]) == ("S1", "pear", 2)
        ]

    publish(0)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for turn in range(1, 6):
            publish(turn)
        done.set()
        answers = [answer for future in asking for answer in future.result()]

    assert len({answer["generation"] for answer in answers}) > 1
    for answer in answers:
        (expected,) = tables[answer["generation"]]
        assert answer["predictions"][0].items() >= expected.items()


def test_the_row_cache_holds_its_capacity_and_forgets_the_oldest(runtime: Runtime) -> None:
    generation = publish_day(runtime)
    cache = RowCache(runtime, capacity=2 * (OVERHEAD + snapshot_rows(1.0).values[0].nbytes))
    first = cache.get(TOY, generation, KEYS[0])
    cache.get(TOY, generation, KEYS[1])
    assert cache.get(TOY, generation, KEYS[0]) is first, "used again, so not the oldest"
    cache.get(TOY, generation, KEYS[2])
    assert cache.get(TOY, generation, KEYS[0]) is first
    assert len(cache._rows) == 2


def test_who_reads_a_row_lets_others_answer(runtime: Runtime) -> None:
    generation = publish_day(runtime)
    cache, turn = RowCache(runtime), Turn()
    turn.take()
    turn.lend(now=0.0)
    first = cache.get(TOY, generation, KEYS[0])
    assert not turn.back()
    turn.take()
    turn.lend(now=0.0)
    assert cache.get(TOY, generation, KEYS[0]) is first
    assert turn.back(), "of a row in memory nothing is waited for"
    turn.leave()


# The other routes


def test_models_are_listed_with_what_is_in_force_and_published(
    runtime: Runtime, client: FlaskClient
) -> None:
    (before,) = client.get("/v1/models").get_json()["models"]
    assert before["champion"] is None
    assert before["published"] is None
    assert before["problem"]["code"] == "not_published"

    generation = publish_day(runtime)
    (after,) = client.get("/v1/models").get_json()["models"]
    assert after["champion"] == generation.version
    assert after["problem"] is None
    assert after["published"]["generation"] == generation.generation_id
    assert after["published"]["business_date"] == "2026-02-01"
    assert after["published"]["rows"] == len(KEYS) * HORIZON

    detail = client.get("/v1/models/toy").get_json()
    assert detail.items() >= after.items()
    assert detail["keys"] == ["store_id", "item_id"]
    assert detail["manifest"]["version"] == generation.version
    assert set(detail["request"]["required"]) == {"store", "item", "date"}


@pytest.mark.parametrize("path", ["/v1/models/other", "/v1/models/other/predict"])
def test_an_unknown_model_is_refused_with_those_that_exist(client: FlaskClient, path: str) -> None:
    call = client.post if path.endswith("predict") else client.get
    error = error_of(
        call(path, **({"json": BODY} if call == client.post else {})), 404, "not_found"
    )
    assert error["details"]["models"] == ["toy"]


def test_health_depends_on_nothing_and_readiness_on_all(
    runtime: Runtime, client: FlaskClient
) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    error = error_of(client.get("/readyz"), 503, "not_ready")
    assert error["details"]["checks"] == {"toy": "not_published"}
    assert "toy" in error["message"]
    publish_day(runtime)
    assert client.get("/readyz").get_json() == {
        "status": "ready",
        "checks": {"warehouse": "ok", "toy": "ok"},
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1//models", 404, "not_found"),
        ("PUT", PREDICT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_the_one_shape(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    response = client.open(path, method=method)
    error_of(response, status, code)
    if status == 405:
        assert "GET" in response.headers["Allow"] or "POST" in response.headers["Allow"]


def test_a_trailing_slash_is_no_redirect(client: FlaskClient) -> None:
    assert client.get("/v1/models/").status_code == 200


def test_an_unexpected_failure_says_nothing_of_the_inside(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(runtime)

    @app.get("/boom/<kind>")
    @needs("predict")
    def boom(kind: str) -> str:
        if kind == "ours":
            raise ConfigError("the password is swordfish")
        raise RuntimeError("the password is swordfish")

    for kind in ("ours", "any"):
        caplog.clear()
        response = app.test_client().get(f"/boom/{kind}", headers={"X-Request-ID": f"id-{kind}"})
        error = error_of(response, 500, "internal_error")
        assert "swordfish" not in response.get_data(as_text=True)
        assert error["details"] == {"request_id": f"id-{kind}"}
        assert f"request id-{kind} failed" in caplog.text
        assert "swordfish" in caplog.text, "the cause is in the log"


def test_a_request_id_is_taken_over_or_made(client: FlaskClient) -> None:
    def sent_back(given: str | None) -> str:
        headers = {} if given is None else {"X-Request-ID": given}
        return client.get("/healthz", headers=headers).headers["X-Request-ID"]

    assert sent_back("trace-1.a_B") == "trace-1.a_B"
    assert len(sent_back(None)) == 32
    assert sent_back(None) != sent_back(None)
    for bad in ("x" * 65, "a b", "<script>", ""):
        assert sent_back(bad) != bad


def test_a_valid_traceparent_is_sent_back(client: FlaskClient) -> None:
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for path in ("/healthz", "/nowhere"):
        assert client.get(path, headers={"traceparent": good}).headers["traceparent"] == good
        assert "traceparent" not in client.get(path, headers={"traceparent": "00-1-2-3"}).headers


# Closed by default


def test_a_new_route_is_closed_to_everyone_until_it_says_what_it_needs(runtime: Runtime) -> None:
    app = make_app(runtime)
    app.add_url_rule("/new", view_func=lambda: "secret", endpoint="new")
    app.add_url_rule("/events", view_func=needs("events")(lambda: "event"), endpoint="events")
    app.add_url_rule("/open", view_func=public(lambda: "hello"), endpoint="open")
    client = app.test_client()
    refused = client.get("/new", headers={"X-API-Key": "wrong"})
    error_of(refused, 401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert "@needs" in error_of(client.get("/new"), 403, "forbidden")["remedy"]
    error = error_of(client.get("/events", headers={"X-Lacking": "events"}), 403, "forbidden")
    assert error["details"] == {"scope": "events"}
    assert "--scope events" in error["remedy"]
    assert client.get("/events", headers={"X-Lacking": "predict"}).text == "event"
    assert client.get("/open", headers={"X-API-Key": "wrong"}).text == "hello"


def test_an_option_may_need_more_than_its_route(runtime: Runtime) -> None:
    app = make_app(runtime)

    @app.get("/models/<name>/why")
    @needs("predict")
    def why(name: str) -> str:
        require("explain")
        return name

    client = app.test_client()
    assert client.get("/models/toy/why").text == "toy"
    for lacking in ("explain", "toy"):
        response = client.get("/models/toy/why", headers={"X-Lacking": lacking})
        error_of(response, 403, "forbidden")
    assert client.get("/models/other/why", headers={"X-Lacking": "toy"}).text == "other"


def test_who_may_not_ask_a_model_is_not_shown_it(runtime: Runtime, client: FlaskClient) -> None:
    publish_day(runtime)
    not_toy = {"X-Lacking": "toy"}
    assert client.get("/v1/models", headers=not_toy).get_json() == {"models": []}
    error_of(client.get("/v1/models/toy", headers=not_toy), 403, "forbidden")
    error_of(client.post(PREDICT, json=BODY, headers=not_toy), 403, "forbidden")


def test_every_answer_has_the_security_headers_unless_it_has_its_own(runtime: Runtime) -> None:
    app = make_app(runtime)

    @app.get("/page")
    @public
    def page() -> tuple[str, dict[str, str]]:
        return "<p>", {"Content-Security-Policy": "default-src 'self'"}

    client = app.test_client()
    for path, status in (("/healthz", 200), ("/nowhere", 404), ("/readyz", 503)):
        response = client.get(path)
        assert response.status_code == status
        assert [header for header in response.headers if header in HEADERS] == list(HEADERS)
    own = client.get("/page").headers
    assert own.getlist("Content-Security-Policy") == ["default-src 'self'"]
    assert own.getlist("Referrer-Policy") == ["no-referrer"]


def rules(app: Flask) -> Iterator[tuple[str, str]]:
    """Every method and path of an app, as the app itself lists them."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield method, rule.rule.replace("<name>", "toy").replace("<version>", "1")


def test_every_route_but_what_is_open_asks_who_is_calling_and_whether_they_may(
    runtime: Runtime,
) -> None:
    app = make_app(runtime)
    public = open_paths(name="toy", version="1")
    client = app.test_client()
    listed = list(rules(app))
    assert len({path for _, path in listed}) >= 6
    for method, path in listed:
        assert "models/<" not in path, "the scope is asked for the model <name>"
        if (method, path) == ("POST", "/ui/login"):
            continue  # asks for a key, and is asked by a form of this server
        for headers, status in (
            ({"X-API-Key": "wrong"}, 401),
            ({"X-Lacking": "predict explain events admin"}, 403),
        ):
            response = client.open(path, method=method, headers=headers)
            refused = response.status_code == status
            assert refused == (path not in public), (method, path, status)
    assert client.get("/nowhere", headers={"X-API-Key": "wrong"}).status_code == 401


def test_nothing_connects_before_it_is_asked(tmp_path: Path) -> None:
    runtime = Runtime(Settings(home=tmp_path / "absent"))
    make_app(runtime)
    assert "engine" not in runtime.__dict__
    assert not (tmp_path / "absent").exists()


def test_the_toy_is_deterministic() -> None:
    """Otherwise a difference of bits above would say nothing of the endpoint."""
    assert booster() is booster()
    day = Day(date(2026, 2, 1))
    scorer = TOY.scorer(Artifact("toy", "1", b"", {"scale": 1}), day)
    rows = rows_of_a_night(TOY.night, scorer, day, snapshot_rows(1.0))
    assert rows.features.dtype == "float32"


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(
    make_runtime: Callable[..., Runtime],
) -> None:
    client = make_app(make_runtime(api_rate=0.01)).test_client()
    assert client.get("/v1/models").status_code == 200
    response = client.get("/v1/models")
    assert error_of(response, 429, "too_many_requests")["details"] == {
        "limit": 0.01,
        "retry_after": 100,
    }
    assert response.headers["Retry-After"] == "100"
    assert client.get("/healthz").status_code == 200


def test_an_answer_of_before_is_given_again_and_says_the_same(
    runtime: Runtime, client: FlaskClient
) -> None:
    publish_day(runtime)
    answers = [client.post(PREDICT, json=BODY).get_json() for _ in range(2)]
    took = [answer.pop("latency_ms") for answer in answers]
    assert answers[0] == answers[1]
    assert all(isinstance(one, float) and one >= 0 for one in took)
    remembered = service_of(client.application).remembered
    assert (remembered.hits, remembered.misses) == (1, 1)
