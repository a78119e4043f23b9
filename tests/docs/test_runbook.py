"""Every command in the docs exists; each alert has its entry."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from daybreak.cli import app
from grafana_boards import RULES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS = {
    rule["alert"]: rule["annotations"]["runbook"]
    for group in yaml.safe_load((ROOT / "docker" / "prometheus" / "alerts.yml").read_text())[
        "groups"
    ]
    for rule in group["rules"]
} | {rule["title"]: rule["annotations"]["runbook"] for rule in RULES}
SERVICES = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]


def commands() -> list[str]:
    """Every line of a code block, and every `daybreak …` in the text."""
    found = []
    for path in PAGES:
        page = re.sub(r"\\\n\s+", "", path.read_text())
        found += re.findall(r"^(daybreak [^#\n]+)", page, flags=re.M)
        found += re.findall(r"`(daybreak [^`]+)`", page)
    return sorted({" ".join(command.split()) for command in found})


def test_there_are_some() -> None:
    assert len(commands()) > 10


@pytest.mark.parametrize("line", commands())
def test_the_command_and_its_options_exist(line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line, maxsplit=1)[0])[1:]
    command = get_command(app)
    while words and (inner := getattr(command, "commands", {}).get(words[0])):
        command = inner
        words = words[1:]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    if command.context_settings.get("ignore_unknown_options"):
        return  # passed on to another program
    options = {option for parameter in command.params for option in parameter.opts}
    unknown = {word for word in words if word.startswith("--")} - options
    assert not unknown, line
    places = [one for one in command.params if one.param_type_name == "argument"]
    valued = [one for one in command.params if one not in places and not one.is_flag]
    values = {option for one in valued for option in one.opts}
    before = ["", *words[:-1]]
    given = [word for last, word in zip(before, words, strict=False) if last not in values]
    if all(one.nargs == 1 for one in places):
        positional = [word for word in given if not word.startswith("-")]
        assert len(positional) <= len(places), f"{line}: what is {positional[len(places) :]}?"


def sections() -> dict[str, str]:
    """Anchor of a heading, as GitHub makes it → the text below."""
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.M)[1:]
    anchors = (re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in parts[::2])
    return dict(zip(anchors, parts[1::2], strict=True))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_names_the_entry_of_the_runbook_that_is_about_it(alert: str) -> None:
    page, _, anchor = ALERTS[alert].partition("#")
    assert page == "docs/runbook.md"
    entry = sections()[anchor]
    named = re.search(r"^\*Alert\* (.+)$", entry, flags=re.M)
    assert named
    assert f"`{alert}`" in named[1]
    for part in ("*You see*", "*Look*", "*Run*"):
        assert part in entry, f"{anchor} has no {part}"


def test_the_runbook_speaks_of_no_alert_that_there_is_not() -> None:
    named = re.findall(r"^\*Alert\* (.+)$", RUNBOOK, flags=re.M)
    assert sorted(re.findall(r"`(\w+)`", " ".join(named))) == sorted(ALERTS)


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= sections().keys()


@pytest.mark.parametrize("page", ["runbook.md", "deploy.md"])
def test_docker_compose_is_asked_for_services_that_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    executed = re.findall(r"docker compose exec (?:-\w+ )*([\w-]+)", text)
    others = re.findall(
        r"docker compose (?:restart|stop|start|ps|logs --since \w+)((?: [a-z][\w-]*)+)", text
    )
    named = {*executed, *(name for names in others for name in names.split())}
    assert named
    assert named <= SERVICES.keys()
