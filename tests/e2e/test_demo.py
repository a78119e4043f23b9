"""``daybreak demo`` from nothing to a proven answer, and once more on what it left running."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from installation import ROOT, SMALL_SHOP, Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_demo_works_twice_and_down_leaves_nothing(installation: Installation) -> None:
    installation.env |= SMALL_SHOP

    first = installation.must("demo", timeout=900)
    assert_it_shows_everything(first)

    again = installation.must("demo", timeout=600)
    assert_it_shows_everything(again)
    assert "is champion already" in again, "training is not repeated"
    assert forecasts(first) == forecasts(again), "the same days give the same numbers"

    for dag in ("daily_forecast", "daily_recommendations"):
        listed = installation.must("airflow", "dags", "list-runs", dag, "-o", "json")
        runs = json.loads(listed[listed.index("[{") :])
        assert [run["state"] for run in runs] == ["success"] * 7, "no run but the seven"
    answers = [json.loads(subprocess.check_output(curl, shell=True)) for curl in curls_of(again)]
    assert [answer["source"] for answer in answers] == ["published", "published", "live"]

    assert_the_examples_of_the_docs_work(installation, again)

    installation.must("down")
    assert installation.processes() == []


def assert_the_examples_of_the_docs_work(installation: Installation, printed: str) -> None:
    """Every command of docs/api.md that asks the service, and the form of what it answers."""
    service = re.search(r"curl -sS (http://\S+?)/v1/", printed)
    airflow = re.search(r"^Airflow +(http://\S+) +\(user admin, password (\S+)\)", printed, re.M)
    assert service is not None
    assert airflow is not None
    key = installation.must("keys", "create", "docs").strip()
    known = f"URL={service[1]} AIRFLOW={airflow[1]} KEY={key}\n"

    asked = 0
    page = (ROOT / "docs" / "api.md").read_text()
    for block, answer in re.findall(
        r"```bash\n(.*?)```(?:\n\n```json\n(.*?)```)?", page, re.DOTALL
    ):
        if "curl" not in block:
            continue
        commands = re.sub(r"^(URL|AIRFLOW|KEY)=.*\n", "", block, flags=re.M)
        commands = commands.replace('"password": "…"', f'"password": "{airflow[2]}"')
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", known + commands.replace("\ncurl", "\necho\ncurl")],
            env=installation.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stderr}"
        answers = [json.loads(line) for line in done.stdout.splitlines() if line]
        assert answers, commands
        assert not [found for found in answers if "error" in found], f"{commands}\n{answers}"
        if answer:
            (found,), shown = answers, json.loads(answer)
            assert found.keys() == shown.keys()
            assert found["predictions"][0].keys() == shown["predictions"][0].keys()
            assert found["business_date"] == shown["business_date"]
        asked += len(answers)
    assert asked >= 8


def test_a_file_that_is_not_there_is_refused_before_anything_starts(
    installation: Installation, tmp_path: Path
) -> None:
    result = installation.run("demo", "--data", str(tmp_path / "nowhere.parquet"))

    assert result.returncode == 1
    assert "nowhere.parquet" in result.stderr
    assert not installation.home.exists()


def test_make_passes_the_file_on() -> None:
    planned = subprocess.check_output(
        ["make", "-n", "demo", "DATA=../my data/retail.parquet"], cwd=ROOT, text=True
    )

    assert "daybreak demo --data '../my data/retail.parquet'" in planned


def assert_it_shows_everything(printed: str) -> None:
    for model in ("sales_forecast", "recommendations"):
        runs = re.findall(rf"^{model} +(\d{{4}}-\d\d-\d\d) +backfill +not_counted", printed, re.M)
        assert len(runs) == 7
        assert len(set(runs)) == 7
    accuracy = re.search(r"^ *all +[\d,]+ +([\d.]+) % +([\d.]+) % +([\d.]+) %", printed, re.M)
    assert accuracy is not None
    assert float(accuracy[1]) < float(accuracy[2]), "better than seasonal naive"
    assert "Equal bit for bit to the row of score.sales_forecast" in printed
    lists = re.findall(
        r"^(U\d+) +([1-5]) +I\d+ .*(again|together|similar|trending|popular)", printed, re.M
    )
    assert [int(rank) for _, rank, _ in lists] == [1, 2, 3, 4, 5] * 3
    assert len({user for user, _, _ in lists}) == 3
    for model in ("sales_forecast", "recommendations"):
        beside = rf"^{model} +\S.* \d\.\d{{3}} +\w+ +\d\.\d{{3}} +(passed|refused)$"
        assert re.search(beside, printed, re.M), "the best baseline is named, with its figure"
    assert re.search(r"^All 20 items equal the published list of generation \d+", printed, re.M)
    assert '"reason": "together"' in printed, "the session is the reason"
    assert re.search(r"^Airflow +http://127.0.0.1:\d+ +\(user admin, password \S+\)", printed, re.M)


def forecasts(printed: str) -> str:
    return printed.split("Forecast of ")[1].partition("Accuracy so far")[0]


def curls_of(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("curl ")]
