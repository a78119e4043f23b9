"""Who may do what in the warehouse: three roles, and what each is granted.

``daybreak_writer`` runs the jobs, ``daybreak_service`` answers predictions, ``daybreak_reader``
reads reports. They belong to the whole server and hold privileges only: people and processes log
in as a member of one, or an administrator gives the role itself a password. The migrating user owns
the tables, and nothing else works as the owner: a month of scores is made and dropped by functions
that run with the owner's rights (revision 0005).

Like the report views, privileges are no part of the migrations' history: they are put in place
after the last revision, for every table there is, those of outside models included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from daybreak.errors import ConfigError
from daybreak.warehouse.tables import READER_ROLE, SCHEMAS, SERVICE_ROLE, WRITER_ROLE

ROLES = (READER_ROLE, SERVICE_ROLE, WRITER_ROLE)

_READ = frozenset({"SELECT"})
_APPEND = _READ | {"INSERT"}
_REPLACE = _APPEND | {"DELETE"}
_WRITE = _REPLACE | {"UPDATE"}
_NOTHING = frozenset[str]()

_IN_SCHEMA: dict[str, dict[str, frozenset[str]]] = {
    WRITER_ROLE: {
        "raw": _APPEND,
        "feature": _REPLACE,
        "score": _REPLACE,
        "ops": _WRITE,
        "report": _READ,
    },
    # Scores, because a model that only answers requests may stand on what another published.
    SERVICE_ROLE: {"raw": _NOTHING, "feature": _READ, "score": _READ, "ops": _NOTHING},
    READER_ROLE: {"report": _READ},
}
"""What a role may do with the tables of a schema, and with those that will be made in it."""

_ON_TABLE: dict[str, dict[str, frozenset[str]]] = {
    WRITER_ROLE: {
        "raw.calendar": _APPEND | {"UPDATE"},
        "ops.approval": _APPEND,
        "ops.asked_histogram": _READ | {"DELETE"},  # appended to by a function (revision 0026)
        "ops.champion": _APPEND,
        "ops.drift_alarm": _APPEND,
        "ops.price_rules": _APPEND,
        "ops.price": _APPEND,
        "ops.price_moment": _READ,  # appended to by a function alone (revision 0020)
        "ops.price_reading": _APPEND,
        "ops.serving": _APPEND,
        "ops.trial": _APPEND,
        "ops.verdict": _APPEND,
        "ops.schema_version": _READ,
        # Entries of a stream are appended by functions alone (revisions 0014, 0015).
        "raw.event": _READ,
        "raw.event_id": _READ,
        "raw.label": _READ,
        "ops.decision": _READ,
    },
    SERVICE_ROLE: dict.fromkeys(
        (
            "ops.api_key",
            "ops.champion",
            "ops.decision",
            "ops.generation",
            "ops.model_version",
            "ops.price_moment",
            "ops.price_rules",
            "ops.published",
            "ops.schema_version",
            "ops.serving",
            "ops.snapshot",
            "ops.snapshot_upstream",
            "ops.stream",
            "ops.trial",
            "ops.verdict",
            "raw.event",
            "raw.event_id",
            "raw.label",
        ),
        _READ,
    ),
}
"""Where a table differs from its schema."""

_ON_DATABASE = {
    WRITER_ROLE: ("CONNECT", "TEMPORARY"),  # loads go through temporary tables
    SERVICE_ROLE: ("CONNECT",),
    READER_ROLE: ("CONNECT",),
}

_TABLES = text(
    """
    SELECT namespace.nspname AS schema, relation.relname AS name,
        array(
            SELECT role.rolname || ' ' || privilege.privilege_type
            FROM aclexplode(relation.relacl) AS privilege
            JOIN pg_roles AS role ON role.oid = privilege.grantee
        ) AS granted
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname = ANY (:schemas)
        AND relation.relkind IN ('r', 'p', 'v', 'm')
        AND NOT relation.relispartition  -- partitions are reached through their table
    ORDER BY schema, name
    """
)


def create_roles(connection: Connection) -> None:
    """Make the roles that are missing, without a login.

    A role belongs to the whole server, so the migration of another database may have made it, or
    be making it now (advisory locks do not reach across databases). Only this needs CREATEROLE:
    raises ``ConfigError`` with the statements for an administrator where it is not there.
    """
    there = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    missing = [role for role in ROLES if role not in there]
    for role in missing:
        try:
            with connection.begin_nested():
                _run(
                    connection,
                    "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
                    "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
                    role=sql.Identifier(role),
                )
        except DBAPIError as error:
            if not isinstance(error.orig, InsufficientPrivilege):
                raise
            statements = " ".join(f"CREATE ROLE {role} NOLOGIN;" for role in missing)
            raise ConfigError(
                f"The server has no role {', '.join(missing)}, and this user may not create roles.",
                remedy=f"Let an administrator run `{statements}` once, then migrate again.",
                roles=missing,
            ) from None


def apply_privileges(connection: Connection) -> None:
    """Grant what is missing and take back what is too much, in the caller's transaction.

    Also for tables that the same user makes later. What is right already is left alone: readers
    notice nothing.
    """
    for role, schemas in _IN_SCHEMA.items():
        for schema, privileges in schemas.items():
            _use_schema(connection, role, schema)
            if privileges:
                _run(
                    connection,
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {privileges} ON TABLES TO "
                    "{role}",
                    schema=sql.Identifier(schema),
                    role=sql.Identifier(role),
                    privileges=_listed(privileges),
                )
    for table in connection.execute(_TABLES, {"schemas": list(SCHEMAS)}).all():
        for role, wanted, there in _compared(table):
            names: dict[str, sql.Composable] = {
                "table": sql.Identifier(table.schema, table.name),
                "role": sql.Identifier(role),
            }
            if missing := wanted - there:
                grant = "GRANT {privileges} ON {table} TO {role}"
                _run(connection, grant, privileges=_listed(missing), **names)
            if surplus := there - wanted:
                revoke = "REVOKE {privileges} ON {table} FROM {role}"
                _run(connection, revoke, privileges=_listed(surplus), **names)
    _let_connect(connection)


def _compared(table: Any) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """A role, what it should be allowed on the table, and what it is."""
    for role in ROLES:
        in_schema = _IN_SCHEMA[role].get(table.schema, _NOTHING)
        wanted = _ON_TABLE.get(role, {}).get(f"{table.schema}.{table.name}", in_schema)
        granted = (one.split(" ", 1) for one in table.granted)
        yield role, wanted, frozenset(privilege for name, privilege in granted if name == role)


def _use_schema(connection: Connection, role: str, schema: str) -> None:
    asked = {"role": role, "schema": schema}
    if not connection.scalar(text("SELECT has_schema_privilege(:role, :schema, 'USAGE')"), asked):
        _run(
            connection,
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            schema=sql.Identifier(schema),
            role=sql.Identifier(role),
        )


def _let_connect(connection: Connection) -> None:
    """Where everybody may connect there is nothing to do; else only the owner can do it."""
    database = connection.scalar(
        text(
            "SELECT datname FROM pg_database WHERE datname = current_database()"
            " AND pg_has_role(datdba, 'USAGE')"
        )
    )
    for role, privileges in _ON_DATABASE.items() if database else ():
        for privilege in privileges:
            asked = {"role": role, "database": database, "privilege": privilege}
            held = text("SELECT has_database_privilege(:role, :database, :privilege)")
            if not connection.scalar(held, asked):
                _run(
                    connection,
                    "GRANT {privileges} ON DATABASE {database} TO {role}",
                    privileges=sql.SQL(privilege),
                    database=sql.Identifier(str(database)),
                    role=sql.Identifier(role),
                )


def _listed(privileges: frozenset[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.SQL, sorted(privileges)))


def _run(connection: Connection, statement: str, **names: sql.Composable) -> None:
    composed = sql.SQL(statement).format(**names)
    connection.exec_driver_sql(composed.as_string(), execution_options={"no_parameters": True})
