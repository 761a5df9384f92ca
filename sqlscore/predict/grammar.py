"""T-SQL with PREDICT as a table: sqlglot's T-SQL dialect with a few parts more.

    PREDICT(MODEL = …, DATA = … [AS d] [, RUNTIME = ONNX])
        [WITH (name type [COLLATE c] [NULL | NOT NULL], …)] [[AS] p]

The tree is sqlglot's, with `Predict` where a table may stand. Errors are `StatementError`s with the
line and the column in the whole text, however small the part of it that is parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sqlglot import TokenType, exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.generators.tsql import TSQLGenerator
from sqlglot.parsers.tsql import TSQLParser

from sqlscore.errors import StatementError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import Token


class Predict(exp.Expression):
    """A PREDICT that stands where a table may stand."""

    arg_types: ClassVar[dict[str, bool]] = {
        "model": True,  # a variable, a 0x literal, a scalar subquery, a name or its text
        "data": True,  # a table, a subquery, another PREDICT
        "runtime": False,
        "columns": False,  # the WITH list
        "alias": False,
        "where": False,  # conditions on DATA's rows, which no text of a statement has here
        "joins": False,
        "laterals": False,
        "pivots": False,
        "sample": False,
        "hints": False,
    }

    @property
    def model(self) -> exp.Expression:
        """What names the model."""
        found: exp.Expression = self.args["model"]
        return found

    @property
    def data(self) -> exp.Expression:
        """The relation that is scored, with its alias."""
        found: exp.Expression = self.args["data"]
        return found

    @property
    def columns(self) -> list[exp.ColumnDef]:
        """The columns that the statement asks for; empty without a WITH list."""
        return self.args.get("columns") or []


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


class _Parser(TSQLParser):
    def _parse_table(self, *args: Any, **options: Any) -> exp.Expr | None:
        if not self._at_predict():
            return super()._parse_table(*args, **options)
        table = self._parse_predict()
        if options.get("joins"):
            for join in self._parse_joins():
                table.append("joins", join)
        return table

    def _parse_lateral(self) -> exp.Lateral | None:
        index = self._index
        for side in (TokenType.CROSS, TokenType.OUTER):
            if self._match_pair(side, TokenType.APPLY) and self._at_predict():
                cross = side is TokenType.CROSS
                return self.expression(exp.Lateral(this=self._parse_predict(), cross_apply=cross))
            self._retreat(index)
        return super()._parse_lateral()

    def _parse_parameter(self) -> exp.Parameter:
        start = self._prev.start
        parameter = super()._parse_parameter()
        parameter.meta["start"] = start
        return parameter

    def _at_predict(self) -> bool:
        return (
            bool(self._curr)
            and self._curr.token_type is TokenType.VAR
            and self._curr.text.upper() == "PREDICT"
            and bool(self._next)
            and self._next.token_type is TokenType.L_PAREN
        )

    def _parse_predict(self) -> Predict:
        start = self._curr
        self._advance(2)
        given: dict[str, Any] = {}
        self._parse_argument(start, given)
        while self._match(TokenType.COMMA):
            self._parse_argument(start, given)
        if not self._match(TokenType.R_PAREN):
            self._refuse(
                f"PREDICT is not closed: a ')' or another argument is expected here, not "
                f"{self._shown()}. {_EXAMPLE}",
                self._curr or start,
            )
        for name in ("MODEL", "DATA"):
            if name not in given:
                self._refuse(f"PREDICT has no {name} = …. {_EXAMPLE}", start)
        predict = Predict(
            model=given["MODEL"], data=given["DATA"], runtime=given.get("RUNTIME"),
            columns=self._parse_with_list(),
        )  # fmt: skip
        predict.set("alias", self._parse_table_alias(alias_tokens=self.TABLE_ALIAS_TOKENS))
        predict.meta["start"] = start.start
        return predict

    def _parse_argument(self, start: Token, given: dict[str, Any]) -> None:
        at = self._curr
        name = at.text.upper() if at else ""
        if name not in _ARGUMENTS or not (self._next and self._next.token_type is TokenType.EQ):
            self._refuse_argument(start, at)
        if name in given:
            self._refuse(f"PREDICT has {name} twice: take one away", at)
        self._advance(2)
        given[name] = _ARGUMENTS[name](self)
        if given[name] is None:
            self._refuse(f"{name} = has no value. {_EXAMPLE}", at)

    def _refuse_argument(self, start: Token, at: Token) -> NoReturn:
        if not at:
            self._refuse(f"PREDICT is not closed: the text ends in it. {_EXAMPLE}", start)
        near = nearest(at.text.upper(), _ARGUMENTS)
        self._refuse(
            f"PREDICT takes MODEL =, DATA = and RUNTIME =, not {at.text!r}.{near} {_EXAMPLE}", at
        )

    def _parse_model(self) -> exp.Expr | None:
        if self._match(TokenType.PARAMETER):
            return self._parse_parameter()
        if self._curr and self._curr.token_type is TokenType.L_PAREN:
            found = self._parse_wrapped(self._parse_select)
            return exp.Subquery(this=found) if isinstance(found, exp.Query) else None
        if self._match_set((TokenType.STRING, TokenType.NATIONAL_STRING)):
            return exp.Literal.string(self._prev.text)
        if self._match(TokenType.HEX_STRING):
            return exp.HexString(this=self._prev.text)
        return self._parse_id_var(any_token=False)

    def _parse_data(self) -> exp.Expr | None:
        at = self._curr
        data = self._parse_table()
        fits = isinstance(data, exp.Table | exp.Subquery | Predict | exp.Parameter)
        if not fits or (isinstance(data, exp.Table) and isinstance(data.this, exp.Func)):
            self._refuse(
                "DATA is a table, a CTE's name, a table variable, or a SELECT in parentheses", at
            )
        return data

    def _parse_runtime(self) -> exp.Expr | None:
        at = self._curr
        if not at or at.text.upper() != "ONNX":
            self._refuse(
                f"RUNTIME = {self._shown()} is not known here: models are ONNX. Write RUNTIME = "
                "ONNX, or leave it out",
                at,
            )
        self._advance()
        return exp.var("ONNX")

    def _parse_with_list(self) -> list[exp.Expr]:
        if not (self._curr and self._curr.token_type is TokenType.WITH):
            return []
        if not self._next or self._next.token_type is not TokenType.L_PAREN:
            return []
        at = self._curr
        self._advance()
        schema = self._parse_schema()
        columns = schema.expressions if isinstance(schema, exp.Schema) else []
        for column in columns:
            if not isinstance(column, exp.ColumnDef) or column.kind is None:
                name = column.name if isinstance(column, exp.Expression) else ""
                self._refuse(f"the WITH list gives {name!r} no type, as in WITH (score float)", at)
        if not columns:
            self._refuse("the WITH list is empty: name the predictions, or leave WITH out", at)
        return columns

    def _shown(self) -> str:
        return repr(self._curr.text) if self._curr else "the end of the text"

    def _refuse(self, message: str, token: Token) -> NoReturn:
        raise error_at(message, self.sql, token.start if token else len(self.sql))

    def raise_error(self, message: str, token: Any = None) -> None:
        """An error of sqlglot's own parser, placed where the token begins."""
        at = token or self._curr or self._prev
        line, column = position(self.sql, at.start if at else len(self.sql))
        wanted = message.partition(" but got <Token")[0].rstrip(".")
        said = f"{wanted}, near {at.text!r}" if at and at.text else wanted
        raise ParseError.new(said, description=said, line=line, col=column)


_EXAMPLE = "As in PREDICT(MODEL = @model, DATA = dbo.customers AS d, RUNTIME = ONNX)"

_ARGUMENTS: dict[str, Callable[[_Parser], exp.Expr | None]] = {
    "MODEL": _Parser._parse_model,
    "DATA": _Parser._parse_data,
    "RUNTIME": _Parser._parse_runtime,
}


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


class PredictTSQL(TSQL):
    """The dialect of statements with PREDICT."""

    Tokenizer = _Tokenizer
    Parser = _Parser
    Generator = _Generator


def tokens_of(text: str) -> list[Token]:
    """The tokens of a script; `StatementError` for text that has none, such as an open quote."""
    try:
        return PredictTSQL().tokenize(text)
    except TokenError as error:
        raise _unclosed(text, error.__cause__) from error


def _unclosed(text: str, cause: object) -> StatementError:
    """The error for text that opens something and does not close it."""
    words, _, offset = str(cause).rpartition(":")
    if isinstance(cause, TokenError) and offset.isdecimal():
        return error_at("this is not closed: " + words.split(" ")[1], text, int(offset))
    return error_at("this comment is not closed: */", text, max(text.rfind("/*"), 0))


def parse(tokens: Sequence[Token], text: str) -> exp.Expression:
    """The tree of one statement, given by its tokens in the whole text."""
    dialect = PredictTSQL()
    try:
        found = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(list(tokens), text)
    except ParseError as error:
        first = error.errors[0]
        raise StatementError(
            f"this is not understood: {first['description']}",
            line=first["line"], column=first["col"],
        ) from error  # fmt: skip
    trees = [tree for tree in found if tree is not None]
    if len(trees) != 1 or isinstance(trees[0], exp.Command):
        start = tokens[0].start if tokens else 0
        raise error_at("this statement is not understood", text, start)
    tree = trees[0]
    assert isinstance(tree, exp.Expression)
    return tree


def error_at(message: str, text: str, offset: int) -> StatementError:
    """The error at an offset in the text."""
    line, column = position(text, offset)
    return StatementError(message, line=line, column=column)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def write(tree: exp.Expression) -> str:
    """A tree as T-SQL text."""
    return tree.sql(dialect=PredictTSQL, unsupported_level=ErrorLevel.RAISE)


def predicts(tree: exp.Expression) -> list[Predict]:
    """Every PREDICT in a tree, inner ones first."""
    return list(tree.find_all(Predict))[::-1]
