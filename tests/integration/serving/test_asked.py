"""What the endpoint was asked, day by day, beside the nights that answered: quiet, and found."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

import small_shop
import toy
from anybody import Anybody
from crowd import FIRST, Crowd, at
from day_equality import published_rows, request_body
from daybreak import models
from daybreak.clock import AsOf
from daybreak.errors import WarehouseUnavailable
from daybreak.histogram import ROW, Bins, Histogram, Name
from daybreak.jobs import drift
from daybreak.jobs.registering import register_trained
from daybreak.ledger.champions import promote
from daybreak.models import get_model
from daybreak.models.base import Day, Given, Model, Questions, SnapshotRows, Span, Trained
from daybreak.models.sales_forecast.features import layout
from daybreak.models.sales_forecast.features.watched import watched_features
from daybreak.monitoring.drift import asked_counts
from daybreak.monitoring.drift.reference import to_manifest
from daybreak.runtime import Runtime
from daybreak.scoring.histograms import of_rows
from daybreak.serving.app import create_app
from daybreak.serving.asked import MOST_ROWS, WAITING, AskedRows
from daybreak.serving.service import service_of
from daybreak.types import Float32
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import asked_histogram, drift_alarm, drift_histogram
from daybreak.warehouse.tables import drift as figures
from waiting import wait_for

QUIET = 17
"""Nights after which something is usual: the second one is the first that is compared, and says
what the next ones are further apart than."""
LISTS, ROWS = 5, 40
"""Requests of a day, and questions of each."""


class Filled(toy.ToyRows):
    """Online an unknown level would be 0: here all are."""

    @property
    def features(self) -> Float32:
        found = super().features
        found[:, 0] = 0
        return found


class Filling(toy.ToyScorer):
    """Implements ``Scorer``, other than by night."""

    def rows(self, given: Given, questions: Questions) -> Filled:
        return Filled(**vars(super().rows(given, questions)))


@dataclass
class Asking:
    """A crowd that is asked about every day, the popular ones most. ``unit``: of given prices.
    ``scorer``: of the endpoint alone."""

    crowd: Crowd
    unit: float = 1.0
    lists: int = LISTS
    scorer: Callable[..., Any] = toy.ToyScorer
    written: list[int] = field(default_factory=list)

    def model(self) -> Model[toy.ToyRequest]:
        return replace(self.crowd.model(), scorer=self.scorer)

    def client(self) -> FlaskClient:
        runtime = self.crowd.runtime
        return create_app(runtime, authenticator=Anybody(), models=[self.model()]).test_client()

    def bodies(self, day: date) -> list[dict[str, Any]]:
        random = np.random.default_rng([7, day.toordinal()])
        # Few entities get most of the questions, the same ones every day.
        places = np.minimum(random.exponential(30, self.lists * ROWS).astype(int), 199)
        found = []
        for place in places.tolist():
            body: dict[str, Any] = {"store": "S1", "item": f"I{place:04}"}
            body["date"] = (day + timedelta(days=1)).isoformat()
            if place % 3 == 0:
                price = (2 + 6 * place / 199) * random.uniform(0.9, 1.1)
                body["price"] = round(price * self.unit, 4)
            found.append(body)
        return found

    def ask(self, day: date) -> None:
        """All questions of a day, in lists; counted and written as the thread would."""
        client = self.client()
        bodies = self.bodies(day)
        for first in range(0, len(bodies), ROWS):
            rows = bodies[first : first + ROWS]
            answer = client.post("/v1/models/toy/predict", json={"rows": rows})
            assert answer.status_code == 200, answer.get_json()
        asked = service_of(client.application).asked
        asked.count()
        self.written.append(asked.write())

    def days(self, first: date, many: int) -> date:
        for one in range(many):
            day = first + timedelta(days=one)
            self.crowd.night(day)
            self.ask(day)
        return first + timedelta(days=many)


def trained(crowd: Crowd) -> str:
    """A version that says what it was trained on, in force from the beginning."""
    names = np.array([f"I{n:04}" for n in range(200)], object)
    values = np.column_stack([np.linspace(1, 9, 200), np.linspace(2, 8, 200)]).astype(np.float32)
    rows = SnapshotRows((np.full(200, "S1", object), names), values)
    manifest = {
        "trained_through": "2025-12-30",
        "features": [{"name": name, "dtype": "float32"} for name in toy.TOY.features],
        "scale": 1.0,
    }
    nights = [(Day(FIRST - timedelta(days=1)), rows)]
    version = register_trained(
        crowd.runtime, "toy", Trained(toy.booster(), manifest, nights=nights)
    )
    with begin(crowd.runtime.engine) as conn:
        promote(
            conn,
            model="toy",
            version=version,
            effective_from=at(FIRST) - timedelta(hours=1),
            reason="test",
            evidence={},
            actor="test",
            now=at(FIRST),
        )
    return version


@pytest.fixture
def asking(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Asking:
    crowd = Crowd(make_runtime(now=at(FIRST), refresh_seconds=1e-9))
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", crowd.model(), raising=False)
    crowd.register()
    crowd.version = trained(crowd)
    return Asking(crowd)


def alarms(crowd: Crowd) -> list[tuple[str, str]]:
    query = select(drift_alarm).order_by(drift_alarm.c.alarm_id)
    with connect(crowd.runtime.engine) as conn:
        return [(row.event, f"{row.kind} {row.name}") for row in conn.execute(query)]


def asked_of(crowd: Crowd, day: date) -> dict[str, Mapping[str, Any]]:
    """Figures of a night of what was asked about the one before, by feature."""
    generation_id = crowd.published[day]["generation_id"]
    query = select(figures).where(
        figures.c.generation_id == generation_id, figures.c.kind == "asked"
    )
    with connect(crowd.runtime.engine) as conn:
        return {row["name"]: row for row in conn.execute(query).mappings()}


def test_many_days_of_popular_questions_are_quiet(asking: Asking) -> None:
    day = asking.days(FIRST, 45)
    assert alarms(asking.crowd) == []
    asking.crowd.night(day)
    newest = asked_of(asking.crowd, day)
    assert newest.keys() == {"level", "price", "weekday", "horizon"}
    level = newest["level"]
    assert level["value"] == level["psi_earlier"] > 0.2, "who asks is not like the night"
    assert level["distance"] == max(level["value"] - level["value_earlier"], 0) < level["raise_at"]
    assert level["rows"] == asking.written[-1] == LISTS * ROWS


@pytest.mark.parametrize("fault", ["other units", "filled otherwise"])
def test_what_is_otherwise_only_online_is_found_within_two_days(asking: Asking, fault: str) -> None:
    crowd = asking.crowd
    day = asking.days(FIRST, QUIET)
    asking.unit = 100.0 if fault == "other units" else 1.0
    asking.scorer = toy.ToyScorer if fault == "other units" else Filling
    wrong = "asked price" if fault == "other units" else "asked level"

    asking.days(day, 2)  # the night of the first of them looks at the last quiet one
    assert alarms(crowd) == []
    found = crowd.night(day + timedelta(days=2))

    assert found["raised"] == [wrong]
    assert alarms(crowd) == [("raised", wrong)]
    shown = drift.show("toy", runtime=crowd.runtime)
    assert shown["alarms"] == [wrong]
    (row,) = [one for one in shown["figures"] if f"{one['kind']} {one['name']}" == wrong]
    assert row["ks_earlier"] > 0.2
    assert row["outside"] > 0.2

    asking.unit, asking.scorer = 1.0, toy.ToyScorer
    asking.ask(day + timedelta(days=2))
    crowd.night(day + timedelta(days=3))
    assert alarms(crowd) == [("raised", wrong), ("cleared", wrong)]


def test_few_questions_raise_nothing_and_clear_nothing(asking: Asking) -> None:
    crowd = asking.crowd
    day = asking.days(FIRST, QUIET)
    asking.unit, asking.lists = 100.0, 2
    day = asking.days(day, 4)
    assert alarms(crowd) == []
    assert asked_of(crowd, day - timedelta(days=1))["price"]["distance"] is None

    asking.lists = LISTS
    day = asking.days(day, 3)
    assert alarms(crowd) == [("raised", "asked price")]
    asking.lists = 0
    asking.days(day, 2)
    assert alarms(crowd) == [("raised", "asked price")]
    assert asked_of(crowd, day + timedelta(days=1))["price"]["state"] == "alarm"


def test_counts_are_those_of_the_rows_that_were_answered(asking: Asking) -> None:
    """Counted here value by value, by comparing with every edge of the manifest."""
    crowd = asking.crowd
    crowd.night(FIRST)
    asking.ask(FIRST)
    manifest = crowd.runtime.registry.load("toy", crowd.version).manifest
    bins = {one["name"]: one for one in manifest["drift"] if one["kind"] == "row"}
    with connect(crowd.runtime.engine) as conn:
        span = Span(AsOf(FIRST, at(FIRST)))
        (night,) = crowd.model().night.rows(conn, span, {}, {})
        rows = conn.execute(select(asked_histogram)).mappings().all()
    given: dict[str, list[float]] = {"level": [], "price": [], "weekday": [], "horizon": []}
    for body in asking.bodies(FIRST):
        level, price = night.values[int(body["item"][1:])].tolist()
        given["level"].append(level)
        given["price"].append(body.get("price", price))
        given["weekday"].append((FIRST.weekday() + 1) % 7)
        given["horizon"].append(1)
    assert {row["name"] for row in rows} == bins.keys() == given.keys()
    for row in rows:
        edges = bins[row["name"]]["edges"]
        expected = [0] * (len(edges) + 2)
        for value in given[row["name"]]:
            expected[1 + sum(edge < on_grid(value) for edge in edges)] += 1
        assert np.frombuffer(row["counts"], "<i8").tolist() == expected
        assert row["answers"] == LISTS * ROWS


def on_grid(value: float) -> float:
    """Without the lower half of its bits."""
    (found,) = struct.unpack(">f", struct.pack(">f", value)[:2] + bytes(2))
    return float(found)


def test_a_night_measured_again_looks_at_the_same_questions(asking: Asking) -> None:
    crowd = asking.crowd
    asking.days(FIRST, 3)
    last = FIRST + timedelta(days=3)
    night = crowd.publish(last)
    drift.measure(night, crowd.runtime)
    before = {name: dict(row) for name, row in asked_of(crowd, last).items()}
    assert before

    # What a slow process writes after the publication is of no night any more.
    crowd.runtime.clock = lambda: at(last) + timedelta(minutes=1)
    late = service_of(asking.client().application).asked
    publication = service_of(asking.client().application).publications.current("toy")
    generation = replace(
        publication.generation,
        generation_id=crowd.published[last - timedelta(days=1)]["generation_id"],
    )
    rows = np.full((200, 4), 1e6, np.float32)
    late.offer(replace(publication, generation=generation), rows, 200)
    late.count()
    assert late.write() > 0
    crowd.runtime.clock = lambda: at(FIRST)
    drift.measure(night, crowd.runtime)
    assert {name: dict(row) for name, row in asked_of(crowd, last).items()} == before


def test_what_was_asked_does_not_stay_for_ever(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(make_runtime(now=at(FIRST), refresh_seconds=1e-9, keep_snapshots=3))
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", crowd.model(), raising=False)
    crowd.register()
    crowd.version = trained(crowd)
    asking = Asking(crowd)
    crowd.night(asking.days(FIRST, 5))
    with connect(crowd.runtime.engine) as conn:
        kept = select(func.count(func.distinct(asked_histogram.c.generation_id)))
        rows = select(func.count(func.distinct(drift_histogram.c.generation_id))).where(
            drift_histogram.c.kind == "row"
        )
        assert (conn.scalar(kept), conn.scalar(rows)) == (2, 3)


def test_a_version_that_does_not_say_what_it_learned_from_is_not_counted(
    asking: Asking,
) -> None:
    crowd = asking.crowd
    crowd.version = crowd.register(scale=2.0)
    crowd.night(FIRST)
    asking.ask(FIRST)
    assert asking.written == [0]
    crowd.night(FIRST + timedelta(days=1))
    assert asked_of(crowd, FIRST + timedelta(days=1)) == {}


def test_who_appends_may_do_nothing_else(asking: Asking) -> None:
    crowd = asking.crowd
    crowd.night(FIRST)
    asking.ask(FIRST)
    for statement in ("UPDATE ops.asked_histogram SET answers = 0", "TRUNCATE ops.asked_histogram"):
        with (
            pytest.raises(Exception, match="permission denied"),
            begin(crowd.runtime.engine) as conn,
        ):
            conn.execute(text(statement))
    counts = {"level": np.ones(3, np.int64)}
    with (
        pytest.raises(Exception, match="asked_histogram_window"),
        begin(crowd.runtime.engine) as conn,
    ):
        asked_counts.append(conn, 1, _later(), at(FIRST), answers=1, counts=counts)


def _later() -> datetime:
    return at(FIRST) + timedelta(seconds=1)


def test_what_waits_is_bounded(asking: Asking) -> None:
    asking.crowd.night(FIRST)
    service = service_of(asking.client().application)
    asked = AskedRows(asking.crowd.runtime, seconds=3600)
    publication = service.publications.current("toy")
    many = np.arange(4000, dtype=np.float32).reshape(-1, 4)
    for _ in range(WAITING + 100):
        asked.offer(publication, many, 1000)
    asked.count()
    assert asked.write() == WAITING * 63, "each sixteenth of 1,000 rows"
    with connect(asking.crowd.runtime.engine) as conn:
        (rows,) = {
            int(np.frombuffer(one, "<i8").sum())
            for one in conn.scalars(select(asked_histogram.c.counts))
        }
    assert rows == WAITING * 63 <= WAITING * MOST_ROWS


def test_only_who_scored_the_night_is_compared_with_it(asking: Asking) -> None:
    """No version that is tried, or asked by way of measuring."""
    asking.crowd.night(FIRST)
    service = service_of(asking.client().application)
    publication = service.publications.current("toy")
    rows = np.ones((1, 4), np.float32)
    asked = AskedRows(asking.crowd.runtime, seconds=3600)
    asked.offer(replace(publication, version="another"), rows)
    asked.offer(replace(publication, generation=None), rows)
    asked.count()
    assert asked.write() == 0
    asked.ignore()
    asked.offer(publication, rows)
    asked.count()
    assert asked.write() == 0


def test_the_thread_counts_and_writes_and_keeps_what_it_cannot(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.crowd.night(FIRST)
    runtime = asking.crowd.runtime
    publication = service_of(asking.client().application).publications.current("toy")
    append, refused = asked_counts.append, []

    def down_at_first(*args: Any, **kwargs: Any) -> None:
        if len(refused) < 2:
            refused.append(1)
            raise WarehouseUnavailable("It is down.", remedy="Wait.")
        append(*args, **kwargs)

    monkeypatch.setattr(asked_counts, "append", down_at_first)
    asked = AskedRows(runtime, seconds=0.01, window=0.02)
    for _ in range(3):
        asked.offer(publication, np.ones((2, 4), np.float32), 2)

    def written() -> bool:
        with connect(runtime.engine) as conn:
            answers = conn.scalars(
                select(asked_histogram.c.answers).where(asked_histogram.c.name == "level")
            )
            return sum(answers) == 6

    wait_for(written)
    assert len(refused) == 2


def test_what_is_refused_is_dropped_and_nothing_waits_behind_it(asking: Asking) -> None:
    asking.crowd.night(FIRST)
    publication = service_of(asking.client().application).publications.current("toy")
    assert publication.generation is not None
    nowhere = replace(publication, generation=replace(publication.generation, generation_id=99))
    asked = AskedRows(asking.crowd.runtime, seconds=3600)
    asked.offer(nowhere, np.ones((1, 4), np.float32))
    asked.offer(publication, np.ones((1, 4), np.float32))
    asked.count()
    with pytest.raises(IntegrityError):
        asked.write()
    assert asked.write() == 1


def shop_of_a_night(make_runtime: Callable[..., Runtime], features: tuple[str, ...]) -> Runtime:
    """The small shop, whose forecast of a day is published by a version that says what it was
    trained on: bins of these features."""
    column = Histogram.of(np.linspace(0, 900, 500, dtype=np.float32))
    reference = to_manifest({Name(ROW, name): column for name in features})
    runtime = make_runtime(now=small_shop.CUTOFF, entities_per_shard=4)
    return small_shop.published_day(runtime, drift=reference)


def test_who_asks_for_everything_asks_what_the_night_asked(
    make_runtime: Callable[..., Runtime],
) -> None:
    """Row by row, over HTTP: each feature has as many values in each bin as by night."""
    model = get_model("sales_forecast")
    names = tuple(watched_features(layout.features()))
    assert {"price", "scale", "day_factor"} <= {*names}
    assert not {"weekday", "horizon", "covariate_1", "open"} & {*names}
    runtime = shop_of_a_night(make_runtime, names)
    app = create_app(runtime, authenticator=Anybody())
    client, asked = app.test_client(), service_of(app).asked
    generation, rows = published_rows(runtime.engine, model, small_shop.DAY)
    for row in rows:
        body = json.loads(json.dumps(request_body(row), default=str))
        found = client.post("/v1/models/sales_forecast/predict", json=body)
        assert found.get_json()["source"] == "published"
    asked.count()
    assert asked.write() == len(rows)

    artifact = runtime.registry.load(model.name, generation.version)
    bins = asked_counts.rows_of_manifest(artifact.manifest)
    with connect(runtime.engine) as conn:
        night = of_rows(conn, model, generation, artifact)
        written = conn.execute(select(asked_histogram)).mappings().all()
        kept = set(
            conn.scalars(select(drift_histogram.c.name).where(drift_histogram.c.kind == ROW))
        )
    assert {row["name"] for row in written} == kept == {*names}
    for row in written:
        counts = np.frombuffer(row["counts"], "<i8").tolist()
        assert counts == bins[row["name"]].bins.counts(night[Name(ROW, row["name"])]).tolist()


def test_every_way_to_ask_is_counted(make_runtime: Callable[..., Runtime]) -> None:
    """One day by the shorter way, a whole series, lists and tensors; not the same from memory."""
    runtime = shop_of_a_night(make_runtime, ("price",))
    app = create_app(runtime, authenticator=Anybody())
    client, asked = app.test_client(), service_of(app).asked
    series = {"store_id": next(iter(small_shop.STORES)), "item_id": next(iter(small_shop.ITEMS))}
    day = (small_shop.DAY + timedelta(days=1)).isoformat()
    path = "/v1/models/sales_forecast/predict"

    def answers(body: dict[str, Any], at: str = path) -> int:
        found = client.post(at, json=body)
        assert found.status_code == 200, found.get_json()
        asked.count()
        return asked.write()

    one = series | {"target_date": day, "price": 12.5}
    assert answers(one) == 1
    assert answers(one) == 0, "from memory"
    assert answers(series | {"horizon": "all", "price": 700.0}) == 1
    assert answers({"rows": [one, series | {"target_date": day, "price": 700.0}]}) == 2
    assert answers(one, f"{path}?explain=true") == 1
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        for name, value in (*series.items(), ("target_date", day))
    ]
    assert answers({"inputs": tensors}, "/v2/models/sales_forecast/infer") == 1
    with connect(runtime.engine) as conn:
        counts = conn.scalars(select(asked_histogram.c.counts).order_by(asked_histogram.c.asked_id))
        first, whole, *_ = (np.frombuffer(one, "<i8") for one in counts)
    (version,) = runtime.registry.versions("sales_forecast")
    manifest = runtime.registry.load("sales_forecast", version["version"]).manifest
    bins = Bins.from_values(manifest["drift"][0]["edges"])
    assert first.tolist() == bins.counts_of(np.array([12.5], np.float32)).tolist()
    assert whole.tolist() == (small_shop.AHEAD * bins.counts_of(np.array([700], "f4"))).tolist()
