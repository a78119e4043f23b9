"""Who may ask the endpoint."""

from __future__ import annotations

from sqlalchemy import ARRAY, CheckConstraint, Column, Table, Text, text

from daybreak.warehouse.tables.schema import Instant, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Text, primary_key=True, comment="the public part of the key"),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, comment="of the secret part, which has 256 random bits"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column(
        "scopes",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{predict,explain}'::text[]"),
        comment="what the key opens; admin opens all",
    ),
    Column(
        "expires_at", Instant, comment="from then on it opens nothing; null: it does not expire"
    ),
    CheckConstraint(
        "cardinality(scopes) > 0 AND scopes <@ '{predict,explain,events,admin}'::text[]",
        name="api_key_scopes",
    ),
    schema="ops",
)
