"""``daybreak train | backtest | models``: candidates, how good they are, and which is in force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from daybreak.cli import trials

app = typer.Typer()
models = typer.Typer(help="Versions of the models, and the champion ledger.", no_args_is_help=True)
app.add_typer(models, name="models")
trials.add_to(models)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ModelName = Annotated[str, typer.Argument(help="Name of the model; `daybreak status` lists them.")]


@app.command()
def train(
    model: ModelName,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Learn from days up to this one. Default: the newest."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a challenger, register it, and let it become champion if the gate lets it.

    Exit code 0: it is champion now, or was already. 3: the gate refused it. 1: it failed.
    """
    from daybreak.cli.progress import working
    from daybreak.errors import GateRefused
    from daybreak.jobs.training import pass_the_gate
    from daybreak.jobs.training import train as train_challenger
    from daybreak.runtime import get_runtime

    through = (as_of or get_runtime().clock()).date()
    with working(f"Training {model}") as progress:
        challenger = train_challenger(model, through.isoformat(), progress)
        outcome = pass_the_gate(challenger, actor="daybreak train", progress=progress)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(outcome)
    else:
        typer.echo(f"{model} {outcome['version']}, trained through {outcome['business_date']}")
        typer.echo(outcome["reason"])
    if outcome["outcome"] == "refused":
        raise GateRefused(
            f"{outcome['version']} is registered but does not become champion.",
            remedy=(f"{outcome['champion']} is in force; " if outcome["champion"] else "")
            + f"`daybreak models promote {model} {outcome['version']}` overrules the gate.",
            version=outcome["version"],
        )


@app.command()
def backtest(  # noqa: PLR0917 - Typer calls it by name
    model: ModelName,
    dataset: Annotated[
        str | None,
        typer.Option(help="Name, or path of its YAML file. Default: that of DAYBREAK_DATASET."),
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="How many items, the best sellers.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Selling days ahead of an origin.")
    ] = None,
    origins: Annotated[int | None, typer.Option(min=1, help="How many rolling origins.")] = None,
    windows: Annotated[int | None, typer.Option(min=1, help="How many weekly windows.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Any other option of the model; may come again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score past days as one would have then, and compare with the baselines.

    The model is trained again on what was known then. Takes some minutes. A model that forecasts
    days takes --items, --horizon and --origins, one that lists items --windows; what any other one
    takes, its package says.
    """
    from daybreak.cli.progress import working
    from daybreak.jobs.backtesting import backtest as test
    from daybreak.models import get_learning
    from daybreak.runtime import get_runtime

    given = {"items": items, "horizon": horizon, "origins": origins, "windows": windows}
    options: dict[str, float] = {name: one for name, one in given.items() if one is not None}
    options |= dict(map(_named_number, option or []))
    with get_runtime().on_dataset(dataset) as runtime, working(f"Backtesting {model}") as progress:
        found = test(model, options, progress, runtime)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(found)
        return
    typer.echo(f"{model} on {found['dataset']}")
    for line in get_learning(model).describe_backtest(found):
        typer.echo(line)


@models.command("list")
def list_(
    model: Annotated[str | None, typer.Argument(help="Only versions of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """The registered versions, the newest first: which is champion, and what its gate said.

    A model that the data set cannot carry is named first, with what it needs. The measure is the
    first one that the gate goes by, beside the best baseline. --json has also where each version
    is, its files and its manifest.
    """
    from daybreak.cli.printing import print_columns
    from daybreak.jobs.versions import absent_models, versions

    found = versions(model)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(found)
        return
    for name, reason in absent_models(model).items():
        typer.echo(f"{name} is absent: {reason}, which the data set lacks.")
    if not found:
        typer.echo(
            "No version is registered; `daybreak train MODEL` makes one, or "
            "`daybreak models register MODEL` where the model does not learn."
        )
        return
    rows = [
        (
            entry["model"],
            entry["version"],
            "champion" if entry["champion"] else "",
            entry["gate"].replace("_", " "),
            _measured(entry),
            str(entry["trained_through"]),
            f"{entry['registered_at']:%Y-%m-%d %H:%M}",
        )
        for entry in found
    ]
    print_columns(
        ("model", "version", "in force", "gate", "measure", "through", "registered (UTC)"), rows
    )


@models.command()
def history(model: ModelName, as_json: AsJson = False) -> None:
    """The champion ledger: which version was in force from when to when, and why."""
    from daybreak.jobs.versions import champion_history

    found = champion_history(model)
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(found)
        return
    for entry in found:
        until = f"{entry['until']:%Y-%m-%d %H:%M}" if entry["until"] else "now"
        mark = "  REFUSED by its gate" if entry["gate"] == "refused" else ""
        typer.echo(f"{entry['version']}  {entry['effective_from']:%Y-%m-%d %H:%M} to {until}{mark}")
        typer.echo(f"  {entry['actor']}: {entry['reason']}")
        if mark and entry["gate_reason"] != entry["reason"]:
            typer.echo(f"  gate: {entry['gate_reason']}")
    if not found:
        typer.echo(
            f"{model} never had a champion; `daybreak train {model}` makes one, or "
            "`daybreak models promote` puts a registered version in force."
        )


@models.command()
def register(
    model: ModelName,
    manifest: Annotated[
        Path, typer.Option(help='JSON file; has "trained_through", and "engine": "none" or trees.')
    ],
    file: Annotated[
        list[Path] | None,
        typer.Option(help="What belongs to the version; model.ubj is its trees. May come again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a version that `daybreak train` does not make: a formula, or trees from elsewhere.

    No gate judges it; `daybreak models promote` puts it in force. The same files give the same
    version.
    """
    from daybreak.jobs.registering import register as register_version

    done = register_version(model, manifest, file or [])
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(done)
        return
    typer.echo(f"{model} {done['version']} {'is' if done['new'] else 'was already'} registered.")
    typer.echo(
        f"`daybreak models promote {model} {done['version']} --reason WHY` puts it in force."
    )


@models.command()
def promote(
    model: ModelName,
    version: Annotated[str, typer.Argument(help="A registered version.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger for good.")],
    effective_from: Annotated[
        datetime | None,
        typer.Option("--from", help="From which moment on, UTC. Default: now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a version champion by hand, past the gate. Also the way back to an older one.

    A version that its gate refused stays marked as such wherever it is shown.
    """
    from datetime import UTC

    from daybreak.jobs.promoting import promote as put_in_force

    done = put_in_force(
        model,
        version,
        reason,
        actor="daybreak models promote",
        effective_from=effective_from.replace(tzinfo=UTC) if effective_from else None,
    )
    if as_json:
        from daybreak.cli.printing import print_json

        print_json(done)
        return
    if done["written"]:
        moment = datetime.fromisoformat(done["effective_from"])
        typer.echo(f"{version} is champion of {model} from {moment:%Y-%m-%d %H:%M} UTC.")
    else:
        typer.echo(f"{version} is champion of {model} already.")
    if done["gate"] == "refused":
        typer.echo("Its gate refused it, and it stays marked so wherever it is shown.", err=True)


def _measured(entry: Mapping[str, Any]) -> str:
    """``WAPE 0.412 (mean_28 0.437)``; empty where nothing was measured."""
    if entry["measure"] is None:
        return ""
    best = f" ({entry['baseline']} {entry['baseline_value']:.3f})" if entry["baseline"] else ""
    return f"{entry['measure']} {entry['value']:.3f}{best}"


def _named_number(text: str) -> tuple[str, float]:
    """``items=50`` as its two parts. Raises ``InvalidRequest``."""
    from daybreak.errors import InvalidRequest

    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name.isidentifier() or not math.isfinite(value):
        raise InvalidRequest(
            f"The option {text!r} is not a name with a number.",
            remedy="Write --option items=50.",
            field="option",
        )
    return name, int(value) if value == int(value) else value
