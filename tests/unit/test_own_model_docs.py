"""docs/own-model.md shows the model of the tests, and leaves nothing of the protocol out."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from daybreak.cli import app
from daybreak.models import GROUP, base
from daybreak.serving.schemas import prediction_form
from model_cases import OUTSIDE, outside_installed

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "own-model.md").read_text()
SOURCE = (OUTSIDE / "reorder_point.py").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_of_python_is_cut_from_the_module() -> None:
    shown = blocks("python")
    assert len(shown) >= 8
    for block in shown:
        assert block in SOURCE, block


def test_the_package_is_the_one_of_the_tests() -> None:
    (shown,) = blocks("toml")
    assert shown == (OUTSIDE / "pyproject.toml").read_text()
    points = tomllib.loads(shown)["project"]["entry-points"][GROUP]
    assert points == {"reorder_point": "reorder_point:MODEL"}
    assert "\nMODEL = ReorderPoint()\n" in SOURCE


@pytest.mark.parametrize("protocol", [base.Model, base.Scorer])
def test_every_member_of_the_protocol_is_explained(protocol: type) -> None:
    members = {name for name in {*vars(protocol), *protocol.__annotations__} if name[0] != "_"}
    assert len(members) >= 3
    told = {name for name in members if re.search(rf"`{name}\b|def {name}\b", PAGE)}
    assert told == members


def test_the_commands_exist() -> None:
    commands = get_command(app)
    shown = re.findall(r"^daybreak ([a-z ]+)", "".join(blocks("sh")), re.MULTILINE)
    assert len(shown) >= 6
    for line in shown:
        name, *more = line.split()
        command = commands.commands[name]  # type: ignore[attr-defined]  # a group
        if hasattr(command, "commands"):
            assert more[0] in command.commands, line


def test_the_answer_has_the_form_that_the_endpoint_gives() -> None:
    (shown,) = blocks("json")
    with outside_installed():
        from daybreak.models import get_model

        form = prediction_form(get_model("reorder_point"))
    form.model_validate_json(shown)
    assert json.loads(shown)["predictions"][0]["reorder"] == 386  # 505.1678 - 120, rounded up


def test_every_link_and_anchor_leads_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (DOCS / target).exists(), target
