"""The page over a real warehouse: what each view shows, and what is done from it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request
from sqlalchemy import Engine, text

from daybreak.jobs.by_hand import ByHand
from daybreak.ledger import generations as g
from daybreak.ledger.verdicts import record_verdict
from daybreak.runtime import Runtime
from daybreak.serving import page
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.serving.page.frame import Page
from daybreak.serving.page.reading import reading
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect
from page_app import ORIGIN, VIEWS, Elements, browser, key_of, page_app
from report_days import DAY, MARCH_1, MODEL, fill, march, version
from toy import TOY

NOW = march(9, 12)


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], warehouse_url: str) -> Runtime:
    """Reads reports as a user who gives up what the reader may not."""
    return make_runtime(now=NOW, warehouse_reader_url=warehouse_url, refresh_seconds=1e-9)


@pytest.fixture
def filled(runtime: Runtime, warehouse: Engine) -> Flask:
    with begin(warehouse) as conn:
        fill(conn)
        version(conn, "v2")
    return page_app(runtime)


def shown(app: Flask, path: str, key: str) -> str:
    answer = browser(app, key).get(f"/ui/{path}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


EXPECTED = {
    "": ["sales_forecast", "2026-03-02", "v1", "recommendations", "fraud", "pricing"],
    "forecast": ["Tea", "Corner", "As of 2026-03-02", "What came true"],
    "accuracy": ["The newest forecast that can be judged: as of 2026-03-02", "WAPE"],
    "lists": ["The default list"],
    "lists?user=u1": ["The list of u1", "Tea"],
    "hits": ["nDCG@10", "popularity"],
    "fraud": ["What to review", "card 3"],
    "quality": ["Average precision", "Decisions made again", "not proven"],
    "prices": ["Changes that gain most", "1.39", "too much at once"],
    "models?model=sales_forecast": ["v1", "v2", "first"],
    "data": ["sales.csv", "is not a number", "March 2026"],
}


@pytest.mark.parametrize("path", EXPECTED)
def test_each_view_shows_what_the_reports_say(filled: Flask, runtime: Runtime, path: str) -> None:
    page_text = shown(filled, path, key_of(runtime, "predict"))
    assert [one for one in EXPECTED[path] if one not in page_text] == []
    assert 'aria-current="page"' in page_text


def test_what_is_asked_often_is_still_planned_for_what_is_asked(runtime: Runtime) -> None:
    """Else a range of days is planned as if it could be any, once a connection knows it well."""
    with reading(runtime) as ask:
        for n in range(15):
            ask("SELECT * FROM report.day WHERE business_date = :day", day=MARCH_1 + n * DAY)
        (plans,) = ask(
            "SELECT sum(custom_plans) AS custom, sum(generic_plans) AS generic "
            "FROM pg_prepared_statements WHERE statement LIKE '%report.day%'"
        )
    assert plans["custom"] >= 5
    assert plans["generic"] == 0


@pytest.mark.parametrize("path", VIEWS)
def test_every_chart_has_its_table_and_every_table_a_csv(
    filled: Flask, runtime: Runtime, path: str
) -> None:
    key = key_of(runtime, "predict")
    elements = Elements(shown(filled, path, key))
    figures = [text for given, text in elements.inline if given.get("type") == "application/json"]
    assert len(figures) == len(elements.values("div", "data-figure"))
    for one in figures:
        assert {"data", "layout"} == json.loads(one).keys()
    links = [link for link in elements.values("a", "href") if "csv=" in link]
    assert len(links) >= len(figures)
    for link in links:
        answer = browser(filled, key).get(f"/ui/{path}{link}" if link.startswith("?") else link)
        assert answer.status_code == 200, link
        assert answer.mimetype == "text/csv"
        header, *rows = csv.reader(io.StringIO(answer.get_data(as_text=True), newline=""))
        assert header
        assert rows, link


@pytest.mark.parametrize("path", VIEWS)
def test_a_warehouse_in_which_nothing_is_says_what_to_do(
    runtime: Runtime, warehouse: Engine, path: str
) -> None:
    page_text = shown(page_app(runtime), path, key_of(runtime, "predict"))
    assert "figure-" not in page_text
    hints = ("daybreak ingest", "daybreak train", "first night", "published", "can be judged yet")
    assert any(hint in page_text for hint in hints)


def test_a_refusal_what_waits_and_what_failed_are_on_the_first_page(
    filled: Flask, runtime: Runtime, warehouse: Engine
) -> None:
    with begin(warehouse) as conn:
        record_verdict(
            conn, model=MODEL, version="v2", passed=False, reason="WAPE is 9 % worse than naive",
            evidence={}, actor="test", now=march(8),
        )  # fmt: skip
    page_text = shown(filled, "", key_of(runtime, "predict"))
    assert "WAPE is 9 % worse than naive" in page_text
    assert "Did not come through" in page_text
    assert "daily_forecast/late" in page_text


def test_what_is_shown_of_a_day_is_whole_and_what_was_rolled_back_is_gone(
    filled: Flask, runtime: Runtime, warehouse: Engine
) -> None:
    key = key_of(runtime, "predict")
    assert "As of 2026-03-02" in shown(filled, "forecast", key)
    with begin(warehouse) as conn:
        g.rollback(conn, MODEL, MARCH_1 + DAY, march(9))
    assert "As of 2026-03-01" in shown(filled, "forecast", key)


def test_the_history_of_a_series_has_days_without_a_sale(filled: Flask, runtime: Runtime) -> None:
    page_text = shown(
        filled, "forecast?store=s1&item=i1&day=2026-03-02", key_of(runtime, "predict")
    )
    (figure,) = [
        json.loads(text)
        for given, text in Elements(page_text).inline
        if given.get("id") == "figure-series"
    ]
    (sold,) = [trace for trace in figure["data"] if trace.get("name") == "sold"]
    of_march = dict(zip(sold["x"], sold["y"], strict=True))
    assert {f"2026-03-0{n}": of_march[f"2026-03-0{n}"] for n in range(1, 5)} == {
        "2026-03-01": 1, "2026-03-02": 2, "2026-03-03": 3, "2026-03-04": 4,
    }  # fmt: skip
    assert of_march["2026-02-03"] == 0, "closed, and no row of sales says otherwise"
    (band,) = [trace for trace in figure["data"] if trace.get("name") == "P10 to P90"]
    assert band["y"] == [3] * 7


# What is done from it


def test_a_version_is_put_in_force_on_a_second_page_with_person_and_reason(
    filled: Flask, runtime: Runtime
) -> None:
    client = browser(filled, key_of(runtime, "admin"))
    assert "put in force" in client.get(f"/ui/models?model={MODEL}").get_data(as_text=True)
    asked = client.get(f"/ui/promote?model={MODEL}&version=v2").get_data(as_text=True)
    assert "Put v2 in force" in asked
    form = {"model": MODEL, "version": "v2", "reason": ""}
    without = client.post("/ui/promote", data=form, headers=ORIGIN)
    assert (without.status_code, ledger(runtime)) == (400, [("v1", "test", "first")])

    form["reason"] = "the season turned"
    done = client.post("/ui/promote", data=form, headers=ORIGIN)

    assert (done.status_code, done.headers["Location"]) == (
        303, f"models?model={MODEL}&done=promoted",
    )  # fmt: skip
    assert ledger(runtime)[-1] == ("v2", "admin (page)", "the season turned")
    assert "is in force from now on" in shown_by(client, done.headers["Location"])
    again = client.post("/ui/promote", data=form, headers=ORIGIN)
    assert again.headers["Location"].endswith("done=same")


def test_a_publication_is_withdrawn_with_person_and_reason(filled: Flask, runtime: Runtime) -> None:
    client = browser(filled, key_of(runtime, "admin"))
    assert "Withdraw 2026-03-02" in shown_by(client, f"rollback?model={MODEL}")
    form = {"model": MODEL, "business_date": "2026-03-02", "reason": "wrong prices"}
    done = client.post("/ui/rollback", data=form, headers=ORIGIN)
    assert done.status_code == 303
    with connect(runtime.engine) as conn:
        states = conn.execute(
            text(
                "SELECT state, reason FROM ops.generation"
                " WHERE model = :model AND business_date = '2026-03-02'"
            ),
            {"model": MODEL},
        ).all()
    assert states == [("rolled_back", "admin (page): wrong prices")]
    twice = client.post("/ui/rollback", data=form, headers=ORIGIN)
    assert (twice.status_code, "published" in twice.get_data(as_text=True)) == (503, True)


def test_who_only_looks_is_shown_no_buttons_and_can_do_nothing(
    filled: Flask, runtime: Runtime
) -> None:
    client = browser(filled, key_of(runtime, "predict", "explain", "events"))
    for path in (f"models?model={MODEL}", "", "prices"):
        links = Elements(shown_by(client, path)).values("a", "href")
        assert not [one for one in links if re.match("promote|rollback|answer", one)]
    for path, form in (
        ("promote", {"model": MODEL, "version": "v2", "reason": "x"}),
        ("rollback", {"model": MODEL, "business_date": "2026-03-02", "reason": "x"}),
    ):
        assert client.get(f"/ui/{path}", query_string=form).status_code == 403
        refused = client.post(f"/ui/{path}", data=form, headers=ORIGIN)
        assert refused.status_code == 403
        assert "scope admin" in refused.get_data(as_text=True)
    assert ledger(runtime) == [("v1", "test", "first")]


def test_where_nothing_can_be_done_the_page_says_where_else(
    filled: Flask, runtime: Runtime
) -> None:
    client = browser(page_app(runtime, acts=False), key_of(runtime, "admin"))
    assert "put in force" not in shown_by(client, f"models?model={MODEL}")
    form = {"model": MODEL, "version": "v2", "reason": "x"}
    refused = client.post("/ui/promote", data=form, headers=ORIGIN)
    assert refused.status_code == 403
    assert "the command `daybreak`" in refused.get_data(as_text=True)


def test_a_process_without_the_rights_of_the_jobs_says_so(
    filled: Flask, runtime: Runtime, warehouse_url: str, tmp_path: Path
) -> None:
    from daybreak.warehouse.tables import SERVICE_ROLE

    url = warehouse_url.replace("://postgres@", f"://{SERVICE_ROLE}@")
    given = Settings(home=tmp_path, warehouse_url=url, warehouse_reader_url=warehouse_url)
    service = Runtime(given, lambda: NOW)
    try:
        client = browser(page_app(service), key_of(runtime, "admin"))
        form = {"model": MODEL, "version": "v2", "reason": "x"}
        refused = client.post("/ui/promote", data=form, headers=ORIGIN)
        assert refused.status_code == 403
        assert "rights of the jobs" in refused.get_data(as_text=True)
    finally:
        for engine in (service.engine, service.report_engine):
            engine.dispose()


# What there is to see


def test_views_of_models_that_are_not_carried_are_not_there(runtime: Runtime) -> None:
    client = browser(page_app(runtime, models=[TOY]), key_of(runtime, "predict"))
    links = Elements(shown_by(client, "")).values("a", "href")
    views = {link for link in links if link in VIEWS}
    assert views == {"models", "data", "reports"}
    for path in ("forecast", "accuracy", "lists", "hits", "fraud", "quality", "prices"):
        assert client.get(f"/ui/{path}").status_code == 404, path


def test_who_may_see_one_model_sees_that_one(filled: Flask, runtime: Runtime) -> None:
    """As in Airflow, where rights go by DAG."""

    class Narrow:
        def authenticate(self, request: Request) -> Caller:
            return Caller("ann", "ann", lambda scope, model: model in {None, MODEL})

    client = create_app(runtime, authenticator=Narrow(), page=Page(acts=ByHand(runtime)))
    today = Elements(shown_by(client.test_client(), ""))
    assert {link for link in today.values("a", "href") if link in VIEWS} == {
        "forecast", "models", "data", "reports",
    }  # fmt: skip
    assert "fraud" not in shown_by(client.test_client(), "")
    assert "pricing" not in shown_by(client.test_client(), "models")
    for path, status in (("fraud", 403), ("prices", 403), ("models?model=fraud", 404)):
        assert client.test_client().get(f"/ui/{path}").status_code == status, path
    refused = client.test_client().get("/ui/promote?model=fraud&version=v1")
    assert refused.status_code == 404


# What it reads


def test_it_reads_as_the_reader_and_writes_nothing(runtime: Runtime, warehouse: Engine) -> None:
    from daybreak.errors import NotReady
    from daybreak.serving.page.reading import reading

    with reading(runtime) as ask:
        (who,) = ask("SELECT current_user AS who, current_setting('transaction_read_only') AS ro")
        assert who == {"who": "daybreak_reader", "ro": "on"}
    with pytest.raises(NotReady, match="may not read"), reading(runtime) as ask:
        ask("SELECT * FROM ops.api_key")
    with reading(runtime) as ask:  # the connection goes on
        assert ask("SELECT * FROM report.freshness") == []


def test_a_question_that_takes_too_long_is_ended(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daybreak.errors import WarehouseOverloaded
    from daybreak.serving.page import reading as module

    monkeypatch.setattr(module, "REPORT_SECONDS", 0.05)
    with (
        pytest.raises(WarehouseOverloaded, match="Ask for less"),
        module.reading(runtime) as ask,
    ):
        ask("SELECT pg_sleep(30)")


def test_no_module_of_the_page_names_a_table_that_is_no_report() -> None:
    folder = Path(page.__file__).parent
    for file in folder.rglob("*.py"):
        named = re.findall(r"\b(raw|ops|score|feature)\.[a-z_]+", file.read_text())
        assert not named, file


def test_a_service_that_may_not_read_reports_says_which_setting_names_who_may(
    make_runtime: Callable[..., Runtime], warehouse_url: str
) -> None:
    url = warehouse_url.replace("://postgres@", "://daybreak_service@")
    runtime = make_runtime(now=NOW, warehouse_reader_url=url)
    answer = browser(page_app(runtime), key_of(runtime, "predict")).get("/ui")
    assert answer.status_code == 503
    assert "DAYBREAK_WAREHOUSE_READER_URL" in answer.get_data(as_text=True)


def test_a_warehouse_that_is_away_is_said_to_be(
    make_runtime: Callable[..., Runtime], tmp_path: Path
) -> None:
    away = f"postgresql://nobody@/nowhere?host={tmp_path}"
    runtime = make_runtime(now=NOW, warehouse_reader_url=away)
    answer = browser(page_app(runtime), key_of(runtime, "predict")).get("/ui")
    page_text = answer.get_data(as_text=True)
    assert answer.status_code == 503
    assert "does not answer" in page_text
    assert "daybreak up" in page_text


def ledger(runtime: Runtime) -> list[tuple[str, str, str]]:
    query = (
        "SELECT version, actor, reason FROM ops.champion WHERE model = 'sales_forecast' "
        "ORDER BY entry_id"
    )
    with connect(runtime.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def shown_by(client: Any, path: str) -> str:
    answer = client.get(f"/ui/{path}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(answer.get_data(as_text=True))
