"""What an application may ask of the recommendations, on a day that was published for real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text

import model_shop
from anybody import Anybody
from day_equality import published_rows
from daybreak.clock import AsOf
from daybreak.errors import AuditFailed, ConfigError, InvalidRequest, NotReady
from daybreak.jobs.addresses import run_address
from daybreak.jobs.run import score_day
from daybreak.jobs.snapshots import build_snapshot
from daybreak.ledger.champions import promote
from daybreak.models import get_model
from daybreak.models.base import Trained
from daybreak.models.recommendations.numbers import DEFAULT
from daybreak.runtime import Runtime
from daybreak.scoring.audit import audit_generation
from daybreak.scoring.snapshot_shards import write_snapshot
from daybreak.scoring.snapshots import read_day
from daybreak.serving.app import create_app
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect
from model_cases import case_of
from model_shop import AFTERWARDS, AS_OF, CUTOFF, DAY

MODEL = "recommendations"


@pytest.fixture(scope="module")
def shop(
    postgres: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Runtime, Trained]]:
    """A shop of 40 items and 120 users whose lists were published by the nightly steps."""
    with model_shop.filled(postgres) as name:
        home = tmp_path_factory.mktemp("lists")
        made = Runtime(Settings(home=home, warehouse_url=postgres.url(name)), lambda: AFTERWARDS)
        with connect(made.engine) as conn:
            trained = case_of(MODEL).train(conn, AS_OF)
        score_with(made, trained)
        yield made, trained
        made.engine.dispose()


@pytest.fixture(scope="module")
def runtime(shop: tuple[Runtime, Trained]) -> Runtime:
    return shop[0]


def score_with(runtime: Runtime, trained: Trained) -> None:
    """Register the version, put it in force and publish the day."""
    version = runtime.registry.register(MODEL, trained.booster, trained.manifest, trained.files)
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=MODEL,
            version=version,
            effective_from=CUTOFF - timedelta(days=7),
            reason="test",
            evidence={},
            actor="test",
            now=CUTOFF,
        )
    score_day(MODEL, DAY, runtime=runtime)


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return create_app(runtime, authenticator=Anybody()).test_client()


def ask(client: FlaskClient, **body: Any) -> dict[str, Any]:
    response = client.post(f"/v1/models/{MODEL}/predict", json=body)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer: dict[str, Any] = response.get_json()
    return answer


def items(answer: dict[str, Any]) -> list[str]:
    return [row["item_id"] for row in answer["predictions"]]


def bought_by(runtime: Runtime, user: str) -> set[str]:
    query = text(
        "SELECT DISTINCT item_id FROM raw.interaction WHERE user_id = :user AND weight >= 1"
    )
    with connect(runtime.engine) as conn:
        return set(conn.scalars(query, {"user": user}))


def a_regular(runtime: Runtime) -> str:
    query = text(
        "SELECT user_id FROM raw.interaction WHERE weight >= 1 GROUP BY user_id "
        "ORDER BY count(*) DESC, user_id LIMIT 1"
    )
    with connect(runtime.engine) as conn:
        return str(conn.scalars(query).one())


def test_a_user_alone_gets_what_is_published(runtime: Runtime, client: FlaskClient) -> None:
    user = a_regular(runtime)
    with connect(runtime.engine) as conn:
        rows = conn.execute(
            text("SELECT * FROM report.recommendation WHERE user_id = :user ORDER BY rank"),
            {"user": user},
        ).all()
    answer = ask(client, user_id=user)

    assert answer["source"] == "published"
    assert client.get(f"/v1/models/{MODEL}").get_json()["published"]["engine"] == "twin"
    assert items(answer) == [row.item_id for row in rows]
    assert [row["rank"] for row in answer["predictions"]] == list(range(1, 21))
    assert {row["user_id"] for row in answer["predictions"]} == {user}
    assert answer["unknown_items"] == []
    few = ask(client, user_id=user, k=5)
    assert (few["source"], few["predictions"]) == ("published", answer["predictions"][:5])
    many = ask(client, user_id=user, k=30)
    assert (many["source"], many["predictions"][:20]) == ("live", answer["predictions"])
    assert len(many["predictions"]) == 30


def test_a_session_brings_what_goes_with_it(runtime: Runtime, client: FlaskClient) -> None:
    user = a_regular(runtime)
    plain = ask(client, user_id=user)
    basket = items(plain)[:2]
    live = ask(client, user_id=user, session=basket)

    assert live["source"] == "live"
    assert not set(items(live)) & set(basket), "what is in the basket is not offered again"
    assert items(live) != items(plain)[2:]
    together = [row for row in live["predictions"] if row["because"] in basket]
    assert {row["reason"] for row in together} == {"together"}
    # The order in which things were looked at, and how often, does not matter.
    again = ask(client, user_id=user, session=[*basket[::-1], basket[0]])
    assert again["predictions"] == live["predictions"]
    assert ask(client, user_id=user)["predictions"] == plain["predictions"], "nothing stays"


def test_nobody_in_particular_gets_the_default_list_and_is_told_so(
    runtime: Runtime, client: FlaskClient
) -> None:
    nobody, unknown = ask(client), ask(client, user_id="never seen")

    assert nobody["source"] == unknown["source"] == "default"
    assert nobody["predictions"] == unknown["predictions"]
    assert len(nobody["predictions"]) == 20
    for whom in ({}, {"user_id": "never seen"}):  # neither of them ever bought anything
        longer = ask(client, k=25, exclude_purchased=True, **whom)
        assert (longer["source"], longer["predictions"][:20]) == ("default", nobody["predictions"])
    with connect(runtime.engine) as conn:
        default = conn.scalars(
            text("SELECT item_id FROM report.recommendation WHERE is_default ORDER BY rank")
        ).all()
    assert items(nobody) == default
    assert {row["reason"] for row in nobody["predictions"]} <= {"trending", "popular"}


def test_an_unknown_user_with_a_session(client: FlaskClient) -> None:
    default = ask(client)
    item = items(default)[0]
    live = ask(client, user_id="never seen", session=[item], k=10)

    assert live["source"] == "live"
    assert len(live["predictions"]) == 10
    assert item not in items(live)
    assert any(row["because"] == item for row in live["predictions"])


def test_what_is_excluded_makes_room_for_the_next(runtime: Runtime, client: FlaskClient) -> None:
    user = a_regular(runtime)
    whole = ask(client, user_id=user, k=30)
    unwanted = items(whole)[:3]
    rest = ask(client, user_id=user, exclude=unwanted)

    assert rest["source"] == "live"
    assert len(rest["predictions"]) == 20
    assert not set(items(rest)) & set(unwanted)
    new = ask(client, user_id=user, exclude_purchased=True)
    assert not set(items(new)) & bought_by(runtime, user)


def test_only_what_is_in_stock(client: FlaskClient, runtime: Runtime) -> None:
    user = a_regular(runtime)
    stock = items(ask(client, user_id=user, k=40))[::-4]
    answer = ask(client, user_id=user, allow=stock)

    assert set(items(answer)) == set(stock)
    nothing = ask(client, user_id=user, allow=stock, exclude=stock)
    assert (nothing["predictions"], nothing["source"]) == ([], "live")
    assert ask(client, user_id=user, allow=[])["predictions"] == []


def test_unknown_items_are_named_and_passed_over(runtime: Runtime, client: FlaskClient) -> None:
    item = items(ask(client))[0]
    plain = ask(client, session=[item])
    answer = ask(client, session=[item, "nothing", "ünï ✓"], exclude=["gone", "nothing"])

    assert answer["unknown_items"] == ["nothing", "ünï ✓", "gone"]
    assert answer["predictions"] == plain["predictions"]
    only_unknown = ask(client, session=["nothing"])
    assert only_unknown["unknown_items"] == ["nothing"]
    assert only_unknown["predictions"] == ask(client)["predictions"]
    assert only_unknown["source"] == "default", "it names nothing that is known"
    user = a_regular(runtime)
    assert ask(client, user_id=user, exclude=["nothing"])["source"] == "published"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 101}, "k"),
        ({"k": "5"}, "k"),
        ({"session": "I0001"}, "session"),
        ({"session": [1]}, "session.0"),
        ({"session": ["x"] * 101}, "session"),
        ({"user_id": ""}, "user_id"),
        ({"user": "U1"}, "user"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(
    client: FlaskClient, body: dict[str, Any], field: str
) -> None:
    response = client.post(f"/v1/models/{MODEL}/predict", json=body)

    assert response.status_code == 400
    assert [fault["field"] for fault in response.get_json()["error"]["details"]["fields"]] == [
        field
    ]


def test_every_list_of_the_day_is_answered_bit_for_bit(
    runtime: Runtime, client: FlaskClient
) -> None:
    with connect(runtime.engine) as conn:
        rows = conn.execute(
            text(
                "SELECT user_id, rank, item_id, score, reason, because FROM score.recommendation "
                'ORDER BY user_id COLLATE "C", rank'
            )
        ).all()
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lists.setdefault(row.user_id, []).append(dict(row._mapping))
    assert len(lists) > 100
    for user, expected in lists.items():
        answer = ask(client, **({"user_id": user} if user else {}))
        assert answer["source"] == ("published" if user else "default")
        # A float32 is written as the shortest decimal that names it, on both ways alike.
        assert answer["predictions"] == expected


def test_a_model_without_a_publication_does_not_hold_up_the_others(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    checks = answer.get_json()["checks"]
    assert checks[MODEL] == "ok"
    assert checks["sales_forecast"] == "not_published"


def test_the_length_of_lists_is_an_option_that_a_day_keeps(runtime: Runtime) -> None:
    longer = Runtime(
        runtime.settings.model_copy(update={"model_options": {MODEL: {"listed": 25}}}),
        runtime.clock,
    )
    earlier = DAY - timedelta(days=1)
    try:
        assert score_day(MODEL, earlier, runtime=longer)["rows"] % 25 == 0
        # Once more without the option: the day keeps what it was built with.
        assert score_day(MODEL, earlier, runtime=runtime)["rows"] % 25 == 0
        with pytest.raises(InvalidRequest, match=r"listed is 0; it has to be .* from 1 to 100"):
            _scored_with(longer, {MODEL: {"listed": 0}})
        with pytest.raises(InvalidRequest, match="There is no option length here"):
            _scored_with(longer, {MODEL: {"length": 5}})
        with pytest.raises(ConfigError, match="options of recomendations, which is not a model"):
            _scored_with(longer, {"recomendations": {"listed": 5}})
    finally:
        longer.engine.dispose()


@pytest.fixture(scope="module")
def leaving_out(postgres: Any, shop: tuple[Runtime, Trained]) -> Iterator[Runtime]:
    """The same shop and version, whose lists leave out what a user so much as looked at."""
    runtime, trained = shop
    options = {MODEL: {"exclude_purchased": 1, "has_weight": 0.1}}
    with model_shop.filled(postgres) as name:
        changed = {
            "warehouse_url": SecretStr(postgres.url(name)),
            "registry_url": runtime.settings.registry_location,
            "model_options": options,
        }
        made = Runtime(runtime.settings.model_copy(update=changed), lambda: AFTERWARDS)
        score_with(made, trained)
        yield made
        made.engine.dispose()


def test_lists_can_leave_out_what_a_user_has(runtime: Runtime, leaving_out: Runtime) -> None:
    """Nightly and live, bit for bit; a look weighs 0.1, which is enough here."""
    lists = published_lists(leaving_out)
    assert lists.keys() == published_lists(runtime).keys()
    client = create_app(leaving_out, authenticator=Anybody()).test_client()
    lengths = set()
    for user, expected in lists.items():
        answer = ask(client, **({"user_id": user} if user else {}))
        assert answer["source"] == ("published" if user else "default")
        assert answer["predictions"] == expected
        had = had_by(leaving_out, user, 0.1)
        assert not had & set(items(answer))
        on_sale = items(ask(client, k=100))
        left = [item for item in on_sale if item not in had]
        assert len(expected) == min(20, len(left)), "the audit knows how many there are"
        lengths.add(len(expected))
    assert min(lengths) < 20 == max(lengths)


def test_a_request_may_ask_for_what_lists_leave_out(runtime: Runtime, leaving_out: Runtime) -> None:
    user = a_regular(runtime)
    client = create_app(leaving_out, authenticator=Anybody()).test_client()
    whole = ask(client, user_id=user, exclude_purchased=False)
    usual = ask(create_app(runtime, authenticator=Anybody()).test_client(), user_id=user)
    assert whole["source"] == "live"
    assert whole["predictions"] == usual["predictions"]
    assert ask(client, user_id=user, exclude_purchased=True)["source"] == "published"


def test_a_day_keeps_what_its_lists_leave_out(runtime: Runtime, leaving_out: Runtime) -> None:
    expected = published_lists(leaving_out)
    plain = Runtime(
        leaving_out.settings.model_copy(update={"model_options": {}}), leaving_out.clock
    )
    score_day(MODEL, DAY, runtime=plain)
    plain.engine.dispose()
    assert published_lists(leaving_out) == expected
    assert published_lists(runtime) != expected


def test_the_audit_misses_a_row_of_a_list_that_is_shorter(leaving_out: Runtime) -> None:
    """Of a list whose length is its own, as of any other."""
    model = get_model(MODEL)
    generation, rows = published_rows(leaving_out.engine, model, DAY)
    user = min(rows, key=lambda row: -row["rank"] if row["user_id"] else 0)["user_id"]
    for rule, statement in (
        ("do not have their own number", "DELETE FROM score.recommendation WHERE user_id = :user"),
        (
            "do not have their own number",
            "DELETE FROM score.recommendation WHERE user_id = :user AND rank = 1",
        ),
    ):
        with connect(leaving_out.engine) as conn:
            assert conn.execute(text(statement), {"user": user}).rowcount > 0
            with pytest.raises(AuditFailed, match=rule):
                audit_generation(conn, model, generation)
    with connect(leaving_out.engine) as conn:
        assert audit_generation(conn, model, generation) == len(rows)


def test_a_day_is_built_with_the_numbers_of_its_version(runtime: Runtime) -> None:
    """Whatever the operator set since: half-lives and windows belong to the version."""
    earlier = DAY - timedelta(days=5)
    numbers = {"short_half_life": 3.5, "long_half_life": 400}
    changed = runtime.settings.model_copy(update={"model_options": {MODEL: numbers}})
    other = Runtime(changed, runtime.clock)
    try:
        address = build_snapshot(
            run_address(run_key="one", run_type="manual", model=MODEL, business_date=earlier),
            runtime=other,
        )
    finally:
        other.engine.dispose()
    model = get_model(MODEL)
    with connect(runtime.engine) as conn:
        day = read_day(conn, model, address["snapshot_id"])
        assert DEFAULT.differing(day.context) == []
        as_of = AsOf(earlier, CUTOFF)
        foreign = write_snapshot(conn, model, as_of, CUTOFF, trained=numbers)
        again = write_snapshot(conn, model, as_of, CUTOFF, trained=numbers)
        assert foreign == again != address["snapshot_id"]
        day = read_day(conn, model, foreign)
    artifact = runtime.registry.load(MODEL, runtime.registry.versions(MODEL)[0]["version"])
    assert artifact.manifest["options"] == DEFAULT.to_json()
    with pytest.raises(NotReady, match="trained with another short_half_life"):
        model.scorer(artifact, day)
    manifest = artifact.manifest | {"options": DEFAULT.to_json() | numbers}
    model.scorer(replace(artifact, manifest=manifest), day)


def published_lists(runtime: Runtime) -> dict[str, list[dict[str, Any]]]:
    """User -> the rows of the day's list as an answer has them."""
    _, rows = published_rows(runtime.engine, get_model(MODEL), DAY)
    names = ("user_id", "rank", "item_id", "score", "reason", "because")
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lists.setdefault(row["user_id"], []).append({name: row[name] for name in names})
    return lists


def had_by(runtime: Runtime, user: str, weight: float) -> set[str]:
    """Items of which the user did anything of that weight, by the warehouse."""
    query = text(
        "SELECT DISTINCT item_id FROM raw.interaction WHERE user_id = :user AND weight >= :weight"
    )
    with connect(runtime.engine) as conn:
        return set(conn.scalars(query, {"user": user, "weight": weight}))


def _scored_with(runtime: Runtime, options: dict[str, dict[str, float]]) -> None:
    other = Runtime(runtime.settings.model_copy(update={"model_options": options}), runtime.clock)
    try:
        score_day(MODEL, DAY - timedelta(days=2), runtime=other)
    finally:
        other.engine.dispose()


def test_lists_are_asked_for_as_tensors(runtime: Runtime, client: FlaskClient) -> None:
    """By the Open Inference Protocol: a list a row, filled up with ''."""
    user = a_regular(runtime)
    basket = items(ask(client, user_id=user))[:2]
    alone = [ask(client, user_id=user, session=basket, k=3), ask(client, user_id="?", k=2)]
    inputs = [
        {"name": "user_id", "datatype": "BYTES", "shape": [2], "data": [user, "?"]},
        {"name": "session", "datatype": "BYTES", "shape": [2, 2], "data": [basket, ["", ""]]},
        {"name": "k", "datatype": "INT32", "shape": [2, 1], "data": [3, 2]},
    ]
    response = client.post(f"/v2/models/{MODEL}/infer", json={"inputs": inputs})
    assert response.status_code == 200, response.get_data(as_text=True)
    found = {one["name"]: one["data"] for one in response.get_json()["outputs"]}
    assert found["row"] == [0, 0, 0, 1, 1]
    assert found["source"] == ["live"] * 3 + ["default"] * 2
    predictions = [row for answer in alone for row in answer["predictions"]]
    for name in predictions[0]:
        assert found[name] == [row[name] for row in predictions]
    endless = {"name": "session", "datatype": "BYTES", "shape": [2**31 - 1, 0], "data": []}
    refused = client.post(f"/v2/models/{MODEL}/infer", json={"inputs": [endless]})
    assert refused.status_code == 400
    assert "session is wrong: its shape" in refused.get_json()["error"]
