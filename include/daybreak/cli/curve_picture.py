"""The picture of a demand curve, an HTML page: units with their interval above, margin below."""

from __future__ import annotations

from pathlib import Path

from daybreak.charts.document import figures_page
from daybreak.errors import InvalidRequest
from daybreak.prices.figures import curve_charts, curve_facts
from daybreak.scoring.curves import ItemCurve


def check_name(path: Path) -> None:
    """Raises ``InvalidRequest`` for a file of another kind."""
    if path.suffix != ".html":
        raise InvalidRequest(
            f"A curve is not drawn into {path.name!r}.",
            remedy="Name a file that ends with .html: a browser shows it, and prints it.",
            field="out",
        )


def draw(found: ItemCurve, path: Path) -> None:
    """Write the picture. The page carries all of its scripts, so that it needs no internet.

    Raises ``InvalidRequest`` where it cannot be written.
    """
    check_name(path)
    title = f"{found.item} in {found.store}, after {found.generation.business_date}"
    facts = "; ".join(map(str, curve_facts(found.curve)))
    text = figures_page(title, [facts], curve_charts(found.curve))
    try:
        path.write_text(text)
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Give a path in a folder that exists and that you may write to.",
            field="out",
        ) from None
