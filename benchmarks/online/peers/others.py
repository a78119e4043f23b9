"""The peers: each as its own documentation starts it, with two workers.

Neither crippled nor tuned, but for three things that all have in common with ours: one thread of
XGBoost a worker, as there are as many workers as processors; no line of log a request; nothing is
reported to their makers.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.online.peers.booster import make_booster
from benchmarks.online.peers.candidates import CHECKED, Candidate
from benchmarks.online.peers.load import Questions
from benchmarks.online.processes import free_port
from benchmarks.online.service import WORKERS
from daybreak.types import Float32

HERE = Path(__file__).parent
SERVING = HERE / "serving"
REQUIREMENTS = HERE / "requirements"

IN_COMMON = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": "",  # it leads to our packages
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "BENTOML_CONFIG_OPTIONS": "api_server.logging.access.enabled=false",
    "UVICORN_ACCESS_LOG": "false",
}


@dataclass(frozen=True)
class Place:
    """Where a peer runs: ``folder`` is its own, not made yet; ``model``: the booster's file."""

    python: Path
    model: Path
    folder: Path
    port: int

    @property
    def address(self) -> tuple[str, ...]:
        return ("--host", "127.0.0.1", "--port", str(self.port))

    def script(self, name: str) -> str:
        """The path of a command that a package of the environment has installed."""
        return str(self.python.parent / name)

    def file(self, name: str, content: dict[str, Any]) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")


@dataclass(frozen=True)
class Peer:
    """``lock``: of its environment. ``packages``: whose versions are named. ``body`` of a row; none
    is a GET. ``prediction``: where the answer has it."""

    name: str
    lock: str
    packages: Sequence[str]
    command: Callable[[Place], Sequence[str]]
    path: str = "/predict"
    body: Callable[[list[float]], Any] | None = lambda row: {"features": row}
    prediction: Callable[[Any], float] = lambda answer: answer["prediction"]


def _gunicorn(app: str) -> Callable[[Place], Sequence[str]]:
    return lambda place: [
        *(str(place.python), "-m", "gunicorn", "-k", "sync", "-w", str(WORKERS)),
        *("--bind", f"127.0.0.1:{place.port}", "--chdir", str(SERVING), app),
    ]


def _uvicorn(place: Place) -> Sequence[str]:
    return [
        *(str(place.python), "-m", "uvicorn", "fastapi_xgboost:app", "--app-dir", str(SERVING)),
        *("--workers", str(WORKERS), *place.address),
    ]


def _mlserver(place: Place) -> Sequence[str]:
    ports = {"http_port": place.port, "grpc_port": 0, "metrics_port": free_port()}
    place.file(
        "settings.json",
        {"debug": False, "parallel_workers": WORKERS, "host": "127.0.0.1", **ports},
    )
    model = {"name": "booster", "implementation": "mlserver_xgboost.XGBoostModel"}
    place.file("model-settings.json", model | {"parameters": {"uri": str(place.model)}})
    return [place.script("mlserver"), "start", str(place.folder)]


def _bentoml(place: Place) -> Sequence[str]:
    service = ("serve", "bento:Scoring", "--working-dir", str(SERVING))
    return [place.script("bentoml"), *service, *place.address]


def _ray(place: Place) -> Sequence[str]:
    return [str(place.python), str(SERVING / "ray_serve.py"), str(place.port)]


def _mlflow(form: str) -> Callable[[Place], Sequence[str]]:
    def command(place: Place) -> Sequence[str]:
        if not place.folder.exists():
            save = (str(SERVING / "mlflow_model.py"), str(place.model), str(place.folder), form)
            env = os.environ | _environment(place.python, place.model)
            subprocess.run([str(place.python), *save], env=env, check=True)
        return [
            *(place.script("mlflow"), "models", "serve", "--model-uri", str(place.folder)),
            *("--workers", str(WORKERS), *place.address, "--env-manager", "local"),
        ]

    return command


def _tensor(row: list[float]) -> Any:
    features = {"name": "features", "shape": [1, len(row)], "datatype": "FP32", "data": row}
    return {"inputs": [features]}


def _frame(row: list[float]) -> Any:
    names = [f"f{place}" for place in range(len(row))]
    return {"dataframe_split": {"columns": names, "data": [row]}}


PEERS = (
    Peer("bare", "web", ("flask", "gunicorn"), _gunicorn("bare:app"), body=None),
    Peer("flask", "web", ("flask", "gunicorn", "xgboost-cpu"), _gunicorn("flask_xgboost:app")),
    Peer("fastapi", "web", ("fastapi", "uvicorn", "pydantic", "xgboost-cpu"), _uvicorn),
    Peer(
        "mlserver",
        "mlserver",
        ("mlserver", "xgboost"),
        _mlserver,
        path="/v2/models/booster/infer",
        body=_tensor,
        prediction=lambda answer: answer["outputs"][0]["data"][0],
    ),
    Peer(
        "bentoml",
        "bentoml",
        ("bentoml", "xgboost-cpu"),
        _bentoml,
        body=lambda row: {"data": [row]},
        prediction=lambda answer: answer[0],
    ),
    Peer("ray", "ray", ("ray", "xgboost-cpu"), _ray),
    *(
        Peer(
            f"mlflow_{form}",
            "mlflow",
            ("mlflow", "xgboost-cpu"),
            _mlflow(form),
            path="/invocations",
            body=body,
            prediction=lambda answer: answer["predictions"][0],
        )
        for form, body in (("tensor", lambda row: {"inputs": [row]}), ("frame", _frame))
    ),
)


def others(
    names: Sequence[str], python: Callable[[str], Path], folder: Path, trees: int
) -> list[Candidate]:
    """The peers of these names, with what they need in ``folder``; ``python``: the interpreter of
    an environment, by the name of its lock file."""
    model = folder / "model.ubj"
    rows, predictions = make_booster(model, trees)
    return [
        _candidate(peer, python(peer.lock), model, rows, predictions)
        for peer in PEERS
        if peer.name in names
    ]


def _candidate(
    peer: Peer, python: Path, model: Path, rows: Float32, predictions: Float32
) -> Candidate:
    bodies, expected = [""], [(1.0,)]
    if peer.body is not None:
        bodies = [json.dumps(peer.body(row)) for row in rows.tolist()]
        expected = [(one,) for one in predictions.tolist()[:CHECKED]]
    env = _environment(python, model)

    def command(port: int) -> Sequence[str]:
        return peer.command(Place(python, model, model.parent / peer.name, port))

    return Candidate(
        name=peer.name,
        versions=_versions(python, peer.packages),
        command=command,
        env=env,
        asked=Questions(peer.path, bodies),
        expected=expected,
        scores=lambda answer: [peer.prediction(answer)],
    )


def _environment(python: Path, model: Path) -> dict[str, str]:
    """As where the environment is activated."""
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return IN_COMMON | {"PATH": path, "BOOSTER": str(model)}


def _versions(python: Path, packages: Sequence[str]) -> str:
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    done = subprocess.run(
        [str(python), "-c", code, *packages], capture_output=True, text=True, check=True
    )
    named = zip(packages, done.stdout.split(), strict=True)
    return ", ".join(f"{package} {version}" for package, version in named)
