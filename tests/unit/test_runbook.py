"""Whatever the runbook tells somebody to type at night is a command that exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from daybreak.cli import app

ROOT = Path(__file__).parents[2]
PAGES = ("runbook.md", "sla.md")


def commands() -> list[str]:
    """Every line of a code block, and every `daybreak …` in the text."""
    found = []
    for name in PAGES:
        page = re.sub(r"\\\n\s+", "", (ROOT / "docs" / name).read_text())
        found += re.findall(r"^(daybreak [^#\n]+)", page, flags=re.M)
        found += re.findall(r"`(daybreak [^`]+)`", page)
    return sorted({" ".join(command.split()) for command in found})


def test_there_are_some() -> None:
    assert len(commands()) > 10


@pytest.mark.parametrize("line", commands())
def test_the_command_and_its_options_exist(line: str) -> None:
    words = shlex.split(line)[1:]
    command = get_command(app)
    while words and (inner := getattr(command, "commands", {}).get(words[0])):
        command = inner
        words = words[1:]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    if command.name == "airflow":
        return
    options = {option for parameter in command.params for option in parameter.opts}
    unknown = {word for word in words if word.startswith("--")} - options
    assert not unknown, line
