"""The app with its page as under gunicorn: sessions by keys, and what may be done from it."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from daybreak.jobs.by_hand import ByHand
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.http.keys import create_key
from daybreak.serving.page.frame import Page
from daybreak.serving.page.sessions import Sessions
from daybreak.warehouse.engine import begin

VIEWS = (
    "",
    "forecast",
    "accuracy",
    "lists",
    "hits",
    "fraud",
    "quality",
    "prices",
    "models",
    "data",
    "reports",
)
HOST = "localhost"
ORIGIN = {"Origin": f"http://{HOST}"}


def page_app(
    runtime: Runtime, *, acts: bool = True, models: Iterable[AnyModel] | None = None
) -> Flask:
    """The app on the runtime's warehouse."""
    keys = ApiKeys(runtime)
    page = Page(Sessions(runtime, keys), ByHand(runtime) if acts else None)
    return create_app(runtime, authenticator=keys, models=models, page=page)


def key_of(runtime: Runtime, *scopes: str, **more: Any) -> str:
    """A new key with these scopes."""
    with begin(runtime.engine) as conn:
        made = create_key(conn, " ".join(scopes), runtime.clock(), scopes=scopes, **more)
        return made.token


def browser(app: Flask, key: str | None = None) -> FlaskClient:
    """A client that keeps cookies, logged in with ``key``."""
    client = app.test_client()
    if key is not None:
        answer = client.post("/ui/login", data={"key": key}, headers=ORIGIN)
        assert answer.status_code == 303, answer.get_data(as_text=True)
    return client


class Elements(HTMLParser):
    """Tags of a page with their attributes, and the texts of those that hold data or a style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs) if tag in {"script", "style"} else None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.inline.append((self._open, data))

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def values(self, tag: str, attribute: str) -> list[str]:
        """Of each such tag that has the attribute."""
        return [
            given[attribute] or ""
            for name, given in self.tags
            if name == tag and attribute in given
        ]
