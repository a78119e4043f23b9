"""Who may do what in the warehouse, by really trying it with every table and every role."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from daybreak.errors import ConfigError
from daybreak.models import model_relations
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.warehouse import roles
from daybreak.warehouse.engine import begin, make_engine
from daybreak.warehouse.migrate import head_revision, migrate
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.tables import SCHEMAS
from model_cases import outside_installed

READER, SERVICE, WRITER = "daybreak_reader", "daybreak_service", "daybreak_writer"

# S(elect), I(nsert), U(pdate), D(elete): first what holds in a schema, then what differs.
ALLOWED = {
    READER: {"report": "S"},
    SERVICE: {"feature": "S", "score": "S"},
    WRITER: {"raw": "SI", "feature": "SID", "score": "SID", "ops": "SIUD", "report": "S"},
}
DIFFERS = {
    SERVICE: {
        "ops.api_key": "S",
        "ops.champion": "S",
        "ops.decision": "S",
        "ops.generation": "S",
        "ops.model_version": "S",
        "ops.price_moment": "S",
        "ops.price_rules": "S",
        "ops.published": "S",
        "ops.schema_version": "S",
        "ops.serving": "S",
        "ops.snapshot": "S",
        "ops.snapshot_upstream": "S",
        "ops.stream": "S",
        "ops.trial": "S",
        "ops.verdict": "S",
        "raw.event": "S",
        "raw.event_id": "S",
        "raw.label": "S",
    },
    WRITER: {
        "raw.calendar": "SIU",
        "ops.approval": "SI",
        "ops.asked_histogram": "SD",
        "ops.champion": "SI",
        "ops.drift_alarm": "SI",
        "ops.decision": "S",
        "ops.price_rules": "SI",
        "ops.price": "SI",
        "ops.price_moment": "S",
        "ops.price_reading": "SI",
        "ops.schema_version": "S",
        "raw.event": "S",
        "raw.event_id": "S",
        "raw.label": "S",
        "ops.serving": "SI",
        "ops.trial": "SI",
        "ops.verdict": "SI",
    },
}
REFUSED = {
    "42501",  # insufficient_privilege
    "55000",  # a view that takes no rows, whoever asks
}


@pytest.fixture
def everything(warehouse: Engine) -> Iterator[Engine]:
    """A warehouse with the tables of every model, one from outside the package included."""
    with outside_installed():
        migrate(warehouse, relations=model_relations())
        yield warehouse


@contextmanager
def as_role(engine: Engine, role: str) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execute(text(f"SET ROLE {role}"))
        connection.commit()
        yield connection
        connection.detach()  # not back to the pool: the next one has to be the owner again


def may(connection: Connection, statement: str) -> bool:
    """Whether the database lets it pass; a row without values may still break a constraint."""
    try:
        connection.execute(text(statement))
    except DBAPIError as error:
        return error.orig.sqlstate not in REFUSED  # type: ignore[union-attr]
    finally:
        connection.rollback()
    return True


def tried(connection: Connection, table: str, column: str) -> str:
    statements = {
        "S": f"SELECT 1 FROM {table} LIMIT 0",
        "I": f"INSERT INTO {table} DEFAULT VALUES",
        "U": f"UPDATE {table} SET {column} = DEFAULT WHERE false",
        "D": f"DELETE FROM {table} WHERE false",
    }
    return "".join(letter for letter, each in statements.items() if may(connection, each))


@pytest.mark.parametrize("role", [READER, SERVICE, WRITER])
def test_a_role_may_do_with_every_table_what_it_is_for(everything: Engine, role: str) -> None:
    inspector = inspect(everything)
    tables = {
        f"{schema}.{name}": inspector.get_columns(name, schema)[column]["name"]
        for schema in SCHEMAS
        # The first of a view may be an identity, which is refused before the rights are looked at.
        for column, names in (
            (0, inspector.get_table_names(schema)),
            (-1, inspector.get_view_names(schema)),
        )
        for name in names
    }
    assert {"feature.reorder_point", "score.reorder_point", "report.forecast"} <= set(tables)
    with as_role(everything, role) as connection:
        found = {table: tried(connection, table, column) for table, column in tables.items()}
    in_schema, differing = ALLOWED[role], DIFFERS.get(role, {})
    assert found == {
        table: differing.get(table, in_schema.get(table.split(".")[0], "")) for table in tables
    }


def test_what_was_asked_is_appended_by_its_function_alone(warehouse: Engine) -> None:
    append = text("SELECT ops.append_asked(1, now(), now(), 1, ARRAY['price'], ARRAY['x'::bytea])")
    for role, sqlstate in ((SERVICE, "23503"), (READER, "42501")):  # no such generation; refused
        with as_role(warehouse, role) as connection, pytest.raises(DBAPIError) as raised:
            connection.execute(append)
        assert raised.value.orig.sqlstate == sqlstate  # type: ignore[union-attr]


@pytest.mark.parametrize("role", [READER, SERVICE, WRITER])
def test_no_role_makes_or_changes_a_table(everything: Engine, role: str) -> None:
    with as_role(everything, role) as connection:
        for schema in (*SCHEMAS, "public"):
            assert not may(connection, f"CREATE TABLE {schema}.mine (n int)")
        for statement in (
            "ALTER TABLE score.sales_forecast ADD COLUMN mine int",
            "ALTER TABLE ops.champion DISABLE TRIGGER append_only",
            "DROP TABLE raw.sales",
            "TRUNCATE score.sales_forecast",
            "CREATE ROLE mine",
        ):
            assert not may(connection, statement), statement


def test_only_the_writer_makes_and_drops_months(everything: Engine) -> None:
    make, drop = (
        f"SELECT ops.{name}_partition('score', 'sales_forecast', '2026-12-31')"
        for name in ("create", "drop")
    )
    for role in (READER, SERVICE):
        with as_role(everything, role) as connection:
            assert not may(connection, make)
            assert not may(connection, drop)
    month = "SELECT relispartition FROM pg_class WHERE relname = 'sales_forecast_2026_12'"
    with as_role(everything, WRITER) as connection:
        connection.execute(text(make))
        assert connection.scalar(text(month)) is True
        connection.execute(text(drop))
        assert connection.scalar(text(month)) is None
        connection.execute(text(drop))  # what is gone already is no error


@pytest.mark.parametrize(
    ("schema", "table"),
    [("ops", "champion"), ("score", "nothing"), ("feature", "context"), ("raw", "sales")],
)
def test_months_are_made_of_partitioned_tables_only(
    everything: Engine, schema: str, table: str
) -> None:
    with as_role(everything, WRITER) as connection, pytest.raises(DBAPIError, match="partitioned"):
        connection.execute(
            text("SELECT ops.create_partition(:schema, :table, '2026-03-01')"),
            {"schema": schema, "table": table},
        )


def test_a_search_path_of_ones_own_changes_nothing(everything: Engine) -> None:
    """A function with the owner's rights must not find the caller's tables and functions."""
    with as_role(everything, WRITER) as connection:
        connection.execute(text("CREATE TEMP TABLE pg_class (n int)"))
        connection.execute(text("SET search_path = pg_temp, pg_catalog"))
        make = "SELECT ops.create_partition('score', 'sales_forecast', '2026-03-01')"
        connection.execute(text(make))
        owners = "SELECT pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE relname = :name"
        name = {"name": "sales_forecast_2026_03"}
        assert connection.scalars(text(owners), name).all() == ["postgres"]


def test_privileges_follow_later_tables_and_lose_what_is_too_much(warehouse: Engine) -> None:
    with begin(warehouse) as connection:
        for schema in ("raw", "feature", "score", "ops"):
            connection.execute(text(f"CREATE TABLE {schema}.later (n int)"))
        connection.execute(text(f"GRANT DELETE ON raw.sales TO {WRITER}"))
        connection.execute(text(f"REVOKE INSERT ON raw.sales FROM {WRITER}"))
        connection.execute(text(f"GRANT SELECT ON raw.sales TO {READER}"))
    for role, expected in (
        (WRITER, {"raw": "SI", "feature": "SID", "score": "SID", "ops": "SIUD"}),
        (SERVICE, {"raw": "", "feature": "S", "score": "S", "ops": ""}),
        (READER, {"raw": "", "feature": "", "score": "", "ops": ""}),
    ):
        with as_role(warehouse, role) as connection:
            found = {schema: tried(connection, f"{schema}.later", "n") for schema in expected}
        assert found == expected, role
    with as_role(warehouse, WRITER) as connection:
        assert tried(connection, "raw.sales", "units") == "SD"
    migrate(warehouse)
    with as_role(warehouse, WRITER) as connection:
        assert tried(connection, "raw.sales", "units") == "SI"
    with as_role(warehouse, READER) as connection:
        assert tried(connection, "raw.sales", "units") == ""


def test_an_owner_with_no_other_rights_migrates(postgres: Any) -> None:
    """As on a server that one does not administer: neither superuser nor CREATEROLE."""
    owner = f"owner_{uuid.uuid4().hex[:8]}"
    names = {"owner": sql.Identifier(owner)}
    postgres.execute(sql.SQL("CREATE ROLE {owner} LOGIN").format(**names))
    try:
        with postgres.database() as database:
            names["database"] = sql.Identifier(database)
            for statement in (
                "ALTER DATABASE {database} OWNER TO {owner}",
                "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
            ):
                postgres.execute(sql.SQL(statement).format(**names))
            engine = make_engine(postgres.url(database, owner))
            assert migrate(engine) == head_revision()
            engine.dispose()
            jobs = make_engine(postgres.url(database, WRITER))
            with begin(jobs) as connection:
                connection.execute(text("CREATE TEMP TABLE staged (n int)"))
                ensure_partition(connection, score_sales_forecast, date(2026, 3, 1))
                connection.execute(text("DELETE FROM score.sales_forecast"))
            jobs.dispose()
    finally:
        postgres.execute(sql.SQL("DROP ROLE {owner}").format(**names))


@pytest.fixture
def unknown_role(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The migration asks for one role that the server has not; roles are there for all tests."""
    name = f"daybreak_{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(roles, "ROLES", (name,))
    yield name
    postgres.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def test_who_may_not_create_roles_is_given_the_statements(
    warehouse_url: str, unknown_role: str
) -> None:
    engine = make_engine(warehouse_url.replace("://postgres@", f"://{WRITER}@"))
    with pytest.raises(ConfigError, match=f"no role {unknown_role}") as caught, begin(engine) as c:
        roles.create_roles(c)
    assert f"CREATE ROLE {unknown_role} NOLOGIN;" in caught.value.remedy
    engine.dispose()


def test_warehouses_of_one_server_make_the_roles_at_once(
    warehouse: Engine, unknown_role: str
) -> None:
    start = threading.Barrier(4)
    faults: list[BaseException] = []

    def create() -> None:
        start.wait()
        try:
            for _ in range(2):
                with begin(warehouse) as connection:
                    roles.create_roles(connection)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    with begin(warehouse) as connection:
        login = text("SELECT rolcanlogin FROM pg_roles WHERE rolname = :name")
        assert connection.scalars(login, {"name": unknown_role}).all() == [False]
