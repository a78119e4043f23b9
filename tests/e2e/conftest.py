"""Fixtures of the tests that start the whole platform."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from installation import Installation, new_installation


@pytest.fixture
def installation() -> Iterator[Installation]:
    """Not started; whatever the test starts is stopped at its end."""
    with new_installation() as made:
        yield made
