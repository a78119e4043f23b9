"""Durations as people write them: ``30m``, ``1h``, ``28d``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")


def parse_duration(text: object) -> timedelta:
    """``1d12h`` as a timedelta. Raises ``ValueError`` for anything else, 0 included as ``0h``."""
    if isinstance(text, timedelta):
        return text
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration such as 30m, 1h, 28d or 1d12h")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def write_duration(duration: timedelta) -> str:
    """The inverse of ``parse_duration``, to the minute."""
    minutes = int(duration.total_seconds()) // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0h"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration, return_type=str)
]


def parse_ahead(value: object) -> timedelta | None:
    """A duration, or None for ``false``: never known ahead. Raises ``ValueError`` otherwise."""
    if value is None or value is False:
        return None
    if value is True:
        raise ValueError("say how long before its date it is known, such as 28d; false is never")
    return parse_duration(value)


def _write_ahead(ahead: timedelta | None) -> str | None:
    return None if ahead is None else write_duration(ahead)


Ahead = Annotated[
    timedelta | None,
    BeforeValidator(parse_ahead),
    PlainSerializer(_write_ahead, return_type=str | None),
]
"""How long before its date a value was known; None: only afterwards."""
