"""What people are asked is Markdown, which Airflow shows; the page shows the same."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

from daybreak.serving.page.frame import blueprint

# Rules that are named, and no others: names of items in a text make no link, picture or tag.
_READER = MarkdownIt("zero").enable(["emphasis", "list", "table", "escape"])


@blueprint.app_template_filter()
def markdown(text: str) -> Markup:
    """Paragraphs, bold words, lists and tables of Markdown as HTML; all else is text."""
    return Markup(_READER.render(text))  # noqa: S704 -- the reader escapes whatever it does not know
