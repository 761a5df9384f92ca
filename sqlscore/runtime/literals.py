"""Values as the text that PostgreSQL reads: fields of records, arrays, JSON; pure.

Text goes back, and no memory: the server's own input functions check it, and bytes that are no
array could crash it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlscore.elements import SMALL_FLOATS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: ONNX element type of a prediction -> the type of its column
COLUMN_TYPES = {
    "float": "real", "double": "double precision", "float16": "real",
    **dict.fromkeys(SMALL_FLOATS, "real"),
    "int8": "smallint", "int16": "smallint", "int32": "integer", "int64": "bigint",
    "uint8": "smallint", "uint16": "integer", "uint32": "bigint", "uint64": "numeric(20)",
    "bool": "boolean", "string": "text",
}  # fmt: skip


def field(value: Any) -> str:
    """One value as a field of a record's text, as `fields` in `wire` writes it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return quoted(list_text(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else repr(value)


def quoted(value: str) -> str:
    """A value in double quotes, as the server itself writes it in the text of a record."""
    return '"' + value.replace("\\", "\\\\").replace('"', '""') + '"'


def unquoted(field: str) -> str | None:
    """The value of a field of a record's text."""
    if not field:
        return None
    if not field.startswith('"'):
        return field
    return field[1:-1].replace('""', '"').replace("\\\\", "\\")


def list_text(values: Sequence[Any]) -> str:
    """Values as the text of one array."""
    return "{" + ",".join("NULL" if v is None else _element(str(v)) for v in values) + "}"


class Array(list[Any]):
    """The values of an array as PL/Python takes them; its text where another type is wanted."""

    @classmethod
    def of(cls, text: str) -> Array:
        """The values, as texts, of an array that `list_text` wrote."""
        return cls(
            None if value == "NULL" else re.sub(r"\\(.)", r"\1", value[1:-1])
            for value in re.findall(r'"(?:[^"\\]|\\.)*"|NULL', text)
        )

    def __str__(self) -> str:
        return list_text(self)


def _element(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def jsonable(value: Any) -> Any:
    """A value that JSON has: NaN and ±inf are text there, as to_jsonb has them."""
    if isinstance(value, float) and value - value != 0:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return [jsonable(v) for v in value] if isinstance(value, list) else value
