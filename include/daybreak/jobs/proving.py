"""The night's proof: decisions of a day made again, and tiles compared with the log."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from daybreak.errors import DecisionsDiffer
from daybreak.jobs.addresses import RunAddress, day_of
from daybreak.jobs.due import due_of
from daybreak.jobs.timed import job_step
from daybreak.ledger.decisions import Proof, days_to_prove, record_proof
from daybreak.models import get_model, interval_of
from daybreak.models.base import AnyModel, Progress, logged
from daybreak.monitoring import sla
from daybreak.runtime import Runtime, get_runtime
from daybreak.scoring.engines.engine import Engine
from daybreak.scoring.engines.opening import open_engine
from daybreak.scoring.proving import Proven, prove
from daybreak.signals.stream import Stream, read_streams
from daybreak.signals.tiles import WrongTile, build_tiles, make_partitions, wrong_tiles
from daybreak.warehouse.engine import begin, connect

logger = logging.getLogger(__name__)

DAYS_OF_TILES = 40
"""Before the business date whose tiles are compared: as far as the windows of its decisions."""


def prove_decisions(
    run: RunAddress, progress: Progress = logged, runtime: Runtime | None = None
) -> dict[str, Any]:
    """Make the decisions of the run's business date again, and late ones of days before; build the
    tiles of every stream, and compare them with the log.

    Raises ``DecisionsDiffer`` where something differs, after it was written down (``ops.proof``),
    and counted as a miss of the day.
    """
    runtime = runtime or get_runtime()
    model, day = get_model(run["model"]), day_of(run)
    with job_step(runtime, run, "prove") as timed:
        engines: dict[str, Engine] = {}

        def engine_of(version: str) -> Engine:
            if version not in engines:
                artifact = runtime.registry.load(model.name, version)
                engines[version] = open_engine(artifact, runtime.settings.threads)
            return engines[version]

        with connect(runtime.engine) as conn:
            days = days_to_prove(conn, model.name, day)
            found = [prove(conn, model, engine_of, one, progress) for one in days]
        wrong = _check_tiles(runtime, day, progress)
        timed.rows = sum(one.decisions for one in found)
        said = _said(found, wrong)
        with begin(runtime.engine) as conn:
            for one in found:
                of_day = len(wrong) if one.business_date == day else 0
                proof = Proof(
                    model=model.name,
                    business_date=one.business_date,
                    run_key=run["run_key"],
                    decisions=one.decisions,
                    differing=one.differing,
                    wrong_tiles=of_day,
                    finding=said if one.differing or of_day else "",
                    proven_at=runtime.clock(),
                )
                record_proof(conn, proof)
            if said:
                _miss(conn, run, model, day, runtime)
        differing = sum(one.differing for one in found)
        runtime.metrics.incr(f"{model.name}.proof.decisions", timed.rows)
        runtime.metrics.incr(f"{model.name}.proof.differing", differing)
        runtime.metrics.incr(f"{model.name}.proof.wrong_tiles", len(wrong))
        if said:
            logger.error("the proof of %s for %s failed: %s", model.name, day, said)
            raise DecisionsDiffer(
                f"The proof of {model.name} for {day} failed: {said}.",
                remedy="See the runbook, «The proof failed»: `daybreak streams check` names wrong "
                "tiles and `--mend` makes them anew.",
                model=model.name,
                business_date=day.isoformat(),
                decisions=timed.rows,
                differing=differing,
                wrong_tiles=len(wrong),
            )
    return {"business_date": day.isoformat(), "decisions": timed.rows, "days": len(found)}


def _check_tiles(runtime: Runtime, day: date, progress: Progress) -> list[tuple[Stream, WrongTile]]:
    wrong: list[tuple[Stream, WrongTile]] = []
    with connect(runtime.engine) as conn:
        streams = read_streams(conn)
    for stream in streams:
        with begin(runtime.engine) as conn:
            make_partitions(conn, stream, runtime.clock())
        with begin(runtime.engine) as conn:
            built = build_tiles(conn, stream)
        progress(f"Built {built.tiles:,} tiles of {stream.name}")
        with connect(runtime.engine) as conn:
            first = day - timedelta(days=DAYS_OF_TILES)
            wrong += [(stream, one) for one in wrong_tiles(conn, stream, first)]
    return wrong


def _said(found: list[Proven], wrong: list[tuple[Stream, WrongTile]]) -> str:
    """What is wrong, the first of each kind; empty where nothing is."""
    parts = [
        f"{one.differing:,} of {one.decisions:,} decisions of {one.business_date} differ, first "
        f"{one.first.text}"
        for one in found
        if one.first is not None
    ]
    if wrong:
        stream, tile = wrong[0]
        parts.append(f"tiles of {stream.name} differ from the log, first {tile.text}")
    return "; ".join(parts)


def _miss(conn: Connection, run: RunAddress, model: AnyModel, day: date, runtime: Runtime) -> None:
    now = runtime.clock()
    sla.record_unproven(
        conn,
        run_key=run["run_key"],
        due=due_of(conn, runtime.settings, model.name, day),
        now=now,
        expected=interval_of(model.name, runtime.settings).includes(day),
    )
