"""Past payments with a version of the fraud model in force, in a warehouse of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.facts import temporary_server
from benchmarks.online.drill import say
from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.models.fraud.learn.examples import read_examples
from daybreak.models.fraud.learn.train import Trees, trained
from daybreak.models.fraud.model import MODEL
from daybreak.platform.postgres import Postgres
from daybreak.runtime import Runtime, system_clock
from daybreak.settings import Settings
from daybreak.signals.log import settle
from daybreak.signals.stream import Stream, read_stream
from daybreak.signals.tiles import build_tiles
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.warehouse.engine import begin, connect

SPEC = """
name: bank
generators:
  payments: {{seed: 7, cards: {cards}, terminals: {terminals}, start: {start}, end: {end},
             timezone: UTC}}
calendar: {{timezone: UTC}}
streams:
  name: payments
  generator: payments
  keys: [card, terminal]
  amounts: [amount]
  attributes: {{channel: text, distance: number}}
labels: {{stream: payments, generator: payments}}
"""


@dataclass(frozen=True)
class Books:
    """How much there is. ``rounds``: of trees at most."""

    cards: int = 5_000
    terminals: int = 10_000
    days: int = 45
    rounds: int = 800


@dataclass(frozen=True)
class Bank:
    """A warehouse whose stream ``payments`` is live, with its tiles built, and a champion."""

    runtime: Runtime
    postgres: Postgres
    books: Books
    stream: Stream


@contextmanager
def bank(books: Books) -> Iterator[Bank]:
    """Payments up to yesterday."""
    yesterday = system_clock().date() - timedelta(days=1)
    with (
        temporary_server() as (postgres, engine),
        TemporaryDirectory(prefix="dbk-bench-") as home,
    ):
        spec = Path(home) / "bank.yaml"
        first = yesterday - timedelta(days=books.days - 1)
        spec.write_text(
            SPEC.format(
                cards=books.cards,
                terminals=books.terminals,
                start=first,
                end=yesterday,
            )
        )
        url = engine.url.render_as_string(hide_password=False)
        runtime = Runtime(Settings(home=Path(home), warehouse_url=url, dataset=str(spec)))
        say(f"loading {books.days} days of {books.cards:,} cards")
        load_dataset(engine, load_spec(str(spec)), now=system_clock())
        version = _version(runtime, yesterday, books)
        promote(MODEL.name, version, "to be measured", actor="bench", runtime=runtime)
        with begin(engine) as conn:
            stream = read_stream(conn, "payments")
            settle(conn, stream, system_clock())
        with begin(engine) as conn:
            built = build_tiles(conn, stream)
        say(f"{built.tiles:,} tiles")
        yield Bank(runtime, postgres, books, stream)
        runtime.engine.dispose()


def _version(runtime: Runtime, through: date, books: Books) -> str:
    with connect(runtime.engine) as conn:
        known = AsOf(through, datetime.combine(through, datetime.max.time(), UTC))
        examples = read_examples(conn, known, say)
    made = trained(examples, through, trees=Trees(rounds=books.rounds), progress=say)
    return register_trained(runtime, MODEL.name, made)


class Payments:
    """Bodies of requests by number: a payment of now, different ones all.

    ``record``: whether each is appended. ``late``: of a thousand, so many happened up to two days
    ago; ``repeated``: so many were sent before.
    """

    def __init__(
        self, books: Books, *, record: bool = True, late: int = 0, repeated: int = 0, seed: int = 1
    ) -> None:
        draw = np.random.default_rng(seed)
        self._books = books
        self._record = record
        self._late, self._repeated = late, repeated
        self._name = f"{seed}-{system_clock().timestamp():.0f}"
        self._draws = draw.integers(0, 2**31, (4, 65_536)).tolist()
        self._sent: dict[int, bytes] = {}

    def __call__(self, number: int) -> bytes:
        place = number % 65_536
        card, terminal, amount, kind = (column[place] for column in self._draws)
        kind = (kind + number) % 1000
        if kind < self._repeated and number >= 100 and number - 100 in self._sent:
            return self._sent[number - 100]
        at = system_clock()
        if self._repeated <= kind < self._repeated + self._late:
            at -= timedelta(seconds=amount % 172_800)
        body = json.dumps(
            {
                "event_id": f"{self._name}-{number}",
                "event_at": at.isoformat(),
                "keys": {
                    "card": f"c{(card + number) % self._books.cards:06d}",
                    "terminal": f"t{(terminal + number) % self._books.terminals:05d}",
                },
                "amounts": {"amount": amount % 30_000 / 100},
                "attributes": {"channel": "web", "distance": card % 400 / 10},
                "record": self._record,
            }
        ).encode()
        if self._repeated:
            self._sent[number] = body
            self._sent.pop(number - 1000, None)
        return body
