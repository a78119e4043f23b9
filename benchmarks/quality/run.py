"""All methods on one data set: every origin, the same cells; what it gives is JSON."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from benchmarks.quality import peers
from benchmarks.quality.known import Forecast, read_forecast, write_forecast
from benchmarks.quality.measures import effect_error, noise_of_totals, sums
from benchmarks.quality.naives import NAIVES
from benchmarks.quality.origins import Origin, origins, truth
from benchmarks.quality.ours import BASELINE, IN_FORCE, TREES, ours
from benchmarks.quality.sets import SalesSet, prepared
from benchmarks.quality.warehouse import Settings, warehouse
from daybreak import models
from daybreak.models.base import Progress
from daybreak.models.sales_forecast.learn.lineage import panel_sha256
from daybreak.warehouse.engine import connect

TRUTH = "truth"
"""Who knows the mean demand: what no forecast can beat but by luck."""


def measure_sales(
    of: SalesSet,
    server: Settings,
    data: Path,
    cache: Path,
    progress: Progress,
    *,
    methods: Sequence[str] | None = None,
    most: int | None = None,
    seed: int = 7,
    history: int | None = None,
) -> dict[str, Any]:
    """``methods``: of others, only these. ``most``, ``history``: as for `origins`."""
    dataset = prepared(of, data, cache)
    others = [name for name in peers.FORECASTS if methods is None or name in methods]
    naives = {name: NAIVES[name] for name in NAIVES if methods is None or name in methods}
    found: list[_Measured] = []
    asked: list[_Job] = []
    with warehouse(server, dataset, progress) as facts, connect(facts.engine) as conn:
        for origin in origins(of, facts, most, history):
            progress(f"{of.name}, origin {origin.day}: {len(origin.known)} series")
            here = _Measured(origin, truth(dataset, origin.known))
            found.append(here)
            for name, forecast, about in _ours(conn, origin, cache, seed):
                here.add(name, forecast, about)
            for name, method in naives.items():
                started = time.perf_counter()
                forecast = method(origin.known)
                here.add(name, forecast, {"seconds": time.perf_counter() - started})
            if here.truth is not None:
                here.add(TRUTH, here.truth, {})
            asked += _jobs(here, others, cache)
    peers.run("forecast", [job.to_json() for job in asked], cache, progress)
    for job in asked:
        if job.out.exists():
            job.of.add(job.method, *read_forecast(job.out))
    return {"kind": "sales", "horizon": of.horizon, "origins": [one.to_json() for one in found]}


@dataclass
class _Measured:
    """One origin, and what was measured of each method there."""

    origin: Origin
    truth: Forecast | None
    methods: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, forecast: Forecast, about: dict[str, Any]) -> None:
        origin, cells = self.origin, self.origin.cells
        self.methods[name] = {
            "sums": sums(forecast, origin.actual, cells).to_json(),
            "about": about,
        }
        if self.truth is not None:
            promoted = np.nan_to_num(origin.known.plans["promotion"])[:, origin.known.days :] > 0
            self.methods[name]["promotion"] = effect_error(
                forecast["mean"][cells], self.truth["mean"][cells], promoted[cells]
            )

    def to_json(self) -> dict[str, Any]:
        noise = noise_of_totals(self.origin.known, self.origin.of.horizon)
        return {
            "origin": self.origin.day.isoformat(),
            "series": len(self.origin.known),
            "step": self.origin.known.step,
            "noise": None if np.isnan(noise) else noise,
            "methods": self.methods,
        }


@dataclass(frozen=True)
class _Job:
    """A forecast that another method is asked for."""

    of: _Measured
    known: Path
    method: str
    out: Path

    def to_json(self) -> dict[str, str]:
        return {"known": str(self.known), "method": self.method, "out": str(self.out)}


def _ours(
    conn: Connection, origin: Origin, cache: Path, seed: int
) -> list[tuple[str, Forecast, dict[str, Any]]]:
    key = peers.key(panel_sha256(origin.fold.panel), str(seed), product("ours.py"))
    folder = cache / "ours"
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{key}.{name}.parquet" for name in (TREES, BASELINE, IN_FORCE)}
    if not files[IN_FORCE].exists():  # it is written last
        made = ours(conn, origin, seed)
        for name, file in files.items():
            if name in made.forecasts:
                write_forecast(made.forecasts[name], file, **made.about)
    return [(name, *read_forecast(file)) for name, file in files.items() if file.exists()]


def _jobs(of: _Measured, methods: Sequence[str], cache: Path) -> list[_Job]:
    folder = (cache / "forecasts").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "known.part"
    of.origin.known.write(part)
    name = hashlib.sha256(part.read_bytes()).hexdigest()[:16]
    file = folder / f"{name}.known.parquet"
    part.rename(file)
    key = peers.key(name, peers.code("forecast"))
    return [_Job(of, file, method, folder / f"{key}.{method}.parquet") for method in methods]


def product(asking: str) -> str:
    """The package as it is, and the module that asks it: a change of them is run anew."""
    package = Path(models.__file__).parents[1]
    digest = hashlib.sha256()
    for file in [*sorted(package.rglob("*.py")), Path(__file__).with_name(asking)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
