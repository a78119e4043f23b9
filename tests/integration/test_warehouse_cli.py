import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner, Result

from daybreak import runtime
from daybreak.cli.warehouse import app
from daybreak.warehouse import generations, tables
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
    assert set(found["bytes"]) == {*tables.metadata.tables, "ops.schema_version"}
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
