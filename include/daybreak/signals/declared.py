"""What a model asks of a stream: measures of a key's events in windows before a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from daybreak.errors import ConfigError
from daybreak.signals.stream import Stream

Measure = Literal["count", "sum", "mean", "max", "distinct", "since_last", "fraud_share"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
OF_AMOUNTS = frozenset({"sum", "mean", "max"})

DAY = timedelta(days=1)
_UNITS = ((DAY, "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m"))


@dataclass(frozen=True)
class Window:
    """The time before a moment that a measure looks at.

    Up to 24 hours it is exact: from ``length`` before the moment on. A longer one is ``length`` in
    whole days before the day of the moment, and that day up to the moment. With a ``delay``, in
    whole days, it ends so many days earlier: it holds whole days alone.

    Raises ``ConfigError`` for lengths that are neither.
    """

    length: timedelta
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        whole = self.length % DAY == timedelta(0) and self.delay % DAY == timedelta(0)
        if not timedelta(0) < self.length or self.delay < timedelta(0):
            raise _wrong(f"a window of {self.length}, {self.delay} ago, holds nothing")
        if not whole and (self.length > DAY or self.delay):
            raise _wrong(f"a window of {self.length}, {self.delay} ago, is not in whole days")

    @property
    def by_day(self) -> bool:
        """Whether its beginning moves by the day."""
        return self.length > DAY or bool(self.delay)

    @property
    def days(self) -> int:
        """Whole days of it, where it is by day."""
        return self.length // DAY

    @property
    def delay_days(self) -> int:
        """Days that it ends before that of the moment."""
        return self.delay // DAY

    @property
    def microseconds(self) -> int:
        """Its length, where it is exact."""
        return self.length // timedelta(microseconds=1)

    @property
    def name(self) -> str:
        """As in names of signals: ``15m``, ``1d``, ``30d_7d_ago``."""
        ago = f"_{_short(self.delay)}_ago" if self.delay else ""
        return _short(self.length) + ago


@dataclass(frozen=True)
class Signal:
    """A measure of the events of one key. ``of``: the amount, or the other key, that is measured.

    ``count``: events. ``sum``, ``mean``, ``max``: of an amount, in its own unit. ``distinct``:
    values of another key. ``since_last``: seconds since the newest event in the window.
    ``fraud_share``: of the events, those that are known as fraud. What is not defined, such as the
    mean of no event, is NaN.
    """

    key: str
    measure: Measure
    window: Window
    of: str | None = None

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise _wrong(f"there is no measure {self.measure!r}; there are {', '.join(MEASURES)}")
        if (self.of is None) == (self.measure in OF_AMOUNTS or self.measure == "distinct"):
            raise _wrong(f"{self.measure} of {self.of} says nothing")
        if self.measure == "fraud_share" and not self.window.delay:
            # Labels of the day itself come with the events; a share of them is hindsight.
            raise _wrong("a share of frauds needs a delay of a day or more")

    @property
    def name(self) -> str:
        """Such as ``card_sum_amount_1h``."""
        parts = (self.key, self.measure, self.of, self.window.name)
        return "_".join(part for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        """As a manifest holds it."""
        minutes = timedelta(minutes=1)
        return {
            "key": self.key,
            "measure": self.measure,
            "of": self.of,
            "minutes": self.window.length // minutes,
            "delay_minutes": self.window.delay // minutes,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Signal:
        """The inverse of ``as_json``. Raises ``ConfigError``."""
        window = Window(
            timedelta(minutes=found["minutes"]), timedelta(minutes=found["delay_minutes"])
        )
        return cls(found["key"], found["measure"], window, found["of"])


def check_signals(signals: tuple[Signal, ...], stream: Stream) -> None:
    """Raise ``ConfigError`` for a signal of what the stream does not have."""
    for signal in signals:
        others = stream.amounts if signal.measure in OF_AMOUNTS else stream.keys
        if signal.key not in stream.keys or (signal.of is not None and signal.of not in others):
            raise ConfigError(
                f"The stream {stream.name!r} has not what the signal {signal.name} is about.",
                remedy=f"Its keys are {', '.join(stream.keys)}, its amounts "
                f"{', '.join(stream.amounts) or 'none'}.",
                field=signal.name,
            )


def _short(length: timedelta) -> str:
    for unit, letter in _UNITS:
        if length % unit == timedelta(0):
            return f"{length // unit}{letter}"
    return f"{length.total_seconds():g}s"


def _wrong(fault: str) -> ConfigError:
    return ConfigError(
        f"A signal is wrong: {fault}.", remedy="docs/signals.md says what there is.", field="signal"
    )
