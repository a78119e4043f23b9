"""Prices whose forecast is rolled back: marked, made again, and what is in force meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from anybody import Anybody
from daybreak.cli import app
from daybreak.errors import InputsLate
from daybreak.jobs import publishing
from daybreak.jobs.run import score_day
from daybreak.prices.ledger import in_force
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.app import create_app
from daybreak.warehouse.engine import begin, connect
from price_shop import LAST, write_shop
from price_site import FORECAST, PRICES, Site, filled, night, rows, score

pytestmark = pytest.mark.slow

DAY = LAST
PROPOSED = "SELECT * FROM report.price_proposals ORDER BY store_id, item_id"
AtHour = Callable[[float], Runtime]


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shop")
    with filled(postgres, folder, write_shop(folder), DAY) as made:
        yield made


@pytest.fixture
def warehouse_url(postgres: Any, site: Site) -> Iterator[str]:
    with postgres.database(site.database) as name:
        yield postgres.url(name)


@pytest.fixture
def at(make_runtime: Callable[..., Runtime], site: Site) -> AtHour:
    """The runtime of an hour of the night after the day."""

    def made(hour: float) -> Runtime:
        given = {"home": site.home, "dataset": str(site.dataset), "refresh_seconds": 0.01}
        # So that the endpoint follows at once.
        return make_runtime(now=night(DAY, hour), **given)

    return made


def another_forecast(at: AtHour, hour: float) -> None:
    """Publish one on other facts: half of the items sold a third of what was said."""
    owner = at(hour).settings.warehouse_url
    assert owner is not None
    with begin(at(hour).engine) as conn:
        conn.execute(
            text(
                """
                INSERT INTO raw.sales (business_date, store_id, item_id, units, price, promotion,
                    open, holiday, covariates, load_id, loaded_at)
                SELECT business_date, store_id, item_id, round(units / 3), price, promotion, open,
                    holiday, covariates, load_id, :known
                FROM raw.sales WHERE business_date > :since AND item_id < 'I0013'
                """
            ),
            {"known": night(DAY, hour), "since": DAY - timedelta(days=90)},
        )
    score_day(FORECAST, DAY, "latest", runtime=at(hour))


def prices(runtime: Runtime, hour: float = 30) -> dict[tuple[str, str], int]:
    """In force an hour after the day, by what is known then."""
    moment = night(DAY, hour)
    with connect(runtime.engine) as conn:
        return {(one.store_id, one.item_id): one.price for one in in_force(conn, moment, moment)}


def changes(runtime: Runtime) -> dict[tuple[str, str], int]:
    """What is proposed, of the prices that change."""
    found = [row for row in rows(runtime, PROPOSED) if row["price"] != row["current_price"]]
    return {(row["store_id"], row["item_id"]): round(row["price"] * 100) for row in found}


def ask(runtime: Runtime) -> dict[str, Any]:
    client = create_app(runtime, authenticator=Anybody()).test_client()
    key = {name: rows(runtime, PROPOSED)[0][name] for name in ("store_id", "item_id")}
    answer: dict[str, Any] = client.post(f"/v1/models/{PRICES}/predict", json=key).get_json()
    return answer


def test_prices_are_marked_and_the_rerun_stands_on_what_followed(at: AtHour) -> None:
    before = prices(at(3))
    score(at(3), DAY)
    first = changes(at(3))
    assert {row["basis"] for row in rows(at(3), PROPOSED)} == {"published"}
    assert ask(at(4))["basis"] == "published"
    assert prices(at(3)) == before | first
    assert first

    publishing.rollback(FORECAST, DAY, at(5))
    assert {row["basis"] for row in rows(at(5), PROPOSED)} == {"rolled_back"}
    assert ask(at(5))["basis"] == "rolled_back"
    assert prices(at(5)) == before | first, "what is in force stays until the day is scored again"
    with pytest.raises(InputsLate, match="are not published"):
        score(at(6), DAY, PRICES)

    another_forecast(at, 7)
    score(at(8), DAY, PRICES)
    second = changes(at(8))
    assert {row["basis"] for row in rows(at(8), PROPOSED)} == {"published"}
    assert ask(at(8))["basis"] == "published"
    assert first.keys() - second.keys(), "some price is changed by the first one alone"
    assert prices(at(8)) == before | second, "it is what it was before"

    publishing.rollback(PRICES, DAY, at(9))
    assert prices(at(9)) == before | first
    assert {row["basis"] for row in rows(at(9), PROPOSED)} == {"rolled_back"}
    publishing.rollback(PRICES, DAY, at(10))
    assert prices(at(10)) == before
    assert rows(at(10), PROPOSED) == []


def test_commands_say_on_what_prices_stand(
    at: AtHour, site: Site, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, generation = score(at(3), DAY)
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(site.home))
    monkeypatch.setenv("DAYBREAK_DATASET", str(site.dataset))
    get_runtime.cache_clear()

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, list(arguments)).stdout

    try:
        assert "(published)" in run("generations", "show", str(generation))
        day = ("--business-date", DAY.isoformat())
        assert "is withdrawn; the day is empty" in run("rollback", FORECAST, *day)
        assert "of sales_forecast (rolled back)" in run("generations", "show", str(generation))
        found = json.loads(run("generations", "show", str(generation), "--json"))
        assert [one["state"] for one in found["basis"]] == ["rolled_back"]
        said = run("status")
        assert f"{PRICES}: {DAY} by" in said
        assert "basis: rolled back)" in said
        assert f"`daybreak score {PRICES} --business-date {DAY}`" in said
    finally:
        get_runtime().engine.dispose()
        get_runtime.cache_clear()
