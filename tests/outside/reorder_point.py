"""How many of each item a store should have for the coming week. docs/own-model.md explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import REAL, Column, Connection, FromClause, Select, Text, func, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_actuals, read_panel
from daybreak.models import base
from daybreak.models.options import chosen
from daybreak.registry.artifact import Artifact
from daybreak.warehouse.model_tables import score_table, snapshot_table

WEEKS = tuple(f"week_{n}" for n in range(1, 9))  # units of the last eight weeks, the newest first
LAYOUT = ("level", "open_days", "promoted_days", *WEEKS)  # days of the week to come
HISTORY = 7 * len(WEEKS)
TRAINED_ON = 364 + HISTORY  # days of sales that training reads
JUDGED_ON = 4  # weeks that the gate holds back
LIKELY = 0.9  # in so many weeks `enough` is enough
PARAMS = {
    "objective": "reg:quantileerror",
    "quantile_alpha": [0.5, LIKELY],
    "base_score": [0.0, 0.0],  # trees that start from 0: only then batch and endpoint agree
    "max_depth": 3,
    "eta": 0.1,
    "seed": 7,
    "nthread": 1,  # sums over several threads differ in their last bits
}


class StockRequest(BaseModel):
    """An item in a store, and how many of it are there."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    store: str = Field(min_length=1, max_length=200)
    item: str = Field(min_length=1, max_length=200)
    on_hand: float = Field(0.0, ge=0, le=1e6, description="Units in stock; 0: an empty shelf.")


@dataclass(frozen=True)
class StockRows:
    """One row a question; a nightly row is the answer for an empty shelf."""

    items: base.SnapshotRows
    place: NDArray[np.int64]
    on_hand: base.Float32

    @property
    def features(self) -> base.Float32:
        return as_shares(self.items.values[self.place])

    def answers(self, margins: base.Float32) -> base.Answers:
        stores, items = (names[self.place] for names in self.items.keys)
        usual, enough = as_units(margins, self.items.values[self.place, 0]).T
        missing = np.ceil(np.maximum(enough - self.on_hand, np.float32(0)))
        keys = {"store_id": stores, "item_id": items}
        return base.Answers({**keys, "usual": usual, "enough": enough, "reorder": missing})

    def remarks(self, question: int) -> base.Remarks:
        return base.Remarks("live" if self.on_hand[question] else "published")


class StockScorer:
    """Keeps no state: all that was learned is in the trees."""

    def __init__(self, artifact: Artifact, day: base.Day) -> None:
        pass

    def rows(self, given: base.Given, questions: base.Questions) -> StockRows:
        on_hand = np.nan_to_num(questions.number("on_hand"))  # nightly questions have no stock
        return StockRows(given.entities, questions.entity, on_hand)


class StockNightly(base.Nightly):
    """Every item in every store."""

    keys = ("store_id", "item_id")
    snapshot_table = snapshot_table("reorder_point", keys)
    score_table = score_table(
        "reorder_point",
        [Column("store_id", Text, primary_key=True), Column("item_id", Text, primary_key=True)],
        [
            Column("usual", REAL, nullable=False, comment="half of all weeks need no more"),
            Column("enough", REAL, nullable=False, comment="nine weeks in ten need no more"),
            Column("reorder", REAL, nullable=False, comment="whole units missing to be enough"),
        ],
    )

    def layout(self, options: base.Options = base.NO_OPTIONS) -> tuple[str, ...]:
        return LAYOUT

    def rows(
        self, warehouse: Connection, span: base.Span, context: base.Context, part: base.Part
    ) -> Iterator[base.SnapshotRows]:
        chosen(span.options, {})
        panel = read_panel(warehouse, span.as_of, days=HISTORY)
        yield base.SnapshotRows((panel.store_ids, panel.item_ids), known_at(panel))

    def audit(self, columns: Mapping[str, NDArray[Any]], day: base.Day) -> list[str]:
        usual, enough, reorder = (columns[name] for name in ("usual", "enough", "reorder"))
        rules = {
            "units are negative": (usual < 0).any(),
            "enough is less than usual": (enough < usual).any(),
            "the order does not fill an empty shelf": (reorder != np.ceil(enough)).any(),
        }
        return [rule for rule, broken in rules.items() if broken]

    def audit_queries(self, scored: FromClause) -> dict[str, Select[int]]:
        ordered, usual = func.sum(scored.c.reorder), func.sum(scored.c.usual) + func.count()
        wild = select(ordered).having(ordered > 20 * usual).subquery("wild")
        return {"the whole order is wild": select(func.count()).select_from(wild)}


class StockLearning(base.Learning):
    """How versions come to be, and which may become champion."""

    def train(
        self,
        warehouse: Connection,
        as_of: AsOf,
        progress: base.Progress = base.quiet,
        options: base.Options = base.NO_OPTIONS,
    ) -> base.Trained:
        chosen(options, {})
        progress(f"Reading {TRAINED_ON} days of sales up to {as_of.business_date}")
        booster = fit(read_panel(warehouse, as_of, days=TRAINED_ON))
        manifest = {
            "features": [{"name": name, "dtype": "float32"} for name in LAYOUT],
            "trained_through": as_of.business_date.isoformat(),
            "params": PARAMS,
        }
        return base.Trained(bytes(booster.save_raw("ubj")), manifest)

    def judge(
        self,
        warehouse: Connection,
        as_of: AsOf,
        challenger: Artifact,
        champion: Artifact | None,
        progress: base.Progress = base.quiet,
    ) -> base.Verdict:
        # The challenger has seen every week: what is learned without the last stands in for it.
        panel, weeks = read_panel(warehouse, as_of, days=TRAINED_ON), JUDGED_ON
        judged = {"model": fit(panel, held_back=JUDGED_ON), "rule": None}
        if champion is not None:  # judged on weeks that it has not seen either
            judged["champion"] = xgboost.Booster(model_file=bytearray(champion.booster))
            age = as_of.business_date - date.fromisoformat(champion.manifest["trained_through"])
            weeks = min(weeks, age.days // 7)
        lost = {name: loss(panel, booster, weeks) for name, booster in judged.items()}
        passed = all(lost["model"] < lost[name] for name in lost if name != "model")
        listed = ", ".join(f"{name} {loss:.4g}" for name, loss in lost.items())
        verdict = "Passed" if passed else "Refused"
        return base.Verdict(passed, f"{verdict}. Units lost in {weeks} weeks: {listed}.", lost)

    def backtest(
        self,
        warehouse: Connection,
        last: date,
        as_of: base.AsOfDay,
        options: Mapping[str, float],
        progress: base.Progress = base.quiet,
    ) -> dict[str, Any]:
        windows = chosen(options, {"windows": 4})["windows"]
        lost = dict.fromkeys(("model", "rule"), 0.0)
        for day in (last - timedelta(weeks=n) for n in range(windows, 0, -1)):
            progress(f"Learning as of {day}")
            panel = read_panel(warehouse, as_of(day), days=TRAINED_ON)
            series = list(zip(panel.store_ids, panel.item_ids, strict=True))
            week = day + timedelta(days=1), day + timedelta(days=7)
            sold = read_actuals(warehouse, as_of(last), *week, series).sum(axis=1)
            for name, booster in (("model", fit(panel)), ("rule", None)):
                lost[name] += pinball(sold, advice(booster, known_at(panel))) / windows
        return {"windows": windows, "lost_units_a_week": lost}

    def describe_backtest(self, found: Mapping[str, Any]) -> list[str]:
        return [f"{name:6} {units:10.1f}" for name, units in found["lost_units_a_week"].items()]


def known_at(panel: Panel, weeks_ago: int = 0) -> base.Float32:
    """What was known so many weeks ago, (n, S). A week before the first sale is missing: NaN."""
    end = panel.units.shape[1] - 7 * weeks_ago
    days = panel.units[:, end - HISTORY : end].reshape(-1, len(WEEKS), 7)[:, ::-1]
    weeks = np.where(np.isnan(days).all(axis=2), np.nan, np.nansum(days, axis=2))
    known = np.maximum((~np.isnan(weeks)).sum(axis=1), 1)
    level = np.maximum(np.nansum(weeks, axis=1) / known, 1)  # so that it can be divided by
    ahead = panel.open[:, end : end + 7], panel.promotion[:, end : end + 7] > 0
    return np.column_stack([level, *(day.sum(axis=1) for day in ahead), weeks]).astype(np.float32)


def as_shares(known: base.Float32) -> base.Float32:
    """Weeks as shares of the level, so that slow items and fast ones teach one another."""
    return np.column_stack([known[:, :3], known[:, 3:] / known[:, :1]])


def as_units(margins: base.Float32, level: base.Float32) -> base.Float32:
    """Shares of the level as units: never negative, and the likelier one is never the lower."""
    return np.sort(np.maximum(margins, np.float32(0)) * level[:, None], axis=1)


def fit(panel: Panel, held_back: int = 0) -> xgboost.Booster:
    """Learn from every week that the panel has a past for, but the last ``held_back``."""
    weeks = range(1 + held_back, (panel.units.shape[1] - HISTORY) // 7 + 1)
    learned = [week(panel, weeks_ago) for weeks_ago in weeks]
    known, sold = (np.concatenate(part) for part in zip(*learned, strict=True))
    if not len(sold):
        raise NoData("No item was on sale a week ago.", remedy="Load more weeks of sales.")
    data = xgboost.DMatrix(as_shares(known), sold / known[:, 0])
    return xgboost.train(PARAMS, data, num_boost_round=60)


def week(panel: Panel, weeks_ago: int) -> tuple[base.Float32, base.Float32]:
    """Of each item on sale by then: what was known so many weeks ago, and what sold after it."""
    known, end = known_at(panel, weeks_ago), panel.units.shape[1] - 7 * (weeks_ago - 1)
    on_sale = ~np.isnan(known[:, 3])
    return known[on_sale], panel.units[on_sale, end - 7 : end].sum(axis=1)


def advice(booster: xgboost.Booster | None, known: base.Float32) -> base.Float32:
    """What the model says; without one the rule of thumb, the best of the last eight weeks."""
    if booster is None:
        return np.nanmax(known[:, 3:], axis=1)
    margins = booster.inplace_predict(as_shares(known), predict_type="margin")
    return as_units(margins, known[:, 0])[:, 1]


def loss(panel: Panel, booster: xgboost.Booster | None, weeks: int) -> float:
    past = (week(panel, weeks_ago) for weeks_ago in range(1, weeks + 1))
    return sum(pinball(sold, advice(booster, known)) for known, sold in past)


def pinball(sold: base.Float32, enough: base.Float32) -> float:
    """What is too much costs a tenth of a unit, what is too little nine tenths."""
    over = (enough - sold).astype(np.float64)
    return float(np.maximum(over * (1 - LIKELY), -over * LIKELY).sum())


LEARNING = StockLearning()
MODEL = base.Model(
    "reorder_point",
    base.Endpoint(StockRequest, entity=lambda request: (request.store, request.item)),
    scorer=StockScorer,
    features=LAYOUT,
    nightly=StockNightly(),
    learning="reorder_point:LEARNING",
)
