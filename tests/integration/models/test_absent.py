"""A model whose sections the data set lacks is absent wherever models are shown, not broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from typer.testing import CliRunner

from anybody import Anybody
from daybreak.cli.models import app as models
from daybreak.errors import NotCarried
from daybreak.jobs.run import score_day
from daybreak.jobs.training import learning_models, train
from daybreak.jobs.versions import versions
from daybreak.models import get_model, schedules
from daybreak.platform.operation import operation
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app

DAY = "2026-02-20"
REASON = "needs sales"


def app_of(runtime: Runtime, *names: str) -> Flask:
    return create_app(runtime, authenticator=Anybody(), models=map(get_model, names or schedules()))


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], tmp_path: Path) -> Runtime:
    """Its data set has ratings and nothing else."""
    file = tmp_path / "ratings.yaml"
    file.write_text("name: ratings\ninteractions: {files: ratings.csv}\n")
    return make_runtime(dataset=str(file))


def test_it_is_not_trained_and_not_scored(runtime: Runtime) -> None:
    assert learning_models(runtime) == ["recommendations"]
    for refused in (
        lambda: train("sales_forecast", DAY, runtime=runtime),
        lambda: score_day("sales_forecast", date.fromisoformat(DAY), runtime=runtime),
    ):
        with pytest.raises(NotCarried, match="sales_forecast needs sales, which") as caught:
            refused()
        assert "daybreak models list" in caught.value.remedy


def test_lists_of_versions_say_what_it_needs(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in schedules():
        runtime.registry.register(name, None, {"engine": "none", "trained_through": DAY})
    assert {one["model"]: one["absent"] for one in versions(runtime=runtime)} == {
        "fraud": "needs streams and labels",
        "pricing": "needs sales and pricing",
        "recommendations": None,
        "sales_forecast": REASON,
    }
    monkeypatch.setattr("daybreak.jobs.versions.get_runtime", lambda: runtime)
    shown = CliRunner().invoke(models, ["models", "list"], catch_exceptions=False).stdout
    assert "sales_forecast is absent: needs sales, which the data set lacks." in shown
    listed = json.loads(CliRunner().invoke(models, ["models", "list", "--json"]).stdout)
    assert REASON in {one["absent"] for one in listed}


def test_status_and_doctor_note_it_and_find_no_fault(runtime: Runtime) -> None:
    found = {one.detail: one.state for one in operation(runtime.settings) if one.check == "model"}
    assert set(found.values()) == {"note"}
    fraud, prices, forecast = sorted(found)
    assert prices.startswith("pricing is absent: needs sales and pricing, which ")
    assert fraud.startswith("fraud is absent: needs streams and labels, which ")
    assert forecast.startswith(f"sales_forecast is absent: {REASON}, which ")


def test_the_endpoint_lists_it_and_is_ready_without_it(runtime: Runtime) -> None:
    client = app_of(runtime).test_client()
    listed = {one["model"]: one for one in client.get("/v1/models").get_json()["models"]}
    assert {name: one["absent"] for name, one in listed.items()} == {
        "fraud": "needs streams and labels",
        "pricing": "needs sales and pricing",
        "recommendations": None,
        "sales_forecast": REASON,
    }
    # Nothing is published yet; what is absent is no part of the reason.
    error = client.get("/readyz").get_json()["error"]
    assert error["details"]["checks"] == {"recommendations": "not_published"}

    alone = app_of(runtime, "sales_forecast").test_client().get("/readyz")
    assert alone.status_code == 200
    assert alone.get_json()["checks"] == {"warehouse": "ok", "sales_forecast": "not_carried"}
