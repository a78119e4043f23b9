"""What charts are drawn with: Plotly's script, from its wheel, ours, and colours."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

STATIC = Path(__file__).parent / "static"
DRAW = STATIC / "draw.js"
COLOURS = STATIC / "colours.css"
"""By light and dark: of documents, of the page, and what figures name."""


def plotly_script() -> Path:
    """The file of Plotly's script. Raises ``FileNotFoundError`` where the wheel is not installed.

    The wheel has one bundle, of 4.8 MB.
    """
    # Found, not imported: its Python is not needed.
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the wheel plotly is not installed")
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
