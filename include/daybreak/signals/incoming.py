"""Events and labels as people send them, and as the log takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from daybreak.signals.entries import AHEAD
from daybreak.signals.log import Event, Label
from daybreak.signals.stream import MOST_UNITS, OFF, OFF_OF_ALL, Stream

MOST_AT_ONCE = 1000
LARGEST_NUMBER = 1e30
"""Of an attribute: float32 ends at 3.4e38."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[str, Field(max_length=63)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EventForm(_Form):
    """An event: its id, the moment at which it happened, and what the stream declares."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "tx-81",
                    "event_at": "2026-03-01T09:30:00Z",
                    "keys": {"card": "c-17", "terminal": "t-4"},
                    "amounts": {"amount": 12.34},
                    "attributes": {"channel": "web"},
                }
            ]
        }
    )

    event_id: Text = Field(description="Counts once, however often it is sent.")
    event_at: AwareDatetime = Field(description="When it happened, with its offset from UTC.")
    keys: dict[Names, Text] = Field(description="By the stream's names; one at least.")
    amounts: dict[Names, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="By the stream's names."
    )
    attributes: dict[Names, Annotated[str, Field(max_length=10_000)] | float | bool] = Field(
        default_factory=dict, description="By the stream's names; each of its kind."
    )


class DecisionForm(EventForm):
    """An event that a decision is asked about."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "tx-82",
                    "event_at": "2026-03-01T09:31:00Z",
                    "keys": {"card": "c-17", "terminal": "t-9"},
                    "amounts": {"amount": 812.0},
                    "record": True,
                }
            ]
        }
    )

    record: bool = Field(
        False,
        description="Append it to the stream once it is decided; asked again, it has the same "
        "answer, and counts once.",
    )


class EventsForm(_Form):
    """Events, all of which are taken or none."""

    events: list[EventForm] = Field(min_length=1, max_length=MOST_AT_ONCE)


class LabelForm(_Form):
    """What is said of an event now."""

    event_id: Text
    fraud: bool


class LabelsForm(_Form):
    """Labels, all of which are taken or none. The last word on an event counts."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"labels": [{"event_id": "tx-81", "fraud": True}]}]}
    )

    labels: list[LabelForm] = Field(min_length=1, max_length=MOST_AT_ONCE)


def event_of(stream: Stream, form: EventForm) -> Event:
    """An event that has no ``faults_of``, as the log takes it."""
    amounts = {name: round(value * stream.scale) for name, value in form.amounts.items()}
    return Event(form.event_id, form.event_at, form.keys, amounts, form.attributes)


def as_form(stream: Stream, event: Event) -> EventForm:
    """The inverse: an event of the log as it would be sent."""
    return EventForm(
        event_id=event.event_id,
        event_at=event.event_at,
        keys=dict(event.keys),
        amounts={name: units / stream.scale for name, units in event.amounts.items()},
        attributes=dict(event.attributes),
    )


def label_of(form: LabelForm) -> Label:
    """A label as the log takes it."""
    return Label(form.event_id, form.fraud)


def faults_of(
    stream: Stream, form: EventForm, now: datetime, keep: timedelta
) -> Iterator[tuple[str, str]]:
    """Fields of an event that its stream cannot take, each with what is wrong.

    It has what the stream does not declare, or happened later than now or more than ``keep`` ago.
    """
    if form.event_at > now + AHEAD:
        yield "event_at", f"is in the future: it is {now.isoformat(timespec='seconds')} here"
    elif form.event_at < now - keep:
        yield "event_at", f"is more than {keep.days} days ago, which is not kept"
    if not form.keys:
        yield "keys", "is empty"
    yield from _unknown("keys", form.keys, stream.keys)
    yield from _unknown("amounts", form.amounts, stream.amounts)
    yield from _unknown("attributes", form.attributes, stream.attributes)
    for name, value in form.amounts.items():
        units = value * stream.scale
        if units > MOST_UNITS:
            yield f"amounts.{name}", f"is beyond 2^53 of {stream.decimals} decimals"
        elif abs(units - round(units)) > OFF + units * OFF_OF_ALL:
            yield f"amounts.{name}", f"has more than {stream.decimals} decimals"
    for name, given in form.attributes.items():
        kind = stream.attributes.get(name)
        if kind is not None and not _is_of_kind(given, kind):
            yield f"attributes.{name}", f"is no {kind}"
        elif kind == "number" and abs(float(given)) > LARGEST_NUMBER:
            yield f"attributes.{name}", "is beyond 1e30"


def _unknown(
    what: str, given: Mapping[str, object], known: Sequence[str] | Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    for name in given:
        if name not in known:
            yield f"{what}.{name}", "is none of the stream's"


def _is_of_kind(given: str | float | bool, kind: str) -> bool:
    if kind == "number":
        return isinstance(given, float | int) and not isinstance(given, bool)
    return isinstance(given, str if kind == "text" else bool)
