"""PostgreSQL's SQL as plain text: names quoted, values written out, percent signs single.

psycopg's own dialect doubles percent signs, since it passes parameters; COPY, connectorx and
`to_regclass` take text as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql.base import PGDialect

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa


class _Plain(PGDialect):
    supports_statement_cache = True
    _backslash_escapes = False  # readers pin standard_conforming_strings


_new: Any = _Plain  # SQLAlchemy's dialects carry no types
PLAIN: sa.Dialect = _new(paramstyle="named")


def text(query: sa.Select[Any]) -> str:
    """The query with its values written into it."""
    return str(query.compile(dialect=PLAIN, compile_kwargs={"literal_binds": True}))


def identifier(name: str) -> str:
    """The name, quoted where it must be."""
    return PLAIN.identifier_preparer.quote(name)


def quoted(table: sa.FromClause) -> str:
    """The table's name with its schema, quoted."""
    names = (getattr(table, "schema", None), getattr(table, "name", None))
    return ".".join(identifier(n) for n in names if n)


def into(table: sa.FromClause, columns: Sequence[str]) -> str:
    """The table with a list of columns, quoted: what COPY copies into."""
    return f"{quoted(table)} ({', '.join(identifier(name) for name in columns)})"
