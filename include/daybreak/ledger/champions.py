"""The champion ledger: which version is in force from when, said when, by whom and why.

Append-only, on two clocks. ``effective_from`` is compared with a run's knowledge cutoff;
``recorded_at`` says when the entry was written. A replay of last Tuesday asks with Tuesday's
cutoff and gets Tuesday's champion, whichever was promoted since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, func, insert, select

from daybreak.errors import ConfigError, NoChampion, NotFound
from daybreak.ledger.serving import AT_ONCE, KEPT, Change, moment_after
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import champion, model_version


def champion_at(conn: Connection, model: str, cutoff: datetime) -> str:
    """The version in force at ``cutoff`` (aware): latest ``effective_from``, then latest entry.

    Raises ``NoChampion``.
    """
    version = _in_force(conn, model, _aware(cutoff, "cutoff"))
    if version is None:
        raise no_champion(model, cutoff)
    return version


def no_champion(model: str, cutoff: datetime) -> NoChampion:
    """The error where no version was in force at ``cutoff``."""
    return NoChampion(
        f"{model} has no champion as of {cutoff.isoformat()}.",
        remedy=f"`daybreak train {model}` makes one, or `daybreak models register {model}` and "
        "`daybreak models promote` where the model does not learn; "
        f"`daybreak models history {model}` shows from when each was in force.",
        model=model,
        cutoff=cutoff.isoformat(),
    )


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
    lead: timedelta = AT_ONCE,
) -> bool:
    """Make a registered version champion from ``effective_from`` on (aware, may be in the past).

    Requests that it answers follow ``lead`` later, everywhere at once, or at ``effective_from``
    where that is to come; the first champion at once.

    Returns whether an entry was written: promoting the version already in force at that moment
    changes nothing. Promotions of one model wait for each other until the transaction ends.
    Raises ``NotFound`` for a version that is not registered.
    """
    _aware(effective_from, "effective_from")
    hold_ledger(conn, model)
    check_registered(conn, model, version)
    if _in_force(conn, model, effective_from) == version:
        return False
    first = conn.scalar(select(~exists().where(champion.c.model == model)))
    conn.execute(
        insert(champion).values(
            model=model,
            version=version,
            effective_from=effective_from,
            recorded_at=_aware(now, "now"),
            actor=actor,
            reason=reason,
            evidence=dict(evidence),
            serve_from=moment_after(max(AT_ONCE if first else lead, effective_from - now)),
        )
    )
    return True


def served_versions(conn: Connection, model: str) -> list[Change[str]]:
    """The version that answers requests of a model without nightly runs, after those before it and
    before those to come, by moment. No entry: there never was one.
    """
    moment = func.coalesce(champion.c.serve_from, champion.c.effective_from).label("moment")
    entries = select(champion.c.version, champion.c.effective_from, champion.c.entry_id, moment)
    entries = entries.where(champion.c.model == model)
    rank = (champion.c.effective_from.desc(), champion.c.entry_id.desc())
    past = entries.where(moment <= func.statement_timestamp()).order_by(*rank).limit(KEPT)
    coming = entries.where(moment > func.statement_timestamp())
    found = conn.execute(past.union_all(coming).order_by("moment")).all()
    order = sorted(found, key=lambda one: (one.effective_from, one.entry_id))
    # Written later for an earlier time, an entry changes nothing.
    return [
        Change(one.moment, one.version)
        for place, one in enumerate(order)
        if not any(later.moment <= one.moment for later in order[place + 1 :])
    ]


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


def check_registered(conn: Connection, model: str, version: str) -> None:
    """Raises ``NotFound`` unless the version is there, files and all."""
    registered = select(model_version.c.version).where(
        model_version.c.model == model,
        model_version.c.version == version,
        model_version.c.pruned_at.is_(None),
    )
    if conn.scalar(registered) is None:
        raise NotFound(
            f"{model} has no version {version}, so it cannot answer.",
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
