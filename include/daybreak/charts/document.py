"""HTML that carries all it needs: style, scripts and data. It opens without any network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from daybreak.charts.figures import Chart
from daybreak.charts.plotly import COLOURS, DRAW, STATIC, plotly_script
from daybreak.charts.tables import Column

POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy to serve one with: its scripts can reach nothing, and nobody."""


def environment(package: str) -> Environment:
    """Templates of a package, which may extend and import those here."""
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("daybreak.charts")])
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals |= {"style": _style, "scripts": _scripts, "cell": cell}
    return made


def figures_page(title: str, lines: Sequence[str], charts: Sequence[Chart]) -> str:
    """A document of some charts, each with its table, under a title and some lines."""
    template = environment("daybreak.charts").get_template("figures.html")
    return template.render(title=title, lines=lines, charts=charts)


def cell(column: Column, value: Any) -> Markup:
    """A value for people, in a ``data`` element with the whole of it; a dash where there is none.

    Numbers stand there as JSON, dates and moments as ISO 8601.
    """
    shown = column.shown(value)
    if value is None or shown == "–":
        return Markup("{}").format(shown)
    if isinstance(value, bool | int | float):
        whole = json.dumps(value)
    elif isinstance(value, date):
        whole = value.isoformat()
    elif isinstance(value, Decimal):
        whole = str(value)
    else:
        return Markup("{}").format(shown)
    return Markup('<data value="{}">{}</data>').format(whole, shown)


@cache
def _style() -> Markup:
    text = f"{COLOURS.read_text()}{(STATIC / 'document.css').read_text()}"
    return Markup(text)  # noqa: S704 -- files of ours


@cache
def _scripts() -> Markup:
    """Plotly's script, once, and ours. No text in them may end the element that holds them."""
    text = f"{plotly_script().read_text()}\n{DRAW.read_text()}"
    return Markup(text.replace("</script", "<\\/script"))  # noqa: S704 -- files of ours
