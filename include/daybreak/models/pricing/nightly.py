"""Business dates of prices: what is proposed for each item in each store that was forecast."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    FromClause,
    func,
    select,
)

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.series import read_panels
from daybreak.ledger.states import Generation
from daybreak.models.arrays import to_names
from daybreak.models.base import (
    NO_OPTIONS,
    Context,
    Day,
    Key,
    Nightly,
    Options,
    Part,
    Proposal,
    Shared,
    SnapshotRows,
    Span,
)
from daybreak.models.options import chosen
from daybreak.models.pricing.elasticity.hyper import OPTIONS, Hyper
from daybreak.models.pricing.forecast import read_keys
from daybreak.models.pricing.in_force import is_newest, put_proposals_in_force
from daybreak.models.pricing.layout import CONTEXT, RECORDS, SOLVED, VALUES
from daybreak.models.pricing.moment import rules_of_day
from daybreak.models.pricing.schedule import SCHEDULE
from daybreak.models.pricing.scorer import CHANGES
from daybreak.models.pricing.tables import KEYS, NUMBERS, scores, snapshots
from daybreak.prices.ledger import withdraw
from daybreak.prices.money import decimals
from daybreak.prices.rules import Rules

LARGEST_SHOWN = 10


class PricingNightly(Nightly):
    """Every item in every store that the forecast of the day has."""

    schedule = SCHEDULE
    keys = KEYS
    in_parts = True
    snapshot_table = snapshots
    score_table = scores

    def layout(self, options: Options = NO_OPTIONS) -> tuple[str, ...]:
        """Names of the snapshot values."""
        return VALUES

    def record_layout(self) -> tuple[str, ...]:
        """Of a price that is, or that could be."""
        return RECORDS

    def context_layout(self) -> tuple[str, ...]:
        """What all prices share."""
        return CONTEXT

    def entities(
        self, warehouse: Connection, as_of: AsOf, options: Options = NO_OPTIONS
    ) -> Iterator[Key]:
        """Those of the published forecast, in its order. Raises ``NoData``."""
        chosen(options, OPTIONS)
        keys = read_keys(warehouse, as_of)
        return iter(zip(*(names.tolist() for names in keys), strict=True))

    def part(self, warehouse: Connection, span: Span) -> Part:
        """What the facts of a range say of prices and of what was sold at them."""
        from daybreak.models.pricing.inputs import part_of  # noqa: PLC0415 (SciPy, by night only)
        from daybreak.models.pricing.response import periods  # noqa: PLC0415

        if span.keys is None:
            raise ValueError("prices are counted")
        series = list(zip(*(names.tolist() for names in span.keys), strict=True))
        days = periods(days_of_period(warehouse))
        return part_of(read_panels(warehouse, span.as_of, series, days=days))

    def shared(
        self, warehouse: Connection, as_of: AsOf, options: Options, parts: Sequence[Part]
    ) -> Shared:
        """The whole night: prices stand beside one another in groups and in a budget."""
        from daybreak.models.pricing.inputs import propose  # noqa: PLC0415 (SciPy, by night only)

        night, sizes = propose(warehouse, as_of, Hyper.of(options), parts)
        of_parts, begin = [], 0
        for size in sizes:
            rows = slice(begin, begin + size)
            ends = night.offsets[begin : begin + size + 1]
            of_parts.append(
                {
                    "values": night.values[rows],
                    "records": night.records[ends[0] : ends[-1]],
                    "offsets": ends - ends[0],
                }
            )
            begin += size
        return Shared(night.context, of_parts)

    def rows(
        self, warehouse: Connection, span: Span, context: Context, part: Part
    ) -> Iterator[SnapshotRows]:
        """One row a price."""
        yield SnapshotRows(
            span.keys or (), part["values"], part["records"], part["offsets"].astype(np.int64)
        )

    def audit(self, columns: Mapping[str, NDArray[Any]], day: Day) -> list[str]:
        """Prices are whole minor units between the rails, or stay."""
        price, now = columns["price"], columns["current_price"]
        stays = price == now
        low, high = columns["lowest_price"], columns["highest_price"]
        money = np.stack([columns[name] for name in NUMBERS if name.endswith("price")])
        units = ("current_units", "units", "units_p10", "units_p90")
        rules = {
            "a price is not in whole minor units": (money != np.floor(money)).any(),
            "a price that changes is outside its rails": (
                ~stays & ((price < low) | (price > high))
            ).any(),
            "units are negative": any((columns[name] < 0).any() for name in units),
            "quantiles cross": (columns["units_p10"] > columns["units_p90"]).any(),
            "more is sold at a higher price": (columns["elasticity"] > 0).any(),
            "a gap is no share": ((columns["gap"] < 0) | (columns["gap"] > 1)).any(),
            "a price has a place that stays": (stays & (columns["place"] > 0)).any(),
            "more changes than were agreed to": (
                columns["place"] > day.terms.get(CHANGES, np.inf)
            ).any(),
        }
        return [rule for rule, broken in rules.items() if broken]

    def proposal(self, warehouse: Connection, scored: FromClause, day: Day) -> Proposal | None:
        """The changes of a night, where there are more than the rules let through by themselves."""
        rules = rules_of_day(day)
        if rules.approval is None or day.terms or day.business_date is None:
            return None
        c = scored.c
        moved = c.price != c.current_price
        counted = warehouse.execute(
            select(
                func.count(),
                func.count().filter(moved),
                func.count().filter(c.price > c.current_price),
                *(func.sum(c[name]).filter(moved) for name in _SUMS),
            ).select_from(scored)
        ).one()
        prices, changes, up = (int(value) for value in counted[:3])
        most = rules.approval.changes, rules.approval.share
        within = (most[0] is None or changes <= most[0]) and (
            most[1] is None or changes <= most[1] * prices
        )
        if within or not changes:
            return None
        gain = func.abs(c.margin - c.current_margin)
        order = (gain.desc(), c.store_id, c.item_id)
        largest = warehouse.execute(
            select(c.store_id, c.item_id, c.current_price, c.price, c.current_units, c.units)
            .where(moved)
            .order_by(*order)
            .limit(LARGEST_SHOWN)
        ).all()
        counts, solved = (prices, changes, up), solved_of_day(day)
        return _proposal(
            rules, day.business_date, counts, counted[3:], largest=largest, solved=solved
        )

    def published(self, warehouse: Connection, generation: Generation, now: datetime) -> None:
        """Put the proposed prices in force, from the day after the business date on.

        Those of a day that is not the newest are a replay, and change no price.
        """
        if is_newest(warehouse, generation):
            put_proposals_in_force(warehouse, generation, now)

    def withdrawn(
        self, warehouse: Connection, going: Generation, back: Generation | None, now: datetime
    ) -> None:
        """Let the prices be again what they were before."""
        withdraw(warehouse, generation_id=going.generation_id, now=now)


_SUMS = ("current_units", "units", "current_margin", "margin")


def solved_of_day(day: Day) -> dict[str, Any]:
    """How well the prices of a snapshot were chosen (`layout.SOLVED`)."""
    (text,) = to_names(day.context[SOLVED])
    found: dict[str, Any] = json.loads(text)
    return found


def _proposal(
    rules: Rules,
    day: date,
    counts: tuple[int, int, int],
    sums: Sequence[float],
    *,
    largest: Sequence[Any],
    solved: Mapping[str, Any],
) -> Proposal:
    prices, changes, up = counts
    figures: dict[str, Any] = {"prices": prices, "changes": changes, "up": up}
    figures |= {name: float(value or 0) for name, value in zip(_SUMS, sums, strict=True)}
    figures["largest"] = [[*row[:2], *(float(value) for value in row[2:])] for row in largest]

    figures |= {"gap": solved["gap"], "stopped": solved["stopped"]}

    places = decimals(rules.currency)

    def money(minor: float) -> str:
        return f"{minor / 10**places:,.{places}f}"

    lines = [
        f"| {_cell(row[0])} | {_cell(row[1])} | {money(row[2])} | {money(row[3])} | "
        f"{row[4]:,.1f} | {row[5]:,.1f} |"
        for row in largest
    ]
    body = "\n".join(
        [
            f"**{changes:,}** of {prices:,} prices would change from {day + timedelta(days=1)} on, "
            f"{up:,} of them up, judged over {rules.days} days.",
            "",
            f"- units: {figures['current_units']:,.0f} → {figures['units']:,.0f}",
            f"- margin: {money(figures['current_margin'])} → {money(figures['margin'])} "
            f"{rules.currency}",
            *_unfinished(solved),
            "",
            f"The {len(lines)} that move the margin most ({rules.currency}):",
            "",
            "| store | item | price | proposed | units | units then |",
            "|---|---|---:|---:|---:|---:|",
            *lines,
        ]
    )
    hours = rules.approval.hours if rules.approval else 0.0
    return Proposal(f"{changes:,} prices after {day}", body, figures, hours, CHANGES)


def _unfinished(solved: Mapping[str, Any]) -> list[str]:
    """A line on searches that ended before they were sure; none where none did."""
    stopped = solved["stopped"]
    if not stopped:
        return []
    count, by = sum(stopped.values()), " and ".join(sorted(stopped))
    of_what = "search" if count == 1 else "searches"
    again = " Another run may find other prices." if "seconds" in stopped else ""
    return [
        f"- not the best for sure: {count:,} {of_what} ended early (limit of {by}); up to "
        f"{solved['gap']:.1%} more gain is possible there.{again}"
    ]


def _cell(text: str) -> str:
    """A name in a table of Markdown, where it means nothing but itself."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-.!|" else sign for sign in text)
