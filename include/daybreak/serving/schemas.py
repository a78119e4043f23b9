"""The forms of the answers. The OpenAPI document and the tests are made from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from sqlalchemy import Date, Integer, SmallInteger, Table

from daybreak.ledger.verdicts import Gate
from daybreak.models.base import AnyModel, Source
from daybreak.serving.answers import score_columns

GATE = "What the gate said of the version last; one that was refused may be in force by hand."
Basis = Literal["published", "superseded", "rolled_back"]

_FORECAST: dict[str, Any] = {
    "model": "a_model",
    "champion": "2026-06-23-5f0c2ab9",
    "published": {
        "generation": 7,
        "version": "2026-06-23-5f0c2ab9",
        "gate": "passed",
        "business_date": "2026-06-30",
        "cutoff": "2026-07-01T02:00:00Z",
        "rows": 13440,
        "engine": "twin",
    },
    "problem": None,
    "absent": None,
}


def example(value: dict[str, Any]) -> ConfigDict:
    """Shown with a form in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [value]})


SOURCE = (
    "published: equal to the table; default: the row that is published for unknown entities; live: "
    "with what the request says, with what streams say of this moment, or by a canary; what_if: in "
    "force for nobody."
)


class Form(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(extra="forbid")


class Health(Form):
    """The process lives."""

    model_config = example({"status": "ok"})

    status: Literal["ok"] = "ok"


class Readiness(Form):
    """Every model can be predicted."""

    model_config = example({"status": "ready", "checks": {"warehouse": "ok", "a_model": "ok"}})

    status: Literal["ready"] = "ready"
    checks: dict[str, str] = Field(description="What was checked: the warehouse, and each model.")


class Fault(Form):
    """What went wrong, where, and what to do about it."""

    code: str = Field(description="Stable; docs/api.md lists them all.")
    message: str
    remedy: str
    details: dict[str, Any] = Field(description="Field, limit, allowed range … as JSON.")


class Failure(Form):
    """The one shape of every error."""

    error: Fault


class Published(Form):
    """The generation that predictions are answered from."""

    generation: int
    version: str
    gate: Gate = Field(description=GATE)
    business_date: date
    cutoff: datetime = Field(description="The scores know nothing that became known later.")
    rows: int | None = Field(description="Rows of the generation in the score table.")
    engine: str = Field(description="What scores single rows: the twin, or the booster itself.")


class ModelSummary(Form):
    """A model in short."""

    model: str
    champion: str | None = Field(description="The version in force now.")
    published: Published | None = Field(
        description="null: nothing is, or the champion answers, whatever is published."
    )
    problem: Fault | None = Field(
        description="Why nothing is published or served, or why a newer version stays out."
    )
    absent: str | None = Field(
        description="What the data set lacks for it, as in `needs sales`; null: nothing."
    )


class ModelList(Form):
    """All models."""

    model_config = example({"models": [_FORECAST]})

    models: list[ModelSummary]


class ModelDetail(ModelSummary):
    """A model, with what the served version was trained on and how a request looks."""

    model_config = example(
        {
            **_FORECAST,
            "keys": ["store_id", "item_id"],
            "request": {"type": "object", "required": ["store_id", "item_id", "target_date"]},
            "manifest": {"trained_through": "2026-06-22", "engine": "xgboost"},
        }
    )

    keys: list[str] = Field(
        description="Fields that say which entity a request is about; none of one about an event."
    )
    request: dict[str, Any] = Field(description="JSON Schema of a prediction request.")
    manifest: dict[str, Any] | None = Field(description="Manifest of the served version.")


_OF_A_GENERATION: dict[str, Any] = {
    "generation": (int, Field(description="Its row in ops.generation.")),
    "business_date": (date, Field(description="The last day whose facts are known.")),
}
_OF_WHAT_IT_STANDS_ON: dict[str, Any] = {
    "basis": (
        Basis | None,
        Field(
            description="What became of the scores of another model that the generation was made "
            "from. rolled_back: they were wrong, and this answer may be; null: not known."
        ),
    ),
}
_WATERMARK = "Nothing that became known later is in it"
_OF_A_MOMENT: dict[str, Any] = {
    "watermark": (datetime, Field(description=f"{_WATERMARK}.")),
}
_OF_AN_EVENT: dict[str, Any] = {
    "watermark": (
        datetime | None,
        Field(
            description=f"{_WATERMARK}. Of a stale answer that of the oldest key; null: nothing "
            "was remembered of its keys."
        ),
    ),
}
_KEPT: dict[str, Any] = {
    "recorded": (bool, Field(description="Whether the event was appended to its stream.")),
    "stale": (
        bool,
        Field(
            description="Whether the warehouse was down: answered by what was read of the keys "
            "before. Whether the event is in the stream was not looked at."
        ),
    ),
}
_OF_A_CANARY: dict[str, Any] = {
    "version": (str, Field("", description="Only where a canary answered: its version.")),
    "gate": (Gate, Field("passed", description=f"Only where a canary answered. {GATE}")),
}


class TakenEntry(Form):
    """What became of an event or a label."""

    event_id: str
    outcome: Literal["new", "repeat", "waits"] = Field(
        description="repeat: it was there already; waits: a label whose event is not known yet."
    )
    sequence: int = Field(description="Of the entry in the log of the stream.")
    known_at: datetime = Field(description="Since when it is known here.")


class Taken(Form):
    """What was taken, and will not be lost; in the order in which it was sent."""

    model_config = example(
        {
            "stream": "payments",
            "entries": [
                {
                    "event_id": "tx-81",
                    "outcome": "new",
                    "sequence": 81,
                    "known_at": "2026-03-01T09:30:00.250000Z",
                }
            ],
        }
    )

    stream: str
    entries: list[TakenEntry]


class FeatureAdds(Form):
    """What one feature added to a score."""

    name: str
    value: float | None = Field(description="null: missing.")
    adds: list[float] = Field(description="To each output, in their order.")


class Explanation(Form):
    """Where the margins of a score come from, before they are made into scores.

    A margin is its base and what all features add, but for rounding.
    """

    outputs: list[str] = Field(description="Names of the margins; none of a version without trees.")
    base: list[float]
    margin: list[float]
    features: list[FeatureAdds] = Field(description="Those that add something, the most first.")


def answer_forms(
    model: AnyModel,
) -> tuple[type[BaseModel], type[BaseModel], type[BaseModel]]:
    """The answer to a request of ``model``, to many at once, and to one by its address."""
    name = _camel(model.name)
    head: dict[str, Any] = {
        "model": (Literal[model.name], ...),
        "version": (str, Field(description="The version that answered.")),
        "gate": (Gate, Field(description=GATE)),
    }
    notes = model.endpoint.notes
    scored: dict[str, Any] = {
        "source": (Source, Field(description=SOURCE)),
        "predictions": (list[_prediction_form(model)], ...),  # type: ignore[misc]  # made here
        **(_fields_of(notes) if notes else {}),
    }
    if model.decides:
        # Each answer is kept as it is, and comes back as it is: of many, too, it says all of it.
        scored = _OF_AN_EVENT | scored | _KEPT
        beside = {"version": head["version"], "gate": head["gate"]}
    else:
        head |= _OF_A_GENERATION if model.answers_from_a_day else _OF_A_MOMENT
        if model.answers_from_a_day and model.inputs:
            head |= _OF_WHAT_IT_STANDS_ON
        beside = _OF_A_CANARY
    alone = create_model(f"{name}OneOfMany", __base__=Form, **scored, **beside)
    answers = Field(description="Of each row in order: its answer, or the error it would have got.")
    latency: Any = (float, Field(description="Time inside the service.", ge=0))
    looked_up = create_model(f"{name}LookedUp", __base__=Form, **head, **scored)
    return (
        create_model(f"{name}Answer", __base__=looked_up, latency_ms=latency),
        create_model(
            f"{name}Answers",
            __base__=Form,
            **head,
            answers=(list[alone | Failure], answers),
            latency_ms=latency,
        ),
        looked_up,
    )


def _prediction_form(model: AnyModel) -> type[BaseModel]:
    """A row of the score table, what the model says beside it, and what was asked for beside."""
    endpoint, name = model.endpoint, _camel(model.name)
    row = endpoint.prediction or create_model(
        f"{name}Row", __base__=Form, **_fields(model.night.score_table)
    )
    beside: dict[str, Any] = _fields_of(endpoint.extra) if endpoint.extra else {}
    explained = Field(None, description="Only with `?explain=true`.")
    beside["explanation"] = (Explanation, explained)
    if model.answers_from_a_day:
        published = Field(
            None,
            description="Only with `?compare=published`: the row of the published generation about "
            "the same, null where there is none.",
        )
        beside["published"] = (row | None, published)
    made: type[BaseModel] = create_model(f"{name}Prediction", __base__=row, **beside)
    return made


def _fields_of(form: type[BaseModel]) -> dict[str, Any]:
    return {name: (of.annotation, of) for name, of in form.model_fields.items()}


def _fields(table: Table) -> dict[str, Any]:
    return {
        name: (_python_type(table.c[name].type), Field(description=table.c[name].comment or ""))
        for name in score_columns(table)
    }


def _python_type(kind: object) -> type:
    if isinstance(kind, Date):
        return date
    if isinstance(kind, SmallInteger | Integer):
        return int
    return kind.python_type  # type: ignore[attr-defined, no-any-return]  # every SQL type has it


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
