"""Decisions on their way to the warehouse: none is lost, and none holds up the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from daybreak.errors import WarehouseUnavailable
from daybreak.ledger.decisions import Entry, Recorded
from daybreak.runtime import Runtime
from daybreak.serving import spool as module
from daybreak.serving.spool import Spool
from daybreak.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(name: str, stream: str = "payments") -> Entry:
    return Entry(
        model="fraud",
        version="v1",
        stream=stream,
        business_date=date(2026, 3, 1),
        event_id=name,
        event_at=NOW,
        sequence=None,
        known={"card": NOW, "terminal": None},
        stale=False,
        request='{"event_id": "x"}',
        features=b"\x00\x01\xfe\xff",
        answer='{"predictions": []}',
        latency_ms=1.5,
        decided_at=NOW,
    )


class Warehouse:
    """Takes decisions, or is away."""

    def __init__(self) -> None:
        self.taken: list[Entry] = []
        self.calls = 0
        self.away = False

    def __call__(self, _engine: Any, entries: Sequence[Entry], _now: datetime) -> list[Recorded]:
        if self.away:
            raise WarehouseUnavailable("It is away.", remedy="Wait.")
        assert len({one.stream for one in entries}) == 1
        self.taken += entries
        self.calls += 1
        return [Recorded(False, None)] * len(entries)

    @property
    def names(self) -> list[str]:
        return sorted(one.event_id for one in self.taken)


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    made = Warehouse()
    monkeypatch.setattr(module, "record_decisions", made)
    monkeypatch.setattr(Spool, "follow", lambda _self: None)  # drained by the test
    return made


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    settings = Settings(home=tmp_path, warehouse_url="postgresql://nobody@127.0.0.1:1/none")
    return Runtime(settings, clock=lambda: NOW)


def files(runtime: Runtime) -> list[str]:
    return sorted(path.suffix for path in runtime.settings.spool.iterdir())


def test_what_is_appended_comes_out_as_it_was(runtime: Runtime, warehouse: Warehouse) -> None:
    spool = Spool(runtime)
    given = [entry("a"), entry("b", "logins"), entry("c")]
    spool.append(given[:2])
    spool.append(given[2:])
    assert spool.drain() == 3
    assert warehouse.calls == 2, "one a stream"
    assert sorted(warehouse.taken, key=lambda one: one.event_id) == given
    assert files(runtime) == []
    assert spool.drain() == 0


def test_while_the_warehouse_is_away_everything_stays(
    runtime: Runtime, warehouse: Warehouse
) -> None:
    spool = Spool(runtime)
    warehouse.away = True
    for name in "abc":
        spool.append([entry(name)])
        with pytest.raises(WarehouseUnavailable):
            spool.drain()
    warehouse.away = False
    spool.append([entry("d")])
    assert spool.drain() == 4
    assert warehouse.names == ["a", "b", "c", "d"]
    assert files(runtime) == []


def test_a_disk_that_is_full_takes_no_other_decision_with_it(
    runtime: Runtime, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(runtime)
    spool.append([entry("a")])
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", broken)
        return write(descriptor, data[:20])

    def broken(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        spool.append([entry("b")])
    monkeypatch.setattr(os, "write", write)
    spool.append([entry("c")])
    assert spool.drain() == 2
    assert warehouse.names == ["a", "c"]


@pytest.mark.parametrize(
    "line", [b'{"model": "fraud"}\n', b"[]\n", b'{"features": "zz"}\n', b"7\n"]
)
def test_a_file_that_cannot_be_read_stays_and_holds_up_no_other(
    runtime: Runtime, warehouse: Warehouse, line: bytes
) -> None:
    folder = runtime.settings.spool
    folder.mkdir(parents=True)
    (folder / "1-1.jsonl").write_bytes(line)
    spool = Spool(runtime)
    spool.append([entry("a")])
    assert spool.drain() == 1
    assert warehouse.names == ["a"]
    assert files(runtime) == [".unreadable"]


def test_what_another_process_holds_is_left_to_it(runtime: Runtime, warehouse: Warehouse) -> None:
    theirs, ours = Spool(runtime), Spool(runtime)
    theirs.append([entry("a")])
    # A lock is of the open file, so two spools of one process are like two processes.
    assert ours.drain() == 0
    assert theirs.drain() == 1
    assert warehouse.names == ["a"]
