"""DuckDB: one process, whose connections are cursors of one instance.

Reading and writing go on at the same time, each on a connection of its own. A second process is
kept out by the file's lock.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import QueuePool

from sqlscore.errors import DatabaseError
from sqlscore.products import generic, transient
from sqlscore.products.duckdb import types as duckdb_types
from sqlscore.products.duckdb.catalogue import dependents, enforced, keys, swap, unfit
from sqlscore.products.duckdb.rewrite import TEXTS, rewrite
from sqlscore.products.filling import by_conflict
from sqlscore.products.product import Declared, Product, RowIndex
from sqlscore.transports.failures import translated
from sqlscore.transports.fit import fitted
from sqlscore.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Select, Table

    from sqlscore.products.product import Unit


#: words of DuckDB's own (duckdb_keywords()) that PostgreSQL's dialect does not quote
_WORDS = frozenset(
    {"anti", "asof", "at", "by", "collation", "columns", "concurrently", "generated", "glob"}
    | {"map", "positional", "semi", "struct", "tablesample", "try_cast", "tuple", "unpack"}
)


def engine(url: URL, **pool: int) -> Engine:
    """An engine in UTC; one in memory has one database, which all its connections share."""
    import duckdb

    if url.database in (None, "", ":memory:"):
        # a name makes it one database: connections without one have a private database each
        url = url.set(database=f":memory:sqlscore_{secrets.token_hex(8)}")
    made = sa.create_engine(url, poolclass=QueuePool, **pool)
    preparer = made.dialect.identifier_preparer
    preparer.reserved_words = preparer.reserved_words | _WORDS
    kept: list[Any] = []  # keeps a database in memory alive while the pool is empty
    opened_by: list[int] = []  # the process

    @sa.event.listens_for(made, "do_connect")
    def connect(dialect: sa.Dialect, _record: object, args: Any, options: Any) -> Any:
        if opened_by and opened_by != [os.getpid()]:
            raise DatabaseError(
                "this DuckDB database was opened before the process forked, and DuckDB lives in "
                "one process. Open it after the fork, in one of them"
            )
        try:
            return dialect.connect(*args, **options)
        except duckdb.IOException as error:
            raise _not_opened(error, url) from error

    @sa.event.listens_for(made, "connect")
    def prepare(connection: Any, _record: object) -> None:
        _set(connection)
        if not kept:
            kept.append(connection.cursor().cursor())
            opened_by.append(os.getpid())

    return made


def _set(connection: Any) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    # a name that is no table must be an error, never a variable of some Python function
    connection.execute("SET python_enable_replacements = false")


def _not_opened(error: Exception, url: URL) -> DatabaseError:
    words = str(error).splitlines()[0]
    if "lock" not in words:
        return DatabaseError(f"DuckDB cannot open {url.database}: {words}")
    holder = re.search(r"\(PID \d+\)", words)
    return DatabaseError(
        f"the DuckDB file {url.database} is held by another process"
        f"{' ' + holder[0] if holder else ''}. DuckDB lets one process write at a time: "
        "close the file there, or wait until that process ends, and start again"
    )


def describe(connection: Connection, relation: FromClause) -> tuple[Column, ...]:
    """The columns as DuckDB's own DESCRIBE has them, for tables, views and queries alike.

    `pa.null()` for a type that Arrow has no word for (STRUCT, MAP, UNION, INTERVAL, BIT …).
    """
    query = sa.select(sa.text("*")).select_from(relation)
    text = query.compile(connection, compile_kwargs={"literal_binds": True})
    with translated(f"describing {relation.description}"):
        rows = connection.exec_driver_sql(f"DESCRIBE {text}").all()
    nullable = _nullable(connection, relation) if isinstance(relation, sa.Table) else {}
    return tuple(
        Column(
            name=row[0],
            type=duckdb_types.arrow_type(row[1]),
            declared=row[1],
            nullable=nullable.get(row[0], True),
        )
        for row in rows
    )


def _nullable(connection: Connection, table: Table) -> dict[str, bool]:
    name = connection.dialect.identifier_preparer.format_table(table)
    with translated(f"describing {table.fullname}"):
        rows = connection.exec_driver_sql(f"DESCRIBE {name}").all()
    return {row[0]: row[2] == "YES" for row in rows}


def read(
    engine: Engine,
    query: Select[Any],
    schema: pa.Schema,
    *,
    batch_rows: int,
    connection: Connection | None = None,
) -> Iterator[pa.RecordBatch]:
    """`products.product.Read` by DuckDB's own Arrow stream, which holds a few batches at a time."""
    from sqlscore.transports.duckdb_arrow import ERRORS, raw, read_arrow

    text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
    types = dict(zip(schema.names, schema.types, strict=True))
    with ExitStack() as stack:
        stack.enter_context(translated(f"reading from {engine.url.database}", *ERRORS))
        if connection is not None:
            over = raw(connection)
        else:
            pooled = stack.enter_context(engine.connect())
            over = stack.enter_context(closing(raw(pooled).cursor()))
            _set(over)
        batches = stack.enter_context(closing(read_arrow(over, text, batch_rows=batch_rows)))  # type: ignore[type-var]
        for batch in batches:
            named = batch.rename_columns(schema.names)
            yield pa.RecordBatch.from_arrays(
                fitted(named, types, "the source").columns, schema=schema
            )


def estimate(connection: Connection, query: sa.TextClause) -> int | None:
    """The optimiser's number, of the operator at the top."""
    row = connection.execute(sa.text(f"EXPLAIN (FORMAT json) {query.text}")).one()
    top = json.loads(row[1])[0]
    while top.get("children") and "Estimated Cardinality" not in top.get("extra_info", {}):
        top = top["children"][0]
    found = top.get("extra_info", {}).get("Estimated Cardinality")
    return None if found is None else int(found)


def literal(value: Any, column: Column) -> ColumnElement[Any]:
    """The value as text, cast to the column's type: an index serves a comparison with it."""
    if isinstance(value, bytes | bytearray | memoryview):
        return sa.literal_column(f"unhex('{bytes(value).hex()}')")
    text = str(value).replace("'", "''")
    if "\x00" in text:
        parts = " || chr(0) || ".join(f"'{part}'" for part in text.split("\x00"))
        return sa.literal_column(f"({parts})")
    return sa.cast(sa.literal_column(f"'{text}'"), Declared(column.declared or "VARCHAR"))


def unit(engine: Engine, connection: Connection | None) -> Unit:
    """A unit that writes registered batches."""
    from sqlscore.products.duckdb.unit import DuckdbUnit

    return DuckdbUnit(engine, connection)


def readers_block_commit(_engine: Engine) -> bool:
    """No: each reader keeps its own snapshot."""
    return False


#: what bears a name
_NAMED = """
SELECT comment FROM duckdb_views()
WHERE lower(view_name) = lower(:name) AND schema_name = coalesce(:schema, current_schema())
UNION ALL
SELECT comment FROM duckdb_tables()
WHERE lower(table_name) = lower(:name) AND schema_name = coalesce(:schema, current_schema())
UNION ALL
SELECT comment FROM duckdb_functions()
WHERE lower(function_name) = lower(:name) AND schema_name = coalesce(:schema, current_schema())
"""

DUCKDB = Product(
    name="DuckDB",
    dialect="duckdb",
    schemas=True,
    identifier_limit=63,  # DuckDB has none, its SQLAlchemy dialect has PostgreSQL's
    column_limit=4000,
    nan=True,
    infinity=True,
    arrays=True,
    transactional_ddl=True,
    returning=frozenset({"insert", "update", "delete"}),
    row_values=False,  # its optimiser makes BETWEEN of two comparisons of rows, and refuses it then
    keyset_walk=False,
    shared=False,
    roles=False,
    row_index=RowIndex.NONE,
    range_length=2,  # from 122,880 rows on, a row group: it lies in the file then, not in the log
    server=False,
    transient=transient.DUCKDB,
    engine=engine,
    absent=generic.absent_file,
    describe=describe,
    keys=keys,
    carried=duckdb_types.carried,
    returned=generic.returned,
    project=duckdb_types.project,
    literal=literal,
    declare=duckdb_types.declare,
    rewrite=rewrite,
    text_tests=TEXTS,
    estimate=estimate,
    enforced=enforced,
    read=read,
    unit=unit,
    readers_block_commit=readers_block_commit,
    unfit=unfit,
    dependents=dependents,
    swap=swap,
    fill=by_conflict(postgresql.insert),
    named=_NAMED,
)
