"""A person agrees to what was scored, or does not, before it is published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from sqlalchemy import Connection, Text, cast, collate, func, select

from daybreak.errors import ApprovalNeeded, IllegalTransition, InvalidRequest
from daybreak.jobs.addresses import GenerationAddress
from daybreak.jobs.publishing import publish, record_sla
from daybreak.jobs.scoring import audit, open_generation, plan_shards, score_shard
from daybreak.jobs.timed import job_step
from daybreak.ledger import generations
from daybreak.ledger.approvals import (
    Approval,
    Outcome,
    earlier_approval,
    read_approval,
    record_approval,
)
from daybreak.ledger.states import Generation, State
from daybreak.models import get_model
from daybreak.models.base import AnyModel, Proposal
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring.audit import rows_of
from daybreak.scoring.snapshots import day_of
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import snapshot as snapshots

NOBODY = ""
Answer = Literal["approve", "cap", "reject", "expire"]
_OUTCOMES: Mapping[Answer, Outcome] = {
    "approve": "approved",
    "cap": "capped",
    "reject": "rejected",
    "expire": "expired",
}


class Asked(TypedDict):
    """What a person is asked. ``subject`` is empty where nobody has to be.

    ``cap``: the name of what a part of it can be agreed to by; empty: all or nothing.
    """

    subject: str
    body: str
    hours: float
    cap: str


class _Said(NamedTuple):
    """What a person said, as ``Approval`` keeps it."""

    outcome: Outcome
    terms: Mapping[str, float]
    person: str
    reason: str


NOTHING_TO_ASK = Asked(subject="", body="", hours=0.0, cap="")


def ask(generation: GenerationAddress, runtime: Runtime | None = None) -> Asked:
    """What has to be agreed to before the generation is published.

    Nothing, where its model proposes nothing, where this generation has its answer, and where the
    same was proposed for the day before and answered: a day that is scored again has what it had.
    """
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    with job_step(runtime, generation, "ask"), connect(runtime.engine) as conn:
        target = generations.get_generation(conn, generation["generation_id"])
        found = _proposal(conn, model, target)
        if found is None or _answer(conn, model, target) is not None:
            return NOTHING_TO_ASK
    return Asked(subject=found.subject, body=found.body, hours=found.hours, cap=found.cap or "")


def decide(
    generation: GenerationAddress,
    answer: Answer | None = None,
    *,
    person: str = NOBODY,
    reason: str = "",
    most: float | None = None,
    runtime: Runtime | None = None,
) -> GenerationAddress | None:
    """Keep an answer, and say what is to be published by it; None: nothing.

    ``answer``: None: that which there is, or that nobody had to be asked. ``most``: of the term
    that caps, where the answer is ``cap``: the day is scored with it, as another generation.
    Raises ``AlreadyDecided``, ``InvalidRequest`` for a cap that cannot be, and ``ApprovalNeeded``
    where there is no answer.
    """
    runtime = runtime or get_runtime()
    model = get_model(generation["model"])
    generation_id = generation["generation_id"]
    with job_step(runtime, generation, "decide"), begin(runtime.engine) as conn:
        target = generations.get_generation(conn, generation_id)
        proposed = _proposal(conn, model, target)
        if proposed is None:
            return generation
        if answer is not None:
            said = _Said(_OUTCOMES[answer], _terms(answer, proposed, most), person, reason)
        elif (held := _answer(conn, model, target)) is not None:
            said = _Said(held.outcome, held.terms, held.person, held.reason)
        else:
            raise _needed(generation, proposed)
        given = Approval(
            generation_id=generation_id,
            model=model.name,
            business_date=target.business_date,
            proposal=_hash(conn, model, target),
            figures=proposed.figures,
            decided_at=runtime.clock(),
            **said._asdict(),
        )
        kept = record_approval(conn, given)
        if answer is not None:
            runtime.metrics.incr(f"{model.name}.approval.{kept.outcome}")
        if not kept.publishes:
            generations.reject(conn, generation_id, _why(kept), runtime.clock())
            return None
    return generation if kept.outcome == "approved" else _capped(generation, kept, runtime)


def generation_to_decide(generation_id: int, runtime: Runtime | None = None) -> GenerationAddress:
    """The address of a generation that waits for an answer.

    Raises ``NotFound``, and ``IllegalTransition`` where it is published or rejected already.
    """
    runtime = runtime or get_runtime()
    with connect(runtime.engine) as conn:
        found = generations.get_generation(conn, generation_id)
        rows = conn.scalar(_rows_of_snapshot(found.snapshot_id))
    if found.state is not State.AUDITED:
        raise IllegalTransition(
            f"Generation {generation_id} is {found.state}; nobody is asked about it.",
            remedy="`daybreak generations list --state audited` shows those that wait.",
            generation_id=generation_id,
            state=found.state,
        )
    return GenerationAddress(
        run_key=found.run_key,
        run_type=found.run_type,
        model=found.model,
        business_date=found.business_date.isoformat(),
        knowledge="as_was",
        cutoff=found.cutoff.isoformat(),
        snapshot_id=found.snapshot_id,
        rows=int(rows or 0),
        version=found.version,
        generation_id=generation_id,
    )


def expect_agreed(generation: GenerationAddress, runtime: Runtime) -> GenerationAddress:
    """What is to be published of a run that cannot wait for an answer.

    Raises ``ApprovalNeeded``, after which the generation stays as it is, where somebody has to be
    asked, and where the same was refused before.
    """
    found = decide(generation, runtime=runtime)
    if found is None:
        raise ApprovalNeeded(
            f"What is proposed for {generation['business_date']} was refused before.",
            remedy="`daybreak generations list` says by whom and why.",
            generation_id=generation["generation_id"],
        )
    return found


def _proposal(conn: Connection, model: AnyModel, target: Generation) -> Proposal | None:
    if not model.night.schedule.asks:
        return None
    return model.night.proposal(conn, rows_of(model, target), day_of(conn, model, target))


def _answer(conn: Connection, model: AnyModel, target: Generation) -> Approval | None:
    """That to the generation itself, or else to the same proposal before; one that expired was
    none."""
    own = read_approval(conn, target.generation_id)
    if own is not None:
        return own
    same = earlier_approval(conn, model.name, target.business_date, _hash(conn, model, target))
    return None if same is None or same.outcome == "expired" else same


def _hash(conn: Connection, model: AnyModel, target: Generation) -> str:
    """Of the rows that are proposed, whichever generation they are of."""
    scored = rows_of(model, target)
    left_out = {"business_date", "generation_id", "shard"}
    keys = [column.name for column in model.night.score_table.primary_key]
    order = [collate(cast(scored.c[name], Text), "C") for name in keys if name not in left_out]
    shown = [column for column in scored.c if column.name not in left_out]
    found = hashlib.sha256()
    query = select(func.concat_ws("\x1f", *shown)).order_by(*order)
    for row in conn.execute(query.execution_options(yield_per=10_000)).scalars():
        found.update(str(row).encode() + b"\x1e")
    return found.hexdigest()


def _terms(answer: Answer, proposed: Proposal, most: float | None) -> dict[str, float]:
    if answer != "cap":
        return {}
    if proposed.cap is None:
        raise InvalidRequest(
            "What is proposed can be agreed to as a whole or not at all.",
            remedy="Approve or reject it.",
            field="answer",
        )
    if most is None or most < 0 or most != int(most):
        raise InvalidRequest(
            f"{most!r} is not how many {proposed.cap} there may be.",
            remedy="Give a whole number, 0 or more.",
            field="most",
        )
    return {proposed.cap: int(most)}


def _capped(generation: GenerationAddress, kept: Approval, runtime: Runtime) -> GenerationAddress:
    """The day scored with the terms of the answer, audited like any generation."""
    with begin(runtime.engine) as conn:
        generations.reject(conn, kept.generation_id, _why(kept), runtime.clock())
    capped = open_generation(generation, runtime, kept.terms)
    for shard in plan_shards(capped, runtime):
        score_shard(capped, shard, runtime)
    return audit(capped, runtime)


def _why(kept: Approval) -> str:
    said = f": {kept.reason}" if kept.reason else ""
    if kept.outcome == "expired":
        return "nobody agreed to it in time"
    terms = ", ".join(f"at most {value} {name}" for name, value in kept.terms.items())
    return f"{kept.outcome} by {kept.person}{f' ({terms})' if terms else ''}{said}"


def _needed(generation: GenerationAddress, proposed: Proposal) -> ApprovalNeeded:
    number = generation["generation_id"]
    return ApprovalNeeded(
        f"{proposed.subject} waits for somebody who agrees (generation {number}).",
        remedy=f"`daybreak generations approve {number}`, or `reject`; until then it is invisible.",
        generation_id=number,
        business_date=generation["business_date"],
    )


def _rows_of_snapshot(snapshot_id: int) -> Any:
    return select(snapshots.c.rows).where(snapshots.c.snapshot_id == snapshot_id)


def answer(
    generation_id: int,
    answer: Answer,
    *,
    person: str,
    reason: str = "",
    most: float | None = None,
    runtime: Runtime | None = None,
) -> GenerationAddress | None:
    """Answer about a generation that waits, and publish what is to be published by it.

    Returns what was published; None: nothing. Raises what ``decide`` raises.
    """
    runtime = runtime or get_runtime()
    waiting = generation_to_decide(generation_id, runtime)
    found = decide(waiting, answer, person=person, reason=reason, most=most, runtime=runtime)
    if found is not None:
        publish(found, runtime)
        record_sla(found, runtime)
    return found
