"""Features in words, for people who look at a decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

from daybreak.models.fraud.layout import Layout
from daybreak.signals.declared import DAY, Signal, Window

Said = Callable[[float], str]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


@lru_cache(maxsize=16)
def said_of(layout: Layout) -> tuple[Said, ...]:
    """For each feature in order: its value to a phrase, such as ``7 events of this card``."""
    known: dict[str, Said] = {name: partial(_number, name) for name in layout.features}
    known |= {"hour": _hour, "weekday": _weekday}
    known |= {name: partial(_flag, name) for name in layout.flags}
    known |= {name: partial(_usual, name) for name in layout.texts}
    known |= {signal.name: partial(_signal, signal) for signal in layout.signals}
    known |= {
        f"{name}_over_{signal.name}": partial(_over, name, signal)
        for name, signal in ((name, layout.signals[place]) for name, place in layout.ratios)
    }
    shares = ((layout.signals[part], layout.signals[whole]) for part, whole in layout.shares)
    known |= {
        f"{part.name}_over_{whole.name}": partial(_share, part, whole) for part, whole in shares
    }
    return tuple(known[name] for name in layout.features)


def _signal(signal: Signal, value: float) -> str:
    within, key, of = _within(signal.window), f"this {signal.key}", signal.of or ""
    if math.isnan(value):
        return f"nothing known of {key} {within}"
    match signal.measure:
        case "count":
            return f"{value:.0f} events of {key} {within}"
        case "distinct":
            return f"{value:.0f} different {of} of {key} {within}"
        case "since_last":
            return f"{_length(value)} since the last event of {key}"
        case "fraud_share":
            return f"{100 * value:.3g} % of the events of {key} {within} were fraud"
        case measure:
            named = {"sum": "in all", "mean": "on average", "max": "at most"}[measure]
            return f"{of} of {value:.2f} {named} of {key} {within}"


def _over(name: str, signal: Signal, value: float) -> str:
    key = f"this {signal.key}"
    if math.isnan(value):
        return f"no usual {name} of {key}"
    return f"{name} {value:.3g} times that of {key} {_within(signal.window)}"


def _share(part: Signal, whole: Signal, value: float) -> str:
    key, within = f"this {whole.key}", _within(whole.window)
    if math.isnan(value):
        return f"nothing known of {key} {within}"
    if part.measure == "distinct":
        return f"{value:.3g} different {part.of} an event of {key} {within}"
    lately = _length(part.window.length.total_seconds())
    what = f"the {part.of} of {key} {within} is" if part.of else f"the events of {key} {within} are"
    return f"{100 * value:.3g} % of {what} of the last {lately}"


def _number(name: str, value: float) -> str:
    return f"no {name}" if math.isnan(value) else f"{name} {value:.6g}"


def _flag(name: str, value: float) -> str:
    return f"no {name}" if math.isnan(value) else f"{name}: {'yes' if value else 'no'}"


def _usual(name: str, value: float) -> str:
    if math.isnan(value):
        return f"{name} is rare or missing"
    return f"{name} with {100 * value:.3g} % fraud"


def _hour(value: float) -> str:
    minutes = int(value * 60)
    return f"at {minutes // 60:02d}:{minutes % 60:02d}"


def _weekday(value: float) -> str:
    return f"on a {WEEKDAYS[int(value)]}"


def _within(window: Window) -> str:
    length = _length(window.length.total_seconds())
    if not window.delay:
        return f"within {length}"
    return f"in {length} up to {_length(window.delay / DAY * 86_400)} ago"


def _length(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds / size
            return f"{count:.3g} {unit if f'{count:.3g}' != '1' else unit[:-1]}"
    return f"{seconds:.3g} seconds"
