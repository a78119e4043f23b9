"""A version that is tried beside the one in force: for some entities, or unseen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from typer.testing import CliRunner

from anybody import Anybody
from day_equality import published_rows
from daybreak import cli, models
from daybreak.errors import InvalidRequest, NotFound
from daybreak.jobs import trials
from daybreak.ledger.generations import Generation, rollback
from daybreak.ledger.verdicts import record_verdict
from daybreak.models.base import Endpoint, Model
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.service import service_of
from daybreak.warehouse.engine import begin, connect
from statsd_daemon import Daemon, statsd_daemon
from toy import DAY, KEYS, SCORES, TOY, only_the_toy, publish_day

PREDICT = "/v1/models/toy/predict"
TARGET = "2026-02-03"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_installed", only_the_toy)


@pytest.fixture
def statsd() -> Iterator[Daemon]:
    with statsd_daemon() as daemon:
        yield daemon


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], statsd: Daemon) -> Runtime:
    return make_runtime(refresh_seconds=1e-9, statsd_host=statsd.host, statsd_port=statsd.port)


Scores = dict[tuple[str, str], dict[str, float]]


def table(runtime: Runtime) -> Scores:
    """What is published of one day ahead, by series."""
    _, rows = published_rows(runtime.engine, TOY, DAY)
    return {
        (row["store_id"], row["item_id"]): {name: row[name] for name in SCORES}
        for row in rows
        if row["target_date"].isoformat() == TARGET
    }


@pytest.fixture
def published(runtime: Runtime) -> tuple[Generation, Generation, Scores, Scores]:
    """A generation that is in force, one of a challenger that is not, and the scores of both."""
    champion = publish_day(runtime)
    first = table(runtime)
    challenger = publish_day(runtime, scale=3.0)
    second = table(runtime)
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY, runtime.clock())
    return champion, challenger, first, second


def client_of(runtime: Runtime) -> FlaskClient:
    return create_app(runtime, authenticator=Anybody(), models=[TOY]).test_client()


def body(key: tuple[str, ...]) -> dict[str, Any]:
    store, item = key
    return {"store": store, "item": item, "date": TARGET}


def answers(client: FlaskClient) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for key in KEYS:
        response = client.post(PREDICT, json=body(key))
        assert response.status_code == 200, response.get_data(as_text=True)
        found[key] = response.get_json()
    return found


def by_version(client: FlaskClient, version: str) -> set[tuple[str, str]]:
    return {key for key, one in answers(client).items() if one["version"] == version}


def test_a_canary_answers_for_its_share_with_its_own_bits(
    runtime: Runtime, published: Any, statsd: Daemon
) -> None:
    champion, challenger, first, second = published
    assert trials.canary("toy", challenger.version, 50, "look", actor="test", runtime=runtime)
    assert not trials.canary("toy", challenger.version, 50, "again", actor="test", runtime=runtime)
    found = answers(client_of(runtime))
    chosen = {key for key, one in found.items() if one["version"] == challenger.version}
    assert 0 < len(chosen) < len(KEYS)
    for key, one in found.items():
        expected = second if key in chosen else first
        assert one["predictions"][0].items() >= expected[key].items()
        assert one["source"] == ("live" if key in chosen else "published")
        assert one["version"] == (challenger if key in chosen else champion).version
        assert one["generation"] == champion.generation_id
    assert by_version(client_of(runtime), challenger.version) == chosen, "in every worker"
    trials.canary("toy", challenger.version, 90, "more", actor="test", runtime=runtime)
    assert by_version(client_of(runtime), challenger.version) >= chosen
    sent = {line.split(":")[0] for line in statsd.lines()}
    assert {"daybreak.toy.trial.canary", "daybreak.toy.trial.champion"} <= sent
    assert trials.stop("toy", "canary", "seen enough", actor="test", runtime=runtime)
    assert not trials.stop("toy", "canary", "again", actor="test", runtime=runtime)
    assert by_version(client_of(runtime), challenger.version) == set()
    with connect(runtime.engine) as conn:
        report = conn.execute(text("SELECT * FROM report.canary ORDER BY serve_from")).all()
    assert [(row.version, row.share, row.until is None) for row in report] == [
        (challenger.version, 0.5, False),
        (challenger.version, 0.9, False),
    ]


def test_many_rows_are_answered_each_by_its_side(runtime: Runtime, published: Any) -> None:
    champion, challenger, *_ = published
    with begin(runtime.engine) as conn:
        record_verdict(
            conn, model="toy", version=challenger.version, passed=False, reason="worse",
            evidence={}, actor="test", now=runtime.clock(),
        )  # fmt: skip
    trials.canary("toy", challenger.version, 50, "look", actor="test", runtime=runtime)
    client = client_of(runtime)
    alone = answers(client)
    bodies = [body(key) for key in alone]
    found = client.post(PREDICT, json={"rows": [*bodies, body(("S9", "durian"))]}).get_json()
    assert (found["version"], found["gate"]) == (champion.version, "not_judged")
    *known, unknown = found["answers"]
    assert unknown["error"]["code"] == "not_found"
    for one, each in zip(alone.values(), known, strict=True):
        assert {"version": found["version"], "gate": found["gate"], **each}.items() <= one.items()
    assert {each.get("gate") for each in known} == {None, "refused"}
    tensors = client.post("/v2/models/toy/infer", json={"inputs": columns(bodies)}).get_json()
    assert tensors["model_version"] == champion.version, "tensors have one version"


def columns(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": "BYTES",
            "shape": [len(bodies)],
            "data": [one[name] for one in bodies],
        }
        for name in bodies[0]
    ]


def test_a_canary_begins_and_ends_at_a_moment(
    make_runtime: Callable[..., Runtime], published: Any
) -> None:
    slow = make_runtime(refresh_seconds=1e6)
    challenger = published[1].version
    trials.canary("toy", challenger, 100, "look", actor="test", runtime=slow)
    client = client_of(slow)
    assert by_version(client, challenger) == set()
    publications = service_of(client.application).publications
    publications._monotonic = lambda: 1e9  # type: ignore[method-assign]
    assert publications.current("toy").canary is not None


def test_a_canary_that_cannot_be_used_leaves_all_to_the_champion(
    runtime: Runtime, published: Any, statsd: Daemon
) -> None:
    champion, challenger, *_ = published
    trials.canary("toy", challenger.version, 100, "look", actor="test", runtime=runtime)
    (runtime.settings.state / "registry" / "toy" / challenger.version / "model.ubj").unlink()
    client = client_of(runtime)
    assert by_version(client, champion.version) == set(KEYS)
    assert client.get("/readyz").get_json()["checks"]["toy"] == "artifact_missing"
    assert "daybreak.toy.version.stays_out:1|c" in statsd.lines()


def test_a_shadow_is_measured_and_never_answers(
    runtime: Runtime, published: Any, statsd: Daemon
) -> None:
    champion, challenger, *_ = published
    trials.shadow("toy", challenger.version, "look", actor="test", runtime=runtime)
    client = client_of(runtime)
    assert by_version(client, champion.version) == set(KEYS)
    shadows = service_of(client.application).shadows
    shadows._thread.submit(bool).result()  # after all that waits
    lines = [line for line in statsd.lines() if ".shadow." in line]
    names = [line.split(":")[0] for line in lines]
    assert names.count("daybreak.toy.shadow.latency") == len(KEYS)
    differing = [float(line.split(":")[1].split("|")[0]) for line in lines if "difference" in line]
    assert differing == pytest.approx([1000 * 2 / 3] * len(KEYS), rel=1e-3), "three times as much"


def test_what_comes_too_fast_for_a_shadow_is_passed_over(
    runtime: Runtime, published: Any, statsd: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.shadow("toy", published[1].version, "look", actor="test", runtime=runtime)
    monkeypatch.setattr("daybreak.serving.shadows.WAITING", 0)
    answers(client_of(runtime))
    sent = [line for line in statsd.lines() if ".shadow." in line]
    assert sent == ["daybreak.toy.shadow.passed_over:1|c"] * len(KEYS)


def test_what_cannot_be_tried_is_refused_with_what_to_do(
    runtime: Runtime, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = published[1].version
    for percent in (0, -1, 100.5, float("nan")):
        with pytest.raises(InvalidRequest, match="no share"):
            trials.canary("toy", version, percent, "look", actor="test", runtime=runtime)
    with pytest.raises(InvalidRequest, match="reason"):
        trials.shadow("toy", version, " ", actor="test", runtime=runtime)
    with pytest.raises(NotFound, match="no version"):
        trials.shadow("toy", "2026-01-01-00000000", "look", actor="test", runtime=runtime)
    about_nobody = Model("toy", Endpoint(TOY.endpoint.request), scorer=TOY.scorer)
    monkeypatch.setattr(trials, "get_model", lambda _name: about_nobody)
    with pytest.raises(InvalidRequest, match="no entity"):
        trials.canary("toy", version, 10, "look", actor="test", runtime=runtime)


def test_the_command_line_starts_stops_and_lists(
    runtime: Runtime, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = published[1].version
    monkeypatch.setattr("daybreak.runtime.get_runtime", lambda _part="jobs": runtime)
    monkeypatch.setattr(trials, "get_runtime", lambda: runtime)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli.app, ["models", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "answers for 10 %" in run("canary", "toy", version, "--share", "10", "--reason", "look")
    assert "is asked beside" in run("shadow", "toy", version, "--reason", "look")
    assert "The canary of toy ends." in run("stop", "toy", "canary", "--reason", "enough")
    assert version in run("trials")
    listed = json.loads(run("trials", "toy", "--json"))
    assert [(one["kind"], one["version"]) for one in listed] == [
        ("canary", None), ("shadow", version), ("canary", version),
    ]  # fmt: skip
