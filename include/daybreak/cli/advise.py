"""``daybreak advise``: batch, real time or both, by measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daybreak.cli.runs import AsJson, ModelName

app = typer.Typer()


@app.command()
def advise(  # noqa: PLR0917 - Typer calls it by name
    model: ModelName,
    days: Annotated[
        int,
        typer.Option(min=0, max=60, help="Closed days that are replayed; 0 leaves freshness out."),
    ] = 7,
    requests_per_day: Annotated[
        float | None,
        typer.Option(min=0, help="Instead of what was counted; needed where nothing was."),
    ] = None,
    answer_within: Annotated[
        float | None,
        typer.Option(min=0, metavar="MS", help="99 of 100 answers have to be so quick."),
    ] = None,
    loss: Annotated[
        float,
        typer.Option(
            "--loss",
            "--freshness-loss",
            min=0,
            help="Money for each unit that an answer loses: a unit of sales that a forecast is off "
            "by, a purchase that a list did not hold, a fraud that was allowed. 0: freshness is "
            "shown and not priced.",
        ),
    ] = 0.0,
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="processor-hour (0.04), memory-gb-hour (0.005) or gb-month (0.1), in the unit of "
            "--loss; may come again.",
        ),
    ] = None,
    own_inputs: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of requests that bring inputs that no night can know."
        ),
    ] = None,
    keep_nights: Annotated[int, typer.Option(min=1, help="Nights whose rows are stored.")] = 60,
    requests: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Requests to measure by, one JSON object a line. Default: what is published is "
            "asked for, or events that happened are.",
        ),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The --json of an earlier run: decide by it anew, and measure nothing.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as a page, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a model's answers belong into the night, into the request, or both.

    Measures the version in force on this machine and warehouse: a night and some hundred requests
    in processes of their own, and past days answered from older knowledge. Changes nothing that
    anybody sees. Takes some minutes, most of them for --days. docs/advise.md has the formulas.
    """
    from daybreak.cli.printing import print_json
    from daybreak.cli.progress import working
    from daybreak.monitoring.advice import report
    from daybreak.monitoring.advice.deciding import advise as decide
    from daybreak.monitoring.advice.terms import Prices, Terms
    from daybreak.platform.advising import measure

    terms = Terms(
        Prices.of(price or []),
        loss,
        requests_per_day,
        answer_within,
        own_inputs,
        keep_nights,
    )
    if measured is not None:
        found = report.read_measured(measured, model)
    else:
        with working(f"Measuring {model}") as progress:
            found = measure(model, days=days, requests=requests, progress=progress)
    advice = decide(found, terms)
    said = report.as_json(found, terms, advice)
    if html is not None:
        html.write_text(report.page(said, found, advice))
    if as_json:
        print_json(said)
        return
    for line in report.lines(found, advice):
        typer.echo(line)
    if html is not None:
        typer.echo(f"The page is {html}.")
