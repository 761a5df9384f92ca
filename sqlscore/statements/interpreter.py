"""Runs a script's batches: variables and control flow here, everything else in the database."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.predict.statements import (
    Assign,
    Batch,
    Block,
    CreateProcedure,
    CreateView,
    Declare,
    Execute,
    If,
    Leave,
    Option,
    Print,
    Query,
    Raise,
    Rethrow,
    Return,
    Statement,
    Transaction,
    Try,
    Use,
    While,
)
from sqlscore.statements import creating, flow, made, procedures
from sqlscore.statements.frame import Frame
from sqlscore.statements.places import located
from sqlscore.statements.queries import Queries
from sqlscore.statements.routines import Routines
from sqlscore.statements.session import Session
from sqlscore.statements.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlscore.plan import Wishes
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.queries import Choice
    from sqlscore.statements.results import Result


class Interpreter:
    """Runs one script in one conversation."""

    def __init__(
        self, conversation: Conversation, models: Models, text: str, wishes: Wishes
    ) -> None:
        self.on, self._text = conversation, text
        self.session = Session(conversation.transactions)
        self.routines = Routines(conversation)
        self._queries = Queries(conversation, models, self.routines, wishes)
        self.depth = 0  #: of procedures that run
        self.frame = self.new_frame(text)
        self.results: list[Result] = []  #: the last one runs when it is read, if it ends the script
        self.messages: list[str] = []
        self.rows_written: int | None = None

    def new_frame(self, text: str) -> Frame:
        """A text that begins to run, without variables."""
        variables = Variables(self.on.engine, self.on.product, self.session)
        return Frame(self._queries, text, variables, self.session)

    def run(self, batches: Sequence[Batch]) -> None:
        """Run the batches; the script ends at its first error that nothing catches."""
        with flow.at_its_end(self):
            for batch in batches:
                for time in range(batch.times):
                    self.frame = self.new_frame(self._text)
                    ends = batch is batches[-1] and time + 1 == batch.times
                    with suppress(flow.Returned):
                        self.all(batch.statements, last=ends)

    def all(self, statements: Sequence[Statement], *, last: bool) -> None:
        """Run statements; `last`: they end the script, and the rows of a SELECT can wait."""
        for statement in statements:
            self.one(statement, last=last and statement is statements[-1])

    def one(self, statement: Statement, *, last: bool = True) -> None:
        """Run one statement, as the last of a script or not."""
        with located(_place(statement)):
            _RUN[type(statement)](self, statement, last)

    def fail(self) -> None:
        """What an error that was caught leaves behind is undone."""
        self.on.transactions.fail()

    def transact(self, verb: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        transactions = self.on.transactions
        if verb != "ROLLBACK":
            (transactions.begin if verb == "BEGIN" else transactions.commit)()
            return
        self.on.drop(transactions.rollback())
        self.routines.forget()

    def explain(self, statement: Query) -> Choice:
        """What would become of a statement, with the variables as they are."""
        return self.frame.explain(statement.tree)

    def _query(self, statement: Query, last: bool) -> None:
        given = self.frame.run(statement.tree)
        if isinstance(given, int):
            self.rows_written = given if given >= 0 else None
            self.session.row_count = max(given, 0)
            return
        given.place = _place(statement)  # it runs when it is read
        self.results.append(given if last else self.frame.read(given))

    def _declare(self, statement: Declare, _: bool) -> None:
        for variable in statement.variables:
            if variable.columns is not None:
                made.table_variable(self.on, variable)
                continue
            assert variable.type is not None
            self.frame.variables.declare(variable.name, variable.type)
            if variable.value is not None:
                self.frame.give([variable.name], exp.select(variable.value), _place(statement))

    def _assign(self, statement: Assign, _: bool) -> None:
        self.frame.give(statement.names, statement.tree, _place(statement))

    def _use(self, statement: Use, _: bool) -> None:
        here = self.on.engine.url.database
        if not here or here.casefold() != statement.database.casefold():
            self.messages.append(
                f"USE {statement.database}: the script stays in the database it is connected to"
            )

    def _view(self, statement: CreateView, _: bool) -> None:
        said = creating.view(statement, self.frame, self._queries, self.routines)
        if said is not None:
            self.messages.append(said)

    def _procedure(self, statement: CreateProcedure, _: bool) -> None:
        self.messages.append(creating.procedure(statement, self.routines))

    def _nothing(self, _: Option, __: bool) -> None:
        """An option that changes no row."""


def _place(statement: Statement) -> dict[str, int]:
    return {"line": statement.line, "column": statement.column}


_RUN: dict[type[Statement], Callable[[Interpreter, Any, bool], None]] = {
    Query: Interpreter._query,
    Declare: Interpreter._declare,
    Assign: Interpreter._assign,
    If: flow.branch,
    While: flow.loop,
    Leave: flow.leave,
    Block: flow.block,
    Try: flow.tried,
    Raise: flow.throw,
    Rethrow: flow.throw_on,
    Return: flow.back,
    Transaction: flow.transact,
    Print: flow.say,
    Use: Interpreter._use,
    Option: Interpreter._nothing,
    CreateView: Interpreter._view,
    CreateProcedure: Interpreter._procedure,
    Execute: procedures.execute,
}
