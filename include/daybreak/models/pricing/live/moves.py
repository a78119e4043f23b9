"""What moves prices between two nights: the facet that the endpoint asks once a slot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel
from sqlalchemy import Connection

from daybreak.clock import Slot, slot_of_day
from daybreak.ledger.states import Generation
from daybreak.models.base import SnapshotRows
from daybreak.models.pricing.layout import VALUES
from daybreak.models.pricing.live.feeds import Feeds
from daybreak.models.pricing.live.path import Price, Slots, Way, way_of
from daybreak.models.pricing.live.profile import Profile, share_by
from daybreak.models.pricing.moment import SIGNALS, Terms
from daybreak.prices.live import Live
from daybreak.prices.moments import OfPrice, keep_changes
from daybreak.prices.rules import Rules

MARGIN = timedelta(seconds=10)
"""So long before a slot its facts are due: by then nobody appends any more who began before."""
FOREVER = datetime.max.replace(tzinfo=UTC)


class PriceMoment(NamedTuple):
    """What is in force in a slot. ``record``: which of the price's own. ``said``: what is known, by
    name of ``SIGNALS``, NaN where nothing is."""

    record: int
    said: dict[str, float]


class PriceMoves:
    """Implements ``Moves``, for the day after the business date. Safe for many threads."""

    def __init__(self, rules: Rules, live: Live, terms: Terms, profile: Profile, most: float):
        """``live``: of ``rules``. ``most``: the place of the last change that was agreed to."""
        self._rules, self._live, self._terms, self._most = rules, live, terms, most
        self._profile = profile
        self._zone = ZoneInfo(terms.timezone)
        self.begins, self.ends = terms.begins, terms.ends
        self._now = Slot(self.begins, self.begins)
        self._feeds: Feeds | None = None
        self._lock = Lock()

    def slot(self, now: datetime) -> Slot:
        """The slot that a moment is in; before and after the day, all of that time is one."""
        held = self._now
        if held.begins <= now < held.ends:
            return held
        if now < self.begins:
            found = Slot(datetime.min.replace(tzinfo=UTC), self.begins)
        elif now >= self.ends:
            found = Slot(self.ends, FOREVER)
        else:
            found = slot_of_day(now, self._live.slot, self._terms.valid_on, self._terms.timezone)
        self._now = found
        return found

    def is_about_now(self, asked: BaseModel) -> bool:
        """Whether a request leaves it to the streams what this moment is like."""
        return all(getattr(asked, name) is None for name in SIGNALS)

    def read(
        self,
        conn: Connection,
        entities: SnapshotRows,
        slot: Slot,
        *,
        generation: Generation,
        since: datetime,
        now: datetime,
    ) -> list[PriceMoment | None]:
        """Of each entity what is in force in ``slot``, kept and in the ledger; None where that is
        the published price.

        ``since``: from when on the generation answers. ``conn``: whose statements are transactions
        of their own. Raises what the warehouse does.
        """
        found: list[PriceMoment | None] = [None] * len(entities)
        first = self._first(since)
        if not (self.begins <= slot.begins < self.ends) or first > slot.begins:
            return found
        free = ((row, self._free(entities, row)) for row in range(len(entities)))
        prices = {row: price for row, price in free if price is not None}
        if not prices:
            return found
        keys = [(str(entities.keys[0][row]), str(entities.keys[1][row])) for row in prices]
        slots = [
            first + number * self._live.slot
            for number in range((slot.begins - first) // self._live.slot + 1)
        ]
        known_by = [moment - MARGIN for moment in slots]
        facts = self._opened(conn).read(conn, keys, self.begins, known_by, generation.generation_id)
        ways = [
            way_of(
                price, one, Slots(slots, known_by, self._shares(store, known_by)), self._rules,
                self._terms,
            )
            for (store, _), one, price in zip(keys, facts, prices.values(), strict=True)
        ]  # fmt: skip
        kept = [one.kept for one in facts]
        fresh = [n for n, way in enumerate(ways) if len(way.changes) > len(kept[n])]
        if fresh:
            of_prices = [self._of_price(*keys[n], ways[n]) for n in fresh]
            now_kept = keep_changes(conn, generation.generation_id, of_prices, now)
            for n, one in zip(fresh, now_kept, strict=True):
                kept[n] = one
        for (row, price), way, held in zip(prices.items(), ways, kept, strict=True):
            record = _in_force(price, way, {at: p for at, p in held.items() if at <= slot.begins})
            if price.amount(record) != price.amount(price.published):
                found[row] = PriceMoment(record, price.said(way.demand, way.competitor))
        return found

    def _first(self, since: datetime) -> datetime:
        """The first slot of the day that begins while the generation answers."""
        if since <= self.begins:
            return self.begins
        return self.begins - (self.begins - since) // self._live.slot * self._live.slot

    def _free(self, entities: SnapshotRows, row: int) -> Price | None:
        """What the night left of a price; None where it left nothing, or the price is bound to
        others, to a promise or to what a person agreed to."""
        if entities.offsets is None:
            raise ValueError("a price has the points that the night left")
        values = dict(zip(VALUES, map(float, entities.values[row]), strict=True))
        records = entities.records[slice(*entities.offsets[row : row + 2].tolist())]
        bound = values["grouped"] or values["promised"] or values["place"] > self._most
        if bound or len(records) < 2:
            return None
        return Price(values, records, int(values["chosen"]))

    def _shares(self, store: str, moments: Sequence[datetime]) -> list[float] | None:
        shares = self._profile.of_store(store)
        if shares is None:
            return None
        minutes, day, zone = self._live.minutes, self._terms.valid_on, self._zone
        return [share_by(shares, minutes, moment, day, zone) for moment in moments]

    def _of_price(self, store: str, item: str, way: Way) -> OfPrice:
        terms = self._terms
        return OfPrice(
            store, item, terms.currency, terms.decimals, terms.timezone, self.ends, way.changes
        )

    def _opened(self, conn: Connection) -> Feeds:
        with self._lock:
            if self._feeds is None:
                self._feeds = Feeds(conn, self._live, self._terms.currency)
            return self._feeds


def _in_force(price: Price, way: Way, kept: dict[datetime, int]) -> int:
    """The record of what is kept: what another release kept first holds, if the night left it."""
    amount = kept[max(kept)] if kept else price.amount(price.published)
    if amount == price.amount(way.record):
        return way.record
    there = np.flatnonzero(price.records[:, 0] == np.float32(amount))
    return int(there[-1]) if len(there) else way.record
