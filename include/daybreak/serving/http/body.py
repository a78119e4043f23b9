"""The body of a request: bytes to one typed object, or an error that names each wrong field."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Any, NoReturn, TypeVar

from flask import Flask, Request
from pydantic import BaseModel, ValidationError

from daybreak.errors import (
    DaybreakError,
    InvalidRequest,
    RequestTooLarge,
    UnsupportedMediaType,
)
from daybreak.serving.http.compression import decoded
from daybreak.serving.http.moments import miswritten

Typed = TypeVar("Typed", bound=BaseModel)
Many = TypeVar("Many", bound=BaseModel)
DEEPEST = 16
"""Levels of nesting that a body may have."""
MOST_FIELDS = 1000
"""Fields that an object may have."""
MOST_FAULTS = 20
"""Wrong fields that are named."""
WHOLE_BODY = "daybreak.body"
"""In the environment where a server has read the body whole: another way to the same bytes."""
LONGEST_NAME = 200
"""Characters of a field's name that are shown."""
_TEXT = re.compile(rb'"[^"]*"')
_STEPS = bytes.maketrans(b"{[}]", b"\x01\x01\x00\x00")
_NO_BRACKETS = bytes({*range(256)} - {*b"{[}]"})


def limit_bodies(app: Flask, longest: int) -> None:
    """Let Flask stop reading a body one byte past ``longest``.

    It raises for a declared length, but cuts a chunked body off silently at the limit;
    with one byte more than is allowed, ``read_body`` sees that it was too long.
    """
    app.config["MAX_CONTENT_LENGTH"] = longest + 1


def read_body(request: Request, longest: int, *, undeclared: bool = False) -> bytes:
    """The whole body, at most ``longest`` bytes and declared as JSON in UTF-8; gzip is decoded.

    ``undeclared``: one that is not declared as anything is taken, too.
    Raises ``RequestTooLarge``, ``UnsupportedMediaType``, and ``InvalidRequest`` for broken gzip.
    """
    body = request.environ.get(WHOLE_BODY)
    if body is None:
        body = request.get_data(cache=False)
    encoding = request.environ.get("HTTP_CONTENT_ENCODING")
    if encoding is not None and len(body) <= longest:
        body = decoded(body, encoding, longest)
    if len(body) > longest:
        raise too_large(longest)
    if not (_declared_as_json(request) or (undeclared and not request.content_type)):
        raise UnsupportedMediaType(
            "The body is not declared as JSON in UTF-8.",
            remedy="Send the header Content-Type: application/json.",
            content_type=request.headers.get("Content-Type", ""),
        )
    return body


def _declared_as_json(request: Request) -> bool:
    if request.content_type == "application/json":
        return True  # nearly always, and parsing the header costs more than all else here
    charset = request.mimetype_params.get("charset", "utf-8")
    return request.is_json and charset.lower() in {"utf-8", "utf8"}


def too_large(longest: int) -> RequestTooLarge:
    """The error of a body that is longer than ``longest`` bytes."""
    return RequestTooLarge(
        f"The body is longer than {longest} bytes.",
        remedy="Send less in one request; DAYBREAK_MAX_BODY_BYTES is the limit.",
        limit=longest,
    )


def parse(form: type[Typed], body: bytes, *, many: type[Many] | None = None) -> Typed | Many:
    """One object of ``form``; or of ``many``, lists of such objects, where it has such a field.

    Raises ``InvalidRequest``.

    JSON is taken strictly: a name given twice, NaN, Infinity, a number beyond float64, NUL or
    half a surrogate pair in a text, and nesting deeper than ``DEEPEST`` are refused rather than
    guessed at, because two parsers would read them differently. So are, whatever the model's
    form allows, a text for a number or a boolean, and a date or time that is not written as
    its schema says.
    """
    value = _checked_json(body)
    if many is not None and not many.model_fields.keys().isdisjoint(value):
        return _typed(many, body, dict(_miswritten_in_lists(form, value)))
    return _typed(form, body, miswritten(form, value))


def _miswritten_in_lists(
    form: type[BaseModel], value: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        for number, one in enumerate(each if isinstance(each, list) else ()):
            if isinstance(one, dict):
                for field, fault in miswritten(form, one).items():
                    yield f"{name}.{number}.{field}", fault


def _typed(form: type[Typed], body: bytes, wrong: dict[str, str]) -> Typed:
    try:
        typed = form.model_validate_json(body, strict=True)
    except ValidationError as error:
        # Neither the values nor pydantic's links go back: a field's name and fault are enough.
        found = error.errors(include_url=False, include_input=False)
        wrong = {
            ".".join(map(str, fault["loc"])) or "body": fault["msg"] for fault in found
        } | wrong
    else:
        if not wrong:
            return typed
    raise wrong_fields(
        f"{len(wrong)} field(s) are wrong",
        wrong,
        remedy="GET /v1/openapi.json says what each field takes.",
    )


def wrong_fields(
    intro: str,
    wrong: Mapping[str, str],
    *,
    remedy: str,
    error: type[DaybreakError] = InvalidRequest,
    **details: Any,
) -> DaybreakError:
    """The error of fields that are ``wrong``: name to what is wrong. Of many, some are named."""
    faults = [
        {"field": field[:LONGEST_NAME], "message": message}
        for field, message in islice(wrong.items(), MOST_FAULTS)
    ]
    listing = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    more = ", and more" if len(wrong) > MOST_FAULTS else ""
    return error(f"{intro}: {listing}{more}.", remedy=remedy, fields=faults, **details)


def _checked_json(body: bytes) -> dict[str, Any]:
    if body.startswith(BOM_UTF8):
        _refuse("it starts with a byte order mark (BOM)")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except InvalidRequest:
        raise
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"line {error.lineno}, column {error.colno}: {error.msg}")
    except RecursionError:
        _too_deep()
    except ValueError:
        _refuse("a number has too many digits")
    if not isinstance(value, dict):
        _refuse("it is not an object")
    # NUL and half surrogates can only be written by a backslash, and levels need brackets.
    if b"\\" in body:
        _check_values(value, 1)
    elif body.count(b"{") + body.count(b"[") > DEEPEST and _levels(body) > DEEPEST:
        _too_deep()
    return value


def _levels(body: bytes) -> int:
    """How deep valid JSON without a backslash is nested."""
    brackets = _TEXT.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(1 if one else -1 for one in brackets), default=0)


def _too_deep() -> NoReturn:
    _refuse(f"it is nested deeper than {DEEPEST} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_FIELDS:
        _refuse(f"an object has more than {MOST_FIELDS} fields")
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _refuse(f"{_shown(name)} is given twice", field=name)
        found[name] = value
    return found


def _not_json(constant: str) -> NoReturn:
    _refuse(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse("a number is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_not_json, parse_float=_finite
)


def _check_values(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\x00" in value or not _encodable(value):
            _refuse("a text holds NUL or half a surrogate pair")
        return
    if not isinstance(value, dict | list):
        return
    if depth > DEEPEST:
        _too_deep()
    if isinstance(value, dict):
        for name in value:
            _check_values(name, depth)
    for inner in value.values() if isinstance(value, dict) else value:
        _check_values(inner, depth + 1)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    return json.dumps(name[:40])


def _refuse(fault: str, **details: Any) -> NoReturn:
    raise InvalidRequest(
        f"The body is not the JSON asked for: {fault}.",
        remedy="Send one JSON object; GET /v1/openapi.json shows its form.",
        **({"field": "body"} | details),
    )
