"""``daybreak models canary | shadow | stop | trials``: versions tried beside the one in force."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

ACTOR = "daybreak models"

ModelName = Annotated[str, typer.Argument(help="Name of the model; `daybreak status` lists them.")]
Version = Annotated[str, typer.Argument(help="A registered version.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger for good.")]


class Tried(StrEnum):
    """What can be stopped."""

    canary = "canary"
    shadow = "shadow"


def canary(
    model: ModelName,
    version: Version,
    reason: Reason,
    share: Annotated[float, typer.Option(help="Percent of the entities, above 0 up to 100.")],
) -> None:
    """Let a version answer for a share of the entities, always the same ones.

    A larger share of the same version adds entities and takes none away. It answers from the
    published day's snapshot; tables stay as they are.
    """
    from daybreak.jobs.trials import canary as start

    new = start(model, version, share, reason, actor=ACTOR)
    done = "answers" if new else "answers already"
    typer.echo(f"{version} {done} for {share:g} % of the entities of {model}.")


def shadow(model: ModelName, version: Version, reason: Reason) -> None:
    """Ask a version beside the one that answers, and measure how they differ; nobody sees it."""
    from daybreak.jobs.trials import shadow as start

    new = start(model, version, reason, actor=ACTOR)
    typer.echo(f"{version} is {'' if new else 'already '}asked beside what answers for {model}.")


def stop(
    model: ModelName,
    kind: Annotated[Tried, typer.Argument(help="What is tried.")],
    reason: Reason,
) -> None:
    """End a canary or a shadow."""
    from daybreak.jobs.trials import stop as end

    stopped = end(model, kind.value, reason, actor=ACTOR)
    typer.echo(
        f"The {kind} of {model} ends." if stopped else f"There is no {kind} of {model} to end."
    )


def trials(
    model: Annotated[str | None, typer.Argument(help="Only those of this one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What is and was tried beside the versions in force, the newest first."""
    from daybreak.cli.printing import print_columns, print_json
    from daybreak.jobs.trials import listed

    found = listed(model)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            entry["model"],
            entry["kind"],
            entry["version"] or "ended",
            f"{100 * entry['share']:g} %" if entry["version"] else "",
            f"{entry['serve_from']:%Y-%m-%d %H:%M:%S}",
            entry["reason"],
        )
        for entry in found
    ]
    print_columns(("model", "kind", "version", "share", "from (UTC)", "reason"), rows)


def add_to(models: typer.Typer) -> None:
    """Make them commands of ``daybreak models``."""
    for command in (canary, shadow, stop, trials):
        models.command()(command)
