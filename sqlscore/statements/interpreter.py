"""Runs a script's batches: variables and control flow here, everything else in the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.errors import DatabaseError, StatementError, nearest
from sqlscore.predict.grammar import predicts
from sqlscore.predict.statements import (
    Assign,
    Batch,
    Block,
    CreateProcedure,
    CreateView,
    Declare,
    Execute,
    If,
    Option,
    Print,
    Query,
    Return,
    Statement,
    Use,
)
from sqlscore.statements import writing
from sqlscore.statements.calls import arguments
from sqlscore.statements.queries import Queries
from sqlscore.statements.results import Result, held
from sqlscore.statements.routines import PROCEDURE, VIEW, Routines, check_names
from sqlscore.statements.variables import Variables, is_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from sqlscore.plan import Route
    from sqlscore.predict.statements import Variable
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.queries import Choice


_DEEPEST = 32  #: procedures in procedures, as in T-SQL


class _Returned(Exception):
    """RETURN: the batch or procedure is over."""


class Interpreter:
    """Runs one script in one conversation."""

    def __init__(self, conversation: Conversation, models: Models, text: str, route: Route) -> None:
        self._on, self._text = conversation, text
        self._routines = Routines(conversation)
        self._queries = Queries(conversation, models, self._routines, route)
        self._depth = 0  #: of procedures that run
        self._variables = Variables(conversation.engine, conversation.product)
        self.results: list[Result] = []  #: the last one runs when it is read, if it ends the script
        self.messages: list[str] = []
        self.rows_written: int | None = None

    def run(self, batches: Sequence[Batch]) -> None:
        """Run the batches; the script ends at its first error."""
        for batch in batches:
            for time in range(batch.times):
                self._variables = Variables(self._on.engine, self._on.product)
                ends = batch is batches[-1] and time + 1 == batch.times
                try:
                    self._all(batch.statements, last=ends)
                except _Returned:
                    continue

    def _all(self, statements: Sequence[Statement], *, last: bool) -> None:
        for statement in statements:
            self._one(statement, last=last and statement is statements[-1])

    def one(self, statement: Statement) -> None:
        """Run one statement, as the last of a script."""
        self._one(statement, last=True)

    def explain(self, statement: Query) -> Choice:
        """What would become of a statement, with the variables as they are."""
        return self._queries.explain(statement.tree, self._text, self._variables)

    def _one(self, statement: Statement, *, last: bool) -> None:
        try:
            _RUN[type(statement)](self, statement, last)
        except StatementError as error:
            if error.line is not None:
                raise
            place = {"line": statement.line, "column": statement.column}
            raise StatementError(str(error), **place) from error
        except DatabaseError as error:
            told = DatabaseError(f"line {statement.line}, column {statement.column}: {error}")
            told.code = error.code
            raise told from error

    def _query(self, statement: Query, last: bool) -> None:
        given = self._queries.run(statement.tree, self._text, self._variables)
        if isinstance(given, int):
            self.rows_written = given if given >= 0 else None
            self._variables.row_count = max(given, 0)
            return
        self.results.append(given if last else self._read(given))

    def _read(self, result: Result) -> Result:
        """A result that is not the script's last: its rows are read before the script goes on."""
        rows = result.to_arrow()
        self._variables.row_count = rows.num_rows
        return held(rows)

    def _declare(self, statement: Declare, _: bool) -> None:
        for variable in statement.variables:
            if variable.columns is not None:
                self._table_variable(variable)
                continue
            assert variable.type is not None
            self._variables.declare(variable.name, variable.type)
            if variable.value is not None:
                self._give([variable.name], exp.select(variable.value), statement)

    def _table_variable(self, variable: Variable) -> None:
        name = f"@{variable.name}"
        made = self._on.temporarily(name)
        self._on.drop([made])
        assert variable.columns is not None
        schema = variable.columns.copy()
        schema.set("this", exp.table_(made, quoted=True))
        create = exp.Create(this=schema, kind="TABLE")
        if not self._on.product.t_sql:
            temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
            create.set("properties", temporary)
        with self._on.transaction():
            self._on.execute(self._on.write(self._on.translated(create)))
        self._on.keep_temporary(name)

    def _assign(self, statement: Assign, _: bool) -> None:
        self._give(statement.names, statement.tree, statement)

    def _give(self, names: Sequence[str], tree: exp.Select, statement: Statement) -> None:
        """Give variables the values of the last row, each in its variable's type."""
        place = {"line": statement.line, "column": statement.column}
        select = tree.copy()
        values = [
            self._typed(value, name, place)
            for name, value in zip(names, select.expressions, strict=True)
        ]
        select.set("expressions", [exp.alias_(v, f"c{i}") for i, v in enumerate(values)])
        row = self._last(select)
        for name, value in zip(names, row or (), strict=False):
            self._variables.assign(name, value)

    def _typed(self, value: exp.Expr, name: str, place: dict[str, int]) -> exp.Expr:
        type_ = self._variables.type_of(name, place)
        if is_binary(type_):
            return value.copy()
        return exp.Cast(this=value.copy(), to=type_.copy())

    def _last(self, select: exp.Select) -> tuple[Any, ...] | None:
        given = self._queries.run(select, self._text, self._variables)
        assert isinstance(given, Result)
        last: pa.RecordBatch | None = None
        count = 0
        for batch in given.to_batches():
            last = batch if batch.num_rows else last
            count += batch.num_rows
        self._variables.row_count = count
        if last is None:
            return None
        return tuple(column[-1].as_py() for column in last.columns)

    def _if(self, statement: If, last: bool) -> None:
        holds = exp.Case(
            ifs=[exp.If(this=statement.condition.copy(), true=exp.Literal.number(1))],
            default=exp.Literal.number(0),
        )
        row = self._last(exp.select(exp.alias_(holds, "c0")))
        branch = statement.then if row == (1,) else statement.otherwise
        if branch is not None:
            self._one(branch, last=last)

    def _block(self, statement: Block, last: bool) -> None:
        self._all(statement.statements, last=last)

    def _print(self, statement: Print, _: bool) -> None:
        row = self._last(exp.select(exp.alias_(statement.value.copy(), "c0")))
        value = row[0] if row else None
        self.messages.append("" if value is None else str(value))

    def _use(self, statement: Use, _: bool) -> None:
        here = self._on.engine.url.database
        if not here or here.casefold() != statement.database.casefold():
            self.messages.append(
                f"USE {statement.database}: the script stays in the database it is connected to"
            )

    def _return(self, _: Return, __: bool) -> None:
        raise _Returned

    def _view(self, statement: CreateView, _: bool) -> None:
        """A view is the database's own, unless a model in it has no SQL form: then it is kept."""
        scores = bool(predicts(self._routines.with_views(statement.query.copy())))
        if scores:
            check_names(statement)
        name = statement.name.name
        kept = self._routines.find(VIEW, statement.name) is not None
        if kept and not statement.replace:
            self._routines.refuse_second(VIEW, statement.name)
        refused = self._queries.make_view(statement, self._text, self._variables)
        if refused:
            self._routines.keep(VIEW, statement.name, statement.text, replace=statement.replace)
            self.messages.append(
                f"view {name}: kept by sqlscore, since its model runs outside the database "
                f"({'; '.join(refused)}). Statements that run through sqlscore see it"
            )
            return
        if kept:
            self._routines.drop(VIEW, statement.name)
        if scores:
            self.messages.append(
                f"view {name}: the database's own, with its model as SQL as it is now. Make it "
                "again for another version"
            )

    def _procedure(self, statement: CreateProcedure, _: bool) -> None:
        self._routines.keep(PROCEDURE, statement.name, statement.text, replace=statement.replace)
        self.messages.append(
            f"procedure {statement.name.name}: kept by sqlscore. EXEC through sqlscore runs it"
        )

    def _execute(self, statement: Execute, last: bool) -> None:
        made = self._routines.procedure(statement.procedure)
        if made is None:
            name, known = statement.procedure.name, self._routines.names(PROCEDURE)
            raise StatementError(
                f"there is no procedure {name!r}.{nearest(name, known)} CREATE PROCEDURE through "
                "sqlscore makes one"
            )
        if self._depth == _DEEPEST:
            raise StatementError(f"procedures call each other more than {_DEEPEST} deep")
        variables = self._called(made, statement)
        before = len(self.results)
        with self._inside(made, variables):
            self._all(made.statements, last=last and statement.into is None)
        if statement.into is not None:
            rows = self.results[before:]
            del self.results[before:]
            self._insert(statement, rows)

    def _called(self, made: CreateProcedure, statement: Execute) -> Variables:
        """The parameters of a call: its arguments in their types, the defaults for the rest."""
        variables = Variables(self._on.engine, self._on.product)
        given = arguments(made, statement)
        for parameter in made.parameters:
            assert parameter.type is not None
            value = given.get(parameter.name.casefold(), parameter.value)
            if value is None:
                raise StatementError(
                    f"the procedure {made.name.name!r} needs @{parameter.name}, which EXEC does "
                    "not give"
                )
            variables.declare(parameter.name, parameter.type)
            typed = value if is_binary(parameter.type) else exp.Cast(this=value, to=parameter.type)
            row = self._last(exp.select(exp.alias_(typed.copy(), "c0")))
            variables.assign(parameter.name, row[0] if row else None)
        return variables

    @contextmanager
    def _inside(self, made: CreateProcedure, variables: Variables) -> Iterator[None]:
        """Run with a procedure's own text and variables; its errors say whose lines they name."""
        outer = self._text, self._variables
        self._text, self._variables = made.text, variables
        self._depth += 1
        try:
            yield
        except _Returned:
            pass
        except StatementError as error:
            said = f"in the procedure {made.name.name}: {error}"
            raise StatementError(said).at(error.line, error.column) from error
        finally:
            self._depth -= 1
            self._text, self._variables = outer

    def _insert(self, statement: Execute, results: Sequence[Result]) -> None:
        """INSERT … EXEC: the rows of the procedure's SELECTs into a table."""
        assert statement.into is not None
        self.rows_written = 0
        for result in results:
            rows = result.to_arrow()
            self.rows_written += writing.insert(self._on, statement.into, rows, self._text)
        self._variables.row_count = self.rows_written

    def _nothing(self, _: Option, __: bool) -> None:
        """An option that changes no row."""


_RUN: dict[type[Statement], Callable[[Interpreter, Any, bool], None]] = {
    Query: Interpreter._query,
    Declare: Interpreter._declare,
    Assign: Interpreter._assign,
    If: Interpreter._if,
    Block: Interpreter._block,
    Print: Interpreter._print,
    Use: Interpreter._use,
    Return: Interpreter._return,
    Option: Interpreter._nothing,
    CreateView: Interpreter._view,
    CreateProcedure: Interpreter._procedure,
    Execute: Interpreter._execute,
}
