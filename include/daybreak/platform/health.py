"""Ask each component whether it works. ``None`` is healthy; a text says what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

from daybreak.platform import components
from daybreak.platform.processes import Record

Probe = Callable[[Record], str | None]

PROBE_SECONDS = 3.0


def unhealthy(record: Record) -> str | None:
    """Why a running component does not serve yet, or None."""
    return PROBES[record.name](record)


def _api_server(record: Record) -> str | None:
    answer = _get(f"{record.url}/api/v2/monitor/health")
    state = answer.get("metadatabase", {}).get("status")
    return None if state == "healthy" else "its API does not answer yet"


def _heartbeat(section: str) -> Probe:
    def probe(record: Record) -> str | None:
        answer = _get(f"{record.url}/api/v2/monitor/health").get(section) or {}
        beat = answer.get(f"latest_{section}_heartbeat")
        # A heartbeat in the database may be that of the process before this one.
        if not beat or datetime.fromisoformat(beat).timestamp() < record.started_at:
            return "no heartbeat yet"
        return None if answer.get("status") == "healthy" else "its heartbeat is old"

    return probe


def _serving(record: Record) -> str | None:
    return None if _get(f"{record.url}/healthz") else "/healthz does not answer yet"


PROBES: Mapping[str, Probe] = {
    components.API_SERVER: _api_server,
    components.SCHEDULER: _heartbeat("scheduler"),
    components.DAG_PROCESSOR: _heartbeat("dag_processor"),
    components.TRIGGERER: _heartbeat("triggerer"),
    components.SERVING: _serving,
}


def _get(url: str) -> dict[str, Any]:
    """The JSON object at a URL of our own, or an empty one where there is none."""
    try:
        with urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310 -- http, built by us
            body = json.load(response)
    except (OSError, ValueError, HTTPException):
        return {}
    return body if isinstance(body, dict) else {}
