"""A data set of somebody else's, by its YAML file alone: yen, groups, a corridor, a markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from anybody import Anybody
from daybreak.errors import ApprovalNeeded, DaybreakError
from daybreak.jobs import approving
from daybreak.jobs.run import score_day
from daybreak.models.pricing.choice import solve as solving
from daybreak.models.pricing.choice.programme import Limits
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from price_checker import allowed, broken, ladder
from price_site import FORECAST, PRICES, Site, filled, night, rows
from yen_shop import ITEMS, LAST, RULES, STORES, offers, write

pytestmark = pytest.mark.slow

PROPOSED = 'SELECT * FROM report.price_proposals ORDER BY store_id COLLATE "C", item_id COLLATE "C"'


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shop")
    with filled(postgres, folder, write(folder), LAST) as made:
        yield made


@pytest.fixture
def warehouse_url(postgres: Any, site: Site) -> Iterator[str]:
    with postgres.database(site.database) as name:
        yield postgres.url(name)


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], site: Site) -> Runtime:
    given = {"home": site.home, "dataset": str(site.dataset), "refresh_seconds": 0.01}
    made = make_runtime(now=night(LAST, 3), **given)
    score_day(FORECAST, LAST, runtime=made)
    return made


def waiting(runtime: Runtime) -> int:
    """The generation of prices that waits for somebody who agrees."""
    with pytest.raises(ApprovalNeeded) as asked:
        score_day(PRICES, LAST, runtime=runtime)
    return int(asked.value.details["generation_id"])


def test_a_shop_is_taken_on_by_yaml_alone_and_its_rules_hold(runtime: Runtime) -> None:
    generation = waiting(runtime)
    asked = approving.ask(approving.generation_to_decide(generation, runtime), runtime)
    assert f"prices after {LAST}" in asked["subject"]
    assert "JPY" in asked["body"]
    assert "." not in asked["body"].partition("margin:")[2].partition("JPY")[0], "yen are whole"
    approving.answer(generation, "approve", person="ann", reason="spring", runtime=runtime)

    found, shop = rows(runtime, PROPOSED), offers()
    assert [(row["store_id"], row["item_id"]) for row in found] == [
        (one["store"], one["item"]) for one in shop
    ]
    assert len(found) == len(STORES) * len(ITEMS)
    assert [row["current_price"] for row in found] == [one["price"] for one in shop]
    final = [int(row["price"]) for row in found]
    assert broken(RULES, shop, final) == []

    changed = [(row, one) for row, one in zip(found, shop, strict=True)
               if row["price"] != row["current_price"]]  # fmt: skip
    assert 3 < len(changed) <= RULES["changes_a_night"]
    for row, one in zip(found, shop, strict=True):
        points = [point for point in ladder(RULES) if point in allowed(RULES, one)]
        if row["rule"] not in {"loss_floor and ladder", "conflict"} and points:
            ends = (points[0], points[-1])
            assert (row["lowest_price"], row["highest_price"]) == ends, row
    by_item = {row["item_id"]: row["rule"] for row in found}
    assert by_item["団子"] == "blocked"
    assert by_item["弁当 竹"] == "least_days"
    assert by_item["箸"] == "no_cost"
    assert "loss_floor" in by_item["弁当 梅"], "it costs more than any price"
    assert "competitor" in by_item["雑誌"], "what its competitor asks is absurd"
    assert by_item["水"] != "competitor", "its feed is too old to count"
    gone = [row for row, one in changed if one["item"] == "弁当 松"]
    assert all(row["price"] < row["current_price"] for row in gone)


def test_yen_have_no_decimals_anywhere(runtime: Runtime) -> None:
    generation = waiting(runtime)
    approving.answer(generation, "approve", person="ann", runtime=runtime)
    row = rows(runtime, PROPOSED)[0]
    for name in ("current_price", "price", "lowest_price", "highest_price"):
        assert isinstance(row[name], Decimal)
        assert row[name].as_tuple().exponent == 0, f"{name} is {row[name]}"
    assert row["currency"] == "JPY"
    (entry,) = rows(
        runtime,
        "SELECT DISTINCT currency, decimals FROM ops.price WHERE source = 'published'",
    )
    assert entry == {"currency": "JPY", "decimals": 0}
    client = create_app(runtime, authenticator=Anybody()).test_client()
    answer = client.post(
        f"/v1/models/{PRICES}/predict",
        json={"store_id": row["store_id"], "item_id": row["item_id"]},
    ).get_json()
    assert (answer["currency"], answer["decimals"]) == ("JPY", 0)
    assert answer["predictions"][0]["price"] == row["price"]


def test_who_is_asked_learns_that_the_search_ended_early(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cups are made a programme, which has no time."""
    monkeypatch.setattr(solving, "menu_of_tree", lambda *_: None)
    monkeypatch.setattr(solving, "Limits", partial(Limits, seconds=0))
    generation = waiting(runtime)
    asked = approving.ask(approving.generation_to_decide(generation, runtime), runtime)
    assert "not the best for sure: " in asked["body"]
    assert "(limit of seconds)" in asked["body"]
    assert "Another run may find other prices." in asked["body"]
    approving.answer(generation, "approve", person="ann", runtime=runtime)
    found = rows(runtime, PROPOSED)
    late = [row for row in found if row["stopped"] == "seconds"]
    assert late
    assert {row["item_id"] for row in late} <= {"お茶 小", "お茶 中", "お茶 大", "饅頭"}
    assert all(row["price"] == row["current_price"] for row in late), "nothing was found in time"
    assert all(0 < row["gap"] <= 1 for row in late)
    (night_of,) = rows(
        runtime, "SELECT sum(stopped)::int AS n, max(gap) AS g FROM report.price_night"
    )
    assert night_of == {"n": len(late), "g": max(row["gap"] for row in late)}
    (figures,) = rows(runtime, "SELECT figures FROM ops.approval")
    assert figures["figures"]["stopped"].keys() == {"seconds"}


@pytest.mark.parametrize("other", ["approve", "cap", "reject"])
def test_of_two_answers_at_once_one_holds_and_prices_are_in_force_once(
    runtime: Runtime, other: approving.Answer
) -> None:
    generation = waiting(runtime)

    def say(given: tuple[str, approving.Answer]) -> Any:
        person, answer = given
        most = 1.0 if answer == "cap" else None
        try:
            return approving.answer(generation, answer, person=person, most=most, runtime=runtime)
        except DaybreakError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(say, (("ann", "approve"), ("bob", other))))
    failed = [one for one in found if isinstance(one, DaybreakError)]
    assert len(failed) == 1 or (other == "approve" and not failed), "the same answer is no other"
    kept = rows(runtime, "SELECT person, outcome FROM report.price_approvals")
    outcome = kept[0]["outcome"]
    assert {one["outcome"] for one in kept} == {outcome}
    changed = [row for row in rows(runtime, PROPOSED) if row["price"] != row["current_price"]]
    entries = rows(runtime, "SELECT store_id, item_id FROM ops.price WHERE source = 'published'")
    assert len(entries) == len(changed)
    assert bool(entries) == (outcome != "rejected")
    if outcome == "capped":
        assert len(entries) == 1
