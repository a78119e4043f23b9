"""The production stack: a valid file, and what it promises about secrets, images and health."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator

from daybreak.settings import Part, Settings

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yaml"
TEXT = FILE.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"airflow-init"}
STARTS_AS_ROOT = {"objects"}  # its entry point gives away the volume and becomes another user
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|ACCESS_KEY|CLI_?AUTH|TOKEN")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<text>[^}]*))?\}")

TEXTS = {"type": "array", "items": {"type": "string"}}
DURATION = {"type": "string", "pattern": r"^\d+(s|m|h)$"}
SIZE = {"type": "string", "pattern": r"^\d+[mg]$"}
SCHEMA = {
    "type": "object",
    "required": ["services", "networks", "volumes"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "networks": {
            "additionalProperties": {
                "properties": {"internal": {"type": "boolean"}},
                "additionalProperties": False,
            }
        },
        "volumes": {"additionalProperties": {"type": "object", "maxProperties": 0}},
        "services": {
            "additionalProperties": {
                "type": "object",
                "required": ["image", "user", "restart", "logging", "networks", "deploy"],
                "additionalProperties": False,
                "properties": {
                    "image": {"type": "string"},
                    "build": {
                        "required": ["context", "dockerfile"],
                        "properties": {"context": {}, "dockerfile": {}},
                        "additionalProperties": False,
                    },
                    "user": {"type": "string"},
                    "command": TEXTS,
                    "environment": {"additionalProperties": {"type": "string"}},
                    "restart": {"enum": ["unless-stopped", "no"]},
                    "init": {"type": "boolean"},
                    "read_only": {"type": "boolean"},
                    "cap_drop": TEXTS,
                    "cap_add": TEXTS,
                    "security_opt": TEXTS,
                    "tmpfs": TEXTS,
                    "volumes": {"items": {"type": "string", "pattern": "^[^:]+:/[^:]+(:ro)?$"}},
                    "ports": {"items": {"type": "string", "pattern": r":\d+$"}},
                    "networks": TEXTS,
                    "shm_size": SIZE,
                    "stop_grace_period": DURATION,
                    "depends_on": {
                        "additionalProperties": {
                            "required": ["condition"],
                            "properties": {
                                "condition": {
                                    "enum": ["service_healthy", "service_completed_successfully"]
                                }
                            },
                            "additionalProperties": False,
                        }
                    },
                    "healthcheck": {
                        "required": ["test", "interval", "timeout", "retries", "start_period"],
                        "additionalProperties": False,
                        "properties": {
                            "test": {**TEXTS, "minItems": 2},
                            "interval": DURATION,
                            "timeout": DURATION,
                            "start_period": DURATION,
                            "retries": {"type": "integer"},
                        },
                    },
                    "logging": {
                        "required": ["driver", "options"],
                        "properties": {
                            "driver": {"const": "json-file"},
                            "options": {
                                "required": ["max-size", "max-file"],
                                "additionalProperties": {"type": "string"},
                            },
                        },
                    },
                    "deploy": {
                        "required": ["resources"],
                        "additionalProperties": False,
                        "properties": {
                            "replicas": {"type": "string"},
                            "resources": {
                                "required": ["limits"],
                                "properties": {
                                    "limits": {
                                        "required": ["memory"],
                                        "properties": {"memory": SIZE},
                                    }
                                },
                            },
                        },
                    },
                },
            }
        },
    },
}
"""The part of the Compose specification that the file uses, and nothing beyond it."""


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def example() -> dict[str, str]:
    """Every name of .env.example with its value; a commented line holds the default."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = (re.fullmatch(r"#?([A-Z][A-Z0-9_]*)=(.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def filled_in() -> dict[str, str]:
    """The values of a .env made as .env.example says."""
    made = subprocess.run(
        [ROOT / "docker" / "make-secrets.sh"], check=True, capture_output=True, text=True
    )
    return example() | dict(line.split("=", 1) for line in made.stdout.splitlines())


def interpolated(text: str, values: dict[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        default = match["text"] if match["how"] == "-" else None
        return values.get(match["name"]) or default or ""

    return VARIABLE.sub(replace, text)


def test_the_file_keeps_the_schema() -> None:
    faults = list(Draft202012Validator(SCHEMA).iter_errors(COMPOSE))
    assert not faults, [f"{'.'.join(map(str, fault.path))}: {fault.message}" for fault in faults]


def test_the_schema_refuses_a_fault() -> None:
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["redis"]["healthchek"] = broken["services"]["redis"].pop("healthcheck")
    assert not Draft202012Validator(SCHEMA).is_valid(broken)


def test_docker_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    """Where the command is absent, the schema above stands in for it."""
    command = shutil.which("docker-compose")
    if command is None:
        assert Draft202012Validator(SCHEMA).is_valid(COMPOSE)
        return
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}={value}\n" for name, value in filled_in().items()))
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ask = [command, "--file", str(FILE), "--env-file"]
    done = subprocess.run(
        [*ask, str(env), "config", "--quiet"],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    refused = subprocess.run(
        [*ask, os.devnull, "config", "--quiet"], env=clean, capture_output=True, check=False
    )
    assert refused.returncode != 0, "it has to refuse to run without secrets"


def test_every_reference_leads_somewhere() -> None:
    for name, service in SERVICES.items():
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source[0] == "." else source in COMPOSE["volumes"]
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}
    assert set(COMPOSE["volumes"]) <= used


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_watched_and_confined(name: str) -> None:
    service = SERVICES[name]
    image = interpolated(service["image"], {})
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+[\w.-]*", image), image
    assert "latest" not in image
    if name not in ONE_SHOT:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    if name in STARTS_AS_ROOT:
        assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    else:
        assert int(service["user"].split(":")[0]) > 0
        assert "cap_add" not in service


def test_only_doors_are_published_and_only_on_loopback() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"airflow-api-server", "load-balancer", "grafana"}
    for name in published:
        (port,) = SERVICES[name]["ports"]
        assert interpolated(port, {}).startswith("127.0.0.1:"), port
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for name, networks in (
        ("postgres", ["data", "reports"]),
        ("redis", ["data"]),
        ("objects", ["data"]),
    ):
        assert SERVICES[name]["networks"] == networks
    assert COMPOSE["networks"]["reports"] == {"internal": True}
    on_reports = {name for name, service in SERVICES.items() if "reports" in service["networks"]}
    assert on_reports == {"postgres", "grafana"}
    assert "data" not in SERVICES["grafana"]["networks"]


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}.{key}"
            for password in re.findall(r"://[^@/\s]*:([^@/]*)@", VARIABLE.sub("variable", value)):
                assert password == "variable", f"{name}.{key}"
    for value in strings(SERVICES):
        for match in VARIABLE.finditer(value):
            assert (match["how"] == "?") == bool(SECRET.search(match["name"])), match[0]


def test_a_service_gets_no_secret_that_it_does_not_need() -> None:
    api = " ".join(SERVICES["api"]["environment"].values())
    api = api.replace("AIRFLOW_BASE_URL", "")  # an address, which the page links to
    for secret in ("AIRFLOW_", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_"):
        assert secret not in api
    for secret, holders in (
        ("POSTGRES_PASSWORD", {"postgres"}),
        ("WAREHOUSE_OWNER_PASSWORD", {"postgres", "airflow-init"}),
        ("WAREHOUSE_SERVICE_PASSWORD", {"postgres", "api", "airflow-api-server"}),
        ("WAREHOUSE_READER_PASSWORD", {"postgres", "api", "airflow-api-server"}),
        ("PAGE_SECRET", {"api"}),
        ("WAREHOUSE_GRAFANA_PASSWORD", {"postgres", "grafana"}),
    ):
        assert {name for name, s in SERVICES.items() if secret in " ".join(strings(s))} == holders
    assert "WAREHOUSE_WRITER_PASSWORD" not in api


def test_every_variable_is_documented_with_its_default_and_no_other() -> None:
    used = {
        match["name"]: match for value in strings(COMPOSE) for match in VARIABLE.finditer(value)
    }
    assert set(example()) == set(used)
    for name, value in example().items():
        default = used[name]["text"] if used[name]["how"] == "-" else ""
        assert value == default, name


def test_made_secrets_are_long_enough_and_different() -> None:
    made = {name: value for name, value in filled_in().items() if SECRET.search(name)}
    assert len(made["AIRFLOW_JWT_SECRET"].encode()) >= 64
    Fernet(made["AIRFLOW_FERNET_KEY"])
    assert all(len(value) >= 32 for value in made.values())
    assert len(set(made.values())) == len(made)
    assert filled_in()["REDIS_PASSWORD"] != made["REDIS_PASSWORD"]
    in_urls = [value for name, value in made.items() if "FERNET" not in name]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", value) for value in in_urls)


@pytest.mark.parametrize(
    ("name", "part", "user"),
    [
        ("api", "service", "daybreak_service"),
        ("airflow-api-server", "service", "daybreak_service"),
        ("airflow-worker", "jobs", "daybreak_writer"),
        ("airflow-triggerer", "jobs", "daybreak_writer"),
        ("airflow-init", "migrations", "daybreak"),
    ],
)
def test_daybreak_settings_are_known_and_take_their_values(
    name: str, part: Part, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [key for key in os.environ if key.startswith("DAYBREAK_")]:
        monkeypatch.delenv(variable)
    values = filled_in()
    for key, value in SERVICES[name]["environment"].items():
        if key.startswith("DAYBREAK_"):
            assert key.removeprefix("DAYBREAK_").lower() in Settings.model_fields, key
            monkeypatch.setenv(key, interpolated(value, values))
    settings = Settings()
    assert settings.dsn_for(part).startswith(f"postgresql+psycopg://{user}:")
    assert settings.registry_location == "s3://daybreak/registry"
    assert settings.statsd_host in SERVICES
    assert str(settings.api_port) == "8793"


def test_airflow_knows_every_option_that_is_set() -> None:
    folders = find_spec("airflow").submodule_search_locations
    templates = [Path(folder) / "config_templates" / "config.yml" for folder in folders]
    options = yaml.safe_load(next(path for path in templates if path.exists()).read_text())
    for key in SERVICES["airflow-scheduler"]["environment"]:
        of_providers = ("AIRFLOW__CELERY__", "AIRFLOW__OPENLINEAGE__")
        if key.startswith("AIRFLOW__") and not key.startswith(of_providers):
            _, section, option = key.lower().split("__")
            assert option in options[section]["options"], key


def test_the_image_is_pinned_non_root_and_gets_what_it_copies() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    user = next(line for line in reversed(lines) if line.startswith("USER"))
    assert user == f"USER {SERVICES['api']['user']}"
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert source in allowed, source


def test_the_lock_of_the_image_agrees_with_the_lock_of_the_project() -> None:
    def pins(path: Path) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.M):
            found.setdefault(name, set()).add(version)
        return found

    project, image = pins(ROOT / "requirements.txt"), pins(ROOT / "docker" / "requirements.txt")
    wanted = (ROOT / "docker" / "requirements.in").read_text()
    assert set(re.findall(r"^([a-z][\w-]*)", wanted, re.M)) <= set(image)
    differing = {name for name in image if name in project and not image[name] <= project[name]}
    assert not differing, "run `make lock`"


def test_the_load_balancer_asks_replicas_whether_they_are_ready() -> None:
    text = (ROOT / "docker" / "haproxy" / "haproxy.cfg").read_text()
    assert "uri /readyz" in text
    assert f"api:{SERVICES['api']['environment']['DAYBREAK_API_PORT']}" in text
    assert SERVICES["load-balancer"]["ports"][0].endswith(":8080")
    assert "bind :8080" in text
    head, _, body = (ROOT / "docker" / "haproxy" / "503.http").read_bytes().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert set(json.loads(body)["error"]) == {"code", "message", "remedy", "details"}


@pytest.mark.parametrize(
    ("status", "body", "healthy"),
    [
        (200, b"", True),
        (200, b'{"status": "ok"}', True),
        (200, b'{"metadatabase": {"status": "healthy"}, "scheduler": {"status": null}}', True),
        (200, b'{"metadatabase": {"status": "unhealthy"}}', False),
        (200, b"<!doctype html>", False),
        (503, b'{"status": "ok"}', False),
    ],
)
def test_the_health_check_of_our_image(status: int, body: bytes, healthy: bool) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/health"
        done = subprocess.run(
            [sys.executable, ROOT / "docker" / "healthy.py", url], capture_output=True, check=False
        )
        thread.join()
    assert (done.returncode == 0) is healthy
