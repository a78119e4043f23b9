"""``python -m daybreak.platform.preload MODULE ARGUMENTS``: runs a module that forks.

Airflow's scheduler forks a process for each task, and each of those would import the same libraries
again: some 0.5 s of a processor, most of what a short task takes. Those are imported here, before
it forks. Modules of Daybreak and of models are not: a task runs the code that is on disk.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module

LIBRARIES = (
    "orjson",
    "psycopg",
    "pydantic_settings",
    "sqlalchemy.dialects.postgresql.psycopg",
    "statsd",
    "xgboost",  # with numpy and scipy, whose threads end before a fork and begin again after it
)
"""What the jobs of a nightly run and the shipped models import."""


def main() -> None:
    """Import the libraries, then become the module."""
    for name in LIBRARIES:
        import_module(name)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
