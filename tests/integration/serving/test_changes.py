"""Workers change over at the moment that a publication carries, and only to what can be used."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

import toy
from anybody import Anybody
from daybreak.errors import NotPublished, RegistryUnavailable
from daybreak.jobs.registering import register_trained
from daybreak.ledger import generations
from daybreak.ledger.champions import promote, served_versions
from daybreak.ledger.generations import Generation, publish, rollback
from daybreak.models import arrays
from daybreak.models.base import Trained
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime
from daybreak.scoring.engines.golden import FILE, check_golden_rows, golden_rows, rows_of
from daybreak.scoring.engines.opening import open_engine
from daybreak.serving.app import create_app
from daybreak.serving.loading import Loader, Wanted
from daybreak.serving.publications import Publications
from daybreak.serving.service import service_of
from daybreak.types import Float32
from daybreak.warehouse.engine import begin, connect
from toy import DAY, TOY, publish_day

EXAMPLES = np.arange(12, dtype=np.float32).reshape(3, 4)
HOUR = timedelta(hours=1)
PREDICT = "/v1/models/toy/predict"
BODY = {"store": "S1", "item": "pear", "date": "2026-02-03"}


class Worker:
    """Looks at the warehouse once, and then has its own clock only."""

    def __init__(self, runtime: Runtime, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self._publications = Publications(
            runtime, [TOY], monotonic=lambda: time.monotonic() + self.ahead
        )

    def answers_from(self) -> int:
        return self._publications.published("toy").generation_id


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=1e6)


@pytest.fixture
def following(make_runtime: Callable[..., Runtime]) -> Runtime:
    """Each request looks."""
    return make_runtime(refresh_seconds=1e-9)


def roll_back(runtime: Runtime, lead: timedelta) -> None:
    with begin(runtime.engine) as conn:
        rollback(conn, "toy", DAY, runtime.clock(), lead)


def test_all_workers_change_over_at_one_moment_without_looking_again(runtime: Runtime) -> None:
    first = publish_day(runtime, lead=HOUR).generation_id
    early = Worker(runtime)
    assert early.answers_from() == first, "there was nothing to take over from"
    second = publish_day(runtime, level=2.0, scale=3.0, lead=HOUR).generation_id
    roll_back(runtime, 2 * HOUR)
    workers = [Worker(runtime), Worker(runtime, ahead=1e5)]
    for hours, expected in ((0, first), (0.99, first), (1.01, second), (2.01, first)):
        for worker, began in zip(workers, (0.0, 1e5), strict=True):
            worker.ahead = began + hours * 3600
            assert worker.answers_from() == expected, hours


def test_a_moment_never_comes_before_that_of_an_earlier_change(runtime: Runtime) -> None:
    publish_day(runtime)
    publish_day(runtime, level=2.0, lead=HOUR)
    third = publish_day(runtime, level=3.0).generation_id
    worker = Worker(runtime)
    assert worker.answers_from() != third
    worker.ahead += 3601
    assert worker.answers_from() == third


def test_what_was_withdrawn_ends_at_its_moment(runtime: Runtime) -> None:
    first = publish_day(runtime).generation_id
    roll_back(runtime, HOUR)
    worker = Worker(runtime)
    assert worker.answers_from() == first
    worker.ahead += 3601
    with pytest.raises(NotPublished):
        worker.answers_from()


def test_a_champion_that_answers_requests_changes_over_likewise(runtime: Runtime) -> None:
    first, second = (publish_day(runtime, scale=scale).version for scale in (1.0, 3.0))

    def put_in_force(version: str, effective_from: datetime, lead: timedelta) -> None:
        with begin(runtime.engine) as conn:
            said = {"reason": "test", "evidence": {}, "actor": "test", "now": runtime.clock()}
            promote(
                conn,
                model="toy",
                version=version,
                effective_from=effective_from,
                lead=lead,
                **said,
            )

    put_in_force(first, runtime.clock(), HOUR)
    put_in_force(second, datetime(2020, 1, 1, tzinfo=UTC), timedelta(0))
    with connect(runtime.engine) as conn:
        changes = served_versions(conn, "toy")
    assert [change.value for change in changes] == [first, second, first], "none for the past"
    assert changes[2].moment - changes[1].moment > 0.9 * HOUR


# A version that cannot be used


def booster_of(runtime: Runtime, generation: Generation) -> Path:
    return runtime.settings.state / "registry" / "toy" / generation.version / "model.ubj"


def served(client: FlaskClient) -> int:
    response = client.post(PREDICT, json=BODY)
    assert response.status_code == 200, response.get_data(as_text=True)
    return int(response.get_json()["generation"])


def client_of(runtime: Runtime) -> FlaskClient:
    return create_app(runtime, authenticator=Anybody(), models=[TOY]).test_client()


def test_a_version_that_cannot_be_used_stays_out_in_every_worker(
    following: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    first = publish_day(following)
    running = client_of(following)
    assert served(running) == first.generation_id
    second = publish_day(following, level=2.0, scale=3.0)
    file = booster_of(following, second)
    file.chmod(0o644)
    original = file.read_bytes()
    file.write_bytes(original[:-1] + b"\x00")
    for client in (running, client_of(following)):
        assert served(client) == first.generation_id
        ready = client.get("/readyz")
        assert (ready.status_code, ready.get_json()["checks"]["toy"]) == (200, "artifact_altered")
        shown = client.get("/v1/models/toy").get_json()
        assert shown["published"]["generation"] == first.generation_id
        assert shown["problem"]["code"] == "artifact_altered"
    assert f"toy {second.version} stays out" in caplog.text
    file.write_bytes(original)
    assert served(running) == second.generation_id
    assert running.get("/v1/models/toy").get_json()["problem"] is None


def test_a_registry_that_does_not_answer_leaves_what_is_loaded_in_force(
    following: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_day(following)
    running = client_of(following)
    assert served(running) == first.generation_id
    second = publish_day(following, level=2.0, scale=3.0)

    def away(*_: object) -> Artifact:
        raise RegistryUnavailable("Away.", remedy="Wait.")

    with monkeypatch.context() as broken:
        broken.setattr(following.registry, "load", away)
        held = service_of(running.application).publications._held["toy"]
        held._stale = -1.0  # however long it lasts
        assert served(running) == first.generation_id
        assert running.get("/readyz").get_json()["checks"]["toy"] == "registry_unavailable"
        beginning = client_of(following).post(PREDICT, json=BODY)
        assert beginning.get_json()["error"]["code"] == "registry_unavailable"
    assert served(running) == second.generation_id


def test_what_another_release_published_is_followed_when_it_is_published_again(
    following: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as another:
        another.setattr(generations, "change_over", lambda *_: None)
        generation = publish_day(following)
    assert client_of(following).post(PREDICT, json=BODY).status_code == 503
    with begin(following.engine) as conn:
        publish(conn, generation.generation_id, following.clock())
    assert served(client_of(following)) == generation.generation_id


def test_who_changes_over_late_says_so(
    following: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    publish_day(following)
    client = client_of(following)
    served(client)
    served(client)
    assert "not loaded when its moment came" not in caplog.text
    second = publish_day(following, level=2.0, scale=3.0)  # at once, which leaves no time to load
    served(client)
    assert f"{second.version} answers from now on, and was not loaded" in caplog.text


def test_the_first_answer_of_a_model_without_nights_waits_for_nothing(following: Runtime) -> None:
    """That of one with nights is asked for when its day is loaded."""
    version = publish_day(following).version
    model = replace(TOY, nightly=None, scorer=lambda artifact, day: None)
    with connect(following.engine) as conn:
        loader = Loader(following, model, time.monotonic)
        publication = loader.publication(conn, Wanted(version), [])
    assert "_twin" in publication.engine.__dict__


def golden(margins: Callable[[Float32], Float32]) -> dict[str, bytes]:
    """Golden rows of the toy's booster, as registered with these margins instead of its own."""
    rows = arrays.unpack(golden_rows(Artifact("toy", "", toy.booster(), {}), EXAMPLES))
    rows["margins"] = margins(rows["margins"])
    return {FILE: arrays.pack(rows)}


def test_a_version_whose_golden_rows_differ_stays_out(following: Runtime) -> None:
    first = publish_day(following, files=golden(lambda margins: margins))
    client = client_of(following)
    assert served(client) == first.generation_id
    one_bit = golden(lambda margins: np.nextafter(margins, np.float32(np.inf)))
    publish_day(following, scale=3.0, files=one_bit)
    assert served(client) == first.generation_id
    assert client.get("/readyz").get_json()["checks"]["toy"] == "golden_rows_differ"


def test_golden_rows_are_part_of_a_version_that_is_trained_or_brought(runtime: Runtime) -> None:
    manifest = {"trained_through": "2026-01-31", "features": list(TOY.features)}
    trained = Trained(toy.booster(), manifest, examples=EXAMPLES)
    version = register_trained(runtime, "toy", trained)
    assert register_trained(runtime, "toy", trained) == version, "always the same ones"
    artifact = runtime.registry.load("toy", version)
    rows = rows_of(artifact)
    assert rows is not None
    assert rows[: len(EXAMPLES)].tobytes() == EXAMPLES.tobytes()
    check_golden_rows(open_engine(artifact, threads=1))


def test_what_was_rolled_back_does_not_come_back_for_what_fails(following: Runtime) -> None:
    first = publish_day(following)
    publish_day(following, level=2.0, scale=3.0)
    roll_back(following, timedelta(0))
    booster_of(following, first).unlink()
    response = client_of(following).post(PREDICT, json=BODY)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "artifact_missing")
