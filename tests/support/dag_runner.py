"""Executes DAGs by ``dag.test()`` in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

STEPS = {
    "wait_for_inputs": 1,
    "plan_snapshot": 1,
    "read_shard": 2,  # twelve series, eight a shard
    "share_snapshot": 1,
    "build_shard": 2,
    "plan_shards": 1,
    "score_shard": 2,  # twelve series, eight a shard
    "audit": 1,
    "publish": 1,
    "record_sla": 1,
    "measure_drift": 1,
}
"""Task instances of a nightly run of the sales forecast in this shop, by task."""
ENDS = {"sweep": 1, "no_model_failed": 1}


def counted(result: dict[str, Any]) -> Counter[str]:
    """Task instances that succeeded, by task."""
    return Counter(task["task_id"] for task in result["tasks"] if task["state"] == "success")


@dataclass
class DagRunner:
    """Executes runs of the DAGs in one folder with an environment of its own."""

    folder: Path
    env: dict[str, str]
    _process: subprocess.Popen[bytes] | None = None

    def python(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env=self.env | env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def run(
        self, *runs: dict[str, Any], dags: Path = ROOT / "dags", **env: str
    ) -> tuple[list[dict[str, Any]], str]:
        """Results as tests/support/run_dag.py writes them, and everything that was logged.

        All runs share a process; what it was started with stays, but for ``DAYBREAK_…``.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        before = self._log.stat().st_size
        known = self.env | env
        chosen = {name: known[name] for name in known if name.startswith("DAYBREAK_")}
        request = {"dags": str(dags), "runs": runs, "env": chosen}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        logged = self._log.read_bytes()[before:].decode(errors="replace")
        if not answer:
            self.close()
            raise AssertionError(logged[-8000:])
        results: list[dict[str, Any]] = json.loads(answer)
        return results, logged

    def _start(self) -> subprocess.Popen[bytes]:
        packages = [str(ROOT / "dags"), *filter(None, [self.env.get("PYTHONPATH")])]
        env = self.env | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "PYTHONPATH": os.pathsep.join(packages),
        }
        command = [sys.executable, "-P", str(HERE / "run_dag.py")]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=env, cwd=self.folder, stdin=PIPE, stdout=PIPE, stderr=output
            )
        return self._process

    def close(self) -> None:
        """End the process of the runs."""
        if self._process is not None:
            self._process.communicate()
        self._process = None

    @property
    def _log(self) -> Path:
        return self.folder / "runs.log"

    def daybreak(self, *arguments: str, **env: str) -> str:
        """Standard output of the command ``daybreak``."""
        return self.python(
            str(Path(sys.executable).with_name("daybreak")), *arguments, **env
        ).stdout

    def open_shop(self, business_date: str) -> None:
        """Load the synthetic shop and put a small champion in force."""
        self.python(str(HERE / "first_champion.py"), business_date)
