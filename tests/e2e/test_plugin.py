"""The endpoint inside a real Airflow API server: closed without a login, open to who may see the
DAG of a model."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import jwt
import pytest

from day_equality import assert_row_equals, published_rows
from daybreak.platform.airflow_env import airflow_env
from daybreak.platform.components import python
from daybreak.platform.folder import StateFolder
from daybreak.platform.ports import choose
from daybreak.runtime import Runtime, system_clock
from daybreak.serving.app import create_app
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse.engine import begin
from open_routes import OPEN, of_page
from report_days import champion
from toy import DAY, TOY, publish_day

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
SUPPORT = TESTS / "support"
BODY = {"store": "S1", "item": "pear", "date": "2026-02-03"}
EVENTS = {
    "events": [
        {"event_id": "e", "event_at": system_clock().isoformat(), "keys": {"card": "c"}},
    ]
}
LABELS = {"labels": [{"event_id": "e", "fraud": True}]}
TENSORS = {
    "inputs": [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
        for name, value in BODY.items()
    ]
}
PREDICT = "/daybreak/v1/models/toy/predict"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
FORMULA = '=HYPERLINK("http://evil.example","x")'
USERS = "admin:admin,daily_toy:viewer,daily_other:viewer,nobody:"
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        """Unknown paths of the API server answer 200 with the UI's HTML, so look at the body."""
        assert self.headers.get_content_type() == "application/json", self.text[:300]
        return json.loads(self.text)


@dataclass(frozen=True)
class Airflow:
    """An API server with the plugin, an administrator's token, those of others, and the secret
    that signs them."""

    port: int
    token: str
    others: Mapping[str, str]
    secret: str

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        return send(self.port, method, path, body, headers)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"_token={self.token}"}


def send(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        data = json.dumps(body) if isinstance(body, dict) else body
        sent = {"Content-Type": "application/json"} | (headers or {})
        connection.request(method, path, data, sent, encode_chunked=not isinstance(data, str))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=0.2)


@pytest.fixture
def airflow(postgres: Any, metadata_template: str, runtime: Runtime) -> Iterator[Airflow]:
    publish_day(runtime)
    with begin(runtime.engine) as conn:
        declare(conn, Stream("payments", ("card",), (), 2, {}, "UTC"), system_clock())
    with postgres.database(metadata_template) as name:
        settings = runtime.settings.model_copy(
            update={"airflow_database_url": _secret(postgres.url(name))}
        )
        folder = StateFolder(settings.state)
        folder.prepare()
        port = choose("127.0.0.1", 0, setting="", fixed=False)
        given = os.environ.get("PYTHONPATH", "")
        path = os.pathsep.join([str(SUPPORT / "toy_site"), str(SUPPORT), given])
        env = {
            **os.environ,
            **airflow_env(settings, folder, port),
            "PYTHONPATH": path,
            "DAYBREAK_WAREHOUSE_URL": runtime.settings.warehouse_dsn,
            "AIRFLOW__CORE__AUTH_MANAGER": "dag_by_dag.DagByDag",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
        }
        log = folder.logs / "api-server.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                python("airflow", "api-server", "--port", str(port), "--workers", "1"),
                env=env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait_until_healthy(server, port, log)
            generated = folder.airflow_home / "simple_auth_manager_passwords.json.generated"
            passwords = json.loads(generated.read_text())
            tokens = {user: token_of(port, user, word) for user, word in passwords.items()}
            yield Airflow(port, tokens.pop("admin"), tokens, folder.secret("jwt"))
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def token_of(port: int, user: str, password: str) -> str:
    granted = send(port, "POST", "/auth/token", {"username": user, "password": password})
    assert granted.status == 201, granted.text
    return str(granted.json["access_token"])


def _secret(url: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(url.replace("+psycopg", ""))


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if send(port, "GET", "/api/v2/version").status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"Airflow's API server did not start:\n{log.read_text()[-5000:]}")


class Route(NamedTuple):
    """A method and a path of the app."""

    method: str
    path: str
    is_open: bool


def routes(runtime: Runtime) -> list[Route]:
    """All, listed by the app itself."""
    app = create_app(runtime, authenticator=None, models=[TOY])  # type: ignore[arg-type]  # unused
    version = published_rows(runtime.engine, TOY, DAY)[0].version
    return [
        Route(
            method,
            rule.rule.replace("<name>", "toy")
            .replace("<version>", version)
            .replace("<stream>", "payments")
            + (f"?{urlencode(BODY)}" if rule.endpoint.endswith("look_up") else ""),
            rule.rule in OPEN,
        )
        for rule in app.url_map.iter_rules()
        if not of_page(rule.rule)
        for method in sorted(rule.methods or ())
    ]


def body_of(path: str) -> dict[str, Any]:
    if path.startswith("/v1/streams/"):
        return EVENTS if path.endswith("/events") else LABELS
    return TENSORS if path.endswith("/infer") else BODY


def test_the_mount_is_closed_to_anonymous_callers_and_open_to_users(
    airflow: Airflow, runtime: Runtime
) -> None:
    listed = routes(runtime)
    assert {"/healthz", "/v1/models/toy/predict", "/v2/models/toy/infer"} <= {
        route.path for route in listed
    }

    # Without a token, or with one that is not Airflow's: 401, in our own JSON shape.
    forged = {"Authorization": f"Bearer {airflow.token[:-4]}AAAA"}
    for method, path, is_open in [*listed, Route("GET", "/nowhere", False)]:
        for headers in ({}, forged, {"X-API-Key": f"dbk_{'0' * 12}_{'0' * 64}"}):
            answer = airflow.send(method, f"/daybreak{path}", body_of(path), headers)
            if is_open:
                assert answer.status == 200, (method, path, answer.text)
            else:
                assert answer.status == 401, (method, path, answer.text)
                if method != "HEAD":
                    said = answer.json if path.startswith("/v2") else answer.json["error"]
                    assert said["code"] == "unauthenticated"

    # With a token: 200 and our own body, never the UI's page.
    for method, path, _ in listed:
        answer = airflow.send(method, f"/daybreak{path}", body_of(path), airflow.bearer)
        assert answer.status == 200, (method, path, answer.text)
    assert airflow.send("GET", "/daybreak/healthz").json == {"status": "ok"}
    assert airflow.send("GET", "/daybreak/readyz").json["status"] == "ready"
    (model,) = airflow.send("GET", "/daybreak/v1/models", headers=airflow.bearer).json["models"]
    assert model["model"] == "toy"
    document = airflow.send("GET", "/daybreak/v1/openapi.json").json
    assert document["servers"] == [{"url": "/daybreak"}]
    unknown = airflow.send("GET", "/daybreak/nowhere", headers=airflow.bearer)
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "not_found")

    the_page_is_behind_the_same_login(airflow)
    an_attack_on_the_page_gets_its_answer(airflow, runtime)
    who_may_not_see_the_dag_may_not_predict(airflow, listed)
    the_cookie_alone_opens_only_what_is_safe(airflow)
    predictions_equal_the_table(airflow, runtime)
    a_chunked_body_is_read_and_bounded(airflow)
    a_token_that_was_logged_out_opens_nothing(airflow)


def who_may_not_see_the_dag_may_not_predict(airflow: Airflow, listed: Sequence[Route]) -> None:
    def send(user: str, method: str, path: str) -> Answer:
        bearer = {"Authorization": f"Bearer {airflow.others[user]}"}
        return airflow.send(method, f"/daybreak{path}", body_of(path), bearer)

    for method, path, is_open in listed:
        # Who only sees the DAG has neither the scope admin nor events.
        may = 403 if path == "/metrics" or path.startswith("/v1/streams/") else 200
        assert send("daily_toy", method, path).status == may, (method, path)
        refused = send("nobody", method, path)
        assert refused.status == (200 if is_open else 403), (method, path, refused.text)
        if refused.status == 403 and method != "HEAD":
            said = refused.json if path.startswith("/v2") else refused.json["error"]
            assert said["code"] == "forbidden"
            assert "DAG" in said["remedy"]
        if "toy" in path and not is_open:
            assert send("daily_other", method, path).status == 403, (method, path)
    assert send("daily_other", "GET", "/v1/models").json == {"models": []}
    (model,) = send("daily_toy", "GET", "/v1/models").json["models"]
    assert model["model"] == "toy"


def the_page_is_behind_the_same_login(airflow: Airflow) -> None:
    """A page for people: HTML also where it is closed, relative addresses, forms of its own."""
    closed = airflow.send("GET", "/daybreak/ui")
    assert (closed.status, closed.headers.get_content_type()) == (401, "text/html")
    assert "Log in to Airflow" in closed.text
    assert f'href="http://127.0.0.1:{airflow.port}' in closed.text
    assert closed.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    today = airflow.send("GET", "/daybreak/ui", headers=airflow.cookie)
    assert today.status == 200, today.text
    assert "toy" in today.text
    assert 'href="ui/models"' in today.text
    assert "Log out" not in today.text
    models = airflow.send("GET", "/daybreak/ui/models", headers=airflow.cookie)
    assert 'href="data"' in models.text
    assert "Roll back" in models.text
    assert airflow.send("GET", "/daybreak/ui/page.css").status == 200
    assert airflow.send("GET", "/daybreak/ui/forecast", headers=airflow.cookie).status == 404

    viewer = {"Cookie": f"_token={airflow.others['daily_toy']}"}
    assert "Roll back" not in airflow.send("GET", "/daybreak/ui/models", headers=viewer).text
    nobody = {"Cookie": f"_token={airflow.others['nobody']}"}
    assert airflow.send("GET", "/daybreak/ui", headers=nobody).status == 403

    form = urlencode({"model": "toy", "business_date": DAY.isoformat(), "reason": "wrong"})
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    here = {"Origin": f"http://127.0.0.1:{airflow.port}"}
    for headers, status in (
        (airflow.cookie, 401),  # as everywhere, the cookie alone changes nothing
        (airflow.cookie | {"Origin": "http://evil.example"}, 401),
        (viewer | here, 403),
        (airflow.cookie | here, 400),  # a day that is none: the form itself was taken
    ):
        wrong = form if status != 400 else form.replace(DAY.isoformat(), "yesterday")
        sent = airflow.send("POST", "/daybreak/ui/rollback", wrong, typed | headers)
        assert (sent.status, sent.headers.get_content_type()) == (status, "text/html"), sent.text
    views = airflow.send("GET", "/api/v2/plugins", headers=airflow.bearer).json["plugins"]
    (ours,) = [plugin for plugin in views if plugin["name"] == "daybreak"]
    assert [view["href"] for view in ours["external_views"]] == ["/daybreak/ui"]


def an_attack_on_the_page_gets_its_answer(airflow: Airflow, runtime: Runtime) -> None:
    """As under gunicorn (tests/integration/serving/test_page_safety.py), behind Airflow's login."""
    version = published_rows(runtime.engine, TOY, DAY)[0].version
    with begin(runtime.engine) as conn:
        for ago, reason in enumerate((FORMULA, HOSTILE)):
            since = system_clock() - timedelta(minutes=ago)
            champion(conn, version, since, reason, model="toy")

    def page(path: str, headers: dict[str, str] = airflow.cookie) -> Answer:
        return airflow.send("GET", f"/daybreak/ui{path}", headers=headers)

    # A login that has ended, beside the same one with its time still to come.
    claims = jwt.decode(airflow.token, options={"verify_signature": False})
    algorithm = jwt.get_unverified_header(airflow.token)["alg"]
    for until, status in ((claims["exp"], 200), (claims["iat"] - 3600, 401)):
        token = jwt.encode({**claims, "exp": until}, airflow.secret, algorithm)
        answer = page("/models", {"Cookie": f"_token={token}"})
        assert (answer.status, "Log in to Airflow" in answer.text) == (status, status == 401)

    # Names and reasons are texts, in HTML and in CSV, and so is what an address says.
    attack = quote(HOSTILE)
    for path in ("/models?model=toy", f"/models?model={attack}", f"/data?day={attack}"):
        shown = page(path)
        assert shown.status in {200, 400, 404}, path
        assert shown.headers.get_content_type() == "text/html"
        assert "<script>alert" not in shown.text
        assert "<img src=x" not in shown.text
    assert "&lt;script&gt;alert(1)" in page("/models?model=toy").text
    versions = page("/models?model=toy&csv=versions")
    assert versions.headers["Content-Disposition"] == 'attachment; filename="versions.csv"'
    assert versions.headers["X-Content-Type-Options"] == "nosniff"
    assert "'=HYPERLINK" in versions.text
    assert not re.search(r'(^|,)"?=', versions.text, re.MULTILINE)

    # No path is the name of a file, and none of Airflow's own UI.
    for path in ("/..%2fframe.py", "/%2e%2e/x", "/page.css%00", "//etc/passwd", "/static/page.css",
                 "/templates/page/frame.html", f"/models?csv={quote('../versions')}"):  # fmt: skip
        found = page(path)
        assert found.status == 404, path  # unknown paths of the API server itself answer 200
        assert not re.search(r"root:|^import |^from |--paper", found.text, re.MULTILINE), path

    # Forms of other sites, whatever the cookie; whoever is refused, nothing is withdrawn.
    host = f"127.0.0.1:{airflow.port}"
    typed = {"Content-Type": "application/x-www-form-urlencoded"} | airflow.cookie
    form = urlencode({"model": "toy", "business_date": DAY.isoformat(), "reason": "an attack"})
    before = published_rows(runtime.engine, TOY, DAY)
    for headers, status in (
        ({"Origin": "null"}, 401),
        ({"Origin": f"http://{host}.evil.example"}, 401),
        ({"Origin": f"http://evil.example/{host}"}, 401),
        ({"Origin": "http://127.0.0.1:1"}, 401),
        ({"Referer": f"http://{host}/daybreak/ui"}, 401),
        ({"Origin": f"http://{host}", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": f"http://{host}", "Sec-Fetch-Site": "cross-site"}, 403),
    ):
        answer = airflow.send("POST", "/daybreak/ui/rollback", form, typed | headers)
        assert answer.status == status, headers
    assert published_rows(runtime.engine, TOY, DAY) == before
    for path in ("/ui", "/ui/models", "/ui/nowhere"):
        answer = airflow.send("GET", f"/daybreak{path}", headers=airflow.cookie)
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def the_cookie_alone_opens_only_what_is_safe(airflow: Airflow) -> None:
    assert airflow.send("GET", "/daybreak/v1/models", headers=airflow.cookie).status == 200
    assert airflow.send("POST", PREDICT, BODY, airflow.cookie).status == 401
    other = airflow.cookie | {"Origin": "http://evil.example"}
    assert airflow.send("POST", PREDICT, BODY, other).status == 401
    null = airflow.cookie | {"Origin": "null"}
    assert airflow.send("POST", PREDICT, BODY, null).status == 401
    same = airflow.cookie | {"Origin": f"http://127.0.0.1:{airflow.port}"}
    assert airflow.send("POST", PREDICT, BODY, same).status == 200


def predictions_equal_the_table(airflow: Airflow, runtime: Runtime) -> None:
    generation, rows = published_rows(runtime.engine, TOY, DAY)
    for row in rows:
        assert_row_equals(
            lambda body: airflow.send("POST", PREDICT, dict(body), airflow.bearer).json,
            generation,
            row,
            model=TOY,
        )


def a_chunked_body_is_read_and_bounded(airflow: Airflow) -> None:
    def pieces(length: int) -> Iterator[bytes]:
        body = json.dumps(BODY).encode().ljust(length)
        yield from (body[i : i + 1000] for i in range(0, length, 1000))

    assert airflow.send("POST", PREDICT, pieces(3000), airflow.bearer).status == 200
    too_long = airflow.send("POST", PREDICT, pieces(1_100_000), airflow.bearer)
    assert (too_long.status, too_long.json["error"]["code"]) == (413, "request_too_large")


def a_token_that_was_logged_out_opens_nothing(airflow: Airflow) -> None:
    airflow.send("GET", "/api/v2/auth/logout", headers=airflow.cookie)
    assert airflow.send("GET", "/daybreak/v1/models", headers=airflow.bearer).status == 401


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    """Every component of Airflow loads it: scheduler, DAG processor, triggerer, each task."""
    script = """
        import sys
        import airflow.plugins_manager
        before = set(sys.modules)
        import daybreak_plugin
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        print(sorted(new & {"flask", "a2wsgi", "numpy", "xgboost", "pandas", "boto3", "pyarrow",
                            "onnxruntime", "sqlalchemy", "pydantic", "daybreak_airflow_auth"}))
    """
    import textwrap

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=os.environ | {"PYTHONPATH": str(TESTS.parent / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
