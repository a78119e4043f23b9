"""The page in a real browser: every view, what is done from it, and whether everybody can use it.

Screenshots are kept in ``build/screenshots``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

import asking_toy
import price_proposals
import small_shop
import toy
from browsing import (
    Site,
    Watched,
    chromium_started,
    drawn,
    expect_usable,
    keep,
    log_in,
    served,
)
from daybreak import models
from daybreak.jobs import scoring, snapshots
from daybreak.jobs.addresses import run_address
from daybreak.jobs.run import score_day
from daybreak.jobs.waiting import look_for_inputs
from daybreak.ledger.champions import promote
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import WRITER_ROLE
from report_days import MARCH_1, come_in, load, recommend, review

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NOW = datetime(2026, 3, 11, 3, tzinfo=UTC)
SCORED = [small_shop.DAY - timedelta(days=n) for n in (3, 2, 1, 0)]
HOSTILE = "<img src=x onerror=alert(1)><b>Té</b>'\"</script><script>alert(2)</script>"


@contextmanager
def runtime_on(postgres: Any, name: str, home: Path) -> Iterator[Runtime]:
    given = Settings(
        home=home,
        warehouse_url=postgres.url(name, user=WRITER_ROLE),
        warehouse_reader_url=postgres.url(name),
        refresh_seconds=0.2,
        threads=1,
    )
    runtime = Runtime(given, lambda: NOW)
    try:
        yield runtime
    finally:
        for engine in (runtime.engine, runtime.lone_statements, runtime.report_engine):
            engine.dispose()


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A shop with four nights of forecasts, and something of everything else."""
    found = models._installed
    with (
        postgres.database("warehouse_template") as name,
        runtime_on(postgres, name, tmp_path_factory.mktemp("site")) as runtime,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(toy, "MODEL", asking_toy.ASKING)
        patch.setattr(
            models,
            "_installed",
            lambda group=models.GROUP: {**found(group), **toy.only_the_toy(group)},
        )
        fill(runtime)
        with served(runtime) as site:
            yield site


def fill(runtime: Runtime) -> None:
    small_shop.fill(runtime.engine)
    with begin(runtime.report_engine) as conn:  # the owner's, who writes what services do
        load(conn, tables.item, {"item_id": "tea", "name": HOSTILE, "category": "drink"})
        for day in np.arange(small_shop.DAY - timedelta(days=29), NOW.date()).tolist():
            closed = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
            conn.execute(
                insert(tables.day_closed).values(business_date=day, closed_at=closed, load_id=1)
            )
        recommend(conn)
        review(conn)
        come_in(conn)
        price_proposals.publish(conn, MARCH_1, {"i1": (129, 139), "i2": (200, 200)})
    first = small_shop.tiny_artifact()
    put_in_force(runtime, "sales_forecast", first.booster, first.manifest)
    other = small_shop.tiny_artifact(seed=4)
    runtime.registry.register("sales_forecast", other.booster, other.manifest)
    for day in SCORED:
        score_day("sales_forecast", day, runtime=runtime)
    manifest = {"trained_through": "2026-01-31", "features": list(toy.TOY.features), "scale": 1.0}
    put_in_force(runtime, "toy", toy.booster(), manifest)
    leave_waiting(runtime, small_shop.DAY)


def put_in_force(runtime: Runtime, model: str, booster: Any, manifest: Any) -> None:
    version = runtime.registry.register(model, booster, manifest)
    with begin(runtime.engine) as conn:
        promote(
            conn, model=model, version=version, effective_from=NOW - timedelta(days=20),
            reason="the first one", evidence={"wape": 0.41}, actor="test", now=NOW,
        )  # fmt: skip


def leave_waiting(runtime: Runtime, day: date) -> None:
    """A generation that somebody has to agree to."""
    run = run_address(run_key="daily_toy/x", run_type="manual", model="toy", business_date=day)
    look_for_inputs(run, runtime=runtime)
    generation = scoring.open_generation(snapshots.build_snapshot(run, runtime), runtime)
    for shard in scoring.plan_shards(generation, runtime):
        scoring.score_shard(generation, shard, runtime)
    scoring.audit(generation, runtime)


# The browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with chromium_started() as browser:
        yield browser


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    watched = Watched(chromium)
    yield watched.page
    watched.context.close()
    assert watched.faults == []


VIEWS = {
    "Today": ("sales_forecast", 0),
    "Forecast": ("As of 2026-03-10", 1),
    "Recommendations": ("The default list", 0),
    "Fraud": ("What to review", 1),
    "Prices": ("Changes that gain most", 1),
    "Models": ("In force", 1),
    "Data": ("The newest closed day is 2026-03-10", 1),
}


def test_who_logs_in_finds_every_view_and_can_use_it(site: Site, tab: Any) -> None:
    tab.goto(site.url)
    tab.get_by_role("heading", name="Log in").wait_for()
    expect_usable(tab)
    keep(tab, "login")
    log_in(tab, site, site.viewer)
    for title, (said, charts) in VIEWS.items():
        tab.get_by_role("navigation").get_by_role("link", name=title, exact=True).click()
        tab.get_by_role("heading", level=1, name=title).wait_for()
        assert said in tab.locator("main").inner_text()
        assert drawn(tab) == charts, title
        expect_usable(tab)
        keep(tab, title.lower())
    for path in ("accuracy", "hits", "quality", "models?model=sales_forecast"):
        tab.goto(f"{site.url}/{path}")
        assert drawn(tab) >= 1, path
        expect_usable(tab)
        keep(tab, path.partition("?")[0])
    tab.get_by_role("button", name="Log out").click()
    tab.get_by_role("heading", name="Log in").wait_for()
    assert tab.goto(f"{site.url}/forecast").status == 401


PATHS = (
    *("", "forecast", "accuracy", "lists", "hits", "fraud", "quality", "prices"),
    *("models?model=sales_forecast", "data"),
)


@pytest.mark.parametrize("name", ["dark", "phone", "phone-dark"])
def test_in_the_dark_and_on_a_phone_it_is_as_readable(site: Site, chromium: Any, name: str) -> None:
    watched = Watched(chromium, color_scheme="dark" if "dark" in name else "light")
    page = watched.page
    if "phone" in name:
        page.set_viewport_size({"width": 390, "height": 844})
    log_in(page, site, site.viewer)
    for path in PATHS:
        page.goto(f"{site.url}/{path}")
        drawn(page)
        expect_usable(page)
        keep(page, f"{path.partition('?')[0] or 'today'}-{name}")
        beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(beyond) <= 0, f"{path} is wider than its window"
    watched.context.close()
    assert watched.faults == []


def test_how_good_last_nights_forecast_was_takes_two_clicks(site: Site, tab: Any) -> None:
    log_in(tab, site, site.viewer)
    tab.get_by_role("link", name="Forecast", exact=True).click()
    tab.get_by_role("link", name="How good was it?").click()
    tab.get_by_text("The newest forecast that can be judged: as of 2026-03-09").wait_for()
    assert "seasonal naive" in tab.locator("dl.numbers").first.inner_text()


def test_what_if_draws_both_curves(site: Site, tab: Any) -> None:
    log_in(tab, site, site.viewer, "/forecast?store=A&item=coffee")
    tab.get_by_label("Price").fill("9.5")
    tab.get_by_role("button", name="Ask").click()
    tab.get_by_role("heading", name="What if?").wait_for()
    assert drawn(tab) == 2
    names = tab.evaluate(
        "document.querySelectorAll('[data-figure=\"figure-what-if\"]')[0].data.map(t => t.name)"
    )
    assert {"as planned", "what if"} <= set(names)
    asked = tab.locator("#figure-what-if").evaluate("e => JSON.parse(e.textContent).data[3].y")
    planned = tab.locator("#figure-what-if").evaluate("e => JSON.parse(e.textContent).data[2].y")
    assert len(asked) == len(planned) == 28
    keep(tab, "what-if")
    tab.get_by_label("Price").fill("1e31")
    tab.get_by_role("button", name="Ask").click()
    tab.get_by_text("field(s) are wrong").wait_for()


def test_a_name_with_tags_is_a_name(site: Site, tab: Any) -> None:
    log_in(tab, site, site.viewer, "/forecast?store=A&item=tea")
    drawn(tab)
    tab.get_by_role("heading", level=2, name=HOSTILE).wait_for()
    tab.goto(f"{site.url}/accuracy")
    drawn(tab)
    assert tab.locator("img[src=x]").count() == 0


def test_what_waits_is_approved_on_a_second_page(site: Site, tab: Any) -> None:
    log_in(tab, site, site.viewer)
    tab.get_by_text("toy of 2026-03-10 waits for somebody who agrees").wait_for()
    tab.get_by_role("link", name="Look at it and answer").click()
    tab.get_by_text("You may see toy and not change").wait_for()
    tab.get_by_role("button", name="Log out").click()
    log_in(tab, site, site.admin)
    tab.get_by_role("link", name="Look at it and answer").click()
    tab.get_by_text("42 rows", exact=False).first.wait_for()
    expect_usable(tab)
    keep(tab, "answer")
    tab.get_by_label("Reason").fill("looks right")
    tab.get_by_role("button", name="Approve").click()
    tab.get_by_text("It is published.").wait_for()
    tab.get_by_role("link", name="To today").click()
    tab.get_by_role("heading", level=1, name="Today").wait_for()
    assert "waits" not in tab.locator("main").inner_text()


def test_a_version_is_put_in_force_once_that_is_confirmed(site: Site, tab: Any) -> None:
    log_in(tab, site, site.admin, "/models?model=sales_forecast")
    in_force = tab.get_by_role("region", name="In force").locator(".big")
    before = in_force.inner_text()
    tab.get_by_role("link", name=re.compile("put in force")).click()
    tab.get_by_role("heading", level=1, name="Put a version in force").wait_for()
    expect_usable(tab)
    keep(tab, "promote")
    tab.get_by_role("button", name=re.compile("Put .* in force")).click()  # without a reason
    assert tab.url.endswith("promote?model=sales_forecast&version=" + tab.url.rpartition("=")[2])
    tab.get_by_label("Reason").fill("the other one has learned noise")
    tab.get_by_role("button", name=re.compile("Put .* in force")).click()
    tab.get_by_text("The version is in force from now on").wait_for()
    assert in_force.inner_text() != before
    assert "the other one has learned noise" in tab.locator("main").inner_text()
    assert "admin (page)" in tab.locator("main").inner_text()
    keep(tab, "promoted")


def test_without_scripts_all_but_the_charts_is_there(site: Site, chromium: Any) -> None:
    watched = Watched(chromium, java_script_enabled=False)
    page = watched.page
    log_in(page, site, site.viewer, "/forecast")
    page.get_by_label("Store").select_option("ß")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("in ß").wait_for()
    page.locator("summary", has_text="Table").first.click()
    assert page.get_by_role("region", name="Forecast by day").locator("tbody tr").count() == 28
    watched.context.close()


def test_an_empty_warehouse_and_one_that_is_away_say_what_to_do(
    postgres: Any, tmp_path: Path, tab: Any
) -> None:
    with postgres.database("warehouse_template") as name:
        with runtime_on(postgres, name, tmp_path) as runtime, served(runtime) as empty:
            log_in(tab, empty, empty.viewer)
            for path, said in (
                ("", "Nothing is here yet."),
                ("/forecast", "No forecast is published yet."),
                ("/models", "There is no version in force"),
                ("/data", "Nothing was loaded yet."),
                ("/lists", "No list is published yet."),
                ("/fraud", "No day is scored yet."),
                ("/prices", "No prices are published yet."),
            ):
                tab.goto(f"{empty.url}{path}")
                text = tab.locator("main").inner_text()
                assert said in text or "makes a version" in text, path
                expect_usable(tab)
            keep(tab, "empty")
        with runtime_on(postgres, name, tmp_path) as runtime:
            away = runtime.settings.model_copy(
                update={"warehouse_reader_url": _secret(f"postgresql://x@/x?host={tmp_path}")}
            )
            broken = Runtime(away, runtime.clock)
            with served(broken) as site:
                tab.context.clear_cookies()
                tab.goto(site.url)
                tab.get_by_label("API key").fill(site.viewer)
                tab.get_by_role("button", name="Log in").click()
                tab.get_by_text("does not answer").wait_for()
                assert "daybreak up" in tab.locator("main").inner_text()
                keep(tab, "away")
            for engine in (broken.engine, broken.lone_statements, broken.report_engine):
                engine.dispose()


def _secret(url: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(url)
