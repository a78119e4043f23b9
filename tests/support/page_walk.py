"""Walks through the page as people do: by the texts of its links, alone or inside Airflow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from browsing import drawn

TABS = {
    "Today": (),
    "Forecast": ("How good was it?",),
    "Recommendations": ("How good were they?",),
    "Fraud": ("Did we find the frauds?",),
    "Prices": (),
    "Models": (),
    "Data": (),
}
"""Views of the navigation, and what their tabs lead to."""
CHARTLESS = {"Today", "Recommendations"}


@dataclass(frozen=True)
class Doors:
    """What a demo prints under *Where to look*."""

    airflow: str
    user: str
    password: str
    page: str
    key: str


def doors(printed: str) -> Doors:
    """Read them from what it printed."""
    airflow = re.search(r"^Airflow +(\S+) +\(user (\S+), password (\S+)\)", printed, re.M)
    page = re.search(r"^Page +(\S+) +\(log in with the key (\S+)\)", printed, re.M)
    assert airflow is not None
    assert page is not None
    return Doors(*airflow.groups(), *page.groups())


def walk(view: Any, kept: Callable[[str], None]) -> None:
    """Click through every view. ``view``: a page, or the frame that it is in; ``kept`` is called
    with a name once each is drawn."""
    for title, tabs in TABS.items():
        links = view.get_by_role("navigation", name="Views")
        links.get_by_role("link", name=title, exact=True).click()
        _arrived(view, title, title)
        kept(title.lower())
        for tab in tabs:
            view.get_by_role("link", name=tab, exact=True).click()
            _arrived(view, tab, title)
            kept(f"{title}-{tab}".lower().replace(" ", "-").rstrip("?"))


def _arrived(view: Any, heading: str, title: str) -> None:
    # The link that was followed says where one is, in the navigation or among the tabs.
    at = "main .tabs" if heading != title else "nav"
    view.locator(f"{at} a[aria-current]").filter(has_text=heading).wait_for()
    view.locator("main h1").wait_for()
    said = view.locator("main").inner_text()
    assert "Not possible" not in said, said
    assert "Failed" not in said, said
    if heading == title and title in CHARTLESS:
        return
    assert drawn(view) >= 1, heading


def log_in_to_airflow(page: Any, url: str, user: str, password: str) -> None:
    """Through the form of Airflow's own login."""
    page.goto(url)
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Browse").wait_for()


def leads_to_a_run(page: Any, view: Any) -> None:
    """A link of Today to a run leads out of any frame, to the page of that run."""
    view.get_by_role("link", name="run in Airflow").first.click()
    page.wait_for_url(re.compile(r"/dags/daily_\w+/runs/[^/]+"))
    dag = page.url.split("/dags/")[1].partition("/")[0]
    page.get_by_role("link", name=dag).first.wait_for()
    page.get_by_text("Success").first.wait_for()
    assert page.locator("iframe").count() == 0


def open_in_airflow(page: Any) -> Any:
    """*Browse*, then *Daybreak*; returns the frame in which the page is."""
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Daybreak").click()
    place = page.locator('iframe[title="Daybreak"]')
    place.wait_for()
    frame = place.element_handle().content_frame()
    frame.wait_for_url(re.compile("/daybreak/ui"))
    return frame
