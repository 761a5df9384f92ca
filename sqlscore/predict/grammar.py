"""T-SQL with PREDICT as a table: sqlglot's T-SQL dialect with a few parts more.

    PREDICT(MODEL = …, DATA = … [AS d] [, RUNTIME = ONNX])
        [WITH (name type [COLLATE c] [NULL | NOT NULL], …)] [[AS] p]

The tree is sqlglot's, with `Predict` where a table may stand.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

from sqlglot import TokenType, exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.generators.tsql import TSQLGenerator

from sqlscore.errors import StatementError
from sqlscore.predict import places
from sqlscore.predict.parser import PredictParser
from sqlscore.predict.tree import Predict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import Dialect, Token


class _Tokenizer(TSQL.Tokenizer):
    # no word takes the rest of a line as it is, so that statements can be told apart
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        **{
            word: kind
            for word, kind in TSQL.Tokenizer.KEYWORDS.items()
            if kind is not TokenType.COMMAND
        },
        "FLOAT": TokenType.DOUBLE,  # sqlglot takes float for real; T-SQL's is a double
        "REAL": TokenType.FLOAT,
    }
    COMMANDS: ClassVar[set[TokenType]] = set()


class _Generator(TSQLGenerator):
    TYPE_MAPPING: ClassVar[dict[exp.DType, str]] = {
        **TSQLGenerator.TYPE_MAPPING,
        exp.DType.DOUBLE: "FLOAT",
        exp.DType.FLOAT: "REAL",
    }
    TRANSFORMS: ClassVar[dict[type[exp.Expr], Callable[..., str]]] = {
        # without the aliases that sqlglot adds to the columns of subqueries
        **{
            kind: transform
            for kind, transform in TSQLGenerator.TRANSFORMS.items()
            if kind not in (exp.Subquery, exp.CTE)
        },
        Predict: lambda self, node: self.predict_text(node),
    }

    def primarykey_sql(self, expression: exp.PrimaryKey) -> str:
        """PRIMARY KEY with the word CLUSTERED, where it is written."""
        return _clustered(super().primarykey_sql(expression), expression)

    def primarykeycolumnconstraint_sql(self, expression: exp.PrimaryKeyColumnConstraint) -> str:
        """The same for a key of one column."""
        return _clustered(super().primarykeycolumnconstraint_sql(expression), expression)

    def returning_sql(self, expression: exp.Returning) -> str:
        """OUTPUT … INTO …, and what is given back as well."""
        also = expression.args.get("also")
        text = super().returning_sql(expression)
        return f"{text} OUTPUT {self.expressions(sqls=also, flat=True)}" if also else text

    def predict_text(self, node: Predict) -> str:
        """The statement's own form, arguments in the usual order."""
        runtime = node.args.get("runtime")
        arguments = [f"MODEL = {self.sql(node, 'model')}", f"DATA = {self.sql(node, 'data')}"]
        if runtime is not None:
            arguments.append(f"RUNTIME = {self.sql(runtime)}")
        columns = self.expressions(node, key="columns", flat=True)
        listed = f" WITH ({columns})" if columns else ""
        alias = self.sql(node, "alias")
        named = f" AS {alias}" if alias else ""
        joins = self.expressions(node, key="joins", sep="", flat=True)
        return f"PREDICT({', '.join(arguments)}){listed}{named}{joins}"


def _clustered(text: str, node: exp.Expr) -> str:
    word = node.meta.get("clustered")
    return text.replace("PRIMARY KEY", f"PRIMARY KEY {word}", 1) if word else text


class PredictTSQL(TSQL):
    """The dialect of statements with PREDICT."""

    Tokenizer = _Tokenizer
    Parser = PredictParser
    Generator = _Generator


def tokens_of(text: str, dialect: type[Dialect] = PredictTSQL) -> list[Token]:
    """The tokens of a script; `StatementError` for text that has none, such as an open quote."""
    try:
        return dialect().tokenize(text)
    except TokenError as error:
        raise _unclosed(text, error.__cause__) from error


def _unclosed(text: str, cause: object) -> StatementError:
    """The error for text that opens something and does not close it."""
    words, _, offset = str(cause).rpartition(":")
    if isinstance(cause, TokenError) and offset.isdecimal():
        return places.error_at("this is not closed: " + words.split(" ")[1], text, int(offset))
    return places.error_at("this comment is not closed: */", text, max(text.rfind("/*"), 0))


def parse(
    tokens: Sequence[Token], text: str, dialect: type[Dialect] = PredictTSQL
) -> exp.Expression:
    """The tree of one statement, given by its tokens in the whole text."""
    for token, following in itertools.pairwise(tokens):
        advice = _ELSEWHERE.get(token.text.upper())
        if advice and following.token_type is TokenType.L_PAREN:
            message = f"{token.text.upper()} is not supported here: {advice}"
            raise places.error_at(message, text, token.start)
    try:
        found = dialect().parser(error_level=ErrorLevel.IMMEDIATE).parse(list(tokens), text)
    except ParseError as error:
        first = error.errors[0]
        raise StatementError(
            f"this is not understood: {first['description']}",
            line=first["line"], column=first["col"],
        ) from error  # fmt: skip
    trees = [tree for tree in found if tree is not None]
    if len(trees) != 1 or isinstance(trees[0], exp.Command):
        start = tokens[0].start if tokens else 0
        raise places.error_at("this statement is not understood", text, start)
    tree = trees[0]
    assert isinstance(tree, exp.Expression)
    return tree


_SERVERS = "read a table of this database"
#: relations that lie outside of the database -> what to do instead
_ELSEWHERE = {
    "OPENROWSET": (
        "it reads files of SQL Server's own machine. Keep a model's file by `sqlscore model add "
        "NAME FILE`, and write MODEL = NAME"
    ),
    "OPENQUERY": _SERVERS,
    "OPENDATASOURCE": _SERVERS,
    "OPENXML": _SERVERS,
}


def write(tree: exp.Expression) -> str:
    """A tree as T-SQL text."""
    return tree.sql(dialect=PredictTSQL, unsupported_level=ErrorLevel.RAISE)
