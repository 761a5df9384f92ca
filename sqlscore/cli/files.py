"""Files of rows, read and written as streams of Arrow batches, so that size does not matter.

A CSV file is text: the columns that feed a model are read in the type that the model wants, and the
others pass through as the text that they are (into Parquet: in the type that their first megabytes
show). There an empty field is NULL and a quoted empty one is empty text; nothing else is NULL
unless the caller says so.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sqlscore.errors import SignatureError, SqlscoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

BATCH = 16_384  #: rows
_BLOCK = 4 * 2**20  #: bytes of CSV text a batch


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A file of rows, opened."""

    schema: pa.Schema
    total: int | None  #: rows, where the file says so
    batches: Iterator[pa.RecordBatch]


def kind(path: Path) -> str:
    """``parquet`` or ``csv``, by the end of the name; SqlscoreError for any other."""
    for ending, found in _ENDINGS.items():
        if path.name.lower().endswith(ending):
            return found
    raise SqlscoreError(
        f"{str(path)!r}: a file of rows ends in {', '.join(_ENDINGS)}; convert it, "
        "or use model.predict in Python"
    )


_ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}


def schema(path: Path) -> pa.Schema:
    """A file's columns; the types of a CSV file's are guessed from its first block."""
    with _readable(path):
        if kind(path) == "parquet":
            return pq.read_schema(path)
        with pacsv.open_csv(path, convert_options=_as_text({}, (), ())) as reader:
            return reader.schema


@contextmanager
def opened(
    path: Path, types: Mapping[str, pa.DataType], *, nulls: Sequence[str], text: bool
) -> Iterator[Rows]:
    """Open a file; in CSV the columns in `types` are read so, and `nulls` are NULL beside nothing.

    With `text` CSV's other columns are text. Raises SqlscoreError for what cannot be read and
    SignatureError for a value that is not of its column's type, also from the batches.
    """
    with _readable(path):
        if kind(path) == "parquet":
            with pq.ParquetFile(path, memory_map=True) as file:
                batches = _translated(path, file.iter_batches(BATCH))
                yield Rows(schema=file.schema_arrow, total=file.metadata.num_rows, batches=batches)
            return
        names = schema(path).names if text else ()
        with pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=_BLOCK),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=_as_text(types, names, nulls),
        ) as reader:
            yield Rows(schema=reader.schema, total=None, batches=_translated(path, reader))


def _as_text(
    types: Mapping[str, pa.DataType], names: Sequence[str], nulls: Sequence[str]
) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(
        column_types={**dict.fromkeys(names, pa.string()), **types},
        null_values=["", *nulls],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _translated(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with _readable(path):
        yield from batches


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SqlscoreError(f"there is no file {str(path)!r}") from error
    except pa.ArrowInvalid as error:
        first = str(error).partition("\n")[0]
        raise SignatureError(
            f"{str(path)!r} cannot be read: {first}. Is NULL written in another way? --na TEXT"
            if kind(path) == "csv"
            else f"{str(path)!r} cannot be read: {first}"
        ) from error
    except OSError as error:
        raise SqlscoreError(f"{str(path)!r}: {error}") from error


@contextmanager
def written(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """What to call with each batch; the file is there whole in the end, or not at all.

    In CSV lists are JSON text, and all text stands in quotes: what is empty without them is NULL.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _WRITERS[kind(path)](unfinished, schema) as write:
            yield write
        unfinished.replace(path)
    except OSError as error:
        raise SqlscoreError(f"{str(path)!r} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    with pq.ParquetWriter(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    flat = pa.schema([(field.name, _flat(field.type)) for field in schema])
    with pacsv.CSVWriter(path, flat) as writer:
        yield lambda batch: writer.write_batch(_flattened(batch, flat))


def _flat(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(type_) else type_


def _flattened(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array([None if v is None else json.dumps(v, default=str) for v in column.to_pylist()])
        if pa.types.is_nested(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


_WRITERS = {"parquet": _parquet, "csv": _csv}
