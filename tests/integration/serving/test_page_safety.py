"""Attacks on the page, each with the one answer that it gets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from markupsafe import escape
from sqlalchemy import Engine

import fraud_days
import price_proposals
import recommendation_lists
from daybreak.ledger.verdicts import record_verdict
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import revoke_key
from daybreak.serving.page.frame import HEADERS
from daybreak.serving.page.sessions import COOKIE, LASTS
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from page_app import HOST, ORIGIN, VIEWS, Elements, browser, key_of, page_app
from report_days import DAY, MARCH_1, MODEL, champion, close, load, march, publish, sale, version

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</script><!--"
FORMULA = '=HYPERLINK("http://evil.example","x")'


class Clock:
    def __init__(self) -> None:
        self.now: datetime = march(9, 12)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], warehouse_url: str, clock: Clock) -> Runtime:
    made = make_runtime(warehouse_reader_url=warehouse_url, refresh_seconds=1e-9)
    made.clock = clock
    return made


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return page_app(runtime)


# Who calls


@pytest.mark.parametrize("path", [*VIEWS, "promote", "rollback", "answer", "answered", "nowhere"])
def test_without_a_login_a_view_is_a_page_that_leads_to_one(app: Flask, path: str) -> None:
    answer = browser(app).get(f"/ui/{path}")
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    page_text = answer.get_data(as_text=True)
    assert 'name="key"' in page_text
    assert f'name="back" value="{path}"' in page_text
    assert "<nav" not in page_text or "Forecast" not in page_text


def test_a_view_needs_the_right_to_look(app: Flask, runtime: Runtime) -> None:
    client = browser(app, key_of(runtime, "events"))
    for path in VIEWS:
        answer = client.get(f"/ui/{path}")
        assert answer.status_code == 403, path
        assert "lacks the scope predict" in answer.get_data(as_text=True)


def test_a_login_ends_with_its_time_with_its_key_and_by_hand(
    app: Flask, runtime: Runtime, clock: Clock
) -> None:
    def status(client: Any) -> tuple[int, str]:
        answer = client.get("/ui")
        said = re.search(r'role="alert"><p>(.*?)</p>', answer.get_data(as_text=True))
        return answer.status_code, said[1] if said else ""

    first = browser(app, key_of(runtime, "predict"))
    assert status(first) == (200, "")
    clock.now += LASTS
    assert status(first) == (401, "Your session has ended.")

    revoked = key_of(runtime, "predict")
    second = browser(app, revoked)
    assert status(second) == (200, "")
    with begin(runtime.engine) as conn:
        revoke_key(conn, revoked.split("_")[1], clock.now)
    assert status(second)[0] == 401

    third = browser(app, key_of(runtime, "predict", expires_at=clock.now + timedelta(hours=1)))
    assert status(third) == (200, "")
    clock.now += timedelta(hours=1)
    assert status(third)[0] == 401

    fourth = browser(app, key_of(runtime, "predict"))
    cookie = fourth.get_cookie(COOKIE, HOST, "/ui")
    assert fourth.post("/ui/logout", headers=ORIGIN).headers["Location"] == "login"
    assert fourth.get_cookie(COOKIE, HOST, "/ui") is None
    assert status(fourth) == (401, "You are not logged in.")
    assert cookie is not None

    fifth = browser(app, key_of(runtime, "predict"))
    anew = browser(page_app(runtime))
    held = fifth.get_cookie(COOKIE, HOST, "/ui")
    assert held is not None
    anew.set_cookie(COOKIE, held.value, domain=HOST, path="/ui")
    assert status(anew) == (401, "This session was opened before the service started anew.")


def test_the_cookie_is_closed_to_scripts_and_other_sites_and_does_not_have_the_key(
    app: Flask, runtime: Runtime
) -> None:
    token = key_of(runtime, "predict")
    for headers, secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
        answer = browser(app).post("/ui/login", data={"key": token}, headers=ORIGIN | headers)
        (cookie,) = answer.headers.getlist("Set-Cookie")
        parts = {part.strip() for part in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Strict", "Path=/ui", f"Max-Age={12 * 3600}"} <= parts
        assert ("Secure" in parts) is secure
        assert token.split("_")[2] not in cookie


@pytest.mark.parametrize(
    "value",
    ["", "x", "0" * 12 + ".9999999999." + "0" * 64, "../../x", "%00", "a" * 3000],
)
def test_a_forged_cookie_opens_nothing(app: Flask, value: str) -> None:
    client = browser(app)
    client.set_cookie(COOKIE, value, domain=HOST, path="/ui")
    assert client.get("/ui").status_code == 401


def test_a_session_that_was_made_longer_opens_nothing(
    app: Flask, runtime: Runtime, clock: Clock
) -> None:
    client = browser(app, key_of(runtime, "predict"))
    cookie = client.get_cookie(COOKIE, HOST, "/ui")
    assert cookie is not None
    key_id, until, signature = cookie.value.split(".")
    clock.now += LASTS
    client.set_cookie(COOKIE, f"{key_id}.{int(until) + 9999}.{signature}", domain=HOST, path="/ui")
    assert client.get("/ui").status_code == 401


def test_the_cookie_opens_the_page_alone(app: Flask, runtime: Runtime) -> None:
    client = browser(app, key_of(runtime, "admin"))
    cookie = client.get_cookie(COOKIE, HOST, "/ui")
    assert cookie is not None
    header = {"Cookie": f"{COOKIE}={cookie.value}"}
    bare = app.test_client(use_cookies=False)
    for path in ("/v1/models", "/metrics", "/uix", "/v2"):
        assert bare.get(path, headers=header).status_code == 401, path
    assert bare.get("/ui", headers=header).status_code == 200


def test_a_key_that_opens_nothing_is_not_repeated(app: Flask) -> None:
    for key in ("", "dbk_x", f"dbk_{'0' * 12}_{'a' * 64}", HOSTILE):
        answer = browser(app).post("/ui/login", data={"key": key}, headers=ORIGIN)
        assert answer.status_code == 401
        assert not key or key not in answer.get_data(as_text=True)
        assert "Set-Cookie" not in answer.headers


# Where requests come from


FORMS = {
    "login": {"key": "x"},
    "logout": {},
    "promote": {"model": MODEL, "version": "v1", "reason": "x"},
    "rollback": {"model": MODEL, "business_date": "2026-03-01", "reason": "x"},
    "answer": {"generation": "1", "answer": "approve", "reason": "x"},
}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": f"http://{HOST}.evil.example"},
        {"Origin": f"http://evil.example/{HOST}"},
        {"Origin": f"http://{HOST}:8080"},
        {"Referer": f"http://{HOST}/ui"},
        {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-site"},
        {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_is_refused_whatever_the_cookie(
    app: Flask, runtime: Runtime, path: str, headers: dict[str, str]
) -> None:
    client = browser(app, key_of(runtime, "admin"))
    answer = client.post(f"/ui/{path}", data=FORMS[path], headers=headers)
    assert answer.status_code == 403
    assert "not sent from a page of this server" in answer.get_data(as_text=True)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("back", "goes_to"),
    [
        ("models?model=x", "models?model=x"),
        ("", "./"),
        *((one, "./") for one in ("//evil.example", "https://evil.example", "\\\\evil.example")),
        *((one, "./") for one in ("javascript:alert(1)", "/v1/models", "models\r\nX: y", "../x")),
    ],
)
def test_a_login_leads_nowhere_else(app: Flask, runtime: Runtime, back: str, goes_to: str) -> None:
    form = {"key": key_of(runtime, "predict"), "back": back}
    answer = browser(app).post("/ui/login", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, goes_to)
    shown = browser(app).get("/ui/login", query_string={"back": back}).get_data(as_text=True)
    assert f'name="back" value="{back if goes_to != "./" else ""}"' in shown


# What it shows


@pytest.fixture
def hostile(app: Flask, runtime: Runtime, warehouse: Engine) -> Flask:
    """A warehouse in which every name and reason is an attack."""
    with begin(warehouse) as conn:
        load(conn, tables.item, {"item_id": HOSTILE, "name": HOSTILE, "category": HOSTILE})
        load(conn, tables.item, {"item_id": "other", "name": FORMULA, "category": "c"})
        load(conn, tables.store, {"store_id": "s1", "name": HOSTILE})
        load(conn, tables.sales, *(sale(MARCH_1 + n * DAY, HOSTILE, 1.0) for n in range(4)))
        close(conn, *(MARCH_1 + n * DAY for n in range(4)))
        for day in (MARCH_1, MARCH_1 + DAY):
            scores = {(HOSTILE, h): (1.0, 2.0, 3.0, 2.0) for h in range(1, 8)}
            publish(conn, day, scores | {("other", h): (1.0, 2.0, 3.0, 2.0) for h in range(1, 8)})
        version(conn, "v1")
        champion(conn, "v1", march(1), HOSTILE)
        refused = tables.quarantine.insert().values(
            load_id=1, row_number=1, field=HOSTILE, reason=HOSTILE, row={HOSTILE: HOSTILE},
            quarantined_at=march(5),
        )  # fmt: skip
        conn.execute(refused)
        conn.execute(
            tables.load.insert().values(
                dataset=HOSTILE, source="sales", uri=HOSTILE, sha256="", reading="", rows_read=1,
                rows_loaded=1, rows_quarantined=1, rules={}, finished_at=march(5),
            )
        )  # fmt: skip
        record_verdict(
            conn, model=MODEL, version="v1", passed=True, reason=HOSTILE, evidence={},
            actor=HOSTILE, now=march(2), headline={"measure": HOSTILE, "baseline": HOSTILE},
        )  # fmt: skip
        lists = {"": [HOSTILE], HOSTILE: [(HOSTILE, "bought_together", HOSTILE)]}
        recommendation_lists.publish(conn, lists, MARCH_1)
        fraud_days.begin_stream(conn)
        champion(conn, "v1", march(1), HOSTILE, "fraud")
        cards = [fraud_days.Scored(HOSTILE, f"{HOSTILE} {n}", n / 8) for n in range(4)]
        fraud_days.happen(conn, cards, MARCH_1)
        fraud_days.publish(conn, cards, MARCH_1)
        told = fraud_days.cutoff_of(MARCH_1)
        fraud_days.prove(conn, MARCH_1, "r", told, differing=1, finding=HOSTILE)
        proposed = price_proposals.publish(conn, MARCH_1, {HOSTILE: (129, 139)})
        price_proposals.answer(conn, proposed, MARCH_1, "approved", HOSTILE)
    return app


NAMELESS = "hits"
"""The view without a name or a reason on it."""


@pytest.mark.parametrize(
    "path",
    ["", "forecast", "accuracy", f"models?model={MODEL}", "data", "lists", "hits",
     f"lists?{urlencode({'user': HOSTILE})}", "fraud", "quality", "prices",
     f"promote?model={MODEL}&version=v1"],
)  # fmt: skip
def test_names_are_texts_wherever_they_stand(hostile: Flask, runtime: Runtime, path: str) -> None:
    answer = browser(hostile, key_of(runtime, "admin")).get(f"/ui/{path}")
    assert answer.status_code == 200
    page_text = answer.get_data(as_text=True)
    assert (str(escape(HOSTILE)) in page_text) is (path != NAMELESS)
    assert "<script>alert" not in page_text
    assert "<img src=x" not in page_text
    elements = Elements(page_text)
    for tag, attributes in elements.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        if tag == "script":
            assert "src" in attributes or attributes["type"] == "application/json"
    for given, text in elements.inline:
        assert given.get("type") == "application/json"
        json.loads(text)
        assert "<" not in text


@pytest.mark.parametrize("path", ["forecast?item={}", "lists?user={}&session={}", "data?x={}"])
def test_what_an_address_says_is_a_text(hostile: Flask, runtime: Runtime, path: str) -> None:
    answer = browser(hostile, key_of(runtime, "predict")).get(
        "/ui/" + path.replace("{}", quote(HOSTILE))
    )
    assert answer.status_code in {200, 400, 404}
    page_text = answer.get_data(as_text=True)
    assert "<script>alert" not in page_text
    assert "<img src=x" not in page_text
    assert "49" not in re.findall(r"--&gt;|49</script", page_text)


def test_a_name_is_no_formula_in_csv(hostile: Flask, runtime: Runtime) -> None:
    client = browser(hostile, key_of(runtime, "predict"))
    with begin(runtime.engine) as conn:
        champion(conn, "v1", march(2), FORMULA)
    found = client.get(f"/ui/models?model={MODEL}&csv=versions")
    assert found.headers["Content-Disposition"] == 'attachment; filename="versions.csv"'
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert "\"'=HYPERLINK" in found.get_data(as_text=True)
    assert not re.search(r'(^|,)"?=', found.get_data(as_text=True), re.MULTILINE)


@pytest.mark.parametrize(
    "wanted", ["../versions", "versions\r\nX: y", HOSTILE, "", "versions.csv", "\x00"]
)
def test_there_is_no_other_table(hostile: Flask, runtime: Runtime, wanted: str) -> None:
    client = browser(hostile, key_of(runtime, "predict"))
    answer = client.get("/ui/models", query_string={"csv": wanted})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize(
    "query",
    ["day=yesterday", "day=2026-02-30", "price=1e999", "price=nan", "days=-1", "store=%00",
     "item=" + "a" * 3000],
)  # fmt: skip
def test_a_wrong_value_is_named(hostile: Flask, runtime: Runtime, query: str) -> None:
    client = browser(hostile, key_of(runtime, "predict"))
    path = "accuracy" if query.startswith("days") else "forecast"
    answer = client.get(f"/ui/{path}?{query}")
    page_text = answer.get_data(as_text=True)
    assert answer.status_code == (200 if query.startswith("price") else 400), page_text
    assert f"What was given as {query.split('=', maxsplit=1)[0]}" in page_text


# Files and headers


@pytest.mark.parametrize(
    "path",
    ["../frame.py", "..%2fframe.py", "static/page.css", "page.css/../../frame.py", "%2e%2e/x",
     "page.css%00", "/etc/passwd", "//etc/passwd", "templates/page/frame.html", "page.CSS"],
)  # fmt: skip
def test_no_path_leads_to_another_file(app: Flask, runtime: Runtime, path: str) -> None:
    for client in (browser(app), browser(app, key_of(runtime, "admin"))):
        answer = client.get(f"/ui/{path}")
        assert answer.status_code in {401, 404}
        assert b"import" not in answer.data
        assert b"root:" not in answer.data


@pytest.mark.parametrize(
    "name", ["colours.css", "page.css", "page.js", "draw.js", "plotly.js", "icon.svg"]
)
def test_a_file_is_kept_for_long_and_asked_about_by_its_tag(app: Flask, name: str) -> None:
    client = browser(app)
    plain = client.get(f"/ui/{name}")
    packed = client.get(f"/ui/{name}", headers={"Accept-Encoding": "gzip"})
    for answer in (plain, packed):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    again = client.get(f"/ui/{name}", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_every_answer_has_its_headers(app: Flask, runtime: Runtime) -> None:
    client = browser(app, key_of(runtime, "predict"))
    for path in (*VIEWS, "login", "nowhere", "promote", "page.css", "models?csv=versions"):
        answer = client.get(f"/ui/{path}")
        for name, value in HEADERS.items():
            assert answer.headers.getlist(name) == [value], (path, name)
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert browser(app).get("/ui").headers["Content-Security-Policy"] == policy
    assert client.get("/ui").headers["Cache-Control"] == "no-store"


def test_a_method_that_a_view_has_not_is_refused_as_a_page(app: Flask, runtime: Runtime) -> None:
    answer = browser(app, key_of(runtime, "admin")).post("/ui/data", headers=ORIGIN)
    assert answer.status_code == 405


def test_a_fault_of_ours_says_nothing_of_the_inside(
    app: Flask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setitem(app.view_functions, "page.data", _as_view(app, fails))
    answer = browser(app, key_of(runtime, "predict")).get("/ui/data")
    assert answer.status_code == 500
    assert "hunter2" not in answer.get_data(as_text=True)
    assert "under request" in answer.get_data(as_text=True)


def _as_view(app: Flask, fails: Callable[..., Any]) -> Callable[..., Any]:
    from daybreak.serving.http.auth import needs

    return needs("predict")(fails)
