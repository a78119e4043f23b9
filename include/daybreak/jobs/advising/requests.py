"""Requests to measure by: what is published, asked for again, or events that happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from daybreak.errors import InvalidRequest, NoData
from daybreak.facts.days import newest_closed_day
from daybreak.jobs.advising.replay import no_closed_day
from daybreak.ledger.generations import published_generation
from daybreak.models.base import AnyModel, Day, DecidingScorer
from daybreak.registry.artifact import Artifact
from daybreak.signals.incoming import as_form
from daybreak.signals.log import Event
from daybreak.signals.slots import ABSENT
from daybreak.signals.stream import Stream, read_stream
from daybreak.signals.transactions import Transactions, read_transactions
from daybreak.warehouse.tables import published

Json = dict[str, Any]
BACK = 40
"""Days back from the newest closed one in which events are looked for."""


def requests_of(
    conn: Connection, model: AnyModel, artifact: Artifact, now: datetime, count: int
) -> list[Json]:
    """At most ``count`` requests that differ from each other.

    Raises ``InvalidRequest`` where the model does not say what a request is, ``NoData`` where
    nothing is published, or no event happened.
    """
    if model.decides:
        return _events(conn, model, artifact, now, count)
    if model.nightly is None or model.endpoint.request_of is None:
        raise InvalidRequest(
            f"{model.name} does not say how to ask for what it has published.",
            remedy="Give requests by --requests FILE, one JSON object a line.",
            field="requests",
        )
    return _published(conn, model, count)


def read_requests(file: Path) -> list[Json]:
    """One JSON object a line. Raises ``InvalidRequest``, naming the line."""
    found = []
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The file {file} cannot be read: {error}.",
            remedy="Give a file of text with one JSON object a line.",
            field="requests",
        ) from None
    for number, line in enumerate(lines, 1):
        try:
            body = json.loads(line) if line.strip() else None
        except ValueError:
            body = []
        if body is not None and not isinstance(body, dict):
            raise InvalidRequest(
                f"Line {number} of {file} is no JSON object.",
                remedy="Write one request a line, as its body.",
                field="requests",
                row=number,
            )
        found += [body] if body else []
    if not found:
        raise InvalidRequest(
            f"{file} has no request.", remedy="Write one request a line.", field="requests"
        )
    return found


def _published(conn: Connection, model: AnyModel, count: int) -> list[Json]:
    """Of rows spread at random over what is published of the newest day, the same each time."""
    newest = conn.scalar(
        select(func.max(published.c.business_date)).where(published.c.model == model.name)
    )
    if newest is None:
        raise NoData(
            f"Nothing of {model.name} is published, so no request can be answered.",
            remedy=f"`daybreak score {model.name} --business-date YYYY-MM-DD` publishes a day.",
            model=model.name,
        )
    generation = published_generation(conn, model.name, newest)
    table = model.night.score_table
    query = (
        select(table)
        .where(
            table.c.business_date == newest,
            table.c.generation_id == generation.generation_id,
        )
        .order_by(func.md5(func.concat_ws("/", *table.primary_key.columns)))
        .limit(20 * count)
    )
    ask = model.endpoint.request_of
    if ask is None:
        raise ValueError(f"{model.name} has no `request_of`")
    found: dict[str, Json] = {}
    for row in conn.execute(query).mappings():
        body = ask(dict(row))
        found.setdefault(json.dumps(body, sort_keys=True), body)
        if len(found) == count:
            break
    return list(found.values())


def _events(
    conn: Connection, model: AnyModel, artifact: Artifact, now: datetime, count: int
) -> list[Json]:
    """The newest events of the stream, under ids of their own, not to be recorded."""
    scorer = model.scorer(artifact, Day())
    if not isinstance(scorer, DecidingScorer):
        raise TypeError(f"the scorer of {model.name} does not decide")
    stream = read_stream(conn, scorer.looks_at.stream)
    newest = newest_closed_day(conn)
    if newest is None:
        raise no_closed_day()
    for back in range(BACK):
        day = newest - timedelta(days=back)
        found = read_transactions(conn, stream, day, day, now)
        if len(found):
            places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
            return [*_forms(stream, found.where(places), now)]
    raise NoData(
        f"{stream.name} has no events on the {BACK} days up to {newest}.",
        remedy="Load some, or give requests by --requests FILE.",
        model=model.name,
    )


def _forms(stream: Stream, found: Transactions, now: datetime) -> Iterator[Json]:
    moments = found.moments
    for place in range(len(found)):
        keys = {name: values[place] for name, values in moments.keys.items()}
        amounts = {name: int(values[place]) for name, values in found.amounts.items()}
        attributes = {name: values[place] for name, values in found.attributes.items()}
        event = Event(
            f"advise-{now:%Y%m%d%H%M%S}-{place}",
            datetime.fromtimestamp(int(moments.at[place]) / 1e6, UTC),
            {name: value for name, value in keys.items() if value is not None},
            {name: value for name, value in amounts.items() if value != ABSENT},
            {name: value for name, value in attributes.items() if value is not None},
        )
        yield as_form(stream, event).model_dump(mode="json")
