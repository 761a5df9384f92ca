"""The SELECT that brings a query's rows to a model, and what comes back made into its batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sqlscore.errors import SignatureError
from sqlscore.runtime.arrays import matrix
from sqlscore.runtime.arrays import row as one_row
from sqlscore.runtime.records import carrying
from sqlscore.runtime.wire import columns_of
from sqlscore.types import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlscore.binding import Binding
    from sqlscore.runtime.taken import Taken

#: PostgreSQL's number of a type -> what it means; all others are text
TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 700: pa.float32(),
    701: pa.float64(), 1700: pa.decimal128(38, 10), 18: pa.string(), 19: pa.string(),
    25: pa.string(), 1042: pa.string(), 1043: pa.string(), 17: pa.binary(), 1082: pa.date32(),
    1083: pa.time64("us"), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", tz="UTC"),
}  # fmt: skip
_BOOL = pa.bool_()


@dataclass(frozen=True, kw_only=True, slots=True)
class Selecting:
    """How the rows of one query are fetched for one model."""

    text: str  #: the SELECT; the caller's query stands in it as it was written
    carried: Mapping[str, str]  #: column that feeds no feature -> the key of its field
    doubles: tuple[int, ...]  #: places of the features that come as doubles, in one array a row
    integers: tuple[int, ...]  #: places of those that come as integers, in another
    words: tuple[int, ...]  #: places of those that come as text, each by itself

    @classmethod
    def of(
        cls, binding: Binding, query: str, carry: Mapping[str, int], quote: Callable[[str], str]
    ) -> Selecting:
        """The SELECT over the rows of `query`, with these of its columns carried along.

        `carry` has the numbers of their types.
        """
        bound = binding.features
        doubles = tuple(i for i, b in enumerate(bound) if pa.types.is_floating(b.read))
        words = tuple(i for i, b in enumerate(bound) if pa.types.is_string(b.read))
        integers = tuple(i for i in range(len(bound)) if i not in (*doubles, *words))
        for i in integers:
            if not is_number(bound[i].read):
                raise SignatureError(
                    f"the feature {bound[i].feature.name!r} takes a tensor a row, which functions "
                    "in the database do not take. Use: sqlscore score"
                )

        def numbers(places: tuple[int, ...], type_: str) -> str:
            casts = (
                _cast(bound[i].column.type, f"q.{quote(bound[i].column.name)}", type_)
                for i in places
            )
            return f"sqlscore.array_bytes(ARRAY[{', '.join(casts)}])"

        carried, columns = carrying(carry, quote)
        columns += [numbers(doubles, "float8") + " AS d"] if doubles else []
        columns += [numbers(integers, "int8") + " AS i"] if integers else []
        columns += [f"q.{quote(bound[i].column.name)}::pg_catalog.text AS t{i}" for i in words]
        # the line's end: the query may end with a comment
        text = f"SELECT {', '.join(columns)} FROM ({query}\n) AS q"  # noqa: S608
        return cls(text=text, carried=carried, doubles=doubles, integers=integers, words=words)

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """The features of one fetched row, as Python's values."""
        found: dict[int, Any] = {place: row[f"t{place}"] for place in self.words}
        if self.doubles:
            found |= zip(self.doubles, one_row(row["d"], len(self.doubles)), strict=True)
        if self.integers:
            integers = one_row(row["i"], len(self.integers), np.int64)
            found |= zip(self.integers, integers, strict=True)
        return [found[i] for i in range(len(found))]

    def batch(self, rows: Taken, names: Sequence[str]) -> pa.RecordBatch:
        """The features of fetched rows, under these names."""
        arrays: dict[int, pa.Array] = {}
        for places, name, dtype in (
            (self.doubles, "d", np.float64),
            (self.integers, "i", np.int64),
        ):
            if places:
                found = matrix(rows.arrays(name), len(places), dtype)
                arrays |= zip(places, columns_of(*found), strict=True)
        for place in self.words:
            arrays[place] = pa.array(rows.values(f"t{place}"), pa.string())
        return pa.RecordBatch.from_arrays([arrays[i] for i in range(len(names))], names=list(names))


def _cast(type_: pa.DataType, column: str, wanted: str) -> str:
    through = (
        "::pg_catalog.int4" if type_ == _BOOL else ""
    )  # no cast leads from a truth to a number
    return f"{column}{through}::pg_catalog.{wanted}"
