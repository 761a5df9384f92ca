"""A place among the tokens of one batch, which moves on along its statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlglot import TokenType, exp

from sqlscore.predict import boundaries, parts, places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import Token


class Cursor:
    """Walks along the tokens of a batch."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self.tokens, self.text, self.at = tokens, text, 0

    def expression(self, missing: str) -> exp.Expression:
        """One value or condition, up to where the next statement begins."""
        start = self.at
        self.at = boundaries.end_of(self.tokens, start, expression=True)
        if self.at == start:
            self.refuse(missing, start - 1)
        tokens = self.tokens[start : self.at]
        tree = parts.selected(tokens, self.text, tokens[0])
        if tree is None or len(tree.expressions) != 1:
            self.refuse("one value or condition is expected here", start)
        found: exp.Expression = tree.expressions[0]
        return found

    def up_to_as(self, usage: str) -> Sequence[Token]:
        """The tokens before AS; the cursor stands behind it."""
        start = self.at
        while self.at < len(self.tokens) and self.word() != "AS":
            self.advance()
        if self.at in (start, len(self.tokens)):
            self.refuse(usage, start - 1)
        self.advance()
        return self.tokens[start : self.at - 1]

    def to_next(self, start: int) -> Sequence[Token]:
        """The tokens from `start` to where the next statement begins; the cursor stands there."""
        self.at = boundaries.end_of(self.tokens, start)
        return self.tokens[start : self.at]

    def place(self, start: int) -> dict[str, Any]:
        """Line, column and text of what begins at `start` and ends here."""
        line, column = places.position(self.text, self.tokens[start].start)
        text = self.slice(self.tokens[start : self.at])
        return {"line": line, "column": column, "text": text}

    def slice(self, tokens: Sequence[Token]) -> str:
        """The text of some tokens, as it was written."""
        return self.text[tokens[0].start : tokens[-1].end + 1] if tokens else ""

    def skip_semicolons(self) -> None:
        """Go past semicolons."""
        while self.at < len(self.tokens) and self.tokens[self.at].token_type is TokenType.SEMICOLON:
            self.advance()

    def word(self, ahead: int = 0) -> str:
        """The keyword here, or some tokens ahead; nothing where there is none."""
        at = self.at + ahead
        return boundaries.word(self.tokens[at]) if at < len(self.tokens) else ""

    def advance(self, by: int = 1) -> None:
        """Go past tokens."""
        self.at += by

    def refuse(self, message: str, at: int | None = None) -> NoReturn:
        """Raise the `StatementError` at a token; at the one here, without `at`."""
        where = min(self.at if at is None else at, len(self.tokens) - 1)
        raise places.error_at(message, self.text, self.tokens[where].start)
