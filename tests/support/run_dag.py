"""Run in a process of its own: execute DAG runs by ``dag.test()``, one after the other.

To import Airflow and to build its API costs more than most runs, so the process stays for the next
ones. It reads requests, a line of JSON each, {"dags", "runs", "env"}, and answers each with a line
of results; what is logged goes to standard error.
dags: the folder of the DAGs. env: the variables ``DAYBREAK_…`` of these runs.
runs: a list of {"dag_id", "logical_date": ISO text or null, "conf": {…}, "asset": name}. One with
"asset" is a run as the scheduler makes it of that asset's newest event, on which the DAG has to be
scheduled; ``dag.test()`` knows manual runs only.
results: for each {"state", "events", "tasks"}, of these {"task_id", "map_index", "state", "tries",
"shown"} each.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from airflow import settings
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.asset import AssetEvent, AssetModel
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType
from sqlalchemy import select

from daybreak.runtime import get_runtime

HERE = Path(__file__).parent


@contextmanager
def started_by(asset: str | None, dag: Any) -> Iterator[None]:
    """The run that ``dag.test()`` makes is one of this asset's newest event."""
    if asset is None:
        yield
        return
    assert asset in {one.name for one in dag.timetable.asset_condition.objects}
    make = SerializedDAG.create_dagrun

    def make_by_asset(self: Any, **given: Any) -> Any:
        of_asset = {"run_type": DagRunType.ASSET_TRIGGERED, "run_id": f"asset__{time.time()}"}
        made = make(self, **given | of_asset)
        newest = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        newest = newest.where(AssetModel.name == asset).order_by(AssetEvent.id.desc()).limit(1)
        made.consumed_asset_events.append(given["session"].scalars(newest).one())
        given["session"].flush()  # dag.test() expires what is not
        return made

    with mock.patch.object(SerializedDAG, "create_dagrun", make_by_asset):
        yield


def execute(dag: Any, run: dict[str, Any]) -> dict[str, Any]:
    dag.deadline = None  # apache/airflow#73428: dag.test() crashes on a deadline
    for task in dag.tasks:
        task.retry_delay = timedelta(0)  # dag.test() waits for a retry, which here are minutes
    moment = run.get("logical_date")
    with started_by(run.get("asset"), dag):
        result = dag.test(
            logical_date=datetime.fromisoformat(moment) if moment else None,
            run_conf=run.get("conf") or {},
        )
    with create_session() as session:
        events = session.scalars(
            select(AssetEvent)
            .where(AssetEvent.source_run_id == result.run_id)
            .order_by(AssetEvent.id)
        ).all()
        return {
            "state": str(result.state),
            "tasks": sorted(
                (
                    {
                        "task_id": task.task_id,
                        "map_index": task.map_index,
                        "state": str(task.state),
                        "tries": task.try_number,
                        "shown": task.rendered_map_index,
                    }
                    for task in result.get_task_instances(session=session)
                ),
                key=lambda task: (task["task_id"], task["map_index"]),
            ),
            "events": [event.extra for event in events],
        }


def parse(dag_id: str) -> Any:
    """The DAG from a fresh parse: dag.test() leaves a run's configuration in its params."""
    (bundle,) = DagBundlesManager().get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    assert bag.import_errors == {}, bag.import_errors
    return bag.dags[dag_id]


def choose(env: Mapping[str, str]) -> None:
    """Put the settings into the environment, and forget what was made of others."""
    for name in [name for name in os.environ if name.startswith("DAYBREAK_")]:
        del os.environ[name]
    os.environ.update(env)
    get_runtime.cache_clear()
    for name, module in [*sys.modules.items()]:  # what the DAG files have in common
        if Path(getattr(module, "__file__", None) or "").parent == HERE.parents[1] / "dags":
            del sys.modules[name]


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    DagBundlesManager().sync_bundles_to_db()
    for line in sys.stdin:
        request = json.loads(line)
        settings.DAGS_FOLDER = request["dags"]
        choose(request["env"])
        results = [execute(parse(run["dag_id"]), run) for run in request["runs"]]
        sys.stdout.flush()
        print(json.dumps(results), file=answers, flush=True)


if __name__ == "__main__":
    main()
