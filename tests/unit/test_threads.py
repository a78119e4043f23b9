"""Threads of OpenMP sleep while they wait, in every process that imports the package."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "used"), [(None, "passive"), ("active", "active")])
def test_threads_sleep_unless_the_operator_says_otherwise(given: str | None, used: str) -> None:
    env = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if given:
        env["OMP_WAIT_POLICY"] = given
    # Any module of the package imports the package itself first, and XGBoost after that.
    script = "import os, daybreak.models; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == used
