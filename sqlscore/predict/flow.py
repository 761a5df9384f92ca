"""The statements that say what runs, how often, and what becomes of it: read here, run by us."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from sqlglot import TokenType, exp

from sqlscore.predict import parts
from sqlscore.predict.cursor import Cursor
from sqlscore.predict.statements import (
    Block,
    If,
    Leave,
    Print,
    Raise,
    Rethrow,
    Return,
    Statement,
    Transaction,
    Try,
    While,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import Token

OPENERS = {"END": "BEGIN", "ELSE": "IF"}  #: a word that closes -> the one that it belongs to

_TRANSACTION = ("TRAN", "TRANSACTION", "WORK")
_RAISED = 50_000  #: the number of an error by RAISERROR
_SEVERITY = 16  #: that of an error by THROW
_RAISERROR = "RAISERROR takes a message, a severity and a state: RAISERROR('…', 16, 1)"
_THROW = "THROW takes a number, a message and a state: THROW 50000, '…', 1"


class Flow(Cursor):
    """Reads the statements that steer a script."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        super().__init__(tokens, text)
        self._loops = 0  #: WHILEs around the cursor

    @abstractmethod
    def statement(self) -> Statement:
        """The statement that begins here."""

    def until_end(self) -> tuple[Statement, ...]:
        """Every statement up to a word that closes, or to the end of the batch."""
        statements = []
        self.skip_semicolons()
        while self.word() not in OPENERS and self.at < len(self.tokens):
            statements.append(self.statement())
            self.skip_semicolons()
        return tuple(statements)

    def branching(self) -> Statement:
        """IF … ELSE …."""
        start = self.at
        self.advance()
        condition = self.expression("IF has no condition")
        then = self._body("IF", start)
        back = self.at
        self.skip_semicolons()
        otherwise = None
        if self.word() == "ELSE":
            self.advance()
            otherwise = self._body("IF", start)
        else:
            self.at = back
        return If(**self.place(start), condition=condition, then=then, otherwise=otherwise)

    def loop(self) -> Statement:
        """WHILE …."""
        start = self.at
        self.advance()
        condition = self.expression("WHILE has no condition")
        self._loops += 1
        body = self._body("WHILE", start)
        self._loops -= 1
        return While(**self.place(start), condition=condition, body=body)

    def leave(self) -> Statement:
        """BREAK and CONTINUE."""
        start = self.at
        if not self._loops:
            self.refuse(f"there is no WHILE around this {self.word()}")
        again = self.word() == "CONTINUE"
        self.advance()
        return Leave(**self.place(start), again=again)

    def _body(self, word: str, start: int) -> Statement:
        if self.at == len(self.tokens) or self.word() in OPENERS:
            self.refuse(f"{word} has no statement to run", start)
        return self.statement()

    def begin(self) -> Statement:
        """BEGIN … END, BEGIN TRY, or BEGIN TRANSACTION."""
        start = self.at
        if self.word(1) in (*_TRANSACTION, "DISTRIBUTED"):
            return self.transaction()
        if self.word(1) == "TRY":
            return self._try()
        if self.word(1) == "CATCH":
            self.refuse("there is no BEGIN TRY … END TRY before this BEGIN CATCH")
        statements = self._closed()
        return Block(**self.place(start), statements=statements)

    def _closed(self, kind: str = "") -> tuple[Statement, ...]:
        """The statements from BEGIN to END."""
        start = self.at
        self.advance(2 if kind else 1)
        statements = self.until_end()
        if self.word() != "END" or (kind and self.word(1) != kind):
            self.refuse(f"this BEGIN {kind}".rstrip() + f" has no END {kind}".rstrip(), start)
        self.advance(2 if kind else 1)
        return statements

    def _try(self) -> Statement:
        start = self.at
        tried = self._closed("TRY")
        self.skip_semicolons()
        if (self.word(), self.word(1)) != ("BEGIN", "CATCH"):
            self.refuse("this BEGIN TRY has no BEGIN CATCH … END CATCH behind its END TRY", start)
        caught = self._closed("CATCH")
        return Try(**self.place(start), statements=tried, caught=caught)

    def transaction(self) -> Statement:
        """BEGIN TRANSACTION, COMMIT and ROLLBACK; a name after them says nothing."""
        start = self.at
        verb = self.word()
        words = [token.text.upper() for token in self.to_next(start)][1:]
        if words[:1] == ["DISTRIBUTED"]:
            self.refuse(
                "BEGIN DISTRIBUTED TRANSACTION is not supported here: there is one database", start
            )
        named = words[1:] if words[:1] and words[0] in _TRANSACTION else words
        if len(named) > 1:
            self.refuse(f"{verb} TRANSACTION takes a name at most here", start)
        return Transaction(**self.place(start), verb=verb)

    def print(self) -> Statement:
        """PRINT …."""
        start = self.at
        self.advance()
        value = self.expression("PRINT has nothing to say")
        return Print(**self.place(start), value=value)

    def back(self) -> Statement:
        """RETURN, with a number or without."""
        start = self.at
        tokens = self.to_next(start)
        value = self._listed(tokens[1:], start) if len(tokens) > 1 else []
        if len(value) > 1:
            self.refuse("RETURN gives one number", start)
        return Return(**self.place(start), value=value[0] if value else None)

    def raiserror(self) -> Statement:
        """RAISERROR('…', severity, state, …) WITH NOWAIT."""
        start = self.at
        tokens = list(self.to_next(start))[1:]
        closing = [i for i, t in enumerate(tokens) if t.token_type is TokenType.R_PAREN]
        if not closing or tokens[0].token_type is not TokenType.L_PAREN:
            self.refuse(_RAISERROR, start)
        message, *rest = self._listed(tokens[1 : closing[-1]], start)
        if len(rest) < 2 or (isinstance(message, exp.Literal) and not message.is_string):
            self.refuse(_RAISERROR, start)
        severity, state, *arguments = rest
        return Raise(
            **self.place(start), number=exp.Literal.number(_RAISED), message=message,
            severity=severity, state=state, arguments=tuple(arguments),
        )  # fmt: skip

    def throw(self) -> Statement:
        """THROW, which gives on what was caught, and THROW number, message, state."""
        start = self.at
        tokens = self.to_next(start)
        if len(tokens) == 1:
            return Rethrow(**self.place(start))
        listed = self._listed(tokens[1:], start)
        if len(listed) != 3:
            self.refuse(_THROW, start)
        number, message, state = listed
        severity = exp.Literal.number(_SEVERITY)
        return Raise(
            **self.place(start), number=number, message=message, severity=severity, state=state
        )

    def _listed(self, tokens: Sequence[Token], start: int) -> list[exp.Expression]:
        tree = parts.selected(tokens, self.text, self.tokens[start]) if tokens else None
        return list(tree.expressions) if tree is not None else []
