"""A mail server in this process: it takes what is sent (RFC 5321, without TLS) and keeps it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import ClassVar


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


@dataclass
class MailServer:
    port: int
    mails: list[Mail] = field(default_factory=list)


class _Session(socketserver.StreamRequestHandler):
    kept: ClassVar[list[Mail]]

    def handle(self) -> None:
        self._say(220, "here")
        sender, recipients = "", list[str]()
        while line := self.rfile.readline():
            command, _, rest = line.decode().strip().partition(" ")
            match command.upper():
                case "EHLO" | "HELO":
                    self._say(250, "here")
                case "MAIL":
                    sender, recipients = _address(rest), []
                    self._say(250, "OK")
                case "RCPT":
                    recipients.append(_address(rest))
                    self._say(250, "OK")
                case "DATA":
                    self._say(354, "go on")
                    self.kept.append(Mail(sender, tuple(recipients), self._message()))
                    self._say(250, "OK")
                case "QUIT":
                    self._say(221, "bye")
                    return
                case _:
                    self._say(250, "OK")

    def _message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        found = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def _say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


@contextmanager
def mail_server() -> Iterator[MailServer]:
    kept: list[Mail] = []
    handler = type("Session", (_Session,), {"kept": kept})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield MailServer(server.server_address[1], kept)
        finally:
            server.shutdown()
            thread.join(30)
