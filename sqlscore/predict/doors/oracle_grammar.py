"""Oracle's PREDICTION and PREDICTION_PROBABILITY: sqlglot's Oracle dialect with two functions more.

    PREDICTION([schema.]model [COST MODEL AUTO] USING {* | expr [AS name]}, …)
    PREDICTION_PROBABILITY([schema.]model [, class] USING {* | expr [AS name]}, …)

https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/PREDICTION.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sqlglot import TokenType, exp
from sqlglot.dialects.oracle import Oracle
from sqlglot.generators.oracle import OracleGenerator
from sqlglot.parsers.oracle import OracleParser

from sqlscore.predict.placed import Placed

if TYPE_CHECKING:
    from collections.abc import Callable

_EXAMPLE = "As in PREDICTION(churn USING age, spend), PREDICTION_PROBABILITY(churn, 'yes' USING *)"


class Prediction(exp.Expression, exp.Func):
    """What a model predicts for the row: its label, or its value."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "cost": False, "features": True}


class PredictionProbability(exp.Expression, exp.Func):
    """The probability of a class, or of the one that is predicted."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "label": False, "features": True}


#: functions of Oracle's that score, and what to do instead of them
_REFUSED = {
    "PREDICTION_BOUNDS": "models have no confidence bounds here",
    "PREDICTION_COST": "models have no costs here: PREDICTION_PROBABILITY gives probabilities",
    "PREDICTION_DETAILS": "models do not explain themselves here",
    "PREDICTION_SET": "ask for the classes one by one, by PREDICTION_PROBABILITY(model, class …)",
    "CLUSTER_ID": "PREDICTION gives what a model of clusters predicts",
}


class PredictionParser(Placed, OracleParser):
    """Oracle's parser, with the functions that score."""

    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
        **OracleParser.FUNCTION_PARSERS,
        "PREDICTION": lambda self: self.parse_prediction(),
        "PREDICTION_PROBABILITY": lambda self: self.parse_probability(),
        **{name: lambda self: self.refuse_function() for name in _REFUSED},
    }

    def parse_prediction(self) -> Prediction:
        """What stands between the parentheses of PREDICTION."""
        start = self._tokens[self._index - 2]
        model = self._parse_model("PREDICTION")
        cost = self._parse_cost()
        made = Prediction(this=model, cost=cost, features=self._parse_using("PREDICTION"))
        made.meta["start"] = start.start
        return made

    def parse_probability(self) -> PredictionProbability:
        """What stands between the parentheses of PREDICTION_PROBABILITY."""
        name = "PREDICTION_PROBABILITY"
        start = self._tokens[self._index - 2]
        model = self._parse_model(name)
        label = None
        if self._match(TokenType.COMMA):
            at = self._curr
            label = self._parse_unary()
            value = label.this if isinstance(label, exp.Neg) else label
            if not isinstance(value, exp.Literal):
                self.refuse(f"the class is a text or a number. {_EXAMPLE}", at)
        self._parse_cost()
        made = PredictionProbability(this=model, label=label, features=self._parse_using(name))
        made.meta["start"] = start.start
        return made

    def refuse_function(self) -> NoReturn:
        """Say what to do instead of a function that is not supported."""
        token = self._tokens[self._index - 2]
        name = token.text.upper()
        self.refuse(f"{name} is not supported here: {_REFUSED[name]}", token)

    def _parse_model(self, name: str) -> exp.Expression:
        at = self._curr
        if not at or at.text.upper() in ("OF", "FOR", "USING", ")"):
            self.refuse(
                f"{name} begins with a model's name, not {self.shown()}: nothing is trained here. "
                f"{_EXAMPLE}",
                at,
            )
        found = self._parse_table_parts()
        if not isinstance(found, exp.Table):
            self.refuse(f"{name} begins with a model's name. {_EXAMPLE}", at)
        return found

    def _parse_cost(self) -> exp.Expression | None:
        at = self._curr
        if not self._match_text_seq("COST"):
            return None
        if not self._match_text_seq("MODEL", "AUTO"):
            self.refuse(
                "COST is not supported here: a model has no costs. COST MODEL AUTO, which uses "
                "them where there are any, is",
                at,
            )
        return exp.var("AUTO")

    def _parse_using(self, name: str) -> list[exp.Expression]:
        if not self._match(TokenType.USING):
            self.refuse(
                f"{name} wants USING with the columns that feed the model, not {self.shown()}. "
                f"{_EXAMPLE}",
                self._curr,
            )
        features = self._parse_csv(self._parse_feature)
        if not self._match(TokenType.R_PAREN, advance=False):
            self.refuse(
                f"{name} is not closed: a ')' is expected here, not {self.shown()}. {_EXAMPLE}",
                self._curr,
            )
        return features

    def _parse_feature(self) -> exp.Expression:
        at = self._curr
        if self._match(TokenType.STAR):
            return exp.Star()
        found = self._parse_expression()
        if not isinstance(found, exp.Expression):
            self.refuse(f"USING lists columns, or *, not {self.shown()}. {_EXAMPLE}", at)
        if not isinstance(found, exp.Alias | exp.Column):
            self.refuse(f"this needs the name of a feature, as in {found.sql()} AS age", at)
        return found


class _Generator(OracleGenerator):
    TRANSFORMS: ClassVar[dict[type[exp.Expr], Callable[..., str]]] = {
        **OracleGenerator.TRANSFORMS,
        Prediction: lambda self, node: self.scored_text("PREDICTION", node),
        PredictionProbability: lambda self, node: self.scored_text("PREDICTION_PROBABILITY", node),
    }

    def scored_text(self, name: str, node: exp.Expression) -> str:
        """The function as it is written."""
        label, cost = node.args.get("label"), node.args.get("cost")
        parts = [self.sql(node, "this") + (f", {self.sql(label)}" if label is not None else "")]
        parts += ["COST MODEL AUTO"] if cost is not None else []
        listed = ", ".join(self.sql(one) for one in node.args["features"])
        return f"{name}({' '.join(parts)} USING {listed})"


class PredictOracle(Oracle):
    """The dialect of statements with PREDICTION."""

    Parser = PredictionParser
    Generator = _Generator
