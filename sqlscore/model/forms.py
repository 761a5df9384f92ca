"""What a compiled model becomes in a database: a view, functions, a procedure, computed columns.

The words around the compiled SELECT, by form and dialect; all that stands in them is quoted by the
dialect before.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import DatabaseError, nearest

if TYPE_CHECKING:
    from sqlscore.products.expressions import Expressions


class Form(StrEnum):
    """How a compiled model is written."""

    SELECT = "select"  #: a statement
    VIEW = "view"  #: the key and the predictions of a table
    FUNCTION = "function"  #: features in, predictions out
    PROCEDURE = "procedure"  #: gives what the view gives
    COMPUTED_COLUMN = "computed-column"  #: a column of the table itself for each prediction

    @classmethod
    def of(cls, value: str) -> Form:
        """The form of that name; DatabaseError with the names that there are."""
        if value not in list(cls):
            known = ", ".join(cls)
            raise DatabaseError(
                f"a model compiles to no {value!r}.{nearest(value, list(cls))} It does to: {known}"
            )
        return cls(value)


#: what every remark on something compiled holds
COMPILED = "compiled by sqlscore"
#: the relation's alias in a view that keeps no remark
MARK = "made_by_sqlscore"

_REPLACED = "CREATE OR REPLACE VIEW {name} AS\n{select}"
_VIEWS = {
    "postgres": (_REPLACED, "COMMENT ON VIEW {name} IS {said}"),
    "duckdb": (_REPLACED, "COMMENT ON VIEW {name} IS {said}"),
    "sqlite": ("DROP VIEW IF EXISTS {name}", "CREATE VIEW {name} AS {comment}\n{select}"),
    "tsql": ("CREATE OR ALTER VIEW {name} AS {comment}\n{select}",),
}
_FUNCTIONS = {
    # IMMUTABLE, and without a FROM where that can be: the planner puts it into the query
    "postgres": (
        "CREATE OR REPLACE FUNCTION {name}({parameters}) RETURNS {type}\n"
        "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS {dollars}\n{comment} {gives}\n{select}\n{dollars}",
    ),
    "mysql": (
        "DROP FUNCTION IF EXISTS {name}",
        "CREATE FUNCTION {name}({parameters}) RETURNS {type} DETERMINISTIC COMMENT {said}\n"
        "RETURN ({select})",
    ),
    "duckdb": (
        "CREATE OR REPLACE MACRO {name}({parameters}) AS ({select})",
        "COMMENT ON MACRO {name} IS {said}",
    ),
    "tsql": (
        "CREATE OR ALTER FUNCTION {name}({parameters}) RETURNS TABLE WITH SCHEMABINDING AS "
        "{comment}\nRETURN ({select})",
    ),
}
_PROCEDURES = {
    "mysql": (
        "DROP PROCEDURE IF EXISTS {name}",
        "CREATE PROCEDURE {name}() READS SQL DATA COMMENT {said}\n{select}",
    ),
    "tsql": (
        "CREATE OR ALTER PROCEDURE {name} AS {comment}\nBEGIN\nSET NOCOUNT ON;\n{select};\nEND",
    ),
}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "postgres": (
        "ALTER TABLE {table} ADD COLUMN {column} {type} GENERATED ALWAYS AS ({value}) STORED",
    ),
    "mysql": ("ALTER TABLE {table} ADD COLUMN {column} {type} AS ({value}) VIRTUAL",),
    "sqlite": (
        "ALTER TABLE {table} ADD COLUMN {column} {type} GENERATED ALWAYS AS ({value}) VIRTUAL",
    ),
    "tsql": ("ALTER TABLE {table} ADD {column} AS ({value})",),
}
_WORDS: dict[Form, dict[str, tuple[str, ...]]] = {
    Form.FUNCTION: _FUNCTIONS, Form.PROCEDURE: _PROCEDURES, Form.COMPUTED_COLUMN: _COLUMNS,
}  # fmt: skip

#: dialect -> its words for a number, a whole number, a text and a truth value
_TYPES = {
    "postgres": ("double precision", "bigint", "text", "boolean"),
    "mysql": ("double", "bigint", "longtext character set utf8mb4", "boolean"),
    "sqlite": ("REAL", "INTEGER", "TEXT", "INTEGER"),
    "tsql": ("float", "bigint", "nvarchar(max)", "bit"),
}
#: SQL Server's functions give a table, of all predictions; those of the others one value
TABLE_FUNCTIONS = frozenset({"tsql"})
#: macros take values of any type
UNTYPED = frozenset({"duckdb"})


def words(form: Form, dialect: str) -> tuple[str, ...]:
    """The statements of a form, with names in braces; DatabaseError where the dialect has none."""
    if form is Form.VIEW:
        return _VIEWS.get(dialect, (_REPLACED,))
    if form is Form.SELECT:
        return ("{select}",)
    known = _WORDS[form]
    if dialect not in known:
        raise DatabaseError(
            f"{dialect} takes no model as a {form}; that is written for the dialects "
            f"{', '.join(known)}. "
            "A view and a SELECT are written for every dialect"
        )
    return known[dialect]


def declared(type_: pa.DataType, dialect: str) -> str:
    """The dialect's words for a feature's or a prediction's type."""
    if dialect in UNTYPED:
        return ""
    if pa.types.is_list(type_):
        return f"{declared(type_.value_type, dialect)}[]"
    number, integer, text, truth = _TYPES[dialect]
    if pa.types.is_boolean(type_):
        return truth
    if pa.types.is_string(type_):
        return text
    return integer if pa.types.is_integer(type_) else number


def comment(said: str) -> str:
    """A remark that ends where it should."""
    return f"/* {re.sub(r'[*]/', '* /', _one_line(said))} */"


def head(said: str) -> str:
    """A remark on a line of its own."""
    return f"-- {_one_line(said)}"


def dollars(text: str) -> str:
    """A quote of PostgreSQL's that the text does not hold."""
    tag = "$sqlscore$"
    while tag in text:
        tag = f"{tag[:-1]}_$"
    return tag


def parameter(name: str, facts: Expressions) -> str:
    """A feature's name as a parameter's, where a dialect quotes none."""
    return re.sub(r"\W", "_", name) if facts.dialect in TABLE_FUNCTIONS else name


def _one_line(said: str) -> str:
    return " ".join(said.split())
