"""EXEC of a kept procedure: its own variables, what it gives back, its rows into a table."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import SqlscoreError, StatementError, nearest
from sqlscore.statements import writing
from sqlscore.statements.calls import arguments
from sqlscore.statements.flow import Returned
from sqlscore.statements.frame import Frame, typed
from sqlscore.statements.routines import PROCEDURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlscore.predict.statements import Argument, CreateProcedure, Execute
    from sqlscore.statements.interpreter import Interpreter
    from sqlscore.statements.results import Result

_DEEPEST = 32  #: procedures in procedures, as in T-SQL


def execute(run: Interpreter, statement: Execute, last: bool) -> None:
    """Run a procedure, with its arguments."""
    procedure = run.routines.procedure(statement.procedure)
    if procedure is None:
        name, known = statement.procedure.name, run.routines.names(PROCEDURE)
        raise StatementError(
            f"there is no procedure {name!r}.{nearest(name, known)} CREATE PROCEDURE through "
            "sqlscore makes one"
        )
    if run.depth == _DEEPEST:
        raise StatementError(f"procedures call each other more than {_DEEPEST} deep")
    before = len(run.results)
    given = arguments(procedure, statement)
    outer, frame = run.frame, _called(run, procedure, given)
    # what it gives back is known at its end
    last = last and statement.into is None and not (statement.status or _outputs(given))
    status = _ran(run, procedure, frame, last=last)
    _given_back(outer, frame, given)
    if statement.status is not None:
        place = {"line": statement.line, "column": statement.column}
        outer.give([statement.status], exp.select(exp.Literal.number(status)), place)
    if statement.into is not None:
        rows = run.results[before:]
        del run.results[before:]
        _insert(run, statement.into, rows)


def _ran(run: Interpreter, procedure: CreateProcedure, frame: Frame, *, last: bool) -> int:
    """Run the body; what RETURN says."""
    try:
        with _inside(run, procedure, frame):
            run.all(procedure.statements, last=last)
    except Returned as returned:
        return returned.value
    return 0


def _called(run: Interpreter, procedure: CreateProcedure, given: Mapping[str, Argument]) -> Frame:
    """A call's own frame: the arguments in the parameters' types, the defaults for the rest."""
    frame = run.new_frame(procedure.text)
    for parameter in procedure.parameters:
        assert parameter.type is not None
        argument = given.get(parameter.name.casefold())
        value = parameter.value if argument is None else argument.value
        if value is None:
            raise StatementError(
                f"the procedure {procedure.name.name!r} needs @{parameter.name}, which EXEC "
                "does not give"
            )
        worth = run.frame.value(typed(value, parameter.type))
        frame.variables.declare(parameter.name, parameter.type, worth)
    return frame


@contextmanager
def _inside(run: Interpreter, procedure: CreateProcedure, frame: Frame) -> Iterator[None]:
    """Run with a procedure's own text and variables; its errors say whose lines they name."""
    outer, run.frame = run.frame, frame
    run.depth += 1
    try:
        yield
    except SqlscoreError as error:
        error.procedure = error.procedure or procedure.name.name
        raise
    finally:
        run.depth -= 1
        run.frame = outer


def _outputs(given: Mapping[str, Argument]) -> list[tuple[str, Argument]]:
    return [(name, argument) for name, argument in given.items() if argument.output]


def _given_back(outer: Frame, frame: Frame, given: Mapping[str, Argument]) -> None:
    """The values of OUTPUT parameters, in the variables of the call."""
    for name, argument in _outputs(given):
        value = frame.variables.literal(name)
        outer.give([argument.value.name], exp.select(value), {})


def _insert(run: Interpreter, into: exp.Expression, results: Sequence[Result]) -> None:
    """INSERT … EXEC: the rows of the procedure's SELECTs into a table."""
    run.rows_written = 0
    for result in results:
        rows = result.to_arrow()
        run.rows_written += writing.insert(run.on, into, rows, run.frame.text)
    run.session.row_count = run.rows_written
