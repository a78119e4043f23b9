"""One request by the address alone: for browsers, spreadsheets, and caches that keep an answer."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from pydantic import BaseModel
from werkzeug.datastructures import MultiDict

from daybreak.serving.http.body import parse, wrong_fields
from daybreak.serving.openapi.forms import Form, Json, request_schema

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def asked_by_address(form: type[BaseModel], said: MultiDict[str, str]) -> BaseModel:
    """The request that the names and values after the ``?`` of an address are.

    A list is its name given again for each value. Raises ``InvalidRequest``, as of a body.
    """
    fields = fields_of(form)
    wrong = {name: "There is no such field" for name in said if name not in fields}
    for name, values in said.lists():
        if name in fields and len(values) > 1 and "array" not in _types(fields[name]):
            wrong[name] = "It is given twice"
    if wrong:
        raise wrong_fields(
            "The address is wrong", wrong, remedy=f"It may say: {', '.join(fields)}."
        )
    pairs = (f"{json.dumps(name)}:{_json(values, fields[name])}" for name, values in said.lists())
    return parse(form, f"{{{','.join(pairs)}}}".encode())


@lru_cache(maxsize=64)
def fields_of(form: Form) -> dict[str, Json]:
    """Name and schema of what an address may say; former names are left to bodies."""
    properties: dict[str, Json] = request_schema(form)["properties"]
    return {name: schema for name, schema in properties.items() if not schema.get("deprecated")}


def address_parameters(form: Form) -> list[Json]:
    """The same as parameters of the OpenAPI document."""
    required = request_schema(form).get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": _given(schema),
        }
        for name, schema in fields_of(form).items()
    ]


def _given(schema: Json) -> Json:
    """The schema of a value that is there: an address has no null."""
    (found, *_) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return {name: value for name, value in found.items() if name not in {"title", "default"}}


def _types(schema: Json) -> set[str]:
    return {one.get("type", "string") for one in schema.get("anyOf", [schema])}


def _json(values: list[str], schema: Json) -> str:
    """Values of one field as a body would have them."""
    types = _types(schema)
    if "array" in types:
        items = _given(schema).get("items", {})
        return f"[{','.join(_json([value], items) for value in values)}]"
    (value,) = values
    is_number = not types.isdisjoint({"number", "integer"}) and _NUMBER.fullmatch(value)
    is_boolean = "boolean" in types and value in {"true", "false"}
    return value if is_number or is_boolean else json.dumps(value)
