"""What `daybreak drift` prints of a night."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

from daybreak.cli import app
from daybreak.jobs import drift

FIGURE = {
    "kind": "feature",
    "name": "price",
    "state": "alarm",
    "distance": 4.0,
    "raise_at": 0.5,
    "psi_earlier": 4.0,
    "noticed": 0.15,
    "psi_training": None,
    "value": None,
    "value_earlier": None,
}


def test_the_night_and_its_alarms_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def show(model: str, day: date | None) -> dict[str, Any]:
        asked.append((model, day))
        figures = [FIGURE, {**FIGURE, "name": "age", "state": "quiet"}]
        found = {"model": model, "business_date": "2026-06-30", "version": "v1"}
        return {**found, "alarms": ["feature price"], "figures": figures}

    monkeypatch.setattr(drift, "show", show)
    run = CliRunner().invoke(app, ["drift", "toy", "--date", "2026-06-30", "--most", "1"])
    assert run.exit_code == 0, run.output
    first, *lines = run.output.splitlines()
    assert first == "toy of 2026-06-30, by v1: feature price"
    assert "4.000" in lines[-2]
    assert "±15%" in lines[-2]
    assert "age" not in run.output
    assert asked == [("toy", date(2026, 6, 30))]
    as_json = CliRunner().invoke(app, ["drift", "toy", "--json"])
    assert json.loads(as_json.output)["alarms"] == ["feature price"]
    assert asked[-1] == ("toy", None)
