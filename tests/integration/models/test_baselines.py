"""Whatever the gate says, and however short the history is, a first-time user gets scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete

import model_shop
from anybody import Anybody
from day_equality import published_rows
from daybreak.errors import ArtifactAltered, NoData
from daybreak.jobs import training
from daybreak.jobs.run import score_day
from daybreak.jobs.training import Challenger, pass_the_gate
from daybreak.jobs.versions import versions
from daybreak.ledger.champions import champion_at
from daybreak.models import get_learning
from daybreak.models.recommendations import formulas as of_lists
from daybreak.models.recommendations.features.assemble import FEATURES as OF_LISTS
from daybreak.models.sales_forecast import formulas as of_forecasts
from daybreak.models.sales_forecast.features.layout import FEATURES as OF_FORECASTS
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect, make_engine
from daybreak.warehouse.tables import SERVICE_ROLE, WRITER_ROLE, interaction, sales
from model_cases import ModelCase, case_of
from model_shop import AS_OF, CUTOFF, DAY

SHIPPED = ("sales_forecast", "recommendations")


@dataclass(frozen=True)
class Shop:
    case: ModelCase
    runtime: Runtime
    service: Runtime
    owner: str

    @property
    def model(self) -> str:
        return self.case.model.name

    def champion(self) -> str:
        with connect(self.runtime.engine) as conn:
            return champion_at(conn, self.model, CUTOFF)

    def register(self, worse: bool) -> Challenger:
        """A version that was trained on the shop; with ``worse`` its evidence is poor."""
        with connect(self.runtime.engine) as conn:
            trained = self.case.train(conn, AS_OF)
        if worse:
            spoil(trained.manifest["evidence"])
        version = self.runtime.registry.register(
            self.model, trained.booster, trained.manifest, trained.files
        )
        return challenger(self.model, version)


def spoil(evidence: dict[str, Any]) -> None:
    """What was measured of the version becomes bad; what was measured of baselines stays."""
    if "all" in evidence:
        for reading in ("all", "new"):
            evidence[reading]["model"] = dict.fromkeys(evidence[reading]["model"], 0.0)
    else:
        for sums in evidence.values():
            sums["error.model"] *= 100


def challenger(model: str, version: str) -> Challenger:
    day, cutoff = DAY.isoformat(), CUTOFF.isoformat()
    return {"model": model, "version": version, "business_date": day, "cutoff": cutoff}


@pytest.fixture(scope="module")
def facts(postgres: Any) -> Iterator[str]:
    with model_shop.filled(postgres) as name:
        yield name


@pytest.fixture
def runtimes(postgres: Any, facts: str, tmp_path: Path) -> Iterator[tuple[Runtime, Runtime, str]]:
    """Of jobs and service, and the URL of the owner, who may delete facts."""
    with postgres.database(facts) as name:
        settings = Settings(
            home=tmp_path,
            warehouse_url=postgres.url(name, WRITER_ROLE),
            warehouse_service_url=postgres.url(name, SERVICE_ROLE),
            threads=1,
        )
        jobs, service = (Runtime(settings, lambda: CUTOFF, role) for role in ("jobs", "service"))
        yield jobs, service, postgres.url(name)
        jobs.engine.dispose()
        service.engine.dispose()


@pytest.fixture(params=SHIPPED)
def shop(request: pytest.FixtureRequest, runtimes: tuple[Runtime, Runtime, str]) -> Shop:
    return Shop(case_of(request.param), *runtimes)


def test_a_refused_first_version_leaves_the_best_baseline_in_force(shop: Shop) -> None:
    refused = shop.register(worse=True)
    outcome = pass_the_gate(refused, runtime=shop.runtime)
    assert outcome["outcome"] == "refused"
    assert outcome["champion"] == shop.champion() != refused["version"]
    marks = {one["version"]: one for one in versions(shop.model, runtime=shop.runtime)}
    assert marks[refused["version"]]["gate"] == "refused"
    of_baseline = marks[outcome["champion"]]
    assert of_baseline["gate"] == "baseline"
    assert of_baseline["champion"]
    assert "answers until a version passes the gate" in of_baseline["gate_reason"]
    assert of_baseline["value"] == of_baseline["baseline_value"] > 0
    load = shop.runtime.registry.load
    manifest, of_trees = (
        load(shop.model, one).manifest for one in (outcome["champion"], refused["version"])
    )
    learned = {"blend", "evidence", "metrics", "objective", "params", "seed"}
    assert not learned & manifest.keys()
    assert learned - {"blend"} <= of_trees.keys()

    # Published like any version, and answered bit for bit.
    score_day(shop.model, DAY, runtime=shop.runtime)
    generation, rows = published_rows(shop.runtime.engine, shop.case.model, DAY)
    assert generation.version == outcome["champion"]
    client = create_app(
        shop.service, authenticator=Anybody(), models=[shop.case.model]
    ).test_client()
    floats = [name for name, value in rows[0].items() if isinstance(value, float)]
    for row in rows[:: len(rows) // 40]:
        path = f"/v1/models/{shop.model}/predict"
        said = client.post(path, json=shop.case.request(row)).get_json()
        assert (said["version"], said["gate"]) == (outcome["champion"], "baseline")
        answer = said["predictions"][row.get("rank", 1) - 1]
        assert [np.float32(answer[name]) for name in floats] == [
            np.float32(row[name]) for name in floats
        ]

    # It is what a later challenger has to beat, and it does not hold up one that is better.
    again = pass_the_gate(refused, runtime=shop.runtime)
    assert (again["outcome"], again["champion"]) == ("refused", outcome["champion"])
    better = shop.register(worse=False)
    judged = get_learning(shop.model)
    with connect(shop.runtime.engine) as conn:
        verdict = judged.judge(
            conn,
            AS_OF,
            load(shop.model, better["version"]),
            load(shop.model, outcome["champion"]),
        )
    compared = verdict.evidence["against_champion"]
    assert not compared.get("why_not")
    # A formula has seen no label: it is compared on all days held out, up to its own.
    assert compared.get("challenger", {"rows": 1})["rows"] > 0


def test_too_short_a_history_gets_a_baseline(shop: Shop) -> None:
    table = {"sales_forecast": sales, "recommendations": interaction}[shop.model]
    owner = make_engine(shop.owner)
    with begin(owner) as conn:
        conn.execute(delete(table).where(table.c.business_date <= DAY - timedelta(days=20)))
    owner.dispose()
    first = training.train(shop.model, DAY.isoformat(), runtime=shop.runtime)
    outcome = pass_the_gate(first, runtime=shop.runtime)
    assert (outcome["outcome"], outcome["champion"]) == ("promoted", first["version"])
    (mark,) = versions(shop.model, runtime=shop.runtime)
    assert (mark["gate"], mark["champion"]) == ("baseline", True)
    score_day(shop.model, DAY, runtime=shop.runtime)
    _, rows = published_rows(shop.runtime.engine, shop.case.model, DAY)
    assert len({row[shop.case.model.keys[-1]] for row in rows}) > 10
    assert any(row[name] for row in rows for name in ("mean", "rank") if name in row)
    # In force it is a champion like any other: training says what it lacks.
    with pytest.raises(NoData):
        training.train(shop.model, DAY.isoformat(), runtime=shop.runtime)


def test_a_baseline_does_not_replace_a_champion(shop: Shop) -> None:
    with connect(shop.runtime.engine) as conn:
        found = get_learning(shop.model).baseline(conn, AS_OF)
    assert found is not None
    champion = pass_the_gate(shop.register(worse=True), runtime=shop.runtime)["champion"]
    trained = found.trained
    late = shop.runtime.registry.register(shop.model, None, trained.manifest, trained.files)
    outcome = pass_the_gate(challenger(shop.model, late), runtime=shop.runtime)
    assert (outcome["outcome"], outcome["champion"]) == ("refused", champion)
    assert champion in outcome["reason"]


def test_a_forecast_by_formula() -> None:
    features = np.ones((2, len(OF_FORECASTS)), np.float32)
    given = {"p10_56": 0.5, "p50_56": 1, "p90_56": 2, "mean_56": 1.1}
    for name, value in (given | {"p10_28": 0.2, "p50_28": 3, "p90_28": 4, "mean_28": 5}).items():
        features[:, OF_FORECASTS.index(name)] = value
    features[:, OF_FORECASTS.index("reference_price")] = np.nan
    by_name = {
        name: of_forecasts.margins_of(features, {"baseline": name}).tolist()
        for name in of_forecasts.FORMULAS
    }
    assert by_name == {
        "weekday_28": [np.array([0.2, 3, 4, 5], np.float32).tolist()] * 2,
        "weekday_56": [np.array([0.5, 1, 2, 1.1], np.float32).tolist()] * 2,
    }


def test_a_list_by_one_source_goes_on_with_what_is_popular() -> None:
    features = np.full((4, len(OF_LISTS)), np.nan, np.float32)
    features[:, OF_LISTS.index("rank_bm25")] = [2, np.nan, 1, np.nan]
    features[:, OF_LISTS.index("rank_popular")] = [4, 2, 3, 1]
    margins = of_lists.margins_of(features, {"baseline": "bm25"})
    assert margins.shape == (4, 1)
    assert np.argsort(-margins[:, 0]).tolist() == [2, 0, 3, 1]
    popular = of_lists.margins_of(features, {"baseline": of_lists.POPULAR})
    assert np.argsort(-popular[:, 0]).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("formulas", [of_forecasts, of_lists])
def test_a_manifest_without_trees_names_its_baseline(formulas: Any) -> None:
    with pytest.raises(ArtifactAltered, match="names no baseline that there is, but 'magic'"):
        formulas.margins_of(np.empty((0, 100), np.float32), {"baseline": "magic"})
