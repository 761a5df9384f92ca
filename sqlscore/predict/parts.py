"""Parts of statements that are no statement themselves: declarations, assignments, arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import Token, TokenType, exp

from sqlscore.predict import boundaries, grammar, places
from sqlscore.predict.parser import COMPOUND
from sqlscore.predict.statements import Argument, Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: SET options that change no row, with the values that they may have
_OPTIONS = {
    "NOCOUNT": ("ON", "OFF"),
    "XACT_ABORT": ("ON", "OFF"),
    **dict.fromkeys(("STATISTICS", "IO", "TIME"), ("ON", "OFF")),
    "ANSI_NULLS": ("ON",),
    "ANSI_WARNINGS": ("ON",),
    "ANSI_PADDING": ("ON",),
    "ARITHABORT": ("ON",),
    "QUOTED_IDENTIFIER": ("ON",),
    "CONCAT_NULL_YIELDS_NULL": ("ON",),
    "ANSI_NULL_DFLT_ON": ("ON",),
    "NUMERIC_ROUNDABORT": ("OFF",),
    "DATEFIRST": ("7",),
}
#: what every database gives at least
_ISOLATION = ("READ", "COMMITTED"), ("READ", "UNCOMMITTED")


def check_options(tokens: Sequence[Token], text: str) -> None:
    """Let ``SET NOCOUNT ON`` and its like pass; `StatementError` for those that change rows."""
    words = [boundaries.word(token) for token in tokens]
    if words[1:4] == ["TRANSACTION", "ISOLATION", "LEVEL"]:
        if tuple(words[4:]) not in _ISOLATION:
            message = (
                f"SET TRANSACTION ISOLATION LEVEL {' '.join(words[4:])} is not supported here: set "
                "it in the database, or in its URL"
            )
            raise places.error_at(message, text, tokens[0].start)
        return
    for name in words[1:-1]:
        if name != "," and words[-1] not in _OPTIONS.get(name, ()):
            message = f"SET {name} {words[-1]} is not supported here: leave it out"
            raise places.error_at(message, text, tokens[0].start)


def selected(tokens: Sequence[Token], text: str, at: Token) -> exp.Select | None:
    """Values read as a SELECT of them, so that they are what expressions are in T-SQL."""
    tree = grammar.parse([_made(TokenType.SELECT, "SELECT", at), *tokens], text)
    return tree if isinstance(tree, exp.Select) else None


def _made(kind: TokenType, text: str, at: Token) -> Token:
    """A token that stands in no text, at the place of one that does."""
    return Token(kind, text, line=at.line, col=at.col, start=at.start, end=at.end)


def assigns(tree: exp.Select) -> bool:
    """Whether a SELECT gives values to variables."""
    return any(isinstance(one, exp.EQ) and _is_variable(one.this) for one in tree.expressions)


def _is_variable(node: exp.Expr) -> bool:
    return isinstance(node, exp.Parameter) and isinstance(node.this, exp.Var)


def assigned(tree: exp.Select, text: str, at: Token) -> tuple[tuple[str, ...], exp.Select]:
    """The variables of ``SELECT @x = …`` and the SELECT of their values."""
    names, values = [], []
    for one in tree.expressions:
        if not (isinstance(one, exp.EQ) and _is_variable(one.this)):
            message = "a SELECT gives values to variables or rows to the caller, not both"
            raise places.error_at(message, text, at.start)
        names.append(one.this.name)
        values.append(one.expression)
    tree.set("expressions", values)
    return tuple(names), tree


def argument(given: exp.Expression, text: str, at: Token) -> Argument:
    """An argument of EXEC."""
    output = isinstance(given, exp.Alias)
    if output and given.alias.upper() not in _OUTPUT:
        raise places.error_at(f"{given.alias} is not understood in EXEC", text, at.start)
    value = given.this if output else given
    name = None
    if isinstance(value, exp.EQ) and _is_variable(value.this):
        name, value = value.this.name, value.expression
    if output and not _is_variable(value):
        raise places.error_at("OUTPUT gives a value to a variable: @x OUTPUT", text, at.start)
    return Argument(name=name, value=value, output=output)


def declared(tokens: Sequence[Token], text: str, at: Token) -> tuple[Variable, ...]:
    """The variables of a DECLARE, or the parameters of a procedure."""
    tree = grammar.parse([_made(TokenType.DECLARE, "DECLARE", at), *tokens], text)
    items = tree.expressions if isinstance(tree, exp.Declare) else []
    return tuple(_variable(item, text, at) for item in items)


def _variable(item: exp.Expression, text: str, at: Token) -> Variable:
    name, kind = item.this[0].name, item.args.get("kind")
    if not isinstance(kind, exp.DataType | exp.Schema):
        message = f"@{name} is declared without a type, as in @{name} int"
        raise places.error_at(message, text, at.start)
    return Variable(
        name=name,
        type=kind if isinstance(kind, exp.DataType) else None,
        columns=kind if isinstance(kind, exp.Schema) else None,
        value=item.args.get("default") or None,
    )


def view_head(tokens: Sequence[Token], text: str) -> tuple[exp.Table, tuple[str, ...]]:
    """The name of a view and the names that it gives its columns."""
    first = _first(tokens, TokenType.L_PAREN, TokenType.WITH)
    named = (TokenType.VAR, TokenType.IDENTIFIER)
    listed = tokens[first : _first(tokens, TokenType.WITH)]
    columns = tuple(token.text for token in listed if token.token_type in named)
    return _name(tokens[:first], text), columns


def procedure_head(tokens: Sequence[Token], text: str) -> tuple[exp.Table, tuple[Variable, ...]]:
    """The name of a procedure and its parameters."""
    first = _first(tokens, TokenType.PARAMETER, TokenType.L_PAREN, TokenType.WITH)
    listed = list(tokens[first : _first(tokens, TokenType.WITH)])
    if listed and listed[0].token_type is TokenType.L_PAREN:
        listed = listed[1:-1]
    for token in listed:
        if boundaries.word(token) == "READONLY":
            message = "READONLY parameters are not supported: read a table by its name"
            raise places.error_at(message, text, token.start)
    given = [token for token in listed if boundaries.word(token) not in _OUTPUT]
    out = _marked(listed)
    parameters = declared(given, text, tokens[0]) if given else ()
    return _name(tokens[:first], text), tuple(
        replace(one, output=position in out) for position, one in enumerate(parameters)
    )


_OUTPUT = ("OUT", "OUTPUT")


def _marked(listed: Sequence[Token]) -> set[int]:
    """The places, among parameters between commas, of those that are said to be OUTPUT."""
    marked, place, depth = set(), 0, 0
    for token in listed:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        place += token.token_type is TokenType.COMMA and depth == 0
        if boundaries.word(token) in _OUTPUT:
            marked.add(place)
    return marked


def insert_into(tokens: Sequence[Token], text: str) -> exp.Expression:
    """The target of ``INSERT INTO t (a, b) EXEC …``, with its columns."""
    default = [_made(TokenType.DEFAULT, "DEFAULT", tokens[0])]
    values = [_made(TokenType.VALUES, "VALUES", tokens[0])]
    tree = grammar.parse([*tokens, *default, *values], text)
    target: exp.Expression = tree.this
    return target


def as_select_into(tokens: Sequence[Token], text: str) -> exp.Select | None:
    """``CREATE TABLE t WITH (…) AS SELECT`` as SELECT … INTO; None for another statement."""
    select = boundaries.as_select(tokens)
    if select is None:
        return None
    query = grammar.parse(tokens[select:], text)
    if not isinstance(query, exp.Select):
        message = "a table is made AS SELECT …: put a UNION into a subquery"
        raise places.error_at(message, text, tokens[0].start)
    end = next(i for i, token in enumerate(tokens) if boundaries.word(token) in ("WITH", "AS"))
    query.set("into", exp.Into(this=_name(tokens[2:end], text)))
    return query


def written_out(tokens: Sequence[Token]) -> Sequence[Token]:
    """``@x += 1`` as ``@x = @x + (1)``; anything else as it is."""
    if len(tokens) < 5 or tokens[2].token_type not in COMPOUND or tokens[3].text != "=":
        return tokens
    at = tokens[2]
    first, last = _made(TokenType.L_PAREN, "(", at), _made(TokenType.R_PAREN, ")", at)
    return [*tokens[:2], tokens[3], *tokens[:3], first, *tokens[4:], last]


def _first(tokens: Sequence[Token], *kinds: TokenType) -> int:
    places = (i for i, token in enumerate(tokens) if token.token_type in kinds)
    return next(places, len(tokens))


def _name(tokens: Sequence[Token], text: str) -> exp.Table:
    at = tokens[0]
    head = [
        _made(TokenType.SELECT, "SELECT", at),
        _made(TokenType.STAR, "*", at),
        _made(TokenType.FROM, "FROM", at),
    ]
    table = grammar.parse([*head, *tokens], text).find(exp.Table)
    if table is None or table.alias:
        raise places.error_at("a name is expected here", text, at.start)
    return table
