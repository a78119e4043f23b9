"""Reports on the page: who sees which, in which sandbox, and that no address leads out of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, Request
from sqlalchemy import Engine, delete

from daybreak.jobs.period_reports import make_report
from daybreak.reporting.kept import PAGE, Report, read
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.serving.page.frame import SECURITY_POLICY, Page
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from page_app import Elements, browser, key_of, page_app
from report_days import MODEL, fill, march


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], warehouse_url: str) -> Runtime:
    return make_runtime(now=march(9, 12), warehouse_reader_url=warehouse_url, refresh_seconds=1e-9)


@pytest.fixture
def made(runtime: Runtime, warehouse: Engine) -> list[Report]:
    """A report of the forecast, and one of the frauds."""
    with begin(warehouse) as conn:
        fill(conn)
        conn.execute(delete(tables.period_report))
    return [
        make_report(model, day, runtime=runtime)
        for model, day in ((MODEL, "2026-03-03"), ("fraud", "2026-03-01"))
    ]


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return page_app(runtime)


def place(report: Report) -> str:
    return f"/ui/reports/{report.model}/{report.period}/{report.name}"


def test_the_list_leads_to_each_report_and_its_tables(
    app: Flask, runtime: Runtime, made: list[Report]
) -> None:
    client = browser(app, key_of(runtime, "predict"))
    answer = client.get("/ui/reports")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == SECURITY_POLICY
    links = Elements(answer.get_data(as_text=True)).values("a", "href")
    for report in made:
        assert place(report).removeprefix("/ui/") in links
        for file in report.tables:
            link = f"{place(report)}/{file}"
            assert link.removeprefix("/ui/") in links
            table = client.get(link)
            assert table.data == read(runtime.registry.store, report, file)
            assert table.mimetype == "application/vnd.apache.parquet"
            saved = f'attachment; filename="{report.model}-{report.period}-{file}"'
            assert table.headers["Content-Disposition"] == saved
    narrowed = client.get("/ui/reports?model=fraud").get_data(as_text=True)
    assert place(made[1]).removeprefix("/ui/") in narrowed
    assert place(made[0]).removeprefix("/ui/") not in narrowed


def test_a_report_is_of_no_origin_and_may_reach_nothing(
    app: Flask, runtime: Runtime, made: list[Report]
) -> None:
    answer = browser(app, key_of(runtime, "predict")).get(place(made[0]))
    assert answer.data == read(runtime.registry.store, made[0], PAGE)
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[:2] == ["sandbox allow-scripts", "default-src 'none'"]
    allowed = {"script-src", "style-src", "img-src"}
    assert {one.split()[0] for one in policy[2:]} - allowed == {"base-uri", "form-action"}
    assert "allow-same-origin" not in policy[0]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    "path",
    [
        "{model}/2026-03-03/..%2f..%2f..%2f",
        "{model}/2026-03-03/{name}/..%2freport.html",
        "{model}/2026-03-03/{name}/report.html",
        "{model}/2026-03-03/{name}/other.parquet",
        "{model}/..%2f..%2f{model}%2f2026-03-03/{name}",
        "{model}/%2e%2e/{name}",
        "{model}/2026-03-04/{name}",
        "{model}/yesterday/{name}",
        "..%2f..%2fetc/2026-03-03/passwd",
        "nobody/2026-03-03/{name}",
        "fraud/2026-03-03/{name}",
        "{model}/2026-03-03/%00",
        "{model}/2026-03-03/' OR true --",
    ],
)
def test_an_address_that_leads_to_no_report_is_not_found(
    app: Flask, runtime: Runtime, made: list[Report], path: str
) -> None:
    client = browser(app, key_of(runtime, "predict"))
    filled = path.format(model=MODEL, name=made[0].name)
    answer = client.get(f"/ui/reports/{filled}")
    assert answer.status_code == 404, filled
    assert answer.mimetype == "text/html"


def test_who_may_not_see_the_model_sees_no_report_of_it(
    runtime: Runtime, made: list[Report]
) -> None:
    class Narrow:
        """As in Airflow, where rights go by DAG."""

        def authenticate(self, request: Request) -> Caller:
            return Caller("ann", "ann", lambda scope, model: model in {None, "fraud"})

    client = create_app(runtime, authenticator=Narrow(), page=Page()).test_client()
    listed = client.get("/ui/reports").get_data(as_text=True)
    assert made[1].name in listed
    assert MODEL not in listed
    assert client.get("/ui/reports?model=sales_forecast").get_data(as_text=True).count(MODEL) == 0
    assert client.get(place(made[0])).status_code == 403
    assert client.get(f"{place(made[0])}/sla.parquet").status_code == 403
    assert client.get(place(made[1])).status_code == 200
    anybody = page_app(runtime).test_client()
    assert anybody.get(place(made[1])).status_code == 401
    assert anybody.get("/ui/reports").status_code == 401
