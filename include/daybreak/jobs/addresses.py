"""What travels between the tasks of a run: small JSON objects that say where things are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NotRequired, TypedDict

from daybreak.clock import AsOf
from daybreak.errors import InvalidRequest

Knowledge = Literal["as_was", "latest"]
"""``as_was``: what the first run for the day knew. ``latest``: all that is known by now."""


class RunAddress(TypedDict):
    """One run: of which model, about which day. Dates and moments are ISO 8601 text."""

    run_key: str
    run_type: str
    model: str
    business_date: str
    knowledge: Knowledge
    queued_at: NotRequired[str | None]


class PlannedAddress(RunAddress):
    """A run whose snapshot is cut into ``shards``, of which ``to_read`` are read by themselves.

    Both are 0 where the snapshot is there already.
    """

    cutoff: str
    snapshot_id: int
    shards: int
    to_read: int


class SnapshotAddress(RunAddress):
    """A run that has its feature rows."""

    cutoff: str
    snapshot_id: int
    rows: int


class GenerationAddress(SnapshotAddress):
    """A run that has a generation to fill."""

    version: str
    generation_id: int


class KnownAddress(TypedDict):
    """A business date, and the knowledge cutoff that a run took for it."""

    business_date: str
    cutoff: str


class ShardAddress(TypedDict):
    """Snapshot rows ``first <= ordinal < last``."""

    shard: int
    first: int
    last: int


def run_address(
    *,
    run_key: str,
    run_type: str,
    model: str,
    business_date: date,
    knowledge: str = "as_was",
    queued_at: datetime | None = None,
) -> RunAddress:
    """The address of a run. Raises ``InvalidRequest`` for an unknown ``knowledge``."""
    if knowledge not in ("as_was", "latest"):
        raise InvalidRequest(
            f"knowledge is {knowledge!r}.",
            remedy="Say as_was (what the first run knew) or latest (all that is known by now).",
            field="knowledge",
        )
    return RunAddress(
        run_key=run_key,
        run_type=run_type,
        model=model,
        business_date=business_date.isoformat(),
        knowledge="latest" if knowledge == "latest" else "as_was",
        queued_at=queued_at.isoformat() if queued_at else None,
    )


def run_key(dag_id: str, run_id: str) -> str:
    """How a run of Airflow is named in ``ops``."""
    return f"{dag_id}/{run_id}"


def day_of(run: RunAddress) -> date:
    """The business date of an address."""
    return date.fromisoformat(run["business_date"])


def stored_as_of(address: KnownAddress) -> AsOf:
    """The bound on both clocks that a run took; ``jobs.inputs.as_of`` made it."""
    day, cutoff = address["business_date"], address["cutoff"]
    return AsOf(date.fromisoformat(day), datetime.fromisoformat(cutoff))


def queued_at_of(run: RunAddress) -> datetime | None:
    """When the run was due to start; None where it is not known (a backfill, the command line)."""
    text = run.get("queued_at")
    return datetime.fromisoformat(text) if text else None
