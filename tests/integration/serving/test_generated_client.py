"""A client that is generated from the document gets right answers over HTTP."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin
from reading_server import serving
from toy import TOY, publish_day

NAME = "generated_client"


def generate(document: dict[str, Any], folder: Path) -> None:
    """Make the package ``NAME`` from an OpenAPI document."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    given = {
        "--path": folder / "openapi.json",
        "--config": folder / "config.yaml",
        "--output-path": folder / NAME,
    }
    told = subprocess.run(
        [*command, *(str(part) for pair in given.items() for part in pair)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "WARNING" not in told.stdout + told.stderr, told.stdout + told.stderr


def test_a_generated_client_gets_right_answers(
    make_runtime: Callable[..., Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime()
    generation = publish_day(runtime)
    with begin(runtime.engine) as conn:
        key = create_key(conn, "generated", runtime.clock()).token
    app = create_app(runtime, authenticator=ApiKeys(runtime), models=[TOY])
    generate(app.test_client().get("/v1/openapi.json").get_json(), tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    made, models = (importlib.import_module(name) for name in (NAME, f"{NAME}.models"))

    def operation(tag: str, name: str) -> Any:
        return importlib.import_module(f"{NAME}.api.{tag}.{name}").sync

    asked = models.ToyRequest(store="S1", item="pear", date=dt.date(2026, 2, 3))
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        predict = operation("predictions", "predict_toy")
        with made.AuthenticatedClient(base_url=url, token=key) as client:
            answer = predict(client=client, body=asked)
            assert (answer.model, answer.generation) == ("toy", generation.generation_id)
            direct = app.test_client().post(
                "/v1/models/toy/predict",
                json=asked.to_dict(),
                headers={"Authorization": f"Bearer {key}"},
            )
            found = [row.to_dict() for row in answer.predictions]
            assert found == direct.get_json()["predictions"]
            far = models.ToyRequest(store="S1", item="pear", date=dt.date(2027, 1, 1))
            assert predict(client=client, body=far).error.code == "outside_horizon"
            many = predict(client=client, body=models.ToyRequests(rows=[asked, far]))
            assert [row.to_dict() for row in many.answers[0].predictions] == found
            assert many.answers[1].error.code == "outside_horizon"
            model = operation("models", "get_model")(client=client, model="toy")
            assert model.champion == generation.version
        with made.Client(base_url=url) as client:
            assert predict(client=client, body=asked).error.code == "unauthenticated"
