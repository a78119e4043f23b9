"""What probabilities say of themselves, beside the view that says it of all days, and as drift."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from daybreak.clock import AsOf
from daybreak.histogram import Name
from daybreak.models import get_model
from daybreak.models.base import Measured
from daybreak.models.fraud.quality import LEAST_EVENTS, estimated
from daybreak.monitoring.drift.alarms import changes_of, past_of
from daybreak.monitoring.drift.figures import Figure, Night, Value, figures_of
from daybreak.warehouse.engine import begin
from fraud_days import DAY, MONDAY, Scored, begin_stream, cutoff_of, publish, say

NIGHTLY = get_model("fraud").night
QUIET = 30


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with begin(warehouse) as connection:
        begin_stream(connection)
        yield connection


def drawn(day: date, events: int = 400, blur: float = 0.0) -> list[Scored]:
    """Most events are surely none, some are surely frauds; ``blur`` moves all to the middle."""
    random = np.random.default_rng(day.toordinal())
    sure = np.where(random.random(events) < 0.1, 0.9, 0.02) + random.normal(0, 0.005, events)
    probabilities = (1 - blur) * np.clip(sure, 0, 1) + blur * 0.12
    rounded = np.round(probabilities, 3).tolist()
    return [Scored(f"c{n}", f"{day} {n}", one) for n, one in enumerate(rounded)]


def measured(conn: Connection, day: date) -> dict[str, Measured]:
    return dict(NIGHTLY.quality(conn, AsOf(day, cutoff_of(day))))


def test_it_is_what_the_view_says_before_labels_come_and_after(conn: Connection) -> None:
    publish(conn, drawn(MONDAY))
    before = measured(conn, MONDAY)
    say(conn, True, f"{MONDAY} 1", f"{MONDAY} 2")
    assert measured(conn, MONDAY) == before
    query = text("SELECT * FROM report.fraud_quality WHERE business_date = :day")
    view = conn.execute(query, {"day": MONDAY}).mappings().one()
    assert before.keys() == {"estimated_auc", "estimated_average_precision"}
    for name, one in before.items():
        assert one.value == pytest.approx(view[name], rel=1e-9)
        assert one.rows == view["events"] == 400


def test_estimates_pair_by_pair() -> None:
    """Each event is a fraud with its probability, and each pair counts with both chances."""
    random = np.random.default_rng(3)
    single = np.sort(np.round(random.random(60), 1))[::-1]
    probability, events = np.unique(single, return_counts=True)
    found = estimated(probability[::-1], events[::-1].astype(float))

    won = total = 0.0
    for one, other in product(single, single):
        chance = one * (1 - other)
        total += chance
        won += chance * (1.0 if one > other else 0.5 if one == other else 0.0)
    assert found["estimated_auc"] == pytest.approx(won / total)
    precision = [single[single >= one].mean() for one in single]
    average = sum(single * precision) / sum(single)
    assert found["estimated_average_precision"] == pytest.approx(average)


def test_nothing_is_said_of_few_events_or_without_doubt(conn: Connection) -> None:
    publish(conn, drawn(MONDAY, LEAST_EVENTS - 1))
    assert measured(conn, MONDAY) == {}
    publish(conn, [Scored("a", f"e{n}", 0.0) for n in range(200)], MONDAY + DAY)
    assert measured(conn, MONDAY + DAY) == {}
    assert measured(conn, MONDAY + 2 * DAY) == {}, "it is not published"
    publish(conn, drawn(MONDAY + 3 * DAY), MONDAY + 3 * DAY)
    earlier = AsOf(MONDAY + 3 * DAY, cutoff_of(MONDAY))
    assert NIGHTLY.quality(conn, earlier) == {}, "it knew more than was known then"


def test_a_version_that_knows_less_is_an_alarm_within_two_nights_and_recovers(
    conn: Connection,
) -> None:
    nights: dict[date, list[Figure]] = {}
    raised: set[Name] = set()
    events: list[tuple[int, str, str]] = []
    for number in range(QUIET + 8):
        day = MONDAY + number * DAY
        blurred = QUIET <= number < QUIET + 3
        publish(conn, drawn(day, blur=0.4 if blurred else 0.0), day)
        values = {
            Name("quality", name): Value(one.value, one.rows, one.least)
            for name, one in measured(conn, day).items()
        }
        past = past_of(nights, raised, day)
        nights[day] = figures_of(Night(400, {}, values), [], {}, past)
        for change in changes_of(nights[day], past):
            (raised.add if change.event == "raised" else raised.discard)(change.name)
            events.append((number - QUIET, change.event, change.name.name))
    names = {name for _, _, name in events}
    assert "estimated_average_precision" in names
    assert {number for number, event, _ in events if event == "raised"} <= {0, 1}
    assert {number for number, event, _ in events if event == "cleared"} == {3}
    assert not raised
