"""Reports in a real browser: from a file without any network, and on the page in their sandbox.

Screenshots are kept in ``build/screenshots``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from werkzeug.serving import make_server

import browsing
import small_shop
from browsing import chromium_started, drawn, expect_usable, keep
from daybreak.jobs import period_reports
from daybreak.jobs.run import score_day
from daybreak.ledger.champions import promote
from daybreak.reporting.kept import PAGE, Report
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import WRITER_ROLE
from page_app import key_of, page_app

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NOW = datetime(2026, 3, 11, 3, tzinfo=UTC)
MODEL = "sales_forecast"
WEEK = "2026-W10"
HOSTILE = "<img src=x onerror=alert(1)><b>Té</b>'\"</script><script>alert(2)</script>%{x}"
SCORED = [date(2026, 3, day) for day in (1, 2, 3, 5, 7)]


@dataclass(frozen=True)
class Made:
    runtime: Runtime
    report: Report
    file: Path
    """Its page, copied out."""


@pytest.fixture(scope="module")
def made(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The report of a week of a shop whose items have names with tags."""
    folder = tmp_path_factory.mktemp("reports")
    with postgres.database("warehouse_template") as name:
        given = Settings(
            home=folder / "home",
            warehouse_url=postgres.url(name, user=WRITER_ROLE),
            warehouse_reader_url=postgres.url(name),
            refresh_seconds=0.2,
            threads=1,
        )
        runtime = Runtime(given, lambda: NOW)
        fill(runtime)
        report = period_reports.make_report(MODEL, WEEK, runtime=runtime)
        copied = period_reports.write_out(report, folder, runtime)
        yield Made(runtime, report, copied / PAGE)
        for engine in (runtime.engine, runtime.lone_statements, runtime.report_engine):
            engine.dispose()


def fill(runtime: Runtime) -> None:
    small_shop.fill(runtime.engine)
    with begin(runtime.report_engine) as conn:  # the owner's
        conn.execute(
            update(tables.item)
            .where(tables.item.c.item_id.in_(["tea", "bread"]))
            .values(name=HOSTILE, category=HOSTILE)
        )
        for n in range(40):
            day = small_shop.DAY - timedelta(days=n)
            closed = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
            conn.execute(
                insert(tables.day_closed).values(business_date=day, closed_at=closed, load_id=1)
            )
    first = small_shop.tiny_artifact()
    version = runtime.registry.register(MODEL, first.booster, first.manifest)
    with begin(runtime.engine) as conn:
        promote(
            conn, model=MODEL, version=version, effective_from=NOW - timedelta(days=30),
            reason="the first one", evidence={"wape": 0.41}, actor="test", now=NOW,
        )  # fmt: skip
    for day in SCORED:
        score_day(MODEL, day, runtime=runtime)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with chromium_started() as browser:
        yield browser


class Watched(browsing.Watched):
    """One that takes every error for a fault, and keeps what was asked of others."""

    def __init__(self, chromium: Any, **options: Any) -> None:
        super().__init__(chromium, **options)
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_opens_without_a_network_and_draws_its_charts(
    made: Made, chromium: Any, scheme: str
) -> None:
    watched = Watched(chromium, color_scheme=scheme, offline=True)
    page = watched.page
    page.goto(made.file.as_uri())
    assert drawn(page) >= 5
    assert "5 business dates published" not in page.inner_text("main"), "1 March is not of the week"
    assert "4 business dates published" in page.inner_text("main")
    assert HOSTILE in page.inner_text("main")
    assert page.locator("img").count() == 0
    first = page.locator("[data-figure]").first
    assert first.evaluate("e => e.querySelectorAll('path.js-line').length") >= 2
    expect_usable(page)
    keep(page, f"report-{scheme}")
    names = {url.partition(":")[0] for url in watched.asked}
    assert names <= {"file", "data", "blob"}, watched.asked
    watched.context.close()
    assert watched.faults == []


def test_without_scripts_all_numbers_are_there(made: Made, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(made.file.as_uri())
    assert page.locator("table[data-section=accuracy_by_day] tbody tr").count() == 7
    assert page.locator("svg").count() == 0
    keep(page, "report-without-scripts")
    context.close()


def test_on_the_page_it_is_in_a_sandbox_and_reaches_nothing(made: Made, chromium: Any) -> None:
    server = make_server("127.0.0.1", 0, page_app(made.runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    watched = Watched(chromium)
    page, url = watched.page, f"http://127.0.0.1:{server.server_port}/ui"
    try:
        page.goto(f"{url}/reports")
        page.get_by_label("API key").fill(key_of(made.runtime, "predict"))
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", level=1, name="Reports").wait_for()
        expect_usable(page)
        keep(page, "reports")
        page.get_by_text("as Parquet").nth(1).click()
        with page.expect_download() as download:
            page.get_by_role("link", name="accuracy by day").click()
        assert download.value.suggested_filename == f"{MODEL}-{WEEK}-accuracy_by_day.parquet"
        watched.faults.clear()  # of the login: the status of an answer
        watched.asked.clear()
        page.get_by_role("link", name=WEEK).click()
        page.get_by_role("heading", level=1, name=f"{MODEL}, {WEEK}").wait_for()
        assert drawn(page) >= 5
        assert page.evaluate("self.origin") == "null"
        place = f"{url}/reports/{MODEL}/{WEEK}/{made.report.name}"
        assert [one for one in watched.asked if not one.startswith("data:")] == [place]
        assert watched.faults == []
        with pytest.raises(Exception, match="cookie"):
            page.evaluate("document.cookie")
        stolen = "fetch('/ui').then(() => 'reached', () => 'refused')"
        assert page.evaluate(stolen) == "refused"
    finally:
        watched.context.close()
        server.shutdown()
        thread.join(30)
        server.server_close()
