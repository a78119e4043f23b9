"""What the gate said of a version. Kept for good, so that a refused one is marked wherever it is.

A baseline, which is in force until a version passes, is marked as what it is.

A person may put a refused version in force, and one may have been published before it was judged
again; neither takes the mark away. Only a later verdict does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from daybreak.warehouse.tables import verdict

Gate = Literal["passed", "refused", "baseline", "not_judged"]
"""What a version is marked with."""

BASELINE = "baseline"
"""In the evidence of the verdict on a baseline, and in its manifest: its name."""


def record_verdict(
    conn: Connection,
    *,
    model: str,
    version: str,
    passed: bool,
    reason: str,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
    headline: Mapping[str, Any] | None = None,
) -> bool:
    """Write down a verdict. Returns whether it was: a task that is run again adds nothing.

    ``headline``: ``measure``, ``value``, ``baseline`` and ``baseline_value``.
    """
    found = newest_verdict(conn, model, version)
    if found is not None and (found["passed"], found["reason"]) == (passed, reason):
        return False
    conn.execute(
        insert(verdict).values(
            model=model,
            version=version,
            judged_at=now,
            passed=passed,
            reason=reason,
            evidence=dict(evidence),
            actor=actor,
            **(headline or {}),
        )
    )
    return True


def newest_verdict(conn: Connection, model: str, version: str) -> dict[str, Any] | None:
    """The row of ``ops.verdict`` that holds for a version; None where it was never judged."""
    query = (
        select(verdict)
        .where(verdict.c.model == model, verdict.c.version == version)
        .order_by(verdict.c.verdict_id.desc())
        .limit(1)
    )
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def gate_of(conn: Connection, model: str, version: str) -> Gate:
    """What a version is marked with."""
    return mark(newest_verdict(conn, model, version))


def mark(found: Mapping[str, Any] | None) -> Gate:
    """What a version with this verdict is marked with."""
    if found is None:
        return "not_judged"
    if BASELINE in found["evidence"]:
        return "baseline"
    return "passed" if found["passed"] else "refused"
