"""Stops the tests' PostgreSQL and deletes its folder once the test run is over, however it ends.

Started by conftest.py with a pipe as standard input. The pipe closes when the run ends, even
when it is killed and no fixture can clean up any more.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path


def main(folder: Path) -> None:
    """Wait for the end of standard input, then leave nothing of ``folder`` behind."""
    sys.stdin.readline()  # a line at the end of the run, nothing where the run was killed
    lock_file = folder / "pg" / "postmaster.pid"
    # Twice, for a server that a worker was just starting when the run was killed.
    for _ in range(2):
        if lock_file.exists():
            # At once and with no last words to the disk: the data dies too.
            os.kill(int(lock_file.read_text().splitlines()[0]), signal.SIGQUIT)
            _wait_until_gone(lock_file)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_gone(lock_file: Path) -> None:
    patience = time.monotonic() + 20
    while lock_file.exists() and time.monotonic() < patience:
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
