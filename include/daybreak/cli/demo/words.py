"""How the demo prints."""

from __future__ import annotations

import typer


def title(text: str) -> None:
    """The head of a part."""
    typer.secho(f"\n{text}", bold=True)


def percent(value: float | None) -> str:
    """A share with one decimal, empty where there is none."""
    return "" if value is None else f"{100 * float(value):.1f} %"
