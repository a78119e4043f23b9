"""Who is calling. Every route is closed unless its view is marked ``@public``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from flask import Flask, Request, current_app, g, request

from daybreak.errors import Unauthenticated
from daybreak.runtime import Runtime
from daybreak.serving.held import Held
from daybreak.serving.http.keys import StoredKey, find_key, split_token
from daybreak.serving.http.rates import Rates
from daybreak.warehouse.engine import connect

View = TypeVar("View", bound=Callable[..., Any])
_PUBLIC = "_daybreak_public"


@dataclass(frozen=True)
class Caller:
    """Who a request comes from, by the name that logs may show, and an id that nobody else has."""

    name: str
    id: str


class Authenticator(Protocol):
    """Decides from the headers who is calling."""

    def authenticate(self, request: Request) -> Caller:
        """The caller. Raises ``Unauthenticated`` or ``Forbidden``."""
        ...


def public(view: View) -> View:
    """Mark a view as open without authentication. Nothing else opens a route."""
    setattr(view, _PUBLIC, True)
    return view


def is_public(view: Callable[..., Any] | None) -> bool:
    """Whether a view is open without authentication."""
    return getattr(view, _PUBLIC, False)


def close_by_default(app: Flask, authenticator: Authenticator, rates: Rates) -> None:
    """Authenticate before every request, unknown paths included, unless the view is public; and
    count it, so that no caller asks more often than it may."""

    @app.before_request
    def authenticate() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if not is_public(view):
            g.caller = authenticator.authenticate(request)
            rates.take(g.caller.id)


class ApiKeys:
    """Authenticates by ``Authorization: Bearer dbk_…`` or ``X-API-Key: dbk_…``.

    A key that was found is held in memory: a revocation takes effect within
    ``settings.refresh_seconds``, and while the warehouse is down known keys go on working for
    ``settings.stale_seconds``. Unknown ids are not held, so guessing fills no memory.
    """

    def __init__(
        self, runtime: Runtime, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._runtime = runtime
        self._monotonic = monotonic
        self._known: dict[str, Held[StoredKey | None]] = {}

    def authenticate(self, request: Request) -> Caller:
        """The name that the key was created with."""
        parts = split_token(_token(request))
        if parts is None:
            raise _refused()
        key_id, secret = parts
        key = self._find(key_id)
        if key is None or not key.opens_with(secret):
            raise _refused()
        return Caller(key.name, key.key_id)

    def _find(self, key_id: str) -> StoredKey | None:
        held = self._known.get(key_id) or self._hold(key_id)
        key = held.get()
        if key is not None:
            self._known[key_id] = held
        return key

    def _hold(self, key_id: str) -> Held[StoredKey | None]:
        def read(_previous: StoredKey | None) -> StoredKey | None:
            with connect(self._runtime.engine) as conn:
                return find_key(conn, key_id)

        settings = self._runtime.settings
        return Held(
            read,
            refresh=settings.refresh_seconds,
            stale=settings.stale_seconds,
            monotonic=self._monotonic,
        )


def _token(request: Request) -> str:
    # Of the environment: a third of the time that the same costs by way of request.headers.
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return str(token.strip())
    return str(request.environ.get("HTTP_X_API_KEY", "").strip())


def _refused() -> Unauthenticated:
    # One message for every cause: it must not show a guesser which half was right.
    return Unauthenticated(
        "This request carries no valid API key.",
        remedy="Send Authorization: Bearer dbk_…; `daybreak keys create NAME` makes a key.",
    )
