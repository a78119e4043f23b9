"""The picture of a demand curve: units with their interval above, margin below."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import altair as alt

from daybreak.errors import InvalidRequest
from daybreak.jobs.curves import PublishedCurve

Kind = Literal["html", "svg", "png"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WIDTH, HEIGHT = 560, 220
COLORS = {"current": "#777777", "proposed": "#c2410c"}


def kind_of(path: Path) -> Kind:
    """By its ending. Raises ``InvalidRequest`` for a file of another kind."""
    for kind in KINDS:
        if path.suffix == f".{kind}":
            return kind
    raise InvalidRequest(
        f"A curve is not drawn into {path.name!r}.",
        remedy="Name a file that ends with .html, .svg or .png.",
        field="out",
    )


def draw(found: PublishedCurve, path: Path) -> None:
    """Write the picture. A page carries all of its scripts, so that it needs no internet."""
    kind = kind_of(path)
    more: dict[str, Any] = {"inline": True} if kind == "html" else {}
    picture(found).save(str(path), format=kind, **more)


def picture(found: PublishedCurve) -> alt.VConcatChart:
    """As a chart of Altair."""
    said = found.curve.as_json()
    points = said["points"] or [said["current"]]
    marked = [{**said[name], "which": name} for name in COLORS]
    price = alt.X("price:Q", title=f"price ({said['currency']})", scale=alt.Scale(zero=False))
    units = alt.Chart(alt.InlineData(points)).encode(x=price)
    band = units.mark_area(opacity=0.2).encode(
        y=alt.Y("units_p10:Q", title="units"), y2=alt.Y2("units_p90")
    )
    line = units.mark_line(point=True).encode(y="units:Q")
    panels = [alt.layer(band, line, *_marks(marked, price, "units"))]
    if said["cost"] is not None:
        margin = units.mark_line(point=True).encode(
            y=alt.Y("margin:Q", title=f"margin ({said['currency']})", scale=alt.Scale(zero=False))
        )
        panels.append(alt.layer(margin, *_marks(marked, price, "margin")))
    sized = [panel.properties(width=WIDTH, height=HEIGHT) for panel in panels]
    return alt.vconcat(*sized).properties(title=_title(found))


def _marks(marked: list[dict[str, Any]], price: alt.X, column: str) -> tuple[alt.Chart, alt.Chart]:
    """A line at the current and the proposed price, and a point where it meets the curve."""
    color = alt.Color(
        "which:N",
        title=None,
        scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())),
    )
    base = alt.Chart(alt.InlineData(marked)).encode(x=price, color=color)
    return (
        base.mark_rule(strokeDash=[4, 3]),
        base.mark_point(filled=True, size=90).encode(y=f"{column}:Q"),
    )


def _title(found: PublishedCurve) -> alt.TitleParams:
    curve = found.curve
    ends = [
        f"{name} {curve.amount(end.price):g}{f' ({end.rule})' if end.rule else ''}"
        for name, end in (("lowest", curve.lowest), ("highest", curve.highest))
    ]
    if curve.elasticity:
        e = curve.elasticity
        ends.append(f"elasticity {e.mean:.2f} ({e.low:.2f} to {e.high:.2f})")
    day = found.generation.business_date
    return alt.TitleParams(f"{found.item} in {found.store}, after {day}", subtitle="; ".join(ends))
