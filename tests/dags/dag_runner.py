"""Executes DAGs by ``dag.test()`` in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass
class DagRunner:
    """Executes runs of the DAGs in one folder with an environment of its own."""

    folder: Path
    env: dict[str, str]

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
        """Results as tests/dags/run_dag.py writes them, and everything that was logged."""
        wanted, results = self.folder / "runs.json", self.folder / "results.json"
        wanted.write_text(json.dumps(runs))
        results.unlink(missing_ok=True)
        packages = [str(ROOT / "dags"), *filter(None, [self.env.get("PYTHONPATH")])]
        env |= {
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "PYTHONPATH": os.pathsep.join(packages),
        }
        done = self.python(str(HERE / "run_dag.py"), str(wanted), str(results), **env)
        loaded: list[dict[str, Any]] = json.loads(results.read_text())
        return loaded, done.stdout + done.stderr

    def daybreak(self, *arguments: str, **env: str) -> str:
        """Standard output of the command ``daybreak``."""
        return self.python(
            str(Path(sys.executable).with_name("daybreak")), *arguments, **env
        ).stdout

    def open_shop(self, business_date: str) -> None:
        """Load the synthetic shop and put a small champion in force."""
        self.python(str(ROOT / "tests" / "first_champion.py"), business_date)
