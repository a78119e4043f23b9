"""Environments of their own for what others wrote, so that it decides nothing of ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from daybreak.models.base import Progress


def environment(pinned: Path, cache: Path, name: str, progress: Progress) -> Path:
    """The interpreter with the versions of the lock file ``pinned``, under ``cache``; made where
    it is not there yet."""
    folder = cache / f"{name}_{hashlib.sha256(pinned.read_bytes()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        progress(f"Making the environment {folder.name}; one to three minutes")
        # By pip, which reads its own configuration: an index, a proxy, a folder of wheels.
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), *install, "-r", str(pinned)], check=True)
        (folder / "complete").touch()
    return python
