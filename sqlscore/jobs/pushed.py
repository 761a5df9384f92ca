"""A run's models as SQL: the query that gives a range's rows as they are written.

    source, in a range --> key, passed columns, features as doubles --> each model over that

The range and the job's condition are SQLAlchemy's, the models sqlglot's: one text holds the other.
"""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlglot import exp

from sqlscore.jobs.null_values import policy_of, signature_of, value_of
from sqlscore.optimisations import Optimisation, optimisations
from sqlscore.plan.feeding import named
from sqlscore.predictor import Counts
from sqlscore.predictor.counts import Tally
from sqlscore.predictor.nulls import NullRule
from sqlscore.products.expressions import expressions_for
from sqlscore.pushdown.text import Compilation, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy.sql.compiler import SQLCompiler

    from sqlscore.graph import Graph
    from sqlscore.jobs.bound import BoundModel
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.products.expressions import Expressions
    from sqlscore.products.product import Unit
    from sqlscore.pushdown.text import Text
    from sqlscore.relations.source import Condition


class Pushed:
    """The models of a job over the rows of its source."""

    def __init__(
        self, prepared: Prepared, graphs: Sequence[Graph], stamp: Sequence[pa.Scalar]
    ) -> None:
        """`stamp` are the values of the lineage columns."""
        self._prepared, self._source = prepared, prepared.source
        self._facts = facts_of(prepared)
        self._kept = kept_of(prepared)
        self._given: list[str] = []  #: the predictions, by names of their own
        self._before, self._after = self._over_rows(graphs)
        self._stamp = [
            prepared.source.product.literal(value.as_py(), column)
            for value, column in zip(stamp, prepared.wanted.lineage, strict=True)
        ]

    def rows(self, condition: Condition) -> sa.Select[Any]:
        """The columns that are written, in their order, of the source's rows that fit."""
        columns = list(dict.fromkeys([*self._kept, *self._read()]))
        relation = self._source.relation
        inside = _narrowed(sa.select(*(relation.c[name] for name in columns)), condition)
        names = [*self._kept, *self._given]
        over = Over(self._before, inside.select_from(relation), self._after)
        found = over.columns(*map(sa.column, names)).subquery("sqlscore_scored")
        written = [column.name for column in self._prepared.wanted.columns]
        values = [*(found.c[name] for name in names), *self._stamp]
        return sa.select(*(v.label(n) for v, n in zip(values, written, strict=True)))

    def counts(self, unit: Unit, condition: Condition) -> Counts:
        """Rows, NULLs in features, and rows whose predictions are NULL for that."""
        models, nullable = self._prepared.models, tuple(self._nullable())
        sets = [nullable, *(self._lost(model) for model in models)]
        asked = dict.fromkeys(sets)  # most often they are all the same
        rows, *found = self._ask(unit, [sa.func.count(), *map(self._any_null, asked)], condition)
        some, *lost = (dict(zip(asked, found, strict=True))[names] for names in sets)
        nulls: dict[str, int] = {}
        if some:
            each = self._ask(unit, [self._any_null((name,)) for name in nullable], condition)
            nulls = dict(zip(nullable, each, strict=True))
        counted = (
            self._tallied(model, nulls, gone) for model, gone in zip(models, lost, strict=True)
        )
        return sum(counted, Counts(rows=rows))

    def _tallied(self, model: BoundModel, nulls: Mapping[str, int], lost: int) -> Counts:
        binding = model.binding
        features = {
            bound.feature.name: Tally(nulls=nulls[bound.column.name])
            for bound in binding.features
            if nulls.get(bound.column.name)
        }
        names = [one.prediction.name for one in binding.predictions] if lost else []
        predictions = dict.fromkeys(names, Tally(nulls=lost))
        return Counts(features=features, predictions=predictions).tallies_of(model.prefix)

    def _ask(
        self, unit: Unit, asked: Sequence[sa.ColumnElement[Any]], condition: Condition
    ) -> list[int]:
        query = _narrowed(sa.select(*asked).select_from(self._source.relation), condition)
        ((*found,),) = unit.fetch(query)
        return [int(number or 0) for number in found]

    def _read(self) -> Iterator[str]:
        for model in self._prepared.models:
            yield from (bound.column.name for bound in model.binding.features)

    def _nullable(self) -> list[str]:
        may = {column.name for column in self._source.columns if column.nullable}
        return [name for name in dict.fromkeys(self._read()) if name in may]

    def _lost(self, model: BoundModel) -> tuple[str, ...]:
        """The columns of which a NULL takes the predictions of a model's row."""
        job, may = self._prepared.job, set(self._nullable())
        rules = ((b.column.name, policy_of(b, job).rule) for b in model.binding.features)
        names = (name for name, rule in rules if rule is NullRule.NULL and name in may)
        return tuple(dict.fromkeys(names))

    def _any_null(self, names: Sequence[str]) -> sa.ColumnElement[Any]:
        """In how many rows one of the columns is NULL."""
        tests = [self._source.relation.c[name].is_(None) for name in names]
        if not tests:
            return sa.literal_column("0")
        return sa.func.sum(sa.case((sa.or_(*tests), 1), else_=0))

    def _over_rows(self, graphs: Sequence[Graph]) -> tuple[str, str]:
        """The models, one over the other: what stands before the rows and after them."""
        prepared, facts = self._prepared, self._facts
        values = [
            exp.alias_(value_of(bound, prepared.job, facts), name, quoted=True)
            for number, model in enumerate(prepared.models)
            for bound, name in zip(model.binding.features, fed(model, number).values(), strict=True)
        ]
        select = exp.select(*map(named, kept_of(prepared)), *values)
        before = f"{select.sql(dialect=facts.dialect)} FROM ("
        after = ") AS sqlscore_rows"
        for number, (model, graph) in enumerate(zip(prepared.models, graphs, strict=True)):
            text = text_of(prepared, number, graph, facts)
            assert not text.refusals
            before, after = f"{text.before}({before}", f"{after}){text.after}"
            self._given += given_by(model, number).values()
        return before, after


def facts_of(prepared: Prepared) -> Expressions:
    """What a run's models are written by."""
    folds = Optimisation.FOLDING in optimisations(prepared.job.without)
    facts = expressions_for(prepared.source.product.dialect)
    return dataclasses.replace(facts, folding=folds)


def text_of(prepared: Prepared, number: int, graph: Graph, facts: Expressions) -> Text:
    """One of a run's models over the rows of those before it, or why it has no SQL form."""
    models = prepared.models
    before = (given_by(model, n).values() for n, model in enumerate(models[:number]))
    later = (fed(model, n).values() for n, model in enumerate(models) if n > number)
    model = Compilation(
        graph=graph, signature=signature_of(models[number], prepared.job), facts=facts,
        columns=fed(models[number], number), names=given_by(models[number], number),
        passed=[*kept_of(prepared), *chain(*before), *chain(*later)],
    )  # fmt: skip
    return written(model)


def kept_of(prepared: Prepared) -> list[str]:
    """The columns that go from the source into the target."""
    return list(dict.fromkeys(column.name for column in (*prepared.key, *prepared.passed)))


def fed(model: BoundModel, number: int) -> dict[str, str]:
    """Feature -> the name that its column gets."""
    features = enumerate(model.binding.features)
    return {bound.feature.name: f"sqlscore_f{number}_{n}" for n, bound in features}


def given_by(model: BoundModel, number: int) -> dict[str, str]:
    """Prediction -> the name that its column gets."""
    predictions = enumerate(model.binding.predictions)
    return {one.prediction.name: f"sqlscore_p{number}_{n}" for n, one in predictions}


class Over(sa.TextClause):
    """A query's text with another query in it, in the place of a relation."""

    inherit_cache = False

    def __init__(self, before: str, rows: sa.Select[Any], after: str) -> None:
        super().__init__("")
        self.before: sa.ColumnClause[Any] = sa.literal_column(f"{before}(")
        self.after: sa.ColumnClause[Any] = sa.literal_column(f"){after}")
        self.rows = rows


@compiles(Over)
def _over(over: Over, compiler: SQLCompiler, **chosen: Any) -> str:
    inside = compiler.process(over.rows, asfrom=True)
    return f"{compiler.process(over.before)}{inside}{compiler.process(over.after)}"


def _narrowed(query: sa.Select[Any], condition: Condition) -> sa.Select[Any]:
    return query if condition is None else query.where(condition)
