"""A platform of its own for a test, driven by the real command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from coverage import Coverage

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


SMALL_SHOP = {
    "DAYBREAK_SYNTHETIC_STORES": "2",
    "DAYBREAK_SYNTHETIC_ITEMS": "25",
    "DAYBREAK_SYNTHETIC_USERS": "200",
    "DAYBREAK_SYNTHETIC_BASKETS": "20",
}


@dataclass
class Installation:
    """``daybreak`` with a state folder of its own and any free ports."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DAYBREAK_", "AIRFLOW_"))
        }
        self.env = {
            **kept,
            "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
            "DAYBREAK_HOME": str(self.home),
            "DAYBREAK_API_PORT": "0",
            "DAYBREAK_AIRFLOW_PORT": "0",
            **self.env,
        }

    def run(
        self, *arguments: str, timeout: float = 900, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``daybreak`` and return what it printed; the caller looks at the exit code.

        Coverage is measured of the command alone where it is measured at all: in the processes
        that it starts it would cost half of the time of a run, and find nothing new.
        """
        command = [str(BIN / "daybreak"), *arguments]
        if Coverage.current() is not None:
            command = [sys.executable, "-m", "coverage", "run", *command]
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *arguments: str, timeout: float = 900, **env: str) -> str:
        """Run ``daybreak``, fail where it does, and return its standard output."""
        result = self.run(*arguments, timeout=timeout, **env)
        assert result.returncode == 0, f"{arguments}: {result.stdout}\n{result.stderr}"
        return result.stdout

    def processes(self) -> list[psutil.Process]:
        """All processes that have this state folder in their environment or command line."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = [*process.cmdline(), *process.environ().values()]
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if any(str(self.home) in word for word in words):
                found.append(process)
        return found


@contextmanager
def new_installation() -> Iterator[Installation]:
    """An installation that is not started; whatever runs of it at the end is stopped.

    Its folder is not pytest's: that is closed to the system user as whom PostgreSQL runs under
    root, and every run of pytest closes it again.
    """
    with tempfile.TemporaryDirectory(prefix="dbk-e2e-", dir="/tmp") as folder:
        made = Installation(Path(folder) / "home")
        try:
            yield made
        finally:
            made.must("down")
        assert made.processes() == []
