"""What every model keeps, and what the platform keeps for every model, on a real warehouse.

The cases are those of ``tests/support/model_cases.py``; no test here knows which model it has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import REAL, Connection, Engine, delete, select, update

import model_shop
from anybody import Anybody
from day_equality import published_rows
from daybreak.clock import AsOf
from daybreak.errors import (
    ArtifactAltered,
    ArtifactMissing,
    AuditFailed,
    DaybreakError,
    InvalidRequest,
    NoData,
    NotFound,
    NotReady,
)
from daybreak.histogram import FEATURE, KEY, SCORE
from daybreak.jobs import drift, publishing, scoring, snapshots
from daybreak.jobs.addresses import GenerationAddress, run_address
from daybreak.jobs.run import score_day
from daybreak.jobs.waiting import look_for_inputs
from daybreak.ledger import generations
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import Generation
from daybreak.models import base, get_learning
from daybreak.models.base import (
    NO_OPTIONS,
    AnyModel,
    Model,
    Options,
    SnapshotRows,
    Span,
    Trained,
)
from daybreak.registry.artifact import Artifact
from daybreak.registry.registry import BOOSTER, MANIFEST
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.batch import rows_of_a_night, score_shard
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.histograms import of_generation
from daybreak.scoring.snapshot_bytes import pack, unpack
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_day, read_snapshot
from daybreak.serving.answers import Answering
from daybreak.serving.app import create_app
from daybreak.serving.http.body import parse
from daybreak.serving.schemas import answer_forms
from daybreak.serving.service import service_of
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import SERVICE_ROLE, WRITER_ROLE, sla, snapshot
from model_cases import NAMES, ModelCase, bits, case_of, outside_installed
from model_shop import AFTERWARDS, AS_OF, CUTOFF, DAY
from train_case import fingerprints

SHARDS = (1, 4, 13)
CHUNKS = (1, 7, 500)
EVERYTHING = 1 << 30


@dataclass(frozen=True)
class Day:
    """A business date of a model, trained and published by the steps of a nightly run.

    ``runtime`` and ``service`` connect as the roles that jobs and endpoint have in production,
    ``engine`` as the owner of the tables, which a test may break.
    """

    case: ModelCase
    database: str
    runtime: Runtime
    service: Runtime
    engine: Engine
    trained: Trained
    address: GenerationAddress

    @property
    def model(self) -> Model:
        return self.case.model

    @property
    def artifact(self) -> Artifact:
        return self.runtime.registry.load(self.model.name, self.address["version"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is published, without what differs between generations."""
        return comparable(published_rows(self.engine, self.model, DAY)[1])

    def snapshot_rows(self, first: int = 0, last: int = EVERYTHING) -> SnapshotRows:
        with connect(self.engine) as conn:
            return read_snapshot(conn, self.model, self.address["snapshot_id"], first, last)

    def generation(self, version: str, run_key: str) -> Generation:
        """A new one of the same snapshot, in staging."""
        with begin(self.engine) as conn:
            return generations.open_generation(
                conn,
                model=self.model.name,
                business_date=DAY,
                run_key=run_key,
                run_type="manual",
                cutoff=CUTOFF,
                version=version,
                snapshot_id=self.address["snapshot_id"],
                now=CUTOFF,
            )

    def client(self) -> FlaskClient:
        """A new service, which holds nothing in memory."""
        app = create_app(self.service, authenticator=Anybody(), models=[self.model])
        return app.test_client()

    def ask(self, client: FlaskClient, row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the request for what ``row`` is a row of."""
        path = f"/v1/models/{self.model.name}/predict"
        response = client.post(path, json=self.case.request(row))
        return response.status_code, response.get_json()


def comparable(rows: Sequence[Any]) -> list[dict[str, Any]]:
    hidden = {"generation_id", "shard"}
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]


def answers(
    model: Model, artifact: Artifact, day: Day, cuts: Sequence[SnapshotRows]
) -> dict[str, Any]:
    """The bits of what ``artifact`` says of the rows of all ``cuts``, one cut at a time."""
    with connect(day.engine) as conn:
        of_day = read_day(conn, model, day.address["snapshot_id"])
    engine = open_engine(artifact, threads=1)
    scorer = model.scorer(artifact, of_day)
    scored = []
    for cut in cuts:
        rows = rows_of_a_night(model.night, scorer, of_day, cut)
        scored.append(rows.answers(engine.batch(rows.features)).columns)
    return bits({name: np.concatenate([part[name] for part in scored]) for name in scored[0]})


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    with outside_installed():
        yield


@pytest.fixture(scope="module")
def facts(postgres: Any, installed: None) -> Iterator[str]:
    """Name of a warehouse that holds what was known of the day, and the tables of every model."""
    with model_shop.filled(postgres) as name:
        yield name


@contextmanager
def open_database(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def open_runtimes(postgres: Any, database: str, home: Path) -> Iterator[tuple[Runtime, Runtime]]:
    """Of the jobs and of the service."""
    given: dict[str, Any] = {
        "home": home,
        "warehouse_url": postgres.url(database, WRITER_ROLE),
        "warehouse_service_url": postgres.url(database, SERVICE_ROLE),
        "entities_per_shard": 17,
    }
    settings = Settings(**given, threads=1)
    runtime = Runtime(settings, lambda: CUTOFF)
    service = Runtime(settings, lambda: CUTOFF, "service")
    try:
        yield runtime, service
    finally:
        runtime.engine.dispose()
        service.engine.dispose()


@pytest.fixture(scope="module", params=NAMES)
def day(
    request: pytest.FixtureRequest,
    postgres: Any,
    facts: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Day]:
    """The day of one model after another. Not to be changed: see ``own_day``."""
    case = case_of(request.param)
    home = tmp_path_factory.mktemp(request.param)
    with (
        postgres.database(facts) as name,
        open_runtimes(postgres, name, home) as (runtime, service),
        open_database(postgres.url(name)) as engine,
    ):
        publish_upstream(runtime, case.model)
        trained = put_in_force(runtime, case)
        address = run_once(runtime, case.model.name, "first")
        yield Day(case, name, runtime, service, engine, trained, address)


def put_in_force(runtime: Runtime, case: ModelCase) -> Trained:
    """Train a version as of the day, and make it champion."""
    with connect(runtime.engine) as conn:
        trained = case.train(conn, AS_OF)
    version = runtime.registry.register(
        case.model.name, trained.booster, trained.manifest, trained.files
    )
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=case.model.name,
            version=version,
            effective_from=CUTOFF,
            reason="test",
            evidence={},
            actor="test",
            now=CUTOFF,
        )
    return trained


def publish_upstream(runtime: Runtime, model: Model) -> None:
    """Train and publish what the model stands on."""
    for one in model.inputs:
        put_in_force(runtime, case_of(one.model))
        run_once(runtime, one.model, "upstream")


@pytest.fixture
def own_day(day: Day, postgres: Any, tmp_path: Path) -> Iterator[Day]:
    """A copy of the day, its warehouse and its registry that a test may spoil."""
    shutil.copytree(day.runtime.settings.state, tmp_path / "home")
    for engine in (day.engine, day.runtime.engine, day.service.engine):
        engine.dispose()  # PostgreSQL copies no database with open connections
    with (
        postgres.database(day.database) as name,
        open_runtimes(postgres, name, tmp_path / "home") as (runtime, service),
        open_database(postgres.url(name)) as engine,
    ):
        yield replace(day, database=name, runtime=runtime, service=service, engine=engine)


def run_once(runtime: Runtime, model: str, run_key: str, times: int = 1) -> GenerationAddress:
    """The steps of a nightly run, each taken ``times`` times before the next one."""
    run = run_address(run_key=run_key, run_type="manual", model=model, business_date=DAY)

    def step(work: Any, *arguments: Any) -> Any:
        results = [work(*arguments, runtime) for _ in range(times)]
        assert all(result == results[0] for result in results), "a step run again says the same"
        return results[0]

    assert look_for_inputs(run, runtime=runtime).ready
    planned = step(snapshots.plan_snapshot, run)
    for shard in step(snapshots.shards_to_read, planned):
        step(snapshots.read_shard, planned, shard)
    for shard in step(snapshots.share_snapshot, planned):
        step(snapshots.build_shard, planned, shard)
    whole = step(snapshots.finish_snapshot, planned)
    generation: GenerationAddress = step(scoring.open_generation, whole)
    for shard in step(scoring.plan_shards, generation):
        step(scoring.score_shard, generation, shard)
    step(scoring.audit, generation)
    step(publishing.publish, generation)
    step(publishing.record_sla, generation)
    return generation


# --- learning --------------------------------------------------------------------------------


def test_learning_twice_from_the_same_facts_gives_the_same_bytes(day: Day) -> None:
    with connect(day.engine) as conn:
        again = day.case.train(conn, AS_OF)
    assert again.booster == day.trained.booster
    assert again.files == day.trained.files
    assert again.manifest == day.trained.manifest
    registry = day.runtime.registry
    version = registry.register(day.model.name, again.booster, again.manifest, again.files)
    assert version == day.address["version"]
    assert len(registry.versions(day.model.name)) == 1


@pytest.mark.slow
def test_another_process_learns_the_same_bytes(day: Day) -> None:
    """Where texts have other hashes, and so sets another order."""
    tests = Path(model_shop.__file__).parent
    script = [sys.executable, str(tests / "train_case.py"), day.model.name]
    said = subprocess.check_output(
        [*script, day.runtime.settings.warehouse_dsn],
        env=os.environ | {"PYTHONHASHSEED": "5"},
    )
    assert json.loads(said) == fingerprints(day.trained)


def test_a_version_says_the_same_after_it_was_saved_and_loaded(day: Day) -> None:
    learned = day.trained
    trees = learned.booster or b""
    before = Artifact(day.model.name, "new", trees, learned.manifest, learned.files)
    rows = [day.snapshot_rows()]
    said = answers(day.model, before, day, rows)
    assert said == answers(day.model, day.artifact, day, rows)
    assert len(next(iter(said.values()))) > 0


def test_without_facts_there_is_nothing_to_learn_from_or_to_score(
    day: Day, warehouse: Engine
) -> None:
    with connect(warehouse) as conn:
        if day.model.learning:
            with pytest.raises(NoData):
                get_learning(day.model.name).train(conn, AS_OF)
        with pytest.raises(NoData):
            in_one_shard(conn, day.model)


def test_an_option_that_a_backtest_does_not_have_is_refused(day: Day) -> None:
    with connect(day.engine) as conn, pytest.raises(DaybreakError) as refused:
        get_learning(day.model.name).backtest(
            conn, DAY, lambda past: AsOf(past, CUTOFF), {"moons": 3}
        )
    if day.model.learning:
        assert isinstance(refused.value, InvalidRequest)
        assert "no option moons" in refused.value.message
    else:
        assert isinstance(refused.value, NotFound)
        assert f"daybreak models register {day.model.name}" in refused.value.remedy


def test_an_option_that_a_day_does_not_have_is_refused(day: Day) -> None:
    with connect(day.engine) as conn, pytest.raises(InvalidRequest, match="no option moons"):
        in_one_shard(conn, day.model, {"moons": 3})


# --- the two clocks --------------------------------------------------------------------------


def test_what_became_known_too_late_changes_no_bit(
    day: Day, postgres: Any, facts: str, tmp_path: Path
) -> None:
    with (
        postgres.database(facts) as name,
        open_database(postgres.url(name)) as engine,
        open_runtimes(postgres, name, tmp_path) as (runtime, _),
    ):
        publish_upstream(runtime, day.model)
        model_shop.learn_more(engine)
        afterwards = Runtime(runtime.settings, lambda: AFTERWARDS)
        for one in day.model.inputs:
            score_day(one.model, DAY, "latest", runtime=afterwards)
        afterwards.engine.dispose()
        with connect(engine) as conn:
            assert day.case.train(conn, AS_OF) == day.trained
        with begin(engine) as conn:
            later, latest = (
                write_snapshot(conn, day.model, as_of, CUTOFF, trained=learned(day))
                for as_of in (AS_OF, AsOf(DAY, AFTERWARDS))
            )
            hashes = dict(conn.execute(select(snapshot.c.snapshot_id, snapshot.c.sha256)).all())
            rows = read_snapshot(conn, day.model, later, 0, EVERYTHING)
    with connect(day.engine) as conn:
        own = snapshot.c.model == day.model.name
        (expected,) = conn.scalars(select(snapshot.c.sha256).where(own))
    assert hashes[later] == expected
    assert hashes[latest] != expected, "the corrections would show, were they visible"
    assert answers(day.model, day.artifact, day, [rows]) == answers(
        day.model, day.artifact, day, [day.snapshot_rows()]
    )


# --- snapshots -------------------------------------------------------------------------------


def test_a_snapshot_is_read_as_it_was_built(day: Day) -> None:
    with connect(day.engine) as conn:
        built = in_one_shard(conn, day.model, learned(day))
    stored = day.snapshot_rows()
    keys = [key for batch in built for key in zip(*batch.keys, strict=True)]
    assert list(zip(*stored.keys, strict=True)) == keys
    assert all(a < b for a, b in pairwise(keys)), "keys ascend, none twice"
    assert len(keys) == day.address["rows"]
    for batch in built:
        packed = [bytes(memoryview(row)) for row in pack(batch)]
        again = unpack(day.model.night, [column.tolist() for column in batch.keys], packed)
        assert snapshot_bits(again) == snapshot_bits(batch)
    joined = np.concatenate([batch.values for batch in built])
    assert stored.values.tobytes() == joined.tobytes()
    records = b"".join(batch.records.tobytes() for batch in built)
    assert stored.records.tobytes() == records


def learned(day: Day) -> Options:
    """What the version's days are built with."""
    found: Options = day.artifact.manifest.get("options", NO_OPTIONS)
    return found


def in_one_shard(
    conn: Connection, model: AnyModel, options: Options = NO_OPTIONS
) -> list[SnapshotRows]:
    """The rows of a day as the model makes them, all entities at once."""
    nightly = model.night
    keys = nightly.entities(conn, AS_OF, options)
    columns = None
    if keys is not None:
        columns = tuple(np.array(column, object) for column in zip(*keys, strict=True))
    span = Span(AS_OF, options, columns)
    part = nightly.part(conn, span)
    shared = nightly.shared(conn, AS_OF, options, [part])
    joined = {**part, **(shared.of_parts[0] if shared.of_parts else {})}
    return list(nightly.rows(conn, span, shared.context, joined))


def snapshot_bits(rows: SnapshotRows) -> tuple[Any, ...]:
    offsets = None if rows.offsets is None else rows.offsets.tolist()
    keys = [column.tolist() for column in rows.keys]
    return keys, rows.values.shape, rows.values.tobytes(), rows.records.tobytes(), offsets


# --- batch -----------------------------------------------------------------------------------


def test_the_size_of_a_batch_does_not_show(day: Day) -> None:
    total = day.address["rows"]
    expected = answers(day.model, day.artifact, day, [day.snapshot_rows()])
    for size in CHUNKS:
        cuts = [day.snapshot_rows(first, first + size) for first in range(0, total, size)]
        assert answers(day.model, day.artifact, day, cuts) == expected, f"{size} at a time"


def test_a_question_has_its_answer_in_any_company_and_order(day: Day) -> None:
    """Another model asks about some entities, in its own order, and gets published rows."""
    with connect(day.engine) as conn:
        of_day = read_day(conn, day.model, day.address["snapshot_id"])
    engine, entities = open_engine(day.artifact, threads=1), day.snapshot_rows()
    scorer = day.model.scorer(day.artifact, of_day)

    def ask(questions: base.Questions) -> base.Answers:
        rows = scorer.rows(base.Given(entities), questions)
        return rows.answers(engine.batch(rows.features))

    night = day.model.night.questions(of_day, len(entities))
    whole = ask(night)
    some = np.random.default_rng(7).permutation(len(night))[:40]
    asked = ask(
        base.Questions(
            night.entity[some], {name: column[some] for name, column in night.columns.items()}
        )
    )
    for place, question in enumerate(some):
        assert bits(asked.of(place)) == bits(whole.of(int(question)))


def test_the_number_of_shards_does_not_show(own_day: Day) -> None:
    day, total = own_day, own_day.address["rows"]
    expected = day.rows
    predictor = open_engine(day.artifact, threads=1)
    for count in SHARDS:
        generation = day.generation(day.address["version"], f"{count} shards")
        edges = [total * n // count for n in range(count + 1)]
        for shard, (first, last) in enumerate(pairwise(edges)):
            with begin(day.engine) as conn:
                score_shard(
                    conn, day.model, predictor, generation, shard=shard, first=first, last=last
                )
        with begin(day.engine) as conn:
            rows = audit_generation(conn, day.model, generation)
            generations.mark_staged(conn, generation.generation_id, rows, CUTOFF)
            generations.mark_audited(conn, generation.generation_id, CUTOFF)
            generations.publish(conn, generation.generation_id, CUTOFF)
        _, published = published_rows(day.engine, day.model, DAY)
        assert {row["shard"] for row in published} == set(range(count))
        assert repr(comparable(published)) == repr(expected)


def test_every_step_run_twice_leaves_the_same_rows(own_day: Day) -> None:
    expected = own_day.rows
    twice = run_once(own_day.runtime, own_day.model.name, "twice", times=2)
    assert twice["generation_id"] != own_day.address["generation_id"]
    assert twice["snapshot_id"] == own_day.address["snapshot_id"]
    generation, rows = published_rows(own_day.engine, own_day.model, DAY)
    assert generation.generation_id == twice["generation_id"]
    assert generation.rows == len(rows)
    assert repr(comparable(rows)) == repr(expected)
    with connect(own_day.engine) as conn:
        own = select(sla.c.run_key).where(sla.c.model == own_day.model.name)
        assert sorted(conn.scalars(own)) == ["first", "twice"]


# --- the audit -------------------------------------------------------------------------------


def test_the_published_night_is_measured_the_same_every_time(day: Day) -> None:
    found = drift.measure(day.address, day.runtime)
    assert found["figures"] > 0
    with connect(day.engine) as conn:
        generation = generations.get_generation(conn, day.address["generation_id"])
        first, again = (of_generation(conn, day.model, generation) for _ in range(2))
    assert first.entities == len(day.snapshot_rows())
    kinds = {name.kind for name in first.histograms}
    assert kinds == {KEY, FEATURE, SCORE}
    assert {name: one.to_bytes() for name, one in first.histograms.items()} == {
        name: one.to_bytes() for name, one in again.histograms.items()
    }


def test_the_audit_finds_each_rule_broken(own_day: Day) -> None:
    model, table = own_day.model, own_day.model.night.score_table
    floats = [column.name for column in table.columns if isinstance(column.type, REAL)]
    assert floats, "a model scores something"
    own = {rule: broken(table) for rule, broken in own_day.case.breakages.items()}
    assert model.night.audit_queries(table).keys() <= own.keys(), (
        "each rule between rows is broken here"
    )
    entity = [table.c[name] for name in model.keys]
    first = own_day.rows[0]
    one = [table.c[name] == first[name] for name in (*model.keys, *identity_of(model))]
    breakages = {
        f"of {own_day.address['rows']} entities": delete(table).where(*one),
        "1 entities do not have their own": update(table)
        .where(*one)
        .values({entity[-1].name: "somebody else"}),
        **{
            f"{name} is not finite": update(table).where(*one).values({name: np.nan})
            for name in floats
        },
        **own,
    }
    generation, _ = published_rows(own_day.engine, model, DAY)
    for rule, statement in breakages.items():
        with connect(own_day.engine) as conn:
            assert conn.execute(statement).rowcount > 0, rule
            with pytest.raises(AuditFailed) as failure:
                audit_generation(conn, model, generation)
            assert rule in failure.value.message, rule
    with begin(own_day.engine) as conn:
        assert audit_generation(conn, model, generation) == len(own_day.rows), "nothing is left"


def identity_of(model: Model) -> list[str]:
    """Key columns of the score table beside the entity's."""
    fixed = {"business_date", "generation_id", *model.keys}
    return [c.name for c in model.night.score_table.primary_key.columns if c.name not in fixed]


# --- the endpoint ----------------------------------------------------------------------------


def test_every_published_row_is_answered_bit_for_bit_and_in_order(day: Day) -> None:
    generation, rows = published_rows(day.engine, day.model, DAY)
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lists.setdefault(json.dumps(day.case.request(row)), []).append(dict(row))
    floats = {c.name for c in day.model.night.score_table.columns if isinstance(c.type, REAL)}
    client = day.client()
    for listed in lists.values():
        status, answer = day.ask(client, listed[0])
        assert status == 200, answer
        key = tuple(listed[0][name] for name in day.model.keys)
        assert answer["source"] == (
            "default" if key == day.model.endpoint.default_key else "published"
        )
        assert answer["generation"] == generation.generation_id
        assert answer["version"] == generation.version
        expected = [
            {name: plain(value, name in floats) for name, value in row.items()}
            for row in comparable(listed)
        ]
        said = [
            {name: plain(value, name in floats) for name, value in row.items()}
            | {"business_date": answer["business_date"]}
            for row in answer["predictions"]
        ]
        assert said == expected
    entities = {tuple(row[name] for name in day.model.keys) for row in rows}
    assert len(entities) == day.address["rows"], "all were asked about"


def test_what_another_version_than_that_of_the_night_answers_is_not_the_published_row(
    day: Day,
) -> None:
    _, rows = published_rows(day.engine, day.model, DAY)
    service = service_of(day.client().application)
    publication = service.publications.current(day.model.name)
    asked = parse(day.model.endpoint.request, json.dumps(day.case.request(rows[-1])).encode())
    for by, source in ((publication, "published"), (replace(publication, version="x"), "live")):
        assert Answering(day.model, by, service.inputs).one(asked)["source"] == source


def test_many_at_once_are_answered_as_each_alone_and_explained(day: Day) -> None:
    _, rows = published_rows(day.engine, day.model, DAY)
    bodies = [day.case.request(row) for row in rows[:: max(1, len(rows) // 20)]]
    client, path = day.client(), f"/v1/models/{day.model.name}/predict"
    asked = "?compare=published&explain=true"
    alone = [client.post(path + asked, json=body).get_json() for body in bodies]
    pairs = [bodies[place : place + 2] for place in range(0, len(bodies), 2)]
    many = [
        answer
        for pair in pairs
        for answer in client.post(path + asked, json={"rows": pair}).get_json()["answers"]
    ]
    plain_ones = client.post(path, json={"rows": bodies}).get_json()
    of_one = {"source", "predictions", *(plain_ones["answers"][0].keys() - {"predictions"})}
    assert [{name: one[name] for name in of_one} for one in alone] == many
    assert plain_ones.keys() - {"answers"} == alone[0].keys() - of_one
    for one, without in zip(alone, plain_ones["answers"], strict=True):
        for prediction, scores in zip(one["predictions"], without["predictions"], strict=True):
            explanation, published = prediction.pop("explanation"), prediction.pop("published")
            assert prediction == scores == published
            expect_adds_up(explanation, trees=day.trained.booster is not None)


def expect_adds_up(explanation: dict[str, Any], *, trees: bool) -> None:
    """Bases and contributions are the margins, but for the rounding of float32 sums."""
    adds = [one["adds"] for one in explanation["features"]]
    assert bool(explanation["outputs"]) == bool(adds) == trees
    for output, margin in enumerate(explanation["margin"]):
        total = explanation["base"][output] + sum(each[output] for each in adds)
        assert total == pytest.approx(margin, rel=1e-4, abs=1e-4)


def plain(value: Any, is_float: bool) -> Any:
    if is_float:
        return np.float32(value).tobytes()
    return value.isoformat() if isinstance(value, date | datetime) else value


# --- versions that must not answer -----------------------------------------------------------


def test_the_examples_of_the_documentation_are_answered_as_it_says(day: Day) -> None:
    """They are written for the demo, which ends on another day of the same shop."""
    client = day.client()
    document = client.get("/v1/openapi.json").get_json()
    path = f"/v1/models/{day.model.name}/predict"
    operation = document["paths"][path]["post"]
    asked = operation["requestBody"]["content"]["application/json"]
    given = operation["responses"]["200"]["content"]["application/json"]
    form = answer_forms(day.model)[0]
    for name, example in asked.get("examples", {}).items():
        shown = given["examples"][name]["value"]
        form.model_validate_json(json.dumps(shown))
        response = client.post(path, json=moved(example["value"]))
        assert response.status_code == 200, response.get_data(as_text=True)
        answer = response.get_json()
        assert answer.keys() == shown.keys()
        assert answer["source"] == shown["source"], name
        assert len(answer["predictions"]) == len(shown["predictions"])
        assert answer["predictions"][0].keys() == shown["predictions"][0].keys()
        by_address = client.get(path, query_string=said(moved(example["value"]))).get_json()
        del answer["latency_ms"]
        if "watermark" in answer:  # each has its own moment
            answer["watermark"] = by_address["watermark"]
        assert by_address == answer, name


def said(request: dict[str, Any]) -> list[tuple[str, str]]:
    """A request as an address says it."""
    return [
        (name, one if isinstance(one, str) else json.dumps(one))
        for name, value in request.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def moved(request: dict[str, Any]) -> dict[str, Any]:
    """A request of the demo with its date as far from ``DAY`` as it is from the demo's last one."""
    if "target_date" not in request:
        return request
    ahead = date.fromisoformat(request["target_date"]) - date(2026, 6, 30)
    return request | {"target_date": (DAY + ahead).isoformat()}


def test_a_version_of_other_features_is_refused_by_batch_and_endpoint(own_day: Day) -> None:
    day = own_day
    *kept, missing = day.model.features_of({}) or ("another",)
    manifest = day.trained.manifest | {"features": [*kept, "another"]}
    version = day.runtime.registry.register(
        day.model.name, day.trained.booster, manifest, day.trained.files
    )
    generation = day.generation(version, "other features")
    predictor = open_engine(day.runtime.registry.load(day.model.name, version), threads=1)
    with pytest.raises(NotReady, match=missing), begin(day.engine) as conn:
        score_shard(conn, day.model, predictor, generation, shard=0, first=0, last=1)
    # Were it published all the same, the endpoint would go on with what answers.
    with begin(day.engine) as conn:
        generations.mark_staged(conn, generation.generation_id, 0, CUTOFF)
        generations.mark_audited(conn, generation.generation_id, CUTOFF)
        generations.publish(conn, generation.generation_id, CUTOFF)
    client = day.client()
    status, answer = day.ask(client, first_row(day))
    assert (status, answer["version"]) == (200, day.address["version"])
    problem = client.get(f"/v1/models/{day.model.name}").get_json()["problem"]
    assert problem["code"] == "not_ready"
    assert missing in problem["message"]


def test_an_altered_or_missing_file_is_refused_by_batch_and_endpoint(own_day: Day) -> None:
    row = first_row(own_day)
    name, version = own_day.model.name, own_day.address["version"]
    folder = own_day.runtime.settings.state / "registry" / name / version
    trees = {BOOSTER} if own_day.trained.booster else set()
    assert {file.name for file in folder.iterdir()} == {MANIFEST, *trees, *own_day.artifact.files}
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        expect_refused(own_day, row, ArtifactAltered)
        file.unlink()
        expect_refused(own_day, row, ArtifactMissing)
        file.write_bytes(data)
        assert own_day.ask(own_day.client(), row)[0] == 200


def expect_refused(day: Day, row: dict[str, Any], error: type[DaybreakError]) -> None:
    with pytest.raises(error):
        scoring.score_shard(day.address, {"shard": 0, "first": 0, "last": 1}, day.runtime)
    status, answer = day.ask(day.client(), row)
    assert (status, answer["error"]["code"]) == (error.status, error.code)


def first_row(day: Day) -> dict[str, Any]:
    with connect(day.engine) as conn:
        return dict(conn.execute(select(day.model.night.score_table).limit(1)).mappings().one())
