"""The forms of the answers. The OpenAPI document and the tests are made from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from sqlalchemy import Date, Integer, SmallInteger, Table

from daybreak.ledger.verdicts import Gate
from daybreak.models.base import AnyModel
from daybreak.serving.answers import score_columns

GATE = "What the gate said of the version last; one that was refused may be in force by hand."


_FORECAST: dict[str, Any] = {
    "model": "sales_forecast",
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


class Form(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(extra="forbid")


class Health(Form):
    """The process lives."""

    model_config = example({"status": "ok"})

    status: Literal["ok"] = "ok"


class Readiness(Form):
    """Every model can be predicted."""

    model_config = example(
        {"status": "ready", "checks": {"warehouse": "ok", "sales_forecast": "ok"}}
    )

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
        description="null: nothing is, or the model only answers requests, by its champion."
    )
    problem: Fault | None = Field(description="Why nothing is published, or it cannot be served.")
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
            "request": {"type": "object", "required": ["store", "item", "date"]},
            "manifest": {"trained_through": "2026-06-22", "engine": "xgboost"},
        }
    )

    keys: list[str] = Field(description="Fields that say which entity a request is about.")
    request: dict[str, Any] = Field(description="JSON Schema of a prediction request.")
    manifest: dict[str, Any] | None = Field(description="Manifest of the served version.")


_OF_A_GENERATION: dict[str, Any] = {
    "generation": (int, Field(description="Its row in ops.generation.")),
    "business_date": (date, Field(description="The last day whose facts are known.")),
}
_OF_A_MOMENT: dict[str, Any] = {
    "watermark": (datetime, Field(description="Nothing that became known later is in it.")),
}


def prediction_form(model: AnyModel) -> type[BaseModel]:
    """The answer to a prediction of ``model``, from the columns of its score table."""
    row = model.endpoint.prediction or create_model(
        f"{_camel(model.name)}Prediction", __base__=Form, **_fields(model.night.score_table)
    )
    fields: dict[str, Any] = {
        "model": (Literal[model.name], ...),
        "version": (str, Field(description="The version that answered.")),
        "gate": (Gate, Field(description=GATE)),
        **(_OF_A_GENERATION if model.nightly else _OF_A_MOMENT),
        "source": (
            Literal["published", "live", "default"],
            Field(
                description="published: equal to the table; default: the row that is published for "
                "unknown entities; live: with what the request says."
            ),
        ),
        "predictions": (list[row], ...),  # type: ignore[valid-type]  # made a few lines above
        "latency_ms": (float, Field(description="Time inside the service.", ge=0)),
    }
    form = model.endpoint.notes
    notes = form.model_fields if form else {}
    fields |= {name: (field.annotation, field) for name, field in notes.items()}
    return create_model(f"{_camel(model.name)}Answer", __base__=Form, **fields)


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
