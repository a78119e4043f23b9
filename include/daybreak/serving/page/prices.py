"""``/ui/prices``: what was proposed and why, on which curve, what waits, and who agreed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import Response

from daybreak.charts.figures import BASELINE, FAINT, FORECAST, Chart, bars, figure, plain
from daybreak.charts.tables import Column, Table, words
from daybreak.prices.money import decimals
from daybreak.serving.http.auth import needs
from daybreak.serving.page.asked import day_of
from daybreak.serving.page.curves import ANCHOR, chosen_curve
from daybreak.serving.page.frame import again, answered_by, blueprint, may_act, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

REPORT = "price_proposals"
MOST_CHANGES = 200
MOST_ANSWERS = 30
LOOK_BACK = timedelta(days=30)

_FRESH = """
    SELECT newest, version, gate, generation_id FROM report.freshness WHERE model = :model
"""
_CHANGES = """
    SELECT *, margin - current_margin AS gain, price / nullif(current_price, 0) - 1 AS change
    FROM report.price_proposals
    WHERE business_date = :day AND price <> current_price
    ORDER BY place, store_id, item_id
    LIMIT :most
"""
_NIGHT = """
    SELECT what, rule, prices, share, gain, generation_id
    FROM report.price_night
    WHERE business_date = :day
    ORDER BY prices DESC
"""
_ANSWERS = """
    SELECT * FROM report.price_approvals ORDER BY decided_at DESC LIMIT :most
"""
_WAITING = """
    SELECT generation_id, business_date, audited_at, rows
    FROM report.run
    WHERE model = :model AND outcome = 'audited' AND started_at >= :since
    ORDER BY started_at DESC
    LIMIT 10
"""


@blueprint.get("/prices")
@needs("predict")
def prices() -> Response:
    """Prices."""
    model, runtime = answered_by(REPORT), current_service().runtime
    with reading(runtime) as ask:
        fresh = ask(_FRESH, model=model.name)
        newest = fresh[0]["newest"] if fresh else None
        day = day_of("day") or newest
        changes = ask(_CHANGES, day=day, most=MOST_CHANGES) if day else []
        night = ask(_NIGHT, day=day) if day else []
        answers = ask(_ANSWERS, most=MOST_ANSWERS)
        waiting = ask(_WAITING, model=model.name, since=runtime.clock() - LOOK_BACK)
    charts = [_by_rule(night)] if night else []
    # Of the generation that the tables are of, also while another one is being published.
    curve = chosen_curve(model, night[0]["generation_id"], changes) if night else None
    curves = curve.charts if curve else ()
    proposed, answered = _changes(changes), _answers(answers)
    counts = {what: sum(r["prices"] for r in night if r["what"] == what) for what in _COLOURS}
    return shown(
        "prices.html",
        "Prices",
        [proposed, answered, *(chart.table for chart in (*charts, *curves))],
        model=model.name,
        newest=newest,
        day=day,
        known=fresh[0] if fresh else None,
        counts=counts,
        gain=sum(row["gain"] or 0 for row in night),
        currency=changes[0]["currency"] if changes else "",
        waiting=waiting,
        may_act=may_act(model.name),
        proposed=proposed,
        answered=answered,
        charts=charts,
        curve=curve,
    )


_COLOURS = {"rises": FORECAST, "falls": BASELINE, "stays": FAINT}


def _by_rule(night: Sequence[Row]) -> Chart:
    rules = list(dict.fromkeys(row["rule"] for row in night))
    traces = []
    for what, colour in _COLOURS.items():
        count = {row["rule"]: row["prices"] for row in night if row["what"] == what}
        x = [plain(words(rule or "no rule binds")) for rule in rules]
        traces.append(bars(what, x, [count.get(rule, 0) for rule in rules], colour))
    columns = [
        Column("what", "what"),
        Column("rule", "rule that binds", "words"),
        Column("prices", "prices", "number", 0),
        Column("share", "share", "percent"),
        Column("gain", "expected gain", "number", 2),
    ]
    layout = {"barmode": "stack", "xaxis": {"type": "category"}, "bargap": 0.5}
    return Chart(
        "rules",
        "Which rules bound how many prices",
        figure(traces, height=280, **layout),
        Table("rules", "Prices by what became of them and the rule", columns, night),
    )


def _changes(rows: Sequence[Row]) -> Table:
    currency = rows[0]["currency"] if rows else ""
    digits = decimals(currency) if currency else 2
    columns = [
        Column("store_id", "store"),
        Column("item_id", "item"),
        Column("current_price", f"now ({currency})", "number", digits),
        Column("price", "proposed", "number", digits),
        Column("change", "change", "percent"),
        Column("gain", "expected gain", "number", digits),
        Column("current_units", "units now", "number"),
        Column("units", "units then", "number"),
        Column("elasticity", "elasticity", "number", 2),
        Column("rule", "rule that binds", "words"),
    ]
    beside = [
        Column("place", "place", "number", 0),
        Column("lowest_price", "lowest", "number", digits),
        Column("lowest_rule", "rule that sets it", "words"),
        Column("highest_price", "highest", "number", digits),
        Column("highest_rule", "rule that sets it", "words"),
        Column("currency", "currency"),
    ]
    shown = [
        {**row, "address": f"{again(store=row['store_id'], item=row['item_id'], csv=None)}{ANCHOR}"}
        for row in rows
    ]
    nothing = "No price changes on this day."
    return Table("changes", "Proposed changes", columns, shown, nothing, beside)


def _answers(rows: Sequence[Row]) -> Table:
    columns = [
        Column("decided_at", "when (UTC)", "moment"),
        Column("business_date", "business date", "date"),
        Column("generation_id", "generation", "number", 0),
        Column("outcome", "answer", "mark"),
        Column("person", "who"),
        Column("reason", "why", "text", 0),
        Column("most_changes", "capped at", "number", 0),
        Column("changes", "changes", "number", 0),
        Column("up", "of them up", "number", 0),
    ]
    return Table("answers", "Who agreed to what", columns, rows, "Nobody was asked yet.")
