"""A real browser for tests: tabs that fail for what goes wrong in them, and screenshots.

Screenshots are kept in ``build/screenshots``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from daybreak.runtime import Runtime
from page_app import key_of, page_app
from programs import CHROMIUM

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
BLOCKED_STYLE = "Applying inline style violates"
"""What Plotly would add for maps, which the policy forbids and no figure has."""


@contextmanager
def chromium_started() -> Iterator[Any]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        # Under root, as in containers, Chromium has no sandbox of its own.
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A tab that fails its test for an error of a script, or a dialog.

    ``at``: what the addresses have in common whose errors count; those of others, as of Airflow's
    own UI around the page, do not.
    """

    def __init__(self, chromium: Any, at: str = "", **options: Any) -> None:
        self.at = at
        self.context = chromium.new_context(viewport={"width": 1280, "height": 860}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.faults: list[str] = []
        if not at:
            self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("console", self._said)

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, message: Any) -> None:
        refused = "Failed to load resource"  # the status of an answer, which tests look at
        ours = self.at in f"{message.location.get('url')} {message.text}"
        expected = message.text.startswith((BLOCKED_STYLE, refused))
        if message.type == "error" and ours and not expected:
            self.faults.append(message.text)


def keep(page: Any, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def expect_usable(page: Any) -> None:
    """No violation of WCAG, by axe, that keeps people out."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def drawn(page: Any) -> int:
    """How many charts there are, once all of them are drawn."""
    places = page.locator("[data-figure]")
    for number in range(places.count()):
        places.nth(number).locator("svg.main-svg").first.wait_for()
    return int(places.count())


@dataclass(frozen=True)
class Site:
    """Where a page is, and keys that open it."""

    url: str
    admin: str
    viewer: str


@contextmanager
def served(runtime: Runtime) -> Iterator[Site]:
    """The page of a warehouse, with what can be done from it."""
    server = make_server("127.0.0.1", 0, page_app(runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/ui"
        yield Site(url, key_of(runtime, "admin"), key_of(runtime, "predict"))
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def log_in(page: Any, site: Site, key: str, path: str = "") -> None:
    """By the form, from the address that was asked for."""
    page.goto(f"{site.url}{path}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
