"""What starts and what is done, in place on a terminal and as plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from daybreak.types import Progress

DONE = frozenset({"healthy", "stopped", "external", "done"})

LINE_SECONDS = 10.0
"""Seconds between lines in a log while work goes on."""


class Board:
    """One line a name, with what last happened to it and how long it took.

    ``pause``: in a log, the least seconds between two lines of one name.
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
        """Note that ``event`` happened to ``name``."""
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


@contextmanager
def working(start: str, *, each: bool = False) -> Iterator[Progress]:
    """Where long work is, on stderr: in place on a terminal, else a line every ``LINE_SECONDS``.

    Yields the listener that jobs take as ``progress``. During a long step the seconds since the
    beginning go on. ``each``: in a log, print every message as it comes; without it, work that is
    done sooner prints nothing there.
    """
    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_terminal:
        with console.status(start) as status:
            yield lambda message: status.update(escape(message))
        return
    log = _Log(console, start, each)
    try:
        yield log.take
    finally:
        log.end()


class _Log:
    """Lines about one piece of work; a thread prints those that are due."""

    def __init__(self, console: Console, start: str, each: bool) -> None:
        self._console = console
        self._each = each
        self._began = self._printed = time.monotonic()
        self._last = start
        self._wake = threading.Condition()
        self._over = False
        self._speaker = threading.Thread(target=self._speak, daemon=True)
        self._speaker.start()

    def take(self, message: str) -> None:
        """Where the work is now."""
        with self._wake:
            self._last = message
            if self._each:
                self._print()

    def end(self) -> None:
        """Stop printing."""
        with self._wake:
            self._over = True
            self._wake.notify()
        self._speaker.join()

    def _speak(self) -> None:
        with self._wake:
            while not self._over:
                silent = time.monotonic() - self._printed
                if silent >= LINE_SECONDS:
                    self._print()
                else:
                    self._wake.wait(LINE_SECONDS - silent)

    def _print(self) -> None:
        self._printed = time.monotonic()
        seconds = self._printed - self._began
        self._console.print(f"{self._last} ({seconds:.0f} s)", soft_wrap=True)
