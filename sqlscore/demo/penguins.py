"""Real rows and a real model to show sqlscore on: 344 penguins, and which species each is.

Palmer penguins by Allison Horst, Alison Hill and Kristen Gorman, released under CC0 1.0; the
measurements come from Gorman KB, Williams TD, Fraser WR (2014), PLoS ONE 9(3): e90081. The `id`
is the row's place in their file. The model beside it was trained by `train.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import sqlalchemy as sa

from sqlscore.errors import DatabaseError
from sqlscore.products import product_for
from sqlscore.transports.failures import translated

FOLDER = Path(__file__).parent
DATA = FOLDER / "penguins.csv"
MODEL = FOLDER / "penguins.onnx"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
LABEL = "species"
EVERY = 4  #: every fourth row is held out of training

_TYPES = {
    "id": pa.int64(),
    "island": pa.string(),
    **dict.fromkeys(NUMBERS, pa.float64()),
    "sex": pa.string(),
    "year": pa.int64(),
    LABEL: pa.string(),
}


def rows() -> pa.Table:
    """All 344 rows; 2 lack every measure and 11 the sex, as NULL."""
    options = pacsv.ConvertOptions(column_types=_TYPES, strings_can_be_null=True)
    return pacsv.read_csv(DATA, convert_options=options)


def held_out(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each row was kept from the model when it was trained."""
    whole = pc.multiply(pc.divide(ids, EVERY), EVERY)
    return pc.equal(whole, ids)


def fill(engine: sa.Engine) -> None:
    """Make the table ``penguins`` and put the rows in, unless they are there.

    Raises DatabaseError where there is a table of that name that is not the demo's.
    """
    metadata = sa.MetaData()
    given = rows()
    columns = [
        sa.Column(
            field.name,
            _SQL_TYPES[field.type],
            primary_key=field.name == "id",
            autoincrement=False,
        )
        for field in given.schema
    ]
    table = sa.Table("penguins", metadata, *columns, mysql_charset="utf8mb4")
    with translated("making the demo's table", url=engine.url):
        if sa.inspect(engine).has_table("penguins"):
            return _check(engine, table, given.num_rows)
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(sa.insert(table), given.to_pylist())
    return None


_SQL_TYPES: dict[pa.DataType, sa.types.TypeEngine[Any]] = {
    pa.int64(): sa.BigInteger(),
    pa.float64(): sa.Double(),
    pa.string(): sa.Text(),
}


def _check(engine: sa.Engine, table: sa.Table, expected: int) -> None:
    with engine.connect() as connection:
        columns = product_for(engine).describe(connection, sa.table("penguins"))
        count = connection.scalar(sa.select(sa.func.count()).select_from(table))
    if [c.name for c in columns] != table.columns.keys() or count != expected:
        raise DatabaseError(
            "this database has a table 'penguins' that is not the demo's, and the demo will not "
            "touch it. Give the demo another database, or none"
        )
