"""``daybreak up`` and ``down`` with real PostgreSQL, real Airflow and real gunicorn."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from daybreak.platform import components
from installation import ROOT, Installation, new_installation

pytestmark = pytest.mark.slow


def status(installation: Installation) -> dict[str, dict[str, Any]]:
    result = installation.run("status", "--json")
    return {one["name"]: one for one in json.loads(result.stdout)["components"]}


def pids(installation: Installation) -> dict[str, int]:
    return {name: one["pid"] for name, one in status(installation).items()}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One state folder for the tests that start Airflow, whose database is migrated once."""
    with new_installation() as made:
        yield made.home


@pytest.fixture
def stopped(home: Path) -> Iterator[Installation]:
    """A platform on that folder, of which nothing runs, before the test and after it."""
    made = Installation(home)
    assert made.processes() == []
    yield made
    if made.processes():  # where a test failed
        made.must("down")


BROKEN_DAG = "from airflow.sdk import dag\nimport no_such_module\n"
PAUSED_DAG = """
from airflow.sdk import dag

@dag(schedule=None)
def idle(): ...

idle()
"""


def test_up_is_healthy_again_a_no_op_and_down_leaves_nothing(
    stopped: Installation, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN_DAG)
    (tmp_path / "paused.py").write_text(PAUSED_DAG)
    stopped.env["AIRFLOW__CORE__DAGS_FOLDER"] = str(tmp_path)
    first = stopped.must("up")
    before = status(stopped)

    assert "Started." in first
    assert {one["state"] for one in before.values()} == {"healthy"}
    with urlopen(f"{before['serving']['url']}/healthz") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
    assert_login_works(stopped, before["api-server"]["url"])
    told = psutil.Process(before["serving"]["pid"]).environ()["DAYBREAK_AIRFLOW_URL"]
    assert told == before["api-server"]["url"], "so that the page links to runs"

    again = stopped.must("up")
    assert "Everything was running already." in again
    assert status(stopped) == before

    options = '{"recommendations": {"listed": 30}}'
    changed = {"DAYBREAK_API_WORKERS": "1", "DAYBREAK_MODEL_OPTIONS": options}
    stopped.must("up", "--only", "serving", **changed)
    after = pids(stopped)
    assert after["serving"] != before["serving"]["pid"], "its settings changed: restarted"
    for name in ("postgres", "scheduler"):
        assert after[name] == before[name]["pid"], "nobody asked for that"

    # Every process is healthy, and yet nothing would be scored.
    give_up = time.monotonic() + 120
    wanted = {"paused: idle", "broken.py does not parse: ModuleNotFoundError"}
    while not all(text in (result := stopped.run("doctor")).stdout for text in wanted):
        assert time.monotonic() < give_up, result.stdout
        time.sleep(1)
    assert "ok     database     reachable and migrated" in result.stdout
    assert "FAULT  dags " in result.stdout
    assert result.returncode == 1
    shown = stopped.run("status")
    assert (shown.returncode, "broken.py does not parse" in shown.stdout) == (1, True)
    assert [line for line in shown.stdout.splitlines() if line != line.rstrip()] == []

    # A child that lost its component, as after a crash, is found by its mark.
    os.kill(after["scheduler"], signal.SIGKILL)
    stopped.must("down")

    assert stopped.processes() == []
    assert {one["state"] for one in status(stopped).values()} == {"stopped"}
    assert f"in {stopped.home} is running" in stopped.must("down")


def assert_login_works(installation: Installation, url: str) -> None:
    passwords = installation.home / "airflow" / "simple_auth_manager_passwords.json.generated"
    assert passwords.stat().st_mode & 0o077 == 0, "readable by its owner only"
    ((user, password),) = json.loads(passwords.read_text()).items()
    body = json.dumps({"username": user, "password": password}).encode()
    request = Request(f"{url}/auth/token", body, {"content-type": "application/json"})
    with urlopen(request) as answer:
        assert json.load(answer)["access_token"]


def test_a_held_port_that_was_asked_for_fails_and_leaves_nothing(
    stopped: Installation,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = stopped.run("up", DAYBREAK_API_PORT=str(port))

    assert result.returncode == 1
    message, remedy = result.stderr.splitlines()
    assert f"Port {port} (DAYBREAK_API_PORT) is held by process {os.getpid()}" in message
    assert "DAYBREAK_API_PORT" in remedy
    assert stopped.processes() == []


def test_a_component_that_ends_fails_with_its_last_words_and_leaves_nothing(
    stopped: Installation,
) -> None:
    result = stopped.run("up", "--only", "airflow", AIRFLOW__CORE__EXECUTOR="NoSuchExecutor")

    assert result.returncode == 1
    assert "ended while it started" in result.stderr
    assert "NoSuchExecutor" in result.stderr
    assert str(stopped.home / "logs") in result.stderr
    assert stopped.processes() == []


def test_down_clears_up_after_an_up_that_was_killed(stopped: Installation) -> None:
    record = stopped.home / "run" / f"{components.SCHEDULER}.json"
    record.unlink(missing_ok=True)  # of a scheduler that ended by itself, in another test
    with subprocess.Popen(
        ["daybreak", "up"], cwd=ROOT, env=stopped.env, stdout=subprocess.DEVNULL
    ) as process:
        while not record.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    (stopped.home / "run" / f"{components.API_SERVER}.json").unlink()
    assert stopped.processes() != []

    stopped.must("down")

    assert stopped.processes() == []


def test_two_at_once_start_one_platform(installation: Installation) -> None:
    both = [
        subprocess.Popen(
            ["daybreak", "up", "--only", "postgres", "--only", "serving"],
            cwd=ROOT,
            env=installation.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate()[0].splitlines()[-1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted(printed) == ["Everything was running already.", "Started."]

    # What follows means the other data set, and so does the service from here on.
    before = status(installation)["serving"]
    installation.must("up", "--only", "postgres", "--dataset", "online_retail")
    after = status(installation)["serving"]
    assert (before["dataset"], after["dataset"]) == ("synthetic", "online_retail")
    assert (after["state"], after["pid"] == before["pid"]) == ("healthy", False)


def test_a_deep_state_folder_works(installation: Installation) -> None:
    installation.home = installation.home / ("deep" * 12) / ("down" * 12)
    installation.env["DAYBREAK_HOME"] = str(installation.home)

    installation.must("up", "--only", "postgres")
    found = status(installation)["postgres"]
    socket_folder = Path(found["detail"].removeprefix("socket in "))

    assert found["state"] == "healthy"
    assert socket_folder.parent == Path("/tmp")
    assert socket_folder.stat().st_mode & 0o077 == 0
    installation.must("down")
    assert installation.processes() == []
    assert not socket_folder.exists()


def test_down_finds_a_server_whose_data_folder_was_deleted(installation: Installation) -> None:
    installation.must("up", "--only", "postgres")
    (installation.home / "pg").rename(installation.home / "moved")

    installation.must("down")

    assert installation.processes() == []


def test_databases_by_url_start_no_postgres(installation: Installation, warehouse_url: str) -> None:
    installation.env |= {
        "DAYBREAK_WAREHOUSE_URL": warehouse_url,
        "DAYBREAK_AIRFLOW_DATABASE_URL": warehouse_url,
    }

    installation.must("up", "--only", "serving")

    found = status(installation)
    assert found["postgres"]["state"] == "external"
    assert found["serving"]["state"] == "healthy"
    assert not (installation.home / "pg").exists()
