"""Answers as JSON. A float32 is written as its shortest decimal, which reads back bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Response
from numpy.typing import NDArray


def json_values(column: NDArray[Any]) -> list[Any]:
    """One column as values that JSON can hold.

    float32 becomes the float64 with float32's shortest decimal (0.1, not 0.10000000149011612);
    rounding it to float32 again gives the same bits. Dates become ISO text.
    """
    if column.dtype.char == "f":  # float32, a comparison of dtypes takes ten times as long
        return [float(str(value)) for value in column]
    values: list[Any] = column.tolist()
    return [value.isoformat() if isinstance(value, date) else value for value in values]


def json_response(value: Mapping[str, Any], status: int = 200) -> Response:
    """A compact JSON response."""
    return json_bytes(encoded(value), status)


def json_bytes(text: bytes, status: int = 200) -> Response:
    """A response of JSON that is there already."""
    return Response(text, status, content_type="application/json")


def encoded(value: Mapping[str, Any]) -> bytes:
    """Compact JSON. NaN and infinity are never written."""
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)
