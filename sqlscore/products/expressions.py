"""What a dialect's expressions can do: the facts that a model compiled to SQL is written by.

Measured on PostgreSQL 15, DuckDB 2, SQLite 3.40 and MariaDB 10.11; for SQL Server as its
documentation has it; for the others the least that is sure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from sqlscore.errors import DatabaseError, nearest


class Fence(StrEnum):
    """What keeps an optimiser from putting a derived table's expressions into the query above."""

    NONE = "none"  #: nothing is needed, or nothing helps
    OFFSET = "offset"  #: ``OFFSET '0'``: of OFFSET 0 PostgreSQL does not see that it skips nothing
    LIMIT = "limit"  #: a ``LIMIT`` that no table reaches


class Saturation(StrEnum):
    """How a double past the largest float32 becomes infinite, with its expression written once."""

    SCALING = "scaling"  #: overflow makes an infinity: multiply up and down again
    SUBQUERY = "subquery"  #: overflow raises: a subquery names the value
    LATE = "late"  #: it raises, and no subquery may stand there: what is made of it looks at it
    NULL = "null"  #: there is no infinity; it is NULL


class TextEquality(StrEnum):
    """How two texts are compared character by character, whatever a column's collation says."""

    PLAIN = "plain"  #: by ``=``
    BINARY = "binary"  #: as bytes of utf8mb4
    MARKED = "marked"  #: by a binary collation, with a mark that keeps spaces at the end


@dataclass(frozen=True, kw_only=True, slots=True)
class Expressions:
    """The facts of one dialect."""

    dialect: str  #: its name in sqlglot
    nan: bool = False  #: doubles can be NaN; it compares greater than all others, or not at all
    unordered: bool = False  #: it compares not at all, as IEEE 754 says: that is known
    infinity: bool = False  #: doubles can be ±inf
    real: bool = False  #: arithmetic of 4-byte floats, rounded after each step
    decimal_literals: bool = False  #: a number with an exponent is no double: cast it from text
    underflow_raises: bool = False  #: a product that rounds to zero is an error
    exp_limit: float | None = None  #: past it exp raises; None: it gives inf, and 0 far below
    tanh: bool = False  #: has tanh, which raises nowhere
    logistic_by_tanh: bool = False  #: exp raises, and tanh gives the logistic function too
    #: its names for the greatest and the least of several values
    extremes: tuple[str, str] | None = ("GREATEST", "LEAST")
    arrays: bool = False  #: an array of numbers is a value
    boolean: bool = True  #: has the values TRUE and FALSE
    text_equality: TextEquality = TextEquality.PLAIN
    #: a collation by which texts are in the order of their bytes, if a search by it is faster
    byte_order: str | None = None
    saturation: Saturation = Saturation.SUBQUERY
    fence: Fence = Fence.NONE
    derived: bool = True  #: a statement may be written over derived tables; one expression may not
    view_comments: bool = True  #: a view keeps a comment that is written into it, or put on it
    identifier_limit: int = 63  #: of a column's name, in bytes
    most_terms: int = 200  #: terms of one sum, left to right
    #: nodes of one sum from which on its planning takes longer than derived tables for its parts do
    most_nodes: int | None = None
    then_depth: int = 1  #: what a CASE in THEN adds to the depth of the CASE around it
    else_depth: int = 1  #: what a CASE in ELSE adds
    case_depth: int = 100  #: the most of that
    casts: bool = False  #: a query's column has the type that its expression is cast to, no other
    variants: bool = False  #: a CASE of an integer and a double is neither
    settings: tuple[tuple[str, str], ...] = ()  #: what a statement sets for itself
    folding: bool = True  #: scalers and categories become part of the weights
    most_leaves: int = 50_000  #: leaves of an ensemble that are planned in seconds


#: sqlglot's name of a dialect -> its facts
EXPRESSIONS: dict[str, Expressions] = {
    facts.dialect: facts
    for facts in (
        Expressions(
            dialect="postgres",
            nan=True,
            infinity=True,
            real=True,
            decimal_literals=True,
            underflow_raises=True,
            tanh=True,
            logistic_by_tanh=True,
            arrays=True,
            casts=True,
            byte_order="C",
            fence=Fence.OFFSET,
            # a subquery for each value would keep parallel workers out
            saturation=Saturation.LATE,
            most_terms=1500,
            case_depth=1000,
            most_leaves=200_000,
        ),
        Expressions(
            dialect="duckdb",
            tanh=True,
            nan=True,
            infinity=True,
            real=True,
            arrays=True,
            casts=True,
            saturation=Saturation.SCALING,
            most_terms=450,
            # the search for common parts looks at each partial sum as a whole
            most_nodes=2000,
            case_depth=450,
        ),
        Expressions(
            dialect="sqlite",
            tanh=True,
            infinity=True,
            extremes=("MAX", "MIN"),
            boolean=False,
            saturation=Saturation.SCALING,
            fence=Fence.LIMIT,
            most_terms=450,
            # the parser of 3.40 has a stack of 100 entries
            then_depth=5,
            else_depth=4,
            case_depth=80,
        ),
        Expressions(
            dialect="mysql",
            exp_limit=700.0,
            boolean=False,
            text_equality=TextEquality.BINARY,
            view_comments=False,
            saturation=Saturation.NULL,
            fence=Fence.LIMIT,
            most_terms=250,
            case_depth=150,
        ),
        # at most 10 levels of CASE; GREATEST and LEAST came with 2022
        Expressions(
            dialect="tsql",
            real=True,
            exp_limit=700.0,
            extremes=None,
            boolean=False,
            text_equality=TextEquality.MARKED,
            saturation=Saturation.NULL,
            case_depth=9,
        ),
        Expressions(
            dialect="redshift", nan=True, infinity=True, decimal_literals=True, exp_limit=700.0
        ),
        Expressions(dialect="bigquery", nan=True, infinity=True, exp_limit=700.0),
        Expressions(dialect="snowflake", nan=True, infinity=True, exp_limit=700.0),
        Expressions(
            dialect="spark",
            nan=True,
            infinity=True,
            real=True,
            tanh=True,
            saturation=Saturation.SCALING,
        ),
        # Its greatest and least pass over NaN. Branches that are put off are computed anew for each
        # use of their value: minutes and all memory, where all of them take a tenth of a second.
        Expressions(
            dialect="clickhouse",
            nan=True,
            infinity=True,
            tanh=True,
            extremes=None,
            unordered=True,
            variants=True,
            settings=(
                ("short_circuit_function_evaluation", "disable"),
                ("max_query_size", "100000000"),
            ),
            saturation=Saturation.SCALING,
        ),
        Expressions(
            dialect="oracle",
            decimal_literals=True,
            exp_limit=100.0,
            boolean=False,
            saturation=Saturation.NULL,
        ),
        Expressions(dialect="trino", nan=True, infinity=True),
    )
}

#: other names of dialects: SQLAlchemy's, and what people type
_NAMES = {
    "mssql": "tsql",
    "sqlserver": "tsql",
    "postgresql": "postgres",
    "mariadb": "mysql",
    "databricks": "spark",
}


def alone(facts: Expressions) -> Expressions:
    """The facts of the same dialect where a single expression has to do, without a subquery."""
    raises = facts.saturation is Saturation.SUBQUERY
    return replace(facts, derived=False, saturation=Saturation.LATE if raises else facts.saturation)


def expressions_for(name: str) -> Expressions:
    """The facts of a dialect by SQLAlchemy's name or sqlglot's; DatabaseError for another."""
    found = EXPRESSIONS.get(_NAMES.get(name.lower(), name.lower()))
    if found is None:
        known = sorted({*EXPRESSIONS, *_NAMES})
        raise DatabaseError(
            f"no dialect {name!r} is known here.{nearest(name, known)} "
            f"A model compiles to: {', '.join(known)}"
        )
    return found
