"""Synthetic shops with costs, competitors and rules, forecast and priced by the jobs of a night."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.facts import temporary_server
from benchmarks.quality.warehouse import Warehouse
from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.jobs.run import score_day
from daybreak.models import get_learning
from daybreak.models.base import Progress, Trained, quiet
from daybreak.prices.rulebook import declare_rules
from daybreak.prices.rules import rules_of
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.synthetic import Shop, generate, shop_options
from daybreak.warehouse.engine import begin, connect

SHIPPED = Path(load_spec.__code__.co_filename).parents[2] / "datasets" / "synthetic.yaml"
LEFT_OUT = ("interactions", "streams", "labels")
"""Sections that say nothing of prices, and take the most time to load."""
TIMEZONE = "Europe/London"
FORECAST, PRICES = "sales_forecast", "pricing"


@dataclass(frozen=True)
class Size:
    """Of a shop, as of the data set that ships."""

    stores: int = 8
    items: int = 60
    start: date = date(2024, 4, 1)
    end: date = date(2026, 6, 30)


@dataclass(frozen=True)
class Priced:
    """A shop whose forecast and prices of its last day are published.

    ``made``: with its truth. ``day``: the last one.
    """

    runtime: Runtime
    made: Shop
    day: date

    @property
    def as_of(self) -> AsOf:
        """What is known by now."""
        return AsOf(self.day, self.runtime.clock())

    def propose(self, **rules: Any) -> None:
        """Publish the prices of the day under the rules that ship and these; None takes one away.

        Nobody is asked.
        """
        shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["pricing"]
        said = {name: one for name, one in (shipped | rules).items() if one is not None}
        with begin(self.runtime.engine) as conn:
            declare_rules(conn, rules_of(said), self.runtime.clock(), TIMEZONE)
        score_day(PRICES, self.day, "latest", quiet, self.runtime)

    @property
    def warehouse(self) -> Warehouse:
        """As the benchmarks of quality take it."""
        return Warehouse(self.runtime.engine, self.runtime.settings, self.as_of.business_date)


@contextmanager
def priced_shop(seed: int, size: Size, progress: Progress) -> Iterator[Priced]:
    """The shop that ships, of another seed and size, on a PostgreSQL of its own.

    Both models are trained on the spot; prices are published under the rules that ship.
    """
    with (
        temporary_server() as (_, engine),
        TemporaryDirectory(prefix="dbk-bench-", dir="/tmp") as home,
    ):
        options = _options(seed, size)
        path = _data_set(Path(home), options)
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(home=Path(home), warehouse_url=url, dataset=str(path))
        runtime = Runtime(settings, clock=clock_from(size.end + timedelta(days=1)))
        try:
            progress(f"seed {seed}: loading {size.stores} × {size.items} series")
            load_dataset(engine, load_spec(str(path)), now=runtime.clock())
            for model in (FORECAST, PRICES):
                progress(f"seed {seed}: training and scoring {model}")
                train(runtime, model, AsOf(size.end, runtime.clock()))
                score_day(model, size.end, "latest", quiet, runtime)
            yield Priced(runtime, generate(shop_options(options)), size.end)
        finally:
            runtime.engine.dispose()


def clock_from(day: date) -> Callable[[], datetime]:
    """Time that passes, from three in the morning of a day on."""
    begun = time.monotonic()
    first = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=3)
    return lambda: first + timedelta(seconds=time.monotonic() - begun)


def train(runtime: Runtime, model: str, as_of: AsOf) -> None:
    """A version of all that is known, in force."""
    with connect(runtime.engine) as conn:
        trained = get_learning(model).train(conn, as_of)
    put_in_force(runtime, model, trained, as_of.cutoff)


def put_in_force(runtime: Runtime, model: str, trained: Trained, moment: datetime) -> None:
    """Register a version and make it champion from an hour before ``moment`` on."""
    promote(
        model,
        register_trained(runtime, model, trained),
        "to be measured",
        actor="bench",
        effective_from=moment - timedelta(hours=1),
        runtime=runtime,
    )


def _options(seed: int, size: Size) -> dict[str, Any]:
    span = {"start": size.start.isoformat(), "end": size.end.isoformat()}
    return {"seed": seed, "stores": size.stores, "items": size.items, "users": 1, **span}


def _data_set(folder: Path, options: Mapping[str, Any]) -> Path:
    spec: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for name in LEFT_OUT:
        del spec[name]
    spec["generators"] = {"synthetic": options}
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path
