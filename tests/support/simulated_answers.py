"""A shop whose requests and changes are simulated one by one, and what each way to answer costs it.

Every request is played through for every way, with no formula of ``monitoring/advice``: who asks
about which entity when, which answers are stale by then, what is computed, read, lost and paid.
The same process gives the measurements that the advice is made from, by sampling, as a replay
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from daybreak.monitoring.advice.costs import CACHE_HOURS, Way
from daybreak.monitoring.advice.measurements import (
    NOTHING,
    Freshness,
    Live,
    Measurements,
    Need,
    Night,
    Stale,
    Times,
    Usage,
)
from daybreak.monitoring.advice.terms import Terms

WARM_UP, PLAYED = 8, 6
"""Days: the longest cache has to be in its usual state before costs count."""
AGES = (0.0, 1.0, 6.0, 24.0, 48.0, 168.0)
SAMPLED = 40_000


@dataclass(frozen=True)
class SimulatedShop:
    """``entities`` that are asked about at random, ``requests`` a day. Each changes ``changes``
    times a day on average; an answer from before a change loses one unit, which costs ``loss``.
    Seconds are of a processor. ``own``: share of requests with inputs of their own."""

    entities: int
    requests: float
    changes: float
    loss: float
    answer_seconds: float
    row_seconds: float
    night_seconds: float
    read_seconds: float = 0.0002
    worker_gb: float = 0.05
    row_bytes: float = 300.0
    own: float = 0.0
    seed: int = 0

    @property
    def terms(self) -> Terms:
        return Terms(loss=self.loss, requests_a_day=self.requests, own_inputs=self.own)

    @cached_property
    def costs(self) -> dict[tuple[Way, float | None], float]:
        """Money a day of each way, and of a cache for each time; infinite where it cannot be."""
        prices, second = self.terms.prices, self.terms.prices.processor_hour / 3600
        made = self.answer_seconds + self.row_seconds
        night = self.night_seconds * second
        stored = self.row_bytes * self.entities / 1e9
        storage = self.terms.kept_nights * stored * prices.gb_month * 24 / 730.5
        worker = self.worker_gb * prices.memory_gb_hour * 24
        played = self._at >= WARM_UP
        asked, own = int(played.sum()), played & self._own
        stale = self._changed_since(np.floor(self._at)) & played & ~self._own
        found: dict[tuple[Way, float | None], float] = {}
        read = self.read_seconds * second
        days = PLAYED
        found[Way.BATCH, None] = (
            np.inf
            if own.any()
            else night + storage + (asked * read + stale.sum() * self.loss) / days
        )
        found[Way.LIVE, None] = worker + asked * made * second / days
        anew = int(stale.sum() + own.sum())
        found[Way.CHANGED, None] = (
            night + storage + worker + (anew * made * second + (asked - anew) * read) / days
        )
        for hours in CACHE_HOURS:
            made_at = self._cached(hours)
            hit = (made_at < self._at) & ~self._own & played
            lost = int((self._changed_since(made_at) & hit).sum())
            hits = int(hit.sum())
            found[Way.CACHE, hours] = (
                worker
                + self._kept(hours) * self.row_bytes / 1e9 * prices.memory_gb_hour * 24
                + ((asked - hits) * made * second + hits * read + lost * self.loss) / days
            )
        return found

    @property
    def best(self) -> tuple[Way, float | None]:
        """The cheapest way."""
        return min(self.costs, key=lambda way: self.costs[way])

    @property
    def margin(self) -> float:
        """Its cost beside that of the best other way; caches of other times are no other way."""
        (way, _), least = self.best, min(self.costs.values())
        return least / min(cost for (other, _), cost in self.costs.items() if other != way)

    @cached_property
    def measured(self) -> Measurements:
        """What a replay, a night and a run of requests say of it."""
        answer = Times(
            200, self.answer_seconds, 1000 * self.answer_seconds, 1500 * self.answer_seconds
        )
        row = Times(20, self.row_seconds, 1000 * self.row_seconds, 1500 * self.row_seconds)
        stored = self.row_bytes * self.entities
        return Measurements(
            "simulated",
            "v1",
            False,
            Need(24.0, 4 * 3600.0, "06:00"),
            self._freshness(),
            Night(
                date(2026, 1, 31),
                self.entities,
                self.entities,
                self.night_seconds,
                0.0,
                None,
                1.0,
                0.0,
                stored,
            ),
            Times(200, self.read_seconds, 0.2, 0.4),
            Live(answer, NOTHING, row, 1 / self.answer_seconds, self.worker_gb * 1e9, False),
            Usage(self.requests, "the simulation", None, self.own, None),
        )

    def _freshness(self) -> Freshness:
        rng = np.random.default_rng([self.seed, 1])
        entity = rng.integers(0, self.entities, SAMPLED)
        moment = rng.uniform(WARM_UP, WARM_UP + PLAYED, SAMPLED)
        ages = []
        for hours in AGES:
            changed = float(self._changes_between(entity, moment - hours / 24, moment).mean())
            ages.append(Stale(hours, changed, changed, changed, 1 - changed))
        changed = float(self._changes_between(entity, np.floor(moment), moment).mean())
        night = Stale(0.0, changed, changed, changed, 1 - changed)
        days = (date(2026, 1, 31),)
        return Freshness("wrong", False, "stale answer", days, SAMPLED, tuple(ages), night)

    # Requests and changes, in days from the beginning.

    @cached_property
    def _at(self) -> NDArray[np.float64]:
        return self._requests[1]

    @cached_property
    def _entity(self) -> NDArray[np.int64]:
        return self._requests[0]

    @cached_property
    def _requests(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Entity and moment of each, entity by entity in order of time."""
        rng = np.random.default_rng([self.seed, 0])
        count = rng.poisson(self.requests * (WARM_UP + PLAYED))
        entity = rng.integers(0, self.entities, count)
        at = rng.uniform(0, WARM_UP + PLAYED, count)
        order = np.lexsort((at, entity))
        return entity[order], at[order]

    @cached_property
    def _own(self) -> NDArray[np.bool_]:
        return np.random.default_rng([self.seed, 2]).random(len(self._at)) < self.own

    @cached_property
    def _moments_of_change(self) -> NDArray[np.float64]:
        """Sorted; those of entity e are between e and e + 1, as shares of the time there is."""
        rng = np.random.default_rng([self.seed, 3])
        count = rng.poisson(self.changes * (WARM_UP + PLAYED) * self.entities)
        return np.sort(rng.uniform(0, self.entities, count))

    def _changes_between(
        self, entity: NDArray[np.int64], first: NDArray[np.float64], last: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Whether each entity changed between two moments."""
        whole = WARM_UP + PLAYED
        low = np.searchsorted(self._moments_of_change, entity + np.clip(first, 0, None) / whole)
        high = np.searchsorted(self._moments_of_change, entity + last / whole)
        return high > low

    def _changed_since(self, moment: NDArray[np.float64]) -> NDArray[np.bool_]:
        return self._changes_between(self._entity, moment, self._at)

    def _cached(self, hours: float) -> NDArray[np.float64]:
        """When the answer to each request was made; now, where the cache has none.

        At the beginning entities are at random points of being kept, or not: were all made anew
        then, they would end together a week later.
        """
        kept, wait = hours / 24, self.entities / self.requests
        rng = np.random.default_rng([self.seed, 4])
        until_at_first = rng.uniform(-wait, kept, self.entities).tolist()
        made_at = np.empty(len(self._at))
        held, until, made = -1, 0.0, 0.0
        for n, (entity, at) in enumerate(
            zip(self._entity.tolist(), self._at.tolist(), strict=True)
        ):
            if entity != held:
                held, until = entity, until_at_first[entity]
                made = until - kept
            if at >= until:
                made, until = at, at + kept
            made_at[n] = made
        return made_at

    def _kept(self, hours: float) -> float:
        """How many answers are in the cache at the end."""
        made_at = self._cached(hours)
        end = WARM_UP + PLAYED
        return float(len(np.unique(self._entity[made_at > end - hours / 24])))
