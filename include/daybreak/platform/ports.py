"""Choose free ports, and name the process that holds one."""

from __future__ import annotations

import socket

import psutil

from daybreak.errors import PlatformError

SEARCH = 100


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def choose(host: str, preferred: int, *, setting: str, fixed: bool) -> int:
    """A free port: ``preferred`` itself, else the next free one unless it is ``fixed``.

    0 is any free port. Raises ``PlatformError`` that names the process holding a fixed port.
    """
    if preferred == 0:
        with socket.create_server((host, 0)) as probe:
            return int(probe.getsockname()[1])
    if is_free(host, preferred):
        return preferred
    if not fixed:
        for port in range(preferred + 1, min(preferred + SEARCH, 65536)):
            if is_free(host, port):
                return port
    raise PlatformError(
        f"Port {preferred} ({setting}) is held by {holder(preferred)}.",
        remedy=f"End that process, or set {setting} to another port (0: any free one).",
        port=preferred,
        setting=setting,
    )


def holder(port: int) -> str:
    """The process that listens on a port, as people name it: pid and command."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        connections = []
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            if connection.pid is None:
                break
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                command = "command unknown"
            return f"process {connection.pid} ({command[:160]})"
    return "a process of another user"
