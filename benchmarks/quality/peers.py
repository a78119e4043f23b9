"""The environment of the other methods, and their forecasts, made once for the same input."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from daybreak.models.base import Progress

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FORECASTS = ("theta", "ets", "mlforecast_xgboost", "mlforecast_lightgbm")
LISTS = ("bm25", "als", "ease")


def environment(cache: Path, progress: Progress) -> Path:
    """The interpreter with the versions of ``requirements.txt``; made where it is not there yet."""
    pinned = HERE / "requirements.txt"
    folder = cache / f"peers_{hashlib.sha256(pinned.read_bytes()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        progress("Making the environment of the other methods; one to three minutes")
        # By pip, which reads its own configuration: an index, a proxy, a folder of wheels.
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), *install, "-r", str(pinned)], check=True)
        (folder / "complete").touch()
    return python


def run(script: str, jobs: Sequence[dict[str, str]], cache: Path, progress: Progress) -> None:
    """Ask ``script`` of ``outside`` for what is not there yet. What fails leaves no file."""
    left = [job for job in jobs if not Path(job["out"]).exists()]
    if not left:
        return
    python = environment(cache, progress)
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
