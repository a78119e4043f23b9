"""A server in processes of its own, which are all gone afterwards, and what memory they take."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import psutil

PATIENCE_SECONDS = 120
STOP_SECONDS = 30
LIBRARY = "libxgboost"


@dataclass(frozen=True)
class Memory:
    """Of one worker, MiB. ``pss``: what it shares with others is counted in parts."""

    rss: float
    pss: float


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path, ready: Callable[[], bool]
) -> Iterator[psutil.Process]:
    """The server's first process, from when it is ``ready``.

    Raises ``RuntimeError`` with its log where it ends, or is not ready in time.
    """
    with log.open("wb") as output:
        process = psutil.Popen(
            command,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > give_up:
                said = log.read_text(errors="replace")
                raise RuntimeError(f"{command[0]} did not start a server:\n{said}")
            time.sleep(0.1)
        yield process
    finally:
        _stop(process)


def _stop(process: psutil.Popen) -> None:
    """Ask all its processes to end, also those in sessions of their own; kill what is left."""
    every = [process]
    with suppress(psutil.NoSuchProcess):
        every += process.children(recursive=True)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for one in every:
            with suppress(psutil.NoSuchProcess):
                end(one)
        _, every = psutil.wait_procs(every, STOP_SECONDS)


def memory_of_a_worker(process: psutil.Process) -> Memory:
    """The mean of its workers: of the processes without children those that have loaded XGBoost,
    or all where none has."""
    leaves = [one for one in process.children(recursive=True) if not one.children()]
    workers = [one for one in leaves if _has_loaded(one, LIBRARY)] or leaves
    found = [one.memory_full_info() for one in workers or [process]]
    return Memory(
        rss=fmean(one.rss for one in found) / 2**20, pss=fmean(one.pss for one in found) / 2**20
    )


def _has_loaded(process: psutil.Process, library: str) -> bool:
    return any(library in part.path for part in process.memory_maps())
