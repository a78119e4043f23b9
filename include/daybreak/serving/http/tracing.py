"""W3C Trace Context: the ``traceparent`` of a request, which says what trace it belongs to."""

from __future__ import annotations

import re

# Version 00 ends with its flags; a later one may go on after a dash; ff is none.
_TRACEPARENT = re.compile(
    r"(?:00(?=.{53}\Z)|(?!00|ff)[0-9a-f]{2})"
    r"-(?!0{32})[0-9a-f]{32}"
    r"-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?:-[!-~]{0,200})?"
)


def valid_traceparent(given: str) -> str:
    """What a client gave as its ``traceparent``, or nothing where that is invalid."""
    return given if _TRACEPARENT.fullmatch(given) else ""


def trace_id(traceparent: str) -> str:
    """The 32 hex digits of the trace, of a valid ``traceparent`` or nothing."""
    return traceparent[3:35]
