"""``daybreak export``: what is published of a business date, as a file for other tools."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from daybreak.cli.runs import AsJson, BusinessDate, ModelName

app = typer.Typer()


class Format(StrEnum):
    """What the file is."""

    csv = "csv"
    parquet = "parquet"


@app.command()
def export(
    model: ModelName,
    business_date: BusinessDate,
    file_format: Annotated[
        Format, typer.Option("--format", help="CSV under a line of names, or Parquet.")
    ] = Format.csv,
    output: Annotated[str, typer.Option(help="The file to write, or - for standard output.")] = "-",
    as_json: AsJson = False,
) -> None:
    """Write the published scores of a business date to a file: all of them, or no file.

    Progress goes to stderr, and so does the summary where the rows go to standard output.
    """
    from daybreak.cli.progress import working
    from daybreak.errors import InvalidRequest
    from daybreak.jobs.exporting import export_day

    to_stdout = output == "-"
    if to_stdout and file_format is Format.parquet and sys.stdout.isatty():
        raise InvalidRequest(
            "A terminal cannot show Parquet.",
            remedy="Name a file with --output, or send it into a program.",
            field="output",
        )
    sink = sys.stdout.buffer if to_stdout else Path(output)
    with working(f"Exporting {model} {business_date.date()}") as progress:
        done = export_day(model, business_date.date(), file_format.value, sink, progress=progress)
    typer.echo(
        json.dumps(done)
        if as_json
        else f"{done['rows']:,} rows of {model} {done['business_date']} (generation "
        f"{done['generation_id']}, version {done['version']}): {output}",
        err=to_stdout,
    )
