"""The Open Inference Protocol: by a stock client over HTTP, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from flask.testing import FlaskClient
from tritonclient.utils import InferenceServerException

from anybody import Anybody
from day_equality import published_rows
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.forms import MOST_ROWS
from reading_server import serving
from toy import DAY, SCORES, TOY, publish_day

INFER = "/v2/models/toy/infer"


def tensor(name: str, data: list[Any], datatype: str = "BYTES", **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data, **more}


STORE, ITEM = tensor("store", ["S1", "S2"]), tensor("item", ["pear", "apple"])
DATE = tensor("date", ["2026-02-03", "2026-02-04"])
INPUTS = [STORE, ITEM, DATE]


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    runtime = make_runtime(refresh_seconds=1e-9)
    publish_day(runtime)
    return runtime


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    return create_app(runtime, authenticator=Anybody(), models=[TOY]).test_client()


@pytest.fixture
def stock(client: FlaskClient) -> Iterator[triton.InferenceServerClient]:
    with (
        serving(client.application) as port,
        triton.InferenceServerClient(f"127.0.0.1:{port}") as found,
    ):
        yield found


def given(name: str, values: np.ndarray, datatype: str) -> triton.InferInput:
    found = triton.InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=False)
    return found


def test_a_stock_client_finds_its_way_and_gets_the_bits_of_the_table(
    runtime: Runtime, stock: triton.InferenceServerClient
) -> None:
    assert stock.is_server_live()
    assert stock.is_server_ready()
    assert stock.is_model_ready("toy")
    assert stock.get_server_metadata()["name"] == "daybreak"
    metadata = stock.get_model_metadata("toy")
    generation, rows = published_rows(runtime.engine, TOY, DAY)
    assert metadata["versions"] == [generation.version]
    assert stock.is_model_ready("toy", generation.version)
    assert not stock.is_model_ready("toy", "another")
    datatypes = {one["name"]: one["datatype"] for one in metadata["inputs"]}
    assert datatypes == {"store": "BYTES", "item": "BYTES", "date": "BYTES", "price": "FP64"}

    columns = {"store": "store_id", "item": "item_id", "date": "target_date"}
    inputs = [
        given(name, np.array([str(row[column]) for row in rows], object), "BYTES")
        for name, column in columns.items()
    ]
    for version in ("", generation.version):
        for encoding in (None, "gzip"):
            found = stock.infer(
                "toy", inputs, version, request_id="a-1", request_compression_algorithm=encoding
            )
            answer = found.get_response()
            assert (answer["model_version"], answer["id"]) == (generation.version, "a-1")
            assert answer["parameters"]["generation"] == generation.generation_id
            assert found.as_numpy("row").tolist() == list(range(len(rows)))
            assert set(found.as_numpy("source")) == {"published"}
            for name in SCORES:
                scores = found.as_numpy(name)
                assert scores.dtype == np.float32
                expected = np.array([row[name] for row in rows], np.float32)
                assert scores.tobytes() == expected.tobytes(), name

    p50 = triton.InferRequestedOutput("p50", binary_data=False)
    price = given("price", np.full((len(rows), 1), 4.5, np.float32), "FP32")
    found = stock.infer("toy", [*inputs, price], outputs=[p50])
    assert [one["name"] for one in found.get_response()["outputs"]] == ["p50"]
    with pytest.raises(InferenceServerException, match="There is no such input: prize") as caught:
        stock.infer("toy", [*inputs, given("prize", np.zeros(len(rows)), "FP64")])
    assert caught.value.status() == "400"


def ask(client: FlaskClient, *inputs: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(INFER, json={"inputs": list(inputs), **more})
    return response.status_code, response.get_json()


def test_a_row_is_answered_as_its_request_is(client: FlaskClient) -> None:
    price = tensor("price", [None, 4.5], "FP32")
    status, answer = ask(client, *INPUTS, price)
    assert status == 200, answer
    columns = {one["name"]: one["data"] for one in answer["outputs"]}
    for row in range(2):
        body = {one["name"]: one["data"][row] for one in [*INPUTS, price]}
        alone = client.post("/v1/models/toy/predict", json=body).get_json()
        (prediction,) = alone["predictions"]
        assert {name: columns[name][row] for name in prediction} == prediction
        assert columns["source"][row] == alone["source"]
    nested = DATE | {"shape": [2, 1], "data": [[day] for day in DATE["data"]]}
    assert ask(client, STORE, ITEM, nested, price)[1] == answer


@pytest.mark.parametrize(
    ("inputs", "more", "status", "said"),
    [
        ([STORE, ITEM], {}, 400, "This input is missing: date"),
        ([*INPUTS, STORE], {}, 400, "given twice"),
        ([*INPUTS, tensor("prize", [1, 2], "FP64")], {}, 400, "There is no such input: prize"),
        ([STORE, ITEM, tensor("date", [1, 2], "INT64")], {}, 400, "date is wrong: its datatype"),
        ([STORE, ITEM, tensor("date", ["2026-02-03"])], {}, 400, "same number of rows"),
        ([STORE, ITEM, DATE | {"shape": [3]}], {}, 400, "date is wrong: its data"),
        ([STORE, ITEM, DATE | {"shape": [-1, -2]}], {}, 400, "inputs.2.shape.0: "),
        ([STORE, ITEM, DATE | {"shape": [1, 1, 2]}], {}, 400, "inputs.2.shape: "),
        ([STORE, ITEM, DATE | {"shape": [1, 2]}], {}, 400, "date is wrong: its shape"),
        ([STORE, ITEM, tensor("date", ["2026-02-03", "soon"])], {}, 400, "Row 1: 1 field"),
        ([STORE, ITEM, tensor("date", ["2026-02-03", "2027-01-01"])], {}, 422, "Row 1: "),
        ([tensor("store", ["S1", "S9"]), ITEM, DATE], {}, 404, "Row 1: "),
        ([*INPUTS, tensor("price", [1, "2"], "FP64")], {}, 400, "Row 1: "),
        (INPUTS, {"outputs": [{"name": "p51"}]}, 400, "There is no output p51"),
        ([], {}, 400, "This input is missing: store, item, date"),
        ([tensor(name, []) for name in ("store", "item", "date")], {}, 400, "number of rows, 1 to"),
    ],
)
def test_what_is_wrong_is_named_in_the_form_of_the_protocol(
    client: FlaskClient, inputs: list[Any], more: dict[str, Any], status: int, said: str
) -> None:
    found, answer = ask(client, *inputs, **more)
    assert found == status, answer
    assert said in answer["error"]
    assert answer.keys() == {"error", "code", "message", "remedy", "details"}
    assert answer["error"] == f"{answer['message']} {answer['remedy']}".strip()
    if said.startswith("Row 1"):
        assert answer["details"]["row"] == 1


def test_there_is_an_end_to_the_rows(client: FlaskClient) -> None:
    for rows, status in ((MOST_ROWS, 200), (MOST_ROWS + 1, 400)):
        inputs = [tensor(one["name"], one["data"][:1] * rows) for one in INPUTS]
        assert ask(client, *inputs)[0] == status


def test_what_is_not_there_is_said_so_in_the_form_of_the_protocol(client: FlaskClient) -> None:
    for path in ("/v2/nothing", "/v2/models/moon", "/v2/models/toy/versions/1/infer"):
        call = client.post if path.endswith("infer") else client.get
        response = call(path, **({"json": {"inputs": INPUTS}} if call == client.post else {}))
        assert (response.status_code, response.get_json()["code"]) == (404, "not_found")
        assert isinstance(response.get_json()["error"], str)
