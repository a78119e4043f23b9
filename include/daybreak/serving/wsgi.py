"""``gunicorn --config python:daybreak.serving.gunicorn_conf daybreak.serving.wsgi:app``."""

from __future__ import annotations

from daybreak.runtime import get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys

runtime = get_runtime("service")
app = create_app(runtime, authenticator=ApiKeys(runtime))
