"""The nodes that stand for a PREDICT in a statement's tree."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

OURS = "sqlscore_"  #: how the names of what a statement does not write itself begin


class Predict(exp.Expression):
    """A PREDICT that stands where a table may stand."""

    arg_types: ClassVar[dict[str, bool]] = {
        "model": True,  # a variable, a 0x literal, a scalar subquery, a name or its text
        "data": True,  # a table, a subquery, another PREDICT
        "runtime": False,
        "columns": False,  # the WITH list
        "alias": False,
        # what other front doors say, and no text of T-SQL
        "asked": False,  # label or probabilities, each as a column of its own: `Asked`
        "features": False,  # the columns that feed features, with the features' names, and a star
        "whole": False,  # rows and predictions are one relation under the alias
        "alone": False,  # and DATA's columns are no part of it
        "threshold": False,  # of the probability from which on the second of two classes is it
        # conditions on DATA's rows, which no text of a statement has here
        "where": False,
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

    @property
    def asked(self) -> list[Asked]:
        """The label or probabilities that the statement asks for, where it names them so."""
        return self.args.get("asked") or []

    @property
    def features(self) -> list[exp.Expression]:
        """The columns that may feed features, aliased or not; empty where all of DATA's may."""
        return self.args.get("features") or []


class Asked(exp.Expression):
    """A column that PREDICT gives: a model's prediction, or the probability of a class."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,  # the column's name
        "probability": False,  # of `label`, or of the class that is predicted; else the prediction
        "label": False,
    }


def predicts(tree: exp.Expression) -> list[Predict]:
    """Every PREDICT in a tree, inner ones first."""
    return list(tree.find_all(Predict))[::-1]
