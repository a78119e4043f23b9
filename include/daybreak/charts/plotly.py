"""The scripts of charts: Plotly's, from its wheel, and ours, which draws figures with it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

STATIC = Path(__file__).parent / "static"
DRAW = STATIC / "draw.js"


def plotly_script() -> Path:
    """The file of Plotly's script. Raises ``FileNotFoundError`` where the wheel is not installed.

    The wheel has one bundle, of 4.8 MB.
    """
    # Found, not imported: its Python is not needed.
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the wheel plotly is not installed")
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
