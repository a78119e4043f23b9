"""Decisions that are not written at once: to a file first, and in batches to the warehouse.

What was appended survives the end of the process, which is why an answer may leave before its
decision is in the warehouse. Each process has a file of its own, which it locks; a file that
nobody holds is that of a process that ended, and whoever comes by writes what is in it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from daybreak.errors import DaybreakError
from daybreak.ledger.decisions import Entry, record_decisions
from daybreak.runtime import Runtime

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500
SECONDS = 1.0
"""Between two batches."""
_ENTRY = TypeAdapter(Entry)


class _File(NamedTuple):
    """An open file whose lock this process has."""

    path: Path
    descriptor: int


class Spool:
    """The files of ``settings.spool``. Safe for many threads."""

    def __init__(self, runtime: Runtime, seconds: float = SECONDS) -> None:
        self._runtime = runtime
        self._folder = runtime.settings.spool
        self._seconds = seconds
        self._lock = Lock()
        self._draining = Lock()
        self._file: _File | None = None
        self._full: list[_File] = []
        self._thread: Thread | None = None

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep decisions that have a ``decided_at``. Raises ``OSError`` where the disk does not."""
        lines = b"".join(map(_line, entries))
        with self._lock:
            if self._file is None:
                self._file = _created(self._folder)
            try:
                written = os.write(self._file.descriptor, lines)
                while written < len(lines):
                    written += os.write(self._file.descriptor, lines[written:])
            except OSError:
                # Half a line may be there, which the next one would be glued to.
                self._full.append(self._file)
                self._file = None
                raise
        self.follow()

    def follow(self) -> None:
        """Write to the warehouse from a thread, what ended processes left included."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = Thread(target=self._follow, name="spool", daemon=True)
                    self._thread.start()

    def drain(self) -> int:
        """Write what there is to the warehouse; returns how many decisions.

        Raises ``WarehouseUnavailable``; what was not written stays.
        """
        with self._draining:
            with self._lock:
                if self._file is not None:
                    self._full.append(self._file)
                    self._file = None
            self._full += self._left_by_others()
            written = 0
            while self._full:
                file = self._full[0]
                try:
                    written += self._write(file)
                    file.path.unlink(missing_ok=True)
                except (ValueError, TypeError, KeyError):
                    # Of another release, or damaged: what comes after it is not to wait for it.
                    logger.exception(
                        "decisions in %s cannot be read, and are left there", file.path
                    )
                    file.path.rename(file.path.with_suffix(".unreadable"))
                self._full.pop(0)
                os.close(file.descriptor)
            return written

    def _follow(self) -> None:
        while True:
            try:
                self.drain()
            except DaybreakError as error:
                logger.warning("decisions wait in %s: %s", self._folder, error.message)
            except Exception:
                logger.exception("decisions in %s could not be written", self._folder)
            time.sleep(self._seconds)

    def _left_by_others(self) -> Iterator[_File]:
        for path in sorted(self._folder.glob("*.jsonl")):
            try:
                descriptor = os.open(path, os.O_RDWR)
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    logger.warning("decisions in %s cannot be opened: %s", path, error)
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            if path.exists():  # else it was written by whoever held it
                yield _File(path, descriptor)
            else:
                os.close(descriptor)

    def _write(self, file: _File) -> int:
        entries = list(_entries(file.path))
        entries.sort(key=lambda one: one.stream)
        for _, of_stream in groupby(entries, lambda one: one.stream):
            listed = list(of_stream)
            for first in range(0, len(listed), MOST_AT_ONCE):
                some = listed[first : first + MOST_AT_ONCE]
                record_decisions(self._runtime.lone_statements, some, self._runtime.clock())
        return len(entries)


def _created(folder: Path) -> _File:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{os.getpid()}-{time.time_ns()}.jsonl"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    # Locked before it has its name: else another process could take it for one that was left.
    hidden = path.with_suffix(".new")
    descriptor = os.open(hidden, flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    hidden.rename(path)
    return _File(path, descriptor)


def _line(entry: Entry) -> bytes:
    fields: dict[str, Any] = asdict(entry)
    fields["features"] = entry.features.hex()
    return orjson.dumps(fields) + b"\n"


def _entries(path: Path) -> Iterator[Entry]:
    for line in path.read_bytes().split(b"\n"):
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # the end of a process that was killed as it wrote: nobody has the answer
        fields["features"] = bytes.fromhex(fields["features"])
        yield _ENTRY.validate_python(fields)
