"""A T-SQL script read into batches and statements, all of it before anything runs.

What T-SQL has beyond these statements is refused by name, with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlglot import TokenType, exp

from sqlscore.predict import boundaries, grammar, parts
from sqlscore.predict.boundaries import REFUSED, REFUSED_THERE
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import Token

_NO_TEXT = "EXEC runs procedures by name, and no text: write the statement out"


def read(text: str) -> tuple[Batch, ...]:
    """The batches of a script. `StatementError` for what is not understood or not supported."""
    found = boundaries.batches(grammar.tokens_of(text), text)
    read = [(_Reader(tokens, text).all(), times) for tokens, times in found]
    return tuple(
        Batch(number=number, statements=statements, times=times)
        for number, (statements, times) in enumerate(read, start=1)
        if statements
    )


class _Reader:
    """Reads the statements of one batch, from its tokens."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self._tokens, self._text, self._at = tokens, text, 0

    def all(self) -> tuple[Statement, ...]:
        """Every statement up to the end of the batch."""
        statements = self._until_end()
        if self._at < len(self._tokens):
            self._refuse(f"there is no {_OPENERS[self._word()]} for this {self._word()}")
        return statements

    def _until_end(self) -> tuple[Statement, ...]:
        statements = []
        self._skip_semicolons()
        while self._word() not in _CLOSERS and self._at < len(self._tokens):
            statements.append(self._statement())
            self._skip_semicolons()
        return tuple(statements)

    def _statement(self) -> Statement:
        word = self._word()
        advice = {**REFUSED, **REFUSED_THERE}.get(word)
        if advice is not None:
            self._refuse(f"{word} is not supported here: {advice}")
        reader = _READERS.get(word)
        if reader is None:
            self._refuse(
                f"no statement begins with {self._tokens[self._at].text!r}. To run a procedure, "
                "write EXEC before its name"
            )
        return reader(self)

    def _query(self) -> Statement:
        start = self._at
        tokens = self._to_next(start)
        cut = boundaries.insert_exec(tokens)
        if cut is not None:
            return self._executed(start, tokens[cut:], parts.insert_into(tokens[:cut], self._text))
        tree = grammar.parse(tokens, self._text)
        if isinstance(tree, exp.Select) and parts.assigns(tree):
            names, select = parts.assigned(tree, self._text, tokens[0])
            return Assign(**self._place(start), names=names, tree=select)
        return Query(**self._place(start), tree=tree)

    def _create(self) -> Statement:
        start = self._at
        verb, replace, behind = self._word(), self._word() == "ALTER", 1
        if self._word(1) == "OR" and self._word(2) == "ALTER":
            replace, behind = True, 3
        kind = self._word(behind)
        if kind in ("VIEW", "PROC", "PROCEDURE"):
            self._advance(behind + 1)
            return self._view(start, replace) if kind == "VIEW" else self._procedure(start, replace)
        if kind not in ("TABLE", "INDEX", "UNIQUE", "CLUSTERED", "NONCLUSTERED"):
            self._refuse(
                f"{verb} {kind} is not supported here: tables, indexes, views and procedures are. "
                "Use the database's own client"
            )
        return self._query()

    def _view(self, start: int, replace: bool) -> Statement:
        usage = "a view is CREATE VIEW name AS SELECT …"
        name, columns = parts.view_head(self._up_to_as(usage), self._text)
        begin = self._at
        tokens = self._to_next(begin) if begin < len(self._tokens) else []
        query = grammar.parse(tokens, self._text) if tokens else None
        if not isinstance(query, exp.Query):
            self._refuse(usage, begin)
        return CreateView(
            **self._place(start), name=name, columns=columns, query=query,
            body=self._slice(tokens), replace=replace,
        )  # fmt: skip

    def _procedure(self, start: int, replace: bool) -> Statement:
        usage = "a procedure is CREATE PROCEDURE name @parameter type, … AS …"
        name, parameters = parts.procedure_head(self._up_to_as(usage), self._text)
        tokens = self._tokens[self._at :]
        statements = _Reader(tokens, self._text).all()
        if not statements:
            self._refuse("the procedure has no body", start)
        self._at = len(self._tokens)
        return CreateProcedure(
            **self._place(start), name=name, parameters=parameters, body=self._slice(tokens),
            statements=statements, replace=replace,
        )  # fmt: skip

    def _declare(self) -> Statement:
        start = self._at
        tokens = self._to_next(start)
        if any(boundaries.word(token) == "CURSOR" for token in tokens):
            self._refuse(REFUSED["FETCH"], start)
        variables = parts.declared(tokens[1:], self._text, tokens[0])
        return Declare(**self._place(start), variables=variables)

    def _set(self) -> Statement:
        start = self._at
        tokens = self._to_next(start)
        if len(tokens) > 1 and tokens[1].token_type is not TokenType.PARAMETER:
            parts.check_options(tokens, self._text)
            return Option(**self._place(start))
        tree = parts.selected(tokens[1:], self._text, tokens[0])
        if tree is None or not parts.assigns(tree):
            self._refuse("SET gives a variable a value: SET @x = …", start)
        names, select = parts.assigned(tree, self._text, tokens[0])
        return Assign(**self._place(start), names=names, tree=select)

    def _if(self) -> Statement:
        start = self._at
        self._advance()
        condition = self._expression("IF has no condition")
        then = self._branch(start)
        back = self._at
        self._skip_semicolons()
        otherwise = None
        if self._word() == "ELSE":
            self._advance()
            otherwise = self._branch(start)
        else:
            self._at = back
        return If(**self._place(start), condition=condition, then=then, otherwise=otherwise)

    def _branch(self, start: int) -> Statement:
        if self._at == len(self._tokens) or self._word() in _CLOSERS:
            self._refuse("IF has no statement to run", start)
        return self._statement()

    def _begin(self) -> Statement:
        start = self._at
        self._advance()
        refused = _BEGINS_NOT.get(self._word())
        if refused:
            self._refuse(f"BEGIN {self._word()} is not supported here: {refused}", start)
        statements = self._until_end()
        if self._word() != "END":
            self._refuse("this BEGIN has no END", start)
        self._advance()
        return Block(**self._place(start), statements=statements)

    def _print(self) -> Statement:
        start = self._at
        self._advance()
        value = self._expression("PRINT has nothing to say")
        return Print(**self._place(start), value=value)

    def _use(self) -> Statement:
        start = self._at
        tokens = self._to_next(start)
        if len(tokens) != 2:
            self._refuse("USE names one database", start)
        return Use(**self._place(start), database=tokens[1].text)

    def _return(self) -> Statement:
        start = self._at
        self._to_next(start)
        return Return(**self._place(start))

    def _execute(self) -> Statement:
        start = self._at
        return self._executed(start, self._to_next(start))

    def _executed(
        self, start: int, tokens: Sequence[Token], into: exp.Expression | None = None
    ) -> Execute:
        kind = tokens[1].token_type if len(tokens) > 1 else None
        if kind is TokenType.PARAMETER:
            self._refuse("EXEC @x = … is not supported: a procedure gives rows, no status", start)
        tree = None if kind in (None, TokenType.L_PAREN) else grammar.parse(tokens, self._text)
        if isinstance(tree, exp.ExecuteSql) or not isinstance(tree, exp.Execute):
            self._refuse(_NO_TEXT, start)
        return Execute(
            **self._place(start), procedure=tree.this, into=into,
            arguments=tuple(parts.argument(given) for given in tree.expressions),
        )  # fmt: skip

    def _expression(self, missing: str) -> exp.Expression:
        start = self._at
        self._at = boundaries.end_of(self._tokens, start, expression=True)
        if self._at == start:
            self._refuse(missing, start - 1)
        tokens = self._tokens[start : self._at]
        tree = parts.selected(tokens, self._text, tokens[0])
        if tree is None or len(tree.expressions) != 1:
            self._refuse("one value or condition is expected here", start)
        found: exp.Expression = tree.expressions[0]
        return found

    def _up_to_as(self, usage: str) -> Sequence[Token]:
        start = self._at
        while self._at < len(self._tokens) and self._word() != "AS":
            self._advance()
        if self._at in (start, len(self._tokens)):
            self._refuse(usage, start - 1)
        self._advance()
        return self._tokens[start : self._at - 1]

    def _to_next(self, start: int) -> Sequence[Token]:
        """The tokens from `start` to where the next statement begins; the reader stands there."""
        self._at = boundaries.end_of(self._tokens, start)
        return self._tokens[start : self._at]

    def _place(self, start: int) -> dict[str, Any]:
        line, column = grammar.position(self._text, self._tokens[start].start)
        text = self._slice(self._tokens[start : self._at])
        return {"line": line, "column": column, "text": text}

    def _slice(self, tokens: Sequence[Token]) -> str:
        return self._text[tokens[0].start : tokens[-1].end + 1] if tokens else ""

    def _skip_semicolons(self) -> None:
        while (
            self._at < len(self._tokens)
            and self._tokens[self._at].token_type is TokenType.SEMICOLON
        ):
            self._advance()

    def _word(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return boundaries.word(self._tokens[at]) if at < len(self._tokens) else ""

    def _advance(self, by: int = 1) -> None:
        self._at += by

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        where = min(self._at if at is None else at, len(self._tokens) - 1)
        raise grammar.error_at(message, self._text, self._tokens[where].start)


_OPENERS = {"END": "BEGIN", "ELSE": "IF"}
_CLOSERS = tuple(_OPENERS)
_BEGINS_NOT = {
    **dict.fromkeys(("TRAN", "TRANSACTION", "DISTRIBUTED"), REFUSED["COMMIT"]),
    **dict.fromkeys(("TRY", "CATCH"), "an error ends the script, and the caller gets it"),
}

_READERS: dict[str, Callable[[_Reader], Statement]] = {
    **dict.fromkeys((*boundaries.QUERIES, "WITH"), _Reader._query),
    "CREATE": _Reader._create,
    "ALTER": _Reader._create,
    "DECLARE": _Reader._declare,
    "SET": _Reader._set,
    "IF": _Reader._if,
    "BEGIN": _Reader._begin,
    "PRINT": _Reader._print,
    "USE": _Reader._use,
    "RETURN": _Reader._return,
    "EXEC": _Reader._execute,
    "EXECUTE": _Reader._execute,
}
