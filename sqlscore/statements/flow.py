"""What steers a script: branches, loops, errors that are raised and caught, transactions."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.errors import DatabaseError, SqlscoreError, StatementError
from sqlscore.statements.session import Raised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.predict.statements import (
        Block,
        If,
        Leave,
        Print,
        Raise,
        Rethrow,
        Return,
        Transaction,
        Try,
        While,
    )
    from sqlscore.statements.frame import Frame
    from sqlscore.statements.interpreter import Interpreter

_LEAST_ERROR = 11  #: a severity beneath it is a message
_LEAST_THROWN = 50_000  #: smaller numbers are SQL Server's own


class Returned(Exception):
    """RETURN: the batch or procedure is over."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value


class Left(Exception):
    """BREAK or CONTINUE: a WHILE, or a turn of it, is over."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.again = again


def branch(run: Interpreter, statement: If, last: bool) -> None:
    """Run one of two statements."""
    chosen = statement.then if _holds(run.frame, statement.condition) else statement.otherwise
    if chosen is not None:
        run.one(chosen, last=last)


def loop(run: Interpreter, statement: While, _: bool) -> None:
    """Run a statement again and again."""
    while _holds(run.frame, statement.condition):
        try:
            run.one(statement.body, last=False)
        except Left as left:
            if not left.again:
                return


def _holds(frame: Frame, condition: exp.Expression) -> bool:
    holds = exp.Case(
        ifs=[exp.If(this=condition.copy(), true=exp.Literal.number(1))],
        default=exp.Literal.number(0),
    )
    found = frame.value(holds) == 1
    frame.session.row_count = 0
    return bool(found)


def leave(_run: Interpreter, statement: Leave, _: bool) -> None:
    """Leave a loop, or a turn of it."""
    raise Left(again=statement.again)


def back(run: Interpreter, statement: Return, _: bool) -> None:
    """End the batch or procedure."""
    value = None if statement.value is None else run.frame.value(statement.value)
    raise Returned(int(value or 0))


def block(run: Interpreter, statement: Block, last: bool) -> None:
    """Run several statements."""
    run.all(statement.statements, last=last)


def tried(run: Interpreter, statement: Try, last: bool) -> None:
    """Run statements, and others where there is an error in them.

    The error undoes what the statement did, and dooms a transaction that is open.
    """
    before = run.session.caught
    try:
        run.all(statement.statements, last=False)
    except SqlscoreError as error:
        run.fail()
        run.session.catch(error)
        try:
            run.all(statement.caught, last=last)
        finally:
            run.session.caught = before


def throw_on(run: Interpreter, _: Rethrow, __: bool) -> None:
    """Give the error that was caught on, as it is."""
    if run.session.caught is None:
        raise StatementError("THROW without a number gives on what CATCH caught: it stands there")
    raise run.session.caught


def throw(run: Interpreter, statement: Raise, _: bool) -> None:
    """Raise an error of the script's own, or say a message of low severity."""
    wanted = (statement.number, statement.severity, statement.state, statement.message)
    worth = run.frame.values([*wanted, *statement.arguments])
    number, severity, state = (int(one or 0) for one in worth[:3])
    if number < _LEAST_THROWN:
        raise StatementError(f"THROW takes a number from {_LEAST_THROWN} on, not {number}")
    message = _filled(str(worth[3] or ""), worth[4:])
    if severity < _LEAST_ERROR:
        run.messages.append(message)
        return
    raise Raised(message, number=number, severity=severity, state=state)


_PLACE = re.compile(r"%(?:([-+0 #]*)(\d*)(?:\.(\d+))?(?:I64|[hl])?([diouxXs])|%)")


def _filled(message: str, arguments: Sequence[Any]) -> str:
    """A message of RAISERROR with its arguments, each in its place."""
    given = iter(arguments)

    def written(place: re.Match[str]) -> str:
        flags, width, most, kind = place.groups()
        if kind is None:
            return "%"
        value = next(given, None)
        if value is None:
            return "(null)"
        if kind == "s":
            return f"%{flags}{width}{'.' + most if most else ''}s" % str(value)
        return f"%{flags}{width}{kind}" % int(value)

    return _PLACE.sub(written, message) if arguments else message.replace("%%", "%")


def say(run: Interpreter, statement: Print, _: bool) -> None:
    """A message for the caller."""
    value = run.frame.value(statement.value)
    run.messages.append("" if value is None else str(value))
    run.session.row_count = 0


def transact(run: Interpreter, statement: Transaction, _: bool) -> None:
    """BEGIN TRANSACTION, COMMIT, ROLLBACK."""
    run.transact(statement.verb)
    run.session.row_count = 0


@contextmanager
def at_its_end(run: Interpreter) -> Iterator[None]:
    """A script that leaves a transaction open is an error."""
    before = run.session.transactions.count
    yield
    if run.session.transactions.count > before:
        raise DatabaseError(
            "the script ends, and its BEGIN TRANSACTION has no COMMIT: nothing of it is kept"
        )
