"""SQLite's values on the wire: as what their column's type announces, or told apart in a text.

Any value may lie in any column (see `types`). So:

- INTEGER, REAL and BLOB columns are read as int64, float64 and binary, and a value of another
  kind ends the read with an error that names the column. No number is ever made of a text.
- All others are carried as text. A text is itself. What is no text, or begins with the character
  U+0001, is carried as U+0001, a letter for its kind, and the value; `restored` makes the value of
  it again, of the same kind. Numbers in a column of NUMERIC affinity (DECIMAL, DATE, BOOLEAN …),
  which SQLite itself makes of the text, are carried without the letter where that is exact.
  Only the sign of a real zero is lost there: no function of SQL tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products.sqlite.types import Affinity, affinity, wire
from sqlscore.transports.fit import fitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

    from sqlscore.types import Column

MARK = "\x01"


def project(
    expression: ColumnElement[Any], column: Column, type_: pa.DataType
) -> ColumnElement[Any]:
    """The expression itself for numbers, which the readers check; text and binary checked here."""
    to = wire(type_)
    if to == pa.string():
        return _as_text(expression, affinity(column.declared))
    if to == pa.binary():
        # as hexadecimal text, since ADBC makes bytes of anything in a binary column
        hexed = sa.func.hex(expression, type_=sa.String())
        other = sa.literal_column("'no binary'", sa.String())
        return sa.case(
            (_kind(expression) == "null", sa.null()),
            (_kind(expression) == "blob", hexed),
            else_=other,
        )
    return expression


def _kind(expression: ColumnElement[Any]) -> ColumnElement[str]:
    return sa.func.typeof(expression, type_=sa.String())


def _as_text(x: ColumnElement[Any], wish: Affinity) -> ColumnElement[Any]:
    mark = sa.func.char(1, type_=sa.String())

    def marked(letter: str, value: ColumnElement[Any]) -> ColumnElement[str]:
        return mark.concat(sa.literal_column(f"'{letter}'", sa.String())).concat(value)

    begins_marked = sa.func.substr(x, 1, 1, type_=sa.String()) == mark
    text = marked("t", sa.func.hex(x, type_=sa.String()))
    blob = marked("b", sa.func.hex(x, type_=sa.String()))
    if wish is Affinity.TEXT:  # a number becomes text when it is stored in such a column
        binary = _kind(x) == "blob"
        return sa.case(
            (sa.or_(binary, begins_marked), sa.case((binary, blob), else_=text)), else_=x
        )
    whole = sa.cast(x, sa.Text())
    real = marked("r", sa.func.printf("%!.20e", x, type_=sa.String()))
    plain = wish is Affinity.NUMERIC
    # 15 digits: what SQLite's own cast to text gives, exact for the numbers that people write
    short = sa.and_(sa.func.abs(x).between(1e-15, 1e15), sa.cast(whole, sa.REAL()) == x)
    return sa.case(
        (_kind(x) == "null", sa.null()),
        (_kind(x) == "text", sa.case((begins_marked, text), else_=x)),
        (_kind(x) == "integer", whole if plain else marked("i", whole)),
        (_kind(x) == "real", sa.case((short, whole), else_=real) if plain else real),
        else_=blob,
    )


_RESTORE: dict[str, Callable[[str], object]] = {
    "t": lambda text: bytes.fromhex(text).decode("utf-8", "surrogateescape"),
    "b": bytes.fromhex,
    "i": int,
    "r": float,
}


def sent(schema: pa.Schema) -> pa.Schema:
    """What the readers give for a query whose columns `project` made for `schema`."""
    wires = ((field.name, wire(field.type)) for field in schema)
    return pa.schema([(n, pa.string() if t == pa.binary() else t) for n, t in wires])


def received(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the readers as `schema` has it; `DatabaseError` names what does not fit."""
    if batch.schema == schema:
        return batch
    columns = [
        _unhexed(column, field.name) if wire(field.type) == pa.binary() else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    plain = pa.RecordBatch.from_arrays(columns, names=schema.names)
    types = dict(zip(schema.names, schema.types, strict=True))
    return fitted(plain, types, "the source").cast(schema)


def _unhexed(column: pa.Array, name: str) -> pa.Array:
    try:
        values = [None if v is None else bytes.fromhex(v) for v in column.to_pylist()]
    except ValueError as error:
        raise another_kind(name, "not binary") from error
    return pa.array(values, pa.binary())


def another_kind(name: str, how: str) -> DatabaseError:
    """The error for a value that its column's type does not announce."""
    return DatabaseError(
        f"column {name!r} holds a value of another kind than its type says ({how}): SQLite lets "
        "any value lie in any column. Cast it in the source, or leave it out"
    )


def returned(array: pa.Array, column: Column) -> pa.Array:
    """A carried column as a caller gets it: numbers where its type says so, else text."""
    if not pa.types.is_string(array.type) or pa.types.is_string(column.type):
        return array
    values = [restored(text) for text in array.to_pylist()]
    if pa.types.is_decimal(column.type):
        numbers = [None if value is None else _as_number(value, column.name) for value in values]
        return pa.array(numbers, pa.float64())
    return pa.array([None if v is None else _shown(v) for v in values], pa.string())


def _as_number(value: object, name: str) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise another_kind(name, "not a number") from error


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def restored(text: str | None) -> object:
    """The value that a carried text stands for; a text without a mark is itself."""
    if text is None or not text.startswith(MARK):
        return text
    return _RESTORE[text[1]](text[2:])
