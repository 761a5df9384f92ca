"""A T-SQL script read into batches and statements, all of it before anything runs.

What T-SQL has beyond these statements is refused by name, with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import TokenType, exp

from sqlscore.predict import boundaries, grammar, parts
from sqlscore.predict.boundaries import REFUSED, REFUSED_THERE
from sqlscore.predict.flow import OPENERS, Flow
from sqlscore.predict.statements import (
    Assign,
    Batch,
    CreateProcedure,
    CreateView,
    Declare,
    Execute,
    Option,
    Query,
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


class _Reader(Flow):
    """Reads the statements of one batch, from its tokens."""

    def all(self) -> tuple[Statement, ...]:
        """Every statement up to the end of the batch."""
        statements = self.until_end()
        if self.at < len(self.tokens):
            self.refuse(f"there is no {OPENERS[self.word()]} for this {self.word()}")
        return statements

    def statement(self) -> Statement:
        """The statement that begins here."""
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

    def _use(self) -> Statement:
        start = self.at
        tokens = self.to_next(start)
        if len(tokens) != 2:
            self.refuse("USE names one database", start)
        return Use(**self.place(start), database=tokens[1].text)

    def _execute(self) -> Statement:
        start = self.at
        return self._executed(start, self.to_next(start))

    def _executed(
        self, start: int, tokens: Sequence[Token], into: exp.Expression | None = None
    ) -> Execute:
        tree = None
        if len(tokens) > 1 and tokens[1].token_type is not TokenType.L_PAREN:
            tree = grammar.parse(tokens, self.text)
        if isinstance(tree, exp.ExecuteSql) or not isinstance(tree, exp.Execute):
            self.refuse(_NO_TEXT, start)
        status = tree.args.get("return_status")
        return Execute(
            **self.place(start), procedure=tree.this, into=into,
            arguments=tuple(parts.argument(g, self.text, tokens[0]) for g in tree.expressions),
            status=status.name if status is not None else None,
        )  # fmt: skip


_READERS: dict[str, Callable[[_Reader], Statement]] = {
    **dict.fromkeys((*boundaries.QUERIES, "WITH"), _Reader._query),
    "CREATE": _Reader._create,
    "ALTER": _Reader._create,
    "DECLARE": _Reader._declare,
    "SET": _Reader._set,
    "IF": _Reader.branching,
    "WHILE": _Reader.loop,
    "BREAK": _Reader.leave,
    "CONTINUE": _Reader.leave,
    "BEGIN": _Reader.begin,
    "COMMIT": _Reader.transaction,
    "ROLLBACK": _Reader.transaction,
    "PRINT": _Reader.print,
    "RAISERROR": _Reader.raiserror,
    "THROW": _Reader.throw,
    "USE": _Reader._use,
    "RETURN": _Reader.back,
    "EXEC": _Reader._execute,
    "EXECUTE": _Reader._execute,
}
