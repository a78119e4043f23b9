"""Where the processes of a service add up: a folder of its own, without what others left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daybreak.errors import ConfigError
from daybreak.serving.metrics.processes import FOLDER, end, share


@pytest.fixture(autouse=True)
def no_folder_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "")


def test_it_begins_empty_and_leaves_those_of_services_that_live(tmp_path: Path) -> None:
    services = tmp_path / "run" / "metrics"
    own, parent, gone = (services / str(pid) for pid in (os.getpid(), os.getppid(), 2**22 + 1))
    for folder in (own, parent, gone):
        folder.mkdir(parents=True)
        (folder / "counter_1.db").touch()
    share(tmp_path)
    assert os.environ[FOLDER] == str(own)
    assert sorted(services.rglob("*")) == sorted([own, parent, parent / "counter_1.db"])
    end()
    assert list(services.iterdir()) == [parent]


def test_a_home_that_takes_no_folder_is_named_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(ConfigError, match="DAYBREAK_HOME"):
        share(tmp_path)
