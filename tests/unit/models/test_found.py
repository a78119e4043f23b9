"""How models, their schedules and their learning are found by entry points."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import toy
from daybreak import models
from daybreak.errors import ConfigError, NotFound
from daybreak.models import SCHEDULES, get_learning, get_model, model_names, schedules
from daybreak.models.schedule import DAILY
from model_cases import ON_REQUEST, ON_SCORES, outside_installed


def test_those_that_ship_have_a_schedule_which_is_that_of_their_night() -> None:
    for name, schedule in schedules().items():
        assert get_model(name).night.schedule == schedule
        assert schedule.dag_id
        assert schedule.needs
    assert tuple(schedules()) == model_names()


def test_those_that_ship_learn() -> None:
    for name in model_names():
        assert get_learning(name).train


def test_a_schedule_is_read_without_the_model() -> None:
    code = (
        "import sys; from daybreak.models import schedules; print(sorted(schedules())); "
        "print({'numpy', 'pandas', 'xgboost', 'sqlalchemy', 'pydantic'} & sys.modules.keys())"
    )
    path = f"import sys; sys.path[:0] = [{str(ON_SCORES)!r}, {str(ON_REQUEST)!r}]; "
    said = subprocess.check_output([sys.executable, "-c", path + code], text=True)
    listed = ["fraud", "pricing", "recommendations", "sales_forecast", "stock_cover"]
    assert said.splitlines() == [str(listed), "set()"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on the path, whose entry points a test writes."""
    monkeypatch.setattr(models, "_installed", models._installed.__wrapped__)  # not from the cache
    folder = tmp_path / "moon-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: moon\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder / "entry_points.txt"


@pytest.mark.parametrize(
    ("point", "fault"),
    [
        ("nowhere:SCHEDULE", "cannot be loaded from nowhere:SCHEDULE"),
        ("daybreak.models.schedule:NONE", "cannot be loaded from daybreak.models.schedule:NONE"),
        ("daybreak.models.schedule:Schedule", "which is not a schedule"),
        ("toy:MODEL", "leads to toy:MODEL, which is not a schedule"),
    ],
)
def test_a_schedule_that_leads_nowhere_says_which(point: str, fault: str, package: Path) -> None:
    package.write_text(f"[{models.GROUP}]\ntoy = toy:MODEL\n[{SCHEDULES}]\ntoy = {point}\n")
    with pytest.raises(ConfigError, match=fault) as error:
        schedules()
    assert SCHEDULES in error.value.remedy
    assert error.value.details["model"] == "toy"


def test_a_schedule_of_a_model_that_is_not_there_is_passed_by(package: Path) -> None:
    package.write_text(f"[{SCHEDULES}]\nmoon = daybreak.models.schedule:DAILY\n")
    assert "moon" not in schedules()
    package.write_text(
        f"[{models.GROUP}]\nmoon = nowhere:MODEL\n"
        f"[{SCHEDULES}]\nmoon = daybreak.models.schedule:DAILY\n"
    )
    assert schedules()["moon"] is DAILY, "the model itself is not imported"


def test_a_model_that_does_not_learn_says_how_it_gets_versions() -> None:
    with outside_installed(ON_REQUEST), pytest.raises(NotFound, match="does not learn") as error:
        get_learning("order_limit")
    assert "`daybreak models register order_limit`" in error.value.remedy


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("nowhere:LEARNING", "nowhere:LEARNING: No module named 'nowhere'"),
        ("toy:NOTHING", "toy:NOTHING: module 'toy' has no attribute 'NOTHING'"),
        ("toy", "toy: module 'toy' has no attribute ''"),
        ("toy:MODEL", "toy:MODEL: it is not a Learning"),
    ],
)
def test_learning_that_leads_nowhere_says_so(
    place: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)
    monkeypatch.setattr(toy, "MODEL", replace(toy.TOY, learning=place))
    with pytest.raises(ConfigError, match=f"How toy learns cannot be loaded from {fault}"):
        get_learning("toy")
