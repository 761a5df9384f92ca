"""The rows that a set-returning function gives: columns by name, as texts of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore.errors import SignatureError, nearest
from sqlscore.runtime.literals import Array, list_text, quoted, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from sqlscore.runtime.taken import Taken

#: PostgreSQL's numbers of the types whose text needs no quotes in a record
_BARE = frozenset({16, 20, 21, 23, 26, 700, 701, 1082, 1700, 2950})


def carrying(
    columns: Mapping[str, int], quote: Callable[[str], str]
) -> tuple[dict[str, str], list[str]]:
    """Columns to carry along, with their types' numbers: the key of each, and what to SELECT."""
    keys, items = {}, []
    for i, (name, type_) in enumerate(columns.items()):
        bare = type_ in _BARE
        keys[name] = f"b{i}" if bare else f"c{i}"
        value = f"q.{quote(name)}" if bare else f"ROW(q.{quote(name)})"
        items.append(f"{value}::pg_catalog.text AS {keys[name]}")
    return keys, items


def carried(rows: Taken, key: str) -> list[str]:
    """The fields of a column that is carried along, fetched under this key."""
    values = rows.values(key)
    if key.startswith("b"):
        return [value or "" for value in values] if None in values else values
    return [value[1:-1] for value in values]  # a record's text without its parentheses


class Wanted:
    """The names that the server asks for, which it says by the first row of a call.

    So whatever thread scores the rows after that one can write them, too.
    """

    def __init__(self, write: Callable[[Columns, Sequence[str]], Any]) -> None:
        """`write` makes of a batch's columns of these names what the server takes."""
        self.names: list[str] = []
        self.write = write

    def __call__(self, columns: Columns) -> tuple[Columns, Any]:
        """A batch, and what `write` makes of it; None before the names are known."""
        return columns, self.write(columns, self.names) if self.names else None


def records(scored: Iterable[tuple[Columns, Any]], wanted: Wanted) -> Iterator[Any]:
    """All rows, as a set-returning function gives them to the server."""
    for columns, written in scored:
        if wanted.names:
            texts = wanted.write(columns, wanted.names) if written is None else written
        else:
            yield from _asked(wanted, Asked(columns, columns.first))
            texts = wanted.write(columns, wanted.names)[1:]
        for text in texts:  # noqa: UP028  # here other threads may have Python's lock at each row
            yield text


def batches(scored: Iterable[tuple[Columns, Any]], wanted: Wanted) -> Iterator[Any]:
    """All rows, some thousands in each record of arrays."""
    for columns, written in scored:
        if not wanted.names:
            yield from _asked(wanted, Asked(columns, columns.array))
        else:
            yield written or wanted.write(columns, wanted.names)


def _asked(wanted: Wanted, asked: Asked) -> Iterator[Asked]:
    """The first row, from which the server takes the columns that it wants, by name."""
    yield asked
    asked.refuse_unknown()
    wanted.names = asked.names


class Columns:
    """The columns of some scored rows that can be asked for by name."""

    def __init__(
        self,
        rows: Taken,
        carried: Mapping[str, str],
        predictions: Mapping[str, str],
        fed: Collection[str],
        predicted: Callable[[str], list[str]],
        lists: Collection[str] = (),
    ) -> None:
        """`carried` has keys of `rows`, by column; `predictions` their own names, by column.

        `fed` are the columns that feed the model; `predicted` gives the fields of a prediction;
        `lists` are the columns of predictions that are a list a row.
        """
        self._rows = rows
        self._predicted = predicted
        self._made: dict[str, list[str]] = {}
        self.carried = carried
        self.predictions = predictions
        self.fed = fed
        self._lists = lists

    def meant(self, name: str) -> str:
        """Our name for what the server asks for: names without quotes come in small letters."""
        known = [*self.predictions, *self.carried]
        alike = {other for other in known if other.casefold() == name.casefold()}
        return alike.pop() if len(alike) == 1 and name not in self.fed else name

    def first(self, name: str) -> str | Array | None:
        """The first row's value, as text; None also for a name that is none of ours."""
        text = unquoted(self._fields(name)[0])
        return text if text is None or name not in self._lists else Array.of(text)

    def records(self, names: Sequence[str]) -> list[str]:
        """The rows as texts of records with these columns."""
        columns = [self._fields(name) for name in names]
        if len(columns) == 1:
            return [f"({a})" for a in columns[0]]
        if len(columns) == 2:
            return [f"({a},{b})" for a, b in zip(*columns, strict=True)]
        return [f"({','.join(values)})" for values in zip(*columns, strict=True)]

    def array(self, name: str) -> Array:
        """A column's values, as texts."""
        return Array(map(unquoted, self._fields(name)))

    def arrays(self, names: Sequence[str]) -> str:
        """The rows as the text of one record, with an array for each of these columns."""
        return f"({','.join(quoted(self.array_text(name)) for name in names)})"

    def array_text(self, name: str) -> str:
        """A column as the text of an array."""
        return _array_text(self._fields(name))

    def carried_text(self, name: str) -> str:
        """A column that is carried along as the text of an array, whatever a prediction's name."""
        return _array_text(carried(self._rows, self.carried[name]))

    def _fields(self, name: str) -> list[str]:
        if name not in self._made:
            if name in self.predictions:
                found = self._predicted(self.predictions[name])
            elif name in self.carried:
                found = carried(self._rows, self.carried[name])
            else:
                found = [""] * len(self._rows)
            self._made[name] = found
        return self._made[name]


def _array_text(fields: Sequence[str]) -> str:
    joined = ",".join(fields)
    if '"' in joined:
        return list_text(list(map(unquoted, fields)))
    if "" in fields:
        joined = ",".join(field or "NULL" for field in fields)
    return f"{{{joined}}}"


class Asked(dict[str, Any]):
    """The first row, which notes the names by which the server asks for its columns.

    The server asks each name of ``AS p(…)`` once, and takes the rows after it as texts of records
    in that order, several times faster than by name.
    """

    def __init__(self, columns: Columns, value: Callable[[str], Any]) -> None:
        """`value` gives what the first row has in a column."""
        super().__init__()
        self.names: list[str] = []
        self._columns = columns
        self._value = value

    def __getitem__(self, name: str) -> Any:
        name = self._columns.meant(name)
        self.names.append(name)
        return self._value(name)

    def refuse_unknown(self) -> None:
        """Raise SignatureError for a name that is no column to carry, and no prediction."""
        known = [*self._columns.carried, *self._columns.predictions]
        for name in self.names:
            if name in self._columns.fed:
                raise SignatureError(
                    f"{name!r} feeds the model, and its own value is not kept. SELECT it a second "
                    f"time under another name: {name} AS {name}_given"
                )
            if name not in known:
                raise SignatureError(
                    f"AS p(…) names {name!r}, which is neither a prediction nor another column of "
                    f"the query.{nearest(name, known)} There are: {', '.join(known)}"
                )
