"""Who is calling, and what they may do.

Every route is closed to everyone until its view says what it needs (``@needs``), or that it is
open (``@public``).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from flask import Flask, Request, g, request

from daybreak.errors import Forbidden, Unauthenticated
from daybreak.runtime import Runtime
from daybreak.serving.held import Held
from daybreak.serving.http.current import current_request, known
from daybreak.serving.http.keys import Scope, StoredKey, digest_of, keys_in_force, split_token
from daybreak.serving.http.rates import Rates
from daybreak.warehouse.engine import connect

View = TypeVar("View", bound=Callable[..., Any])
_NEEDED = "_daybreak_needed"
_OPEN = object()

FRESH_SECONDS = 1.0
"""A caller is refused by keys that were read less than this ago: so long a new one may wait."""


class Caller(NamedTuple):
    """Who a request comes from: the name that logs may show, and an id that nobody else has.

    ``may``: whether the caller may do what a scope says, with the model of this name; None: with
    any of them.
    """

    name: str
    id: str
    may: Callable[[Scope, str | None], bool]


class Authenticator(Protocol):
    """Decides from the headers who is calling."""

    def authenticate(self, request: Request) -> Caller:
        """The caller. Raises ``Unauthenticated``."""
        ...


def public(view: View) -> View:
    """Mark a view as open without authentication. Nothing else opens a route."""
    setattr(view, _NEEDED, _OPEN)
    return view


def is_public(view: Callable[..., Any] | None) -> bool:
    """Whether a view is open without authentication."""
    return getattr(view, _NEEDED, None) is _OPEN


def needs(scope: Scope) -> Callable[[View], View]:
    """Mark a view as open to callers that have the scope: for the model that the path names by
    ``<name>``, where it names one."""

    def mark(view: View) -> View:
        setattr(view, _NEEDED, scope)
        return view

    return mark


def require(scope: Scope) -> None:
    """Go on only if the caller of this request has the scope, for what one of its options needs
    beyond its route. Raises ``Forbidden``."""
    _check(g.caller, scope)


def may(scope: Scope, model: str | None) -> bool:
    """Whether the caller of this request has the scope for the model of this name."""
    return bool(g.caller.may(scope, model))


def close_by_default(app: Flask, authenticator: Authenticator, rates: Rates) -> None:
    """Authenticate before every request, unknown paths included, unless the view is public; count
    it, so that no caller asks more often than it may; and hold the caller to what the view needs.
    """

    @app.before_request
    def authenticate() -> None:
        asked = current_request()
        view = app.view_functions.get(asked.endpoint or "")
        needed = getattr(view, _NEEDED, None)
        if needed is _OPEN:
            return
        caller = known().caller = authenticator.authenticate(asked)
        rates.take(caller.id)
        if needed is not None:
            _check(caller, needed)
        elif view is not None:
            raise Forbidden(
                "This route is closed: its view does not say what a caller needs.",
                remedy="Mark the view with @needs(scope) or @public.",
            )


def _check(caller: Caller, scope: Scope) -> None:
    model = (request.view_args or {}).get("name")
    if not caller.may(scope, model):
        raise Forbidden(
            f"The caller may not do this: it lacks the scope {scope}.",
            remedy=f"`daybreak keys create NAME --scope {scope}` makes a key that has it; in "
            "Airflow, the user's role has to see the model's DAG, or edit it for events and admin.",
            scope=scope,
        )


class ApiKeys:
    """Authenticates by ``Authorization: Bearer dbk_…`` or ``X-API-Key: dbk_…``.

    All keys in force are held in memory: a revocation takes effect within
    ``settings.refresh_seconds``, and while the warehouse is down they go on working for
    ``settings.stale_seconds``.

    Who is refused learns nothing about ids, neither from the answer nor from its time: an unknown
    id is treated like a known one with a wrong secret. Both cost one comparison, and where the keys
    were read longer than ``FRESH_SECONDS`` ago, both let them be read anew: so a new key opens.
    """

    def __init__(
        self, runtime: Runtime, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        def read(_previous: Mapping[str, StoredKey] | None) -> Mapping[str, StoredKey]:
            with connect(runtime.engine) as conn:
                return keys_in_force(conn, runtime.clock())

        self._clock = runtime.clock
        self._keys = Held(
            read,
            refresh=runtime.settings.refresh_seconds,
            stale=runtime.settings.stale_seconds,
            monotonic=monotonic,
        )
        # Nobody has its secret, which was never made.
        self._nobody = StoredKey("", "", secrets.token_hex(32), frozenset())

    def authenticate(self, request: Request) -> Caller:
        """The name that the key was created with. Raises ``Unauthenticated`` and
        ``WarehouseUnavailable``."""
        return self.caller(_token(request))

    def caller(self, token: str) -> Caller:
        """Who has a key. Raises what ``authenticate`` raises."""
        parts = split_token(token)
        if parts is None:
            raise _refused()
        key_id, digest = parts[0], digest_of(parts[1])
        key = self._keys.get().get(key_id, self._nobody)
        if not key.opens_with(digest):
            key = self._keys.get(within=FRESH_SECONDS).get(key_id, self._nobody)
            if not key.opens_with(digest):
                raise _refused()
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise _refused()
        return Caller(key.name, key.key_id, key.may)

    def known(self, key_id: str) -> Caller:
        """Who has shown the key of this id before, while it is in force. Raises likewise."""
        key = self._keys.get().get(key_id) or self._keys.get(within=FRESH_SECONDS).get(key_id)
        if key is None or (key.expires_at is not None and key.expires_at <= self._clock()):
            raise _refused()
        return Caller(key.name, key.key_id, key.may)


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
