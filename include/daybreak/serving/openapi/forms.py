"""Forms as JSON Schema: what the document says is what the parser takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from daybreak.serving.http.body import MOST_FIELDS

Json = dict[str, Any]
Form = type[BaseModel]


class RequestSchema(GenerateJsonSchema):
    """Adds what ``serving.http.body.parse`` asks of every request, whatever its form says."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """A text without NUL. (No text of JSON Schema holds half a surrogate pair.)"""
        found = super().str_schema(schema)
        if self.mode == "validation":
            found.setdefault("pattern", r"^[^\u0000]*$")
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """An object whose names are texts like others, and are bounded in number.

        A pattern of its names would else say which of them have values of this kind, and let all
        others have any.
        """
        found = super().dict_schema(schema)
        for pattern, values in found.pop("patternProperties", {}).items():
            found["propertyNames"] = found.get("propertyNames", {}) | {"pattern": pattern}
            found["additionalProperties"] = values
        if self.mode == "validation":
            found.setdefault("maxProperties", MOST_FIELDS)
        return found


def request_schema(form: Form) -> Json:
    """The JSON Schema of a request alone."""
    return form.model_json_schema(schema_generator=RequestSchema)


def query_parameters(form: Form) -> list[Json]:
    """The parameters of an address, of which none has to be there."""
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": schema.get("anyOf", [schema])[0],
        }
        for name, schema in form.model_json_schema()["properties"].items()
    ]


class Forms:
    """Forms of requests and answers, and the schemas that a document refers to them by."""

    def __init__(self, requests: Iterable[Form], answers: Iterable[Form]) -> None:
        # A request is described as it is sent, an answer as it is written.
        asked = [(form, "validation") for form in dict.fromkeys(requests)]
        given = [(form, "serialization") for form in dict.fromkeys(answers)]
        self._refs, definitions = models_json_schema(
            asked + given,  # type: ignore[arg-type]  # the mode is one of two literals
            ref_template="#/components/schemas/{model}",
            schema_generator=RequestSchema,
        )
        self.schemas: Json = definitions.get("$defs", {})

    def asked(self, form: Form) -> Json:
        """Reference to a request."""
        return self._refs[(form, "validation")]

    def given(self, form: Form) -> Json:
        """Reference to an answer."""
        return self._refs[(form, "serialization")]
