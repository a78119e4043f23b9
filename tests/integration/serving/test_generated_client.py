"""A client that is generated from the document gets right answers over HTTP."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from clientele.cli import cli_group

from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.warehouse.engine import begin
from reading_server import serving
from toy import TOY, publish_day

NAME = "generated_client"


def test_a_generated_client_gets_right_answers(
    make_runtime: Callable[..., Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime()
    generation = publish_day(runtime)
    with begin(runtime.engine) as conn:
        key = create_key(conn, "generated", runtime.clock()).token
    app = create_app(runtime, authenticator=ApiKeys(runtime), models=[TOY])
    monkeypatch.syspath_prepend(tmp_path)
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        given = ["start-api", "-u", f"{url}/v1/openapi.json", "-o", f"{tmp_path / NAME}/"]
        made = CliRunner().invoke(cli_group, given)
        assert made.exit_code == 0, made.output
        client, config, schemas = (
            importlib.import_module(f"{NAME}.{part}") for part in ("client", "config", "schemas")
        )
        asked = schemas.ToyRequest(store="S1", item="pear", date="2026-02-03")
        headers = {"Authorization": f"Bearer {key}"}
        client.client.configure(config=config.Config(base_url=url, headers=headers))
        with closing(client.client):
            answer = client.predict_toy(data=asked)
            assert (answer.model, answer.generation) == ("toy", generation.generation_id)
            direct = app.test_client().post(
                "/v1/models/toy/predict", json=asked.model_dump(), headers=headers
            )
            found = [row.model_dump() for row in answer.predictions]
            assert found == direct.get_json()["predictions"]
            far = asked.model_copy(update={"date": "2027-01-01"})
            assert client.predict_toy(data=far).error.code == "outside_horizon"
            assert client.get_model(model="toy").champion == generation.version

            metadata = client.v2_model(model="toy")
            tensors = [
                schemas.Input(name=name, datatype="BYTES", shape=[1], data=[value])
                for name, value in asked.model_dump(exclude={"price"}).items()
            ]
            rows = client.v2_infer(
                model="toy", data=schemas.InferRequest(inputs=tensors, parameters={})
            )
            assert [one.name for one in rows.outputs] == [one.name for one in metadata.outputs]
            assert {one.name: one.data for one in rows.outputs}["p50"] == [found[0]["p50"]]

        client.client.configure(config=config.Config(base_url=url))
        with closing(client.client):
            assert client.predict_toy(data=asked).error.code == "unauthenticated"
