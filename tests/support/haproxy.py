"""A real HAProxy with the configuration of production, before replicas on this machine."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from programs import HAPROXY
from waiting import wait_for

PRODUCTION = Path(__file__).parents[2] / "docker" / "haproxy"


@dataclass(frozen=True)
class Balancer:
    """Where it listens; ``own``: for its metrics, which call the replicas api1, api2, …"""

    port: int
    own: int

    def count(self, name: str, **labels: str) -> int:
        """The sum of ``haproxy_<name>`` over what has these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.own}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        wanted = {"proxy": "api", **labels}.items()
        return sum(
            int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"haproxy_{name}" and wanted <= sample.labels.items()
        )

    @property
    def up(self) -> int:
        """How many replicas get requests."""
        return self.count("server_status", state="UP")


@contextmanager
def haproxy(folder: Path, replicas: Sequence[int]) -> Iterator[Balancer]:
    """Send requests to the ports ``replicas`` until the end of the block."""
    assert HAPROXY is not None
    with closing(reserve()) as port, closing(reserve()) as own:
        balancer = Balancer(port_of(port), port_of(own))
        file, log = folder / "haproxy.cfg", folder / "haproxy.log"
        file.write_text(configuration(balancer, replicas))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(file)], stdout=output, stderr=output
            )
        try:
            wait_for(lambda: process.poll() is not None or _listens(balancer.own))
            assert process.poll() is None, log.read_text()
            yield balancer
        finally:
            process.terminate()
            process.wait(30)


def configuration(balancer: Balancer, replicas: Sequence[int]) -> str:
    """The file of production but for what belongs to Docker: addresses, and how replicas are
    found."""
    text = (PRODUCTION / "haproxy.cfg").read_text()
    servers = "".join(
        f"    server api{number} 127.0.0.1:{port}\n" for number, port in enumerate(replicas, 1)
    )
    for of_docker, here in (
        (r"^resolvers docker\n(    .*\n)+", ""),
        (r" resolvers docker init-addr libc,none$", ""),
        (r"^    server-template api .*\n", servers),
        (r" :8080$", f" 127.0.0.1:{balancer.port}"),
        (r" :8404$", f" 127.0.0.1:{balancer.own}"),
        (r"/usr/local/etc/haproxy/", f"{PRODUCTION}/"),
    ):
        text, found = re.subn(of_docker, here, text, flags=re.MULTILINE)
        assert found == 1, f"{of_docker} is {found} times in haproxy.cfg"
    return text


def reserve() -> socket.socket:
    """A socket with a port that nobody else is given while it is open.

    It does not listen: who connects is refused, until a process listens that sets SO_REUSEADDR, as
    gunicorn and HAProxy do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def port_of(held: socket.socket) -> int:
    """The port of a socket."""
    return int(held.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
