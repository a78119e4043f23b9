"""A missing database is created by a user who may, and named to one who may not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from daybreak.errors import ConfigError, WarehouseUnavailable
from daybreak.jobs.preparing import make_warehouse, migrate
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.databases import create_database
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import current_revision, head_revision


@pytest.fixture
def missing(postgres: Any) -> Iterator[str]:
    """URL of a database that is not there; dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.url(name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    postgres.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def new_user(postgres: Any) -> Iterator[Callable[..., str]]:
    """Makes users; ``new_user("CREATEDB")`` returns the name of one."""
    made = []

    def make(rights: str) -> str:
        name = f"user_{uuid.uuid4().hex[:12]}"
        create = sql.SQL("CREATE ROLE {} LOGIN " + rights)
        postgres.execute(create.format(sql.Identifier(name)))
        made.append(name)
        return name

    yield make
    for name in made:
        drop = sql.SQL("DROP OWNED BY {name}; DROP ROLE {name}")
        postgres.execute(drop.format(name=sql.Identifier(name)))


def as_user(url: str, user: str) -> str:
    return make_url(url).set(username=user).render_as_string(hide_password=False)


def test_it_is_made_once(missing: str) -> None:
    assert create_database(missing)
    assert not create_database(missing)


def test_one_who_may_create_databases_does(
    postgres: Any, missing: str, new_user: Callable[..., str]
) -> None:
    user = new_user("CREATEDB")
    assert create_database(as_user(missing, user))
    assert not create_database(as_user(missing, user))
    drop = sql.SQL("DROP DATABASE {}")
    postgres.execute(drop.format(sql.Identifier(make_url(missing).database or "")))


def test_one_who_may_not_learns_what_to_ask_for(missing: str, new_user: Callable[..., str]) -> None:
    user = new_user("NOCREATEDB")
    with pytest.raises(ConfigError, match=f"does not exist, and '{user}' may not") as caught:
        create_database(as_user(missing, user))
    assert f'CREATE DATABASE "{make_url(missing).database}" OWNER "{user}"' in caught.value.remedy


def test_a_server_that_is_away_is_no_missing_database() -> None:
    with pytest.raises(WarehouseUnavailable):
        create_database("postgresql+psycopg://me:hunter2@127.0.0.1:1/warehouse")


def test_one_that_refuses_the_user_is_left_alone(
    postgres: Any, missing: str, new_user: Callable[..., str]
) -> None:
    create_database(missing)
    name = sql.Identifier(make_url(missing).database or "")
    postgres.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
    with pytest.raises(WarehouseUnavailable, match="permission denied"):
        create_database(as_user(missing, new_user("CREATEDB")))


def test_a_new_warehouse_gets_its_tables_and_one_that_is_there_stays(
    missing: str, empty_url: str
) -> None:
    new, old = (Runtime(Settings(warehouse_url=url)) for url in (missing, empty_url))
    assert make_warehouse(new)
    assert not make_warehouse(old), "an upgrade is a command of its own"
    revisions = []
    for url in (missing, empty_url):
        engine = make_engine(url)
        revisions.append(current_revision(engine))
        engine.dispose()
    assert revisions == [head_revision(), None]
    assert migrate(old) == (None, head_revision())
