"""Where a statement of a script ends: T-SQL statements need no semicolon, so words tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import TokenType

from sqlscore.predict import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import Token

#: words that begin a statement that a database runs
QUERIES = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "DROP", "ALTER", "CREATE"}

_READ_HERE = {
    "DECLARE", "SET", "IF", "WHILE", "BREAK", "CONTINUE", "BEGIN", "COMMIT", "ROLLBACK", "PRINT",
    "RAISERROR", "EXEC", "EXECUTE", "USE", "RETURN",
}  # fmt: skip

_CURSORS = "cursors are not supported: write the set as one statement"
_CLIENT = "use the database's own client"

#: words that begin a statement that nobody runs here -> what to do instead
REFUSED = {
    "GOTO": "use IF … ELSE, or WHILE",
    "WAITFOR": "wait in the program that calls",
    "SAVE": "ROLLBACK undoes the whole transaction here, and no part of it",
    "OPEN": _CURSORS,
    "FETCH": _CURSORS,
    "CLOSE": _CURSORS,
    "DEALLOCATE": _CURSORS,
    "GRANT": _CLIENT,
    "REVOKE": _CLIENT,
    "DENY": _CLIENT,
    "BACKUP": _CLIENT,
    "RESTORE": _CLIENT,
    "BULK": _CLIENT,
    "DBCC": _CLIENT,
    "KILL": _CLIENT,
}
#: as above, but no reserved words: they count only where a statement begins
REFUSED_THERE = {"DISABLE": _CLIENT, "ENABLE": _CLIENT}

_STARTS = QUERIES | _READ_HERE | set(REFUSED)
_SET_OPERATORS = {"UNION", "ALL", "EXCEPT", "INTERSECT"}
_NO_WORDS = (TokenType.IDENTIFIER, TokenType.STRING, TokenType.NATIONAL_STRING)

#: (what the statement began with, the word that would begin another) -> that it belongs to it once
_PARTS = {
    ("INSERT", "SELECT"),
    ("INSERT", "EXEC"),
    ("INSERT", "EXECUTE"),
    ("UPDATE", "SET"),
    ("ALTER", "ALTER"),
    ("ALTER", "DROP"),
    ("ALTER", "SET"),
    ("ALTER", "IF"),
    ("DROP", "IF"),
}


def word(token: Token) -> str:
    """A token as a keyword; nothing for text and quoted names."""
    return "" if token.token_type in _NO_WORDS else token.text.upper()


def batches(tokens: Sequence[Token], text: str) -> list[tuple[list[Token], int]]:
    """The tokens between lines of GO, and how often each batch runs."""
    found: list[tuple[list[Token], int]] = []
    batch: list[Token] = []
    index = 0
    while index < len(tokens):
        if not _is_go(tokens, index, text):
            batch.append(tokens[index])
            index += 1
            continue
        times = _count(tokens, index, text)
        found.append((batch, times or 1))
        batch = []
        index += 1 if times is None else 2
    return [*found, (batch, 1)]


def _is_go(tokens: Sequence[Token], index: int, text: str) -> bool:
    if word(tokens[index]) != "GO":
        return False
    return index == 0 or not _same_line(tokens[index - 1], tokens[index], text)


def _count(tokens: Sequence[Token], index: int, text: str) -> int | None:
    if index + 1 == len(tokens) or not _same_line(tokens[index], tokens[index + 1], text):
        return None
    following = tokens[index + 1]
    alone = index + 2 == len(tokens) or not _same_line(following, tokens[index + 2], text)
    if following.token_type is TokenType.NUMBER and following.text.isdecimal() and alone:
        return int(following.text)
    message = "GO stands alone on its line, or before a number of times to run the batch"
    raise places.error_at(message, text, following.start)


def _same_line(before: Token, after: Token, text: str) -> bool:
    return "\n" not in text[before.end + 1 : after.start]


def end_of(tokens: Sequence[Token], start: int, *, expression: bool = False) -> int:
    """Where the statement that begins at `start` ends: the index behind its last token.

    With `expression` any word that begins a statement ends it, the first one too.
    """
    scan = _Scan("" if expression else word(tokens[start]))
    for index in range(start, len(tokens)):
        first = index == start and not expression
        if not first and scan.ends(tokens, index):
            return index
        scan.take(tokens[index])
    return len(tokens)


class _Scan:
    """Walks along a statement: how deep in parentheses and CASEs, and what it began with."""

    def __init__(self, verb: str) -> None:
        self._verb = verb  #: WITH until its statement's own word is there
        self._depth = self._cases = 0
        self._whole = False  #: the second word that belongs to it was there

    def take(self, token: Token) -> None:
        """Go past a token."""
        if token.token_type is TokenType.L_PAREN:
            self._depth += 1
        elif token.token_type is TokenType.R_PAREN:
            self._depth -= 1
        elif word(token) == "CASE":
            self._cases += 1
        elif word(token) == "END":
            self._cases -= 1

    def ends(self, tokens: Sequence[Token], index: int) -> bool:
        """Whether the statement is over before this token."""
        here = word(tokens[index])
        if self._depth > 0:
            return False
        if tokens[index].token_type is TokenType.SEMICOLON:
            return True
        if here in ("END", "ELSE"):
            return self._cases == 0
        if here == "WITH":
            return self._verb != "WITH" and _begins_ctes(tokens, index)
        return here in _STARTS and not self._goes_on(here, word(tokens[index - 1]))

    def _goes_on(self, here: str, before: str) -> bool:
        if self._verb == "WITH" and here in QUERIES:
            self._verb = here
            return True
        if (self._verb, before, here) == ("CREATE", "AS", "SELECT"):
            return True
        if here == "FETCH" and before in ("ROW", "ROWS"):
            return True
        if before in _SET_OPERATORS or (self._verb == "MERGE" and before in ("THEN", "UPDATE")):
            return True
        belongs = not self._whole and (self._verb, here) in _PARTS
        self._whole = self._whole or belongs
        return belongs


def _begins_ctes(tokens: Sequence[Token], index: int) -> bool:
    """Whether WITH is followed by a name and AS (, and so begins a statement."""
    following = tokens[index + 1 : index + 3]
    return len(following) == 2 and word(following[1]) == "AS"


def insert_exec(tokens: Sequence[Token]) -> int | None:
    """Where EXEC stands in an INSERT … EXEC; None where it is no such statement."""
    if word(tokens[0]) != "INSERT":
        return None
    return next((i for i, t in enumerate(tokens) if word(t) in ("EXEC", "EXECUTE")), None)


def as_select(tokens: Sequence[Token]) -> int | None:
    """Where the SELECT of a CREATE TABLE … AS SELECT stands; None where it is no such statement."""
    depth = 0
    for index, token in enumerate(tokens[:-1]):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0 and word(token) == "AS" and word(tokens[index + 1]) == "SELECT":
            return index + 1
    return None
