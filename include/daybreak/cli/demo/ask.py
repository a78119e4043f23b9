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
from typing import Any
from urllib.request import Request, urlopen

import typer

from daybreak.errors import PlatformError
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import create_key, list_keys, revoke_key
from daybreak.warehouse.engine import begin

KEY_NAME = "demo"
FRESH_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Service:
    """The running service and a key that opens it."""

    url: str | None
    token: str

    def ask(self, model: str, body: Mapping[str, Any], generation_id: int) -> dict[str, Any]:
        """Print the command, run it, and return the answer.

        The service looks for new publications and keys every few seconds: asks until it has.
        Raises ``PlatformError`` where it never answers from the generation.
        """
        command = [
            *("curl", "-sS", f"{self.url}/v1/models/{model}/predict"),
            *("-H", f"Authorization: Bearer {self.token}"),
            *("-H", "Content-Type: application/json"),
            *("-d", json.dumps(body, ensure_ascii=False)),
        ]
        typer.echo(shlex.join(command))
        give_up = time.monotonic() + FRESH_PATIENCE_SECONDS
        while (answer := _ask(command)).get("generation") != generation_id:
            if time.monotonic() > give_up:
                raise PlatformError(
                    f"The prediction service does not answer from generation {generation_id}: "
                    f"{answer}.",
                    remedy="See logs/serving.log in the state folder.",
                )
            time.sleep(0.5)
        return answer


def open_service(runtime: Runtime) -> Service:
    """The service, with a new key in place of the one that an earlier demo made."""
    with begin(runtime.engine) as conn:
        for key in list_keys(conn):
            if key["name"] == KEY_NAME and key["revoked_at"] is None:
                revoke_key(conn, key["key_id"], runtime.clock())
        token = create_key(conn, KEY_NAME, runtime.clock()).token
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
