"""Payments with planted fraud whose chance is known, so that a detector can be held against it.

Cards pay at terminals near home, and some patterns are drawn into that: bursts of a stolen card,
weeks of a terminal that copies cards, single high amounts, slow drains, takeovers at night. Each
payment then is fraud by the *chance* of the pattern that it is part of, so not every payment of a
pattern is: the order of the chances is the best that any detector can have. A pattern begins with
payments that are no frauds, as nobody could know of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from daybreak.clock import written_date
from daybreak.sources.arrow import array
from daybreak.sources.synthetic.options import checked_options

KINDS = ("none", "burst", "terminal", "high", "drain", "takeover")
CHANCE = {
    "none": 0.0003,
    "burst": 0.85,
    "terminal": 0.35,
    "high": 0.6,
    "drain": 0.7,
    "takeover": 0.7,
}
"""Of a payment to be fraud, by the pattern that it is part of."""

_COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    "streams": {
        "event_id": pa.string(),
        "event_at": pa.timestamp("us", "UTC"),
        "known_at": pa.timestamp("us", "UTC"),
        "card": pa.string(),
        "terminal": pa.string(),
        "amount": pa.float64(),
        "channel": pa.string(),
        "distance": pa.float64(),
    },
    "labels": {
        "event_id": pa.string(),
        "fraud": pa.bool_(),
        "known_at": pa.timestamp("us", "UTC"),
    },
}
SCHEMAS: Mapping[str, pa.Schema] = {name: pa.schema(columns) for name, columns in _COLUMNS.items()}
BATCH_ROWS = 65_536
LONGEST = 28
"""Days that a pattern lasts at most."""
QUIET = 2
"""Days, or payments of a card, that a pattern is seen before its frauds begin: of the first nobody
could know."""

Floats = NDArray[np.float64]
Day = Annotated[date, BeforeValidator(written_date)]


class PaymentOptions(BaseModel):
    """Equal options give equal bytes. A later ``end`` only adds days: earlier rows stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(7, ge=0, description="Everything random follows from it.")
    cards: int = Field(2000, ge=1, le=10_000_000)
    terminals: int = Field(400, ge=10, le=10_000_000)
    start: Day = Field(date(2026, 3, 1), description="First day with payments.")
    end: Day = Field(date(2026, 6, 30), description="Last day with payments.")
    timezone: str = "Europe/London"
    payments_per_day: float = Field(1.2, gt=0, description="Of a card, on average.")
    patterns: float = Field(1.0, ge=0, description="How many patterns, 1 being about 1 % frauds.")
    label_days: float = Field(4.0, gt=0, description="Median time until a fraud is known.")
    late_share: float = Field(0.01, ge=0, le=1, description="Payments that become known late.")
    repeated_share: float = Field(0.005, ge=0, le=1, description="Rows that come twice.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end < self.start:
            raise ValueError("`end` is before `start`")
        return self

    @property
    def days(self) -> int:
        """``start`` to ``end`` inclusive."""
        return (self.end - self.start).days + 1


def payment_options(values: Mapping[str, Any]) -> PaymentOptions:
    """Options from a data set file. Raises ``DatasetError`` that names every wrong field."""
    return checked_options(PaymentOptions, values, "payments")


@dataclass(frozen=True)
class DayOfPayments:
    """``n`` payments in order of time.

    ``seconds``: since local midnight. ``kind``: of ``KINDS``. ``known_after``,
    ``labelled_after``: seconds, of the event and then of its label.
    """

    card: NDArray[np.int64]
    terminal: NDArray[np.int64]
    seconds: Floats
    amount: Floats
    kind: NDArray[np.int64]
    fraud: NDArray[np.bool_]
    known_after: Floats
    labelled_after: Floats

    def __len__(self) -> int:
        return len(self.card)


@dataclass(frozen=True)
class _Drawn:
    """Payments of patterns: the day of each, beside what a day has."""

    day: NDArray[np.int64]
    card: NDArray[np.int64]
    terminal: NDArray[np.int64]
    seconds: Floats
    amount: Floats
    kind: NDArray[np.int64]


class _Paid(NamedTuple):
    """Payments of a pattern at terminals anywhere."""

    card: NDArray[np.int64]
    hours: Floats
    amount: Floats


@dataclass(frozen=True)
class Payments:
    """One set of payments. Nothing is drawn before it is asked for."""

    options: PaymentOptions

    def stream(self, section: str) -> Iterator[pa.RecordBatch]:
        """Batches of a table, a day after the other. ``KeyError`` for one not in ``SCHEMAS``."""
        make = {"streams": self._events, "labels": self._labels}[section]
        for number in range(self.options.days):
            table = make(number)
            for first in range(0, len(table), BATCH_ROWS):
                yield from table.slice(first, BATCH_ROWS).to_batches()

    def events(self, day: date) -> list[dict[str, Any]]:
        """The payments of a day without repeats, in order of time, one dictionary each."""
        rows: list[dict[str, Any]] = self._table((day - self.options.start).days).to_pylist()
        return rows

    def chances(self, day: date) -> tuple[list[str], Floats, NDArray[np.int64], NDArray[np.bool_]]:
        """The truth of a day: ids, the chance of each to be fraud, its kind, and whether it is."""
        number = (day - self.options.start).days
        found = self._day(number)
        chance = np.array([CHANCE[kind] for kind in KINDS])[found.kind]
        return _ids(number, len(found)), chance, found.kind, found.fraud

    # What does not change.

    @cached_property
    def _homes(self) -> Floats:
        return self._rng(0).uniform(0, 100, (self.options.cards, 2))

    @cached_property
    def _places(self) -> Floats:
        return self._rng(1).uniform(0, 100, (self.options.terminals, 2))

    @cached_property
    def _online(self) -> NDArray[np.bool_]:
        return self._rng(2).random(self.options.terminals) < 0.2

    @cached_property
    def _spends(self) -> Floats:
        return self._rng(3).lognormal(3.2, 0.6, self.options.cards)

    @cached_property
    def _rates(self) -> Floats:
        drawn = self._rng(4).gamma(2.0, 0.5, self.options.cards)
        return np.asarray(drawn * self.options.payments_per_day)

    @cached_property
    def _favourites(self) -> NDArray[np.int64]:
        """Terminals of each card: the nearest ones of some at random."""
        rng = self._rng(5)
        some = min(40, self.options.terminals)
        candidates = rng.integers(0, self.options.terminals, (self.options.cards, some))
        steps = self._places[candidates] - self._homes[:, None]
        nearest = np.argsort((steps**2).sum(axis=2), axis=1, kind="stable")[:, :8]
        return np.take_along_axis(candidates, nearest, axis=1)

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, *place])

    # Days.

    def _day(self, number: int) -> DayOfPayments:
        usual = self._usual(number)
        drawn = [self._patterns(first) for first in range(number - LONGEST + 1, number + 1)]
        parts = [usual]
        for one in drawn:
            here = one.day == number
            names = ("day", "card", "terminal", "seconds", "amount", "kind")
            parts.append(_Drawn(*(getattr(one, name)[here] for name in names)))
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("card", "terminal", "seconds", "amount", "kind")
        }
        order = np.lexsort((joined["amount"], joined["card"], joined["seconds"]))
        joined = {name: values[order] for name, values in joined.items()}
        kind = joined["kind"]
        copying = self._copying(number)
        kind[(kind == 0) & copying[joined["terminal"]]] = KINDS.index("terminal")
        rng = self._rng(7, number)
        chance = np.array([CHANCE[name] for name in KINDS])[kind]
        count = len(order)
        late = rng.random(count) < self.options.late_share
        lateness = np.where(rng.random(count) < 0.1, 86_400.0, 3_600.0) * rng.exponential(
            2.0, count
        )
        days = self.options.label_days * rng.lognormal(0, 0.6, count)
        return DayOfPayments(
            joined["card"],
            joined["terminal"],
            np.round(joined["seconds"], 3),
            np.maximum(np.round(joined["amount"], 2), 0.01),
            kind,
            rng.random(count) < chance,
            np.where(late, lateness, 0.0),
            np.clip(days, 0.5, 21) * 86_400,
        )

    def _usual(self, number: int) -> _Drawn:
        rng = self._rng(6, number)
        card = np.repeat(np.arange(self.options.cards), rng.poisson(self._rates))
        count = len(card)
        favourite = self._favourites[card, rng.integers(0, self._favourites.shape[1], count)]
        elsewhere = rng.integers(0, self.options.terminals, count)
        terminal = np.where(rng.random(count) < 0.1, elsewhere, favourite)
        seconds = np.clip(rng.normal(14, 3, count), 0, 23.99) * 3600
        amount = self._spends[card] * rng.lognormal(-0.1, 0.5, count)
        zeros = np.zeros(count, np.int64)
        return _Drawn(zeros + number, card, terminal, seconds, amount, zeros)

    def _copying(self, number: int) -> NDArray[np.bool_]:
        """Terminals that copy cards on a day."""
        found = np.zeros(self.options.terminals, bool)
        for first in range(number - LONGEST + 1, number + 1):
            terminals, days = self._copies(first)
            found[terminals[(first + QUIET <= number) & (number < first + days)]] = True
        return found

    def _copies(self, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Terminals that begin to copy cards on a day, and for how many days."""
        rng = self._rng(8, first + LONGEST)
        count = rng.poisson(self.options.terminals / 2000 * self.options.patterns)
        return (
            rng.integers(0, self.options.terminals, count),
            rng.integers(LONGEST // 2, LONGEST + 1, count),
        )

    def _patterns(self, first: int) -> _Drawn:
        """Payments of the patterns that begin on a day."""
        rng = self._rng(9, first + LONGEST)
        parts = [
            self._bursts(rng, first),
            self._copied(rng, first),
            self._high(rng, first),
            self._drains(rng, first),
            self._takeovers(rng, first),
        ]
        names = ("day", "card", "terminal", "seconds", "amount", "kind")
        return _Drawn(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    def _begun(self, rng: np.random.Generator, per_card_day: float) -> NDArray[np.int64]:
        """The cards that a pattern begins with."""
        count = rng.poisson(self.options.cards * per_card_day * self.options.patterns)
        return rng.integers(0, self.options.cards, count)

    def _bursts(self, rng: np.random.Generator, day: int) -> _Drawn:
        cards = self._begun(rng, 1 / 1500)
        card = np.repeat(cards, 5 + rng.poisson(5, len(cards)))
        begins = dict(zip(cards.tolist(), rng.uniform(6, 20, len(cards)), strict=True))
        hours = np.array([begins[one] for one in card.tolist()]) + rng.exponential(0.8, len(card))
        amount = self._spends[card] * rng.uniform(1.5, 4, len(card))
        drawn = self._anywhere(rng, day, _Paid(card, np.minimum(hours, 23.9), amount), "burst")
        for one in cards.tolist():
            drawn.kind[np.argsort(np.where(card == one, hours, np.inf))[:QUIET]] = 0
        return drawn

    def _copied(self, rng: np.random.Generator, first: int) -> _Drawn:
        terminals, days = self._copies(first)
        usual = self.options.cards * self.options.payments_per_day / self.options.terminals
        day = np.repeat(first, days.sum()) + _counted(days)
        times = rng.poisson(2 * usual, len(day))
        day, terminal = np.repeat(day, times), np.repeat(np.repeat(terminals, days), times)
        card = rng.integers(0, self.options.cards, len(day))
        seconds = np.clip(rng.normal(14, 3, len(day)), 0, 23.99) * 3600
        amount = self._spends[card] * rng.lognormal(-0.1, 0.5, len(day))
        # Which of these days have frauds, ``_copying`` says.
        return _Drawn(day, card, terminal, seconds, amount, np.zeros(len(day), np.int64))

    def _high(self, rng: np.random.Generator, day: int) -> _Drawn:
        card = self._begun(rng, 1 / 500)
        hours = np.clip(rng.normal(14, 3, len(card)), 0, 23.99)
        amount = self._spends[card] * rng.uniform(8, 20, len(card))
        return self._anywhere(rng, day, _Paid(card, hours, amount), "high")

    def _drains(self, rng: np.random.Generator, first: int) -> _Drawn:
        cards = self._begun(rng, 1 / 3000)
        days = rng.integers(10, 21, len(cards))
        online = np.flatnonzero(self._online)
        places = rng.choice(online, len(cards)) if len(online) else np.zeros(len(cards), np.int64)
        card, terminal = np.repeat(cards, days), np.repeat(places, days)
        amount = np.repeat(rng.uniform(2, 6, len(cards)), days)
        seconds = rng.uniform(0, 86_399, len(card))
        place = _counted(days)
        kind = np.where(place < QUIET, 0, KINDS.index("drain"))
        return _Drawn(first + place, card, terminal, seconds, amount, kind)

    def _takeovers(self, rng: np.random.Generator, day: int) -> _Drawn:
        cards = self._begun(rng, 1 / 1500)
        card = np.repeat(cards, rng.integers(2, 6, len(cards)))
        hours = rng.uniform(1, 5, len(card))
        amount = self._spends[card] * rng.uniform(1.5, 3, len(card))
        return self._anywhere(rng, day, _Paid(card, hours, amount), "takeover")

    def _anywhere(self, rng: np.random.Generator, day: int, paid: _Paid, kind: str) -> _Drawn:
        count = len(paid.card)
        return _Drawn(
            np.full(count, day),
            paid.card,
            rng.integers(0, self.options.terminals, count),
            paid.hours * 3600,
            paid.amount,
            np.full(count, KINDS.index(kind)),
        )

    # Tables.

    def _table(self, number: int) -> pa.Table:
        found = self._day(number)
        moments = self._moments(number, found.seconds)
        distance = np.sqrt(
            ((self._homes[found.card] - self._places[found.terminal]) ** 2).sum(axis=1)
        )
        channel = np.where(self._online[found.terminal], "web", "chip")
        columns = [
            _ids(number, len(found)),
            moments,
            moments + (found.known_after * 1e6).astype("m8[us]"),
            [f"c{one:06d}" for one in found.card.tolist()],
            [f"t{one:05d}" for one in found.terminal.tolist()],
            found.amount,
            channel.tolist(),
            np.round(distance, 1),
        ]
        return _table_of("streams", columns)

    def _events(self, number: int) -> pa.Table:
        table = self._table(number)
        again = self._rng(10, number).random(len(table)) < self.options.repeated_share
        return pa.concat_tables([table, table.take(np.flatnonzero(again))])

    def _labels(self, number: int) -> pa.Table:
        found = self._day(number)
        frauds = np.flatnonzero(found.fraud)
        known = found.seconds[frauds] + found.known_after[frauds] + found.labelled_after[frauds]
        ids = _ids(number, len(found))
        columns = [
            [ids[one] for one in frauds.tolist()],
            np.ones(len(frauds), bool),
            self._moments(number, known),
        ]
        return _table_of("labels", columns)

    def _moments(self, number: int, seconds: Floats) -> NDArray[np.datetime64]:
        """Seconds since local midnight as moments (UTC); a clock change is not looked at."""
        day = self.options.start + timedelta(days=number)
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.options.timezone))
        begin = np.datetime64(int(midnight.timestamp()), "s").astype("M8[us]")
        return np.asarray(begin + np.round(seconds * 1e6).astype("m8[us]"))


def _table_of(section: str, columns: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[section]
    typed = [array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
    return pa.Table.from_arrays(typed, schema=schema)


def _ids(number: int, count: int) -> list[str]:
    return [f"p{number:04d}-{place:06d}" for place in range(count)]


def _counted(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1 … for each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths))
