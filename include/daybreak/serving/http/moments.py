"""Dates and times in a request: only as the API's schema says that they are written.

pydantic takes any digits for a moment, seconds or milliseconds since 1970 by their size: the date
"20261101" is 23 August 1970 to it. Whatever model's request form asks for a date, ``string``
with ``format: date`` is what its schema promises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
Place = tuple[str | int, ...]
Written = tuple[re.Pattern[str], str]

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
_WRITTEN: dict[str, Written] = {
    "date": (re.compile(_DAY), "YYYY-MM-DD"),
    "date-time": (re.compile(f"{_DAY}[Tt ]{_TIME}"), "YYYY-MM-DDThh:mm:ss"),
    "time": (re.compile(_TIME), "hh:mm:ss"),
    "duration": (re.compile(r"[+-]?P[0-9.,YMWDTHS]+"), "an ISO 8601 duration such as P1DT2H"),
}


def miswritten(form: type[BaseModel], body: Mapping[str, Any]) -> dict[str, str]:
    """Fields of ``body`` (parsed JSON) that are no date or time as the schema of ``form`` writes
    it: dotted name to what is wrong. Other faults are pydantic's to find.
    """
    wrong: dict[str, str] = {}
    definitions, fields = _with_moments(form)
    for name, (schema, written) in fields.items():
        value = body.get(name)
        if isinstance(value, str):  # most are, and their schemas were looked at already
            if (way := _misses(value, written)) is not None:
                wrong[name] = way
        elif value is not None:
            for place, fault in _faults(value, schema, definitions, (name,)):
                wrong[".".join(map(str, place))] = fault
    return wrong


@cache
def _with_moments(
    form: type[BaseModel],
) -> tuple[Schema, dict[str, tuple[Schema, Sequence[Written | None]]]]:
    """What schemas refer to; and each field that may hold a date or time, with its schema and how
    its texts are written.
    """
    whole = form.model_json_schema()
    definitions = whole.get("$defs", {})
    marks = [f'"format": "{name}"' for name in _WRITTEN]
    if any(mark in json.dumps(definitions) for mark in marks):
        marks.append("$ref")
    fields: dict[str, tuple[Schema, Sequence[Written | None]]] = {
        name: (schema, _texts(_branches(schema, definitions)))
        for name, schema in whole.get("properties", {}).items()
        if any(mark in json.dumps(schema) for mark in marks)
    }
    return definitions, fields


def _texts(branches: Iterable[Schema]) -> list[Written | None]:
    """How a text may be written; None stands for any."""
    return [
        _WRITTEN.get(branch.get("format", ""))
        for branch in branches
        if branch.get("type", "string") == "string"
    ]


def _misses(value: str, written: Sequence[Written | None]) -> str | None:
    """How ``value`` should have been written; None where it is."""
    for way in written:
        if way is None or way[0].fullmatch(value):
            return None
    return next((f"Write it as {way[1]}" for way in written if way), None)


def _faults(
    value: Any, schema: Schema, definitions: Schema, place: Place
) -> Iterator[tuple[Place, str]]:
    branches = list(_branches(schema, definitions))
    if isinstance(value, str):
        if (way := _misses(value, _texts(branches))) is not None:
            yield place, way
    elif isinstance(value, dict | list):
        kind = "object" if isinstance(value, dict) else "array"
        found = [
            list(_inner(value, branch, definitions, place))
            for branch in branches
            if branch.get("type", kind) == kind
        ]
        if found and all(found):  # of several forms that it may have, one that fits is enough
            yield from found[0]


def _inner(
    value: Any, schema: Schema, definitions: Schema, place: Place
) -> Iterator[tuple[Place, str]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    named = schema.get("properties", {})
    others = schema.get("additionalProperties" if isinstance(value, dict) else "items")
    for key, inner in items:
        if isinstance(of_inner := named.get(key, others), dict):
            yield from _faults(inner, of_inner, definitions, (*place, key))


def _branches(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """Each form that a value may have, references followed."""
    if reference := schema.get("$ref"):
        yield from _branches(definitions[reference.rpartition("/")[2]], definitions)
        return
    if "properties" in schema:  # what else it says is which of them go together
        yield schema
        return
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if not choices:
        yield schema
    for choice in choices or ():
        yield from _branches(choice, definitions)
