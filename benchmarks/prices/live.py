"""Prices that are asked for: how soon they are answered, and whether they are those of the night.

*Published*: a day of a series, and its price, as the night has them. *Of this moment*: each request
says what none before it said, a price of the forecast, a demand of prices, so that each answer is
computed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.online.load import Asking, in_turn
from benchmarks.online.service import service
from benchmarks.prices.shops import FORECAST, PRICES
from daybreak.clock import AsOf
from daybreak.facts.scores import read_scores
from daybreak.models import get_model
from daybreak.models.base import Progress
from daybreak.models.pricing.tables import KEYS, NUMBERS, TEXTS, scores
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin, connect

ROWS = 500
"""Questions of one request, where all are asked."""
TURNS = 2
WARM = 0.2
"""Of the seconds that are measured, before them."""
PATIENCE = 60
ALONE = 200
"""Proposals that are asked for one by one over HTTP."""

Columns = dict[str, NDArray[Any]]
Ask = Callable[[dict[str, Any]], Any]


def measure(runtime: Runtime, as_of: AsOf, seconds: float, progress: Progress) -> dict[str, Any]:
    """Over one connection to a gunicorn of two workers, each kind for ``seconds``."""
    with begin(runtime.engine) as conn:
        key = create_key(conn, "bench", runtime.clock(), scopes=["predict"]).token
    generation, published = _published(runtime, as_of)
    with service(runtime) as port:
        progress(f"asking over one connection, {seconds:.0f} s each")
        asking = {
            model: Asking(port, f"/v1/models/{model}/predict", key) for model in (FORECAST, PRICES)
        }
        series = list(zip(*(published[name].tolist() for name in KEYS), strict=True))
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            _wait(_http(connection, asking[PRICES]), published, generation)
        p50 = _p50(asking, series, as_of, seconds)
        some = np.linspace(0, len(series) - 1, min(ALONE, len(series))).astype(int)
        progress(f"asking for {len(some)} proposals one by one")
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            ask = _http(connection, asking[PRICES])
            over_http = _differing(ask, published, some, 1)
    return {
        "p50_ms": p50,
        "times": {kind: found[PRICES] / found[FORECAST] for kind, found in p50.items()},
        "over_http": {"asked": len(some), "differing": over_http},
    }


def asked_again(runtime: Runtime, as_of: AsOf) -> dict[str, int]:
    """Every proposal of the night, asked of the endpoint's scorer without a word of the moment."""
    generation, published = _published(runtime, as_of)
    answering = Runtime(runtime.settings, part="service")
    app = create_app(answering, authenticator=ApiKeys(answering), models=[get_model(PRICES)])
    with begin(runtime.engine) as conn:
        key = create_key(conn, "bench", runtime.clock(), scopes=["predict"]).token
    client, headers = app.test_client(), {"X-API-Key": key}

    def ask(body: dict[str, Any]) -> Any:
        answer = client.post(f"/v1/models/{PRICES}/predict", json=body, headers=headers)
        return answer.get_json()

    _wait(ask, published, generation)
    count = len(published["price"])
    found = {"asked": count, "differing": _differing(ask, published, np.arange(count), ROWS)}
    answering.engine.dispose()
    answering.lone_statements.dispose()
    return found


def _published(runtime: Runtime, as_of: AsOf) -> tuple[int, Columns]:
    """The proposals, and their generation."""
    with connect(runtime.engine) as conn:
        found = read_scores(conn, PRICES, scores, as_of, [*KEYS, *NUMBERS, *TEXTS])
    return found.generation_id, found.columns


def _wait(ask: Ask, published: Columns, generation: int) -> None:
    """Until the generation answers, which it does seconds after it was published."""
    question = {name: published[name][0] for name in KEYS}
    give_up = time.monotonic() + PATIENCE
    while ask(question).get("generation") != generation:
        if time.monotonic() > give_up:
            raise AssertionError(f"generation {generation} does not answer: {ask(question)}")
        time.sleep(0.1)


def _p50(
    asking: dict[str, Asking], series: Sequence[tuple[str, str]], as_of: AsOf, seconds: float
) -> dict[str, dict[str, float]]:
    """Milliseconds to an answer, by kind and model; both models take turns."""
    day = str(np.datetime64(as_of.business_date, "D") + 1)
    plain = {FORECAST: {"target_date": day}, PRICES: {}}
    moments = {FORECAST: ("price", 1.0, 1e-5), PRICES: ("demand", 1.0, 1e-6)}

    def body(model: str, moment: bool, number: int) -> bytes:
        said: dict[str, Any] = dict(zip(KEYS, series[number % len(series)], strict=True))
        said |= plain[model]
        if moment:
            name, least, step = moments[model]
            said[name] = round(least + step * (number + 1), 6)
        return asking[model].request(json.dumps(said).encode())

    found: dict[str, dict[str, float]] = {}
    for kind, moment in (("published", False), ("of this moment", True)):
        took: dict[str, list[NDArray[np.float64]]] = {model: [] for model in asking}
        first = 0
        for model, part in list(product(asking, (WARM, 1 / TURNS))) * TURNS:
            make = partial(body, model, moment)
            seen = in_turn(asking[model], make, 1, part * seconds, first=first)
            if not seen.accepted.all():
                raise AssertionError(f"{model} answered {np.unique(seen.status)}")
            first += len(seen.seconds)
            if part != WARM:
                took[model].append(seen.seconds)
        found[kind] = {
            model: 1000 * float(np.median(np.concatenate(each))) for model, each in took.items()
        }
    return found


def _http(connection: HTTPConnection, asking: Asking) -> Ask:
    def ask(body: dict[str, Any]) -> Any:
        headers = {"X-API-Key": asking.key, "Content-Type": "application/json"}
        connection.request("POST", asking.path, json.dumps(body), headers)
        with connection.getresponse() as response:
            return json.load(response)

    return ask


def _differing(ask: Ask, published: Columns, rows: NDArray[np.int64], at_once: int) -> int:
    """How many of these proposals are answered with another number, bit for bit, or word."""
    differing = 0
    for first in range(0, len(rows), at_once):
        some = rows[first : first + at_once]
        questions = [{name: published[name][row] for name in KEYS} for row in some.tolist()]
        answers = [ask(questions[0])] if at_once == 1 else ask({"rows": questions})["answers"]
        for row, answer in zip(some.tolist(), answers, strict=True):
            differing += not _same(answer, published, row)
    return differing


def _same(answer: dict[str, Any], published: Columns, row: int) -> bool:
    predictions = answer.get("predictions", [])
    if answer.get("source") != "published" or len(predictions) != 1:
        return False
    (one,) = predictions
    numbers = np.array([one[name] for name in NUMBERS], np.float32)
    stored = np.array([published[name][row] for name in NUMBERS], np.float32)
    words = all(one[name] == published[name][row] for name in (*KEYS, *TEXTS))
    return words and numbers.tobytes() == stored.tobytes()
