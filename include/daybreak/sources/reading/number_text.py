"""Numbers as a CSV file writes them: which sign begins the decimals, which one groups threes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daybreak.sources.arrow import Array
from daybreak.sources.arrow import compute as pc

_LOOK_ALIKES = {" ": "[ \u00a0\u202f]", "'": "['\u2019]"}
"""Spreadsheets write a no-break space for a space, and a typographic apostrophe."""

_EXPONENT = "([eE][+-]?[0-9]+)?"
_NO_DIGITS = "(?i)^([+-]?(inf|infinity|nan))?$"
UNREADABLE = "?"


@dataclass(frozen=True)
class NumberText:
    """``decimal``: the sign before decimals. ``thousands``: the sign between groups of three."""

    decimal: str
    thousands: str | None

    def plain(self, text: Array) -> Array:
        """n texts as Python writes numbers, 1299.5 for 1.299,5; null stays null.

        Anything else becomes ``UNREADABLE``: 1.29 is neither 129 nor 1.29 where the dot
        groups threes.
        """
        text, number = self._read(text)
        kept = pc.if_else(pc.match_substring_regex(text, _NO_DIGITS), text, UNREADABLE)
        return pc.if_else(number, self._rewritten(text), kept)

    def plain_where_number(self, text: Array) -> Array:
        """The same, but anything else stays as it is: yes, true."""
        text, number = self._read(text)
        return pc.if_else(number, self._rewritten(text), text)

    def plain_where_whole(self, text: Array) -> Array:
        """Only a whole number written as a float, 7,0, as 7.0: what ``to_text`` takes for 7."""
        written = f"^(-?[0-9]+){re.escape(self.decimal)}0$"
        return pc.replace_substring_regex(text, written, r"\1.0")

    def _read(self, text: Array) -> tuple[Array, Array]:
        text = pc.utf8_trim_whitespace(text)
        return text, pc.match_substring_regex(text, self._pattern)

    @property
    def _pattern(self) -> str:
        decimal = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands:
            whole = f"([0-9]+|[1-9][0-9]{{0,2}}({self._grouping}[0-9]{{3}})+)"
        return f"^[+-]?({whole}({decimal}[0-9]*)?|{decimal}[0-9]+){_EXPONENT}$"

    @property
    def _grouping(self) -> str:
        sign = self.thousands or ""
        return _LOOK_ALIKES.get(sign, re.escape(sign))

    def _rewritten(self, text: Array) -> Array:
        if self.thousands:
            text = pc.replace_substring_regex(text, self._grouping, "")
        return pc.replace_substring(text, self.decimal, ".")
