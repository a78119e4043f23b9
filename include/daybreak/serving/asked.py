"""Counts what the engine was given for answers, so that the night can compare it with its own rows.

An answer leaves its rows in a queue and goes; a thread counts them by the bins of the version's
manifest, and appends the counts to the warehouse from time to time. It is a sample: where answers
come faster than the thread looks, the newest ``WAITING`` of each look are counted, and of an answer
``MOST_ROWS`` rows at most. What a process has counted and not written is lost when it ends.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, Thread
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from daybreak.errors import DaybreakError, WarehouseUnavailable
from daybreak.monitoring.drift import asked_counts
from daybreak.monitoring.drift.reference import Binned
from daybreak.runtime import Runtime
from daybreak.scoring.engines.engine import feature_names
from daybreak.serving.publication import Publication
from daybreak.types import Float32
from daybreak.warehouse.engine import begin

logger = logging.getLogger(__name__)

WAITING = 512
MOST_ROWS = 64
"""Of rows that are scored together: with 40 features 10 kB, and 5 MB of all that wait."""
SECONDS = 5.0
"""Between two looks."""
WINDOW = 600.0
"""Seconds after which counts are written."""


class _Rows(NamedTuple):
    """``features``: float32 (m, F). ``answers``: that they are of."""

    publication: Publication
    features: Float32
    answers: int


@dataclass
class _Window:
    """What was asked about a generation since ``begun``: of each feature int64 (b,)."""

    begun: datetime
    places: Mapping[str, int]
    bins: Mapping[str, Binned]
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    answers: int = 0

    @classmethod
    def of(cls, publication: Publication, begun: datetime) -> _Window:
        bins = asked_counts.rows_of_manifest(publication.manifest)
        names = feature_names(publication.manifest)
        return cls(begun, {name: names.index(name) for name in bins}, bins)

    def add(self, features: Float32, answers: int) -> None:
        for name, place in self.places.items():
            found = self.bins[name].bins.counts_of(features[:, place])
            self.counts[name] = self.counts.get(name, 0) + found
            time.sleep(0)  # who answers waits for one feature at most: 0.3 ms of 32,768 rows
        self.answers += answers


class AskedRows:
    """Safe for many threads. The thread of its own begins with the first answer."""

    def __init__(self, runtime: Runtime, seconds: float = SECONDS, window: float = WINDOW) -> None:
        self._runtime = runtime
        self._seconds = seconds
        self._window = window
        self._waiting: deque[_Rows] = deque(maxlen=WAITING)
        self._windows: dict[int, _Window] = {}
        self._ignored = False
        self._lock = Lock()
        self._counting = Lock()
        self._thread: Thread | None = None

    def ignore(self) -> None:
        """Count nothing from now on: the requests are made up."""
        self._ignored = True

    def offer(self, publication: Publication, features: Float32, answers: int = 1) -> None:
        """Count these rows in a while. ``features``: float32 (m, F), not to be changed any more.

        Neither waits nor raises. Left out is what no night is compared with: a version that did not
        score its generation, or does not say what it was trained on.
        """
        if not publication.is_counted or self._ignored:
            return
        if len(features) > MOST_ROWS:
            # A copy: a view would keep all of them.
            features = features[:: -(-len(features) // MOST_ROWS)].copy()
        self._waiting.append(_Rows(publication, features, min(answers, len(features))))
        if self._thread is None:
            self._follow()

    def count(self) -> None:
        """Count what waits."""
        with self._counting:
            together: dict[int, list[_Rows]] = {}
            while self._waiting:
                rows = self._waiting.popleft()
                generation = rows.publication.generation
                if generation is not None:
                    together.setdefault(generation.generation_id, []).append(rows)
            for generation_id, some in together.items():
                window = self._windows.get(generation_id)
                if window is None:
                    window = _Window.of(some[0].publication, self._runtime.clock())
                    self._windows[generation_id] = window
                features = np.concatenate([rows.features for rows in some])
                window.add(features, sum(rows.answers for rows in some))

    def write(self) -> int:
        """Append to the warehouse what was counted; returns of how many answers.

        Raises ``WarehouseUnavailable``, and keeps what was not written; what the warehouse refuses
        is dropped, so that nothing waits behind it.
        """
        with self._counting:
            written = 0
            for generation_id in list(self._windows):
                window = self._windows.pop(generation_id)
                try:
                    self._append(generation_id, window)
                except WarehouseUnavailable:
                    self._windows[generation_id] = window
                    raise
                written += window.answers
            return written

    def _append(self, generation_id: int, window: _Window) -> None:
        with begin(self._runtime.engine) as conn:
            asked_counts.append(
                conn,
                generation_id,
                window.begun,
                self._runtime.clock(),
                answers=window.answers,
                counts=window.counts,
            )

    def _follow(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="asked", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        due = time.monotonic() + self._window
        while True:
            time.sleep(self._seconds)
            try:
                self.count()
                if time.monotonic() >= due:
                    due = time.monotonic() + self._window
                    self.write()
            except DaybreakError as error:
                logger.warning("what was asked is written later: %s", error.message)
            except Exception:
                logger.exception("what was asked could not be counted")
