"""The statuses that routes answer with beside 200: when, and an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daybreak.errors import (
    Conflict,
    DaybreakError,
    Forbidden,
    HeadersTooLarge,
    InvalidRequest,
    NotFound,
    NotPublished,
    OutsideHorizon,
    RequestTimeout,
    RequestTooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
)

ANY = (400, 408, 413, 431)
"""Of every route: what is refused before an app sees it."""
WAITING = (503,)
CLOSED = (401, 403, 429)
WITH_BODY = (415,)
WITH_PARAMETERS = (404,)
OF_DECISIONS = (409, 422)
"""Of a model that decides, whose requests are events: they may not fit their stream."""


@dataclass(frozen=True)
class Fault:
    """``when`` a status is answered, and one ``error`` that has it."""

    when: str
    error: DaybreakError


FAULTS: Mapping[int, Fault] = {
    400: Fault(
        "Body or address is not what is asked for: each wrong field is named. Or it is no HTTP.",
        InvalidRequest(
            "1 field(s) are wrong: item_id: Field required.",
            remedy="GET /v1/openapi.json says what each field takes.",
            fields=[{"field": "item_id", "message": "Field required"}],
        ),
    ),
    401: Fault(
        "No valid credential.",
        Unauthenticated(
            "This request carries no valid API key.",
            remedy="Send Authorization: Bearer dbk_…; `daybreak keys create NAME` makes a key.",
        ),
    ),
    403: Fault(
        "The caller is known but may not do this.",
        Forbidden("This caller may not do this.", remedy="Ask for the right."),
    ),
    404: Fault(
        "There is no such model, version or stream, or the entity asked about is unknown.",
        NotFound(
            "There is no model of this name.",
            remedy="The models are: a_model, another_model.",
            field="model",
        ),
    ),
    408: Fault(
        "The header or the body did not come in time.",
        RequestTimeout(
            "The body of the request did not come in time.", remedy="Send a request in one piece."
        ),
    ),
    409: Fault(
        "The id of an event is that of another, which is known already. Nothing was taken.",
        Conflict(
            "An event of this id is known with other content.",
            remedy="Give the event an id of its own. A correction of an event is an event, too.",
            field="events.0.event_id",
        ),
    ),
    413: Fault(
        "The body is too long.",
        RequestTooLarge(
            "The body is longer than 1048576 bytes.",
            remedy="Send less in one request; DAYBREAK_MAX_BODY_BYTES is the limit.",
            limit=1048576,
        ),
    ),
    415: Fault(
        "The body is not declared as JSON in UTF-8, or is encoded otherwise than by gzip.",
        UnsupportedMediaType(
            "The body is not declared as JSON in UTF-8.",
            remedy="Send the header Content-Type: application/json.",
            content_type="text/plain",
        ),
    ),
    422: Fault(
        "The date is outside the published horizon, or an event does not fit its stream.",
        OutsideHorizon(
            "The date 2026-08-30 is not within 2026-07-01 to 2026-07-28.",
            remedy="What is published covers 28 days after 2026-06-30.",
            field="date",
        ),
    ),
    429: Fault(
        "The caller asks more often than it may.",
        TooManyRequests(
            "This caller may ask 50 times a second.",
            remedy="Try again after the seconds that Retry-After says, and ask for less.",
            limit=50.0,
            retry_after=1,
        ),
    ),
    431: Fault(
        "The header of the request, or its address, is too long.",
        HeadersTooLarge(
            "The address is longer than 4096 bytes.",
            remedy="Send what you ask for in the body.",
            limit=4096,
        ),
    ),
    503: Fault(
        "Too many requests wait, nothing is published or in force, the artifact is missing or "
        "altered, or the warehouse is down.",
        NotPublished(
            "Nothing of a_model is published.",
            remedy="`daybreak score a_model` scores and publishes a business date.",
            model="a_model",
        ),
    ),
}
