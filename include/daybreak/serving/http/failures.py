"""The body of an error: one shape, but that of the protocol where another one is spoken."""

from __future__ import annotations

from typing import Any

from daybreak.errors import DaybreakError

INFERENCE = "/v2"


def speaks_inference(path: str) -> bool:
    """Whether the Open Inference Protocol is spoken at a path."""
    return path == INFERENCE or path.startswith(f"{INFERENCE}/")


def failure(error: DaybreakError, path: str) -> dict[str, Any]:
    """What is answered at ``path``: in the Open Inference Protocol ``error`` is a text."""
    said = error.as_json()
    return {"error": str(error), **said["error"]} if speaks_inference(path) else said
