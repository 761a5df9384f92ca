"""The node that stands for a PREDICT in a statement's tree."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp


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


def predicts(tree: exp.Expression) -> list[Predict]:
    """Every PREDICT in a tree, inner ones first."""
    return list(tree.find_all(Predict))[::-1]
