"""A model of another package on a real warehouse: how it is found, and how it is used."""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

import model_shop
from anybody import Anybody
from day_equality import published_rows
from daybreak import models
from daybreak.cli.models import app
from daybreak.clock import AsOf
from daybreak.errors import ConfigError, InvalidRequest, NotFound
from daybreak.jobs import publishing, scoring, snapshots, training
from daybreak.jobs.addresses import run_address
from daybreak.jobs.backtesting import backtest
from daybreak.jobs.run import score_day
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import published_generation
from daybreak.models import get_learning, get_model, model_names, model_relations
from daybreak.models.base import Model
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.app import create_app
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.migrate import check_current, migrate
from model_cases import OUTSIDE, outside_installed
from model_shop import AS_OF, CUTOFF, DAY

NAME = "reorder_point"
MakeRuntime = Callable[..., Runtime]


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    with outside_installed(OUTSIDE):
        yield


@pytest.fixture(scope="module")
def facts(postgres: Any, installed: None) -> Iterator[str]:
    with model_shop.filled(postgres) as name:
        yield name


@pytest.fixture
def warehouse_url(postgres: Any, facts: str) -> Iterator[str]:
    """URL of a warehouse with the tables of every model, and facts through ``DAY``."""
    with postgres.database(facts) as name:
        yield postgres.url(name)


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(now=CUTOFF, entities_per_shard=9, refresh_seconds=1e-6)


@pytest.fixture
def model() -> Model:
    return get_model(NAME)


@pytest.fixture
def champion(runtime: Runtime) -> str:
    """A version that was trained and came through its gate by the jobs that Airflow runs."""
    challenger = training.train(NAME, DAY.isoformat(), runtime=runtime)
    outcome = training.pass_the_gate(challenger, runtime=runtime)
    assert outcome["outcome"] == "promoted", outcome["reason"]
    return challenger["version"]


@pytest.fixture
def client(runtime: Runtime, champion: str) -> FlaskClient:
    """Of a service with every installed model, in which the day of this one is published."""
    score_day(NAME, DAY, runtime=runtime)
    return create_app(runtime, authenticator=Anybody()).test_client()


def ask(client: FlaskClient, **body: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(f"/v1/models/{NAME}/predict", json=body)
    return response.status_code, response.get_json()


# --- how it is found -------------------------------------------------------------------------


def test_it_is_found_beside_those_that_ship() -> None:
    assert model_names() == ("fraud", "pricing", "recommendations", NAME, "sales_forecast")
    assert f"score.{NAME}" in [str(table) for table in model_relations().tables]
    with pytest.raises(NotFound, match="no model 'moon'") as error:
        get_model("moon")
    assert NAME in error.value.remedy


def test_the_metadata_beside_it_is_that_of_its_package() -> None:
    project = tomllib.loads((OUTSIDE / "pyproject.toml").read_text())["project"]
    points = configparser.ConfigParser()
    points.read(OUTSIDE / "reorder_point-1.0.dist-info" / "entry_points.txt")
    assert {name: dict(points[name]) for name in points.sections()} == project["entry-points"]
    metadata = (OUTSIDE / "reorder_point-1.0.dist-info" / "METADATA").read_text()
    for line in (f"Name: {project['name']}", f"Version: {project['version']}"):
        assert line in metadata.splitlines()


def test_a_warehouse_without_its_tables_says_so_until_it_is_migrated(postgres: Any) -> None:
    with postgres.database("warehouse_template") as name:
        engine = make_engine(postgres.url(name))
        with pytest.raises(ConfigError, match=rf"lacks feature\.{NAME}, score\.{NAME}") as error:
            check_current(engine, model_relations())
        assert "daybreak warehouse migrate" in error.value.remedy
        migrate(engine, relations=model_relations())
        check_current(engine, model_relations())
        migrate(engine, relations=model_relations())
        engine.dispose()


@pytest.mark.parametrize(
    ("point", "fault"),
    [
        ("moon = nowhere:MODEL", "cannot be loaded from nowhere:MODEL"),
        ("moon = reorder_point:SUN", "cannot be loaded from reorder_point:SUN"),
        ("moon = reorder_point:MODEL", "is not a model of that name"),
        ("reorder_point = moon:MODEL", "Two packages define a model 'reorder_point'"),
    ],
)
def test_an_entry_point_that_leads_nowhere_says_which(
    point: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_installed", models._installed.__wrapped__)  # not from the cache
    folder = tmp_path / "moon-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: moon\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{models.GROUP}]\n{point}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=fault) as error:
        get_model(point.split(" ", maxsplit=1)[0])
    assert models.GROUP in error.value.remedy or "entry point" in error.value.remedy


# --- how it is used --------------------------------------------------------------------------


def test_it_needs_less_than_the_rule_of_thumb(runtime: Runtime) -> None:
    found = backtest(NAME, {"windows": 6}, runtime=runtime)
    lost = found["lost_units_a_week"]
    assert found["windows"] == 6
    assert lost["model"] < 0.7 * lost["rule"], "the rule knows no promotion ahead"
    lines = get_learning(NAME).describe_backtest(found)
    assert [line.split()[0] for line in lines] == ["model", "rule"]


def test_the_command_line_passes_on_whatever_option_a_model_has(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    get_runtime.cache_clear()

    def run(option: str) -> Result:
        return CliRunner().invoke(app, ["backtest", NAME, "--option", option, "--json"])

    try:
        assert json.loads(run("windows=2").stdout)["windows"] == 2
        for option, fault in (
            ("moons=3", "There is no option moons here"),
            ("windows=many", "The option 'windows=many' is not a name with a number"),
            ("windows", "The option 'windows' is not a name with a number"),
        ):
            refused = run(option).exception
            assert isinstance(refused, InvalidRequest)
            assert fault in refused.message
    finally:
        get_runtime().engine.dispose()
        get_runtime.cache_clear()


def test_its_quantiles_hold_what_they_promise(runtime: Runtime, model: Model) -> None:
    """In about nine weeks of ten `enough` was enough, and `usual` in about half of them."""
    import reorder_point as outside

    from daybreak.facts.sales import read_panel

    with connect(runtime.engine) as conn:
        panel = read_panel(conn, AS_OF, days=outside.TRAINED_ON)
    booster = outside.fit(panel, held_back=4)
    covered = []
    for weeks_ago in range(1, 5):
        known, sold = outside.week(panel, weeks_ago)
        margins = booster.inplace_predict(outside.as_shares(known), predict_type="margin")
        covered.append(sold[:, None] <= outside.as_units(margins, known[:, 0]))
    usual, enough = np.concatenate(covered).mean(axis=0)
    assert 0.35 < usual < 0.65
    assert 0.8 < enough < 0.98


def test_what_was_known_is_added_up_by_hand() -> None:
    import reorder_point as outside

    units = np.full((2, 70), np.nan, np.float32)
    units[0] = 1
    units[0, -7:] = [0, 0, 3, 0, 0, 0, 4]
    units[1, -10:] = 2  # on sale for ten days
    panel: Any = SimpleNamespace(
        units=units, open=np.ones((2, 98), bool), promotion=np.zeros((2, 98), np.float32)
    )
    panel.open[0, 72] = False  # within the week ahead
    panel.promotion[1, [69, 70, 76, 77]] = 0.5  # two of them within it
    known = outside.known_at(panel)
    assert known.dtype == np.float32
    assert known[0].tolist() == [7, 6, 0, *[7] * 8]
    assert known[1, :5].tolist() == [10, 7, 2, 14, 6]
    assert np.isnan(known[1, 5:]).all()
    assert outside.as_shares(known)[0].tolist() == [7, 6, 0, *[1] * 8]
    earlier, sold = outside.week(panel, weeks_ago=1)
    assert sold.tolist() == [7, 14]
    assert earlier[1, :4].tolist() == [6, 7, 1, 6]
    assert np.isnan(earlier[1, 4:]).all()
    assert outside.advice(None, known).tolist() == [7, 14]
    lost = outside.pinball(np.array([10, 10], np.float32), np.array([12, 6], np.float32))
    assert lost == pytest.approx(2 * 0.1 + 4 * 0.9)


def test_its_gate_holds_a_challenger_against_the_champion(
    runtime: Runtime, model: Model, champion: str
) -> None:
    artifact = runtime.registry.load(NAME, champion)
    with connect(runtime.engine) as conn:
        learning = get_learning(model.name)
        verdict = learning.judge(conn, AS_OF, artifact, artifact)
        assert not verdict.passed, "a champion of the day itself has seen every week"
        assert verdict.reason.startswith("Refused. Units lost in 0 weeks")
        earlier = AsOf(DAY - timedelta(weeks=2), CUTOFF)
        trained = learning.train(conn, earlier)
        old = type(artifact)(NAME, "old", trained.trees, trained.manifest)
        verdict = learning.judge(conn, AS_OF, artifact, old)
    assert "in 2 weeks" in verdict.reason
    assert verdict.evidence.keys() == {"model", "rule", "champion"}
    assert verdict.passed == (
        verdict.evidence["model"] < min(verdict.evidence["rule"], verdict.evidence["champion"])
    )
    json.dumps(verdict.evidence, allow_nan=False)


# --- as an application sees it ---------------------------------------------------------------


def test_what_is_on_hand_need_not_be_ordered(client: FlaskClient, runtime: Runtime) -> None:
    _, rows = published_rows(runtime.engine, get_model(NAME), DAY)
    row = max(rows, key=lambda each: each["reorder"])
    key = {"store": row["store_id"], "item": row["item_id"]}
    status, plain = ask(client, **key)
    assert (status, plain["source"]) == (200, "published")
    assert ask(client, **key, on_hand=0)[1]["predictions"] == plain["predictions"]
    _, live = ask(client, **key, on_hand=1.5)
    assert live["source"] == "live"
    ((before,), (after,)) = plain["predictions"], live["predictions"]
    assert after["reorder"] == np.ceil(np.float32(before["enough"]) - np.float32(1.5))
    assert {**after, "reorder": before["reorder"]} == before
    assert ask(client, **key, on_hand=1e6)[1]["predictions"][0]["reorder"] == 0


def test_a_request_that_cannot_be_answered_names_the_field(client: FlaskClient) -> None:
    key = {"store": "S01", "item": "I0001"}
    for body, status, field in (
        (key | {"item": "nothing"}, 404, "item"),
        (key | {"store": "moon"}, 404, "store"),
        ({"store": "S01"}, 400, "item"),
        (key | {"on_hand": -1}, 400, "on_hand"),
        (key | {"on_hand": 1e300}, 400, "on_hand"),
        (key | {"on_hand": "2"}, 400, "on_hand"),
        (key | {"colour": 1}, 400, "colour"),
    ):
        said, answer = ask(client, **body)
        assert said == status, body
        assert field in json.dumps(answer["error"])


def test_it_is_listed_and_described_beside_those_that_are_not_published(
    client: FlaskClient, champion: str
) -> None:
    listed = {each["model"]: each for each in client.get("/v1/models").get_json()["models"]}
    assert listed.keys() == set(model_names())
    assert listed[NAME]["champion"] == champion
    assert listed[NAME]["published"]["business_date"] == DAY.isoformat()
    assert listed["sales_forecast"]["problem"]["code"] == "not_published"
    assert client.get("/readyz").get_json()["checks"][NAME] == "ok"
    detail = client.get(f"/v1/models/{NAME}").get_json()
    assert detail["keys"] == ["store_id", "item_id"]
    assert detail["request"]["properties"].keys() == {"store", "item", "on_hand"}
    assert [each["name"] for each in detail["manifest"]["features"]] == list(
        get_model(NAME).features_of({})
    )


# --- what a person undoes --------------------------------------------------------------------


def test_rollback_brings_the_generation_before_and_then_none(
    client: FlaskClient, runtime: Runtime
) -> None:
    first = published_rows(runtime.engine, get_model(NAME), DAY)
    score_day(NAME, DAY, runtime=runtime)
    done = publishing.rollback(NAME, DAY, runtime)
    assert done["published"] == first[0].generation_id
    assert published_rows(runtime.engine, get_model(NAME), DAY) == first
    assert publishing.rollback(NAME, DAY, runtime)["published"] is None
    fresh = create_app(runtime, authenticator=Anybody()).test_client()
    status, answer = ask(fresh, store="S01", item="I0001")
    assert (status, answer["error"]["code"]) == (503, "not_published")


def test_sweep_deletes_what_an_abandoned_run_left(
    client: FlaskClient, runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    run = run_address(run_key="abandoned", run_type="manual", model=NAME, business_date=DAY)
    generation = scoring.open_generation(snapshots.build_snapshot(run, runtime), runtime)
    for shard in scoring.plan_shards(generation, runtime):
        scoring.score_shard(generation, shard, runtime)
    scores = get_model(NAME).night.score_table

    def rows() -> dict[int, int]:
        query = select(scores.c.generation_id, func.count()).group_by(scores.c.generation_id)
        with connect(runtime.engine) as conn:
            return dict(conn.execute(query).all())

    with connect(runtime.engine) as conn:
        visible = published_generation(conn, NAME, DAY).generation_id
    series = generation["rows"]
    assert rows() == {visible: series, generation["generation_id"]: series}
    later = make_runtime(now=CUTOFF + timedelta(days=3))
    assert publishing.sweep(later) == {"rows": series}
    assert rows() == {visible: series}


def test_a_version_that_a_person_promotes_is_in_force(runtime: Runtime, champion: str) -> None:
    artifact = runtime.registry.load(NAME, champion)
    second = runtime.registry.register(NAME, artifact.booster, artifact.manifest | {"note": "mine"})
    assert second != champion
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=NAME,
            version=second,
            effective_from=CUTOFF,
            reason="because",
            evidence={},
            actor="somebody",
            now=CUTOFF,
        )
    score_day(NAME, DAY, runtime=runtime)
    with connect(runtime.engine) as conn:
        assert published_generation(conn, NAME, DAY).version == second
