"""BigQuery's ML.PREDICT, a table of rows and predictions under one name.

    ML.PREDICT(MODEL m, {TABLE t | (query)}
               [, STRUCT(0.6 AS threshold, TRUE AS keep_original_columns)])

sqlglot's BigQuery dialect parses it; here its arguments are checked, and it becomes the same
`Predict` as T-SQL's.
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import TokenType, exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.parsers.bigquery import BigQueryParser

from sqlscore.errors import StatementError, nearest
from sqlscore.predict import places
from sqlscore.predict.doors import statements
from sqlscore.predict.doors.meaning import said_in_t_sql
from sqlscore.predict.placed import Placed
from sqlscore.predict.tree import Predict

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.predict.statements import Batch

_EXAMPLE = "As in ML.PREDICT(MODEL churn, TABLE customers, STRUCT(0.6 AS threshold))"

_TYPES = {
    exp.DType.DECIMAL: exp.DataType.build("decimal(38, 9)"),
    exp.DType.BOOLEAN: exp.DataType.build("bit", dialect="tsql"),
}


class MLPredictParser(Placed, BigQueryParser):
    """BigQuery's parser; what is wrong with ML.PREDICT is said in its own words."""

    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
        **BigQueryParser.FUNCTION_PARSERS,
        "PREDICT": lambda self: self.parse_ml_predict(),
    }

    def parse_ml_predict(self) -> exp.Predict:
        """What stands between the parentheses of ML.PREDICT."""
        start = self._tokens[self._index - 2]
        if not self._match_text_seq("MODEL"):
            self.refuse(f"ML.PREDICT begins with MODEL, not {self.shown()}. {_EXAMPLE}", self._curr)
        model = self._parse_table_parts()
        self._expect(TokenType.COMMA, "a comma and the rows to score")
        at = self._curr
        by_name = self._match(TokenType.TABLE)
        rows = self._parse_table_parts() if by_name else self._parse_query_in_parens()
        if rows is None:
            self.refuse(
                f"the rows are TABLE name or a query in parentheses, not {self.shown()}. "
                f"{_EXAMPLE}",
                at,
            )
        settings = self._parse_bitwise() if self._match(TokenType.COMMA) else None
        if not self._match(TokenType.R_PAREN, advance=False):
            self.refuse(
                f"ML.PREDICT is not closed: a ')' is expected here, not {self.shown()}. {_EXAMPLE}",
                self._curr or start,
            )
        made = exp.Predict(this=model, expression=rows, params_struct=settings)
        made.meta["start"] = start.start
        return made

    def _parse_query_in_parens(self) -> exp.Subquery | None:
        if not self._match(TokenType.L_PAREN, advance=False):
            return None
        found = self._parse_wrapped(self._parse_select)
        if not isinstance(found, exp.Query):
            return None
        return found if isinstance(found, exp.Subquery) else exp.Subquery(this=found)

    def _expect(self, kind: TokenType, what: str) -> None:
        if not self._match(kind):
            self.refuse(f"{what} is expected here, not {self.shown()}. {_EXAMPLE}", self._curr)


class MLPredict(BigQuery):
    """The dialect of statements with ML.PREDICT."""

    Parser = MLPredictParser


def read(text: str) -> tuple[Batch, ...]:
    """The statements of a text, as the T-SQL that they mean."""
    return statements.read(text, "bigquery", MLPredict, _meant)


def _meant(tree: exp.Expression, text: str) -> exp.Expression:
    calls = list(tree.find_all(exp.Predict))[::-1]
    for number, call in enumerate(calls, start=1):
        table = call.parent
        if not isinstance(table, exp.Table) or table.db.upper() != "ML":
            message = f"PREDICT is written ML.PREDICT, and stands in FROM. {_EXAMPLE}"
            raise places.error_at(message, text, call.meta["start"])
        table.replace(_predict(table, call, number, text))
    return said_in_t_sql(tree, _TYPES)


def _predict(table: exp.Table, call: exp.Predict, number: int, text: str) -> Predict:
    start = call.meta["start"]
    settings = _settings(call.args.get("params_struct"), text, start)
    data = call.expression
    data.set("alias", exp.TableAlias(this=exp.to_identifier(f"sqlscore_data{number}")))
    alias = table.args.get("alias")
    made = Predict(
        model=call.this.this, data=data, whole=True,
        threshold=settings.get("threshold"), alone=settings.get("keep_original_columns") is False,
        alias=alias or exp.TableAlias(this=exp.to_identifier(f"sqlscore_predicted{number}")),
        joins=table.args.get("joins"), laterals=table.args.get("laterals"),
        sample=table.args.get("sample"), pivots=table.args.get("pivots"),
    )  # fmt: skip
    made.meta["start"] = start
    return made


def _settings(struct: exp.Expression | None, text: str, start: int) -> dict[str, Any]:
    """The settings by their names; `StatementError` for one that is not known, or no constant."""
    if struct is None:
        return {}
    found: dict[str, Any] = {}
    for one in struct.expressions:
        name, value = one.name.casefold(), one.expression
        if name not in _SETTINGS:
            near = nearest(name, list(_SETTINGS))
            message = f"ML.PREDICT has no setting {one.name!r}.{near} {_EXAMPLE}"
            raise places.error_at(message, text, start)
        try:
            found[name] = _SETTINGS[name](value)
        except StatementError as error:
            raise places.error_at(str(error), text, start) from error
    return found


def _threshold(value: exp.Expression) -> exp.Literal:
    if not isinstance(value, exp.Literal) or value.is_string or not 0 <= float(value.name) <= 1:
        raise StatementError(f"the threshold is a number from 0 to 1, not {value.sql('bigquery')}")
    return value


def _truth(value: exp.Expression) -> bool:
    if not isinstance(value, exp.Boolean):
        raise StatementError(f"keep_original_columns is TRUE or FALSE, not {value.sql('bigquery')}")
    return bool(value.this)


def _refused(value: exp.Expression) -> None:
    raise StatementError("trial_id is not supported here: a registered model is one model")


_SETTINGS: dict[str, Callable[[exp.Expression], Any]] = {
    "threshold": _threshold,
    "keep_original_columns": _truth,
    "trial_id": _refused,
}
