"""docs/advise.md says what the command does: its ways, options, prices and formulas' numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from daybreak.cli import app
from daybreak.jobs.advising.replay import AFTER, AGES
from daybreak.monitoring.advice import report
from daybreak.monitoring.advice.costs import CACHE_HOURS, Way
from daybreak.monitoring.advice.terms import Prices, Terms

PAGE = (Path(__file__).parents[2] / "docs" / "advise.md").read_text()
OPTIONS = {
    name
    for parameter in get_command(app).commands["advise"].params  # type: ignore[attr-defined]
    for name in parameter.opts
}


def test_every_option_on_the_page_is_one() -> None:
    shown = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert shown <= OPTIONS
    assert len(shown) > 8


@pytest.mark.parametrize("way", list(Way), ids=str)
def test_every_way_is_explained(way: Way) -> None:
    name = "cache for N hours" if way is Way.CACHE else way.value
    assert f"| `{name}` |" in PAGE


def test_the_numbers_of_the_formulas_are_those_of_the_code() -> None:
    terms = Terms()
    assert f"max(1, {terms.peak:g}·x / (86,400 · s · {terms.busy:g}))" in PAGE
    assert ", ".join(f"{one:g}" for one in CACHE_HOURS[:-1]) + f" and {CACHE_HOURS[-1]:g}" in PAGE
    assert ", ".join(f"{one:g}" for one in AGES[:-1]) + f" and {AGES[-1]:g} hours" in PAGE
    assert ", ".join(f"{one:g}" for one in AFTER[:-1]) + f" and {AFTER[-1]:g} hours" in PAGE
    assert f"`schema` ({report.SCHEMA}:" in PAGE


def test_help_names_every_price_with_its_default() -> None:
    (price,) = [
        one
        for one in get_command(app).commands["advise"].params  # type: ignore[attr-defined]
        if "--price" in one.opts
    ]
    for name, default in vars(Prices()).items():
        assert f"{name.replace('_', '-')} ({default:g})" in price.help
