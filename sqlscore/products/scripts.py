"""The SQL scripts that run inside databases: in ``sql/`` of a checkout, ``_sql/`` of a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE = Path(__file__).parent.parent
_HOMES = (_PACKAGE / "_sql", _PACKAGE.parent / "sql")


def script(dialect: str, name: str) -> str:
    """The text of ``sql/<dialect>/<name>.sql``."""
    paths = [home / dialect / f"{name}.sql" for home in _HOMES]
    return next(path for path in paths if path.exists()).read_text(encoding="utf-8")


def by_hand(dialect: str, how: str, tables: Sequence[str], *names: str, between: str = ";") -> str:
    """Statements that make tables and the scripts after them, as one text for a person to run.

    `how` says by which command; `between` ends each of the statements.
    """
    made = [f"{statement}{between}" for statement in tables]
    return "\n\n".join([f"-- {how}", *made, *(script(dialect, name).rstrip() for name in names)])
