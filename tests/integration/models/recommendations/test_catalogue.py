"""The catalogues of training, from events, and of a nightly run, from sums, are the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

import model_shop
from daybreak.facts.events import UNKNOWN_USER
from daybreak.facts.interactions import item_totals, read_events
from daybreak.models.recommendations.features.catalogue import ItemDays, build_catalogue, item_days
from daybreak.models.recommendations.numbers import DEFAULT
from daybreak.warehouse.engine import begin, connect, make_engine
from model_shop import AS_OF, DAY

MORE = """
    INSERT INTO raw.interaction (event_at, business_date, user_id, item_id, kind, basket_id,
        weight, quantity, price, load_id, loaded_at)
    SELECT event_at + n * interval '1 millisecond', business_date,
        CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE user_id END, item_id, 'purchase',
        CASE WHEN n < 4 THEN basket_id END, 1, CASE n WHEN 5 THEN NULL ELSE 0.1 * (n + 1) END,
        CASE n WHEN 6 THEN NULL ELSE price * 0.7 END, load_id, loaded_at
    FROM raw.interaction, generate_series(0, 8) n WHERE business_date > :day - 60
"""
"""Each event again as purchases of unknown users, in a basket and in none, and of the same user."""

SEVERAL = """
    UPDATE raw.item SET categories = jsonb_build_array(category, 'more', 'still more')
    WHERE category IS NOT NULL AND hashtext(item_id) % 2 = 0
"""


@pytest.fixture(scope="module")
def shop(postgres: Any) -> Iterator[Engine]:
    with model_shop.filled(postgres) as template, postgres.database(template) as name:
        engine = make_engine(postgres.url(name))
        with begin(engine) as conn:
            assert conn.execute(text(MORE), {"day": DAY}).rowcount > 1_000
            assert conn.execute(text(SEVERAL)).rowcount > 3
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def readings(shop: Engine) -> tuple[ItemDays, ItemDays]:
    with connect(shop) as conn:
        events = read_events(conn, AS_OF, days=DEFAULT.history_days)
        totals: dict[str, Any] = {**item_totals(conn, AS_OF, days=DEFAULT.history_days)}
    assert (events.user == UNKNOWN_USER).sum() > 500
    assert np.isnan(events.price).any()
    totals.pop("events")
    return item_days(events), ItemDays(**totals)


def test_items_and_days_are_the_same_bits(readings: tuple[ItemDays, ItemDays]) -> None:
    of_events, of_sums = readings
    assert len(of_events.item) > 1_000
    assert of_events.buyers.max() > 5
    assert set(of_events.further.values()) == {("more", "still more")}
    same_bits(vars(of_events), vars(of_sums))


def test_the_catalogue_is_the_same_bits(readings: tuple[ItemDays, ItemDays]) -> None:
    of_events, of_sums = (build_catalogue(sold, DAY).to_context() for sold in readings)
    same_bits(of_events, of_sums)


def same_bits(got: Any, wanted: Any) -> None:
    assert list(got) == list(wanted)
    for name, values in wanted.items():
        if not isinstance(values, np.ndarray):
            assert got[name] == values, name
            continue
        assert got[name].dtype == values.dtype, name
        if values.dtype == object:
            assert got[name].tolist() == values.tolist(), name
        else:
            assert got[name].tobytes() == values.tobytes(), name
