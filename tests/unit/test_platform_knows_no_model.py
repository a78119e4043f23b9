"""The platform carries any model: no package but ``models`` imports or names one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from daybreak.models import _installed, get_model, model_names

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "include" / "daybreak"
ELSEWHERE = (
    PACKAGE / "models",
    PACKAGE / "warehouse" / "migrations" / "versions",  # the history of a database stays as it was
    PACKAGE / "cli" / "demo",  # shows the two models that ship here; its docstring says why
    PACKAGE / "serving" / "page",  # shows report views of those that ship here; likewise
)
PACKAGES = sorted(
    folder.name
    for folder in PACKAGE.iterdir()
    if folder.is_dir() and folder.name not in ("models", "datasets", "__pycache__")
)


WORDS = {
    "fraud": "what a label says of an event, and a measure of signals, have the same name",
    "pricing": "the section of a data set's file that has the rules of prices is called so",
}
"""Names of models that the platform has other uses for: here they are looked for as names."""


def names() -> set[str]:
    """What a built-in model may be called by: its own name, those of its tables, its module."""
    found = set()
    for name in model_names():
        model = get_model(name)
        module = _installed()[name].module.rsplit(".", 2)[-2]
        found |= {name, module}
        if model.nightly:
            found |= {model.night.snapshot_table.name, model.night.score_table.name}
    return found


def called(name: str) -> str:
    """How a file would name a model, as a regular expression."""
    if name not in WORDS:
        # Not only as a word of its own: `score_sales_forecast` would be a name for it too.
        return name
    return "|".join(
        [
            rf"(models|score|snapshot|report)[./]{name}",  # its module, tables and views
            rf"(daily|score|snapshot)_{name}",
            rf"{name}/(predict|ready|infer)",
            rf"model\w*(\.name)?\W{{1,8}}{name}\b",  # get_model("…"), model == "…", models["…"]
            rf"\b(?-i:{name.capitalize()}[A-Z])",  # its classes
        ]
    )


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def test_there_is_something_to_look_for_and_somewhere_to_look() -> None:
    assert {"sales_forecast", "recommendations"} <= names()
    assert {"cli", "jobs", "scoring", "serving", "warehouse", "ledger", "facts"} <= set(PACKAGES)


@pytest.mark.parametrize("name", WORDS)
def test_a_model_that_is_called_like_something_else_is_found_all_the_same(name: str) -> None:
    wanted = re.compile(called(name), re.IGNORECASE)
    for line in (
        f"from daybreak.models.{name}.model import MODEL",
        f'model = get_model("{name}")',
        f'if model.name == "{name}":',
        f"SELECT * FROM score.{name}",
        f"SELECT * FROM report.{name}_queue",
        f'DAG = "daily_{name}"',
        f'client.post("/v1/models/{name}/predict")',
        f"{name.capitalize()}Scorer(artifact, day)",
    ):
        assert wanted.search(line), line
    for line in (
        f'Column("was_{name}", Boolean)',
        f"{name}: bool",
        f'signal.measure == "{name}_share"',
        f"one.{name}",
    ):
        assert not wanted.search(line), line


@pytest.mark.parametrize("folder", [*(PACKAGE / name for name in PACKAGES), ROOT / "plugins"])
def test_no_file_of_the_platform_names_a_model(folder: Path) -> None:
    files = [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix != ".pyc"
        and not any(file.is_relative_to(elsewhere) for elsewhere in ELSEWHERE)
    ]
    assert files
    wanted = re.compile("|".join(map(called, sorted(names()))), re.IGNORECASE)
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if wanted.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_linter_forbids_every_package_to_import_a_model(
    contracts: list[dict[str, Any]],
) -> None:
    (contract,) = (c for c in contracts if c["name"] == "The platform knows no model by name")
    assert contract["type"] == "forbidden"
    assert {f"daybreak.{name}" for name in PACKAGES} <= set(contract["source_modules"])
    packages = {_installed()[name].module.rsplit(".", 1)[0] for name in model_names()}
    assert packages <= set(contract["forbidden_modules"])
    assert not contract.get("ignore_imports"), "no exception to the rule"


def test_the_linter_forbids_models_to_import_one_another(contracts: list[dict[str, Any]]) -> None:
    (contract,) = (c for c in contracts if c["type"] == "independence")
    packages = {_installed()[name].module.rsplit(".", 1)[0] for name in model_names()}
    assert packages <= set(contract["modules"])


def test_what_only_learns_is_kept_out_of_scoring_and_serving(
    contracts: list[dict[str, Any]],
) -> None:
    (contract,) = (c for c in contracts if c["name"].startswith("What only learns"))
    learning = {get_model(name).learning.partition(":")[0] for name in model_names()}
    forbidden = tuple(contract["forbidden_modules"])
    assert all(f"{one}.".startswith(tuple(f"{each}." for each in forbidden)) for one in learning)
    models = {_installed()[name].module for name in model_names()}
    assert {"daybreak.scoring", "daybreak.serving", *models} <= set(contract["source_modules"])
