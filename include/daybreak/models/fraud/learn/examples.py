"""What the trees learn from: past transactions, each as it was when it became known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.models.base import Progress, quiet
from daybreak.models.fraud.features import Rates, assemble
from daybreak.models.fraud.layout import Layout
from daybreak.models.fraud.stream import stream_of_frauds
from daybreak.signals.batch import EPOCH, signals_of
from daybreak.signals.stream import Stream
from daybreak.signals.transactions import EventRows, Transactions, label_delays, read_transactions
from daybreak.types import Float32
from daybreak.warehouse.tables import event

LEAST_FRAUDS = 20
LEAST_DAYS = 14
"""Of transactions whose frauds are known by now."""
MOST_DAYS = 180
MATURE = 0.95
"""So many frauds are known when a day counts as known."""
LEAST_VALUES = 100
"""Transactions with a value of a text attribute, to say something of it."""
SMOOTHED_BY = 50
"""Transactions of the usual rate that are added to those of a value."""


@dataclass(frozen=True)
class Examples:
    """Transactions in order of time, each as it was when it became known.

    ``delay_days``: after which their frauds are known.
    """

    layout: Layout
    rows: EventRows
    delay_days: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def transactions(self) -> Transactions:
        """Without their signals."""
        return self.rows.transactions

    @property
    def fraud(self) -> NDArray[np.bool_]:
        """Which are frauds, as is known at the cutoff."""
        return self.transactions.fraud

    @property
    def day(self) -> NDArray[np.int64]:
        """Days since 1970."""
        return self.transactions.moments.day

    @cached_property
    def cards(self) -> NDArray[np.int64]:
        """Numbers of the first key of the stream, which alerts are about."""
        first = next(iter(self.transactions.moments.keys.values()))
        _, numbers = np.unique([str(one) for one in first.tolist()], return_inverse=True)
        return numbers

    def where(self, rows: NDArray[Any]) -> Examples:
        """Some of them."""
        return replace(self, rows=self.rows.where(rows))

    def features(self, rates: Rates) -> Float32:
        """As the trees see them."""
        return assemble(self.layout, self.rows, rates)

    def rates(self) -> dict[str, dict[str, float]]:
        """The share of frauds of each value of a text attribute that is not rare, float32."""
        usual = self.fraud.mean() if len(self) else 0.0
        found: dict[str, dict[str, float]] = {}
        for name in self.layout.texts:
            values = self.transactions.attributes[name]
            given = np.flatnonzero([one is not None for one in values.tolist()])
            distinct, place = np.unique(values[given].astype(str), return_inverse=True)
            count = np.bincount(place, minlength=len(distinct))
            frauds = np.bincount(place, self.fraud[given], minlength=len(distinct))
            share = (frauds + SMOOTHED_BY * usual) / (count + SMOOTHED_BY)
            found[name] = {
                str(value): float(np.float32(rate))
                for value, rate, many in zip(distinct, share, count, strict=True)
                if many >= LEAST_VALUES
            }
        return found


def read_examples(conn: Connection, as_of: AsOf, progress: Progress = quiet) -> Examples:
    """Transactions of days whose frauds are known by the cutoff, ``MOST_DAYS`` at most.

    Raises ``NoData`` where there are too few days, or too few frauds.
    """
    stream = stream_of_frauds(conn, as_of)
    first = max(_first_day(conn, stream), as_of.business_date - timedelta(days=MOST_DAYS))
    delay = delay_of(label_delays(conn, stream, first, as_of.cutoff))
    last = as_of.business_date - timedelta(days=delay)
    days = (last - first).days + 1
    if days < LEAST_DAYS:
        raise NoData(
            f"Frauds of {stream.name} are known {delay} days later, so {max(days, 0)} days up to "
            f"{as_of.business_date} are known; fraud is learned from {LEAST_DAYS} or more.",
            remedy="Load more history, or choose a later business date.",
            business_date=as_of.business_date.isoformat(),
        )
    progress(f"Reading transactions of {stream.name} from {first} to {last}")
    transactions = read_transactions(conn, stream, first, last, as_of.cutoff)
    if transactions.fraud.sum() < LEAST_FRAUDS:
        raise NoData(
            f"Of {len(transactions):,} transactions of {stream.name}, "
            f"{int(transactions.fraud.sum())} are known as fraud; fraud is learned from "
            f"{LEAST_FRAUDS} or more.",
            remedy="Load more labels, or choose a later business date.",
        )
    layout = Layout.of(stream, delay)
    progress(f"Folding {len(layout.signals)} signals of {len(transactions):,} transactions")
    signals = signals_of(conn, stream, layout.signals, transactions.moments)
    return Examples(layout, EventRows(transactions, signals), delay)


def delay_of(delays: NDArray[np.float64]) -> int:
    """Whole days after which most frauds of a day are known; 1 where nothing is known of it."""
    return max(1, math.ceil(np.quantile(delays, MATURE))) if len(delays) else 1


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def _first_day(conn: Connection, stream: Stream) -> date:
    query = select(func.min(event.c.business_date)).where(event.c.stream == stream.name)
    found: date | None = conn.scalar(query)
    if found is None:
        raise NoData(f"The stream {stream.name} has no events.", remedy="Load some.")
    return found
