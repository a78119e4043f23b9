"""What may be known of a business day: the one place that makes an ``AsOf`` of a date."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from daybreak.clock import AsOf, scheduled_cutoff
from daybreak.errors import InputsLate, InvalidRequest
from daybreak.facts.days import closed_at, days_of_period, end_of_period, newest_closed_day
from daybreak.facts.scores import published_since
from daybreak.jobs.addresses import Knowledge
from daybreak.models import get_model, interval_of
from daybreak.settings import Settings


def as_of(
    conn: Connection,
    model: str,
    day: date,
    *,
    settings: Settings,
    now: datetime,
    knowledge: Knowledge = "as_was",
    with_scores: bool = True,
) -> AsOf:
    """The business date with the latest knowledge time that a run of ``model`` for it may use.

    ``as_was``: when the day's run was due to start; or, where that came later, when the day was
    closed, or from when on the scores that the model stands on were published. A replay months
    afterwards gets the same moment, and so what the first run knew, unless those scores were rolled
    back: then it is the moment from which on others were published. A run that starts earlier than
    it is due knows what is known now. No clock starts the runs of a model that is scored as data
    land: there the closing of the day stands for the time when the run was due. ``latest``: now.
    Raises ``InputsLate`` where the day is not closed, or those scores are not out.
    """
    closed = closed_at(conn, day)
    if closed is None:
        expect_end_of_period(conn, day)
        raise inputs_late(day, newest_closed_day(conn), None)
    own = own_cutoff(model, day, closed, settings=settings, now=now, knowledge=knowledge)
    upstream = upstream_published(conn, model, day, own)
    late = [name for name, published in upstream.items() if published is None]
    if late and with_scores:
        raise upstream_late(day, late, None)
    return AsOf(day, min(now, max([own, *(moment for moment in upstream.values() if moment)])))


def own_cutoff(
    model: str,
    day: date,
    closed: datetime,
    *,
    settings: Settings,
    now: datetime,
    knowledge: Knowledge,
) -> datetime:
    """The knowledge cutoff of a run on nothing but facts, whose ``day`` was ``closed`` then."""
    if knowledge == "latest":
        return now
    if interval_of(model, settings).on_data:
        return min(now, closed)
    return min(now, max(closed, scheduled_cutoff(day, settings.run_at, settings.timezone)))


def upstream_published(
    conn: Connection, model: str, day: date, own: datetime
) -> dict[str, datetime | None]:
    """From when on the scores of ``day`` that ``model`` needs are published, by model.

    That is its ``own`` cutoff where all of them are published by then, else the first moment
    afterwards at which they are; None of those that are not published. Scores that were rolled back
    since do not count: a day that stood on them is made again from those that followed.
    """
    moment, before = own, None
    found: dict[str, datetime | None] = {}
    while moment != before:
        before = moment
        found = {
            one.model: published_since(conn, one.model, day, moment)
            for one in get_model(model).inputs
        }
        moment = max([moment, *(one for one in found.values() if one)])
    return found


def upstream_late(day: date, late: list[str], waited: timedelta | None) -> InputsLate:
    """The error of a run whose models upstream have not published ``day``."""
    after = f" after a wait of {waited.total_seconds() / 60:.0f} minutes" if waited else ""
    return InputsLate(
        f"Scores of {', '.join(late)} for {day} are not published{after}.",
        remedy="Score the day there first: "
        + "; ".join(f"`daybreak score {model} --business-date {day}`" for model in late)
        + ".",
        business_date=day.isoformat(),
        upstream=late,
    )


def expect_end_of_period(conn: Connection, day: date) -> None:
    """Raise ``InvalidRequest`` for a day in the middle of a week, where the data set has weeks."""
    end = end_of_period(conn, day)
    if end != day and days_of_period(conn) > 1:
        raise InvalidRequest(
            f"{day} is no business date: the data set has weeks, which end on a {end:%A}.",
            remedy=f"Ask for {end}, the end of that week.",
            field="business_date",
            business_date=day.isoformat(),
            end_of_week=end.isoformat(),
        )


def inputs_late(day: date, newest: date | None, waited: timedelta | None) -> InputsLate:
    """The error of a run whose ``day`` is open; ``newest`` is the newest closed day."""
    after = f" after a wait of {waited.total_seconds() / 60:.0f} minutes" if waited else ""
    known = f"the newest closed day is {newest}" if newest else "no day is closed yet"
    return InputsLate(
        f"Business day {day} is not closed{after}; {known}.",
        remedy="See that its files have arrived and run `daybreak ingest`, then run the day again "
        "(docs/runbook.md, «The forecast is late»).",
        business_date=day.isoformat(),
        newest_closed_day=newest.isoformat() if newest else None,
    )
