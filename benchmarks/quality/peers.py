"""The environment of the other methods, and their forecasts, made once for the same input."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.environments import environment
from daybreak.models.base import Progress

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FORECASTS = ("theta", "ets", "mlforecast_xgboost", "mlforecast_lightgbm")
LISTS = ("bm25", "als", "ease")


def run(script: str, jobs: Sequence[dict[str, str]], cache: Path, progress: Progress) -> None:
    """Ask ``script`` of ``outside`` for what is not there yet. What fails leaves no file."""
    left = [job for job in jobs if not Path(job["out"]).exists()]
    if not left:
        return
    python = environment(HERE / "requirements.txt", cache, "peers", progress)
    listed = cache / f"jobs_{os.getpid()}.json"
    listed.write_text(json.dumps(left), encoding="utf-8")
    try:
        command = [str(python), "-m", f"benchmarks.quality.outside.{script}", str(listed)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **threads, "NIXTLA_ID_AS_COL": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.stdout is None:
            raise RuntimeError("no output to read")
        for line in process.stdout:
            progress(f"  {line.strip()}")
        if process.wait():
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    finally:
        listed.unlink()


def key(*parts: str | bytes) -> str:
    """A name for what follows from these."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def code(script: str) -> bytes:
    """What decides a method's answers beside its input."""
    files: Iterable[Path] = (
        HERE / "outside" / f"{script}.py",
        HERE / "known.py",
        HERE / "requirements.txt",
    )
    return b"".join(file.read_bytes() for file in files)
