"""The SQL scripts that run inside databases: in ``sql/`` of a checkout, ``_sql/`` of a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_HOMES = (_PACKAGE / "_sql", _PACKAGE.parent / "sql")


def script(dialect: str, name: str) -> str:
    """The text of ``sql/<dialect>/<name>.sql``."""
    paths = [home / dialect / f"{name}.sql" for home in _HOMES]
    return next(path for path in paths if path.exists()).read_text(encoding="utf-8")
