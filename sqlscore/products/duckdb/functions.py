"""``predict`` and ``predict_NAME`` on an open DuckDB connection: called with 2,048 rows at a time.

DuckDB calls them from its own threads, several at once where it has several.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import duckdb_engine
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from sqlscore.errors import SqlscoreError
from sqlscore.products.duckdb import types as duckdb_types
from sqlscore.products.functions import Functions
from sqlscore.transports.duckdb_arrow import raw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.products.functions import Scores


def engine(connection: duckdb.DuckDBPyConnection) -> sa.Engine:
    """An engine over further connections to the same instance: they see what is committed."""
    return sa.create_engine(
        "duckdb://",
        creator=lambda: duckdb_engine.ConnectionWrapper(connection.cursor()),
        poolclass=sa.NullPool,
    )


def scalar(connection: duckdb.DuckDBPyConnection, scores: Scores) -> None:
    """Make ``predict(model, value, …)``, also ``predict(model, row)``; a double."""

    def predict(*given: Any) -> pa.Array:
        if len(given) < 2:
            raise SqlscoreError("predict takes a model's name, and a row or a value a feature")
        names, columns = _whole(given[0]), [_whole(one) for one in given[1:]]
        different = pc.unique(names).to_pylist()
        if len(different) == 1:
            return _double(scores, different[0], columns)
        return _by_model(scores, names, different, columns)

    _make(connection, "predict", predict, "DOUBLE")


def table(connection: duckdb.DuckDBPyConnection, scores: Scores, model: str, name: str) -> None:
    """Make ``predict_NAME(source)``: the rows of a table, the predictions behind their columns."""
    function = f"sqlscore_predict_{name}"
    quote = sa.create_mock_engine("duckdb://", print).dialect.identifier_preparer.quote_identifier

    def predict(*given: Any) -> pa.Array:
        return scores.columns(model, [_whole(one) for one in given]).to_struct_array()

    fields = ", ".join(
        f"{quote(name)} {duckdb_types.declare(type_)}" for name, type_ in scores.predictions(model)
    )
    _make(connection, function, predict, f"STRUCT({fields})")
    columns = ", ".join(f"r.{quote(feature)}" for feature in scores.features(model))
    connection.execute(
        f"CREATE OR REPLACE TEMP MACRO {quote(f'predict_{name}')}(source) AS TABLE "  # noqa: S608
        f"SELECT r.*, unnest({quote(function)}({columns})) FROM query_table(source) AS r"
    )


def _make(
    connection: duckdb.DuckDBPyConnection, name: str, function: Callable[..., pa.Array], type_: str
) -> None:
    """Register a function of any number of arguments of any types, in place of one of that name."""
    with suppress(duckdb.InvalidInputException):  # there is none of ours to take the place of
        connection.remove_function(name)
    connection.create_function(
        name, function, None, type_, type="arrow", null_handling="special", side_effects=False
    )  # type: ignore[call-overload]


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _double(scores: Scores, model: str | None, columns: Sequence[pa.Array]) -> pa.Array:
    if model is None:
        return pa.nulls(len(columns[0]), pa.float64())
    found = scores.column(model, columns)
    if pa.types.is_floating(found.type) or pa.types.is_integer(found.type):
        return pc.cast(found, pa.float64())
    raise SqlscoreError(
        f"predict gives a number, and {model!r} predicts {found.type}. "
        f"sqlscore.attach(connection, {model.partition('[')[0]!r}) makes a table function that "
        "gives every prediction in its own type"
    )


def _by_model(
    scores: Scores, names: pa.Array, different: Sequence[str | None], columns: Sequence[pa.Array]
) -> pa.Array:
    """Rows of one batch that name several models."""
    places = pa.array(range(len(names)))
    parts, order = [], []
    for model in different:
        mine = pc.is_null(names) if model is None else pc.fill_null(pc.equal(names, model), False)
        parts.append(_double(scores, model, [column.filter(mine) for column in columns]))
        order.append(places.filter(mine))
    return pa.concat_arrays(parts).take(pc.sort_indices(pa.concat_arrays(order)))


FUNCTIONS = Functions(raw=raw, engine=engine, scalar=scalar, table=table)
