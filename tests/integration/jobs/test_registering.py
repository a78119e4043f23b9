"""``daybreak models register``: a version from files, for models of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import toy
from daybreak import models
from daybreak.cli.models import app
from daybreak.errors import DaybreakError, InvalidBooster, InvalidRequest, NotFound
from daybreak.runtime import Runtime, get_runtime
from model_cases import ON_REQUEST, outside_installed

LIMIT = {"trained_through": "2026-01-31", "engine": "none", "limit": 500}
TREES = {"trained_through": "2026-01-31", "features": list(toy.TOY.features), "scale": 1.0}


@pytest.fixture
def runtime(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """The process-wide runtime, on the test's warehouse."""
    monkeypatch.setenv("DAYBREAK_WAREHOUSE_URL", warehouse_url)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path / "home"))
    get_runtime.cache_clear()
    with outside_installed(ON_REQUEST):
        yield get_runtime()
    get_runtime().engine.dispose()
    get_runtime.cache_clear()


@pytest.fixture
def only_the_toy(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that makes features, as one whose trees were trained elsewhere does."""
    monkeypatch.setattr(models, "_installed", toy.only_the_toy)


def written(folder: Path, content: Any, name: str = "limit.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def refused(*arguments: str | Path) -> DaybreakError:
    error = run("register", *arguments).exception
    assert isinstance(error, DaybreakError), error
    return error


def test_a_formula_is_registered_once_and_promoted(runtime: Runtime, tmp_path: Path) -> None:
    command = ("register", "order_limit", "--manifest", written(tmp_path, LIMIT))
    first = json.loads(run(*command, "--json").stdout)
    version = first["version"]
    assert first == {"model": "order_limit", "version": version, "engine": "none", "new": True}
    assert version.startswith("2026-01-31-")
    again = run(*command).stdout
    assert f"order_limit {version} was already registered." in again
    assert f"daybreak models promote order_limit {version}" in again
    artifact = runtime.registry.load("order_limit", version)
    assert (artifact.engine, artifact.booster) == ("none", b"")
    assert artifact.manifest["limit"] == 500
    assert "xgboost" not in artifact.manifest["libraries"]
    done = json.loads(
        run("promote", "order_limit", version, "--reason", "the first limit", "--json").stdout
    )
    assert (done["written"], done["gate"]) == (True, "not_judged")
    (entry,) = json.loads(run("history", "order_limit", "--json").stdout)
    assert (entry["reason"], entry["evidence"]) == ("the first limit", {}), "no gate was overruled"


def test_files_belong_to_the_version(runtime: Runtime, tmp_path: Path) -> None:
    table = written(tmp_path, "B1,900\n", "limits.csv")
    manifest = written(tmp_path, LIMIT)
    command = ("register", "order_limit", "--manifest", manifest, "--file", table, "--json")
    version = json.loads(run(*command).stdout)["version"]
    assert runtime.registry.load("order_limit", version).files == {"limits.csv": b"B1,900\n"}


@pytest.mark.usefixtures("only_the_toy")
def test_trees_that_were_trained_elsewhere_are_registered(runtime: Runtime, tmp_path: Path) -> None:
    trees = tmp_path / "model.ubj"
    trees.write_bytes(toy.booster())
    command = ("toy", "--manifest", written(tmp_path, TREES), "--file", trees)
    done = json.loads(run("register", *command, "--json").stdout)
    assert done["engine"] == "xgboost"
    artifact = runtime.registry.load("toy", done["version"])
    assert artifact.booster == toy.booster()
    assert "xgboost" in artifact.manifest["libraries"]


@pytest.mark.usefixtures("only_the_toy")
@pytest.mark.parametrize(
    ("features", "differing"),
    [
        (["level", "price", "weekday", "moon"], "horizon, moon"),
        (["price", "level", "weekday", "horizon"], "their order"),
        ([{"dtype": "float32"}], "None, horizon, level, price, weekday"),
        (4, "4, horizon, level, price, weekday"),
    ],
)
def test_other_features_than_the_model_makes_are_refused(
    features: object, differing: str, tmp_path: Path
) -> None:
    trees = tmp_path / "model.ubj"
    trees.write_bytes(toy.booster())
    manifest = written(tmp_path, TREES | {"features": features})
    error = refused("toy", "--manifest", manifest, "--file", trees)
    assert isinstance(error, InvalidRequest)
    assert error.message.endswith(f"other features than toy makes: {differing}.")
    assert '["level", "price", "weekday", "horizon"]' in error.remedy


@pytest.mark.usefixtures("only_the_toy")
def test_trees_that_are_none_are_refused(tmp_path: Path) -> None:
    trees = tmp_path / "model.ubj"
    trees.write_bytes(toy.booster()[:-9])
    manifest = written(tmp_path, TREES)
    assert isinstance(refused("toy", "--manifest", manifest, "--file", trees), InvalidBooster)
    error = refused("toy", "--manifest", manifest)
    assert "has no booster" in error.message


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds no JSON object"),
        ({"engine": "none"}, "does not say through which date"),
        (LIMIT | {"trained_through": "soon"}, "does not say through which date"),
        (LIMIT | {"engine": "llm"}, "The manifest's engine is 'llm'"),
        (LIMIT | {"features": ["moon"]}, "lists other features than order_limit makes: moon"),
        ('{"trained_through": "2026-01-31", "engine": "none", "limit": NaN}', "JSON cannot"),
    ],
)
def test_a_manifest_that_will_not_do_says_why(content: Any, fault: str, tmp_path: Path) -> None:
    error = refused("order_limit", "--manifest", written(tmp_path, content))
    assert isinstance(error, InvalidRequest)
    assert fault in error.message
    assert error.remedy


@pytest.mark.usefixtures("runtime")
def test_files_that_will_not_do_are_named(tmp_path: Path) -> None:
    manifest = written(tmp_path, LIMIT)
    assert (
        "gone.json cannot be read"
        in refused("order_limit", "--manifest", tmp_path / "gone.json").message
    )
    assert isinstance(refused("moon", "--manifest", manifest), NotFound)
    (tmp_path / "other").mkdir()
    for name, fault in (
        (("gone.csv",), "gone.csv cannot be read"),
        (("a.csv", "other/a.csv"), "would be a second a.csv of the version"),
        (("manifest.json",), "would be a second manifest.json of the version"),
    ):
        for one in set(name) - {"gone.csv"}:
            written(tmp_path, "1", one)
        files = [part for one in name for part in ("--file", tmp_path / one)]
        error = refused("order_limit", "--manifest", manifest, *files)
        assert fault in error.message
        assert error.details["field"] == "file"
    trees = tmp_path / "model.ubj"
    trees.write_bytes(toy.booster())
    error = refused("order_limit", "--manifest", manifest, "--file", trees)
    assert "has a booster, and its engine is none" in error.message


@pytest.mark.usefixtures("runtime")
def test_what_does_not_learn_cannot_be_trained_and_says_what_to_do() -> None:
    error = CliRunner().invoke(app, ["train", "order_limit"]).exception
    assert isinstance(error, NotFound)
    assert "order_limit does not learn" in error.message
    assert "daybreak models register order_limit" in error.remedy
    shown = run("list", "order_limit").stdout
    assert "daybreak models register" in shown
    assert "daybreak models promote" in run("history", "order_limit").stdout
