import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    REAL,
    Column,
    Connection,
    Engine,
    MetaData,
    Text,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

import daybreak
from daybreak.errors import ConfigError
from daybreak.models import model_relations
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.warehouse import reports
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import check_current, current_revision, head_revision, migrate
from daybreak.warehouse.migrations import VERSION_OPTIONS
from daybreak.warehouse.model_tables import ModelRelations, score_table, snapshot_table
from daybreak.warehouse.partitions import ensure_partition
from daybreak.warehouse.reports import report_views
from daybreak.warehouse.reports.view import View
from daybreak.warehouse.tables import READER_ROLE, SCHEMAS, metadata


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_url)
    yield engine
    engine.dispose()


@contextmanager
def as_reader(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execute(text(f"SET ROLE {READER_ROLE}"))
        yield connection


def test_migrations_give_what_the_tables_describe(warehouse: Engine) -> None:
    with warehouse.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                **VERSION_OPTIONS,
                "compare_server_default": True,
            },
        )
        described = MetaData()
        for table in (*metadata.tables.values(), *model_relations().tables):
            table.to_metadata(described)
        assert compare_metadata(context, described) == []


def test_check_constraints_are_those_of_the_tables(warehouse: Engine) -> None:
    """Alembic does not compare them."""
    inspector = inspect(warehouse)
    described = {
        (table.name, constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    found = {
        (table.name, constraint["name"])
        for table in metadata.tables.values()
        for constraint in inspector.get_check_constraints(table.name, table.schema)
    }
    assert found == described


def test_an_empty_database_becomes_current_and_stays_so(empty: Engine) -> None:
    assert current_revision(empty) is None
    with pytest.raises(ConfigError, match="revision none") as caught:
        check_current(empty)
    assert "daybreak warehouse migrate" in caught.value.remedy
    for _ in range(2):
        assert migrate(empty) == head_revision() == current_revision(empty)
        check_current(empty)


def test_processes_that_migrate_at_once_wait_for_one_another(empty: Engine) -> None:
    start = threading.Barrier(3)
    reached: list[str] = []

    def run() -> None:
        start.wait()
        reached.append(migrate(empty))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert reached == [head_revision()] * 3


def test_a_failed_migration_leaves_nothing_behind(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE SCHEMA raw CREATE TABLE sales (n int)"))
    with pytest.raises(DBAPIError, match="already exists"):
        migrate(empty)
    assert current_revision(empty) is None
    assert "ops" not in inspect(empty).get_schema_names()


def test_a_database_of_a_later_version_is_left_alone(warehouse: Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(text("UPDATE ops.schema_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"9999.*upgrade this one"):
        migrate(warehouse)
    with pytest.raises(ConfigError, match="revision 9999"):
        check_current(warehouse)


def test_interactions_of_the_first_revision_get_a_day_and_a_weight(empty: Engine) -> None:
    migrate(empty, "0001")
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO raw.interaction VALUES "
                "('2026-03-01 23:59:59.9Z', 'u', 'a', 'purchase', 2, 1.5, 7, '2026-03-02Z'), "
                "('2026-03-02 00:30+01', NULL, 'a', 'view', NULL, NULL, 7, '2026-03-02Z'), "
                "('2026-03-02Z', 'u', 'b', 'cart', NULL, NULL, 7, '2026-03-02Z'), "
                "('2026-03-03Z', 'u', 'c', 'liked', NULL, NULL, 7, '2026-03-02Z')"
            )
        )
    migrate(empty)
    with empty.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT business_date::text, kind, weight, basket_id, quantity, price, load_id "
                "FROM raw.interaction ORDER BY event_at, kind DESC"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("2026-03-01", "view", 0.1, None, None, None, 7),
        ("2026-03-01", "purchase", 1.0, None, 2.0, 1.5, 7),
        ("2026-03-02", "cart", 0.5, None, None, None, 7),
        ("2026-03-03", "liked", 1.0, None, None, None, 7),
    ]


def test_keys_from_before_they_had_scopes_open_what_they_opened(empty: Engine) -> None:
    migrate(empty, "0011")
    with empty.begin() as connection:
        connection.execute(text("INSERT INTO ops.api_key VALUES ('id', 'till', 'x', now(), NULL)"))
    migrate(empty)
    with empty.connect() as connection:
        row = connection.execute(text("SELECT scopes, expires_at FROM ops.api_key")).one()
        assert tuple(row) == (["predict", "explain"], None)
    with pytest.raises(DBAPIError, match="api_key_scopes"), empty.begin() as connection:
        connection.execute(text("UPDATE ops.api_key SET scopes = '{everything}'"))


def test_tables_of_outside_models_are_made_where_they_are_missing(warehouse: Engine) -> None:
    snapshots = snapshot_table("elsewhere", ("shop_id", "till"))
    scores = score_table(
        "elsewhere",
        [Column("shop_id", Text, primary_key=True, comment="which shop")],
        [Column("risk", REAL, nullable=False)],
    )
    models = ModelRelations((snapshots, scores, score_sales_forecast))
    check_current(warehouse)
    with pytest.raises(ConfigError, match=r"lacks feature\.elsewhere, score\.elsewhere") as caught:
        check_current(warehouse, models)
    assert "daybreak warehouse migrate" in caught.value.remedy
    migrate(warehouse, relations=models)
    with warehouse.begin() as connection:
        for table in (snapshots, scores):
            ensure_partition(connection, table, date(2026, 3, 1))
        connection.execute(
            insert(scores).values(
                business_date=date(2026, 3, 1), generation_id=1, shop_id="s", shard=0, risk=0.5
            )
        )
    migrate(warehouse, relations=models)
    check_current(warehouse, models)
    with warehouse.connect() as connection:
        assert connection.scalars(select(scores.c.risk)).all() == [0.5]
        inspector = inspect(connection)
        for table in (snapshots, scores):
            key = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
            assert key == [column.name for column in table.primary_key]
        comments = {c["name"]: c["comment"] for c in inspector.get_columns("elsewhere", "score")}
        assert comments["shop_id"] == "which shop"


def test_changed_report_views_are_replaced(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (history,) = (view for view in reports.AFTER if view.name == "model_history")
    others = [view for view in reports.AFTER if view is not history]
    text_of_it = history.definition.replace("version.model,", "version.model, 7 AS lucky,")
    changed = replace(history, definition=text_of_it)
    monkeypatch.setattr(reports, "AFTER", (*others, changed))
    with pytest.raises(ConfigError, match="report views"):
        check_current(warehouse)
    migrate(warehouse, relations=model_relations())
    check_current(warehouse, model_relations())
    with as_reader(warehouse) as connection:
        assert connection.execute(text("SELECT lucky FROM report.model_history")).all() == []


def test_every_sql_file_is_a_view(warehouse: Engine) -> None:
    views = {view.name for view in report_views(model_relations().views)}
    stems = {file.stem for file in Path(daybreak.__file__).parent.rglob("*.sql")}
    assert stems == views == set(inspect(warehouse).get_view_names("report"))


def test_views_of_a_model_that_is_gone_go_with_the_next_change(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = model_relations().views[:4]
    alone = ModelRelations(model_relations().tables, kept)
    check_current(warehouse, alone)
    extra = View("luck", "CREATE VIEW report.luck AS SELECT 7 AS lucky")
    migrate(warehouse, relations=ModelRelations(alone.tables, (*kept, extra)))
    found = set(inspect(warehouse).get_view_names("report"))
    assert found == {view.name for view in report_views((*kept, extra))}
    with pytest.raises(ConfigError, match="report views"):
        check_current(warehouse, model_relations())
    migrate(warehouse, relations=model_relations())
    check_current(warehouse, model_relations())
    assert "luck" not in inspect(warehouse).get_view_names("report")


# --- what the database refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ops.champion SET reason = 'other'",
        "DELETE FROM ops.champion",
        "TRUNCATE ops.champion",
    ],
)
def test_the_champion_ledger_is_append_only(warehouse: Engine, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"ops\.champion is append-only"),
        warehouse.begin() as connection,
    ):
        connection.execute(text(statement))


def test_the_reader_reads_every_view_and_no_table(warehouse: Engine) -> None:
    inspector = inspect(warehouse)
    tables = [f"{s}.{t}" for s in SCHEMAS for t in inspector.get_table_names(s)]
    views = [f"report.{view}" for view in inspector.get_view_names("report")]
    assert len(tables) > 15
    with as_reader(warehouse) as connection:
        for view in views:
            connection.execute(text(f"SELECT * FROM {view}"))
        for table in tables:
            with connection.begin_nested() as savepoint:
                with pytest.raises(DBAPIError, match="permission denied for schema"):
                    connection.execute(text(f"SELECT * FROM {table}"))
                savepoint.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW report.mine AS SELECT 1",
        "CREATE TABLE public.mine (n int)",
        "DELETE FROM report.forecast",
        "INSERT INTO report.freshness (model) VALUES ('m')",
    ],
)
def test_the_reader_changes_nothing(warehouse: Engine, statement: str) -> None:
    refused = pytest.raises(DBAPIError, match=r"permission denied|not automatically updatable")
    with as_reader(warehouse) as connection, refused:
        connection.execute(text(statement))


def test_the_reader_cannot_log_in_and_sees_views_to_come(warehouse: Engine) -> None:
    with warehouse.begin() as connection:
        login = connection.scalar(
            text("SELECT rolcanlogin FROM pg_roles WHERE rolname = :name"), {"name": READER_ROLE}
        )
        assert login is False
        connection.execute(text("CREATE VIEW report.later AS SELECT 1 AS n"))
    with as_reader(warehouse) as connection:
        assert connection.scalar(text("SELECT n FROM report.later")) == 1
