"""What the address or the form of a view says, by name."""

from __future__ import annotations

import math
from datetime import date

from flask import request

from daybreak.errors import InvalidRequest

LONGEST = 2000


def text_of(name: str) -> str:
    """A text without blanks around it; '' where it is left out.

    Raises ``InvalidRequest`` for one that no name can be.
    """
    value = request.values.get(name, "").strip()
    if len(value) > LONGEST or "\x00" in value:
        raise _wrong(name, "is too long or has a NUL in it")
    return value


def day_of(name: str) -> date | None:
    """A date; None where it is left out. Raises ``InvalidRequest``."""
    value = text_of(name)
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _wrong(name, "is no date such as 2026-01-31") from None


def number_of(name: str) -> float | None:
    """A finite number; None where it is left out. Raises ``InvalidRequest``."""
    value = text_of(name)
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(name, "is no number")
    return number


def whole_of(name: str, least: int = 0, most: int = 2**62) -> int | None:
    """A whole number within bounds; None where it is left out. Raises ``InvalidRequest``."""
    value = text_of(name)
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or not least <= int(value[:30]) <= most:
        raise _wrong(name, f"is no whole number from {least} to {most}")
    return int(value)


def _wrong(name: str, fault: str) -> InvalidRequest:
    return InvalidRequest(
        f"What was given as {name} {fault}.", remedy="Choose it in the form.", field=name
    )
