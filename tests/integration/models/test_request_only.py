"""Models of another package without nightly runs: they only answer requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

import toy
from anybody import Anybody
from daybreak.errors import ConfigError, NotFound
from daybreak.jobs import publishing
from daybreak.jobs.exporting import export_day
from daybreak.jobs.maintenance import prunable, prune
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register
from daybreak.jobs.run import score_day
from daybreak.models import get_model, model_names, model_relations, nightly_models, schedules
from daybreak.models.base import Model
from daybreak.models.schedule import ScoresOf
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.schemas import answer_forms
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import SERVICE_ROLE, generation
from model_cases import ON_REQUEST, outside_installed

MakeRuntime = Callable[..., Runtime]
NOW = datetime(2026, 2, 3, 9, tzinfo=UTC)
NAME, READS = "order_limit", "sells_out"
LIMIT = {"trained_through": "2026-01-31", "engine": "none", "limit": 500}
ORDER = {"owed": 480.5, "amount": 20.25}


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    with outside_installed(ON_REQUEST):
        yield


@pytest.fixture
def runtime(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(now=NOW, refresh_seconds=1e-6)


@pytest.fixture
def service(runtime: Runtime) -> Iterator[Runtime]:
    """As the role that the endpoint has in production."""
    url = runtime.settings.warehouse_dsn.replace("daybreak_writer", SERVICE_ROLE)
    assert f"//{SERVICE_ROLE}@" in url
    made = Runtime(
        Settings(
            home=runtime.settings.state,
            warehouse_url=runtime.settings.warehouse_url,
            warehouse_service_url=url,
            refresh_seconds=1e-6,
        ),
        lambda: NOW,
        "service",
    )
    yield made
    made.engine.dispose()


def client_of(service: Runtime, *models: Model) -> FlaskClient:
    return create_app(service, authenticator=Anybody(), models=models or None).test_client()


def put_in_force(runtime: Runtime, folder: Path, name: str = NAME, **manifest: Any) -> str:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(LIMIT | manifest))
    version = register(name, file, runtime=runtime)["version"]
    promote(name, version, "test", actor="test", runtime=runtime)
    return version


def ask(client: FlaskClient, name: str = NAME, **body: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(f"/v1/models/{name}/predict", json=body)
    return response.status_code, response.get_json()


# --- it has no nightly run -------------------------------------------------------------------


def test_it_has_no_schedule_and_no_tables() -> None:
    assert {NAME, READS} <= set(model_names())
    assert not {NAME, READS} & schedules().keys()
    assert not {NAME, READS} & {model.name for model in nightly_models()}
    assert not [table for table in model_relations().tables if table.name in {NAME, READS}]


def test_what_only_a_night_has_is_refused_with_what_to_do(runtime: Runtime, tmp_path: Path) -> None:
    put_in_force(runtime, tmp_path)
    day = date(2026, 2, 1)
    for refused in (
        lambda: score_day(NAME, day, runtime=runtime),
        lambda: publishing.rollback(NAME, day, runtime),
        lambda: export_day(NAME, day, "csv", tmp_path / "out.csv", runtime=runtime),
    ):
        with pytest.raises(NotFound, match=f"{NAME} is not scored nightly") as error:
            refused()
        assert "Ask the endpoint" in error.value.remedy
    with connect(runtime.engine) as conn:
        assert conn.scalars(select(generation.c.model)).all() == []


def test_maintenance_passes_it_by(runtime: Runtime, tmp_path: Path) -> None:
    version = put_in_force(runtime, tmp_path)
    later = Runtime(runtime.settings, lambda: NOW + timedelta(days=4000))
    assert prunable(later)["versions"] == []
    prune(later)
    later.engine.dispose()
    assert runtime.registry.load(NAME, version).version == version, "it is champion"


# --- it answers ------------------------------------------------------------------------------


def test_before_a_promotion_it_says_so_and_holds_up_nobody(
    runtime: Runtime, service: Runtime
) -> None:
    toy.publish_day(runtime)
    client = client_of(service, toy.TOY, get_model(NAME))
    status, answer = ask(client, **ORDER)
    assert (status, answer["error"]["code"]) == (503, "no_champion")
    assert f"daybreak models register {NAME}" in answer["error"]["remedy"]
    assert ask(client, "toy", store="S1", item="pear", date="2026-02-03")[0] == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]) == (
        200,
        {"warehouse": "ok", "toy": "ok", NAME: "no_champion"},
    )
    alone = client_of(service, get_model(NAME)).get("/readyz")
    assert alone.status_code == 503
    assert alone.get_json()["error"]["details"]["checks"] == {NAME: "no_champion"}


def test_it_answers_by_its_champion_with_a_watermark(
    runtime: Runtime, service: Runtime, tmp_path: Path
) -> None:
    version = put_in_force(runtime, tmp_path)
    client = client_of(service, get_model(NAME))
    assert client.get("/readyz").get_json()["checks"] == {"warehouse": "ok", NAME: "ok"}
    status, answer = ask(client, **ORDER)
    assert status == 200, answer
    assert answer.pop("latency_ms") >= 0
    assert answer == {
        "model": NAME,
        "version": version,
        "gate": "not_judged",
        "watermark": NOW.isoformat(),
        "source": "live",
        "predictions": [{"allowed": False, "over": 0.75}],
    }
    assert ask(client, owed=0, amount=500)[1]["predictions"] == [{"allowed": True, "over": 0.0}]
    second = put_in_force(runtime, tmp_path, limit=501)
    _, answer = ask(client, **ORDER)
    assert (answer["version"], answer["predictions"]) == (second, [{"allowed": True, "over": 0.0}])


def test_wrong_requests_name_the_field(runtime: Runtime, service: Runtime, tmp_path: Path) -> None:
    put_in_force(runtime, tmp_path)
    client = client_of(service, get_model(NAME))
    for body, field in (
        ({"owed": 1}, "amount"),
        (ORDER | {"amount": 0}, "amount"),
        (ORDER | {"owed": "1"}, "owed"),
        (ORDER | {"colour": 1}, "colour"),
    ):
        status, answer = ask(client, **body)
        assert status == 400
        assert field in json.dumps(answer["error"])


def test_it_is_listed_and_described(runtime: Runtime, service: Runtime, tmp_path: Path) -> None:
    version = put_in_force(runtime, tmp_path)
    client = client_of(service, get_model(NAME))
    (listed,) = client.get("/v1/models").get_json()["models"]
    nothing = dict.fromkeys(("published", "problem", "absent"))
    assert listed == {"model": NAME, "champion": version, **nothing}
    detail = client.get(f"/v1/models/{NAME}").get_json()
    assert detail["keys"] == []
    assert detail["request"]["required"] == ["owed", "amount"]
    assert detail["manifest"]["limit"] == 500
    assert detail["manifest"]["version"] == version


def test_the_description_of_its_answer_holds(
    runtime: Runtime, service: Runtime, tmp_path: Path
) -> None:
    put_in_force(runtime, tmp_path)
    model = get_model(NAME)
    client = client_of(service, model)
    _, answer = ask(client, **ORDER)
    answer_forms(model)[0].model_validate_json(json.dumps(answer))
    described = client.get("/v1/openapi.json").get_json()
    forms = described["components"]["schemas"]
    named = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described))
    assert set(named) <= forms.keys()
    form = forms["OrderLimitAnswer"]
    assert form["properties"].keys() == answer.keys()
    assert not {"generation", "business_date"} & form["properties"].keys()
    assert forms["OrderLimitPrediction"]["properties"]["over"]["description"].startswith(
        "By how much"
    )


# --- it reads what another model has published -----------------------------------------------


@pytest.fixture
def upstream(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> dict[str, Model]:
    """The model that reads, on scores of the toy, which has the columns of a sales forecast."""
    model = replace(get_model(READS), reads=(ScoresOf("toy"),))
    monkeypatch.setattr("sells_out.FORECAST", "toy")
    return {READS: model, "toy": toy.TOY}


def test_it_stands_on_what_is_published(
    runtime: Runtime, service: Runtime, upstream: dict[str, Model], tmp_path: Path
) -> None:
    version = put_in_force(runtime, tmp_path, READS)
    published = toy.publish_day(runtime)
    client = client_of(service, *upstream.values())
    assert client.get("/readyz").get_json()["checks"][READS] == "ok"
    days = [
        ask(client, "toy", store="S1", item="pear", date=str(toy.DAY + timedelta(days=n)))
        for n in range(1, toy.HORIZON + 1)
    ]
    units = np.array([answer["predictions"][0]["p50"] for _, answer in days], np.float32)
    needed = np.add.accumulate(units)
    on_hand = float(needed[2] + np.float32(0.5))
    status, answer = ask(client, READS, store="S1", item="pear", on_hand=on_hand)
    assert status == 200, answer
    assert answer["version"] == version
    assert answer["watermark"] == published.cutoff.isoformat(), "it knows what the scores know"
    day = toy.DAY + timedelta(days=1 + int((needed > on_hand).argmax()))
    assert answer["predictions"] == [{"on": day.isoformat(), "left": 0.0}]
    answer_forms(get_model(READS))[0].model_validate_json(json.dumps(answer))
    _, answer = ask(client, READS, store="S1", item="pear", on_hand=1e6)
    (row,) = answer["predictions"]
    assert row["on"] is None
    assert np.float32(row["left"]) == np.float32(1e6) - needed[-1]


def test_it_follows_what_is_published(
    runtime: Runtime, service: Runtime, upstream: dict[str, Model], tmp_path: Path
) -> None:
    put_in_force(runtime, tmp_path, READS)
    toy.publish_day(runtime)
    client = client_of(service, *upstream.values())
    before = ask(client, READS, store="S1", item="pear", on_hand=1e6)[1]
    toy.publish_day(runtime, level=3.0, scale=2.0)
    after = ask(client, READS, store="S1", item="pear", on_hand=1e6)[1]
    assert after["predictions"] != before["predictions"]
    assert after["version"] == before["version"]


def test_an_entity_that_nobody_scored_is_unknown(
    runtime: Runtime, service: Runtime, upstream: dict[str, Model], tmp_path: Path
) -> None:
    put_in_force(runtime, tmp_path, READS)
    toy.publish_day(runtime)
    client = client_of(service, *upstream.values())
    for store, item, field in (("moon", "pear", "store_id"), ("S1", "moon", "item_id")):
        status, answer = ask(client, READS, store=store, item=item, on_hand=1)
        assert (status, answer["error"]["code"]) == (404, "not_found")
        assert answer["error"]["details"]["field"] == field
        assert "moon" in answer["error"]["message"]


def test_without_published_scores_it_cannot_answer_and_says_whose(
    runtime: Runtime, service: Runtime, upstream: dict[str, Model], tmp_path: Path
) -> None:
    put_in_force(runtime, tmp_path)
    put_in_force(runtime, tmp_path, READS)
    client = client_of(service, *upstream.values(), get_model(NAME))
    status, answer = ask(client, READS, store="S1", item="pear", on_hand=1)
    assert (status, answer["error"]["code"]) == (503, "not_published")
    assert "Nothing of toy is published" in answer["error"]["message"]
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["checks"] == {
        "warehouse": "ok",
        "toy": "not_published",
        READS: "not_published",
        NAME: "ok",
    }
    assert client.get(f"/v1/models/{READS}").get_json()["problem"]["code"] == "not_published"


def test_a_model_that_reads_what_nobody_publishes_is_refused_at_start(
    service: Runtime,
) -> None:
    reads, order = get_model(READS), get_model(NAME)

    def reading(name: str, endpoint: Any = reads.endpoint) -> Model:
        return Model("reader", endpoint, scorer=reads.scorer, reads=(ScoresOf(name),))

    for models, fault in (
        ([reading("moon")], "reads the scores of moon, which is not installed"),
        ([reading(NAME), order], f"reads the scores of {NAME}, which is not scored nightly"),
        ([reading("toy", order.endpoint), toy.TOY], "its requests name no entity"),
    ):
        with pytest.raises(ConfigError, match=fault) as error:
            client_of(service, *models)
        assert error.value.remedy
