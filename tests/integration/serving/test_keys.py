"""The life of an API key: made and shown once, used, revoked; its secret nowhere else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select
from typer.testing import CliRunner

from daybreak.cli.keys import app as keys_cli
from daybreak.errors import InvalidRequest, NotFound
from daybreak.runtime import Runtime, get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key, find_key, list_keys, revoke_key
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import api_key
from toy import TOY

NOW = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 2, tzinfo=UTC)


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


def test_a_known_key_outlives_its_warehouse_for_a_while_and_an_unknown_one_does_not(
    client: FlaskClient, runtime: Runtime, clock: Clock
) -> None:
    _, token = make_key(runtime.engine)
    _, never_used = make_key(runtime.engine)
    assert client.get("/v1/nothing", headers=bearer(token)).status_code == 404
    runtime.engine.dispose()
    runtime.__dict__["engine"] = make_engine("postgresql+psycopg://u@127.0.0.1:1/nowhere")
    clock.now += 60
    assert client.get("/v1/nothing", headers=bearer(token)).status_code == 404
    assert client.get("/v1/nothing", headers=bearer(never_used)).status_code == 503
    clock.now += 5
    assert client.get("/v1/nothing", headers=bearer(token)).status_code == 503


def test_guessing_fills_no_memory(runtime: Runtime, client: FlaskClient) -> None:
    keys = ApiKeys(runtime)
    guesser = create_app(runtime, authenticator=keys, models=[TOY]).test_client()
    for number in range(20):
        guesser.get("/v1/models", headers=bearer(f"dbk_{number:012x}_{'a' * 64}"))
    assert keys._known == {}


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
        }
        assert row.sha256 not in repr(find_key(conn, key_id))


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
        assert find_key(conn, shown.split("_")[1]) is not None

    (first, second) = json.loads(cli("list", "--json"))
    assert (first["name"], second["name"]) == ("till 7", "plain")
    table = cli("list")
    assert "till 7" in table
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
