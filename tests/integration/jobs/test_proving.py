"""The night's proof: what it writes down, what it misses the day for, and what it gets ready."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from daybreak.errors import DecisionsDiffer
from daybreak.jobs.addresses import RunAddress, run_address
from daybreak.jobs.proving import prove_decisions
from daybreak.monitoring.steps import begin_run
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin
from fraud_bank import LAST, NOON, Bank, Books, bank, books

DAY = LAST + timedelta(days=1)


@pytest.fixture(scope="module")
def all_books(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with books(postgres, tmp_path_factory.mktemp("bank")) as found:
        yield found


@pytest.fixture
def here(all_books: Books, tmp_path: Path) -> Iterator[Bank]:
    with bank(all_books, tmp_path / "spool") as found:
        yield found


def ask(here: Bank, name: str, minutes: int = 1) -> None:
    body = {
        "event_id": name,
        "event_at": (NOON - timedelta(minutes=minutes)).isoformat(),
        "keys": {"card": "c000017", "terminal": "t00004"},
        "record": True,
    }
    response = here.client.post("/v1/models/fraud/predict", json=body)
    assert response.status_code == 200, response.get_data(as_text=True)


def night(here: Bank, key: str, run_type: str = "scheduled") -> dict[str, Any]:
    jobs = Runtime(
        here.runtime.settings.model_copy(update={"warehouse_service_url": None}),
        clock=lambda: NOON + timedelta(hours=14),
    )
    address: RunAddress = run_address(
        run_key=key, run_type=run_type, model="fraud", business_date=DAY
    )
    with begin(jobs.engine) as conn:
        begin_run(
            conn,
            run_key=key,
            model="fraud",
            business_date=DAY,
            run_type=run_type,
            queued_at=NOON,
            now=NOON,
        )
    try:
        return prove_decisions(address, runtime=jobs)
    finally:
        jobs.engine.dispose()


def proofs(here: Bank) -> list[tuple[Any, ...]]:
    return here.rows(
        "SELECT business_date, run_key, decisions, differing, wrong_tiles FROM ops.proof"
        " ORDER BY run_key, business_date"
    )


def test_all_decisions_are_proven_once_and_late_ones_with_the_next(here: Bank) -> None:
    for name in "abc":
        ask(here, name)
    assert night(here, "one")["decisions"] == 3
    assert proofs(here) == [(DAY, "one", 3, 0, 0)]

    ask(here, "late", minutes=3 * 24 * 60)
    assert night(here, "two") == {"business_date": DAY.isoformat(), "decisions": 4, "days": 2}
    assert proofs(here)[1:] == [
        (DAY - timedelta(days=3), "two", 1, 0, 0),
        (DAY, "two", 3, 0, 0),
    ]
    assert night(here, "two")["days"] == 1  # of the day of the run; the others are proven
    assert here.rows("SELECT count(*) FROM ops.sla") == [(0,)]


def test_what_the_days_to_come_need_is_there_before_they_are(here: Bank) -> None:
    ask(here, "a")
    night(here, "one")
    made = {name for (name,) in here.rows("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    ahead = [(NOON + timedelta(hours=14, days=n)).date() for n in range(8)]
    for entries in ("event", "decision"):
        assert {f"{entries}_{day:%Y_%m_%d}" for day in ahead} <= made


@pytest.mark.parametrize(("run_type", "missed"), [("scheduled", 1), ("backfill", 0)])
def test_a_difference_is_named_written_down_and_a_miss_of_the_day(
    here: Bank, run_type: str, missed: int
) -> None:
    ask(here, "a")
    ask(here, "b")
    flip = "UPDATE ops.decision SET features = set_bit(features, 9, 1 - get_bit(features, 9))"
    with begin(here.owner) as conn:
        conn.execute(text(f"{flip} WHERE event_id = 'b'"))
    with pytest.raises(DecisionsDiffer, match=r"1 of 2 decisions .* event 'b' \(card 'c000017'\)"):
        night(here, "one", run_type)
    assert proofs(here) == [(DAY, "one", 2, 1, 0)]
    said = here.rows("SELECT status FROM ops.sla WHERE run_key = 'one'")
    assert said == [("missed",)] * missed
    with begin(here.owner) as conn:
        conn.execute(text(f"{flip} WHERE event_id = 'b'"))
    night(here, "one", run_type)
    assert proofs(here) == [(DAY, "one", 2, 0, 0)], "a run that is cleared says what it found last"


def test_a_tile_that_is_not_what_the_log_says_is_named(here: Bank) -> None:
    ask(here, "a")
    night(here, "one")
    with begin(here.owner) as conn:
        conn.execute(
            text("UPDATE feature.tile SET events = events # 1 WHERE key = 'c000017' AND"
                 " business_date = :day"),
            {"day": DAY},
        )  # fmt: skip
    with pytest.raises(DecisionsDiffer, match=rf"card 'c000017' on {DAY} has events 0 in its"):
        night(here, "two")
    assert proofs(here)[-1][-1] == 1
    with begin(here.owner) as conn:
        conn.execute(text("UPDATE feature.tile SET events = 1 WHERE key = 'c000017' AND"
                          f" business_date = '{DAY}'"))  # fmt: skip
