"""The parser's part of PREDICT: its arguments, its WITH list, and what is wrong with them.

Errors are `StatementError`s with the line and the column in the whole text, however small the part
of it that is parsed.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sqlglot import TokenType, exp
from sqlglot.errors import ParseError
from sqlglot.parsers.tsql import TSQLParser

from sqlscore.errors import nearest
from sqlscore.predict.placed import Placed
from sqlscore.predict.tree import Predict

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import Token


class PredictParser(Placed, TSQLParser):
    """T-SQL's parser, with PREDICT where a table may stand."""

    FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {
        **TSQLParser.FUNCTIONS,
        # a float, whatever its argument is
        "SQUARE": lambda args: exp.Pow(
            this=exp.cast(args[0], "double"), expression=exp.Literal.number(2)
        ),
    }

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

    def _parse_delete(self) -> exp.Delete:
        # OUTPUT stands before WHERE, which sqlglot knows only where a table is named before FROM
        delete = super()._parse_delete()
        if delete.args.get("returning") and not delete.args.get("where"):
            delete.set("where", self._parse_where())
        return delete

    def _parse_returning(self) -> exp.Returning | None:
        """OUTPUT …, OUTPUT … INTO t, or both; INTO names a table of any kind, and its columns."""
        if not self._match(TokenType.RETURNING):
            return None
        listed = self._parse_csv(self._parse_expression)
        made = self.expression(exp.Returning(expressions=listed))
        if self._match(TokenType.INTO):
            made.set("into", self._parse_table(schema=True))
            also = self._parse_returning()
            if also is not None:
                made.set("also", also.expressions)
        return made

    def _parse_update_assignment(self) -> exp.Expr | None:
        """``a += 1`` as ``a = a + (1)``."""
        index = self._index
        column = self._parse_column()
        kind = COMPOUND.get(self._curr.token_type) if self._curr else None
        if column is None or kind is None or not self._next or self._next.text != "=":
            self._retreat(index)
            return super()._parse_update_assignment()
        self._advance(2)
        more = exp.Paren(this=self._parse_disjunction())
        made = exp.EQ(this=column, expression=kind(this=column.copy(), expression=more))
        made.meta["compound"] = True
        return made

    def _parse_primary_key(self, *args: Any, **options: Any) -> Any:
        word = self._prev.text.upper() if self._match_texts(_CLUSTERED) else None
        made = super()._parse_primary_key(*args, **options)
        if word is not None:
            made.meta["clustered"] = word
        return made

    def _parse_primary_key_part(self) -> exp.Expr | None:
        part = super()._parse_primary_key_part()
        if part is not None and self._match_set((TokenType.ASC, TokenType.DESC)):
            return exp.Ordered(this=part, desc=self._prev.token_type is TokenType.DESC)
        return part

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
            self.refuse(
                f"PREDICT is not closed: a ')' or another argument is expected here, not "
                f"{self.shown()}. {_EXAMPLE}",
                self._curr or start,
            )
        for name in ("MODEL", "DATA"):
            if name not in given:
                self.refuse(f"PREDICT has no {name} = …. {_EXAMPLE}", start)
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
            self.refuse(f"PREDICT has {name} twice: take one away", at)
        self._advance(2)
        given[name] = _ARGUMENTS[name](self)
        if given[name] is None:
            self.refuse(f"{name} = has no value. {_EXAMPLE}", at)

    def _refuse_argument(self, start: Token, at: Token) -> NoReturn:
        if not at:
            self.refuse(f"PREDICT is not closed: the text ends in it. {_EXAMPLE}", start)
        near = nearest(at.text.upper(), _ARGUMENTS)
        self.refuse(
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
        at, index = self._curr, self._index
        try:
            data = self._parse_table()
        except ParseError:
            self._refuse_list(index)
            raise
        fits = isinstance(data, exp.Table | exp.Subquery | Predict | exp.Parameter)
        if not fits or (isinstance(data, exp.Table) and isinstance(data.this, exp.Func)):
            self.refuse(
                "DATA is a table, a CTE's name, a table variable, or a SELECT in parentheses", at
            )
        return data

    def _refuse_list(self, index: int) -> None:
        """Raise where what is no hint of a table is PREDICT's WITH list, inside of it."""
        for token, following in itertools.pairwise(self._tokens[index : self._index]):
            if (token.token_type, following.token_type) == (TokenType.WITH, TokenType.L_PAREN):
                self.refuse("PREDICT is not closed: a ')' is missing before its WITH list", token)

    def _parse_runtime(self) -> exp.Expr | None:
        at = self._curr
        if not at or at.text.upper() != "ONNX":
            self.refuse(
                f"RUNTIME = {self.shown()} is not known here: models are ONNX. Write RUNTIME = "
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
                self.refuse(f"the WITH list gives {name!r} no type, as in WITH (score float)", at)
        if not columns:
            self.refuse("the WITH list is empty: name the predictions, or leave WITH out", at)
        return columns


#: token of an operator -> what it makes, where = follows
COMPOUND: dict[TokenType, type[exp.Binary]] = {
    TokenType.PLUS: exp.Add,
    TokenType.DASH: exp.Sub,
    TokenType.STAR: exp.Mul,
    TokenType.SLASH: exp.Div,
    TokenType.MOD: exp.Mod,
    TokenType.AMP: exp.BitwiseAnd,
    TokenType.PIPE: exp.BitwiseOr,
    TokenType.CARET: exp.BitwiseXor,
}
_CLUSTERED = ("CLUSTERED", "NONCLUSTERED")

_EXAMPLE = "As in PREDICT(MODEL = @model, DATA = dbo.customers AS d, RUNTIME = ONNX)"

_ARGUMENTS: dict[str, Callable[[PredictParser], exp.Expr | None]] = {
    "MODEL": PredictParser._parse_model,
    "DATA": PredictParser._parse_data,
    "RUNTIME": PredictParser._parse_runtime,
}
