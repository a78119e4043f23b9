"""Settings come from the environment, wrong ones are named together, secrets stay hidden."""

from __future__ import annotations

import json
import re
from datetime import time
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from daybreak.errors import ConfigError
from daybreak.settings import (
    OTHER_NAMES,
    SOCKET_PATH_LIMIT,
    Part,
    Settings,
    load_settings,
    unknown_names,
)

ROOT = Path(__file__).parents[2]
PLACES = (
    *(f"{folder}/**/*.*" for folder in ("dags", "plugins", "docker", "benchmarks")),
    *("include/**/*.py", "include/**/*.yaml", "docs/**/*.md", "*.md", "*.yaml", ".env.example"),
)
"""Where a name that is not read would mislead; tests may use such names on purpose."""
VARIABLE = re.compile(r"\bDAYBREAK_[A-Z0-9_]*[A-Z0-9]\b")
RENAMED = {"DAYBREAK_SERIES_PER_SHARD"}  # the changelog says so


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DAYBREAK_{name.upper()}", raising=False)


@pytest.mark.docs
def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `DAYBREAK_([A-Z0-9_]+)` \| (.*?) \|", page, re.MULTILINE))

    assert set(rows) == {name.upper() for name in Settings.model_fields}


@pytest.mark.docs
def test_documented_defaults_are_the_real_ones() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `DAYBREAK_([A-Z0-9_]+)` \| `([^|]*?)` \|", page, re.MULTILINE))
    described = Settings(
        **{name.lower(): value for name, value in rows.items() if value != "{}"}  # JSON
    )

    assert described == Settings()
    assert len(rows) > 15


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_DUE", "05:15")
    monkeypatch.setenv("DAYBREAK_DUE_BY_MODEL", '{"sales_forecast": "04:30"}')
    monkeypatch.setenv("DAYBREAK_STATSD_HOST", "")

    settings = load_settings()

    assert settings.due_for("anything") == time(5, 15)
    assert settings.due_for("sales_forecast") == time(4, 30)
    assert settings.statsd_host is None, "an empty value counts as absent"


def test_all_wrong_settings_are_named_at_once_without_their_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAYBREAK_API_PORT", "sixty-one")
    monkeypatch.setenv("DAYBREAK_TIMEZONE", "Europe/Londn")
    monkeypatch.setenv("DAYBREAK_POLL_SECONDS", "-1")
    monkeypatch.setenv("DAYBREAK_RUN_AT", "02:00+01:00")

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert caught.value.details["fields"] == [
        "DAYBREAK_API_PORT",
        "DAYBREAK_POLL_SECONDS",
        "DAYBREAK_RUN_AT",
        "DAYBREAK_TIMEZONE",
    ]
    assert "sixty-one" not in str(caught.value)
    assert "docs/settings.md" in caught.value.remedy


@pytest.mark.parametrize("value", ["6", "0600", "21600"])
def test_a_time_of_day_is_no_number_of_seconds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DAYBREAK_DUE", value)
    monkeypatch.setenv("DAYBREAK_DUE_BY_MODEL", f'{{"sales_forecast": {int(value)}}}')

    with pytest.raises(ConfigError, match="written as 06:00") as caught:
        load_settings()

    assert "DAYBREAK_DUE" in caught.value.details["fields"]
    assert len(caught.value.details["fields"]) == 2


@pytest.mark.parametrize("value", ["weekly", "weekly:", "weekly:Sunday", "monthly", "", 7, None])
def test_an_interval_that_is_none_says_how_one_is_written(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.setenv("DAYBREAK_SCHEDULE_BY_MODEL", json.dumps({"recommendations": value}))

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert "DAYBREAK_SCHEDULE_BY_MODEL: recommendations: Value error, an interval is" in str(
        caught.value
    )
    assert "weekly: with a weekday, as weekly:sunday" in str(caught.value)


def test_what_is_not_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_MODEL_OPTIONS", "listed=30")

    with pytest.raises(ConfigError, match="DAYBREAK_MODEL_OPTIONS: it is not JSON"):
        load_settings()


def test_passwords_do_not_show() -> None:
    settings = Settings(
        warehouse_url="postgresql://me:hunter2@db/warehouse",
        airflow_database_url="postgres://me:hunter2@db/airflow",
    )

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
    assert settings.warehouse_dsn == "postgresql+psycopg://me:hunter2@db/warehouse"
    assert settings.airflow_dsn == "postgresql+psycopg2://me:hunter2@db/airflow"


def test_each_part_has_a_user_of_its_own(tmp_path: Path) -> None:
    embedded = Settings(home=tmp_path)
    users = {part: make_url(embedded.dsn_for(part)).username for part in get_args(Part)}
    assert users == {
        "jobs": "daybreak_writer",
        "service": "daybreak_service",
        "migrations": "postgres",
        "reports": "daybreak_reader",
    }
    assert make_url(embedded.airflow_dsn).username == "airflow"

    one = Settings(warehouse_url="postgresql://me:a@db/w")
    assert {one.dsn_for(part) for part in get_args(Part)} == {"postgresql+psycopg://me:a@db/w"}
    each = Settings(
        warehouse_url="postgresql://me:a@db/w",
        warehouse_owner_url="postgres://boss:b@db/w",
        warehouse_service_url="postgresql://api:c@db/w",
        warehouse_reader_url="postgresql://ann:d@db/w",
    )
    assert [each.dsn_for(part).split("@")[0] for part in get_args(Part)] == [
        "postgresql+psycopg://me:a",
        "postgresql+psycopg://api:c",
        "postgresql+psycopg://boss:b",
        "postgresql+psycopg://ann:d",
    ]
    assert "@db" not in repr(each)


@pytest.mark.parametrize("url", ["mysql://me:hunter2@db/x", "warehouse.db", "sqlite:///x"])
def test_other_databases_are_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ConfigError, match="postgresql://") as caught:
        _ = Settings(warehouse_url=url).warehouse_dsn

    assert "hunter2" not in str(caught.value)


def test_each_data_set_has_a_warehouse_of_its_own(tmp_path: Path) -> None:
    named = Settings(home=tmp_path, dataset="online_retail")
    by_file = Settings(home=tmp_path, dataset="/data/my_shop.yaml")

    assert "/warehouse_online_retail?host=" in named.warehouse_dsn
    assert by_file.warehouse_database == "warehouse_my_shop"


def test_a_deep_state_folder_gets_a_short_socket_folder() -> None:
    near = Settings(home="/srv/daybreak")
    deep = Settings(home="/srv/" + "d" * SOCKET_PATH_LIMIT)
    other = Settings(home="/srv/" + "e" * SOCKET_PATH_LIMIT)

    assert near.postgres_socket_dir == near.postgres_dir
    assert len(str(deep.postgres_socket_dir / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT
    assert str(deep.postgres_socket_dir) in deep.warehouse_dsn
    assert deep.postgres_socket_dir != other.postgres_socket_dir


def test_the_registry_lies_in_the_home_unless_told_otherwise(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).registry_location == str(tmp_path / "registry")
    assert Settings(registry_url="s3://bucket/versions").registry_location == "s3://bucket/versions"


# The environment of a child process

OTHER_THAN_DEFAULT = {
    "home": "/srv/day break",
    "dataset": "/data/my shop.yaml",
    "dataset_path": "s3://bucket/*.parquet",
    "warehouse_url": 'postgresql://me:p%40ss=w"ord@db/w',
    "warehouse_owner_url": 'postgresql://me:p%40ss=w"ord@db/w',
    "warehouse_service_url": 'postgresql://me:p%40ss=w"ord@db/w',
    "warehouse_reader_url": 'postgresql://me:p%40ss=w"ord@db/w',
    "page_secret": 'p%40ss=w"ord of thirty-two or more',
    "airflow_url": "https://airflow.example/",
    "airflow_database_url": "postgresql://me:$ecret@db/airflow",
    "registry_url": "s3://bucket/versions",
    "report_mail_to": "ann@example.com, bob@example.com",
    "report_mail_connection": "mail of the shop",
    "report_slack_channel": "#forecasts",
    "report_slack_connection": "slack",
    "spool_dir": "/srv/day break/spool",
    "s3_endpoint_url": "http://objects:9000",
    "timezone": "Europe/Berlin",
    "run_at": time(3, 30),
    "due": "05:15",
    "due_by_model": {"sales_forecast": time(4, 30), "other": "05:00:30"},
    "schedule_by_model": {"recommendations": "weekly:sunday", "x": "on_data", "y": "daily"},
    "model_options": {"recommendations": {"listed": 30}},
    "wait_limit_minutes": 0.1 + 0.2,
    "poll_seconds": 1e-3,
    "statsd_host": "metrics",
    "statsd_port": 9125,
    "schedule": False,
    "api_host": "::",
    "api_port": 0,
    "airflow_port": 0,
}


def another_value(name: str) -> object:
    """A value that the setting accepts and that is not its default; numbers are one more."""
    if name in OTHER_THAN_DEFAULT:
        return OTHER_THAN_DEFAULT[name]
    default = getattr(Settings(), name)
    assert isinstance(default, int | float), f"say what {name} may be beside its default"
    return not default if isinstance(default, bool) else default + 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_survives_being_handed_to_a_child(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(**{name: another_value(name)})
    assert given != Settings()
    for variable, text in given.as_environment().items():
        monkeypatch.setenv(variable, text)

    read = load_settings()

    assert read == given
    value = getattr(given, name)
    if isinstance(value, SecretStr):
        assert getattr(read, name).get_secret_value() == value.get_secret_value()


def test_a_child_is_told_the_defaults_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_THREADS", "3")
    for variable, text in Settings(threads=0).as_environment().items():
        monkeypatch.setenv(variable, text)

    assert load_settings().threads == 0, "what the caller's environment says does not come through"


def test_relative_paths_are_those_of_the_folder_where_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = Settings(home="h", dataset="my.yaml", dataset_path="*.csv", registry_url="versions")

    there = given.anchored()

    assert there.home == tmp_path / "h"
    assert there.dataset == str(tmp_path / "my.yaml")
    assert there.dataset_path == str(tmp_path / "*.csv")
    assert there.registry_url == str(tmp_path / "versions")
    elsewhere = Settings(dataset="synthetic", registry_url="s3://bucket/v", dataset_path="s3://b/x")
    assert elsewhere.anchored() == elsewhere.model_copy(update={"home": elsewhere.state})


# Names that are not read


def test_a_misspelt_name_stops_and_is_named_with_the_closest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAYBREAK_TIME_ZONE", "Europe/London")
    monkeypatch.setenv("DAYBREAK_API_PORT", "none")

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert caught.value.details["fields"] == ["DAYBREAK_API_PORT", "DAYBREAK_TIME_ZONE"]
    assert "DAYBREAK_TIME_ZONE: there is no such setting; did you mean DAYBREAK_TIMEZONE?" in str(
        caught.value
    )


def test_a_name_that_resembles_no_setting_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAYBREAK_MY_SHOP_FILES", "/data")
    monkeypatch.setenv("DAYBREAK_SYNTHETIC_STORS", "2")

    load_settings()

    assert "DAYBREAK_MY_SHOP_FILES is not a setting of Daybreak" in caplog.text
    assert "did you mean DAYBREAK_SYNTHETIC_STORES?" in caplog.text


def test_an_empty_name_counts_as_absent_and_other_parts_names_are_known() -> None:
    assert unknown_names({"DAYBREAK_TIME_ZONE": "", "OTHER": "1"}) == {}
    assert unknown_names(dict.fromkeys(OTHER_NAMES, "1")) == {}


def test_every_name_in_this_repository_is_known() -> None:
    found = [file for place in PLACES for file in ROOT.glob(place) if file.is_file()]
    files = [file for file in found if file.suffix != ".pyc"]
    names = {name for file in files for name in VARIABLE.findall(file.read_bytes().decode())}

    assert len(names) > len(Settings.model_fields)
    assert unknown_names(dict.fromkeys(names - RENAMED, "1")) == {}


def test_a_run_starts_at_a_whole_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_RUN_AT", "02:00:30")
    with pytest.raises(ConfigError, match=r"DAYBREAK_RUN_AT: .*whole minutes only, such as 02:30"):
        load_settings()
