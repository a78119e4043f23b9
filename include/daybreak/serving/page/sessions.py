"""A browser's session under gunicorn: opened by an API key, kept in a signed cookie with an end.

The cookie has the key's public id, when the session ends, and a signature; never the key. What a
session may do is asked of the key each time, so one that is revoked or expired ends it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Request, Response

from daybreak.errors import Unauthenticated
from daybreak.runtime import Runtime
from daybreak.serving.http.auth import ApiKeys, Caller

COOKIE = "daybreak_session"
LASTS = timedelta(hours=12)
_FORM = re.compile(r"(?P<key_id>[0-9a-f]{12})\.(?P<until>[0-9]{1,12})\.(?P<signature>[0-9a-f]{64})")


class Sessions:
    """Opens, checks and ends sessions; also an ``Authenticator``, of who is logged in.

    A header with a key opens the page as it opens everything else.
    """

    def __init__(self, runtime: Runtime, keys: ApiKeys) -> None:
        given = runtime.settings.page_secret
        # Made before the first fork, it is that of all workers.
        self._secret = given.get_secret_value().encode() if given else secrets.token_bytes(32)
        self._clock = runtime.clock
        self._keys = keys

    def open(self, token: str, request: Request, response: Response) -> Caller:
        """Log in with a key: give the response the cookie. Raises ``Unauthenticated``."""
        caller = self._keys.caller(token)
        until = int((self._clock() + LASTS).timestamp())
        said = f"{caller.id}.{until}"
        response.set_cookie(
            COOKIE,
            f"{said}.{self._signature(said)}",
            max_age=LASTS,
            path=_path(request),
            secure=_encrypted(request),
            httponly=True,
            samesite="Strict",
        )
        return caller

    def end(self, request: Request, response: Response) -> None:
        """Let the browser forget the cookie."""
        response.delete_cookie(
            COOKIE,
            path=_path(request),
            secure=_encrypted(request),
            httponly=True,
            samesite="Strict",
        )

    def authenticate(self, request: Request) -> Caller:
        """Who is logged in. Raises ``Unauthenticated`` and ``WarehouseUnavailable``."""
        if has_header(request):
            return self._keys.authenticate(request)
        found = _FORM.fullmatch(request.cookies.get(COOKIE, ""))
        if found is None:
            raise _over("You are not logged in.")
        said = f"{found['key_id']}.{found['until']}"
        if not hmac.compare_digest(self._signature(said), found["signature"]):
            raise _over("This session was opened before the service started anew.")
        if int(found["until"]) <= self._clock().timestamp():
            raise _over("Your session has ended.")
        return self._keys.known(found["key_id"])

    def _signature(self, said: str) -> str:
        return hmac.new(self._secret, said.encode(), sha256).hexdigest()


def has_header(request: Request) -> bool:
    """Whether a request says who it is from by a header, which no other site can make a browser
    send."""
    return "HTTP_AUTHORIZATION" in request.environ or "HTTP_X_API_KEY" in request.environ


def from_this_server(request: Request) -> bool:
    """Whether a browser says that a page of this server sent the request."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _path(request: Request) -> str:
    return f"{request.script_root}/ui"


def _encrypted(request: Request) -> bool:
    # Whoever forges this header hides the cookie from a connection without TLS, and no more.
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def _over(message: str) -> Unauthenticated:
    return Unauthenticated(message, remedy="Log in with an API key.")
