"""Errors of a parser with the line and the column in the whole text, whatever part is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlglot.errors import ParseError
from sqlglot.parser import Parser

from sqlscore.predict import places

if TYPE_CHECKING:
    from sqlglot import Token


class Placed(Parser):
    """A parser, of whatever dialect, whose errors say where a token begins."""

    def shown(self) -> str:
        """The token here, for people."""
        return repr(self._curr.text) if self._curr else "the end of the text"

    def refuse(self, message: str, token: Token | None) -> NoReturn:
        """Raise the `StatementError` where a token begins; at the end of the text without one."""
        raise places.error_at(message, self.sql, token.start if token else len(self.sql))

    def raise_error(self, message: str, token: Any = None) -> None:
        """An error of sqlglot's own parser, placed where the token begins."""
        at = token or self._curr or self._prev
        line, column = places.position(self.sql, at.start if at else len(self.sql))
        wanted = message.partition(" but got <Token")[0].rstrip(".")
        if wanted.startswith("Required keyword"):  # which names a class of sqlglot's
            wanted = "something is missing"
        said = f"{wanted}, near {at.text!r}" if at and at.text else wanted
        raise ParseError.new(said, description=said, line=line, col=column)
