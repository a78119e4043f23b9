"""The champion ledger: which version is in force from when, said when, by whom and why.

Append-only, on two clocks. ``effective_from`` is compared with a run's knowledge cutoff;
``recorded_at`` says when the entry was written. A replay of last Tuesday asks with Tuesday's
cutoff and gets Tuesday's champion, whichever was promoted since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from daybreak.errors import ConfigError, NoChampion, NotFound
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import champion, model_version


def champion_at(conn: Connection, model: str, cutoff: datetime) -> str:
    """The version in force at ``cutoff`` (aware): latest ``effective_from``, then latest entry.

    Raises ``NoChampion``.
    """
    version = _in_force(conn, model, _aware(cutoff, "cutoff"))
    if version is None:
        raise NoChampion(
            f"{model} has no champion as of {cutoff.isoformat()}.",
            remedy=f"`daybreak train {model}` makes one, or `daybreak models register {model}` and "
            "`daybreak models promote` where the model does not learn; "
            f"`daybreak models history {model}` shows from when each was in force.",
            model=model,
            cutoff=cutoff.isoformat(),
        )
    return version


def promote(
    conn: Connection,
    *,
    model: str,
    version: str,
    effective_from: datetime,
    reason: str,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> bool:
    """Make a registered version champion from ``effective_from`` on (aware, may be in the past).

    Returns whether an entry was written: promoting the version already in force at that moment
    changes nothing. Promotions of one model wait for each other until the transaction ends.
    Raises ``NotFound`` for a version that is not registered.
    """
    _aware(effective_from, "effective_from")
    hold_ledger(conn, model)
    _check_registered(conn, model, version)
    if _in_force(conn, model, effective_from) == version:
        return False
    conn.execute(
        insert(champion).values(
            model=model,
            version=version,
            effective_from=effective_from,
            recorded_at=_aware(now, "now"),
            actor=actor,
            reason=reason,
            evidence=dict(evidence),
        )
    )
    return True


def history(conn: Connection, model: str) -> list[dict[str, Any]]:
    """All entries in the order in which they take effect, each with ``until``.

    ``until`` is when the next one takes over, None for the last. An entry whose ``until`` equals
    its ``effective_from`` was replaced before any run could use it.
    """
    order = (champion.c.effective_from, champion.c.entry_id)
    until = func.lead(champion.c.effective_from).over(order_by=order).label("until")
    query = select(champion, until).where(champion.c.model == model).order_by(*order)
    return [dict(row) for row in conn.execute(query).mappings()]


def hold_ledger(conn: Connection, model: str) -> None:
    """Lock promotions of this model until the transaction ends."""
    hold(conn, f"champion:{model}")


def _in_force(conn: Connection, model: str, moment: datetime) -> str | None:
    return conn.scalar(
        select(champion.c.version)
        .where(champion.c.model == model, champion.c.effective_from <= moment)
        .order_by(champion.c.effective_from.desc(), champion.c.entry_id.desc())
        .limit(1)
    )


def _check_registered(conn: Connection, model: str, version: str) -> None:
    registered = select(model_version.c.version).where(
        model_version.c.model == model,
        model_version.c.version == version,
        model_version.c.pruned_at.is_(None),
    )
    if conn.scalar(registered) is None:
        raise NotFound(
            f"{model} has no version {version}, so it cannot be champion.",
            remedy=f"`daybreak models list {model}` shows those that are registered.",
            model=model,
            version=version,
        )


def _aware(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ConfigError(
            f"{name} {moment.isoformat()} has no time zone.",
            remedy="Give an aware datetime, such as 2026-01-02T02:00:00+00:00.",
            field=name,
        )
    return moment
