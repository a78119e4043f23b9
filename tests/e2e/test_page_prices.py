"""People answer from the page about prices that a trained model proposed: a part, and no."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from browsing import Site, Watched, chromium_started, drawn, expect_usable, keep, log_in, served
from daybreak.errors import ApprovalNeeded
from daybreak.jobs.curves import demand_curve
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.tables import WRITER_ROLE
from price_shop import LAST, write_shop
from price_site import FORECAST, PRICES, filled, night, rows, score

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PART, REFUSED = LAST - timedelta(days=1), LAST
MOST = 7


@pytest.fixture(scope="module")
def runtime(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A shop whose rules let five prices change by themselves: two nights wait for an answer."""
    folder: Path = tmp_path_factory.mktemp("shop")
    dataset = write_shop(folder, approval={"changes": 5, "hours": 6})
    with filled(postgres, folder, dataset, PART) as shop:
        given = shop.settings(postgres.url(shop.database, WRITER_ROLE))
        reader = postgres.url(shop.database)
        made = Runtime(
            Settings(**given, warehouse_reader_url=reader, refresh_seconds=0.2, threads=1),
            lambda: night(REFUSED),
        )
        try:
            for day in (PART, REFUSED):
                score(made, day, FORECAST)
                with pytest.raises(ApprovalNeeded):
                    score(made, day, PRICES)
            yield made
        finally:
            for engine in (made.engine, made.lone_statements, made.report_engine):
                engine.dispose()


@pytest.fixture
def site(runtime: Runtime) -> Iterator[Site]:
    with served(runtime) as site:
        yield site


@pytest.fixture
def tab() -> Iterator[Any]:
    with chromium_started() as chromium:
        watched = Watched(chromium)
        yield watched.page
        watched.context.close()
    assert watched.faults == []


def changed(runtime: Runtime, day: date) -> list[dict[str, Any]]:
    """Prices of published proposals that change on a day."""
    query = "SELECT * FROM report.price_proposals WHERE business_date = :day"
    return rows(runtime, f"{query} AND price <> current_price", day=day)


def test_a_part_is_approved_and_a_night_is_rejected(runtime: Runtime, site: Site, tab: Any) -> None:
    log_in(tab, site, site.viewer, "/prices")
    waits = tab.get_by_text(f"Prices as of {PART} wait for somebody who agrees.")
    waits.wait_for()
    assert tab.get_by_role("link", name="Look at them and answer").count() == 0
    waiting = rows(runtime, "SELECT generation_id FROM ops.generation WHERE state = 'audited'")
    curve = f"generation={waiting[0]['generation_id']}&store=S001&item=I0001"
    assert tab.goto(f"{site.url}/answer?{curve}").status == 403
    tab.get_by_role("button", name="Log out").click()
    assert changed(runtime, PART) == []

    log_in(tab, site, site.admin, "/prices")
    look_at(tab, PART)
    expect_usable(tab)
    keep(tab, "prices-answer")
    assert re.search(r"30 of 72 prices would change", tab.locator("main").inner_text())
    store, item = tab.locator(".asked tbody tr").first.locator("td").all_inner_texts()[:2]
    tab.get_by_label("Store").fill(store)
    tab.get_by_label("Item").fill(item)
    tab.get_by_role("button", name="Show").click()
    tab.get_by_text(f"{item} in {store}, after {PART}").wait_for()
    assert drawn(tab) == 2
    proposed = curve_shown(tab)
    expect_usable(tab)
    keep(tab, "prices-answer-curve")
    tab.get_by_label("Agree to a part").fill(str(MOST))
    tab.get_by_label("Reason").fill("carefully first")
    tab.get_by_role("button", name="Approve").click()
    tab.get_by_text("It is published.").wait_for()
    published = changed(runtime, PART)
    assert len(published) == MOST
    ledger = "SELECT store_id, item_id, price FROM ops.price WHERE source = 'published'"
    assert {(one["store_id"], one["item_id"]) for one in rows(runtime, ledger)} == {
        (one["store_id"], one["item_id"]) for one in published
    }

    tab.get_by_role("link", name="Prices", exact=True).click()
    assert drawn(tab) == 3
    expect_usable(tab)
    changes = tab.get_by_role("region", name="Proposed changes")
    assert changes.locator("tbody tr").count() == MOST
    for table in tab.locator(".scroll:visible").all():
        beyond = table.evaluate("e => e.scrollWidth - e.clientWidth")
        assert beyond <= 0, f"{table.get_attribute('aria-label')} scrolls sideways at 1280 px"
    assert "largest change" in changes.inner_text()
    keep(tab, "prices-published")
    last = changes.locator("tbody tr").last
    other = last.locator("td").all_inner_texts()[:2]
    last.get_by_role("link").click()
    tab.get_by_text(f"{other[1]} in {other[0]}, after {PART}").wait_for()
    assert drawn(tab) == 3
    assert curve_shown(tab) == of_command(runtime, *other)
    keep(tab, "prices-curve")
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.reload()
    drawn(tab)
    keep(tab, "prices-curve-phone")
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    tab.set_viewport_size({"width": 1280, "height": 860})
    tab.get_by_label("Store").fill(store)
    tab.get_by_label("Item").fill(item)
    tab.get_by_role("button", name="Show").last.click()
    tab.get_by_text(f"{item} in {store}, after {PART}").wait_for()
    assert curve_shown(tab) == proposed == of_command(runtime, store, item)
    tab.get_by_label("Item").fill("nothing of ours")
    tab.get_by_role("button", name="Show").last.click()
    tab.get_by_text("The item 'nothing of ours' is unknown").wait_for()
    expect_usable(tab)
    tab.get_by_role("link", name="Prices", exact=True).click()
    look_at(tab, REFUSED)
    tab.get_by_label("Reason").fill("too much at once")
    tab.get_by_role("button", name="Reject").click()
    tab.get_by_text("stays").first.wait_for()
    keep(tab, "prices-rejected")
    assert changed(runtime, REFUSED) == []
    assert len(rows(runtime, ledger)) == MOST, "the ledger has what was agreed to, and no more"

    tab.get_by_role("link", name="Prices", exact=True).click()
    tab.get_by_role("heading", level=1, name="Prices").wait_for()
    said = tab.get_by_role("region", name="Who agreed to what").inner_text()
    assert "carefully first" in said
    assert "too much at once" in said
    assert waits.count() == 0
    keep(tab, "prices-answered")
    answers = rows(runtime, "SELECT * FROM report.price_approvals ORDER BY business_date")
    assert [(one["outcome"], one["person"]) for one in answers] == [
        ("capped", "admin (page)"),
        ("rejected", "admin (page)"),
    ]


def look_at(tab: Any, day: date) -> None:
    """Follow the link of the night that waits."""
    notice = tab.get_by_role("status").filter(has_text=f"Prices as of {day} wait")
    notice.get_by_role("link", name="Look at them and answer").click()
    tab.get_by_role("heading", level=1, name="Agree?").wait_for()


def curve_shown(tab: Any) -> dict[str, list[list[float]]]:
    """Price and value of each point, as they are drawn, of units and of margin."""
    script = """value => {
        const drawn = document.querySelector(`[data-figure="figure-${value}-by-price"]`).data;
        const one = drawn.find(trace => trace.name === value);
        return one.x.map((price, place) => [price, one.y[place]]);
    }"""
    return {value: tab.evaluate(script, value) for value in ("units", "margin")}


def of_command(runtime: Runtime, store: str, item: str) -> dict[str, list[list[float]]]:
    """The same, of `daybreak prices curve`."""
    points = demand_curve(store, item, PART, runtime).as_json()["points"]
    return {value: [[one["price"], one[value]] for one in points] for value in ("units", "margin")}
