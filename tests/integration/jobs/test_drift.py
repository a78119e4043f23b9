"""Nights of a crowd, measured on a real warehouse: what is quiet, what is found, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, insert, select, text

import toy
from crowd import FIRST, Crowd, at
from daybreak import models
from daybreak.errors import NotFound
from daybreak.jobs import drift, publishing
from daybreak.jobs.registering import register_trained
from daybreak.models.base import Day, SnapshotRows, Trained
from daybreak.monitoring.drift.reference import from_manifest
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import calendar, drift_alarm, drift_histogram
from daybreak.warehouse.tables import drift as figures
from statsd_daemon import statsd_daemon

QUIET = 29
"""Nights after which something is usual: two weeks to compare with, and two weeks more."""


@pytest.fixture
def crowd(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Crowd:
    found = Crowd(make_runtime(now=at(FIRST)))
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", found.model(), raising=False)
    found.register()
    return found


def alarms(crowd: Crowd) -> list[tuple[str, str, str]]:
    """Day, event and name of each, in order."""
    query = select(drift_alarm).order_by(drift_alarm.c.alarm_id)
    with connect(crowd.runtime.engine) as conn:
        return [
            (row.business_date.isoformat(), row.event, f"{row.kind} {row.name}")
            for row in conn.execute(query)
        ]


def histograms(crowd: Crowd, generation_id: int) -> list[tuple[Any, ...]]:
    query = select(
        drift_histogram.c.kind,
        drift_histogram.c.name,
        drift_histogram.c.bins,
        drift_histogram.c.counts,
    ).where(drift_histogram.c.generation_id == generation_id)
    with connect(crowd.runtime.engine) as conn:
        return sorted(tuple(row) for row in conn.execute(query))


def states(crowd: Crowd, generation_id: int) -> dict[str, str]:
    query = select(figures).where(figures.c.generation_id == generation_id)
    with connect(crowd.runtime.engine) as conn:
        return {f"{row.kind} {row.name}": row.state for row in conn.execute(query)}


def test_a_weekly_rhythm_is_quiet_and_a_shift_is_found_on_its_second_night(crowd: Crowd) -> None:
    day = crowd.nights(FIRST, QUIET)
    assert alarms(crowd) == []

    crowd.shift = 1.0
    first = crowd.night(day)
    assert first["raised"] == []
    assert states(crowd, crowd.published[day]["generation_id"])["feature level"] == "over"

    second = crowd.night(day + timedelta(days=1))
    assert "feature level" in second["raised"]
    found = drift.show("toy", runtime=crowd.runtime)
    assert "feature level" in found["alarms"]
    assert found["business_date"] == (day + timedelta(days=1)).isoformat()
    assert {one["name"] for one in found["figures"]} >= {"level", "price", "p50", "entities"}


def holiday(crowd: Crowd, day: date) -> None:
    with begin(crowd.runtime.engine) as conn:
        row = {"business_date": day, "open": True, "holiday": "Good Friday"}
        conn.execute(insert(calendar).values(row))


def test_what_a_holiday_leaves_behind_raises_nothing(crowd: Crowd) -> None:
    day = crowd.nights(FIRST, QUIET + 3)
    assert day.weekday() == 0, "days of one rhythm follow"
    holiday(crowd, day)
    crowd.shift = 1.0
    crowd.nights(day, 4)
    assert "feature level" not in [name for _, _, name in alarms(crowd)]
    newest = drift.show("toy", runtime=crowd.runtime)["figures"]
    (level,) = [one for one in newest if one["name"] == "level"]
    assert level["distance"] == level["psi_holiday"] < level["raise_at"] < level["psi_earlier"]
    assert 0 < level["noticed"] < 1

    crowd.shift = 4.0
    crowd.nights(day + timedelta(days=4), 1)
    newest = drift.show("toy", runtime=crowd.runtime)["figures"]
    assert {one["name"]: one["state"] for one in newest}["level"] == "over"


def test_beside_a_holiday_quality_raises_nothing(crowd: Crowd) -> None:
    random = np.random.default_rng(1)
    day = FIRST
    for _ in range(QUIET):
        crowd.bias = float(random.normal(0, 0.02))
        day = crowd.nights(day, 1)
    holiday(crowd, day + timedelta(days=1))
    crowd.bias = 0.3
    crowd.nights(day, 1)
    assert states(crowd, crowd.published[day]["generation_id"])["quality bias"] == "over"
    assert alarms(crowd) == []


def test_an_alarm_is_raised_once_and_cleared_when_nights_are_as_before(crowd: Crowd) -> None:
    day = crowd.nights(FIRST, QUIET)
    crowd.missing = 150
    day = crowd.nights(day, 3)
    raised = [one for one in alarms(crowd) if one[2] == "feature price"]
    assert [event for _, event, _ in raised] == ["raised"]

    crowd.missing = 0
    crowd.nights(day, 1)
    changed = [event for _, event, name in alarms(crowd) if name == "feature price"]
    assert changed == ["raised", "cleared"]


def test_measured_again_a_night_has_the_same_bytes_and_no_second_alarm(crowd: Crowd) -> None:
    day = crowd.nights(FIRST, QUIET)
    crowd.shift = 1.0
    crowd.nights(day, 2)
    night = crowd.published[day + timedelta(days=1)]
    before = histograms(crowd, night["generation_id"]), alarms(crowd)

    again = drift.measure(night, crowd.runtime)

    assert again["raised"] == []
    assert (histograms(crowd, night["generation_id"]), alarms(crowd)) == before

    # Published anew by another run: another generation, of the same rows.
    anew = crowd.publish(day + timedelta(days=1), run_key="backfill")
    assert drift.measure(anew, crowd.runtime)["raised"] == []
    assert histograms(crowd, anew["generation_id"]) == before[0]
    assert alarms(crowd) == before[1]


def test_a_day_long_past_raises_nothing(crowd: Crowd) -> None:
    day = crowd.nights(FIRST, QUIET + 9)
    crowd.shift, crowd.later = 5.0, timedelta(minutes=1)
    for back in (9, 8):
        crowd.night(day - timedelta(days=back))
    measured = states(crowd, crowd.published[day - timedelta(days=8)]["generation_id"])
    assert measured["feature level"] == "alarm"
    assert alarms(crowd) == []


def test_only_what_is_published_is_measured(crowd: Crowd) -> None:
    night = crowd.publish(FIRST)
    publishing.rollback("toy", FIRST, crowd.runtime)
    assert drift.measure(night, crowd.runtime)["figures"] == 0
    with pytest.raises(NotFound, match="No published night"):
        drift.show("toy", runtime=crowd.runtime)
    with pytest.raises(NotFound):
        drift.show("nobody", runtime=crowd.runtime)


def test_a_measure_of_quality_is_held_beside_earlier_nights_and_the_backtest(crowd: Crowd) -> None:
    random = np.random.default_rng(1)
    day = FIRST
    for _ in range(QUIET):
        crowd.bias = float(random.normal(0, 0.02))
        day = crowd.nights(day, 1)
    assert alarms(crowd) == []
    crowd.bias = 0.3
    crowd.nights(day, 2)
    assert [(event, name) for _, event, name in alarms(crowd)] == [("raised", "quality bias")]
    found = drift.show("toy", runtime=crowd.runtime)["figures"]
    (bias,) = [one for one in found if one["name"] == "bias"]
    assert bias["value_training"] == 0.01
    assert abs(bias["value_earlier"]) < 0.02


def test_a_version_keeps_what_it_was_trained_on(crowd: Crowd) -> None:
    """And values that its training never saw are an alarm at once, before anything is usual."""
    nightly = crowd.model().night
    rows = SnapshotRows(
        (np.array(["S1"] * 400, object), np.array([f"I{n}" for n in range(400)], object)),
        np.column_stack([np.linspace(1, 9, 400), np.linspace(2, 8, 400)]).astype(np.float32),
    )
    day = Day(FIRST - timedelta(days=1))
    manifest = {
        "trained_through": "2025-12-30",
        "features": list(toy.TOY.features),
        "scale": 1.0,
    }
    trained = Trained(toy.booster(), manifest, nights=[(day, rows)])
    crowd.version = register_trained(crowd.runtime, "toy", trained)
    assert register_trained(crowd.runtime, "toy", trained) == crowd.version
    kept = from_manifest(crowd.runtime.registry.load("toy", crowd.version).manifest)
    assert {tuple(name) for name in kept} == {
        *(("feature", name) for name in ("level", "price")),
        *(("row", name) for name in toy.TOY.features),
        *(("score", name) for name in ("p10", "p50", "p90", "mean")),
    }
    assert {int(one.counts.sum()) for name, one in kept.items() if name.kind == "feature"} == {400}
    assert nightly.rows_per_entity(day) == toy.HORIZON

    assert crowd.night(FIRST)["raised"] == []
    crowd.shift = 100.0
    assert "feature level" in crowd.night(FIRST + timedelta(days=1))["raised"]


def test_what_is_kept_does_not_grow_for_ever(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(make_runtime(now=at(FIRST), keep_snapshots=3))
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", crowd.model(), raising=False)
    crowd.register()
    crowd.nights(FIRST, 5)
    with connect(crowd.runtime.engine) as conn:
        kept = select(func.count(func.distinct(drift_histogram.c.generation_id)))
        measured = select(func.count(func.distinct(figures.c.generation_id)))
        assert (conn.scalar(kept), conn.scalar(measured)) == (3, 5)


def test_gauges_say_how_near_the_nearest_is(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    with statsd_daemon() as daemon:
        made = make_runtime(now=at(FIRST), statsd_host=daemon.host, statsd_port=daemon.port)
        crowd = Crowd(made)
        monkeypatch.setattr(models, "_installed", toy.only_the_toy)
        monkeypatch.setattr(toy, "MODEL", crowd.model(), raising=False)
        crowd.register()
        crowd.night(FIRST)
        sent = daemon.lines()
    assert any("daybreak.toy.drift.alarms:0" in one for one in sent)
    assert any("daybreak.toy.drift.feature:" in one for one in sent)


def test_alarms_are_only_appended_to(crowd: Crowd) -> None:
    with pytest.raises(Exception, match="permission denied"), begin(crowd.runtime.engine) as conn:
        conn.execute(text("DELETE FROM ops.drift_alarm"))
