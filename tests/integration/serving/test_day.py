"""A whole business day of the sales forecast, asked again: the endpoint equals the table."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import small_shop
from anybody import Anybody
from day_equality import assert_day_equals, assert_row_equals, published_rows, request_body
from daybreak.models import get_model
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin
from gunicorn_server import gunicorn

MODEL = get_model("sales_forecast")


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    """A runtime whose newest day was scored and published, by the steps that Airflow runs."""
    return small_shop.published_day(make_runtime(now=small_shop.CUTOFF, entities_per_shard=4))


def test_every_row_of_the_day_is_answered_bit_for_bit(runtime: Runtime) -> None:
    client = create_app(runtime, authenticator=Anybody()).test_client()
    rows = assert_day_equals(client, runtime.engine, small_shop.DAY, model=MODEL)
    assert rows == len(small_shop.STORES) * len(small_shop.ITEMS) * small_shop.AHEAD


def test_another_price_is_live_and_moves_only_what_was_asked(runtime: Runtime) -> None:
    client = create_app(runtime, authenticator=Anybody()).test_client()
    _, rows = published_rows(runtime.engine, MODEL, small_shop.DAY)
    path = f"/v1/models/{MODEL.name}/predict"
    row = next(row for row in rows if row["mean"] > 0)
    plain = client.post(path, json=request_body(row)).get_json()
    live = client.post(path, json=request_body(row) | {"price": 1234.5}).get_json()
    again = client.post(path, json=request_body(row)).get_json()
    assert (plain["source"], live["source"], again["source"]) == ("published", "live", "published")
    assert plain["predictions"] == again["predictions"]
    far = client.post(path, json=request_body(row) | {"price": 1e39})
    assert far.status_code == 400, "beyond float32"
    assert "price" in far.get_json()["error"]["message"]


def test_a_whole_series_and_a_grid_of_prices_are_the_answers_one_by_one(runtime: Runtime) -> None:
    client = create_app(runtime, authenticator=Anybody()).test_client()
    _, rows = published_rows(runtime.engine, MODEL, small_shop.DAY)
    path = f"/v1/models/{MODEL.name}/predict"
    series = {name: rows[0][name] for name in ("store_id", "item_id")}
    days = [str(small_shop.DAY + timedelta(days=n + 1)) for n in range(small_shop.AHEAD)]

    def ask(**fields: Any) -> dict[str, Any]:
        answer = client.post(path, json=series | fields).get_json()
        assert "predictions" in answer, answer
        return answer

    whole = ask(horizon="all")
    assert whole["source"] == "published"
    one_by_one = [ask(target_date=day)["predictions"][0] for day in days]
    assert whole["predictions"] == one_by_one
    assert ask(first_date=days[1], last_date=days[2])["predictions"] == one_by_one[1:3]

    prices = [1.0, 1234.5]
    grid = ask(last_date=days[1], prices=prices, promotion=0)
    assert grid["source"] == "live"
    assert grid["predictions"] == [
        ask(target_date=day, price=price, promotion=0)["predictions"][0]
        for day in days[:2]
        for price in prices
    ]
    (what_if,) = ask(target_date=days[0], price=1234.5)["predictions"]
    assert what_if["price"] == 1234.5
    again = ask(target_date=days[0], price=what_if["planned_price"])
    assert again["source"] == "published"
    same = {name: again["predictions"][0][name] for name in one_by_one[0]}
    assert same == one_by_one[0]

    both = [{"target_date": days[0], "price": 1234.5}, {"target_date": days[0]}]
    mixed = client.post(path, json={"rows": [series | one for one in both]}).get_json()["answers"]
    assert [one["predictions"] for one in mixed] == [[what_if], one_by_one[:1]]

    former = {"store": series["store_id"], "item": series["item_id"], "date": days[0]}
    assert client.post(path, json=former).get_json()["predictions"] == one_by_one[:1]


@pytest.mark.slow
def test_two_hundred_rows_over_http_from_gunicorn_are_the_same_bits(
    runtime: Runtime, tmp_path: Path
) -> None:
    with begin(runtime.engine) as conn:
        token = create_key(conn, "test", small_shop.CUTOFF).token
    generation, rows = published_rows(runtime.engine, MODEL, small_shop.DAY)
    with gunicorn(runtime, tmp_path, app="daybreak.platform.wsgi:app") as server:

        def ask(body: Mapping[str, Any]) -> Mapping[str, Any]:
            request = urllib.request.Request(
                f"{server.url}/v1/models/{MODEL.name}/predict",
                json.dumps(dict(body)).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                answer: Mapping[str, Any] = json.load(response)
                return answer

        for row in rows[:: len(rows) // 200]:
            assert_row_equals(ask, generation, row, model=MODEL)
