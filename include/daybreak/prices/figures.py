"""The picture of a demand curve: units with their interval, margin, and the rails of the price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from daybreak.charts.figures import (
    BAD,
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
from daybreak.charts.tables import Column, Table, words
from daybreak.prices.curve import Curve, Point
from daybreak.prices.money import decimals

_P10, _P90 = "units_p10", "units_p90"


class Fact(NamedTuple):
    """A number about a price, with a few words beside it."""

    name: str
    value: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.value}{f' ({self.note})' if self.note else ''}"


def curve_facts(curve: Curve) -> list[Fact]:
    """The current and the proposed price, the rails with the rule that set each, the elasticity.

    Where the price has to stay there are no rails.
    """
    found = [
        Fact(f"{name} price", curve.money(point.price), _expected(curve, point))
        for name, point in (("current", curve.current), ("proposed", curve.proposed))
    ]
    if curve.points:
        found += [
            Fact(f"{name} price", curve.money(end.price), words(end.rule))
            for name, end in (("lowest", curve.lowest), ("highest", curve.highest))
        ]
    if curve.elasticity:
        e = curve.elasticity
        found.append(Fact("elasticity", f"{e.mean:.2f}", f"{e.low:.2f} to {e.high:.2f}"))
    return found


def _expected(curve: Curve, point: Point) -> str:
    units = f"{point.units:,.1f} units"
    return units if point.margin is None else f"{units}, margin {curve.money(point.margin)}"


def curve_charts(curve: Curve) -> list[Chart]:
    """Units with their interval, and the margin where the cost is known, over the prices that the
    rules left."""
    points = [curve.point_as_json(point) for point in curve.points or (curve.current,)]
    x = [point["price"] for point in points]
    p10, p90 = ([point[name] for point in points] for name in (_P10, _P90))
    units = [
        *band("P10 to P90", x, p10, p90),
        line("units", x, [point["units"] for point in points], FORECAST, mode="lines+markers"),
    ]
    columns = [Column("units", "units", "number"), Column(_P10, "P10", "number")]
    columns.append(Column(_P90, "P90", "number"))
    note = "In the days that the price is judged by."
    found = [_chart(curve, "units", units, columns, note)]
    if curve.cost is not None:
        y = [point["margin"] for point in points]
        margin = [line("margin", x, y, FORECAST, mode="lines+markers")]
        digits = decimals(curve.currency)
        columns = [Column("margin", f"margin ({curve.currency})", "number", digits)]
        note = f"In the same days, at a cost of {curve.money(curve.cost)} {curve.currency} a unit."
        found.append(_chart(curve, "margin", margin, columns, note))
    return found


def _chart(
    curve: Curve, value: str, traces: Sequence[Figure], columns: Sequence[Column], note: str
) -> Chart:
    """With a line at the current and the proposed price, a point where it meets the curve, and
    lines at the rails."""
    price = Column("price", f"price ({curve.currency})", "number", decimals(curve.currency))
    marked = {"current": (curve.current, INK), "proposed": (curve.proposed, BASELINE)}
    at = {name: curve.point_as_json(point) for name, (point, _) in marked.items()}
    marks = [
        line(
            name,
            [at[name]["price"]],
            [at[name][value]],
            colour,
            mode="markers",
            marker={"size": 11, "color": colour},
        )
        for name, (_, colour) in marked.items()
    ]
    drawn = figure(
        [*traces, *marks],
        height=300,
        shapes=[*(upright(one["price"]) for one in at.values()), *_rails(curve)],
        xaxis={"title": {"text": plain(price.title)}},
        yaxis={"title": {"text": plain(columns[0].title)}},
    )
    rows = [{**curve.point_as_json(point), "remark": curve.remark(point)} for point in curve.listed]
    title = f"Expected {value} by price"
    shown = [price, *columns, Column("remark", "remark", "words")]
    table = Table(f"{value}-by-price", title, shown, rows)
    return Chart(table.id, title, drawn, table, note)


def _rails(curve: Curve) -> list[dict[str, Any]]:
    """Lines at the lowest and highest price that the rules left; none where it has to stay."""
    if not curve.points:
        return []
    ends = {"lowest": curve.lowest, "highest": curve.highest}
    return [
        upright(curve.amount(end.price))
        | {
            "line": {"color": BAD, "width": 1.5},
            "name": plain(f"{name}: {words(end.rule)}" if end.rule else name),
            "showlegend": True,
        }
        for name, end in ends.items()
    ]
