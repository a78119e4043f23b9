"""Our service through its full path: key, typed request, feature row, twin, link, JSON.

Its booster has as many trees as the peers', and as deep: four outputs of the sales forecast, on its
own features. *scored*: each request asks what would be at a price that nobody asked about before.
*cached*: the same few questions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np

from benchmarks.facts import CUTOFF
from benchmarks.online import service
from benchmarks.online.peers.booster import DEPTH, TREES
from benchmarks.online.peers.candidates import CHECKED, Candidate
from benchmarks.online.peers.load import MARK, Questions
from benchmarks.online.shop import Shop, Size, shop
from daybreak.jobs.publishing import publish
from daybreak.models import base
from daybreak.models.sales_forecast.link import SCORES
from daybreak.models.sales_forecast.model import MODEL
from daybreak.models.sales_forecast.request import ForecastRequest
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.snapshots import read_day, read_snapshot
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin, connect

SCORED, CACHED = "daybreak_scored", "daybreak_cached"
NAMES = (SCORED, CACHED)
FEW = 8
SIZE = Size(stores=10, items=50, rounds=TREES // len(SCORES), depth=DEPTH)
PACKAGES = ("daybreak", "flask", "gunicorn", "pydantic", "onnxruntime")


@contextmanager
def ours(names: Sequence[str], size: Size = SIZE) -> Iterator[list[Candidate]]:
    """Those of these names. Their warehouse runs until the end of the block; a worker reads each
    series from it once."""
    with shop(size) as made:
        publication = made.stage()
        publish(publication, made.runtime)
        published = sorted(made.scores(publication["generation_id"]))
        random.Random(1).shuffle(published)
        fields = ("store_id", "item_id", "target_date")
        planned = [json.dumps(dict(zip(fields, one, strict=True))) for one in published]
        bodies = {
            SCORED: [f'{body[:-1]}, "price": {MARK}}}' for body in planned],
            CACHED: planned[:FEW],
        }
        yield [_candidate(made, name, bodies[name]) for name in NAMES if name in names]


def _candidate(made: Shop, name: str, bodies: Sequence[str]) -> Candidate:
    with begin(made.runtime.engine) as conn:
        key = create_key(conn, "bench", CUTOFF).token
    asked = Questions(f"/v1/models/{MODEL.name}/predict", bodies, {"X-API-Key": key})
    return Candidate(
        name=name,
        versions=", ".join(f"{package} {version(package)}" for package in PACKAGES),
        command=service.command,
        env=service.environment(made.runtime),
        asked=asked,
        expected=_batch(made, [asked.body(number) for number in range(CHECKED)]),
        scores=lambda answer: [answer["predictions"][0][name] for name in SCORES],
    )


def _batch(made: Shop, bodies: Sequence[str]) -> Sequence[Sequence[float]]:
    """What the booster itself, all rows at once, answers to requests."""
    artifact = made.runtime.registry.load(MODEL.name, made.versions[0])
    with connect(made.runtime.engine) as conn:
        day = read_day(conn, MODEL, made.snapshot_id)
        snapshot = read_snapshot(conn, MODEL, made.snapshot_id, 0, made.size.series)
    requests = [ForecastRequest.model_validate_json(body) for body in bodies]
    keys = list(zip(*snapshot.keys, strict=True))
    place = np.array([keys.index((one.store_id, one.item_id)) for one in requests])
    asked = base.Questions.of(requests, place)
    rows = MODEL.scorer(artifact, day).rows(base.Given(snapshot), asked)
    columns = rows.answers(open_engine(artifact, threads=1).batch(rows.features)).columns
    return np.stack([columns[name] for name in SCORES], axis=1).tolist()
