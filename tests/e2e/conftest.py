"""Fixtures of the tests that start the whole platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Not started; whatever the test starts is stopped at its end."""
    made = Installation(tmp_path / "home")
    yield made
    made.must("down")
    assert made.processes() == []
