"""A small client of Airflow's REST API: what the command line asks of the running scheduler."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

from daybreak.errors import PlatformError

CALL_SECONDS = 60.0
PATIENT = 5
"""How often who waits for runs asks a question that gets no answer in time: a busy machine is not a
broken one."""
PARSE_PATIENCE_SECONDS = 180.0
BACKFILL_END_PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
UNFINISHED = frozenset({"queued", "running"})


@dataclass(frozen=True)
class Days:
    """Business dates from ``first`` to ``last``, both included, of a schedule in ``timezone``."""

    first: date
    last: date
    timezone: str

    def bounds(self) -> tuple[str, str]:
        """From the first moment of ``first`` to the last of ``last``, local time, ISO 8601.

        Airflow compares moments: with midnight as its end, a backfill would leave out the last
        day.
        """
        zone = ZoneInfo(self.timezone)
        begin = datetime(self.first.year, self.first.month, self.first.day, tzinfo=zone)
        after = self.last + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone) - timedelta(seconds=1)
        return begin.isoformat(), end.isoformat()


class AirflowApi:
    """Logged in to the API server at ``url``. Raises ``PlatformError`` where a call fails.

    ``reads``: how often a question is asked that gets no answer in time.
    """

    def __init__(self, url: str, user: str, password: str, *, reads: int = 1) -> None:
        self._url, self._reads = url, reads
        self._token = ""
        login = self._call("POST", "/auth/token", {"username": user, "password": password})
        self._token = login["access_token"]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, once the DAG processor has read its file."""
        give_up = time.monotonic() + PARSE_PATIENCE_SECONDS
        while True:
            try:
                self._call("PATCH", f"/api/v2/dags/{quote(dag_id)}", {"is_paused": False})
                return
            except PlatformError as error:
                if error.details.get("status") != 404 or time.monotonic() > give_up:
                    raise
                time.sleep(0.5)

    def import_errors(self) -> dict[str, str]:
        """DAG files that do not parse, each with the last line of its error."""
        found = self._call("GET", "/api/v2/importErrors?limit=100")["import_errors"]
        return {
            str(one["filename"]): (one["stack_trace"].strip().splitlines() or ["no message"])[-1]
            for one in found
        }

    def paused(self) -> list[str]:
        """Ids of the DAGs that are paused, by name."""
        found = self._call("GET", "/api/v2/dags?paused=true&limit=100")["dags"]
        return sorted(one["dag_id"] for one in found)

    def backfill(self, dag_id: str, days: Days, active: int) -> None:
        """Ask the scheduler to run every one of these days, again if need be."""
        self._end_backfills(dag_id)
        begin, end = days.bounds()
        self._call(
            "POST",
            "/api/v2/backfills",
            {
                "dag_id": dag_id,
                "from_date": begin,
                "to_date": end,
                "reprocess_behavior": "completed",
                "max_active_runs": active,
            },
        )

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with a configuration, as from the trigger form; returns its id."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
        started = self._call("POST", path, {"logical_date": None, "conf": dict(conf)})
        return str(started["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run as it is now."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"
        found: dict[str, Any] = self._call("GET", path)
        return found

    def runs(self, dag_id: str, days: Days) -> list[dict[str, Any]]:
        """The runs with a logical date in these days, oldest first."""
        begin, end = days.bounds()
        query = urlencode(
            {
                "logical_date_gte": begin,
                "logical_date_lte": end,
                "limit": 100,
                "order_by": "logical_date",
            }
        )
        answer = self._call("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns?{query}")
        runs: list[dict[str, Any]] = answer["dag_runs"]
        return runs

    def discard_unsuccessful(self, dag_id: str, days: Days) -> None:
        """Delete runs of these days that did not succeed, so that a backfill makes them anew.

        Airflow 3.3.2 cannot clear them: a run with a deadline that is still ahead makes it
        answer 500 (it reads the deadline's interval as a number, and it is a dict).
        """
        for run in self.runs(dag_id, days):
            path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            if run["state"] in UNFINISHED:  # only what has ended can be deleted
                self._call("PATCH", path, {"state": "failed"})
            if run["state"] != "success":
                self._call("DELETE", path)

    def wait(
        self,
        dag_id: str,
        days: Days,
        patience: float,
        progress: Callable[[int, int], None],
    ) -> list[dict[str, Any]]:
        """Wait until no run of these days is unfinished; returns them, failed ones too.

        Raises ``PlatformError`` where ``patience`` seconds have gone by since the last one ended.
        """
        ended, moved = -1, time.monotonic()
        while True:
            runs = self.runs(dag_id, days)
            open_runs = [run for run in runs if run["state"] in UNFINISHED]
            progress(len(runs) - len(open_runs), len(runs))
            if not open_runs:
                return runs
            if len(runs) - len(open_runs) > ended:
                ended, moved = len(runs) - len(open_runs), time.monotonic()
            if time.monotonic() > moved + patience:
                raise PlatformError(
                    f"{len(open_runs)} of {len(runs)} runs of {dag_id} are not done, and none has "
                    f"ended for {patience:.0f} s.",
                    remedy=f"Look at {self._url}/dags/{dag_id} for what they wait for.",
                )
            time.sleep(LOOK_SECONDS)

    def _end_backfills(self, dag_id: str) -> None:
        """Airflow takes one backfill a DAG, and notices up to 30 s late that one is done."""
        give_up = time.monotonic() + BACKFILL_END_PATIENCE_SECONDS
        while True:
            query = urlencode({"dag_id": dag_id, "order_by": "-id"})
            found = self._call("GET", f"/api/v2/backfills?{query}")["backfills"]
            unfinished = [one["id"] for one in found if one["completed_at"] is None]
            if not unfinished:
                return
            if time.monotonic() > give_up:
                for backfill_id in unfinished:
                    self._call("PUT", f"/api/v2/backfills/{backfill_id}/cancel", {})
                return
            time.sleep(LOOK_SECONDS)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = Request(  # noqa: S310 -- the address of our own API server
            f"{self._url}{path}",
            json.dumps(body).encode() if body is not None else None,
            headers,
            method=method,
        )
        try:
            answer = _answer(request, self._reads if method == "GET" else 1)
            return json.loads(answer) if answer else None
        except HTTPError as error:
            with error:
                detail = error.read(500).decode(errors="replace")
            raise PlatformError(
                f"Airflow answered {error.code} to {method} {urlsplit(path).path}: {detail}",
                remedy="See logs/api-server.log in the state folder.",
                status=error.code,
            ) from None
        except (OSError, ValueError) as error:
            raise PlatformError(
                f"Airflow's API server at {self._url} does not answer: {error}.",
                remedy="Run `daybreak status`, then `daybreak up`.",
            ) from error


def _answer(request: Request, left: int) -> bytes:
    """The body of the answer, asked for ``left`` times where none comes in time: reads only, for of
    a change one cannot know."""
    while True:
        left -= 1
        try:
            with urlopen(request, timeout=CALL_SECONDS) as response:  # noqa: S310 -- our own server
                return bytes(response.read())
        except (TimeoutError, URLError) as error:
            reason = getattr(error, "reason", error)
            if not left or not isinstance(reason, TimeoutError):
                raise
