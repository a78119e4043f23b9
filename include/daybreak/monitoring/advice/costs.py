"""What each way to answer costs a day, by the formulas of docs/advise.md, and what rules it out.

Everything is linear in what was measured, but for the workers, of which there is one at least, and
for the cache, whose misses follow from requests that come at random, alike for all entities.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from daybreak.monitoring.advice.measurements import HOURS_A_DAY, Measurements
from daybreak.monitoring.advice.terms import Terms

SECONDS_A_DAY = 86_400.0
HOURS_A_MONTH = 730.5
CACHE_HOURS = (1.0, 6.0, 24.0, 48.0, 168.0)
"""For how long answers may be kept; the ages that the replay measures."""
ONE_IN_A_HUNDRED = 0.01
"""A p99 is that of the slow answers where there are more of them."""


class Way(StrEnum):
    """How a model's answers are made. Of equal costs the first one is taken."""

    BATCH = "batch"
    LIVE = "live"
    CHANGED = "published with live for what changed"
    CACHE = "cache"


@dataclass(frozen=True)
class Cost:
    """Money a day. ``computed``: share of the answers made when they are asked for.

    ``refused``: why it cannot be chosen, whatever it costs; empty where it can.
    ``cache_hours``: of a cache, the best of ``CACHE_HOURS``.
    """

    way: Way
    night: float
    storage: float
    memory: float
    requests: float
    freshness: float
    computed: float
    p99_ms: float | None
    refused: str = ""
    cache_hours: float | None = None

    @property
    def total(self) -> float:
        """Of all parts."""
        return self.night + self.storage + self.memory + self.requests + self.freshness


def costs(measured: Measurements, terms: Terms, requests: float) -> list[Cost]:
    """Of every way, in the order of ``Way``, at so many ``requests`` a day."""
    of = _Costs(measured, terms, requests)
    found = [of.batch(), of.live(), of.changed()]
    caches = [of.cache(hours) for hours in CACHE_HOURS]
    return [*found, min(caches, key=lambda one: (bool(one.refused), one.total))]


def own_inputs(measured: Measurements, terms: Terms) -> float:
    """Share of requests that bring what no night can know."""
    if measured.decides:
        return 1.0
    return measured.usage.own_inputs if terms.own_inputs is None else terms.own_inputs


def misses(entities: float, requests: float, hours: float) -> float:
    """Answers a day that a cache has to make.

    Each of ``entities`` is asked for at random, ``requests`` a day in all. Its answer is made,
    kept for ``hours``, and made again when it is asked for next, 24 · entities / requests hours
    later on average: a renewal process (Cox, 1962, Renewal Theory, chapter 3).
    """
    if not entities or not requests:
        return requests
    return HOURS_A_DAY * entities / (hours + HOURS_A_DAY * entities / requests)


class _Costs:
    def __init__(self, measured: Measurements, terms: Terms, requests: float) -> None:
        self._measured = measured
        self._terms = terms
        self._requests = requests
        self._own = own_inputs(measured, terms)
        self._read = measured.read
        self._second = terms.prices.processor_hour / 3600

    def batch(self) -> Cost:
        """The night makes every answer; who asks reads a row."""
        night, storage = self._night()
        seconds = self._requests * (self._read.processor_seconds if self._read else 0.0)
        return Cost(
            Way.BATCH,
            night,
            storage,
            0.0,
            seconds * self._second,
            self._requests * self._stale_night(),
            0.0,
            self._read.p99_ms if self._read else None,
            self._no_night() or self._asks_own() or self._slow(self._read_p99),
        )

    def live(self) -> Cost:
        """No night: each answer is made from the facts of its moment."""
        seconds = self._requests * self._measured.live.processor_seconds
        p99 = self._measured.live.p99_ms
        return Cost(
            Way.LIVE,
            0.0,
            0.0,
            self._workers(self._requests),
            seconds * self._second,
            0.0,
            1.0,
            p99,
            self._slow(p99),
        )

    def changed(self) -> Cost:
        """A night; what changed since, or what brings inputs of its own, is made anew."""
        night, storage = self._night()
        freshness = self._measured.freshness
        since = freshness.night.changed if freshness and freshness.night else 0.0
        share = self._own + (1 - self._own) * since
        computed = self._requests * share
        p99 = self._measured.live.p99_ms if share > ONE_IN_A_HUNDRED else self._read_p99
        return Cost(
            Way.CHANGED,
            night,
            storage,
            self._workers(computed),
            self._made(computed),
            0.0,
            share,
            p99,
            self._no_night() or self._nothing_again() or self._slow(p99),
        )

    def cache(self, hours: float) -> Cost:
        """No night: what is asked for first is made, and kept for so long."""
        of_entities = (1 - self._own) * self._requests
        entities = self._measured.night.answers if self._measured.night else 0
        made = misses(entities, of_entities, hours)
        hits = of_entities - made
        computed = self._requests - hits
        freshness = self._measured.freshness
        stale = freshness.lost_within(hours) if freshness else 0.0
        share = computed / self._requests if self._requests else 1.0
        p99 = self._measured.live.p99_ms if share > ONE_IN_A_HUNDRED else self._read_p99
        kept = self._kept_bytes(made, hours)
        memory = kept / 1e9 * self._terms.prices.memory_gb_hour * HOURS_A_DAY
        return Cost(
            Way.CACHE,
            0.0,
            0.0,
            self._workers(computed) + memory,
            self._made(computed),
            hits * stale * self._terms.loss,
            share,
            p99,
            self._nothing_again() or self._slow(p99),
            hours,
        )

    @property
    def _read_p99(self) -> float | None:
        return self._read.p99_ms if self._read else None

    def _made(self, computed: float) -> float:
        """The money of requests of which so many are made, and the others read."""
        read = self._read.processor_seconds if self._read else 0.0
        seconds = computed * self._measured.live.processor_seconds
        return (seconds + (self._requests - computed) * read) * self._second

    def _night(self) -> tuple[float, float]:
        """The money of a night, and of what it stores, a day."""
        night, prices = self._measured.night, self._terms.prices
        if night is None:
            return 0.0, 0.0
        a_day = HOURS_A_DAY / self._measured.need.interval_hours
        held = night.memory_bytes / 1e9 * night.wall_seconds / 3600 * prices.memory_gb_hour
        stored = self._terms.kept_nights * night.stored_bytes / 1e9
        return (
            a_day * (night.processor_seconds * self._second + held),
            stored * prices.gb_month * HOURS_A_DAY / HOURS_A_MONTH,
        )

    def _workers(self, computed: float) -> float:
        """The memory of the workers that make so many answers a day; one at least, as one has to
        be there, and beyond it as many as the peak takes."""
        live, terms = self._measured.live, self._terms
        at_peak = computed / SECONDS_A_DAY * terms.peak
        workers = max(1.0, at_peak / (live.most_a_second * terms.busy))
        return workers * live.memory_bytes / 1e9 * terms.prices.memory_gb_hour * HOURS_A_DAY

    def _stale_night(self) -> float:
        freshness = self._measured.freshness
        if freshness is None or freshness.night is None:
            return 0.0
        return freshness.lost_more(freshness.night) * self._terms.loss

    def _kept_bytes(self, made: float, hours: float) -> float:
        """Of what is in a cache at a time: what was made in the last ``hours``."""
        night = self._measured.night
        if night is None or not night.answers:
            return 0.0
        return min(night.answers, made * hours / HOURS_A_DAY) * night.stored_bytes / night.answers

    def _no_night(self) -> str:
        night, need = self._measured.night, self._measured.need
        if night is None:
            return "the model has no night"
        if night.wall_seconds > need.window_seconds:
            return (
                f"the night takes {night.wall_seconds:,.0f} s here, and has "
                f"{need.window_seconds:,.0f} s until {need.due}"
            )
        return ""

    def _asks_own(self) -> str:
        if self._measured.decides:
            return "a request is about an event that no night has seen"
        if self._own > 0:
            return f"{self._own:.2%} of the requests bring inputs of their own"
        return ""

    def _nothing_again(self) -> str:
        return "each request brings inputs of its own" if self._own >= 1 else ""

    def _slow(self, p99: float | None) -> str:
        within = self._terms.answer_within_ms
        if within is None or p99 is None or p99 <= within:
            return ""
        return f"99 of 100 answers take up to {p99:,.1f} ms, and {within:g} ms are asked for"
