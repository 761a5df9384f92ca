"""Runs a script's batches: variables and control flow here, everything else in the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.errors import StatementError, nearest
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
from sqlscore.statements import creating, made, writing
from sqlscore.statements.calls import arguments
from sqlscore.statements.frame import Frame, typed
from sqlscore.statements.places import located
from sqlscore.statements.queries import Queries
from sqlscore.statements.routines import PROCEDURE, Routines
from sqlscore.statements.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlscore.plan import Wishes
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.queries import Choice
    from sqlscore.statements.results import Result


_DEEPEST = 32  #: procedures in procedures, as in T-SQL


class _Returned(Exception):
    """RETURN: the batch or procedure is over."""


class Interpreter:
    """Runs one script in one conversation."""

    def __init__(
        self, conversation: Conversation, models: Models, text: str, wishes: Wishes
    ) -> None:
        self._on, self._text = conversation, text
        self._routines = Routines(conversation)
        self._queries = Queries(conversation, models, self._routines, wishes)
        self._depth = 0  #: of procedures that run
        self._frame = self._new_frame(text)
        self.results: list[Result] = []  #: the last one runs when it is read, if it ends the script
        self.messages: list[str] = []
        self.rows_written: int | None = None

    def _new_frame(self, text: str) -> Frame:
        return Frame(self._queries, text, Variables(self._on.engine, self._on.product))

    def run(self, batches: Sequence[Batch]) -> None:
        """Run the batches; the script ends at its first error."""
        for batch in batches:
            for time in range(batch.times):
                self._frame = self._new_frame(self._text)
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
        return self._frame.explain(statement.tree)

    def _one(self, statement: Statement, *, last: bool) -> None:
        with located(_place(statement)):
            _RUN[type(statement)](self, statement, last)

    def _query(self, statement: Query, last: bool) -> None:
        given = self._frame.run(statement.tree)
        if isinstance(given, int):
            self.rows_written = given if given >= 0 else None
            self._frame.variables.row_count = max(given, 0)
            return
        given.place = _place(statement)  # it runs when it is read
        self.results.append(given if last else self._frame.read(given))

    def _declare(self, statement: Declare, _: bool) -> None:
        for variable in statement.variables:
            if variable.columns is not None:
                made.table_variable(self._on, variable)
                continue
            assert variable.type is not None
            self._frame.variables.declare(variable.name, variable.type)
            if variable.value is not None:
                self._frame.give([variable.name], exp.select(variable.value), _place(statement))

    def _assign(self, statement: Assign, _: bool) -> None:
        self._frame.give(statement.names, statement.tree, _place(statement))

    def _if(self, statement: If, last: bool) -> None:
        holds = exp.Case(
            ifs=[exp.If(this=statement.condition.copy(), true=exp.Literal.number(1))],
            default=exp.Literal.number(0),
        )
        branch = statement.then if self._frame.value(holds) == 1 else statement.otherwise
        if branch is not None:
            self._one(branch, last=last)

    def _block(self, statement: Block, last: bool) -> None:
        self._all(statement.statements, last=last)

    def _print(self, statement: Print, _: bool) -> None:
        value = self._frame.value(statement.value)
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
        said = creating.view(statement, self._frame, self._queries, self._routines)
        if said is not None:
            self.messages.append(said)

    def _procedure(self, statement: CreateProcedure, _: bool) -> None:
        self.messages.append(creating.procedure(statement, self._routines))

    def _execute(self, statement: Execute, last: bool) -> None:
        procedure = self._routines.procedure(statement.procedure)
        if procedure is None:
            name, known = statement.procedure.name, self._routines.names(PROCEDURE)
            raise StatementError(
                f"there is no procedure {name!r}.{nearest(name, known)} CREATE PROCEDURE through "
                "sqlscore makes one"
            )
        if self._depth == _DEEPEST:
            raise StatementError(f"procedures call each other more than {_DEEPEST} deep")
        before = len(self.results)
        with self._inside(procedure, self._called(procedure, statement)):
            self._all(procedure.statements, last=last and statement.into is None)
        if statement.into is not None:
            rows = self.results[before:]
            del self.results[before:]
            self._insert(statement.into, rows)

    def _called(self, procedure: CreateProcedure, statement: Execute) -> Frame:
        """A call's own frame: the arguments in the parameters' types, the defaults for the rest."""
        frame = self._new_frame(procedure.text)
        given = arguments(procedure, statement)
        for parameter in procedure.parameters:
            assert parameter.type is not None
            value = given.get(parameter.name.casefold(), parameter.value)
            if value is None:
                raise StatementError(
                    f"the procedure {procedure.name.name!r} needs @{parameter.name}, which EXEC "
                    "does not give"
                )
            worth = self._frame.value(typed(value, parameter.type))
            frame.variables.declare(parameter.name, parameter.type, worth)
        return frame

    @contextmanager
    def _inside(self, procedure: CreateProcedure, frame: Frame) -> Iterator[None]:
        """Run with a procedure's own text and variables; its errors say whose lines they name."""
        outer, self._frame = self._frame, frame
        self._depth += 1
        try:
            yield
        except _Returned:
            pass
        except StatementError as error:
            said = f"in the procedure {procedure.name.name}: {error}"
            raise StatementError(said).at(error.line, error.column) from error
        finally:
            self._depth -= 1
            self._frame = outer

    def _insert(self, into: exp.Expression, results: Sequence[Result]) -> None:
        """INSERT … EXEC: the rows of the procedure's SELECTs into a table."""
        self.rows_written = 0
        for result in results:
            rows = result.to_arrow()
            self.rows_written += writing.insert(self._on, into, rows, self._frame.text)
        self._frame.variables.row_count = self.rows_written

    def _nothing(self, _: Option, __: bool) -> None:
        """An option that changes no row."""


def _place(statement: Statement) -> dict[str, int]:
    return {"line": statement.line, "column": statement.column}


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
