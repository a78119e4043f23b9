"""Every command of the README is run, in its order, on an installation of its own."""

from __future__ import annotations

import re
import subprocess

import pytest
from installation import ROOT, SMALL_SHOP, Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

README = (ROOT / "README.md").read_text()

ELSEWHERE = {
    "make demo": "test_demo.py runs the command behind it, and what make passes on",
    "make demo DATA=path/to/online_retail.parquet": "test_demo.py; the file is not part of this",
    "make down": "would stop the developer's platform; test_platform.py runs what is behind it",
    "source .venv/bin/activate": "changes a shell, not the machine; the tests run from .venv",
}


def commands() -> list[str]:
    fences = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = [line.split("  #")[0].strip() for fence in fences for line in fence.splitlines()]
    return [line for line in lines if line]


def test_every_command_works(installation: Installation) -> None:
    installation.env |= SMALL_SHOP
    to_run = [command for command in commands() if command not in ELSEWHERE]
    assert len(to_run) >= 10

    for command in to_run:
        result = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=installation.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"


def test_what_is_not_run_here_is_still_in_the_readme() -> None:
    assert set(ELSEWHERE) <= set(commands())


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)

    missing = [
        link for link in links if not link.startswith("https://") and not (ROOT / link).exists()
    ]
    assert missing == []
