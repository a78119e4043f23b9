"""Try a version beside the one in force: for some of the entities, or unseen."""

from __future__ import annotations

from typing import Any

from daybreak.errors import InvalidRequest
from daybreak.jobs.promoting import checked_reason
from daybreak.ledger import trials
from daybreak.ledger.trials import Kind, Trial
from daybreak.models import get_model
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin, connect


def canary(
    model: str,
    version: str,
    percent: float,
    reason: str,
    *,
    actor: str,
    runtime: Runtime | None = None,
) -> bool:
    """Let a version answer for ``percent`` of the entities; whether that is new.

    Raises ``NotFound`` for an unknown model or version, ``InvalidRequest`` where the model decides
    about events, where its requests are about no entity, without a reason, and for a share that is
    none.
    """
    if _tried(model).endpoint.entity is None:
        raise InvalidRequest(
            f"Requests of {model} are about no entity, so there is no share of them.",
            remedy=f"`daybreak models shadow {model} {version}` asks it beside the champion.",
            field="model",
        )
    if not 0 < percent <= 100:
        raise InvalidRequest(
            f"{percent:g} % is no share of the entities.",
            remedy="Give a number above 0 and up to 100; `daybreak models stop` ends it.",
            field="share",
        )
    trial = Trial(version, percent / 100)
    return _start(model, "canary", trial, reason, actor=actor, runtime=runtime)


def shadow(
    model: str, version: str, reason: str, *, actor: str, runtime: Runtime | None = None
) -> bool:
    """Ask a version beside what answers; whether that is new. Raises as ``canary`` does."""
    _tried(model)
    return _start(model, "shadow", Trial(version, 1.0), reason, actor=actor, runtime=runtime)


def stop(
    model: str, kind: Kind, reason: str, *, actor: str, runtime: Runtime | None = None
) -> bool:
    """End what is tried; whether there was something to end."""
    runtime = runtime or get_runtime()
    get_model(model)
    with begin(runtime.engine) as conn:
        return trials.stop(
            conn,
            model=model,
            kind=kind,
            reason=checked_reason(reason),
            actor=actor,
            now=runtime.clock(),
            lead=runtime.settings.lead,
        )


def listed(model: str | None = None, runtime: Runtime | None = None) -> list[dict[str, Any]]:
    """What was and is tried of a model, or of all, the newest first."""
    runtime = runtime or get_runtime()
    if model is not None:
        get_model(model)
    with connect(runtime.engine) as conn:
        return trials.listed_trials(conn, model)


def _tried(model: str) -> AnyModel:
    """The model, where versions of it can be tried.

    A decision is kept, and answers whoever asks about the event again: one of a version that is
    only tried would be the decision about its event for good.
    """
    found = get_model(model)
    if found.decides:
        raise InvalidRequest(
            f"{model} decides about events, and models that decide take no trials yet.",
            remedy=f"`daybreak models promote {model} VERSION` puts a version in force.",
            field="model",
        )
    return found


def _start(
    model: str,
    kind: Kind,
    trial: Trial,
    reason: str,
    *,
    actor: str,
    runtime: Runtime | None,
) -> bool:
    runtime = runtime or get_runtime()
    with begin(runtime.engine) as conn:
        return trials.start(
            conn,
            model=model,
            kind=kind,
            trial=trial,
            reason=checked_reason(reason),
            actor=actor,
            now=runtime.clock(),
            lead=runtime.settings.lead,
        )
