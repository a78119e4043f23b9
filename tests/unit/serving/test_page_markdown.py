"""What people are asked, as HTML: its tables and lists, and nothing that a name could make."""

from __future__ import annotations

from daybreak.models.pricing.nightly import _cell
from daybreak.serving.page.markdown import markdown
from page_app import Elements


def test_tables_lists_and_bold_words_are_shown() -> None:
    made = markdown("**30** of 72\n\n- units: 1\n\n| item | price |\n|---|---:|\n| tea | 1.00 |\n")
    assert "<strong>30</strong> of 72" in made
    assert "<li>units: 1</li>" in made
    assert [tag for tag, _ in Elements(made).tags].count("td") == 2
    assert '<td style="text-align:right">1.00</td>' in made


def test_a_name_makes_no_link_picture_or_tag() -> None:
    for name in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](http://evil.example/x.png)",
        "<http://evil.example>",
        "a|b",
        "`code` **bold**",
        "x\\",
    ):
        for given in (name, _cell(name)):
            made = markdown(f"| item | price |\n|---|---|\n| {given} | 1 |\n")
            tags = {tag for tag, _ in Elements(made).tags}
            assert tags <= {"table", "thead", "tbody", "tr", "th", "td", "strong"}, made
        cells = made.partition("<tbody>")[2].count("<td>")
        assert cells == 2, "escaped, it is one cell"
        assert "<strong>" not in made
