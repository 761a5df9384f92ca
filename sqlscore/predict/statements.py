"""What a script is made of, as values: batches of statements, each with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement; its text is the script's own."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Query(Statement):
    """A statement that a database runs: SELECT, INSERT, UPDATE, DELETE, MERGE, tables made."""

    tree: exp.Expression


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A variable as it is declared, or a procedure's parameter."""

    name: str  #: without the @
    type: exp.DataType | None  #: None: a table variable
    columns: exp.Schema | None = None  #: of a table variable
    value: exp.Expression | None = None  #: None: NULL, or no default
    output: bool = False  #: a parameter whose value goes back to the caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Declare(Statement):
    """DECLARE, with as many variables as it names."""

    variables: tuple[Variable, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Assign(Statement):
    """SET @x = …, or SELECT @x = … FROM …: the last row's values, in the order of the names."""

    names: tuple[str, ...]
    tree: exp.Select


@dataclass(frozen=True, kw_only=True, slots=True)
class If(Statement):
    """IF … ELSE …."""

    condition: exp.Expression
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, kw_only=True, slots=True)
class While(Statement):
    """WHILE …."""

    condition: exp.Expression
    body: Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave(Statement):
    """BREAK or CONTINUE: the end of a WHILE, or of one turn of it."""

    again: bool  #: CONTINUE


@dataclass(frozen=True, kw_only=True, slots=True)
class Block(Statement):
    """BEGIN … END."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Try(Statement):
    """BEGIN TRY … END TRY BEGIN CATCH … END CATCH."""

    statements: tuple[Statement, ...]
    caught: tuple[Statement, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Raise(Statement):
    """RAISERROR, or THROW with a number: an error of the script's own."""

    number: exp.Expression
    message: exp.Expression
    severity: exp.Expression
    state: exp.Expression
    arguments: tuple[exp.Expression, ...] = ()  #: of the message's places


@dataclass(frozen=True, kw_only=True, slots=True)
class Rethrow(Statement):
    """THROW alone: the error that was caught."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction(Statement):
    """BEGIN TRANSACTION, COMMIT or ROLLBACK."""

    verb: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Print(Statement):
    """PRINT: a message for the caller."""

    value: exp.Expression


@dataclass(frozen=True, kw_only=True, slots=True)
class Use(Statement):
    """USE: the database by its name."""

    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Return(Statement):
    """RETURN: the end of the batch or of the procedure."""

    value: exp.Expression | None  #: what a procedure says of how it went


@dataclass(frozen=True, kw_only=True, slots=True)
class Option(Statement):
    """SET NOCOUNT ON and its like, which change no row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """What EXEC gives for a parameter."""

    name: str | None  #: without the @; None: by position
    value: exp.Expression
    output: bool  #: a variable, which gets the parameter's value


@dataclass(frozen=True, kw_only=True, slots=True)
class Execute(Statement):
    """EXEC of a procedure."""

    procedure: exp.Table
    arguments: tuple[Argument, ...]
    into: exp.Expression | None = None  #: INSERT … EXEC: the table, with its columns
    status: str | None = None  #: EXEC @x = …: the variable


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateView(Statement):
    """CREATE [OR ALTER] VIEW."""

    name: exp.Table
    columns: tuple[str, ...]
    query: exp.Expression
    body: str  #: the query's text
    replace: bool
    dialect: str = "tsql"  #: of its text


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateProcedure(Statement):
    """CREATE [OR ALTER] PROCEDURE; its body is read again when it is executed."""

    name: exp.Table
    parameters: tuple[Variable, ...]
    body: str
    statements: tuple[Statement, ...] = field(repr=False)
    replace: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What stands between two GO: variables live as long as it runs."""

    number: int
    statements: tuple[Statement, ...]
    times: int = 1
