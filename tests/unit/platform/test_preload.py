"""What a task of the scheduler finds imported when it begins: libraries, no module of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from daybreak.platform import components

pytestmark = pytest.mark.slow  # starts processes

FORKING = """
import json, sys
before = {*sys.modules}
from daybreak.jobs import publishing, scoring, snapshots, waiting
from daybreak.models import get_model, model_names
from daybreak.scoring.engines import opening, predictor
for name in model_names():
    get_model(name)
json.dump({"argv": sys.argv, "before": [*before], "after": [*{*sys.modules} - before]}, sys.stdout)
"""
OF_AIRFLOW = {"pydantic", "yaml"}
"""The scheduler has them by itself."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a module sees that was started as the scheduler is."""
    folder = tmp_path_factory.mktemp("forking")
    (folder / "forking.py").write_text(FORKING)
    command = (sys.executable, "-m", "daybreak.platform.preload", "forking", "--port", "1")
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def packages(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules if not name.startswith("_")}


def test_a_task_imports_no_library_that_its_scheduler_has_not(found: dict[str, Any]) -> None:
    assert packages(found["after"]) - sys.stdlib_module_names - OF_AIRFLOW == {"daybreak"}


def test_a_task_runs_the_code_that_is_on_disk(found: dict[str, Any]) -> None:
    ours = {name for name in found["before"] if name.partition(".")[0] == "daybreak"}
    assert ours == {"daybreak", "daybreak.platform"}


def test_the_module_gets_its_arguments_and_the_scheduler_is_one(found: dict[str, Any]) -> None:
    assert found["argv"][1:] == ["--port", "1"]
    argv = {one.name: one.argv for one in components.airflow_components({}, "127.0.0.1", 80)}
    loader = components.python("daybreak.platform.preload", "airflow")
    assert argv[components.SCHEDULER] == (*loader, "scheduler", "--skip-serve-logs")
