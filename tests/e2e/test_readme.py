"""What the README says is there; test_demo.py runs its commands, in their order."""

from __future__ import annotations

import re

import pytest

from installation import ROOT
from readme_commands import ELSEWHERE, README, commands


@pytest.mark.docs
def test_what_is_not_run_here_is_still_in_the_readme() -> None:
    assert set(ELSEWHERE) <= set(commands())


@pytest.mark.docs
def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)

    missing = [
        link for link in links if not link.startswith("https://") and not (ROOT / link).exists()
    ]
    assert missing == []
