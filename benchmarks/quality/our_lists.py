"""Daybreak's own lists as of a day: trained, judged by the default gate, asked by the scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from benchmarks.quality.past import LENGTH, Asked, Ints
from benchmarks.stages import Stages
from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.interactions import read_events
from daybreak.models import get_learning, get_model
from daybreak.models.base import Day, Given, Questions, SnapshotRows, Span, Trained
from daybreak.models.recommendations.learn.train import SEED, Options, train_events
from daybreak.registry.artifact import Artifact
from daybreak.scoring.engines.predictor import Predictor

MODEL, OURS = "recommendations", "daybreak"
NOBODY = ""
AT_ONCE = 100


def our_lists(
    conn: Connection,
    as_of: AsOf,
    asked: Mapping[str, Asked],
    users: NDArray[np.object_],
    items: NDArray[np.object_],
    *,
    seed: int = SEED,
) -> tuple[dict[str, dict[str, Ints]], dict[str, Any]]:
    """Version to question to lists (q, LENGTH), and what it took.

    ``users``, ``items``: the names of the numbers in ``asked``. Versions as of the forecast: what
    is in force, the trees, the baseline.
    """
    stages, learning = Stages(), get_learning(MODEL)
    artifact, passed = None, False
    versions: dict[str, Artifact] = {}
    try:
        with stages.stage("train"):
            events = read_events(conn, as_of, days=Options().numbers.history_days)
            artifact = _artifact(train_events(events, as_of.business_date, seed=seed))
    except NoData as error:
        reason = error.message
    else:
        verdict = learning.judge(conn, as_of, artifact, None)
        passed, reason = verdict.passed, verdict.reason
        versions["daybreak_trees"] = artifact
    baseline = learning.baseline(conn, as_of, challenger=artifact)
    if baseline is None:
        raise ValueError(f"the model has no baseline at {as_of.business_date}")
    versions["daybreak_baseline"] = _artifact(baseline.trained)
    with stages.stage("lists"):
        found = {
            name: _lists(conn, as_of, version, asked, users=users, items=items)
            for name, version in versions.items()
        }
    found[OURS] = found["daybreak_trees" if passed else "daybreak_baseline"]
    about = {
        "passed": passed,
        "reason": reason,
        "baseline": baseline.trained.manifest["baseline"],
        "seconds": sum(stages.seconds.values()),
        "peak_mb": max(stages.peak_mb.values()),
    }
    return found, about


def _artifact(trained: Trained) -> Artifact:
    return Artifact(MODEL, "bench", trained.booster or b"", trained.manifest, trained.files)


def _lists(
    conn: Connection,
    as_of: AsOf,
    version: Artifact,
    asked: Mapping[str, Asked],
    *,
    users: NDArray[np.object_],
    items: NDArray[np.object_],
) -> dict[str, Ints]:
    """By the snapshot and the scorer that batch and endpoint use, question by question."""
    model = get_model(MODEL)
    options = dict(version.manifest.get("options", {}))
    context = model.night.shared(conn, as_of, options, ()).context
    wanted = {NOBODY} | {str(users[n]) for of in asked.values() for n in of.user if n >= 0}
    span = Span(as_of, options, (np.array(sorted(wanted), object),))
    rows: dict[str, tuple[SnapshotRows, int]] = {}
    for batch in model.night.rows(conn, span, context, {}):
        rows |= {str(name): (batch, place) for place, name in enumerate(batch.keys[0])}
    scorer = model.scorer(version, Day(as_of.business_date, context, options))
    predictor = Predictor(version, threads=1) if version.engine != "none" else None
    number = {str(name): place for place, name in enumerate(items)}
    found = {}
    for name, of in asked.items():
        lists = np.full((len(of), LENGTH), -1, np.int64)
        names = [str(users[user]) if user >= 0 else NOBODY for user in of.user]
        at = [rows.get(user, rows[NOBODY]) for user in names]
        # Questions go with the batch of rows in which their user stands.
        order = sorted(range(len(of)), key=lambda n: (id(at[n][0]), n))
        for first in range(0, len(order), AT_ONCE):
            part = order[first : first + AT_ONCE]
            for batch in {id(at[n][0]): at[n][0] for n in part}.values():
                mine = [n for n in part if at[n][0] is batch]
                questions = Questions(
                    np.array([at[n][1] for n in mine]),
                    {
                        "session": _objects([[str(items[i]) for i in of.session[n]] for n in mine]),
                        "exclude_purchased": _objects([of.new] * len(mine)),
                        "k": _objects([LENGTH] * len(mine)),
                    },
                )
                made = scorer.rows(Given(batch), questions)
                margins = np.empty((len(made.features), 0), np.float32)
                if predictor is not None:
                    margins = predictor.batch(made.features)
                answers = made.answers(margins)
                for place, n in enumerate(mine):
                    listed = [number[str(item)] for item in answers.of(place)["item_id"]]
                    lists[n, : len(listed)] = listed
        found[name] = lists
    return found


def _objects(values: list[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), object)
    found[:] = values
    return found
