"""Versions of the models for the command line: which is in force, and what the gate said."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from daybreak.errors import NoChampion
from daybreak.ledger.champions import champion_at, history
from daybreak.ledger.verdicts import mark, newest_verdict
from daybreak.models import get_model, model_names
from daybreak.models.offered import absent
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import connect

SHOWN = ("judged_at", "measure", "value", "baseline", "baseline_value")
"""Fields of a verdict that lists show, after its mark and its reason."""

_IN_USE = text(
    """
    SELECT model, version, newest, gate, basis
    FROM report.freshness
    ORDER BY model
    """
)


def absent_models(model: str | None = None, runtime: Runtime | None = None) -> dict[str, str]:
    """Of all models, or of one, those that the data set cannot carry, each with the reason."""
    runtime = runtime or get_runtime()
    found = absent(runtime.settings.dataset)
    return {name: why for name, why in found.items() if model in {None, name}}


def versions(model: str | None = None, runtime: Runtime | None = None) -> list[dict[str, Any]]:
    """The registered versions of a model, or of all, the newest first.

    Beside what the registry knows: ``champion`` (in force now), ``gate``, ``gate_reason`` and the
    main measure with the best baseline (None where the version was never judged); and ``absent``,
    why the data set cannot carry the model (None where it can).
    """
    runtime = runtime or get_runtime()
    without = absent_models(model, runtime)
    names = [get_model(model).name] if model else model_names()
    found = [entry for name in names for entry in runtime.registry.versions(name)]
    with connect(runtime.engine) as conn:
        champions = {name: champion_now(conn, name, runtime) for name in names}
        return [
            {
                **entry,
                "champion": entry["version"] == champions[entry["model"]],
                **_judged(conn, entry["model"], entry["version"]),
                "absent": without.get(entry["model"]),
            }
            for entry in found
        ]


def champion_history(model: str, runtime: Runtime | None = None) -> list[dict[str, Any]]:
    """The champion ledger of a model, each entry with what the gate said of its version."""
    runtime = runtime or get_runtime()
    get_model(model)
    with connect(runtime.engine) as conn:
        return [
            {**entry, **_judged(conn, model, entry["version"])} for entry in history(conn, model)
        ]


def champion_now(conn: Connection, model: str, runtime: Runtime) -> str | None:
    """The version in force now; None where there is none."""
    try:
        return champion_at(conn, model, runtime.clock())
    except NoChampion:
        return None


def published_versions(conn: Connection) -> list[dict[str, Any]]:
    """What is published newest of each model: ``version``, ``newest`` (its day), ``gate``, and
    ``basis``: what became of the scores that it was made from."""
    return [dict(row) for row in conn.execute(_IN_USE).mappings() if row["version"]]


def _judged(conn: Connection, model: str, version: str) -> dict[str, Any]:
    found = newest_verdict(conn, model, version)
    shown = {name: found[name] if found else None for name in SHOWN}
    return {"gate": mark(found), "gate_reason": found["reason"] if found else None, **shown}
