"""What stands in the words of a form: SELECTs, parameters and values of one model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from sqlscore.binding import legal_name
from sqlscore.errors import PushdownUnsupported
from sqlscore.model import forms
from sqlscore.model.forms import Form
from sqlscore.products.expressions import alone
from sqlscore.pushdown import select

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlscore.model.model import Model
    from sqlscore.products.expressions import Expressions
    from sqlscore.signature import Signature

#: how much longer a function may be that the planner can put into a query
_WORTH = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Writer:
    """One model in one dialect, over the table and columns that feed it."""

    model: Model
    facts: Expressions
    form: Form
    table: exp.Table
    keys: tuple[str, ...]
    columns: dict[str, str]

    def parts(self, name: str) -> Iterator[dict[str, str]]:
        """For each thing that is made, what its words leave open."""
        if self.form is Form.COMPUTED_COLUMN:
            yield from self._values(name)
        elif self.form is Form.SELECT:
            yield {"unquoted": name, "select": written(self._rows(), self.facts.dialect)}
        elif self.form is not Form.FUNCTION:
            yield {**self._named(name), "select": written(self._rows(), self.facts.dialect)}
        elif self.facts.dialect in forms.TABLE_FUNCTIONS:
            yield {**self._named(name), **self._table_function()}
        else:
            yield from self._functions(name)

    def _named(self, name: str) -> dict[str, str]:
        dialect = self.facts.dialect
        return {"unquoted": name, "name": written(exp.to_table(name, dialect=dialect), dialect)}

    def _rows(self) -> exp.Select:
        relation = self.table
        if self.form is Form.VIEW and not self.facts.view_comments:
            relation = exp.alias_(relation, forms.MARK, table=True)  # type: ignore[assignment]
        return self._select(self.facts, relation, passed=self.keys)

    def _table_function(self) -> dict[str, str]:
        """One that gives all predictions, over a row of its parameters."""
        dialect, names = self.facts.dialect, list[str]()
        for feature in self.model.signature.features:
            wanted = forms.parameter(feature.name, self.facts)
            names.append(legal_name(wanted, limit=self.facts.identifier_limit, taken=names))
        row = [
            exp.Alias(
                this=exp.Parameter(this=exp.Var(this=given)),
                alias=exp.to_identifier(feature.name, quoted=True),
            )
            for given, feature in zip(names, self.model.signature.features, strict=True)
        ]
        relation = exp.Subquery(
            this=exp.Select(expressions=row), alias=exp.TableAlias(this=exp.to_identifier("p"))
        )
        same = {feature.name: feature.name for feature in self.model.signature.features}
        types = [forms.declared(f.type, dialect) for f in self.model.signature.features]
        return {
            "parameters": ", ".join(f"@{n} {t}" for n, t in zip(names, types, strict=True)),
            "select": written(self._select(self.facts, relation, columns=same), dialect),
        }

    def _functions(self, name: str) -> Iterator[dict[str, str]]:
        """One function for each prediction."""
        dialect, signature = self.facts.dialect, self.model.signature
        same = {feature.name: feature.name for feature in signature.features}
        parameters = ", ".join(
            f"{_quoted(feature.name, dialect)} {forms.declared(feature.type, dialect)}".strip()
            for feature in signature.features
        )
        for one in signature.predictions:
            alone_ = len(signature.predictions) == 1
            whole = name if alone_ else f"{name}_{one.name}"
            text = self._value(replace(signature, predictions=(one,)), same)
            yield {
                **self._named(whole),
                "parameters": parameters,
                "type": forms.declared(one.type, dialect),
                "gives": forms.comment(f"gives {one.name}"),
                "select": text,
                "dollars": forms.dollars(text),
            }

    def _value(self, signature: Signature, columns: Mapping[str, str]) -> str:
        """A SELECT of one value: without a subquery, where that is not much longer."""
        dialect = self.facts.dialect
        whole = written(self._select(self.facts, None, signature, columns=columns), dialect)
        try:
            flat = self._select(alone(self.facts), None, signature, columns=columns)
        except PushdownUnsupported:
            return whole
        text = written(flat, dialect)
        return text if len(text) <= _WORTH * len(whole) else whole

    def _values(self, name: str) -> Iterator[dict[str, str]]:
        """One column for each prediction."""
        dialect = self.facts.dialect
        made = self._select(alone(self.facts), None)
        for one, value in zip(self.model.signature.predictions, made.expressions, strict=True):
            yield {
                "unquoted": name,
                "column": _quoted(value.alias, dialect),
                "type": forms.declared(one.type, dialect),
                "value": written(value.this, dialect),
            }

    def _select(
        self,
        facts: Expressions,
        relation: exp.Expression | None,
        signature: Signature | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        passed: Sequence[str] = (),
    ) -> exp.Select:
        signature = signature or self.model.signature
        names: dict[str, str] = {}
        for prediction in signature.predictions:
            names[prediction.name] = legal_name(
                prediction.name, limit=facts.identifier_limit, taken=[*passed, *names.values()]
            )
        return select(
            self.model.graph,
            signature,
            facts,
            relation=relation,
            columns=columns or self.columns,
            names=names,
            passed=passed,
        )


def written(statement: exp.Expression, dialect: str) -> str:
    """A statement as text; it may be changed on the way, and has thousands of nodes."""
    return statement.sql(
        dialect=dialect,
        copy=False,
        identify=True,
        unsupported_level=sqlglot.ErrorLevel.RAISE,
        comments=False,
    )


def _quoted(name: str, dialect: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect=dialect)
