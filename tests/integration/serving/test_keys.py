"""The life of an API key: made and shown once, used, revoked; its secret nowhere else."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask import Request
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, select, text
from typer.testing import CliRunner

from daybreak.cli.keys import app as keys_cli
from daybreak.errors import Conflict, InvalidRequest, NotFound, Unauthenticated
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import (
    MOST_KEYS,
    create_key,
    expiry,
    keys_in_force,
    list_keys,
    revoke_key,
)
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import api_key
from toy import TOY, publish_day

NOW = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 2, tzinfo=UTC)
UNKNOWN = f"dbk_{'0' * 12}_{'0' * 64}"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=5, stale_seconds=60)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(runtime: Runtime, clock: Clock) -> FlaskClient:
    keys = ApiKeys(runtime, monotonic=clock)
    return create_app(runtime, authenticator=keys, models=[TOY]).test_client()


def make_key(engine: Engine, name: str = "shop") -> tuple[str, str]:
    with begin(engine) as conn:
        key = create_key(conn, name, NOW)
    return key.key_id, key.token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_key_opens_what_is_closed_by_either_header(client: FlaskClient, runtime: Runtime) -> None:
    _, token = make_key(runtime.engine)
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers=bearer(token)).status_code == 200
    assert client.get("/v1/models", headers={"X-API-Key": token}).status_code == 200


def test_what_is_not_a_key_opens_nothing(client: FlaskClient, runtime: Runtime) -> None:
    key_id, token = make_key(runtime.engine)
    other_id, _ = make_key(runtime.engine, "other")
    secret = token.rsplit("_", 1)[1]
    wrong = [
        "",
        "dbk",
        token[:-1],
        token + "0",
        token.upper(),
        f"dbk_{key_id}_{'0' * 64}",
        f"dbk_{other_id}_{secret}",
        f"dbk_{'0' * 12}_{secret}",
        f"dbk_{key_id}_{secret[:-1]}é",
    ]
    answers = {client.get("/v1/models", headers={"X-API-Key": token}).get_data() for token in wrong}
    assert len(answers) == 1, "no answer shows which half was right"
    assert json.loads(answers.pop())["error"]["code"] == "unauthenticated"
    for header in (f"Basic {token}", token, "Bearer", f"Bearer{token}"):
        response = client.get("/v1/models", headers={"Authorization": header})
        assert response.status_code == 401, header


def test_a_revoked_key_closes_within_the_refresh_time(
    client: FlaskClient, runtime: Runtime, clock: Clock
) -> None:
    key_id, token = make_key(runtime.engine)
    assert client.get("/v1/models", headers=bearer(token)).status_code == 200
    with begin(runtime.engine) as conn:
        revoke_key(conn, key_id, LATER)
    clock.now += 4.9
    assert client.get("/v1/models", headers=bearer(token)).status_code == 200, "held in memory"
    clock.now += 0.1
    assert client.get("/v1/models", headers=bearer(token)).status_code == 401


def test_a_new_key_opens_within_a_second(
    client: FlaskClient, runtime: Runtime, clock: Clock
) -> None:
    assert client.get("/v1/models", headers=bearer(UNKNOWN)).status_code == 401
    _, token = make_key(runtime.engine)
    clock.now += 0.9
    assert client.get("/v1/models", headers=bearer(token)).status_code == 401
    clock.now += 0.1
    assert client.get("/v1/models", headers=bearer(token)).status_code == 200


def test_keys_outlive_their_warehouse_for_a_while(
    client: FlaskClient, runtime: Runtime, clock: Clock
) -> None:
    _, token = make_key(runtime.engine)
    _, never_used = make_key(runtime.engine)
    assert client.get("/v1/nothing", headers=bearer(token)).status_code == 404
    runtime.engine.dispose()
    runtime.__dict__["engine"] = make_engine("postgresql+psycopg://u@127.0.0.1:1/nowhere")
    clock.now += 60
    assert client.get("/v1/nothing", headers=bearer(token)).status_code == 404
    assert client.get("/v1/nothing", headers=bearer(never_used)).status_code == 404
    assert client.get("/v1/nothing", headers=bearer(UNKNOWN)).status_code == 401
    clock.now += 5
    for each in (token, never_used, UNKNOWN):
        assert client.get("/v1/nothing", headers=bearer(each)).status_code == 503


def test_an_unknown_id_is_treated_like_a_known_one_with_a_wrong_secret(
    runtime: Runtime, clock: Clock
) -> None:
    """What is done is the same, call by call, so that it takes the same time."""
    key_id, _ = make_key(runtime.engine)
    revoked, _ = make_key(runtime.engine)
    with begin(runtime.engine) as conn:
        revoke_key(conn, revoked, NOW)
    keys, queries = ApiKeys(runtime, monotonic=clock), 0

    def count(*_: object) -> None:
        nonlocal queries
        queries += 1

    def refused(key_id: str) -> list[str]:
        """What is called to refuse it, in order."""
        called: list[str] = []

        def note(frame: FrameType, event: str, function: Any) -> None:
            if not frame.f_globals["__name__"].startswith("daybreak."):
                return
            if event == "call":
                called.append(frame.f_code.co_qualname)
            elif event == "c_call":
                called.append(function.__qualname__)

        environ = {"HTTP_X_API_KEY": f"dbk_{key_id}_{'a' * 64}"}
        sys.setprofile(note)
        try:
            keys.authenticate(Request(environ))
        except Unauthenticated:
            return called
        finally:
            sys.setprofile(None)
        raise AssertionError("it was let in")

    refused(key_id)
    event.listen(runtime.engine, "before_cursor_execute", count)
    known = refused(key_id)
    assert known.count("compare_digest") == 2
    for other in (revoked, "0" * 12, "0" * 11 + "1"):
        assert refused(other) == known
    assert queries == 0, "guessing asks the warehouse nothing"
    for guess in (key_id, "0" * 12):
        clock.now += 1
        queries = 0
        refused(guess)
        assert queries == 1, "but whether there is a new key, once a second"


def test_an_expired_key_is_refused_like_an_unknown_one(runtime: Runtime, clock: Clock) -> None:
    moment = NOW
    runtime.clock = lambda: moment
    client = create_app(
        runtime, authenticator=ApiKeys(runtime, monotonic=clock), models=[TOY]
    ).test_client()
    with begin(runtime.engine) as conn:
        token = create_key(conn, "trial", NOW, expires_at=LATER).token
    moment = LATER - timedelta(microseconds=1)
    assert client.get("/v1/models", headers=bearer(token)).status_code == 200
    moment = LATER
    unknown = client.get("/v1/models", headers=bearer(UNKNOWN))
    for _ in range(2):  # while it is still held, and when it is read no more
        expired = client.get("/v1/models", headers=bearer(token))
        assert (expired.status_code, expired.data) == (401, unknown.data)
        clock.now += 5


@pytest.mark.parametrize(
    ("scopes", "status"), [(["predict"], 200), (["admin"], 200), (["events", "explain"], 403)]
)
def test_a_key_opens_what_its_scopes_say(
    runtime: Runtime, client: FlaskClient, scopes: list[str], status: int
) -> None:
    with begin(runtime.engine) as conn:
        token = create_key(conn, "shop", NOW, scopes=scopes).token
    assert client.get("/v1/models", headers=bearer(token)).status_code == status


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["predict"], 403), (["explain"], 403), (["predict", "explain"], 200), (["admin"], 200)],
)
def test_an_explanation_needs_a_scope_of_its_own(
    runtime: Runtime, client: FlaskClient, scopes: list[str], status: int
) -> None:
    publish_day(runtime)
    with begin(runtime.engine) as conn:
        token = create_key(conn, "shop", NOW, scopes=scopes).token
    body = {"store": "S1", "item": "pear", "date": "2026-02-03"}
    for asked in (body, {"rows": [body]}):
        answer = client.post(
            "/v1/models/toy/predict?explain=true", json=asked, headers=bearer(token)
        )
        assert answer.status_code == status
        assert (b'"explanation"' in answer.data) == (status == 200)


def test_the_warehouse_holds_no_secret(runtime: Runtime) -> None:
    key_id, token = make_key(runtime.engine)
    secret = token.rsplit("_", 1)[1]
    assert len(bytes.fromhex(secret)) == 32
    with connect(runtime.engine) as conn:
        row = conn.execute(select(api_key)).one()
        assert secret not in str(row)
        assert row.key_id == key_id
        (listed,) = list_keys(conn)
        assert listed == {
            "key_id": key_id,
            "name": "shop",
            "created_at": NOW,
            "revoked_at": None,
            "scopes": ["predict", "explain"],
            "expires_at": None,
        }
        assert row.sha256 not in repr(keys_in_force(conn, NOW))


def test_secrets_stay_out_of_repr_and_logs(
    runtime: Runtime, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with begin(runtime.engine) as conn:
        key = create_key(conn, "shop", NOW)
    secret = key.token.rsplit("_", 1)[1]
    client.get("/v1/models", headers=bearer(key.token))
    client.get("/v1/models", headers=bearer(key.token[:-1] + "0"))
    assert secret[:-1] not in repr(key) + caplog.text


def test_revoking_twice_keeps_the_first_date(warehouse: Engine) -> None:
    key_id, token = make_key(warehouse)
    with begin(warehouse) as conn:
        revoke_key(conn, key_id, NOW)
        revoke_key(conn, key_id, LATER)
        assert list_keys(conn)[0]["revoked_at"] == NOW
        with pytest.raises(NotFound) as caught:
            revoke_key(conn, token, LATER)
    assert token not in json.dumps(caught.value.as_json()), "the key itself is never repeated"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "line\nbreak", "nul\x00"])
def test_a_name_that_says_nothing_is_refused(warehouse: Engine, name: str) -> None:
    with begin(warehouse) as conn:
        with pytest.raises(InvalidRequest):
            create_key(conn, name, NOW)
        assert conn.scalar(select(func.count()).select_from(api_key)) == 0


@pytest.mark.parametrize("scopes", [[], ["predict", "everything"], ["PREDICT"]])
def test_a_scope_that_is_not_known_is_refused(warehouse: Engine, scopes: list[str]) -> None:
    with begin(warehouse) as conn, pytest.raises(InvalidRequest, match="scopes") as caught:
        create_key(conn, "shop", NOW, scopes=scopes)
    assert "predict, explain, events, admin" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", datetime(2026, 5, 2, tzinfo=UTC)),
        ("1d", datetime(2026, 2, 2, tzinfo=UTC)),
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_days_from_now_or_a_date(text: str, moment: datetime) -> None:
    assert expiry(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "90", "0d", "-1d", "9" * 6 + "d", "tomorrow", "31.12.2026"])
def test_another_expiry_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        expiry(text, NOW)
    assert caught.value.details == {"field": "expires"}


def test_an_expiry_that_is_over_is_refused(warehouse: Engine) -> None:
    with begin(warehouse) as conn, pytest.raises(InvalidRequest, match="expired"):
        create_key(conn, "shop", NOW, expires_at=NOW)


def test_there_are_no_more_keys_than_workers_can_hold(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        conn.execute(
            text(
                "INSERT INTO ops.api_key (key_id, name, sha256, created_at) "
                "SELECT i, 'many', i, '2026-01-01Z' FROM generate_series(1, :n) AS i"
            ),
            {"n": MOST_KEYS},
        )
        with pytest.raises(Conflict, match="in force already"):
            create_key(conn, "one more", NOW)
        revoke_key(conn, "1", NOW)
        create_key(conn, "one more", NOW)


# The command line


@pytest.fixture
def cli(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    get_runtime.cache_clear()

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(keys_cli, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    yield run
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


def test_keys_are_made_listed_and_revoked_from_the_command_line(
    cli: Callable[..., str], warehouse: Engine
) -> None:
    assert cli("list", "--json") == "[]\n"
    made = json.loads(cli("create", "till 7", "--json"))
    assert made["key"].startswith(f"dbk_{made['key_id']}_")
    shown = cli("create", "plain")
    assert shown.count("\n") == 1, "standard output is the key alone, for $(…)"
    with connect(warehouse) as conn:
        assert shown.split("_")[1] in keys_in_force(conn, datetime.now(UTC))

    cli("create", "trial", "--scope", "events", "--scope", "predict", "--expires", "2100-01-01")
    (first, second, trial) = json.loads(cli("list", "--json"))
    assert (first["name"], second["name"]) == ("till 7", "plain")
    assert (first["scopes"], first["expires_at"]) == (["predict", "explain"], None)
    assert trial["scopes"] == ["predict", "events"]
    assert trial["expires_at"].startswith("2100-01-01T00:00")
    table = cli("list")
    assert "till 7" in table
    assert re.search(r"expires 2100-01-01 00:00 +predict,events +trial", table)
    assert made["key"].rsplit("_", 1)[1] not in table

    assert json.loads(cli("revoke", made["key_id"], "--json")) == {
        "key_id": made["key_id"],
        "revoked": True,
    }
    assert "is revoked" in cli("revoke", second["key_id"])
    assert "revoked 20" in cli("list")


def test_the_settings_never_show_the_warehouse_password() -> None:
    settings = Settings(warehouse_url="postgresql://u:swordfish@h/d")
    assert "swordfish" not in repr(settings) + str(settings)
