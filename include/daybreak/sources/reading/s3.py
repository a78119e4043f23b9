"""Source files on S3 or any store with its protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from daybreak.errors import DatasetError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WILD = "*?["


def is_s3(uri: str) -> bool:
    """Whether ``uri`` is an ``s3://`` URL."""
    return uri.startswith("s3://")


def matching(pattern: str, endpoint_url: str | None) -> list[str]:
    """Objects that the pattern names, in order; ``*`` stays within one level of the key.

    Raises ``DatasetError`` where the bucket cannot be listed.
    """
    bucket, key = _split(pattern)
    if not any(sign in key for sign in _WILD):
        return [pattern]
    prefix = key[: min(key.find(sign) for sign in _WILD if sign in key)]
    with _client(pattern, endpoint_url) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    found = [k for k in keys if fnmatchcase(k, key) and k.count("/") == key.count("/")]
    return [f"s3://{bucket}/{k}" for k in sorted(found)]


@contextmanager
def downloaded(uri: str, endpoint_url: str | None) -> Iterator[Path]:
    """The object as a temporary file: it is hashed, then read, and both see the same bytes."""
    bucket, key = _split(uri)
    with tempfile.TemporaryDirectory(prefix="daybreak-") as folder:
        path = Path(folder) / Path(key).name  # the suffix says how to read it
        with _client(uri, endpoint_url) as client:
            client.download_file(bucket, key, str(path))
        yield path


@contextmanager
def _client(uri: str, endpoint_url: str | None) -> Iterator[S3Client]:
    import boto3  # noqa: PLC0415  a third of a second that most loads never need
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield boto3.client("s3", endpoint_url=endpoint_url)
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise DatasetError(
            f"{uri} cannot be read: {error}.",
            remedy="Check bucket, key, credentials and DAYBREAK_S3_ENDPOINT_URL.",
            file=uri,
        ) from None


def _split(uri: str) -> tuple[str, str]:
    bucket, separator, key = uri.removeprefix("s3://").partition("/")
    if not (bucket and separator and key):
        raise DatasetError(f"{uri} names no object.", remedy="Write s3://bucket/key.", file=uri)
    return bucket, key
