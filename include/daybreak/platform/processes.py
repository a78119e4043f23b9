"""Start, find and stop processes that outlive the command which started them.

Each process leads a session of its own. A record says its pid **and** when it started, so that
a pid which the system has reused is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from daybreak.platform.components import Component
from daybreak.platform.folder import StateFolder

MARK = "DAYBREAK_PLATFORM"
"""Set to the state folder in every process we start; children inherit it, so none is lost."""

SAME_START_SECONDS = 0.5
TERM_PATIENCE_SECONDS = 15.0
KILL_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Record:
    """One component that was started.

    ``born``: seconds from the machine's start to the process's, which a clock correction does
    not move. ``started_at``: the same moment as Unix time. ``fingerprint``: of its settings.
    ``dataset``: the data set that it was started for.
    """

    name: str
    pid: int
    born: float
    started_at: float
    fingerprint: str
    url: str
    log: str
    dataset: str = ""

    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(_born(process) - self.born) < SAME_START_SECONDS
        except psutil.NoSuchProcess:
            return False


def _born(process: psutil.Process) -> float:
    return float(process.create_time() - psutil.boot_time())


def start(component: Component, folder: StateFolder) -> Record:
    """Start a component in a session of its own, its output appended to its log."""
    log = folder.logs / f"{component.name}.log"
    env = {**os.environ, **component.env, MARK: str(folder.root)}
    with log.open("ab") as output:
        child = subprocess.Popen(
            component.argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    child.returncode = 0  # it outlives this command on purpose: no warning of Popen
    process = psutil.Process(child.pid)
    record = Record(
        name=component.name,
        pid=child.pid,
        born=_born(process),
        started_at=time.time(),
        fingerprint=component.fingerprint,
        url=component.url,
        log=str(log),
        dataset=component.env.get("DAYBREAK_DATASET", ""),
    )
    target = _record_path(folder, component.name)
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(target)
    return record


def find(folder: StateFolder, name: str) -> Record | None:
    """The record of a component that still runs, else None."""
    try:
        record = Record(**json.loads(_record_path(folder, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return record if record.alive() else None


def stop(records: Iterable[Record], folder: StateFolder) -> None:
    """End components and all their children: TERM to each session, then KILL what is left."""
    records = list(records)
    family = [process for record in records if record.alive() for process in _family(record.pid)]
    end(family)
    for record in records:
        _record_path(folder, record.name).unlink(missing_ok=True)


def stragglers(folder: StateFolder, spare: Collection[int] = ()) -> list[psutil.Process]:
    """Processes that carry our mark, whether a record names them or not."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents()), *spare}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _mark_of(process) == str(folder.root)
    ]


def end(processes: Collection[psutil.Process]) -> None:
    """TERM, a wait, KILL. Processes that have ended already are no error."""
    for number, patience in (
        (signal.SIGTERM, TERM_PATIENCE_SECONDS),
        (signal.SIGKILL, KILL_PATIENCE_SECONDS),
    ):
        for process in processes:
            try:
                process.send_signal(number)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        processes = wait_gone(processes, patience)
        if not processes:
            return


def wait_gone(processes: Iterable[psutil.Process], patience: float) -> list[psutil.Process]:
    """Wait until all have ended, and return those that have not.

    A zombie has ended: in a container whose first process reaps no orphans it stays for ever.
    """
    give_up = time.monotonic() + patience
    while True:
        processes = [process for process in processes if _runs(process)]
        if not processes or time.monotonic() > give_up:
            return processes
        time.sleep(0.05)


def tail(log: str, lines: int = 12) -> str:
    """The last lines of a log, to say why a component ended."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _record_path(folder: StateFolder, name: str) -> Path:
    return folder.records / f"{name}.json"


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _mark_of(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        value: str | None = process.environ().get(MARK)
        return value
    except (psutil.Error, OSError):
        return None


def _family(leader: int) -> list[psutil.Process]:
    """The leader, its session and its descendants: Airflow's tasks open sessions of their own."""
    found: dict[int, psutil.Process] = {}
    try:
        parent = psutil.Process(leader)
        found = {child.pid: child for child in [parent, *parent.children(recursive=True)]}
    except psutil.NoSuchProcess:
        pass
    for pid in psutil.pids():
        try:
            if pid not in found and os.getsid(pid) == leader:
                found[pid] = psutil.Process(pid)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return list(found.values())
