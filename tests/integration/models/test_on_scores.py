"""A nightly model of another package on the scores of the sales forecast."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, event, func, select, text, update

import model_shop
from anybody import Anybody
from day_equality import published_rows
from daybreak.clock import AsOf
from daybreak.errors import ConfigError, InputsLate, NoData
from daybreak.facts.scores import NOTHING, read_scores
from daybreak.jobs import publishing, snapshots
from daybreak.jobs.addresses import run_address
from daybreak.jobs.generations import show_generation
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register
from daybreak.jobs.run import score_day
from daybreak.jobs.waiting import look_for_inputs
from daybreak.ledger.generations import get_generation, published_generation
from daybreak.models import get_model, schedules
from daybreak.models.schedule import ScoresOf
from daybreak.platform import operation
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import WRITER_ROLE, generation, snapshot
from model_cases import ON_REQUEST, ON_SCORES, bits, case_of, outside_installed
from model_shop import AFTERWARDS, AS_OF, CUTOFF, DAY

NAME, UPSTREAM = "stock_cover", "sales_forecast"
MINUTE = timedelta(minutes=1)
PUBLISHED = CUTOFF + 7 * MINUTE
"""When the forecast of the day comes out, later than its run was due."""

MakeRuntime = Callable[..., Runtime]
FORMULA = {"trained_through": DAY.isoformat(), "engine": "none"}


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    with outside_installed(ON_SCORES, ON_REQUEST):
        yield


@pytest.fixture(scope="module")
def shop(
    postgres: Any, installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Name of a warehouse with the facts of the day, and the registry's home.

    Champions are there of the forecast and of the model on it, and nothing is scored.
    """
    home = tmp_path_factory.mktemp("home")
    with model_shop.filled(postgres) as name:
        given: dict[str, Any] = {"warehouse_url": postgres.url(name, WRITER_ROLE)}
        runtime = Runtime(Settings(home=home, **given), lambda: CUTOFF)
        with connect(runtime.engine) as conn:
            trained = case_of(UPSTREAM).train(conn, AS_OF)
        version = runtime.registry.register(UPSTREAM, trained.booster, trained.manifest)
        since = {"actor": "test", "effective_from": CUTOFF - 60 * MINUTE}
        promote(UPSTREAM, version, "test", **since, runtime=runtime)
        file = home / "formula.json"
        file.write_text(json.dumps(FORMULA))
        formula = register(NAME, file, runtime=runtime)["version"]
        promote(NAME, formula, "test", **since, runtime=runtime)
        runtime.engine.dispose()
        yield name, home


@pytest.fixture
def warehouse_url(postgres: Any, shop: tuple[str, Path]) -> Iterator[str]:
    with postgres.database(shop[0]) as name:
        yield postgres.url(name)


@pytest.fixture
def at(make_runtime: MakeRuntime, shop: tuple[str, Path]) -> Callable[..., Runtime]:
    """The runtime of a moment, by minutes after the run of the day was due."""
    return lambda minutes=0, **settings: make_runtime(
        now=CUTOFF + minutes * MINUTE, home=shop[1], entities_per_shard=17, **settings
    )


def address(run_type: str = "scheduled", knowledge: str = "as_was") -> Any:
    return run_address(
        run_key="test", run_type=run_type, model=NAME, business_date=DAY, knowledge=knowledge
    )


def rows_of(runtime: Runtime) -> list[dict[str, Any]]:
    """What is published of the day, without what differs between generations."""
    _, rows = published_rows(runtime.engine, get_model(NAME), DAY)
    hidden = {"generation_id", "shard"}
    return [{name: value for name, value in row.items() if name not in hidden} for row in rows]


def correct_and_score_again(at: Callable[..., Runtime]) -> None:
    """Facts of the day that came late, and the forecast of the day on all that is known."""
    runtime = at((AFTERWARDS - CUTOFF) / MINUTE)
    with owner_of(runtime) as engine:
        model_shop.learn_more(engine)
    score_day(UPSTREAM, DAY, "latest", runtime=runtime)


@contextmanager
def owner_of(runtime: Runtime) -> Iterator[Engine]:
    """Engine of the user to whom the tables belong; neither jobs nor endpoint are."""
    url = runtime.settings.warehouse_dsn.replace(f"://{WRITER_ROLE}@", "://postgres@")
    engine = make_engine(url)
    yield engine
    engine.dispose()


# --- it waits --------------------------------------------------------------------------------


def test_its_schedule_is_light_and_says_on_what_it_stands() -> None:
    assert schedules()[NAME].inputs == (ScoresOf(UPSTREAM),)
    assert schedules()[NAME] is get_model(NAME).night.schedule


def test_it_waits_until_the_forecast_is_out(at: Callable[..., Runtime]) -> None:
    look = look_for_inputs(address(), runtime=at(1))
    assert not look.ready
    assert f"Waiting for business day {DAY}: {UPSTREAM} has not published it" in look.text
    limit = Settings().wait_limit_minutes
    with pytest.raises(InputsLate, match=f"Scores of {UPSTREAM} for {DAY}") as error:
        look_for_inputs(address(), CUTOFF.isoformat(), runtime=at(limit))
    assert f"after a wait of {limit:.0f} minutes" in error.value.message
    assert f"`daybreak score {UPSTREAM} --business-date {DAY}`" in error.value.remedy
    score_day(UPSTREAM, DAY, runtime=at(7))
    assert look_for_inputs(address(), CUTOFF.isoformat(), runtime=at(8)).ready


@pytest.mark.parametrize("knowledge", ["as_was", "latest"])
def test_a_person_is_told_at_once(knowledge: str, at: Callable[..., Runtime]) -> None:
    with pytest.raises(InputsLate, match=f"Scores of {UPSTREAM} for {DAY} are not published"):
        score_day(NAME, DAY, knowledge, runtime=at(9))
    score_day(UPSTREAM, DAY, runtime=at(7))
    publishing.rollback(UPSTREAM, DAY, at(8))
    with pytest.raises(InputsLate, match="are not published"):
        score_day(NAME, DAY, knowledge, runtime=at(9))


# --- it is scored ----------------------------------------------------------------------------


def test_it_knows_what_was_published_when_the_forecast_came_out(at: Callable[..., Runtime]) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    row = score_day(NAME, DAY, runtime=at(30))
    with connect(at().engine) as conn:
        scored = get_generation(conn, row["generation_id"])
        forecast = published_generation(conn, UPSTREAM, DAY)
        days = read_scores(
            conn, UPSTREAM, get_model(UPSTREAM).night.score_table, AsOf(DAY, scored.cutoff)
        ).columns
    assert scored.cutoff == PUBLISHED
    rows = rows_of(at())
    assert len(rows) == row["rows"] == forecast.rows / 28
    for row in (rows[0], rows[-1]):
        own = (days["store_id"] == row["store_id"]) & (days["item_id"] == row["item_id"])
        needed = np.float32(0)
        for p90 in days["p90"][own & (days["horizon"] <= 7)]:
            needed += p90
        assert np.float32(row["needed"]).tobytes() == needed.tobytes()


def test_where_the_forecast_is_early_the_run_is_bounded_as_ever(at: Callable[..., Runtime]) -> None:
    score_day(UPSTREAM, DAY, runtime=at(0))
    row = score_day(NAME, DAY, runtime=at(30))
    with connect(at().engine) as conn:
        assert get_generation(conn, row["generation_id"]).cutoff == CUTOFF


def test_a_day_that_is_scored_again_is_as_it_was(at: Callable[..., Runtime]) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    first = score_day(NAME, DAY, runtime=at(8))
    before = rows_of(at())
    correct_and_score_again(at)
    much_later = at((AFTERWARDS - CUTOFF) / MINUTE + 60)
    again = score_day(NAME, DAY, runtime=much_later)
    assert again["generation_id"] != first["generation_id"]
    assert repr(rows_of(much_later)) == repr(before)

    # Also where retention has taken the snapshot, and it is read again from the old generation.
    table = get_model(NAME).night.snapshot_table
    with owner_of(much_later) as engine, begin(engine) as conn:
        (kept,) = conn.scalars(select(snapshot.c.sha256).where(snapshot.c.model == NAME))
        conn.execute(delete(table))
        conn.execute(
            update(snapshot)
            .where(snapshot.c.model == NAME)
            .values(pruned_at=AFTERWARDS, sha256="", rows=0)
        )
    score_day(NAME, DAY, runtime=much_later)
    assert repr(rows_of(much_later)) == repr(before)
    with connect(much_later.engine) as conn:
        assert conn.scalars(select(snapshot.c.sha256).where(snapshot.c.model == NAME)).all() == [
            kept
        ]

    score_day(NAME, DAY, "latest", runtime=much_later)
    assert repr(rows_of(much_later)) != repr(before), "the correction shows where one asks for it"


def test_scores_that_are_no_longer_kept_are_replaced_by_no_others(
    at: Callable[..., Runtime],
) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    correct_and_score_again(at)
    much_later = at((AFTERWARDS - CUTOFF) / MINUTE + 60)
    with begin(much_later.engine) as conn:
        conn.execute(
            update(generation).where(generation.c.state == "superseded").values(swept_at=AFTERWARDS)
        )
    with pytest.raises(NoData, match=r"\(generation 1\) were deleted on 2026-03-09") as error:
        score_day(NAME, DAY, runtime=much_later)
    assert "--knowledge latest" in error.value.remedy
    assert score_day(NAME, DAY, "latest", runtime=much_later)["rows"] > 0


def test_a_generation_that_was_withdrawn_is_not_stood_on(at: Callable[..., Runtime]) -> None:
    def used(minutes: int) -> int:
        as_of = AsOf(DAY, CUTOFF + minutes * MINUTE)
        with connect(at().engine) as conn:
            table = get_model(UPSTREAM).night.score_table
            return read_scores(conn, UPSTREAM, table, as_of).generation_id

    for minutes in (10, 20, 30):
        score_day(UPSTREAM, DAY, runtime=at(minutes))
    publishing.rollback(UPSTREAM, DAY, at(40))
    assert [used(minutes) for minutes in (10, 19, 20, 39, 40, 99)] == [1, 1, 2, 3, 2, 2]
    publishing.rollback(UPSTREAM, DAY, at(50))
    publishing.rollback(UPSTREAM, DAY, at(60))
    assert [used(minutes) for minutes in (10, 30, 40, 50)] == [1, 3, 2, 1]
    for minutes in (9, 60):
        with pytest.raises(NoData, match=f"No scores of {UPSTREAM} for {DAY}") as error:
            used(minutes)
        assert "daybreak score" in error.value.remedy


def test_a_run_after_a_withdrawal_stands_on_what_came_next(at: Callable[..., Runtime]) -> None:
    """At its cutoff nothing is published, so it is the moment from which on something is."""
    score_day(UPSTREAM, DAY, runtime=at(-5))
    publishing.rollback(UPSTREAM, DAY, at(-2))
    with pytest.raises(InputsLate):
        score_day(NAME, DAY, runtime=at(5))
    score_day(UPSTREAM, DAY, runtime=at(15))
    row = score_day(NAME, DAY, runtime=at(20))
    with connect(at().engine) as conn:
        assert get_generation(conn, row["generation_id"]).cutoff == CUTOFF + 15 * MINUTE


# --- what it stood on is published no more ---------------------------------------------------


TREBLED = text(
    """
    INSERT INTO raw.sales (business_date, store_id, item_id, units, price, promotion, open, holiday,
        covariates, load_id, loaded_at)
    SELECT business_date, store_id, item_id, units * 3, price, promotion, open, holiday, covariates,
        load_id, :known
    FROM raw.sales WHERE business_date > :since
    """
)


def forecast_on_other_facts(at: Callable[..., Runtime], minutes: int) -> int:
    """Publish another forecast of the day; its generation."""
    with owner_of(at()) as engine, begin(engine) as conn:
        conn.execute(
            TREBLED, {"since": DAY - timedelta(days=60), "known": CUTOFF + minutes * MINUTE}
        )
    row = score_day(UPSTREAM, DAY, "latest", runtime=at(minutes))
    return int(row["generation_id"])


def bases(runtime: Runtime) -> list[Any]:
    """The rows of the report, and what stands beside the newest day."""
    with connect(runtime.engine) as conn:
        found = conn.execute(
            text(
                "SELECT upstream, upstream_generation_id, state, published_instead "
                "FROM report.basis WHERE model = :model"
            ),
            {"model": NAME},
        ).all()
        newest = conn.execute(
            text("SELECT basis FROM report.freshness WHERE model = :model"), {"model": NAME}
        ).scalar_one()
    return [*(tuple(row) for row in found), newest]


def test_scores_whose_forecast_was_withdrawn_are_marked_and_made_again(
    at: Callable[..., Runtime],
) -> None:
    first = score_day(UPSTREAM, DAY, runtime=at(7))["generation_id"]
    own = score_day(NAME, DAY, runtime=at(8))["generation_id"]
    before = rows_of(at())
    assert bases(at()) == [(UPSTREAM, first, "published", None), "published"]

    publishing.rollback(UPSTREAM, DAY, at(20))
    assert bases(at()) == [(UPSTREAM, first, "rolled_back", None), "rolled_back"]
    assert show_generation(own, at())["basis"] == [
        {"model": UPSTREAM, "generation_id": first, "state": "rolled_back"}
    ]
    with pytest.raises(InputsLate, match=f"Scores of {UPSTREAM} for {DAY} are not published"):
        score_day(NAME, DAY, runtime=at(25))
    assert rows_of(at()) == before, "what is published stays until it is made again"

    second = forecast_on_other_facts(at, 30)
    assert bases(at()) == [(UPSTREAM, first, "rolled_back", second), "rolled_back"]
    score_day(NAME, DAY, runtime=at(40))
    assert bases(at()) == [(UPSTREAM, second, "published", None), "published"]
    after = rows_of(at())
    assert after != before
    score_day(NAME, DAY, runtime=at(90))
    assert rows_of(at()) == after, "and from then on it stays the same"


def test_where_an_earlier_forecast_came_back_the_day_stands_on_that(
    at: Callable[..., Runtime],
) -> None:
    first = score_day(UPSTREAM, DAY, runtime=at(-5))["generation_id"]
    second = forecast_on_other_facts(at, -2)
    score_day(NAME, DAY, runtime=at(8))
    assert bases(at()) == [(UPSTREAM, second, "published", None), "published"]
    publishing.rollback(UPSTREAM, DAY, at(20))
    score_day(NAME, DAY, runtime=at(30))
    assert bases(at()) == [(UPSTREAM, first, "published", None), "published"]


def test_scores_whose_forecast_was_superseded_say_so_and_are_as_they_were(
    at: Callable[..., Runtime],
) -> None:
    first = score_day(UPSTREAM, DAY, runtime=at(7))["generation_id"]
    score_day(NAME, DAY, runtime=at(8))
    before = rows_of(at())
    second = forecast_on_other_facts(at, 30)
    for minutes in (40, 50):
        assert bases(at()) == [(UPSTREAM, first, "superseded", second), "superseded"]
        score_day(NAME, DAY, runtime=at(minutes))
        assert rows_of(at()) == before
    score_day(NAME, DAY, "latest", runtime=at(60))
    assert bases(at())[-1] == "published"


def test_the_platform_says_that_what_is_published_stands_on_nothing(
    at: Callable[..., Runtime],
) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    score_day(NAME, DAY, runtime=at(8))
    settings = at(9).settings
    assert list(operation.bases(settings)) == []
    publishing.rollback(UPSTREAM, DAY, at(20))
    (found,) = operation.bases(settings)
    assert f"{NAME} for {DAY} was made from scores that were rolled back" in found.detail
    assert found.ok


def test_rows_come_in_the_order_of_bytes_whatever_the_database_speaks(
    at: Callable[..., Runtime],
) -> None:
    """Where text is sorted as people do, "a" stands before "B"; a snapshot goes by bytes.

    The test's server knows no language, so what is asked of it is looked at.
    """
    score_day(UPSTREAM, DAY, runtime=at(7))
    engine, asked = at(8).engine, list[str]()
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with connect(engine) as conn:
        read_scores(conn, UPSTREAM, get_model(UPSTREAM).night.score_table, AsOf(DAY, PUBLISHED))
    (_, order) = asked[-1].split("ORDER BY")
    assert 'store_id COLLATE "C"' in order
    assert 'item_id COLLATE "C"' in order


def test_scores_are_read_in_parts_as_at_once(
    at: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    table = get_model(UPSTREAM).night.score_table

    def read(*columns: str, only: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
        with connect(at(8).engine) as conn:
            as_of = AsOf(DAY, PUBLISHED)
            return read_scores(conn, UPSTREAM, table, as_of, columns, only=only).columns

    whole = read()
    _, rows = published_rows(at(8).engine, get_model(UPSTREAM), DAY)
    for name, values in whole.items():
        expected = np.array([row[name] for row in rows], values.dtype)
        assert bits({name: values}) == bits({name: expected})
    assert whole["p90"].dtype == np.float32
    assert whole["target_date"].dtype == "M8[D]"
    monkeypatch.setattr("daybreak.facts.scores.ROWS_AT_ONCE", 100)
    assert bits(read()) == bits(whole)
    assert bits(read("item_id", "p10")) == bits({name: whole[name] for name in ("item_id", "p10")})
    numbers = ("horizon", "target_date", "p90", "mean")  # these come as one block
    assert bits(read(*numbers)) == bits({name: whole[name] for name in numbers})
    for names in (("store_id", "p10"), ("target_date", "p10")):
        first = read(*names, only={"horizon": 1})
        assert bits(first) == bits({name: whole[name][whole["horizon"] == 1] for name in names})


def test_every_step_may_run_twice(at: Callable[..., Runtime]) -> None:
    score_day(UPSTREAM, DAY, runtime=at(7))
    first = snapshots.build_snapshot(address(), at(8))
    assert snapshots.build_snapshot(address(), at(9)) == first
    with connect(at().engine) as conn:
        count = select(func.count()).select_from(snapshot).where(snapshot.c.model == NAME)
        assert conn.scalar(count) == 1


# --- it answers ------------------------------------------------------------------------------


@pytest.fixture
def client(at: Callable[..., Runtime]) -> FlaskClient:
    score_day(UPSTREAM, DAY, runtime=at(7))
    score_day(NAME, DAY, runtime=at(8))
    return create_app(at(9), authenticator=Anybody()).test_client()


def ask(client: FlaskClient, name: str = NAME, **body: Any) -> dict[str, Any]:
    response = client.post(f"/v1/models/{name}/predict", json=body)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer: dict[str, Any] = response.get_json()
    return answer


def test_an_answer_says_what_became_of_the_forecast_under_it(
    client: FlaskClient, at: Callable[..., Runtime]
) -> None:
    """Without a read a request: a look at what is in force brings it."""
    key = {"store": (row := rows_of(at())[0])["store_id"], "item": row["item_id"]}
    before = ask(client, **key)
    assert before["basis"] == "published"
    publishing.rollback(UPSTREAM, DAY, at(20))

    runtime, asked = at(21, refresh_seconds=600), list[str]()
    event.listen(runtime.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    late = create_app(runtime, authenticator=Anybody()).test_client()
    after = ask(late, **key)
    assert after["basis"] == "rolled_back"
    assert after["predictions"] == before["predictions"]
    looked = len(asked)
    assert [query for query in asked if "snapshot_upstream" in query]
    ask(late, **key)
    assert not [query for query in asked[looked:] if "snapshot_upstream" in query]
    many = late.post(f"/v1/models/{NAME}/predict", json={"rows": [key, key]}).get_json()
    assert many["basis"] == "rolled_back"


def test_what_is_on_hand_changes_the_answer_and_not_the_need(
    client: FlaskClient, at: Callable[..., Runtime]
) -> None:
    row = max(rows_of(at()), key=lambda one: one["needed"])
    key = {"store": row["store_id"], "item": row["item_id"]}
    plain = ask(client, **key)
    assert plain["source"] == "published"
    ((before,), on_hand) = plain["predictions"], float(np.float32(row["needed"]) / 2)
    live = ask(client, **key, on_hand=on_hand)
    ((after,)) = live["predictions"]
    assert live["source"] == "live"
    assert after["needed"] == before["needed"] == row["needed"]
    assert np.float32(after["short"]) == np.float32(row["needed"]) - np.float32(on_hand)
    assert 0 < after["days"] < 7
    enough = ask(client, **key, on_hand=1e6)["predictions"][0]
    assert (enough["short"], enough["days"]) == (0.0, 7)


def test_its_engine_is_none_and_readiness_knows_it(client: FlaskClient) -> None:
    published = client.get(f"/v1/models/{NAME}").get_json()["published"]
    assert published["engine"] == "none"
    assert client.get("/readyz").get_json()["checks"][NAME] == "ok"


def test_a_request_may_stand_on_the_same_forecast(
    client: FlaskClient, at: Callable[..., Runtime]
) -> None:
    row = max(rows_of(at()), key=lambda one: one["needed"])
    key = {"store": row["store_id"], "item": row["item_id"]}
    file = at().settings.state / "sells_out.json"
    file.write_text(json.dumps(FORMULA))
    version = register("sells_out", file, runtime=at())["version"]
    promote("sells_out", version, "test", actor="test", runtime=at())
    fresh = create_app(at(9), authenticator=Anybody()).test_client()
    answer = ask(fresh, "sells_out", **key, on_hand=0)
    assert answer["watermark"] == CUTOFF.isoformat(), "what the forecast knows, no more"
    asked = [DAY + timedelta(days=n) for n in range(1, 29)]
    needed = [
        day
        for day in asked
        if ask(fresh, UPSTREAM, **key, date=day.isoformat())["predictions"][0]["p50"] > 0
    ]
    assert answer["predictions"][0]["on"] == needed[0].isoformat()


def test_a_schedule_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stock_cover_schedule.SCHEDULE", "daily")
    with pytest.raises(ConfigError, match="which is not a schedule"):
        schedules()
