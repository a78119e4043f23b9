"""What starts and what is done, in place on a terminal and as plain lines in a log."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

DONE = frozenset({"healthy", "stopped", "external", "done"})


class Board:
    """One line a name, with what last happened to it and how long it took.

    In a log, ``pause`` is how many seconds lie between two lines of one name at least.
    """

    def __init__(self, title: str, pause: float = 0.0) -> None:
        self._pause = pause
        self._printed: dict[str, float] = {}
        self._console = Console(highlight=False)
        self._title = title
        self._lines: dict[str, tuple[str, float, float | None]] = {}
        self._guard = threading.Lock()  # components report from several threads
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def note(self, name: str, event: str) -> None:
        """Take in that ``event`` happened to ``name``."""
        now = time.monotonic()
        with self._guard:
            _, began, _ = self._lines.get(name, ("", now, None))
            self._lines[name] = (event, began, now if event in DONE else None)
            if self._console.is_terminal:
                return
            if event in DONE or now - self._printed.get(name, -self._pause) >= self._pause:
                self._printed[name] = now
                self._console.print(f"{name}: {event} ({now - began:.1f} s)", soft_wrap=True)

    def _render(self) -> Table:
        table = Table(title=self._title, title_justify="left", box=None, pad_edge=False)
        for _ in range(4):
            table.add_column()
        table.show_header = False
        with self._guard:
            lines = list(self._lines.items())
        for name, (event, began, ended) in lines:
            seconds = (ended or time.monotonic()) - began
            mark = "[green]✓[/]" if ended else Spinner("dots")
            table.add_row(mark, name, event, f"{seconds:.1f} s")
        return table
