"""A T-SQL script read into batches and statements, all of it before anything runs.

What T-SQL has beyond these statements is refused by name, with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import TokenType, exp

from sqlscore.predict import boundaries, grammar, parts
from sqlscore.predict.boundaries import REFUSED, REFUSED_THERE
from sqlscore.predict.cursor import Cursor
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


class _Reader(Cursor):
    """Reads the statements of one batch, from its tokens."""

    def all(self) -> tuple[Statement, ...]:
        """Every statement up to the end of the batch."""
        statements = self._until_end()
        if self.at < len(self.tokens):
            self.refuse(f"there is no {_OPENERS[self.word()]} for this {self.word()}")
        return statements

    def _until_end(self) -> tuple[Statement, ...]:
        statements = []
        self.skip_semicolons()
        while self.word() not in _CLOSERS and self.at < len(self.tokens):
            statements.append(self._statement())
            self.skip_semicolons()
        return tuple(statements)

    def _statement(self) -> Statement:
        word = self.word()
        advice = {**REFUSED, **REFUSED_THERE}.get(word)
        if advice is not None:
            self.refuse(f"{word} is not supported here: {advice}")
        reader = _READERS.get(word)
        if reader is None:
            self.refuse(
                f"no statement begins with {self.tokens[self.at].text!r}. To run a procedure, "
                "write EXEC before its name"
            )
        return reader(self)

    def _query(self) -> Statement:
        start = self.at
        if self.word() in ("INSERT", "UPDATE", "DELETE") and self.word(1) == "TOP":
            self.refuse(
                f"{self.word()} TOP is not supported here: number the rows, and say which by WHERE"
            )
        tokens = self.to_next(start)
        cut = boundaries.insert_exec(tokens)
        if cut is not None:
            return self._executed(start, tokens[cut:], parts.insert_into(tokens[:cut], self.text))
        tree = grammar.parse(tokens, self.text)
        if isinstance(tree, exp.Select) and parts.assigns(tree):
            names, select = parts.assigned(tree, self.text, tokens[0])
            return Assign(**self.place(start), names=names, tree=select)
        return Query(**self.place(start), tree=tree)

    def _create(self) -> Statement:
        start = self.at
        verb, replace, behind = self.word(), self.word() == "ALTER", 1
        if self.word(1) == "OR" and self.word(2) == "ALTER":
            replace, behind = True, 3
        kind = self.word(behind)
        if kind in ("VIEW", "PROC", "PROCEDURE"):
            self.advance(behind + 1)
            return self._view(start, replace) if kind == "VIEW" else self._procedure(start, replace)
        if kind not in ("TABLE", "INDEX", "UNIQUE", "CLUSTERED", "NONCLUSTERED"):
            self.refuse(
                f"{verb} {kind} is not supported here: tables, indexes, views and procedures are. "
                "Use the database's own client"
            )
        return self._query() if kind != "TABLE" else self._table(start)

    def _table(self, start: int) -> Statement:
        """CREATE TABLE; Synapse's CREATE TABLE … AS SELECT is SELECT … INTO."""
        tokens = self.to_next(start)
        tree = parts.as_select_into(tokens, self.text) or grammar.parse(tokens, self.text)
        return Query(**self.place(start), tree=tree)

    def _view(self, start: int, replace: bool) -> Statement:
        usage = "a view is CREATE VIEW name AS SELECT …"
        name, columns = parts.view_head(self.up_to_as(usage), self.text)
        begin = self.at
        tokens = self.to_next(begin) if begin < len(self.tokens) else []
        query = grammar.parse(tokens, self.text) if tokens else None
        if not isinstance(query, exp.Query):
            self.refuse(usage, begin)
        return CreateView(
            **self.place(start), name=name, columns=columns, query=query,
            body=self.slice(tokens), replace=replace,
        )  # fmt: skip

    def _procedure(self, start: int, replace: bool) -> Statement:
        usage = "a procedure is CREATE PROCEDURE name @parameter type, … AS …"
        name, parameters = parts.procedure_head(self.up_to_as(usage), self.text)
        tokens = self.tokens[self.at :]
        statements = _Reader(tokens, self.text).all()
        if not statements:
            self.refuse("the procedure has no body", start)
        self.at = len(self.tokens)
        return CreateProcedure(
            **self.place(start), name=name, parameters=parameters, body=self.slice(tokens),
            statements=statements, replace=replace,
        )  # fmt: skip

    def _declare(self) -> Statement:
        start = self.at
        tokens = self.to_next(start)
        if any(boundaries.word(token) == "CURSOR" for token in tokens):
            self.refuse(REFUSED["FETCH"], start)
        variables = parts.declared(tokens[1:], self.text, tokens[0])
        return Declare(**self.place(start), variables=variables)

    def _set(self) -> Statement:
        start = self.at
        tokens = self.to_next(start)
        if len(tokens) > 1 and tokens[1].token_type is not TokenType.PARAMETER:
            parts.check_options(tokens, self.text)
            return Option(**self.place(start))
        tree = parts.selected(parts.written_out(tokens[1:]), self.text, tokens[0])
        if tree is None or not parts.assigns(tree):
            self.refuse("SET gives a variable a value: SET @x = …", start)
        names, select = parts.assigned(tree, self.text, tokens[0])
        return Assign(**self.place(start), names=names, tree=select)

    def _if(self) -> Statement:
        start = self.at
        self.advance()
        condition = self.expression("IF has no condition")
        then = self._branch(start)
        back = self.at
        self.skip_semicolons()
        otherwise = None
        if self.word() == "ELSE":
            self.advance()
            otherwise = self._branch(start)
        else:
            self.at = back
        return If(**self.place(start), condition=condition, then=then, otherwise=otherwise)

    def _branch(self, start: int) -> Statement:
        if self.at == len(self.tokens) or self.word() in _CLOSERS:
            self.refuse("IF has no statement to run", start)
        return self._statement()

    def _begin(self) -> Statement:
        start = self.at
        self.advance()
        refused = _BEGINS_NOT.get(self.word())
        if refused:
            self.refuse(f"BEGIN {self.word()} is not supported here: {refused}", start)
        statements = self._until_end()
        if self.word() != "END":
            self.refuse("this BEGIN has no END", start)
        self.advance()
        return Block(**self.place(start), statements=statements)

    def _print(self) -> Statement:
        start = self.at
        self.advance()
        value = self.expression("PRINT has nothing to say")
        return Print(**self.place(start), value=value)

    def _use(self) -> Statement:
        start = self.at
        tokens = self.to_next(start)
        if len(tokens) != 2:
            self.refuse("USE names one database", start)
        return Use(**self.place(start), database=tokens[1].text)

    def _return(self) -> Statement:
        start = self.at
        self.to_next(start)
        return Return(**self.place(start))

    def _execute(self) -> Statement:
        start = self.at
        return self._executed(start, self.to_next(start))

    def _executed(
        self, start: int, tokens: Sequence[Token], into: exp.Expression | None = None
    ) -> Execute:
        kind = tokens[1].token_type if len(tokens) > 1 else None
        if kind is TokenType.PARAMETER:
            self.refuse("EXEC @x = … is not supported: a procedure gives rows, no status", start)
        tree = None if kind in (None, TokenType.L_PAREN) else grammar.parse(tokens, self.text)
        if isinstance(tree, exp.ExecuteSql) or not isinstance(tree, exp.Execute):
            self.refuse(_NO_TEXT, start)
        return Execute(
            **self.place(start), procedure=tree.this, into=into,
            arguments=tuple(parts.argument(given) for given in tree.expressions),
        )  # fmt: skip


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
