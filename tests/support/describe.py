"""Run in a fresh process: parse every DAG file, write what that imported and what it found.

usage: python describe.py DAGS_FOLDER REPORT.json
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import airflow.sdk
from airflow.sdk import DAG, Asset, AssetAny, RetryAction, XComArg
from airflow.sdk.definitions._internal.contextmanager import DagContext

from daybreak import errors

ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DaybreakError)
]


HEAVY = ("pandas", "numpy", "xgboost", "sqlalchemy", "boto3", "pyarrow", "scipy", "psycopg")
HEAVY_OF_OURS = ("daybreak.sources.sections", "daybreak.sources.contract.spec", "daybreak.runtime")


def heavy_modules() -> set[str]:
    return {
        name
        for name in sys.modules
        if name.split(".")[0] in HEAVY or name.startswith(HEAVY_OF_OURS)
    }


def gives_up(task: Any, error: Exception) -> bool:
    """Whether a first failure with this error is the last try of the task."""
    decision = task.retry_policy.evaluate(error, try_number=1, max_tries=task.retries)
    return decision.action is RetryAction.FAIL


def options(task: Any) -> dict[str, Any]:
    """What a mapped task was made with; an unmapped one has it as attributes."""
    return task.partial_kwargs if task.is_mapped else {}


def given(task: Any) -> Any:
    """The arguments of a task, results of other tasks among them."""
    if task.is_mapped:
        return [task.partial_kwargs["op_kwargs"], task.op_kwargs_expand_input.value]
    return task


def describe_task(task: Any) -> dict[str, Any]:
    return {
        "owner": task.owner,
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "backoff": bool(task.retry_exponential_backoff),
        "gives_up_on": sorted(kind.__name__ for kind in ERRORS if gives_up(task, kind("so"))),
        "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "mode": getattr(task, "mode", None),
        "mapped": task.is_mapped,
        "doc": task.doc_md or "",
        "rule": task.trigger_rule.value,
        "upstream": sorted(task.upstream_task_ids),
        "outlets": [asset.uri for asset in task.outlets if isinstance(asset, Asset)],
        "assets": [
            [asset.name, asset.group, asset.extra]
            for asset in task.outlets
            if isinstance(asset, Asset)  # an alias says nothing of what it will stand for
        ],
        "pushes": options(task).get("do_xcom_push", task.is_mapped or task.do_xcom_push),
        "takes": sorted(
            {source.task_id for source, _ in XComArg.iter_xcom_references(given(task))}
        ),
    }


def schedule_of(timetable: Any) -> str:
    """What the UI shows; Airflow's light timetables know their expression only."""
    if condition := getattr(timetable, "asset_condition", None):
        assets = sorted(asset.name for asset in condition.objects)
        word = " or " if isinstance(condition, AssetAny) else " and "
        return f"{word.join(assets)}, {schedule_of(timetable.timetable)}"
    return str(getattr(timetable, "summary", getattr(timetable, "expression", None)))


def describe_dag(dag: DAG) -> dict[str, Any]:
    return {
        "file": Path(dag.fileloc).name,
        "doc": dag.doc_md or "",
        "description": dag.description or "",
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "start_date": dag.start_date.isoformat(),
        "max_active_runs": dag.max_active_runs,
        "schedule": schedule_of(dag.timetable),
        "timezone": getattr(getattr(dag.timetable, "_timezone", None), "name", ""),
        "deadlines": [
            [alert.name, alert.interval.total_seconds(), alert.callback.path, alert.callback.kwargs]
            for alert in (dag.deadline if isinstance(dag.deadline, list) else [dag.deadline])
            if alert is not None
        ],
        "params": {name: param.schema for name, param in dag.params._ParamsDict__dict.items()},
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def main(folder: Path) -> dict[str, Any]:
    for name in airflow.sdk.__all__:  # its members load lazily; they are Airflow's weight, not ours
        getattr(airflow.sdk, name, None)
    before = heavy_modules()
    begun = time.perf_counter()
    # Airflow itself puts both on the path.
    sys.path[:0] = [str(folder), str(folder.parent / "plugins")]
    dags = {}
    for path in sorted(folder.glob("*.py")):
        # As the DAG processor does: a DAG that is called for its effect registers itself.
        DagContext.current_autoregister_module_name = path.stem
        importlib.import_module(path.stem)
        dags |= {dag.dag_id: describe_dag(dag) for dag, _ in DagContext.autoregistered_dags}
    return {
        "seconds": time.perf_counter() - begun,
        "added": sorted(heavy_modules() - before),
        "dags": dags,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(Path(sys.argv[1]))))
