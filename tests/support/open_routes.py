"""Which routes of the service are open to everybody; a test that walks all of them asks here."""

from __future__ import annotations

OPEN = frozenset(
    {
        "/healthz",
        "/readyz",
        "/docs",
        "/v1/openapi.json",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/<name>/ready",
        "/v2/models/<name>/versions/<version>/ready",
        "/ui/login",
        "/ui/colours.css",
        "/ui/page.css",
        "/ui/draw.js",
        "/ui/page.js",
        "/ui/plotly.js",
        "/ui/icon.svg",
    }
)
"""By their rules."""


PAGE = "/ui"


def of_page(path: str) -> bool:
    """Whether a path is one of the page's, which answers people in HTML."""
    return path == PAGE or path.startswith(f"{PAGE}/")


def open_paths(**named: str) -> set[str]:
    """The same with values in place of the names of a rule."""
    paths = set(OPEN)
    for name, value in named.items():
        paths = {path.replace(f"<{name}>", value) for path in paths}
    return paths
