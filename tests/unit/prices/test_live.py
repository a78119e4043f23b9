"""Which streams may move prices: the form, its identity, and that the data set has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from daybreak.errors import ConfigError, DatasetError
from daybreak.prices.rules import Rules, rules_of
from daybreak.sources.contract.spec import load_spec

LEAST = {"currency": "EUR", "ladder": {"points": [0.99, 1.49]}}
SALES = {"stream": "till", "store_id": "store", "item_id": "sku"}
COMPETITORS = {"stream": "feed", "price": "price", "item_id": "sku"}
TILL = {"name": "till", "keys": ["store", "sku", "customer"], "amounts": ["quantity"]}
FEED = {"name": "feed", "keys": ["sku", "rival"], "amounts": ["price"]}


def refused(live: dict[str, Any], **rules: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        rules_of(LEAST | {"live": live} | rules)
    return caught.value.message


def test_it_comes_back_from_json() -> None:
    live = {"sales": SALES, "competitors": COMPETITORS, "minutes": 5}
    rules = rules_of(LEAST | {"competitor": {"above": 0.1}, "live": live})
    assert Rules.from_json(rules.to_json()) == rules
    assert rules.live is not None
    assert (rules.live.changes_a_day, list(rules.live.feeds)) == (4, ["sales", "competitors"])


def test_rules_without_it_keep_the_identity_that_they_had() -> None:
    """Else each shop's rules would count as changed with the release that brought it."""
    rules = rules_of(LEAST)
    assert "live" not in rules.to_json()
    assert rules.sha256 != rules_of(LEAST | {"live": {"sales": SALES}}).sha256


@pytest.mark.parametrize(
    ("live", "fault"),
    [
        ({}, "live: give `sales`, `competitors` or both"),
        ({"sales": SALES, "changes_a_day": 1}, "live.changes_a_day"),
        ({"sales": SALES, "minutes": 4}, "live.minutes"),
        ({"sales": {"stream": "till", "item_id": "sku"}}, "live.sales.store_id: Field required"),
        ({"sales": SALES | {"customer": "customer"}}, "live.sales.customer: Extra inputs"),
        ({"competitors": COMPETITORS}, "give `competitor`"),
    ],
)
def test_a_wrong_one_is_refused_by_its_field(live: dict[str, Any], fault: str) -> None:
    assert fault in refused(live)


def written(folder: Path, live: dict[str, Any], **top: Any) -> Path:
    names = ("business_date", "store_id", "item_id", "units")
    sales = {"files": "sales.csv", "columns": {name: name for name in names}}
    spec = {
        "name": "shop",
        "sales": sales,
        "streams": [TILL, FEED],
        "pricing": LEAST | {"competitor": {"above": 0.1}, "live": live},
    }
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(spec | top))
    return path


def test_its_streams_are_those_of_the_data_set(tmp_path: Path) -> None:
    live = {"sales": SALES | {"units": "quantity"}, "competitors": COMPETITORS}
    assert load_spec(written(tmp_path, live)).name == "shop"


@pytest.mark.parametrize(
    ("live", "top", "fault"),
    [
        (
            {"sales": SALES | {"stream": "bill"}},
            {},
            "live.sales.stream` is 'bill'; there is till, ",
        ),
        ({"sales": SALES | {"item_id": "article"}}, {}, "has the keys store, sku, customer"),
        ({"sales": SALES | {"units": "price"}}, {}, "live.sales.units` is 'price'; the stream"),
        ({"sales": SALES | {"item_id": "store"}}, {}, "two fields name the same of the keys"),
        ({"competitors": COMPETITORS | {"store_id": "store"}}, {}, "competitors.store_id` is"),
        ({"sales": SALES}, {"streams": []}, "there is no stream"),
        ({"sales": SALES}, {"calendar": {"period": "week"}}, "`pricing.live` is about days"),
    ],
)
def test_what_the_data_set_does_not_have_is_named(
    tmp_path: Path, live: dict[str, Any], top: dict[str, Any], fault: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        load_spec(written(tmp_path, live, **top))
    assert fault in caught.value.message
    assert "docs/data-contract.md" in caught.value.remedy
