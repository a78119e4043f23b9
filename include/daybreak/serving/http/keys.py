"""API keys: made, listed, revoked and found in the warehouse. The secret is shown once.

A key reads ``dbk_<id>_<secret>``. The id is public and finds the row; the secret has 256 random
bits, so a plain sha256 of it cannot be guessed back and no slow password hash is needed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection, insert, select, update

from daybreak.errors import InvalidRequest, NotFound
from daybreak.warehouse.tables import api_key

_FORM = re.compile(r"dbk_(?P<key_id>[0-9a-f]{12})_(?P<secret>[0-9a-f]{64})")
_LONGEST_NAME = 100


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment at which its ``token`` is known."""

    key_id: str
    name: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class StoredKey:
    """What the warehouse knows of a key."""

    key_id: str
    name: str
    digest: str = field(repr=False)
    revoked: bool

    def opens_with(self, secret: str) -> bool:
        """Whether the key is in force and this is its secret, compared in constant time."""
        return compare_digest(_digest(secret), self.digest) and not self.revoked


def create_key(conn: Connection, name: str, now: datetime) -> NewKey:
    """Make a key for the caller called ``name`` (1–100 printable characters)."""
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            "The name of a key is empty, too long or not printable.",
            remedy=f"Give 1 to {_LONGEST_NAME} printable characters that say who will use it.",
            field="name",
        )
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    conn.execute(
        insert(api_key).values(key_id=key_id, name=name, sha256=_digest(secret), created_at=now)
    )
    return NewKey(key_id, name, f"dbk_{key_id}_{secret}")


def list_keys(conn: Connection) -> list[dict[str, Any]]:
    """Id, name and both dates of every key, oldest first; nothing about the secrets."""
    columns = (api_key.c.key_id, api_key.c.name, api_key.c.created_at, api_key.c.revoked_at)
    query = select(*columns).order_by(api_key.c.created_at, api_key.c.key_id)
    return [dict(row) for row in conn.execute(query).mappings()]


def revoke_key(conn: Connection, key_id: str, now: datetime) -> None:
    """Close a key for good; closing it again keeps the first date. Raises ``NotFound``."""
    if find_key(conn, key_id) is None:
        # What was given is not repeated: it may be the key itself.
        raise NotFound(
            "There is no API key of this id.",
            remedy="`daybreak keys list` shows the ids; give the id, never the key itself.",
            field="key_id",
        )
    conn.execute(
        update(api_key)
        .where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def find_key(conn: Connection, key_id: str) -> StoredKey | None:
    """The row of a key, revoked or not."""
    columns = (api_key.c.name, api_key.c.sha256, api_key.c.revoked_at)
    row = conn.execute(select(*columns).where(api_key.c.key_id == key_id)).one_or_none()
    return row and StoredKey(key_id, row.name, row.sha256, row.revoked_at is not None)


def split_token(token: str) -> tuple[str, str] | None:
    """Id and secret of a token, or None where it does not have the form of one."""
    match = _FORM.fullmatch(token)
    return (match["key_id"], match["secret"]) if match else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
