"""From a transaction and its signals to the row that the trees are asked about.

The same function for one request and for a million events of the log: comparisons, conversions to
float32 and divisions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from daybreak.models.fraud.layout import Layout
from daybreak.signals.fold import Integers, fold
from daybreak.signals.slots import ABSENT
from daybreak.signals.transactions import EventRows
from daybreak.types import Float32

HOUR = 3_600_000_000
QUARTER = HOUR // 4
DAY = 24 * HOUR
MONDAY = 3
"""1970-01-01 was a Thursday."""

Objects = NDArray[np.object_]


Rates = Mapping[str, Mapping[str, float]]
"""Of a text attribute: its values with the share of frauds among them, as learned."""


def assemble(layout: Layout, rows: EventRows, rates: Rates) -> Float32:
    """Features float32 (n, F) in the order of ``layout.features``, whose signals ``rows`` have."""
    asked, at, signals = rows.transactions, rows.transactions.moments.at, rows.signals
    count = len(at)
    scale = np.full(count, 10**layout.decimals, np.int64)
    nothing = np.full(count, ABSENT, np.int64)
    amounts = {}
    for name in layout.amounts:
        units = asked.amounts.get(name, nothing)
        amounts[name] = fold(units, np.where(units == ABSENT, 0, scale))
    local = _local(at, layout.timezone)
    hour = fold(local % DAY, np.full(count, HOUR, np.int64))
    weekday = ((local // DAY + MONDAY) % 7).astype(np.float32)
    empty = np.full(count, None, object)
    given = {
        name: asked.attributes.get(name, empty)
        for name in (*layout.numbers, *layout.flags, *layout.texts)
    }
    columns = [
        *amounts.values(),
        hour,
        weekday,
        *(_numbers(given[name]) for name in (*layout.numbers, *layout.flags)),
        *(_rates(given[name], rates.get(name, {})) for name in layout.texts),
        *signals.T,
        *(_over(amounts[name], signals[:, place]) for name, place in layout.ratios),
        *(_over(signals[:, part], signals[:, whole]) for part, whole in layout.shares),
    ]
    return np.ascontiguousarray(np.column_stack(columns), np.float32)


def _over(value: Float32, usual: Float32) -> Float32:
    found = np.full(len(value), np.nan, np.float32)
    np.divide(value, usual, out=found, where=usual > 0)
    return found


def _local(at: Integers, timezone: str) -> Integers:
    """Microseconds of the clock on the wall."""
    zone = ZoneInfo(timezone)
    quarters, place = np.unique(at // QUARTER, return_inverse=True)  # clocks change on them
    offsets = np.empty(len(quarters), np.int64)
    for n, quarter in enumerate(quarters.tolist()):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + quarter * timedelta(minutes=15)
        offset = moment.astimezone(zone).utcoffset() or timedelta(0)
        offsets[n] = offset // timedelta(microseconds=1)
    return at + offsets[place]


def _numbers(values: Objects) -> Float32:
    return np.array([np.nan if one is None else one for one in values.tolist()], np.float32)


def _rates(values: Objects, learned: Mapping[str, float]) -> Float32:
    listed: Sequence[Any] = values.tolist()
    return np.array([learned.get(one, np.nan) for one in listed], np.float32)
