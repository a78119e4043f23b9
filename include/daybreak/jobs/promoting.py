"""Put a version in force by hand, from the command line, the page and the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from daybreak.errors import InvalidRequest
from daybreak.ledger import champions
from daybreak.ledger.verdicts import Gate, gate_of
from daybreak.models import get_model
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin

LONGEST_REASON = 2000


class Promotion(TypedDict):
    """``written``: False where the version was in force at that moment already."""

    model: str
    version: str
    effective_from: str
    written: bool
    gate: Gate


def promote(
    model: str,
    version: str,
    reason: str,
    *,
    actor: str,
    effective_from: datetime | None = None,
    evidence: Mapping[str, Any] | None = None,
    runtime: Runtime | None = None,
) -> Promotion:
    """Make a registered version champion from ``effective_from`` (aware; default: now) on.

    Past the gate, whose verdict stays what it was. ``reason`` stays in the ledger.
    Raises ``NotFound`` for an unknown model or version, ``InvalidRequest`` without a reason.
    """
    runtime = runtime or get_runtime()
    gate_overruled = {"gate": "overruled by hand"} if get_model(model).learning else {}
    reason = checked_reason(reason)
    now = runtime.clock()
    start = effective_from or now
    with begin(runtime.engine) as conn:
        written = champions.promote(
            conn,
            model=model,
            version=version,
            effective_from=start,
            reason=reason,
            evidence=gate_overruled if evidence is None else evidence,
            actor=actor,
            now=now,
            lead=runtime.settings.lead,
        )
        gate = gate_of(conn, model, version)
    return {
        "model": model,
        "version": version,
        "effective_from": start.isoformat(),
        "written": written,
        "gate": gate,
    }


def checked_reason(reason: str) -> str:
    """Without blanks around it. Raises ``InvalidRequest``."""
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidRequest(
            "The reason is empty or too long.",
            remedy=f"Say why in 1 to {LONGEST_REASON} characters; it stands in the ledger.",
            field="reason",
        )
    return reason
