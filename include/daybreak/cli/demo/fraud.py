"""What the demo shows of fraud: payments as they come, and the night that proves the decisions."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import typer
from rich.table import Table
from sqlalchemy import Connection, text

from daybreak.cli.demo import payments as demo_payments
from daybreak.cli.demo.ask import Service
from daybreak.cli.demo.payments import Decided
from daybreak.cli.demo.words import percent, title
from daybreak.cli.printing import print_table
from daybreak.cli.progress import Board
from daybreak.errors import NoChampion, PlatformError
from daybreak.ledger.champions import champion_at
from daybreak.models.offered import absent
from daybreak.platform.airflow_api import Days
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import connect

MODEL = "fraud"
DAG = "daily_fraud"
ALLOWED = "allow"
DECISIONS = (ALLOWED, "review", "block")

PROVEN = text(
    """
    SELECT decisions_made, decisions, differing, wrong_tiles
    FROM report.fraud_proof
    WHERE business_date = :day
    """
)
QUEUE = text(
    """
    SELECT rank, key, events, reviews, blocks, probability, amount, known_fraud
    FROM report.fraud_queue
    WHERE business_date = :day AND rank <= 5
    ORDER BY rank
    """
)


def left_out(runtime: Runtime, day: date) -> str | None:
    """Why the demo shows no fraud, as the end of a sentence; None where it does."""
    name = runtime.settings.dataset
    if reason := absent(name).get(MODEL):
        return f"it {reason}, which {name} lacks"
    return demo_payments.left_out(runtime, day)


def decide(runtime: Runtime, service: Service, day: date) -> Decided | None:
    """Ask about the payments of a day as they come; None where no version can answer."""
    try:
        with connect(runtime.engine) as conn:
            champion_at(conn, MODEL, runtime.clock())
    except NoChampion:
        typer.echo(f"{MODEL} is left out: no version is in force.")
        return None
    drawn = demo_payments.drawn(runtime, day)
    with Board("", pause=5) as board:

        def note(done: int) -> None:
            of = len(drawn.forms)
            board.note("payments", "done" if done == of else f"{done:,} of {of:,}")

        decided = demo_payments.decide(service, MODEL, drawn, note)
    _print_decided(decided)
    _label(service, decided)
    return decided


def show(conn: Connection, days: Days, service: Service, decided: Decided) -> None:
    """What the night proved and lists for review, and one of the decisions over HTTP."""
    _print_proof(conn, days.last)
    _print_queue(conn, days.last)
    _ask_again(service, decided)


def _print_decided(decided: Decided) -> None:
    took = [answer["latency_ms"] for answer in decided.answers]
    half, most = np.percentile(took, [50, 99])
    typer.echo(
        f"{len(took):,} payments of {decided.drawn.day} in {decided.seconds:.0f} s over "
        f"{demo_payments.CONNECTIONS} connections, each decided and recorded once; in the service "
        f"half took {half:.1f} ms or less, 99 % {most:.1f} ms."
    )
    table = Table(box=None, pad_edge=False)
    for name in ("decision", "payments", "fraud", "good"):
        table.add_column(name, justify="left" if name == "decision" else "right")
    pairs = list(zip(decided.decisions, decided.drawn.fraud, strict=True))
    for name in DECISIONS:
        counts = [pairs.count((name, fraud)) for fraud in (True, False)]
        table.add_row(name, *(f"{count:,}" for count in (sum(counts), *counts)))
    print_table(table)
    frauds, goods = (
        [decision != ALLOWED for decision, fraud in pairs if fraud is which]
        for which in (True, False)
    )
    typer.echo(
        f"Reviewed or blocked: {sum(frauds)} of the {len(frauds)} frauds, which only the generator "
        f"knows, and {sum(goods)} of the {len(goods):,} good payments "
        f"({percent(float(np.mean(goods))) if goods else ''})."
    )


def _label(service: Service, decided: Decided) -> None:
    """Say what a review of the suspect ones finds."""
    found = {
        form["event_id"]: fraud
        for form, fraud, decision in zip(
            decided.drawn.forms, decided.drawn.fraud, decided.decisions, strict=True
        )
        if decision != ALLOWED
    }
    if found:
        taken = demo_payments.label(service, found)
        typer.echo(
            f"Labels of these {len(taken)} over POST /v1/streams/{demo_payments.STREAM}/labels: "
            f"{sum(found.values())} fraud, {len(found) - sum(found.values())} not."
        )


def _print_proof(conn: Connection, day: date) -> None:
    found = conn.execute(PROVEN, {"day": day}).mappings().one()
    title(f"The night of {day}: every decision made again, from the log (report.fraud_proof)")
    typer.echo(
        f"{found['decisions']:,} of {found['decisions_made']:,} decisions proven, bit for bit: "
        f"{found['differing']:,} differ, {found['wrong_tiles']:,} tiles are wrong."
    )


def _print_queue(conn: Connection, day: date) -> None:
    title(f"What to review of {day}, the five most suspect cards (report.fraud_queue)")
    table = Table(box=None, pad_edge=False)
    left = ("card", "known as fraud")
    names = ("rank", "card", "payments", "reviews", "blocks", "probability", "amount")
    for name in (*names, "known as fraud"):
        table.add_column(name, justify="left" if name in left else "right")
    for row in conn.execute(QUEUE, {"day": day}).mappings():
        table.add_row(
            str(row["rank"]),
            row["key"],
            *(str(row[name]) for name in ("events", "reviews", "blocks")),
            f"{row['probability']:.3f}",
            f"{row['amount']:.2f}",
            "yes" if row["known_fraud"] else "",
        )
    print_table(table)


def _ask_again(service: Service, decided: Decided) -> None:
    """About the most suspect payment: the answer is the one that it had."""
    title("One decision over HTTP, asked again")
    places = range(len(decided.answers))
    place = max(places, key=lambda n: _prediction(decided.answers[n])["probability"])
    before, form = decided.answers[place], decided.drawn.forms[place]
    answer = service.ask(MODEL, form, version=before["version"])
    typer.echo(json.dumps(answer))
    if _kept(answer) != _kept(before):
        raise PlatformError(
            f"The answer is not the one that was given before: {answer} is not {before}.",
            remedy="This must never happen: please report it with the state folder's logs.",
        )
    prediction = _prediction(answer)
    typer.echo(
        f"The same decision as before, {prediction['decision']}, recorded once, because: "
        + "; ".join(reason["says"] for reason in answer["reasons"])
        + "."
    )


def _prediction(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["predictions"][0]
    return found


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "latency_ms"}
