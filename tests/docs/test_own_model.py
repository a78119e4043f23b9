"""docs/own-model.md shows the models of the tests, and leaves nothing of the contract out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from daybreak.cli import app
from daybreak.models import GROUP, SCHEDULES, base, get_model, schedules
from daybreak.registry.artifact import engine_of
from daybreak.serving.schemas import answer_forms
from model_cases import ON_REQUEST, ON_SCORES, OUTSIDE, outside_installed

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "own-model.md").read_text()
SOURCES = [
    (folder / f"{name}.py").read_text()
    for folder, name in (
        (OUTSIDE, "reorder_point"),
        (ON_REQUEST, "order_limit"),
        (ON_SCORES, "stock_cover"),
        (ON_SCORES, "stock_cover_schedule"),
    )
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_of_python_is_cut_from_a_module() -> None:
    shown = blocks("python")
    assert len(shown) >= 8
    for block in shown:
        assert any(block in source for source in SOURCES), block
    for source in SOURCES:
        assert any(block in source for block in shown), "each of them is shown"


def test_the_package_is_the_one_of_the_tests() -> None:
    (shown,) = blocks("toml")
    assert shown == (OUTSIDE / "pyproject.toml").read_text()
    points = tomllib.loads(shown)["project"]["entry-points"]
    assert points[GROUP] == {"reorder_point": "reorder_point:MODEL"}
    assert points.keys() == {GROUP, SCHEDULES}


FACETS = (
    *(base.Model, base.Endpoint, base.Nightly, base.Schedule, base.Learning),
    *(base.Scorer, base.ScoringRows, base.Questions, base.Given),
)


@pytest.mark.parametrize("facet", FACETS)
def test_every_member_of_the_contract_is_explained_under_its_facet(facet: type) -> None:
    """A member may be explained in the row of another one, and has to be in that part."""
    members = {name for name in {*vars(facet), *facet.__annotations__} if name[0] != "_"}
    assert members
    (part,) = re.findall(
        rf"^\*\*`{facet.__name__}`\*\*(.*?)(?=^\*\*`|^## )", PAGE, re.MULTILINE | re.DOTALL
    )
    named = {name for name in members if re.search(rf"`(?:{facet.__name__}\.)?{name}\b", part)}
    assert named == members


def test_the_table_of_kinds_says_what_the_models_are() -> None:
    rows = re.findall(
        r"^\| \[`(\w+)`\]\(.*?\) \| (\w+).*? \| (\w+) \| (\w+) \|", PAGE, re.MULTILINE
    )
    assert len(rows) == 3
    with outside_installed(OUTSIDE, ON_REQUEST, ON_SCORES):
        for name, night, learns, trees in rows:
            model = get_model(name)
            assert (model.nightly is not None) == (night == "yes") == (name in schedules())
            assert (model.learning is not None) == (learns == "yes")
            assert bool(model.features) == (trees == "yes")


def test_the_commands_exist() -> None:
    commands = get_command(app)
    shown = re.findall(r"^daybreak ([a-z ]+)", "".join(blocks("sh")), re.MULTILINE)
    assert len(shown) >= 6
    for line in shown:
        name, *more = line.split()
        command = commands.commands[name]  # type: ignore[attr-defined]  # a group
        if hasattr(command, "commands"):
            assert more[0] in command.commands, line


def test_the_answers_have_the_form_that_the_endpoint_gives() -> None:
    shown = {json.loads(block)["model"]: block for block in blocks("json")}
    assert shown.keys() == {"order_limit", "reorder_point"}
    with outside_installed(OUTSIDE, ON_REQUEST):
        for name, block in shown.items():
            answer_forms(get_model(name))[0].model_validate_json(block)
    # 505.1678 - 120, rounded up
    assert json.loads(shown["reorder_point"])["predictions"][0]["reorder"] == 386


def test_the_manifest_of_the_formula_is_one() -> None:
    (manifest,) = re.findall(r"echo '(.*?)' > limit.json", PAGE)
    assert engine_of(json.loads(manifest)) == "none"
    assert json.loads(manifest).keys() == {"trained_through", "engine", "limit"}


def test_every_link_and_anchor_leads_somewhere() -> None:
    headings = re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (DOCS / target).exists(), target
