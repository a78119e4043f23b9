"""Load the data set and put small, quickly trained versions of both models in force, gate or not.

Run in a process of its own, with the environment of the platform that it is for.
usage: python first_champion.py BUSINESS_DATE; prints the warehouse's URL (it has no password).
"""

import sys
from datetime import date

from daybreak.clock import AsOf, scheduled_cutoff
from daybreak.facts.interactions import read_events
from daybreak.facts.sales import read_panel
from daybreak.jobs.ingest import load_new_files
from daybreak.ledger.champions import promote
from daybreak.models.base import Trained
from daybreak.models.recommendations.learn.train import Options as ListOptions
from daybreak.models.recommendations.learn.train import Ranker, train_events
from daybreak.models.sales_forecast.learn.booster import Learning
from daybreak.models.sales_forecast.learn.train import Options, train_panel
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import begin, connect

SMALL = Options(
    origin_days=60,
    origins=8,
    rows=2_000,
    learning=Learning(depth=3, rounds=12, least_rounds=4),
)

FEW_LISTS = ListOptions(
    weeks=3,
    enough=0,
    negatives=4,
    sessions=10,
    ranker=Ranker(depths=(3,), rounds=8, least_rounds=4),
)


def main(runtime: Runtime, day: date) -> None:
    load_new_files(runtime=runtime)
    settings = runtime.settings
    as_of = AsOf(day, scheduled_cutoff(day, settings.run_at, settings.timezone))
    with connect(runtime.engine) as conn:
        panel = read_panel(conn, as_of, days=SMALL.panel_days(DEFAULT_HORIZON))
        events = read_events(conn, as_of, days=120)
    put_in_force(runtime, "sales_forecast", train_panel(panel, options=SMALL), as_of)
    put_in_force(runtime, "recommendations", train_events(events, day, options=FEW_LISTS), as_of)
    print(settings.warehouse_dsn)


def put_in_force(runtime: Runtime, model: str, trained: Trained, as_of: AsOf) -> None:
    version = runtime.registry.register(model, trained.booster, trained.manifest, trained.files)
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=model,
            version=version,
            effective_from=as_of.cutoff,
            reason="the first one",
            evidence={},
            actor="test",
            now=runtime.clock(),
        )


if __name__ == "__main__":
    main(get_runtime(), date.fromisoformat(sys.argv[1]))
