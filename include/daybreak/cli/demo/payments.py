"""Payments of one day, sent to the prediction service in the order of their time."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from http.client import HTTPConnection, HTTPException
from threading import Condition
from typing import Any

from daybreak.cli.demo.ask import FRESH_PATIENCE_SECONDS, Service
from daybreak.errors import PlatformError
from daybreak.jobs.ingest import dataset
from daybreak.runtime import Runtime
from daybreak.sources.synthetic.payments import PaymentOptions, Payments, payment_options

STREAM = "payments"
GENERATOR = "payments"
MOST = 2_000
CONNECTIONS = 4
AGAIN = frozenset({401, 503})
"""Answers of a service that does not know the key or the version yet, or is busy."""

Json = dict[str, Any]
Listener = Callable[[int], None]
"""Called with how many were answered."""


@dataclass(frozen=True)
class Drawn:
    """Payments in the order of their time, as the service takes them.

    ``fraud``: whether each is one, which only the generator knows.
    """

    day: date
    forms: list[Json]
    fraud: list[bool]


@dataclass(frozen=True)
class Decided:
    """What the service said of them. ``seconds``: that it took in all."""

    drawn: Drawn
    answers: list[Json]
    seconds: float

    @property
    def decisions(self) -> list[str]:
        """Of each."""
        return [answer["predictions"][0]["decision"] for answer in self.answers]


def left_out(runtime: Runtime, day: date) -> str | None:
    """Why no payments of ``day`` can be sent; None where they can."""
    options = _options(runtime)
    if options.end + timedelta(days=1) != day:
        return (
            f"its past payments end on {options.end}, and not on the day before {day} "
            "(DAYBREAK_PAYMENTS_END)"
        )
    keep = runtime.settings.keep_events_days
    if (runtime.clock().date() - day).days >= keep:
        return f"{day} is {keep} days ago or more (DAYBREAK_KEEP_EVENTS_DAYS)"
    return None


def drawn(runtime: Runtime, day: date) -> Drawn:
    """The first payments of a day, by the generator whose earlier days are loaded.

    They follow each other, so that what belongs together, such as a burst of a card, is in them.
    """
    payments = Payments(_options(runtime).model_copy(update={"end": day}))
    forms = [
        {
            "event_id": one["event_id"],
            "event_at": one["event_at"].isoformat(),
            "keys": {"card": one["card"], "terminal": one["terminal"]},
            "amounts": {"amount": one["amount"]},
            "attributes": {"channel": one["channel"], "distance": one["distance"]},
            "record": True,
        }
        for one in payments.events(day)[:MOST]
    ]
    ids, _, _, fraud = payments.chances(day)
    known = dict(zip(ids, fraud.tolist(), strict=True))
    return Drawn(day, forms, [known[form["event_id"]] for form in forms])


def decide(service: Service, model: str, asked: Drawn, listen: Listener) -> Decided:
    """Ask about each, to be recorded, over a few connections.

    Equal payments get equal decisions, however the connections take turns: one waits until those
    before it that share its card or its terminal were answered, and sees no other. Raises
    ``PlatformError`` where the service does not answer.
    """
    line = _Line(asked.forms)
    answers: list[Json] = [{} for _ in asked.forms]

    def send() -> None:
        with closing(service.connection()) as connection:
            while (taken := line.take()) is not None:
                place, form = taken
                try:
                    answers[place] = _posted(
                        connection, f"/v1/models/{model}/predict", service.headers, form
                    )
                except BaseException:
                    line.stop()
                    raise
                finally:
                    answered = line.done(form)
                listen(answered)

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for sender in [pool.submit(send) for _ in range(CONNECTIONS)]:
            sender.result()
    return Decided(asked, answers, time.monotonic() - began)


def label(service: Service, fraud: Mapping[str, bool]) -> list[Json]:
    """Say of events whether they were fraud; returns the entries of the log."""
    body = {"labels": [{"event_id": name, "fraud": said} for name, said in fraud.items()]}
    with closing(service.connection()) as connection:
        answer = _posted(connection, f"/v1/streams/{STREAM}/labels", service.headers, body)
    entries: list[Json] = answer["entries"]
    return entries


class _Line:
    """Payments in order, of which each is given out once none that shares a key is under way."""

    def __init__(self, forms: Sequence[Json]) -> None:
        self._left = deque(enumerate(forms))
        self._busy: set[tuple[str, str]] = set()
        self._answered = 0
        self._changed = Condition()

    def take(self) -> tuple[int, Json] | None:
        """The next one with its place; None where there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._left or self._is_free(self._left[0][1]))
            if not self._left:
                return None
            place, form = self._left.popleft()
            self._busy |= form["keys"].items()
            return place, form

    def done(self, form: Json) -> int:
        """One that was given out was answered; returns how many were."""
        with self._changed:
            self._busy -= form["keys"].items()
            self._answered += 1
            self._changed.notify_all()
            return self._answered

    def stop(self) -> None:
        """Give out no more."""
        with self._changed:
            self._left.clear()
            self._changed.notify_all()

    def _is_free(self, form: Json) -> bool:
        return self._busy.isdisjoint(form["keys"].items())


def _posted(connection: HTTPConnection, path: str, headers: Mapping[str, str], body: Json) -> Json:
    """The answer, asked for again where none came: what is sent twice counts once."""
    give_up = time.monotonic() + FRESH_PATIENCE_SECONDS
    while True:
        try:
            connection.request("POST", path, json.dumps(body).encode(), dict(headers))
            response = connection.getresponse()
            status, said = response.status, response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            status, said = 503, repr(error).encode()
        if status == 200:
            answer: Json = json.loads(said)
            return answer
        if status not in AGAIN or time.monotonic() > give_up:
            raise PlatformError(
                f"The prediction service answered {status} to POST {path}: "
                f"{said.decode(errors='replace')[:500]}",
                remedy="See logs/serving.log in the state folder.",
            )
        time.sleep(0.5)


def _options(runtime: Runtime) -> PaymentOptions:
    return payment_options(dataset(runtime).generators[GENERATOR])
