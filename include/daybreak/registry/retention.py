"""Versions that nothing needs any more, and how their files go.

A version stays where it was champion for any cutoff within the window, where a generation whose
rows are kept was scored by it, and while it is young. Its line in ``ops.model_version`` stays
always: the ledger, verdicts and receipts go on naming it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, text, update

from daybreak.ledger.champions import hold_ledger
from daybreak.registry.registry import Registry
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import model_version

_VERSIONS = text(
    """
    SELECT model, version, files
    FROM ops.model_version AS old
    WHERE pruned_at IS NULL AND registered_at < :before
        AND NOT EXISTS (
            SELECT FROM ops.generation AS kept
            WHERE kept.model = old.model AND kept.version = old.version
                AND kept.swept_at IS NULL AND kept.state <> 'rejected'
                AND kept.generation_id <> ALL (:without)
        )
        AND NOT EXISTS (
            SELECT FROM (
                SELECT version, recorded_at, lead(effective_from) OVER (
                    ORDER BY effective_from, entry_id
                ) AS until
                FROM ops.champion
                WHERE champion.model = old.model
            ) AS entry
            WHERE entry.version = old.version
                AND (until IS NULL OR until >= :before OR recorded_at >= :before)
        )
        AND NOT EXISTS (
            SELECT FROM (
                SELECT version, lead(serve_from) OVER (
                    PARTITION BY kind ORDER BY entry_id
                ) AS until
                FROM ops.trial
                WHERE trial.model = old.model
            ) AS tried
            WHERE tried.version = old.version AND (until IS NULL OR until >= :before)
        )
    ORDER BY model, version
    """
)


def expired_versions(
    conn: Connection, before: datetime, without: Iterable[int] = ()
) -> dict[tuple[str, str], list[str]]:
    """Model and version of those past the window, with the names of their files.

    ``without``: generations to be taken for gone.
    """
    found = conn.execute(_VERSIONS, {"before": before, "without": list(without)})
    return {(row.model, row.version): sorted(row.files) for row in found}


def prune_versions(registry: Registry, before: datetime) -> list[tuple[str, str]]:
    """Remove the files of ``expired_versions``; returns those that went.

    One transaction each, which keeps others from promoting it. Killed in between, files are gone
    of a version that is still listed: the next time ends it.
    """
    with connect(registry.engine) as conn:
        planned = expired_versions(conn, before)
    gone = []
    for model, version in planned:
        with begin(registry.engine) as conn:
            hold_ledger(conn, model)
            files = expired_versions(conn, before).get((model, version))
            if files is None:
                continue
            for name in files:
                registry.store.delete(f"{model}/{version}/{name}")
            conn.execute(
                update(model_version)
                .where(model_version.c.model == model, model_version.c.version == version)
                .values(pruned_at=registry.clock())
            )
        gone.append((model, version))
    return gone
