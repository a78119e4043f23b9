"""The columns of the report views as docs/reports.md lists them, read from the database itself.

A block of the page, from ``<!-- columns of report.<view> -->`` to ``<!-- end of columns -->``,
holds what the comments on that view say. A test keeps page and comments alike.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text

from daybreak.errors import ConfigError

BLOCK = re.compile(
    r"(?P<begin><!-- columns of report\.(?P<view>\w+) -->\n)(.*?)(?P<end><!-- end of columns -->)",
    re.DOTALL,
)

_COLUMNS = text(
    """
    SELECT relation.relname AS view, attribute.attname AS name,
        format_type(attribute.atttypid, attribute.atttypmod) AS type,
        coalesce(col_description(attribute.attrelid, attribute.attnum), '') AS meaning
    FROM pg_class AS relation
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
    WHERE relation.relnamespace = to_regnamespace('report')
        AND relation.relkind = 'v' AND attribute.attnum > 0 AND NOT attribute.attisdropped
    ORDER BY relation.relname, attribute.attnum
    """
)


@dataclass(frozen=True)
class ReportColumn:
    """A column of a report view: its SQL type, and what its comment says ('' for nothing)."""

    name: str
    type: str
    meaning: str

    def as_json(self) -> dict[str, str]:
        """Name to value, all text."""
        return asdict(self)


def report_columns(connection: Connection) -> dict[str, list[ReportColumn]]:
    """Every view of the schema ``report`` with its columns, in their order."""
    found: dict[str, list[ReportColumn]] = {}
    for view, *column in connection.execute(_COLUMNS):
        found.setdefault(view, []).append(ReportColumn(*column))
    return found


def columns_table(columns: list[ReportColumn]) -> str:
    """The columns as a table in Markdown, one line each."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for column in columns:
        meaning = column.meaning.replace("|", "\\|")
        lines.append(f"| `{column.name}` | {column.type} | {meaning} |")
    return "".join(f"{line}\n" for line in lines)


def render_page(connection: Connection, page: str) -> str:
    """The text of ``page`` with every block of columns as the database has it.

    Raises ``ConfigError`` where a block names a view that is not there.
    """
    views = report_columns(connection)

    def block(found: re.Match[str]) -> str:
        view = found["view"]
        if view not in views:
            raise ConfigError(
                f"The page lists the columns of report.{view}, which the warehouse does not have.",
                remedy="Correct its name, or run `daybreak warehouse migrate`.",
                view=view,
            )
        return f"{found['begin']}{columns_table(views[view])}{found['end']}"

    return BLOCK.sub(block, page)
