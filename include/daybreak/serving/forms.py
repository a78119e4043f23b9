"""The forms of a prediction's request: one, many at once, and what the address may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from daybreak.errors import ConfigError, InvalidRequest
from daybreak.models.base import AnyModel
from daybreak.serving.answers import MOST_EXPLAINED, SCORES_ALONE, Wanted
from daybreak.serving.http.body import wrong_fields

MOST_ROWS = 1000
ROWS = "rows"


class Many(BaseModel):
    """Base of the forms of many requests at once."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    rows: list[Any]


class Query(BaseModel):
    """What the address of a prediction may say after its ``?``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compare: Literal["published"] | None = Field(
        None, description="Give each prediction the row that is published about the same."
    )
    explain: Literal["true", "false"] = Field(
        "false", description="Give each prediction what each feature added to its margins."
    )


def many_form(model: AnyModel) -> type[Many]:
    """The form of up to ``MOST_ROWS`` requests of a model at once.

    Raises ``ConfigError`` where the model's own form has a field of that name.
    """
    one = model.endpoint.request
    if ROWS in one.model_fields:
        raise ConfigError(
            f"The requests of {model.name} have a field {ROWS!r}, by which many requests are told "
            "from one.",
            remedy="Give the field of the request form another name.",
            model=model.name,
        )
    # The first wrong row is named, with all that is wrong in it.
    several = Field(min_length=1, max_length=MOST_ROWS, fail_fast=True)
    rows = Annotated[list[one], several]  # type: ignore[valid-type]
    described = Field(description="Requests, each as if it were sent alone.")
    made: type[Many] = create_model(
        f"{one.__name__}s", __base__=Many, __doc__="Many requests at once.", rows=(rows, described)
    )
    return made


def query_of(model: AnyModel) -> tuple[str, ...]:
    """What of ``Query`` the address of a prediction of this model may say."""
    return tuple(Query.model_fields) if model.answers_from_a_day else ("explain",)


def wanted(model: AnyModel, request: Request) -> Wanted:
    """What the address asks for. Raises ``InvalidRequest``, naming the parameter."""
    if not request.environ.get("QUERY_STRING"):
        return SCORES_ALONE
    try:
        query = Query.model_validate(
            {
                name: values[0] if len(values) == 1 else values
                for name, values in request.args.lists()
            }
        )
    except ValidationError as error:
        wrong = {
            ".".join(map(str, fault["loc"])): fault["msg"]
            for fault in error.errors(include_url=False, include_input=False)
        }
        raise wrong_fields(
            "The address is wrong",
            wrong,
            remedy="It may say compare=published and explain=true, each once.",
        ) from None
    if query.compare and not model.answers_from_a_day:
        why = "answers about events as they come" if model.decides else "is not scored nightly"
        raise InvalidRequest(
            f"{model.name} {why}, so there is nothing to compare with.",
            remedy="Leave compare out.",
            field="compare",
        )
    return Wanted(compare=query.compare is not None, explain=query.explain == "true")


def expect_few(asked: BaseModel) -> None:
    """Raise ``InvalidRequest`` where more events are to be explained than one answer explains."""
    if isinstance(asked, Many) and len(asked.rows) > MOST_EXPLAINED:
        raise InvalidRequest(
            f"The request would be answered by more than {MOST_EXPLAINED} predictions, each "
            "explained.",
            remedy="Ask for fewer at once.",
            field=ROWS,
            limit=MOST_EXPLAINED,
        )


def records(asked: BaseModel) -> bool:
    """Whether any of the events of a request is to be appended to its stream."""
    forms = asked.rows if isinstance(asked, Many) else [asked]
    return any(getattr(form, "record", False) for form in forms)
