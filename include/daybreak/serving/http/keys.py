"""API keys: made, listed, revoked and read in the warehouse. The secret is shown once.

A key reads ``dbk_<id>_<secret>``. The id is public and finds the row; the secret has 256 random
bits, so a plain sha256 of it cannot be guessed back and no slow password hash is needed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hmac import compare_digest
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from daybreak.errors import Conflict, InvalidRequest, NotFound
from daybreak.warehouse.tables import api_key

Scope = Literal["predict", "explain", "events", "admin"]
"""What a key may open. ``admin`` opens what the others do, too."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
READING: tuple[Scope, ...] = ("predict", "explain")
"""What a key opens for which nothing else is said: what changes nothing."""

MOST_KEYS = 1_000
"""Keys in force at once: each worker reads them all every few seconds, in some 10 ms."""

_FORM = re.compile(r"dbk_(?P<key_id>[0-9a-f]{12})_(?P<secret>[0-9a-f]{64})")
_DAYS = re.compile(r"[1-9][0-9]{0,4}d")
_LONGEST_NAME = 100


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment at which its ``token`` is known."""

    key_id: str
    name: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class StoredKey:
    """What the warehouse knows of a key in force."""

    key_id: str
    name: str
    digest: str = field(repr=False)
    scopes: frozenset[Scope]
    expires_at: datetime | None = None

    def opens_with(self, digest: str) -> bool:
        """Whether this is the digest of its secret, compared in constant time."""
        return compare_digest(digest, self.digest)

    def may(self, scope: Scope, _model: str | None = None) -> bool:
        """Whether it opens what needs the scope, which it does for every model."""
        return scope in self.scopes or "admin" in self.scopes


def create_key(
    conn: Connection,
    name: str,
    now: datetime,
    *,
    scopes: Iterable[str] = READING,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key for the caller called ``name`` (1–100 printable characters).

    From ``expires_at`` on it opens nothing. Raises ``InvalidRequest``, naming the field, and
    ``Conflict`` where ``MOST_KEYS`` are in force.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            "The name of a key is empty, too long or not printable.",
            remedy=f"Give 1 to {_LONGEST_NAME} printable characters that say who will use it.",
            field="name",
        )
    given = set(scopes)
    if not given or not given.issubset(SCOPES):
        raise InvalidRequest(
            f"These are no scopes that a key can have: {', '.join(sorted(given)) or 'none'}.",
            remedy=f"Give one or more of: {', '.join(SCOPES)}.",
            field="scope",
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest(
            "The key would have expired before it is made.",
            remedy="Give a later date, or days from now, such as 90d.",
            field="expires",
        )
    known = conn.scalar(select(func.count()).select_from(api_key).where(*_in_force(now)))
    if (known or 0) >= MOST_KEYS:
        raise Conflict(
            f"{MOST_KEYS} keys are in force already.",
            remedy="`daybreak keys revoke ID` closes those that nobody uses.",
            limit=MOST_KEYS,
        )
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    conn.execute(
        insert(api_key).values(
            key_id=key_id,
            name=name,
            sha256=digest_of(secret),
            created_at=now,
            scopes=[scope for scope in SCOPES if scope in given],
            expires_at=expires_at,
        )
    )
    return NewKey(key_id, name, f"dbk_{key_id}_{secret}")


def expiry(text: str, now: datetime) -> datetime:
    """The moment that is meant by days from now (``90d``) or a date, which begins in UTC.

    Raises ``InvalidRequest``.
    """
    if _DAYS.fullmatch(text):
        return now + timedelta(days=int(text[:-1]))
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise InvalidRequest(
            "When the key expires is neither days from now nor a date.",
            remedy="Write 90d or 2027-01-31.",
            field="expires",
        ) from None


def list_keys(conn: Connection) -> list[dict[str, Any]]:
    """Id, name, scopes and dates of every key, oldest first; nothing about the secrets."""
    columns = [column for column in api_key.columns if column is not api_key.c.sha256]
    query = select(*columns).order_by(api_key.c.created_at, api_key.c.key_id)
    return [dict(row) for row in conn.execute(query).mappings()]


def keys_in_force(conn: Connection, now: datetime) -> dict[str, StoredKey]:
    """Every key that is neither revoked nor expired, by its id."""
    c = api_key.c
    query = select(c.key_id, c.name, c.sha256, c.scopes, c.expires_at).where(*_in_force(now))
    return {
        key_id: StoredKey(key_id, name, digest, frozenset(scopes), expires_at)
        for key_id, name, digest, scopes, expires_at in conn.execute(query)
    }


def revoke_key(conn: Connection, key_id: str, now: datetime) -> None:
    """Close a key for good; closing it again keeps the first date. Raises ``NotFound``."""
    closed = conn.execute(
        update(api_key)
        .where(api_key.c.key_id == key_id)
        .values(revoked_at=func.coalesce(api_key.c.revoked_at, now))
    )
    if closed.rowcount == 0:
        # What was given is not repeated: it may be the key itself.
        raise NotFound(
            "There is no API key of this id.",
            remedy="`daybreak keys list` shows the ids; give the id, never the key itself.",
            field="key_id",
        )


def split_token(token: str) -> tuple[str, str] | None:
    """Id and secret of a token, or None where it does not have the form of one."""
    match = _FORM.fullmatch(token)
    return (match["key_id"], match["secret"]) if match else None


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _in_force(now: datetime) -> tuple[ColumnElement[bool], ...]:
    expires = api_key.c.expires_at
    return api_key.c.revoked_at.is_(None), expires.is_(None) | (expires > now)
