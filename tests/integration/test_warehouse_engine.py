from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, Table, func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from daybreak.errors import ConfigError, WarehouseUnavailable
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import item

DIE = text("SELECT pg_terminate_backend(pg_backend_pid())")


def count(engine: Engine, table: Table) -> int:
    with connect(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table))


def add(connection, name: str | None) -> None:
    connection.execute(item.insert().values(item_id=name, load_id=1, loaded_at=func.now()))


def test_sessions_speak_utc(warehouse: Engine) -> None:
    with connect(warehouse) as connection:
        assert connection.scalar(text("SHOW timezone")) == "UTC"
        assert connection.scalar(select(func.now())).utcoffset() == timedelta(0)
        assert connection.scalar(text("SHOW application_name")) == "daybreak"


def test_begin_commits_all_or_nothing(warehouse: Engine) -> None:
    with begin(warehouse) as connection:
        add(connection, "a")
    with pytest.raises(IntegrityError), begin(warehouse) as connection:  # noqa: PT012 - the order
        add(connection, "b")
        add(connection, None)
    with connect(warehouse) as connection:
        add(connection, "c")
    assert count(warehouse, item) == 1


@pytest.mark.parametrize("opened", [connect, begin])
@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql+psycopg://me:hunter2@127.0.0.1:1/shop",
        "postgresql+psycopg://me:hunter2@/shop?host=/nowhere",
    ],
)
def test_a_server_that_is_away_is_named_without_its_password(dsn: str, opened) -> None:
    engine = make_engine(dsn)
    with (
        pytest.raises(WarehouseUnavailable, match="'shop' does not answer") as caught,
        opened(engine),
    ):
        pass
    assert "daybreak up" in caught.value.remedy
    assert "hunter2" not in f"{caught.value}{caught.value.details}{caught.value.__cause__}"


def test_a_database_that_is_not_there_is_named(postgres) -> None:
    engine = make_engine(postgres.url("nothing_of_the_kind"))
    with pytest.raises(WarehouseUnavailable, match="nothing_of_the_kind"), connect(engine):
        pass
    engine.dispose()


@pytest.mark.parametrize("opened", [connect, begin])
def test_a_connection_that_breaks_says_so(warehouse: Engine, opened) -> None:
    with pytest.raises(WarehouseUnavailable), opened(warehouse) as connection:
        connection.execute(DIE)
    assert count(warehouse, item) == 0  # the pool recovers by itself


def test_a_connection_that_breaks_within_a_copy_says_so(warehouse: Engine) -> None:
    with begin(warehouse) as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER die BEFORE INSERT ON raw.item FOR EACH ROW "
            "EXECUTE FUNCTION public.die()"
        )
    columns = {
        "item_id": np.array(["a"], object),
        "load_id": np.array([1]),
        "loaded_at": np.array(["2026-01-01"], "M8[us]"),
    }
    with pytest.raises(WarehouseUnavailable), begin(warehouse) as connection:
        copy_in(connection, item, columns)
    assert count(warehouse, item) == 0


def test_a_refused_statement_stays_what_it_is(warehouse: Engine) -> None:
    with pytest.raises(ProgrammingError), begin(warehouse) as connection:
        connection.execute(text("SELECT nonsense"))
    with pytest.raises(IntegrityError), begin(warehouse) as connection:
        connection.execute(item.insert().values(item_id="a", load_id=1))


@pytest.mark.parametrize("dsn", ["nonsense:hunter2", "postgresql+psycopg://u:hunter2@h:port/db"])
def test_a_url_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_engine(dsn)
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}"
