"""A person agrees to what was scored, or does not: carrying a toy model that asks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

import toy
from asking_toy import ASKING, PERCENT, AskingNightly
from daybreak import models
from daybreak.errors import (
    AlreadyDecided,
    ApprovalNeeded,
    DaybreakError,
    IllegalTransition,
    InvalidRequest,
)
from daybreak.jobs import approving, scoring, snapshots
from daybreak.jobs.addresses import GenerationAddress, run_address
from daybreak.jobs.run import score_day
from daybreak.jobs.waiting import look_for_inputs
from daybreak.ledger.champions import promote
from daybreak.ledger.generations import get_generation, published_generation
from daybreak.ledger.states import State
from daybreak.models.schedule import DAILY
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import approval, day_closed

DAY = date(2026, 2, 1)
NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=1)
ROWS = len(toy.KEYS) * toy.HORIZON
MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def runtime(make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", ASKING)
    made = make_runtime(now=NOW, entities_per_shard=4)
    champion(made, 1.0)
    with begin(made.engine) as conn:
        conn.execute(insert(day_closed).values(business_date=DAY, closed_at=SINCE, load_id=1))
    return made


def champion(runtime: Runtime, scale: float) -> None:
    """Put a version in force, whose scores ``scale`` multiplies."""
    manifest = {
        "trained_through": "2026-01-31",
        "features": list(toy.TOY.features),
        "scale": scale,
    }
    version = runtime.registry.register("toy", toy.booster(), manifest)
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model="toy",
            version=version,
            effective_from=SINCE,
            reason="test",
            evidence={},
            actor="test",
            now=SINCE,
        )


def scored(runtime: Runtime, run_key: str = "daily/one") -> GenerationAddress:
    """An audited generation of the day."""
    run = run_address(run_key=run_key, run_type="manual", model="toy", business_date=DAY)
    look_for_inputs(run, runtime=runtime)
    built = snapshots.build_snapshot(run, runtime)
    generation = scoring.open_generation(built, runtime)
    for shard in scoring.plan_shards(generation, runtime):
        scoring.score_shard(generation, shard, runtime)
    return scoring.audit(generation, runtime)


def state_of(runtime: Runtime, generation: GenerationAddress) -> State:
    with connect(runtime.engine) as conn:
        return get_generation(conn, generation["generation_id"]).state


def mean_of(runtime: Runtime, generation_id: int) -> float:
    table = toy.TOY.night.score_table
    query = select(func.sum(table.c.mean)).where(table.c.generation_id == generation_id)
    with connect(runtime.engine) as conn:
        return float(conn.scalar(query) or 0)


def test_a_model_that_asks_says_so_in_its_schedule() -> None:
    with pytest.raises(ValueError, match="`asks` of the schedule of toy"):
        replace(ASKING, nightly=type("Silent", (AskingNightly,), {"schedule": DAILY})())


def test_what_is_agreed_to_is_published(runtime: Runtime) -> None:
    generation = scored(runtime)
    asked = approving.ask(generation, runtime)
    assert asked == {"subject": "42 rows", "body": "**42** rows", "hours": 6.0, "cap": PERCENT}

    found = approving.answer(
        generation["generation_id"], "approve", person="ann", reason="fine", runtime=runtime
    )

    assert found is not None
    assert found["generation_id"] == generation["generation_id"]
    assert state_of(runtime, generation) is State.PUBLISHED
    with connect(runtime.engine) as conn:
        (kept,) = conn.execute(select(approval)).mappings()
    assert (kept["outcome"], kept["person"], kept["reason"]) == ("approved", "ann", "fine")
    assert kept["figures"]["mean"] == pytest.approx(mean_of(runtime, kept["generation_id"]))
    with pytest.raises(IllegalTransition, match="nobody is asked about it"):
        approving.answer(generation["generation_id"], "reject", person="b", runtime=runtime)


@pytest.mark.parametrize("answer", ["reject", "expire"])
def test_what_nobody_agrees_to_leaves_what_was_published(
    runtime: Runtime, answer: approving.Answer
) -> None:
    before = scored(runtime)
    approving.answer(before["generation_id"], "approve", person="ann", runtime=runtime)
    champion(runtime, 2.0)  # another proposal: the earlier answer would hold for the same one
    generation = scored(runtime, "daily/two")
    assert approving.ask(generation, runtime)["subject"] == "42 rows"

    found = approving.answer(
        generation["generation_id"], answer, person="bob", reason="no", runtime=runtime
    )

    assert found is None
    assert state_of(runtime, generation) is State.REJECTED
    with connect(runtime.engine) as conn:
        assert published_generation(conn, "toy").generation_id == before["generation_id"]


def test_a_part_is_scored_with_its_cap_and_published(runtime: Runtime) -> None:
    generation = scored(runtime)
    whole = mean_of(runtime, generation["generation_id"])
    for most in (None, -1, 2.5):
        with pytest.raises(InvalidRequest, match="is not how many percent"):
            approving.decide(generation, "cap", person="ann", most=most, runtime=runtime)

    found = approving.answer(
        generation["generation_id"], "cap", person="ann", most=50, runtime=runtime
    )

    assert found is not None
    assert found["generation_id"] != generation["generation_id"]
    assert mean_of(runtime, found["generation_id"]) == pytest.approx(whole / 2, rel=1e-5)
    with connect(runtime.engine) as conn:
        shown = published_generation(conn, "toy")
    assert (shown.generation_id, shown.terms) == (found["generation_id"], {PERCENT: 50})
    assert state_of(runtime, generation) is State.REJECTED
    assert approving.ask(found, runtime) == approving.NOTHING_TO_ASK


def test_the_same_proposal_has_the_answer_that_it_had(runtime: Runtime) -> None:
    first = scored(runtime)
    approving.answer(first["generation_id"], "cap", person="ann", most=50, runtime=runtime)
    once = mean_of(runtime, published(runtime))

    again = scored(runtime, "backfill/one")
    assert approving.ask(again, runtime) == approving.NOTHING_TO_ASK
    assert score_day("toy", DAY, runtime=runtime)["rows"] == ROWS

    assert mean_of(runtime, published(runtime)) == pytest.approx(once, rel=1e-5)
    with connect(runtime.engine) as conn:
        people = conn.scalars(select(approval.c.person).order_by(approval.c.approval_id))
        assert people.all() == ["ann", "ann"]


def test_what_expired_is_asked_again(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    first, counted = scored(runtime), list[str]()
    monkeypatch.setattr(runtime.metrics, "incr", counted.append)
    assert approving.decide(first, "expire", runtime=runtime) is None
    assert [name for name in counted if "approval" in name] == ["toy.approval.expired"]
    assert approving.ask(scored(runtime, "daily/two"), runtime)["subject"] == "42 rows"


def test_a_run_without_airflow_waits_invisibly(runtime: Runtime) -> None:
    with pytest.raises(ApprovalNeeded, match="42 rows waits for somebody") as caught:
        score_day("toy", DAY, runtime=runtime)
    number = caught.value.details["generation_id"]
    with connect(runtime.engine) as conn:
        assert get_generation(conn, number).state is State.AUDITED
    approving.answer(number, "approve", person="ann", runtime=runtime)
    assert published(runtime) == number


def test_of_two_answers_at_once_one_holds(runtime: Runtime) -> None:
    generation = scored(runtime)

    def say(answer: approving.Answer) -> Any:
        try:
            return approving.decide(generation, answer, person=answer, runtime=runtime)
        except DaybreakError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(say, ("approve", "reject")))

    with connect(runtime.engine) as conn:
        (kept,) = conn.scalars(select(approval.c.outcome))
    lost = found[0 if kept == "rejected" else 1]
    assert isinstance(lost, AlreadyDecided)
    with pytest.raises(AlreadyDecided):
        approving.decide(generation, "reject" if kept == "approved" else "approve", runtime=runtime)


def test_answers_are_kept(runtime: Runtime) -> None:
    approving.answer(scored(runtime)["generation_id"], "approve", person="a", runtime=runtime)
    for change in (delete(approval), update(approval).values(person="b")):
        with pytest.raises(DBAPIError, match="permission denied"), begin(runtime.engine) as conn:
            conn.execute(change)


def published(runtime: Runtime) -> int:
    with connect(runtime.engine) as conn:
        return published_generation(conn, "toy").generation_id
