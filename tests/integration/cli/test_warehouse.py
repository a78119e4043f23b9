import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner, Result

from daybreak import runtime
from daybreak.cli.warehouse import app
from daybreak.errors import PlatformError
from daybreak.ledger import generations
from daybreak.models import model_relations
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from daybreak.warehouse.migrate import head_revision

HEAD = head_revision()
OPENED = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command as a process would, on the warehouse that the environment names."""

    def run(url: str, *arguments: str) -> Result:
        monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", url)
        runtime.get_runtime.cache_clear()
        try:
            return CliRunner().invoke(app, arguments)
        finally:
            for made in (runtime.get_runtime(), runtime.get_runtime("migrations")):
                made.engine.dispose()
            runtime.get_runtime.cache_clear()

    return run


def test_migrate_says_from_where_to_where(run: Callable[..., Result], empty_url: str) -> None:
    assert f"revision   none, needed {HEAD}" in run(empty_url, "status").output
    assert run(empty_url, "status").exit_code == 1
    first = run(empty_url, "migrate", "--json")
    assert json.loads(first.stdout) == {"before": None, "revision": HEAD}
    again = run(empty_url, "migrate")
    assert again.output == f"The warehouse is at revision {HEAD}, as it was.\n"
    assert run(empty_url, "status").exit_code == 0


def test_migrate_says_so_in_words_too(run: Callable[..., Result], empty_url: str) -> None:
    assert run(empty_url, "migrate").output == (
        f"The warehouse went from revision none to {HEAD}.\n"
    )


def open_generation(warehouse: Engine) -> None:
    day = date(2026, 3, 1)
    with begin(warehouse) as conn:
        snapshot_id = conn.execute(
            insert(tables.snapshot)
            .values(
                model="sales_forecast", business_date=day, cutoff=OPENED, layout="", rows=0,
                sha256="", built_at=OPENED,
            )
            .returning(tables.snapshot.c.snapshot_id)
        ).scalar_one()  # fmt: skip
        generations.open_generation(
            conn, model="sales_forecast", business_date=day, run_key="r", run_type="scheduled",
            cutoff=OPENED, version="v", snapshot_id=snapshot_id, now=OPENED - timedelta(days=900),
        )  # fmt: skip


def test_status_shows_what_is_there(
    run: Callable[..., Result], warehouse_url: str, warehouse: Engine
) -> None:
    open_generation(warehouse)
    found = json.loads(run(warehouse_url, "status", "--json").stdout)
    assert (found["revision"], found["current"], found["problem"]) == (HEAD, True, None)
    assert found["generations"] == {"staging": 1}
    assert found["bytes"]["ops.generation"] > 0
    assert set(found["bytes"]) == {
        *tables.metadata.tables,
        *map(str, model_relations().tables),
        "ops.schema_version",
    }
    assert [row["model"] for row in found["freshness"]] == ["sales_forecast"]
    words = run(warehouse_url, "status").output
    assert "ops.generation" in words
    assert "sales_forecast: newest none, fresh none, closed through none" in words


def test_status_counts_the_bytes_of_partitions(
    run: Callable[..., Result], warehouse_url: str, warehouse: Engine
) -> None:
    def scores() -> int:
        found = json.loads(run(warehouse_url, "status", "--json").stdout)
        return found["bytes"]["score.sales_forecast"]

    before = scores()
    with warehouse.begin() as conn:
        conn.execute(
            text(
                "CREATE TABLE score.march PARTITION OF score.sales_forecast "
                "FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
            )
        )
    assert scores() > before


def test_sweep_rejects_what_was_abandoned(
    run: Callable[..., Result], warehouse_url: str, warehouse: Engine
) -> None:
    open_generation(warehouse)
    assert json.loads(run(warehouse_url, "sweep", "--json").stdout) == {"rows": 0}
    assert run(warehouse_url, "sweep").output == "0 rows deleted.\n"
    with begin(warehouse) as conn:
        assert conn.execute(text("SELECT state, reason FROM ops.generation")).all() == [
            ("rejected", "abandoned")
        ]


# --- the analysts' access --------------------------------------------------------------------


def test_url_has_a_readers_name_and_nobody_elses_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def url(*arguments: str) -> str:
        return CliRunner().invoke(app, ["url", *arguments]).stdout.strip()

    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    embedded = conninfo_to_dict(url())
    assert embedded["user"] == "daybreak_reader"
    assert embedded["dbname"] == "warehouse_synthetic"
    assert Path(embedded["host"]).is_relative_to("/tmp")
    monkeypatch.setenv(
        "DAYBREAK_WAREHOUSE_URL",
        "postgresql://boss:secret@db.example:5433/shop?password=secret&options=-c%20work_mem%3D1GB",
    )
    for arguments, user in (((), "daybreak_reader"), (("--user", "ann"), "ann")):
        assert "secret" not in url(*arguments)
        assert conninfo_to_dict(url(*arguments)) == {
            "user": user, "host": "db.example", "port": "5433", "dbname": "shop",
            "options": "-c work_mem=1GB",
        }  # fmt: skip


def test_psql_reads_reports_and_nothing_else(warehouse_url: str, postgres: Any) -> None:
    ann = sql.Identifier(f"ann_{uuid.uuid4().hex}")
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE daybreak_reader").format(ann))

    def psql(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("daybreak"), "warehouse", "psql",
             "--user", ann.as_string().strip('"'), *arguments],
            env={**os.environ, "DAYBREAK_WAREHOUSE_URL": warehouse_url},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    try:
        shown = psql("-X", "-At", "-c", "SELECT count(*), current_user FROM report.forecast")
        assert (shown.stdout, shown.returncode) == (f"0|{ann.as_string().strip(chr(34))}\n", 0)
        refused = psql("-X", "-c", "SELECT * FROM raw.sales")
        assert refused.returncode != 0
        assert "permission denied" in refused.stderr
    finally:
        postgres.execute(sql.SQL("DROP ROLE {}").format(ann))


def test_psql_says_that_the_embedded_warehouse_is_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    monkeypatch.delenv("DAYBREAK_WAREHOUSE_URL", raising=False)
    error = CliRunner().invoke(app, ["psql"]).exception
    assert isinstance(error, PlatformError)
    assert "daybreak up" in error.remedy


def test_columns_are_shown_and_written_into_a_page(
    run: Callable[..., Result], warehouse_url: str, tmp_path: Path
) -> None:
    views = json.loads(run(warehouse_url, "columns", "--json").stdout)
    assert {"name": "units", "type": "x"}.keys() < views["forecast"][0].keys()
    assert "| `p50` | real |" in run(warehouse_url, "columns").stdout
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- columns of report.forecast -->\n<!-- end of columns -->\nAfter\n")
    run(warehouse_url, "columns", "--page", str(page))
    assert "| `p50` | real |" in page.read_text()
    assert page.read_text().startswith("Before\n")


def test_prune_shows_what_would_go_and_takes_it(
    run: Callable[..., Result], warehouse_url: str, warehouse: Engine
) -> None:
    open_generation(warehouse)
    with begin(warehouse) as conn:
        conn.execute(
            text(
                "UPDATE ops.generation SET state = 'rolled_back', rows = 3, "
                "ended_at = '2026-01-01Z'"
            )
        )
    found = json.loads(run(warehouse_url, "prune", "--dry-run", "--json").stdout)
    day = {"model": "sales_forecast", "business_date": "2026-03-01"}
    assert found == {
        "generations": [{"id": 1, "rows": 3, **day}],
        "snapshots": [{"id": 1, "rows": 0, **day}],
        "versions": [],
        "days_of_events": [],
        "reports": [],
    }
    listed = "sales_forecast 2026-03-01: generation 1, 3 rows would go\n"
    assert listed in run(warehouse_url, "prune", "--dry-run").output
    assert run(warehouse_url, "prune").output.endswith(
        "1 generations, 1 snapshots, 0 versions gone; 0 rows of rejected generations deleted.\n"
    )
    assert json.loads(run(warehouse_url, "prune", "--json").stdout) == {
        "swept_rows": 0,
        "generations": [],
        "snapshots": [],
        "versions": [],
        "days_of_events": [],
        "reports": [],
    }
