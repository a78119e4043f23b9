"""What people said of what was proposed to them: one answer a generation, kept for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from daybreak.errors import AlreadyDecided
from daybreak.warehouse.tables import approval

Outcome = Literal["approved", "capped", "rejected", "expired"]
"""``capped``: published with the terms of the answer. ``expired``: nobody answered in time."""


@dataclass(frozen=True)
class Approval:
    """The answer about a generation. ``person``: empty where nobody gave it.

    ``proposal``: hash of what was asked. ``figures``: what was shown, JSON. ``terms``: numbers that
    the person set, by name.
    """

    generation_id: int
    model: str
    business_date: date
    proposal: str
    figures: Mapping[str, Any]
    outcome: Outcome
    terms: Mapping[str, float]
    person: str
    reason: str
    decided_at: datetime

    @property
    def publishes(self) -> bool:
        """Whether something is to be published."""
        return self.outcome in {"approved", "capped"}


_COLUMNS = [approval.c[name] for name in Approval.__dataclass_fields__]


def record_approval(conn: Connection, given: Approval) -> Approval:
    """Write an answer down; of two at once the first holds.

    Again the same outcome and terms: the answer that is there. Raises ``AlreadyDecided`` where
    something else was decided before.
    """
    values = {name: getattr(given, name) for name in Approval.__dataclass_fields__}
    values |= {"figures": dict(given.figures), "terms": dict(given.terms)}
    conn.execute(insert(approval).values(values).on_conflict_do_nothing(constraint="approval_once"))
    held = read_approval(conn, given.generation_id)
    if held is None or (held.outcome, held.terms) != (given.outcome, dict(given.terms)):
        was = "decided about" if held is None else held.outcome
        by = f" by {held.person}" if held is not None and held.person else ""
        raise AlreadyDecided(
            f"Generation {given.generation_id} was {was}{by} before.",
            remedy=f"Score {given.business_date} again to decide anew.",
            generation_id=given.generation_id,
        )
    return held


def read_approval(conn: Connection, generation_id: int) -> Approval | None:
    """The answer about a generation; None: it has none."""
    query = select(*_COLUMNS).where(approval.c.generation_id == generation_id)
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else _approval(row)


def earlier_approval(
    conn: Connection, model: str, business_date: date, proposal: str
) -> Approval | None:
    """The newest answer to the same proposal, so that a day that is scored again has it too."""
    c = approval.c
    query = (
        select(*_COLUMNS)
        .where(c.model == model, c.business_date == business_date, c.proposal == proposal)
        .order_by(c.approval_id.desc())
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else _approval(row)


def _approval(row: RowMapping) -> Approval:
    return Approval(**row)
