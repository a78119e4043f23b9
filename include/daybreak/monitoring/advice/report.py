"""An advice with all it stands on: as JSON, as lines, and as a page. All three say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from daybreak.errors import InvalidRequest
from daybreak.monitoring.advice.costs import Cost, Way
from daybreak.monitoring.advice.deciding import Advice, said
from daybreak.monitoring.advice.measurements import Measurements, Times
from daybreak.monitoring.advice.terms import Terms

SCHEMA = 1
"""Of the JSON. Names are only added; another number says that one has gone or means another thing.
"""
Json = dict[str, Any]
_MEASURED = TypeAdapter(Measurements)


def as_json(measured: Measurements, terms: Terms, advice: Advice) -> Json:
    """Everything, with dates as ISO 8601. ``measured`` is what ``read_measured`` reads again."""
    return {
        "schema": SCHEMA,
        "model": measured.model,
        "version": measured.version,
        "advice": {
            "way": advice.way,
            "cache_hours": advice.cost.cache_hours if advice.cost else None,
            "sentence": advice.sentence,
            "rule": advice.rule,
            "requests_a_day": advice.requests,
            "cost_a_day": advice.cost.total if advice.cost else None,
            "margin": advice.margin,
        },
        "costs": [asdict(one) | {"total": one.total} for one in advice.costs],
        "break_even": asdict(advice.break_even) if advice.break_even else None,
        "ranges": [asdict(one) for one in advice.ranges],
        "assumes": list(advice.assumes),
        "changes": list(advice.changes),
        "unknown": list(measured.unknown),
        "terms": asdict(terms),
        "measured": _MEASURED.dump_python(measured, mode="json"),
    }


def read_measured(file: Path, model: str) -> Measurements:
    """The measurements of a report that was written as JSON.

    Raises ``InvalidRequest`` where the file is no such report, or one of another model.
    """
    try:
        found = json.loads(file.read_text())
        measured = _MEASURED.validate_python(found["measured"])
        if found["schema"] != SCHEMA or measured.model != model:
            raise ValueError(f"it is of {measured.model}, schema {found['schema']}")
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise InvalidRequest(
            f"{file} is no report of {model}: {str(error).splitlines()[0]}.",
            remedy=f"`daybreak advise {model} --json > FILE` writes one.",
            field="measured",
        ) from None
    return measured


def lines(measured: Measurements, advice: Advice) -> Iterator[str]:
    """For people; the advice first."""
    yield f"{measured.model} {measured.version}: {advice.sentence}"
    yield f"  {advice.rule}"
    yield ""
    for title, factor in factors(measured):
        yield title
        yield from (f"  {line}" for line in factor)
    if advice.costs:
        yield f"Cost a day at {advice.requests:,.6g} requests"
        yield from (f"  {_cost(one)}" for one in advice.costs)
    if advice.break_even is not None:
        yield "Break-even of batch and live"
        yield f"  {break_even(advice)}"
    if advice.ranges:
        yield "By requests a day"
    for one in advice.ranges:
        way = said(one.way, one.cache_hours)
        yield f"  {one.first:>13,.6g} to {one.last:>13,.6g}: {way}"
    for title, sentences in (
        ("What would change it", advice.changes),
        ("Assumed", advice.assumes),
        ("Not known", measured.unknown),
    ):
        if sentences:
            yield title
            yield from (f"  {sentence}" for sentence in sentences)


def factors(measured: Measurements) -> Iterator[tuple[str, list[str]]]:
    """The five factors, each number with where it comes from."""
    need, live, usage = measured.need, measured.live, measured.usage
    yield (
        "1. Business need",
        [
            f"A night every {need.interval_hours:g} hours, {need.window_seconds:,.0f} s until "
            f"{need.due} (settings).",
        ],
    )
    yield "2. Freshness", list(_freshness(measured))
    resources = []
    if measured.night is not None:
        night = measured.night
        server = (
            "PostgreSQL's not counted"
            if night.server_processor_seconds is None
            else f"PostgreSQL {night.server_processor_seconds:.2f}"
        )
        resources.append(
            f"The night of {night.business_date}: {night.processor_seconds:.2f} processor seconds "
            f"(snapshot {night.snapshot_processor_seconds:.2f}, scoring "
            f"{night.score_processor_seconds:.2f}, {server}), {night.wall_seconds:.1f} s, at most "
            f"{night.memory_bytes / 1e6:,.0f} MB (run here, and not kept)."
        )
    if measured.read is not None:
        resources.append(f"Reading a published row: {_times(measured.read)}.")
    resources.append(
        f"A request: {_times(live.answer)}; at most {live.memory_bytes / 1e6:,.0f} MB a worker "
        "(asked in the app)."
    )
    if live.row.count:
        resources.append(f"The feature row of one entity from the facts: {_times(live.row)}.")
    yield "3. Resources", resources
    scale = [
        f"One worker: {live.a_second:,.0f} answers a second in a closed loop"
        + (f", {live.most_a_second:,.0f} with their rows." if live.row.count else ".")
    ]
    if measured.night is not None:
        scale.append(
            f"A night: {measured.night.answers:,} entities, {measured.night.rows:,} rows, "
            f"{measured.night.stored_bytes / 1e6:,.1f} MB."
        )
    if usage.rows_read is not None:
        scale.append(
            f"Look-ups in the score table since its statistics began: {usage.rows_read:,} rows, "
            "by anybody, audits and reports included (pg_stat_user_tables)."
        )
    if usage.requests_a_day is not None:
        scale.append(f"Requests a day: {usage.requests_a_day:,.0f} ({usage.counted_from}).")
    yield "4. Scale", scale
    experience = [
        f"Half of the answers within {live.answer.p50_ms:.2f} ms, 99 % within "
        f"{live.answer.p99_ms:.2f} ms; asked again {live.again.p50_ms:.2f} and "
        f"{live.again.p99_ms:.2f} ms."
    ]
    if usage.published_share is not None:
        experience.append(
            f"{usage.published_share:.1%} of the answers counted were what is published, "
            f"{usage.own_inputs:.1%} had inputs of their own."
        )
    yield "5. Experience", experience


def break_even(advice: Advice) -> str:
    """In a sentence."""
    found = advice.break_even
    if found is None:
        return ""
    if found.requests is None:
        return f"{found.cheaper_below.value} is cheaper at any number of requests."
    return (
        f"{found.requests:,.6g} requests a day: below, {found.cheaper_below.value} is cheaper, "
        f"above, {found.cheaper_above.value}."
    )


def page(report: Json, measured: Measurements, advice: Advice) -> str:
    """One HTML page that needs nothing beside it. Each number of ``report`` that it shows is a
    ``data`` element with the whole number as its value."""
    templates = Environment(
        loader=PackageLoader("daybreak.monitoring.advice"), autoescape=True, trim_blocks=True
    )
    template = templates.get_template("advice.html")
    return template.render(
        report=report,
        factors=list(factors(measured)),
        break_even=break_even(advice),
        said=lambda way, hours: said(Way(way), hours),
        number=_number,
    )


def _number(value: float | None) -> Markup:
    if value is None:
        return Markup("")
    return Markup('<data value="{}">{}</data>').format(json.dumps(value), f"{value:,.4g}")


def _freshness(measured: Measurements) -> Iterator[str]:
    found = measured.freshness
    if found is None:
        yield "Not measured; see below."
        return
    better = "higher" if found.higher_is_better else "lower"
    yield (
        f"{found.answers:,} answers of {len(found.days)} days up to {found.days[-1]}, made again "
        f"from older knowledge; {found.measure}, {better} is better (replay)."
    )
    for one in found.ages:
        same = f"; at {one.same:.0%} of the moments nothing more was known" if one.same else ""
        yield (
            f"{one.hours:>5g} h: {one.value:.4f}, {one.lost:.4f} lost an answer, "
            f"{one.changed:.1%} of the answers differ{same if one.hours else ''}"
        )
    if found.night is not None:
        yield (
            f"The night, as its answers are used in the day after: {found.night.value:.4f}, "
            f"{found.night.lost:.4f} lost an answer, {found.night.changed:.1%} differ."
        )
    yield f"Lost: each {found.unit}."


def _times(times: Times) -> str:
    return (
        f"{1000 * times.processor_seconds:.2f} processor ms, p50 {times.p50_ms:.2f} ms, p99 "
        f"{times.p99_ms:.2f} ms, of {times.count:,}"
    )


def _cost(cost: Cost) -> str:
    parts = ", ".join(
        f"{name} {value:.4g}"
        for name, value in (
            ("night", cost.night),
            ("storage", cost.storage),
            ("memory", cost.memory),
            ("requests", cost.requests),
            ("freshness", cost.freshness),
        )
        if value
    )
    refused = f"; ruled out: {cost.refused}" if cost.refused else ""
    return f"{said(cost.way, cost.cache_hours)}: {cost.total:.4g} ({parts}){refused}"
