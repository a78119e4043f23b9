"""The picture of a demand curve, an HTML page: units with their interval above, margin below."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daybreak.charts.document import figures_page
from daybreak.charts.figures import (
    BASELINE,
    FORECAST,
    INK,
    Chart,
    Figure,
    band,
    figure,
    line,
    plain,
    upright,
)
from daybreak.charts.tables import Column, Table
from daybreak.errors import InvalidRequest
from daybreak.jobs.curves import PublishedCurve
from daybreak.prices.money import decimals

MARKED = {"current": INK, "proposed": BASELINE}


def check_name(path: Path) -> None:
    """Raises ``InvalidRequest`` for a file of another kind."""
    if path.suffix != ".html":
        raise InvalidRequest(
            f"A curve is not drawn into {path.name!r}.",
            remedy="Name a file that ends with .html: a browser shows it, and prints it.",
            field="out",
        )


def draw(found: PublishedCurve, path: Path) -> None:
    """Write the picture. The page carries all of its scripts, so that it needs no internet.

    Raises ``InvalidRequest`` where it cannot be written.
    """
    check_name(path)
    title = f"{found.item} in {found.store}, after {found.generation.business_date}"
    text = figures_page(title, [_ends(found)], list(_charts(found)))
    try:
        path.write_text(text)
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Give a path in a folder that exists and that you may write to.",
            field="out",
        ) from None


def _charts(found: PublishedCurve) -> Iterator[Chart]:
    said = found.curve.as_json()
    points: list[dict[str, Any]] = said["points"] or [said["current"]]
    digits = decimals(said["currency"])
    price = Column("price", f"price ({said['currency']})", "number", digits)
    units = [Column(name, title, "number") for name, title in _UNITS.items()]
    x = [one["price"] for one in points]
    traces = [
        *band(
            "P10 to P90", x, *([one[name] for one in points] for name in ("units_p10", "units_p90"))
        ),
        line("units", x, [one["units"] for one in points], FORECAST, mode="lines+markers"),
    ]
    yield _chart(said, traces, Table("units", "Units", [price, *units], points))
    if said["cost"] is not None:
        margin = Column("margin", f"margin ({said['currency']})", "number", digits)
        y = [one["margin"] for one in points]
        traces = [line("margin", x, y, FORECAST, mode="lines+markers")]
        yield _chart(said, traces, Table("margin", "Margin", [price, margin], points))


_UNITS = {"units": "units", "units_p10": "P10", "units_p90": "P90"}


def _chart(said: dict[str, Any], traces: list[Figure], table: Table) -> Chart:
    """With a line at the current and the proposed price, and a point where it meets the curve."""
    marks = [
        line(which, [said[which]["price"]], [said[which][table.id]], colour, mode="markers")
        for which, colour in MARKED.items()
    ]
    drawn = figure(
        [*traces, *marks],
        height=300,
        shapes=[upright(said[which]["price"]) for which in MARKED],
        xaxis={"title": {"text": plain(table.columns[0].title)}},
        yaxis={"title": {"text": plain(table.columns[1].title)}},
    )
    return Chart(table.id, table.title, drawn, table)


def _ends(found: PublishedCurve) -> str:
    curve = found.curve
    ends = [
        f"{name} {curve.amount(end.price):g}{f' ({end.rule})' if end.rule else ''}"
        for name, end in (("lowest", curve.lowest), ("highest", curve.highest))
    ]
    if curve.elasticity:
        e = curve.elasticity
        ends.append(f"elasticity {e.mean:.2f} ({e.low:.2f} to {e.high:.2f})")
    return "; ".join(ends)
