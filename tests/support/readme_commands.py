"""The commands of the README, and which of them no test runs as they stand."""

from __future__ import annotations

import re

from installation import ROOT

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
