"""Every DAG is executed, and one that fails on purpose says why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dag_runner import DagRunner

pytestmark = pytest.mark.slow

FAILING = Path(__file__).parent / "failing"


def counted(result: dict[str, Any]) -> Counter[str]:
    """Task instances that succeeded, by task."""
    return Counter(task["task_id"] for task in result["tasks"] if task["state"] == "success")


def test_a_day_that_nobody_closes_fails_at_the_limit_with_the_reason(
    dag_runner: DagRunner,
) -> None:
    run = {"dag_id": "inputs_late", "logical_date": "2026-03-05T00:00:00+00:00"}
    (result,), log = dag_runner.run(run, dags=FAILING, DAYBREAK_WAIT_LIMIT_MINUTES="0.01")
    assert result["state"] == "failed"
    (task,) = result["tasks"]
    assert (task["state"], task["tries"]) == ("failed", 1), "a second wait would not help"
    assert "Business day 2026-03-05 is not closed after a wait of" in log
    assert "run `daybreak ingest`" in log
