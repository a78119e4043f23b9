"""What a piece of work reads and writes, for tools that draw lineage; noted where somebody asks.

Nothing is declared: of each transaction the server says which tables it scanned and changed
(``warehouse.touched``), so a model of another package has its lineage too. Files and report views,
which no transaction shows, are said by the jobs that load and publish.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import Connection, Engine, Table, event

from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.touched import touched, views_on

logger = logging.getLogger(__name__)

DATA = ("raw", "feature", "score")
"""Schemas whose tables are noted; ``ops`` is bookkeeping, of which every step writes some."""


@dataclass
class Trace:
    """What was read and written since ``watch``.

    Tables and views: ``schema.name``. ``files``: addresses as the load names them. ``server``:
    ``host:port``, and ``database``: where the tables are.
    """

    server: str
    database: str
    files: set[str] = field(default_factory=set)
    tables_read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    @property
    def read(self) -> set[str]:
        """Tables read and not written: what is merged is compared with what is there."""
        return self.tables_read - self.written


_traces: WeakKeyDictionary[Engine, Trace] = WeakKeyDictionary()


def watch(runtime: Runtime | None = None) -> Trace:
    """Note from now on what is read and written on the engine of the runtime, in a new trace.

    It costs each transaction one more question. Connections begin anew: the counts of those that
    are open may be of work before.
    """
    engine = (runtime or get_runtime()).engine
    engine.dispose()
    url = engine.url
    if engine not in _traces:
        event.listen(engine, "commit", _note)
        event.listen(engine, "rollback", _note)  # so ends what was only read
    _traces[engine] = Trace(f"{url.host or 'localhost'}:{url.port or 5432}", url.database or "")
    return _traces[engine]


def loaded(engine: Engine, files: Iterable[str]) -> None:
    """Note files that were loaded, where somebody watches."""
    if trace := _traces.get(engine):
        trace.files.update(files)


def published(conn: Connection, scores: Table) -> None:
    """Note the report views that show the scores now, where somebody watches."""
    if trace := _traces.get(conn.engine):
        trace.tables_read.add(scores.fullname)
        trace.written |= views_on(conn, scores)


def _note(conn: Connection) -> None:
    trace, driver = _traces.get(conn.engine), conn.connection.driver_connection
    if trace is None or not isinstance(driver, psycopg.Connection):
        return
    if driver.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
        return  # nothing was asked, or it failed and is undone
    try:
        found = touched(driver, DATA)
    except psycopg.Error as error:  # lineage fails no run
        logger.warning("What this transaction read and wrote is not known: %s", error)
        return
    trace.tables_read |= found.read
    trace.written |= found.written
