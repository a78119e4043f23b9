"""Settings come from the environment, wrong ones are named together, secrets stay hidden."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

import pytest

from daybreak.errors import ConfigError
from daybreak.settings import SOCKET_PATH_LIMIT, Settings, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DAYBREAK_{name.upper()}", raising=False)


def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `DAYBREAK_([A-Z0-9_]+)` \| (.*?) \|", page, re.MULTILINE))

    assert set(rows) == {name.upper() for name in Settings.model_fields}


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

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert caught.value.details["fields"] == [
        "DAYBREAK_API_PORT",
        "DAYBREAK_POLL_SECONDS",
        "DAYBREAK_TIMEZONE",
    ]
    assert "sixty-one" not in str(caught.value)
    assert "docs/settings.md" in caught.value.remedy


def test_passwords_do_not_show() -> None:
    settings = Settings(
        warehouse_url="postgresql://me:hunter2@db/warehouse",
        airflow_database_url="postgres://me:hunter2@db/airflow",
    )

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
    assert settings.warehouse_dsn == "postgresql+psycopg://me:hunter2@db/warehouse"
    assert settings.airflow_dsn == "postgresql+psycopg2://me:hunter2@db/airflow"


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
