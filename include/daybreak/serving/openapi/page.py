"""The OpenAPI document as a page for people: no script, and nothing that is not in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from daybreak.serving.openapi.forms import Json

_TEMPLATES = Environment(
    loader=PackageLoader("daybreak.serving.openapi"), autoescape=True, trim_blocks=True
)
_STYLE = _TEMPLATES.get_template("docs.css").render()
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Content-Security-Policy of the page: its own style, and nothing else."""


def page(document: Json, server: str) -> bytes:
    """The page of a document that is served beneath ``server``."""
    template = _TEMPLATES.get_template("docs.html")
    text = template.render(
        document=document,
        address=f"{server.rstrip('/')}/v1/openapi.json",
        operations=list(_operations(document)),
        kind=_kind,
        shown=_shown,
    )
    return text.encode("utf-8", "backslashreplace")


def _operations(document: Json) -> Iterator[Json]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield {"path": path, "method": method.upper(), **operation}


def _shown(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _kind(schema: Mapping[str, Any]) -> Markup:
    """What a value may be, in a few words; forms are links."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return Markup(" or ").join(map(_kind, choices))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(" or ").join(escape(json.dumps(value)) for value in values)
    kind = schema.get("type", "any")
    if kind == "array":
        return Markup("list of {}").format(_kind(schema.get("items", {}))) + _bounds(schema)
    if kind == "object" and isinstance(inner := schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(_kind(inner))
    return escape(schema.get("format", kind)) + _bounds(schema)


_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}


def _bounds(schema: Mapping[str, Any]) -> Markup:
    found = [said.format(schema[name]) for name, said in _BOUNDS.items() if name in schema]
    return escape(f", {', '.join(found)}") if found else Markup("")
