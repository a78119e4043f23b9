"""``/v1/streams/<stream>``: events as they happen, and what is said of them later."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from daybreak.serving.http.auth import needs
from daybreak.serving.http.body import parse, read_body
from daybreak.serving.http.current import current_request
from daybreak.serving.http.encoding import json_response
from daybreak.serving.openapi.description import described
from daybreak.serving.schemas import Taken, TakenEntry
from daybreak.serving.service import Service, current_service
from daybreak.signals.incoming import EventForm, EventsForm, LabelForm, LabelsForm
from daybreak.signals.log import Receipt

blueprint = Blueprint("streams", __name__)


@blueprint.post("/v1/streams/<stream>/events")
@needs("events")
@described("send_events", "Streams", body=EventsForm, answer=Taken, faults=(409, 422))
def events(stream: str) -> Response:
    """Take events, all of them or none; an id counts once.

    Who gets no answer sends them again: a repeat changes nothing.
    """
    service = current_service()
    sent = parse(EventsForm, _body(service)).events
    return _taken(stream, sent, service.streams.take_events(stream, sent))


@blueprint.post("/v1/streams/<stream>/labels")
@needs("events")
@described("send_labels", "Streams", body=LabelsForm, answer=Taken)
def labels(stream: str) -> Response:
    """Take labels, all of them or none; the last word on an event counts."""
    service = current_service()
    sent = parse(LabelsForm, _body(service)).labels
    return _taken(stream, sent, service.streams.take_labels(stream, sent))


def _body(service: Service) -> bytes:
    return read_body(current_request(), service.runtime.settings.max_body_bytes)


def _taken(
    stream: str, sent: Sequence[EventForm | LabelForm], receipts: Sequence[Receipt]
) -> Response:
    entries = [
        TakenEntry(
            event_id=one.event_id,
            outcome=receipt.outcome,
            sequence=receipt.sequence,
            known_at=receipt.loaded_at,
        )
        for one, receipt in zip(sent, receipts, strict=True)
    ]
    return json_response(Taken(stream=stream, entries=entries).model_dump(mode="json"))
