"""One text that runs, a script's or a procedure's: its variables, and what expressions are worth.

The database itself gives every value, so that an expression means what it means there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.statements.results import Result, held
from sqlscore.statements.variables import is_binary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from sqlscore.statements.queries import Choice, Queries
    from sqlscore.statements.session import Session
    from sqlscore.statements.variables import Variables


class Frame:
    """A text and its variables, over the queries of a conversation."""

    def __init__(self, queries: Queries, text: str, variables: Variables, session: Session) -> None:
        self._queries, self.text, self.variables = queries, text, variables
        self.session = session

    def run(self, tree: exp.Expression) -> Result | int:
        """A result, which runs when it is read; or the rows written, -1 where nobody says."""
        return self._queries.run(tree, self.text, self.variables)

    def explain(self, tree: exp.Expression) -> Choice:
        """What `run` would do, with the variables as they are."""
        return self._queries.explain(tree, self.text, self.variables)

    def read(self, result: Result) -> Result:
        """A result with its rows read, so that they count for @@ROWCOUNT."""
        rows = result.to_arrow()
        self.session.row_count = rows.num_rows
        return held(rows)

    def last(self, select: exp.Select) -> tuple[Any, ...] | None:
        """The last row of a query; None where it has none."""
        given = self.run(select)
        assert isinstance(given, Result)
        last: pa.RecordBatch | None = None
        count = 0
        for batch in given.to_batches():
            last = batch if batch.num_rows else last
            count += batch.num_rows
        self.session.row_count = count
        if last is None:
            return None
        return tuple(column[-1].as_py() for column in last.columns)

    def value(self, expression: exp.Expr) -> Any:
        """What an expression is worth."""
        return self.values([expression])[0]

    def values(self, expressions: Sequence[exp.Expr]) -> tuple[Any, ...]:
        """What several are worth at one moment; @@ROWCOUNT stays what it is."""
        before = self.session.row_count
        listed = [exp.alias_(one.copy(), f"c{i}") for i, one in enumerate(expressions)]
        row = self.last(exp.select(*listed))
        self.session.row_count = before
        return row or (None,) * len(listed)

    def give(self, names: Sequence[str], tree: exp.Select, place: dict[str, int]) -> None:
        """Give variables the values of a query's last row, each in its variable's type.

        One by one where they read each other. `StatementError` for a SELECT that would add up over
        several rows in a variable: which rows come when, nobody says.
        """
        folded = [name.casefold() for name in names]
        reads = [{p.name.casefold() for p in v.find_all(exp.Parameter)} for v in tree.expressions]
        if any(one & set(folded[:i]) for i, one in enumerate(reads)):
            if tree.args.get("from_") is not None:
                raise StatementError("a SELECT reads a variable that it gives a value: use two")
            for name, value in zip(names, tree.expressions, strict=True):
                self.give([name], exp.select(value), place)
            return
        select = tree.copy()
        values = [
            typed(value, self.variables.type_of(name, place))
            for name, value in zip(names, select.expressions, strict=True)
        ]
        select.set("expressions", [exp.alias_(v, f"c{i}") for i, v in enumerate(values)])
        row = self.last(select)
        if self.session.row_count > 1 and any(one & set(folded) for one in reads):
            raise StatementError(
                "a variable is not added up over the rows of a SELECT here: use SUM, or STRING_AGG"
            )
        for name, value in zip(names, row or (), strict=False):
            self.variables.assign(name, value)


def typed(value: exp.Expr, type_: exp.DataType) -> exp.Expr:
    """An expression in the type of a variable; bytes are what they are."""
    if is_binary(type_):
        return value.copy()
    return exp.Cast(this=value.copy(), to=type_.copy())
