"""The command line: quick help, errors in two lines, nothing heavy imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from typer.testing import CliRunner

import daybreak.cli
from daybreak.cli import app, main
from daybreak.errors import NotPublished

HEAVY = ("numpy", "pandas", "xgboost", "sqlalchemy", "pyarrow", "boto3", "flask", "airflow")


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAYBREAK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAYBREAK_DATASET", raising=False)


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, child in getattr(command, "commands", {}).items():
        found += commands(child, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])

    assert result.exit_code == 0, result.output
    assert "Usage: " in click.unstyle(result.output)


def test_the_commands_of_the_first_day_are_there() -> None:
    names = {" ".join(path) for path in commands(typer.main.get_command(app))}

    assert names >= {
        *("up", "down", "status", "doctor", "airflow", "demo"),
        *("ingest", "train", "backtest", "score", "rollback", "sla"),
        *("data check", "data load", "warehouse migrate"),
        *("models list", "models promote", "models history"),
        *("generations list", "generations show"),
        *("streams list", "streams check"),
        *("keys create", "keys list", "keys revoke"),
    }


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['daybreak', '--help']\n"
        "from daybreak.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stderr.strip() == ""
    assert "Usage: " in click.unstyle(result.stdout)


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert result.output == f"daybreak {daybreak.__version__}\n"


def run_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> tuple[int, str]:
    def fail() -> None:
        raise error

    monkeypatch.setattr(daybreak.cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code)), capsys.readouterr().err


def test_an_error_of_ours_is_its_message_and_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = NotPublished("Nothing is published.", remedy="Run `daybreak score`.")

    code, printed = run_main(monkeypatch, capsys, error)

    assert (code, printed) == (1, "Error: Nothing is published.\nRemedy: Run `daybreak score`.\n")


def test_an_unknown_error_names_itself_and_the_way_to_its_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = run_main(monkeypatch, capsys, ZeroDivisionError("by zero"))

    assert code == 1
    assert printed.splitlines()[0] == "Error: ZeroDivisionError: by zero"
    assert "DAYBREAK_DEBUG=1" in printed
    assert len(printed.splitlines()) == 2


def test_debugging_keeps_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBREAK_DEBUG", "1")

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(daybreak.cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        main()


def test_a_wrong_setting_is_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAYBREAK_API_PORT", "none")
    monkeypatch.setattr(sys, "argv", ["daybreak", "status"])

    with pytest.raises(SystemExit, match="1"):
        main()

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Error: 1 setting(s) are wrong: DAYBREAK_API_PORT")
    assert lines[1].startswith("Remedy: ")


def test_a_part_that_does_not_exist_is_refused() -> None:
    result = CliRunner().invoke(app, ["up", "--only", "kubernetes"])

    assert result.exit_code == 1
    assert "postgres, airflow, serving" in result.exception.remedy  # type: ignore[union-attr]
