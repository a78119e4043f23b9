"""Where the processes of a service add up: a folder of its own, without what others left."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from daybreak.errors import ConfigError
from daybreak.serving.metrics.processes import FOLDER, end, share


@pytest.fixture(autouse=True)
def no_folder_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")


def test_it_begins_empty_and_leaves_those_of_services_that_live(tmp_path: Path) -> None:
    services = tmp_path / "run" / "metrics"
    host = socket.gethostname()
    own, parent, gone = (
        services / f"{host}-{pid}" for pid in (os.getpid(), os.getppid(), 2**22 + 1)
    )
    elsewhere = services / f"another-{2**22 + 1}"  # whose processes nobody here can see
    for folder in (own, parent, gone, elsewhere):
        folder.mkdir(parents=True)
        (folder / "counter_1.db").touch()
    share(tmp_path)
    assert os.environ[FOLDER] == str(own)
    assert sorted(services.rglob("*")) == sorted(
        [own, *(path for one in (parent, elsewhere) for path in (one, one / "counter_1.db"))]
    )
    end()
    assert sorted(services.iterdir()) == sorted([parent, elsewhere])


def test_a_home_that_takes_no_folder_is_named_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(ConfigError, match="DAYBREAK_HOME"):
        share(tmp_path)
