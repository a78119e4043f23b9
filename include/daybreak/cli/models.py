"""``daybreak train | backtest | models``: candidates, how good they are, and which is in force."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from daybreak.runtime import Runtime

app = typer.Typer()
models = typer.Typer(help="Versions of the models, and the champion ledger.", no_args_is_help=True)
app.add_typer(models, name="models")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ModelName = Annotated[str, typer.Argument(help="Name of the model, such as sales_forecast.")]


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
    """Train a challenger, register it, and let it become champion if the gate lets it."""
    from daybreak.errors import GateRefused
    from daybreak.jobs.training import pass_the_gate
    from daybreak.jobs.training import train as train_challenger
    from daybreak.runtime import get_runtime

    through = (as_of or get_runtime().clock()).date()
    with _progress() as progress:
        challenger = train_challenger(model, through.isoformat(), progress)
        outcome = pass_the_gate(challenger, actor="daybreak train", progress=progress)
    if as_json:
        _print_json(outcome)
    else:
        typer.echo(f"{model} {outcome['version']}, trained through {outcome['business_date']}")
        typer.echo(outcome["reason"])
    if not outcome["promoted"] and outcome["reason"].startswith("Refused"):
        raise GateRefused(
            f"{outcome['version']} is registered but does not become champion.",
            remedy=f"The champion stays; `daybreak models promote {model} {outcome['version']}` "
            "overrules the gate.",
            version=outcome["version"],
        )


@app.command()
def backtest(  # noqa: PLR0917 - Typer calls it by name
    model: ModelName,
    dataset: Annotated[
        str | None, typer.Option(help="Default: the one of DAYBREAK_DATASET.")
    ] = None,
    items: Annotated[int, typer.Option(min=1, help="How many items, the best sellers.")] = 1000,
    horizon: Annotated[int, typer.Option(min=1, max=28, help="Selling days ahead.")] = 14,
    origins: Annotated[int, typer.Option(min=1, help="How many rolling origins.")] = 6,
    as_json: AsJson = False,
) -> None:
    """Forecast past days as one would have then, and compare with the baselines.

    The model is trained again at every origin on what was known there. Takes some minutes.
    """
    from daybreak.errors import NotFound
    from daybreak.models.sales_forecast.backtest import backtest as roll
    from daybreak.models.sales_forecast.folds import read_folds
    from daybreak.warehouse.engine import connect

    if model != "sales_forecast":
        raise NotFound(
            f"There is no backtest of {model!r}.",
            remedy="`daybreak backtest sales_forecast` is the one there is.",
            model=model,
        )
    runtime = _runtime_of(dataset)
    name = runtime.settings.dataset
    with _progress() as progress, connect(runtime.engine) as conn:
        last = _last_day(conn, name)
        folds = read_folds(
            conn,
            last,
            lambda day: _cutoff(conn, runtime, day),
            items=items,
            horizon=horizon,
            origins=origins,
        )
        found = {"dataset": name, **roll(folds, horizon=horizon, progress=progress)}
    if as_json:
        _print_json(found)
    else:
        _show_backtest(found)


@models.command("list")
def list_(
    model: Annotated[str, typer.Argument(help="Only versions of this one.")] = "sales_forecast",
    as_json: AsJson = False,
) -> None:
    """The registered versions, the newest first."""
    from daybreak.runtime import get_runtime

    found = get_runtime().registry.versions(model)
    if as_json:
        _print_json(found)
        return
    for entry in found:
        typer.echo(f"{entry['version']}  through {entry['trained_through']}  {entry['uri']}")
    if not found:
        typer.echo(f"No version of {model} is registered; `daybreak train {model}` makes one.")


@models.command()
def history(model: ModelName, as_json: AsJson = False) -> None:
    """The champion ledger: which version was in force from when to when, and why."""
    from daybreak.registry.champions import history as ledger
    from daybreak.runtime import get_runtime
    from daybreak.warehouse.engine import connect

    with connect(get_runtime().engine) as conn:
        found = ledger(conn, model)
    if as_json:
        _print_json(found)
        return
    for entry in found:
        until = f"{entry['until']:%Y-%m-%d %H:%M}" if entry["until"] else "now"
        typer.echo(f"{entry['version']}  {entry['effective_from']:%Y-%m-%d %H:%M} to {until}")
        typer.echo(f"  {entry['actor']}: {entry['reason']}")
    if not found:
        typer.echo(f"{model} never had a champion; `daybreak train {model}` makes one.")


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
    """Make a version champion by hand, past the gate. Also the way back to an older one."""
    from datetime import UTC

    from daybreak.registry.champions import promote as write_entry
    from daybreak.runtime import get_runtime
    from daybreak.warehouse.engine import begin

    runtime = get_runtime()
    start = effective_from.replace(tzinfo=UTC) if effective_from else runtime.clock()
    with begin(runtime.engine) as conn:
        written = write_entry(
            conn,
            model=model,
            version=version,
            effective_from=start,
            reason=reason,
            evidence={"gate": "overruled by hand"},
            actor="daybreak models promote",
            now=runtime.clock(),
        )
    if as_json:
        _print_json({"model": model, "version": version, "from": start, "written": written})
    elif written:
        typer.echo(f"{version} is champion of {model} from {start:%Y-%m-%d %H:%M} UTC.")
    else:
        typer.echo(f"{version} is champion of {model} already.")


def _runtime_of(dataset: str | None) -> Runtime:
    """The runtime on the warehouse of a data set: each embedded one has a database of its own."""
    from daybreak.runtime import Runtime, get_runtime

    runtime = get_runtime()
    if dataset is None or dataset == runtime.settings.dataset:
        return runtime
    return Runtime(runtime.settings.model_copy(update={"dataset": dataset}), runtime.clock)


def _last_day(conn: Any, dataset: str) -> Any:
    """The newest closed day of ``dataset``. Raises ``NoData`` where it is not in the warehouse."""
    from sqlalchemy import select

    from daybreak.errors import NoData
    from daybreak.jobs.inputs import newest_closed_day
    from daybreak.warehouse.tables import load

    held = conn.scalar(select(load.c.dataset).where(load.c.dataset == dataset).limit(1))
    last = newest_closed_day(conn) if held else None
    if last is None:
        raise NoData(
            f"The warehouse holds no closed day of the data set {dataset}.",
            remedy=f"Run `DAYBREAK_DATASET={dataset} daybreak data load {dataset}`.",
            dataset=dataset,
        )
    return last


def _cutoff(conn: Any, runtime: Runtime, day: Any) -> datetime:
    from daybreak.jobs.addresses import run_address
    from daybreak.jobs.inputs import knowledge_cutoff

    run = run_address(run_key="", run_type="backtest", model="sales_forecast", business_date=day)
    return knowledge_cutoff(conn, run, runtime.settings, runtime.clock())


def _show_backtest(found: dict[str, Any]) -> None:
    wape, pinball = found["wape"], found["pinball"]
    typer.echo(
        f"{found['dataset']}: {found['series']:,} series, {found['origins']} origins "
        f"({found['origin_dates'][0]} to {found['origin_dates'][-1]}), "
        f"{found['horizon']} selling days ahead, {found['rows']:,} forecasts"
    )
    typer.echo(f"WAPE of P50     {wape['model']:.4f}")
    for name in ("seasonal_naive", "mean_28", "median_56"):
        typer.echo(f"  {name:14}{wape[name]:.4f}  ({wape['model'] / wape[name] - 1:+.1%})")
    gain = pinball["model"] / pinball["empirical"] - 1
    typer.echo(f"Pinball         {pinball['model']:.4f}")
    typer.echo(f"  empirical     {pinball['empirical']:.4f}  ({gain:+.1%})")
    typer.echo(f"Bias of mean    {found['bias_mean']:+.1%}")
    for name, shares in found["calibration"].items():
        typer.echo(
            f"{name.upper()}  {shares['below']:.1%} of days below, "
            f"{shares['at_or_below']:.1%} at or below"
        )
    for name, passed in found["bars"].items():
        typer.echo(f"{'passed' if passed else 'MISSED':8}{name}")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done, in one line on stderr; silent where that is no terminal."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda message: status.update(escape(message))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, default=str, ensure_ascii=False))
