"""A challenger from the facts of the day, and the gate through which it may become champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from daybreak.clock import AsOf, written_date
from daybreak.errors import NoChampion, NoData
from daybreak.facts.days import newest_closed_day
from daybreak.histogram import ASKED
from daybreak.jobs.addresses import KnownAddress, stored_as_of
from daybreak.jobs.inputs import as_of
from daybreak.jobs.options import model_options
from daybreak.jobs.registering import register_trained
from daybreak.ledger.champions import champion_at, promote
from daybreak.ledger.verdicts import BASELINE, record_verdict
from daybreak.models import get_learning, get_model, model_names
from daybreak.models.base import Baseline, Headline, Options, Progress, Verdict, logged
from daybreak.models.offered import absent, expect_carried
from daybreak.monitoring.steps import measured
from daybreak.registry.artifact import Artifact
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin, connect


class Challenger(KnownAddress):
    """A registered version that is not champion yet, and what it was trained on."""

    model: str
    version: str


class Outcome(Challenger):
    """What became of a challenger at the gate.

    ``promoted``: it is champion now. ``refused``: it is not as good as it has to be. ``in_force``:
    it was champion already, and nothing was measured. ``champion``: the version in force
    afterwards, a baseline where there was none before; empty where there is none.
    """

    outcome: Literal["promoted", "refused", "in_force"]
    reason: str
    champion: str


def learning_models(runtime: Runtime | None = None) -> list[str]:
    """The models that learn, by name, but those that the data set cannot carry."""
    runtime = runtime or get_runtime()
    without = absent(runtime.settings.dataset)
    return [name for name in model_names() if name not in without and get_model(name).learning]


def models_to_train(
    alarms: Sequence[Mapping[str, Any]], runtime: Runtime | None = None
) -> list[str]:
    """As ``learning_models``; where ``alarms`` (``drift.measure``) led here, those of them alone.

    An alarm of what was asked alone is left out: training sees no requests.
    """
    learning = learning_models(runtime)
    if not alarms:
        return learning
    drifted = {
        alarm.get("model")
        for alarm in alarms
        if not all(name.startswith(f"{ASKED} ") for name in alarm.get("raised") or [""])
    }
    return [name for name in learning if name in drifted]


def train(
    model: str, business_date: str, progress: Progress = logged, runtime: Runtime | None = None
) -> Challenger:
    """Train as of the newest closed day up to ``business_date`` (ISO 8601) and register.

    The same facts give the same version, so running it twice registers one. Where there is too
    little to learn from and nothing in force, the version is a baseline. Raises ``NoData`` where
    no such day is closed, ``NotCarried`` where the data set lacks what the model needs.
    """
    runtime = runtime or get_runtime()
    expect_carried(get_model(model).name, runtime.settings.dataset)
    learning, options = get_learning(model), model_options(runtime, model)
    with measured(runtime.metrics, runtime.clock, f"{model}.train"):
        with connect(runtime.engine) as conn:
            day = _newest_closed(conn, written_date(business_date))
            known = as_of(
                conn, model, day, settings=runtime.settings, now=runtime.clock(), with_scores=False
            )
            progress(f"Training {model} on what was known of {day}")
            try:
                trained = learning.train(conn, known, progress, options)
            except NoData as error:
                meanwhile = _without_learning(conn, model, known, options)
                if meanwhile is None:
                    raise
                progress(f"{error.message} Until there is enough, a baseline answers.")
                trained = meanwhile.trained
        version = register_trained(runtime, model, trained)
        progress(f"Registered {version}")
    return {
        "model": model,
        "version": version,
        "business_date": day.isoformat(),
        "cutoff": known.cutoff.isoformat(),
    }


def pass_the_gate(
    challenger: Challenger,
    actor: str = "train_models",
    progress: Progress = logged,
    runtime: Runtime | None = None,
) -> Outcome:
    """Make the challenger champion from the cutoff of its training day on, if the gate lets it.

    A refusal is an outcome, not an error. The verdict is kept either way, with the reason and what
    was measured; where it is a pass, the ledger has them too. Where it is a refusal and nothing is
    in force, the model's best baseline becomes champion, so that there is something to publish.
    """
    runtime = runtime or get_runtime()
    name, version = challenger["model"], challenger["version"]
    known = stored_as_of(challenger)
    learning = get_learning(name)
    with measured(runtime.metrics, runtime.clock, f"{name}.gate"):
        with connect(runtime.engine) as conn:
            champion = _champion(conn, runtime, name, known.cutoff)
            if champion is not None and champion.version == version:
                reason = "It is champion already."
                return {**challenger, "outcome": "in_force", "reason": reason, "champion": version}
            artifact = runtime.registry.load(name, version)
            if BASELINE in artifact.manifest:
                verdict = _of_baseline(artifact, champion, None)
            else:
                verdict = learning.judge(conn, known, artifact, champion, progress)
            meanwhile = None
            if not verdict.passed and champion is None:
                options = model_options(runtime, name)
                meanwhile = learning.baseline(conn, known, options, artifact)
        _decide(runtime, artifact, verdict, known.cutoff, actor)
        in_force = version if verdict.passed else champion.version if champion else ""
        if meanwhile is not None:
            in_force = register_trained(runtime, name, meanwhile.trained)
            artifact = runtime.registry.load(name, in_force)
            stands_in = _of_baseline(artifact, None, meanwhile.headline)
            _decide(runtime, artifact, stands_in, known.cutoff, actor)
            progress(f"{stands_in.reason} ({in_force})")
    outcome: Literal["promoted", "refused"] = "promoted" if verdict.passed else "refused"
    runtime.metrics.incr(f"{name}.gate.{outcome}")
    progress(verdict.reason)
    said = verdict.reason[:400]
    return {**challenger, "outcome": outcome, "reason": said, "champion": in_force}


def _of_baseline(
    artifact: Artifact, champion: Artifact | None, headline: Headline | None
) -> Verdict:
    """A baseline answers where nothing else does, and is not measured against what does."""
    name = artifact.manifest[BASELINE]
    if champion is None:
        reason = f"The baseline {name} answers until a version passes the gate."
    else:
        reason = f"Refused: the baseline {name} does not replace {champion.version}."
    return Verdict(champion is None, reason, {BASELINE: name}, headline)


def _decide(
    runtime: Runtime, judged: Artifact, verdict: Verdict, cutoff: datetime, actor: str
) -> None:
    """Keep the verdict, and promote where it is a pass."""
    said: dict[str, Any] = {
        "model": judged.model,
        "version": judged.version,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
        "actor": actor,
        "now": runtime.clock(),
    }
    headline = asdict(verdict.headline) if verdict.headline else None
    with begin(runtime.engine) as conn:
        record_verdict(conn, passed=verdict.passed, headline=headline, **said)
        if verdict.passed:
            promote(conn, effective_from=cutoff, lead=runtime.settings.lead, **said)


def _without_learning(
    conn: Connection, model: str, known: AsOf, options: Options
) -> Baseline | None:
    """The baseline of a model that has nothing in force and too little to learn from."""
    if _version_in_force(conn, model, known.cutoff) is not None:
        return None
    return get_learning(model).baseline(conn, known, options)


def _newest_closed(conn: Connection, through: date) -> date:
    day = newest_closed_day(conn, through)
    if day is None:
        raise NoData(
            f"No business day up to {through} is closed, so there is nothing to train on.",
            remedy="`daybreak ingest` loads the data set's files and closes their days.",
            business_date=through.isoformat(),
        )
    return day


def _champion(conn: Connection, runtime: Runtime, model: str, cutoff: datetime) -> Artifact | None:
    version = _version_in_force(conn, model, cutoff)
    return None if version is None else runtime.registry.load(model, version)


def _version_in_force(conn: Connection, model: str, cutoff: datetime) -> str | None:
    try:
        return champion_at(conn, model, cutoff)
    except NoChampion:
        return None
