import traceback
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, Table, func, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from daybreak.errors import (
    ConfigError,
    DaybreakError,
    StorageFull,
    WarehouseOverloaded,
    WarehouseUnavailable,
)
from daybreak.warehouse.asking import MOST, Asking
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


def test_a_statement_that_takes_too_long_is_given_up_and_the_next_one_answered(
    warehouse: Engine,
) -> None:
    dsn = warehouse.url.render_as_string(hide_password=False)
    impatient = make_engine(dsn, within=0.3)
    try:
        with pytest.raises(WarehouseUnavailable, match="timeout"), connect(impatient) as connection:
            connection.execute(text("SELECT pg_sleep(60)"))
        with connect(impatient) as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    finally:
        impatient.dispose()


def test_where_those_who_asked_before_wait_for_the_warehouse_others_do_not(
    warehouse: Engine,
) -> None:
    asking = Asking(lambda: warehouse)
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(asking.connect())
        for _ in range(2):
            with pytest.raises(WarehouseUnavailable), asking.connect():
                pass
    for _ in range(MOST + 1):
        with asking.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


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


# --- a server that is short of something -----------------------------------------------------

SECRET = "4929-1234"
ONE_ITEM = {
    "item_id": np.array([SECRET], object),
    "load_id": np.array([1]),
    "loaded_at": np.array(["2026-01-01"], "M8[us]"),
}
Write = Callable[[Connection], Any]


def insert_one(connection: Connection) -> None:
    connection.execute(item.insert().values(item_id=SECRET, load_id=1, loaded_at=func.now()))


def copy_one(connection: Connection) -> None:
    copy_in(connection, item, ONE_ITEM)


def fail_with(warehouse: Engine, state: str, message: str) -> None:
    """Let every row that is written to ``raw.item`` meet an error of the server's."""
    with begin(warehouse) as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{state}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER fail BEFORE INSERT ON raw.item FOR EACH ROW "
            "EXECUTE FUNCTION public.fail()"
        )


@pytest.mark.parametrize(
    ("state", "message", "expected", "remedy"),
    [
        ("53100", "could not extend file: No space left on device", StorageFull, "Free space"),
        ("53100", "could not resize shared memory segment", StorageFull, "shm_size"),
        ("XX000", "could not write file: Disk quota exceeded", StorageFull, "Free space"),
        ("53200", "out of memory", WarehouseOverloaded, "memory"),
        ("53000", "insufficient resources", WarehouseOverloaded, "fewer tasks"),
        ("57P02", "terminating connection because of crash", WarehouseUnavailable, "daybreak up"),
    ],
)
def test_a_server_that_is_short_says_of_what_and_what_to_do(
    warehouse: Engine,
    state: str,
    message: str,
    expected: type[DaybreakError],
    remedy: str,
) -> None:
    fail_with(warehouse, state, message)
    for write in (insert_one, copy_one):
        with pytest.raises(DaybreakError) as caught, begin(warehouse) as connection:
            write(connection)
        assert type(caught.value) is expected
        assert message in caught.value.message
        assert remedy in caught.value.remedy
        shown = "".join(traceback.format_exception(caught.value))
        assert "INSERT" not in shown
        assert SECRET not in shown
    assert count(warehouse, item) == 0


def test_temporary_files_beyond_the_limit_of_the_server(warehouse: Engine) -> None:
    sort = "SELECT n FROM generate_series(1, 100000) AS n ORDER BY n::text"
    with pytest.raises(StorageFull, match="temp_file_limit") as caught, begin(warehouse) as c:
        c.exec_driver_sql(f"SET LOCAL temp_file_limit = 64; SET LOCAL work_mem = 64; {sort}")
    assert "Raise the limit" in caught.value.remedy


def test_a_server_without_a_connection_left(postgres: Any, warehouse_url: str) -> None:
    role = f"limited_{uuid.uuid4().hex[:8]}"
    name = sql.Identifier(role)
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 0").format(name))
    engine = make_engine(warehouse_url.replace("://postgres@", f"://{role}@"))
    try:
        with pytest.raises(WarehouseOverloaded, match="too many") as caught, connect(engine):
            pass
        assert "max_connections" in caught.value.remedy
    finally:
        postgres.execute(sql.SQL("DROP ROLE {}").format(name))


# --- errors show no values -------------------------------------------------------------------


def twice(connection: Connection) -> None:
    connection.execute(text("CREATE UNIQUE INDEX ON raw.item (item_id)"))
    insert_one(connection)
    insert_one(connection)


def copy_twice(connection: Connection) -> None:
    connection.execute(text("CREATE UNIQUE INDEX ON raw.item (item_id)"))
    copy_one(connection)
    copy_one(connection)


def with_a_null(connection: Connection) -> None:
    connection.execute(item.insert().values(item_id=SECRET, load_id=None, loaded_at=func.now()))


def copy_a_null(connection: Connection) -> None:
    copy_in(connection, item, ONE_ITEM | {"load_id": np.ma.masked_array([1], mask=[True])})


def cast(connection: Connection) -> None:
    connection.execute(text("SELECT CAST(:given AS integer)"), {"given": SECRET})


def copy_text(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor().copy("COPY raw.item (item_id, load_id) FROM STDIN") as copy:
        copy.write(f"x\t{SECRET}\n")


@pytest.mark.parametrize(
    ("write", "expected", "said"),
    [
        (twice, IntegrityError, "duplicate key"),
        (copy_twice, psycopg.IntegrityError, "duplicate key"),
        (with_a_null, IntegrityError, '"load_id"'),
        (copy_a_null, psycopg.IntegrityError, '"load_id"'),
        (cast, DataError, "invalid input syntax for type integer"),
        (copy_text, psycopg.DataError, "COPY item, line 1, column load_id"),
    ],
)
def test_an_error_of_sql_shows_no_value(
    warehouse: Engine, write: Write, expected: type[Exception], said: str
) -> None:
    with pytest.raises(expected) as caught, begin(warehouse) as connection:
        write(connection)
    shown = "".join(traceback.format_exception(caught.value))
    assert said in shown
    assert SECRET not in shown
    assert isinstance(caught.value, DBAPIError | psycopg.Error)
