"""A real warehouse and real metadata of Airflow, both in PostgreSQL, to execute DAGs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from dag_runner import DagRunner
from daybreak.warehouse.tables import WRITER_ROLE


@pytest.fixture(scope="module")
def dag_runner(
    postgres: Any, metadata_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagRunner]:
    """A warehouse that is migrated and empty, and Airflow's metadata, migrated."""
    folder = tmp_path_factory.mktemp("dag_runner")
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("DAYBREAK_", "AIRFLOW_"))
    }
    with (
        postgres.database("warehouse_template") as warehouse,
        postgres.database(metadata_template) as metadata,
    ):
        env = kept | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
                f"postgresql+psycopg2://postgres@/{metadata}?host={postgres.host}"
            ),
            "DAYBREAK_AIRFLOW_DATABASE_URL": postgres.url(metadata),
            "DAYBREAK_HOME": str(folder / "home"),
            "DAYBREAK_WAREHOUSE_URL": postgres.url(warehouse, WRITER_ROLE),
            "DAYBREAK_WAREHOUSE_OWNER_URL": postgres.url(warehouse),
            "DAYBREAK_DATASET": "synthetic",
            "DAYBREAK_SYNTHETIC_STORES": "2",
            "DAYBREAK_SYNTHETIC_ITEMS": "6",
            "DAYBREAK_SYNTHETIC_USERS": "50",
            "DAYBREAK_SYNTHETIC_BASKETS": "12",
            "DAYBREAK_SYNTHETIC_START": "2025-01-01",
            "DAYBREAK_SYNTHETIC_END": "2026-02-28",
            "DAYBREAK_PAYMENTS_CARDS": "20",  # of months that no test here looks at
            "DAYBREAK_ENTITIES_PER_SHARD": "8",
            "DAYBREAK_POLL_SECONDS": "0.2",
        }
        runner = DagRunner(folder, env)
        yield runner
        runner.close()
