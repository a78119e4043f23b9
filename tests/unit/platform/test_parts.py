"""The platform's parts that need no running platform: ports, folder, recall, environment."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from daybreak.cli import app, progress
from daybreak.cli.progress import Board
from daybreak.errors import PlatformError
from daybreak.platform import airflow_env, components, doctor, operation, ports, recall
from daybreak.platform.folder import StateFolder
from daybreak.platform.processes import Record, _born, find
from daybreak.platform.status import status
from daybreak.platform.up import up
from daybreak.settings import Settings


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path / "home")
    made.prepare()
    return made


# Ports


def test_a_free_port_is_taken_as_it_is() -> None:
    port = ports.choose("127.0.0.1", 0, setting="X", fixed=True)

    assert ports.choose("127.0.0.1", port, setting="X", fixed=True) == port


def test_a_held_port_moves_on_to_a_free_one(taken: int) -> None:
    port = ports.choose("127.0.0.1", taken, setting="X", fixed=False)

    assert port > taken
    assert ports.is_free("127.0.0.1", port)


def test_a_held_port_that_was_asked_for_is_an_error_naming_its_holder(taken: int) -> None:
    with pytest.raises(PlatformError) as caught:
        ports.choose("127.0.0.1", taken, setting="DAYBREAK_API_PORT", fixed=True)

    assert f"process {os.getpid()} (" in caught.value.message
    assert "DAYBREAK_API_PORT" in caught.value.remedy


# The folder


def test_the_folder_is_closed_to_others_and_its_secrets_are_made_once(folder: StateFolder) -> None:
    first = folder.secret("jwt")

    assert len(first) >= 64
    assert folder.secret("jwt") == first
    assert folder.secret("session") != first
    assert stat.S_IMODE((folder.root / "secrets" / "jwt").stat().st_mode) == 0o600
    assert not stat.S_IMODE(folder.root.stat().st_mode) & (stat.S_IRWXO & ~stat.S_IXOTH)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PlatformError, match="cannot be made") as caught:
        StateFolder(tmp_path / "file" / "home").prepare()
    assert "DAYBREAK_HOME" in caught.value.remedy


def test_the_second_to_come_waits_and_then_names_the_first(folder: StateFolder) -> None:
    with folder.lock(), pytest.raises(PlatformError, match=str(os.getpid())), folder.lock(0.0):
        pass
    with folder.lock(0.0):
        pass  # free again


# Records


def test_a_recycled_pid_is_not_ours(folder: StateFolder) -> None:
    record = Record("serving", os.getpid(), -1.0, 0.0, "", "", "")
    (folder.records / "serving.json").write_text(json.dumps(record.__dict__))

    assert not record.alive()
    assert find(folder, "serving") is None


def test_a_damaged_record_counts_as_none(folder: StateFolder) -> None:
    (folder.records / "serving.json").write_text("{")

    assert find(folder, "serving") is None


# What was chosen is remembered


def test_the_data_set_is_remembered_unless_the_environment_names_one(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATASET", "DATASET_PATH", "SCHEDULE"):
        monkeypatch.setenv(f"DAYBREAK_{name}", "")  # so that the test leaves none behind
        monkeypatch.delenv(f"DAYBREAK_{name}")
    monkeypatch.setenv("DAYBREAK_HOME", str(folder.root))
    recall.recall_environment()
    assert "DAYBREAK_DATASET" not in os.environ, "nothing was remembered yet"

    recall.remember(Settings(home=folder.root, dataset="mine", schedule=False), folder)
    recall.recall_environment()
    assert (Settings().dataset, Settings().schedule) == ("mine", False)

    recall.forget_environment()
    monkeypatch.setenv("DAYBREAK_DATASET", "other")
    recall.recall_environment()
    assert (Settings().dataset, Settings().schedule) == ("other", True)


# The environment of Airflow


def test_the_callers_choice_wins_over_a_preference_but_not_over_a_tie(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "9")
    monkeypatch.setenv("AIRFLOW__SMTP__SMTP_HOST", "mail")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:///elsewhere")
    settings = Settings(home=folder.root, due_by_model={"m": "05:00"}, statsd_host="metrics")

    env = airflow_env.airflow_env(settings, folder, 4321)

    assert env["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert env["AIRFLOW__SMTP__SMTP_HOST"] == "mail"
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == settings.airflow_dsn
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:4321/execution/"
    assert env["AIRFLOW__METRICS__STATSD_HOST"] == "metrics"
    assert Path(env["AIRFLOW__CORE__DAGS_FOLDER"]).is_dir()


def test_children_read_the_very_settings(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        home=folder.root,
        warehouse_url="postgresql://me:secret@db/w",
        due_by_model={"m": "05:00"},
        run_at="03:30",
        schedule=False,
        threads=3,
    )

    for name, value in airflow_env.settings_env(settings).items():
        monkeypatch.setenv(name, value)

    assert Settings() == settings


def test_a_default_written_out_restarts_nothing(folder: StateFolder) -> None:
    left_out = Settings(home=folder.root)
    written_out = Settings(home=folder.root, dataset="synthetic", schedule=True, threads=0)

    assert airflow_env.settings_env(left_out) == airflow_env.settings_env(written_out)


def test_a_component_changes_its_fingerprint_with_its_settings() -> None:
    one = components.serving_component({"A": "1"}, "0.0.0.0", 80)
    same = components.serving_component({"A": "1"}, "0.0.0.0", 80)
    other = components.serving_component({"A": "2"}, "0.0.0.0", 80)

    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.url == "http://127.0.0.1:80"


# Status and doctor of a platform that does not run


def test_status_of_nothing(tmp_path: Path) -> None:
    found = status(Settings(home=tmp_path))

    assert {one.state for one in found.components} == {"stopped"}
    assert not found.healthy


def test_databases_by_url_are_external(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    found = status(Settings(home=tmp_path, warehouse_url=url, airflow_database_url=url))

    assert found["postgres"].state == "external"


def test_status_as_json_has_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["status", "--json"])

    body = json.loads(result.output)
    assert result.exit_code == 1
    assert body["healthy"] is False
    assert [one["name"] for one in body["components"]] == list(components.NAMES)


def test_doctor_is_content_here(tmp_path: Path, warehouse_url: str) -> None:
    settings = Settings(home=tmp_path, warehouse_url=warehouse_url, api_port=0, airflow_port=0)

    assert [one for one in doctor.examine(settings) if not one.ok or one.remedy] == []


def test_doctor_finds_planted_faults(tmp_path: Path, empty_url: str, taken: int) -> None:
    (tmp_path / "registry").touch()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        statsd_port = closed.getsockname()[1]
    settings = Settings(
        home=tmp_path,
        warehouse_url=empty_url,
        registry_url=str(tmp_path / "registry" / "below_a_file"),
        api_port=taken,
        airflow_port=0,
        statsd_host="127.0.0.1",
        statsd_port=statsd_port,
    )

    faults = {one.check: one for one in doctor.examine(settings) if not one.ok}

    assert set(faults) == {"port", "database", "registry", "statsd"}
    assert all(fault.remedy for fault in faults.values())
    assert "daybreak warehouse migrate" in faults["database"].remedy
    assert str(os.getpid()) in faults["port"].detail


def test_doctor_sees_an_unreachable_database_without_its_password(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, warehouse_url="postgresql://me:hunter2@127.0.0.1:1/none")

    (fault,) = [one for one in doctor.examine(settings) if not one.ok]

    assert fault.check == "database"
    assert "hunter2" not in fault.detail + fault.remedy


def test_doctor_sees_a_home_that_anyone_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    faults = [one for one in doctor.examine(Settings(home=tmp_path)) if not one.ok]

    assert [(one.check, one.remedy) for one in faults] == [
        ("state", f"Run `chmod o-w {tmp_path}`.")
    ]


@pytest.mark.parametrize("location", ["file://{folder}", "file://localhost{folder}", "{folder}"])
def test_doctor_knows_a_registry_by_whatever_name(tmp_path: Path, location: str) -> None:
    (tmp_path / "full").touch()
    good = Settings(home=tmp_path, registry_url=location.format(folder=tmp_path / "versions"))
    bad = Settings(home=tmp_path, registry_url=location.format(folder=tmp_path / "full" / "below"))

    states = [
        [one.state for one in doctor.examine(settings) if one.check == "registry"]
        for settings in (good, bad)
    ]

    assert states == [["ok"], ["fault"]]


# Does it do what the settings say?


def found(settings: Settings) -> dict[str, tuple[str, str]]:
    return {one.check: (one.state, one.detail) for one in operation.operation(settings)}


def test_nothing_is_to_be_said_of_the_defaults(tmp_path: Path) -> None:
    assert found(Settings(home=tmp_path)) == {}


def test_a_deadline_before_the_run_and_an_unknown_model_are_faults(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        run_at="05:00",
        due_by_model={"sales_forecast": "04:30", "sales": "07:00"},
        schedule=False,
    )

    assert found(settings) == {
        "deadline": (
            "fault",
            "sales_forecast is due at 04:30 and its run starts at 05:00 of the same day: every "
            "night will be missed",
        ),
        "settings": ("fault", "DAYBREAK_DUE_BY_MODEL is about sales, which is not a model"),
        "clock": ("note", "off: only people and backfills start runs"),
    }


@pytest.fixture
def serving_other_data(folder: StateFolder) -> StateFolder:
    """A record of a service for the data set `other`; this very process stands for it."""
    me = psutil.Process()
    record = Record("serving", me.pid, _born(me), 0.0, "", "http://127.0.0.1:1", "", "other")
    (folder.records / "serving.json").write_text(json.dumps(record.__dict__))
    return folder


def test_a_service_that_answers_for_another_data_set_is_a_fault(
    serving_other_data: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = serving_other_data.root
    state, detail = found(Settings(home=home))["data set"]
    assert (state, detail) == (
        "fault",
        "serving answers for other, these settings are about synthetic",
    )
    assert "data set" not in found(Settings(home=home, dataset="other"))
    monkeypatch.setenv("DAYBREAK_HOME", str(home))
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "FAULT  data set     serving answers for other" in result.output
    assert [line for line in result.output.splitlines() if line != line.rstrip()] == []


def test_up_outside_a_checkout_refuses_before_it_makes_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "lib" / "site-packages" / "daybreak" / "__init__.py"
    monkeypatch.setattr(airflow_env.daybreak, "__file__", str(installed))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dags").mkdir()  # another Airflow project

    with pytest.raises(PlatformError, match="DAGs are not here") as caught:
        up(Settings(home=tmp_path / "home"))

    assert "--only postgres --only serving" in caught.value.remedy
    assert not (tmp_path / "home").exists()
    for name in ("DAGS", "PLUGINS"):
        monkeypatch.setenv(f"AIRFLOW__CORE__{name}_FOLDER", "/srv/ours")
    assert airflow_env.airflow_folders() == {
        "AIRFLOW__CORE__DAGS_FOLDER": "/srv/ours",
        "AIRFLOW__CORE__PLUGINS_FOLDER": "/srv/ours",
    }


def test_doctor_exits_with_1_on_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path))
    runner = CliRunner()

    assert runner.invoke(app, ["doctor"]).exit_code == 1
    assert "Remedy: Run `chmod o-w" in runner.invoke(app, ["doctor"]).output
    tmp_path.chmod(0o700)
    assert runner.invoke(app, ["doctor", "--json"]).exit_code == 0


def test_progress_is_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Board("Starting") as board:
        board.note("postgres", "starting")
        board.note("postgres", "healthy")

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["postgres: starting", "postgres: healthy"]


def test_long_work_says_where_it_is_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    with progress.working("Opening") as say:
        while not capsys_has(capsys, "Opening ("):
            pass
        say("reading [bold]x")
        while not capsys_has(capsys, "reading [bold]x ("):
            pass


def test_short_work_says_nothing_in_a_log_unless_each_step_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.working("Opening") as say:
        say("reading")
    assert capsys.readouterr().err == ""
    with progress.working("Scoring", each=True) as say:
        say("shard 1 of 1")
    assert capsys.readouterr().err == "shard 1 of 1 (0 s)\n"


def capsys_has(capsys: pytest.CaptureFixture[str], text: str) -> bool:
    time.sleep(0.01)
    return text in capsys.readouterr().err
