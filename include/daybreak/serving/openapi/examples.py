"""Examples of requests and answers, as the models give them."""

from __future__ import annotations

from daybreak.models.base import AnyModel, Example
from daybreak.serving.openapi.forms import Json

_OF_A_GENERATION = {"generation": 7, "business_date": "2026-06-30"}
_OF_WHAT_IT_STANDS_ON = {"basis": "published"}
_OF_A_MOMENT = {"watermark": "2026-07-01T09:00:00+00:00"}


def asked(model: AnyModel) -> Json:
    """Requests, by what they show."""
    return {
        summary: {"summary": summary, "value": dict(example.request)}
        for summary, example in model.endpoint.examples.items()
    }


def given(model: AnyModel, *, by_address: bool) -> Json:
    """The answers to them; those by address do not say how long they took."""
    latency = {} if by_address else {"latency_ms": 0.31}
    return {
        summary: {"summary": summary, "value": _answer(model, example) | latency}
        for summary, example in model.endpoint.examples.items()
    }


def _answer(model: AnyModel, example: Example) -> Json:
    return {
        "model": model.name,
        "version": "2026-06-23-5f0c2ab9",
        "gate": "passed",
        **(_of_a_day(model) if model.answers_from_a_day else _OF_A_MOMENT),
        "source": example.source,
        "predictions": [dict(row) for row in example.predictions],
        **example.notes,
        **(_kept(example) if model.decides else {}),
    }


def _of_a_day(model: AnyModel) -> Json:
    return {**_OF_A_GENERATION, **(_OF_WHAT_IT_STANDS_ON if model.inputs else {})}


def _kept(example: Example) -> Json:
    return {"recorded": example.request.get("record", False), "stale": False}
