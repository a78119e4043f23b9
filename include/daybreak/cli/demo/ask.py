"""Ask the prediction service of the demo, as an application would, and show the command."""

from __future__ import annotations

import json
import shlex
import shutil
import struct
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import typer

from daybreak.errors import PlatformError
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import READING, create_key, list_keys, revoke_key
from daybreak.warehouse.engine import begin

KEY_NAME = "demo"
FRESH_PATIENCE_SECONDS = 30.0
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """The running service and a key that opens it."""

    url: str | None
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Of a request with a body."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def connection(self) -> HTTPConnection:
        """A connection of its own, for many requests."""
        address = urlsplit(self.url or "")
        return HTTPConnection(address.hostname or "", address.port, timeout=CALL_SECONDS)

    def ask(self, model: str, body: Mapping[str, Any], **expected: Any) -> dict[str, Any]:
        """Print the command, run it, and return the answer.

        The service looks for new publications and keys every few seconds: asks until the answer
        has the ``expected`` fields (``generation``). Raises ``PlatformError`` where it never does.
        """
        command = [
            *("curl", "-sS", f"{self.url}/v1/models/{model}/predict"),
            *(word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")),
            *("-d", json.dumps(body, ensure_ascii=False)),
        ]
        typer.echo(shlex.join(command))
        give_up = time.monotonic() + FRESH_PATIENCE_SECONDS
        while not expected.items() <= (answer := _ask(command)).items():
            if time.monotonic() > give_up:
                wanted = " and ".join(f"{name} {value}" for name, value in expected.items())
                raise PlatformError(
                    f"The prediction service does not answer by {wanted}: {answer}.",
                    remedy="See logs/serving.log in the state folder.",
                )
            time.sleep(0.5)
        return answer


def open_service(runtime: Runtime) -> Service:
    """The service, with a new key in place of the one that an earlier demo made.

    The key may also send events and labels.
    """
    with begin(runtime.engine) as conn:
        for key in list_keys(conn):
            if key["name"] == KEY_NAME and key["revoked_at"] is None:
                revoke_key(conn, key["key_id"], runtime.clock())
        scopes = (*READING, "events")
        token = create_key(conn, KEY_NAME, runtime.clock(), scopes=scopes).token
    return Service(status(runtime.settings)["serving"].url, token)


def expect_equal(
    predicted: Mapping[str, Any], row: Mapping[str, Any], names: Iterable[str]
) -> None:
    """Raises ``PlatformError`` unless the values of a row are the answer's, bit for bit."""
    differing = [name for name in names if _bits(predicted[name]) != _bits(row[name])]
    if differing:
        raise PlatformError(
            f"The answer differs from the table's row in {', '.join(differing)}: "
            f"{dict(predicted)} is not {dict(row)}.",
            remedy="This must never happen: please report it with the state folder's logs.",
        )


def _ask(command: list[str]) -> dict[str, Any]:
    if shutil.which("curl"):
        printed = subprocess.run(command, capture_output=True, check=False).stdout
    else:
        headers = dict(header.split(": ", 1) for header in command[4:7:2])
        request = Request(command[2], command[-1].encode(), headers)  # noqa: S310 -- our service
        with urlopen(request) as response:  # noqa: S310 -- as above
            printed = response.read()
    try:
        answer = json.loads(printed)
    except ValueError:
        return {"unreadable": printed.decode(errors="replace")}
    return answer if isinstance(answer, dict) else {"unreadable": answer}


def _bits(value: Any) -> Any:
    return struct.pack("<f", value) if isinstance(value, float) else value
