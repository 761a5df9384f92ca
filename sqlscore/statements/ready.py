"""A PREDICT made ready: its model found, its columns bound, DATA in the database's own words.

Each way to score its rows begins with one: `reading` and `writing` stream them, `staging` leaves
them in temporary tables, `pushed` makes a query of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlscore.errors import StatementError
from sqlscore.optimisations import Optimisation
from sqlscore.plan import Limits, Plan, Route, plan, stray
from sqlscore.plan.thresholds import sums
from sqlscore.predict import given, relation
from sqlscore.predict.scope import data_alias, table_name, tables
from sqlscore.statements import conditions, data
from sqlscore.statements.knowledge import Knowledge
from sqlscore.statements.places import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlglot import exp

    from sqlscore.model import Model
    from sqlscore.plan import Wishes
    from sqlscore.plan.thresholds import Bounds
    from sqlscore.predict.tree import Predict
    from sqlscore.pushdown.domains import Domain
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.variables import Variables
    from sqlscore.types import Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """One PREDICT with its model and plan."""

    predict: Predict
    name: str  #: its alias, or DATA's
    model: Model
    plan: Plan
    place: dict[str, int]
    query: exp.Expression  #: DATA with the columns that are read, in the database's own words
    shared: bool  #: other connections see DATA's tables too
    domains: Mapping[str, Domain]  #: what features can hold, where less than anything
    known: tuple[str, ...]  #: the same in words
    folds: bool  #: scalers and categories become part of the weights
    sums: Mapping[str, Bounds]  #: output -> bounds of the sum that it is made of


def make_ready(
    on: Conversation,
    models: Models,
    predict: Predict,
    tree: exp.Expression,
    text: str,
    variables: Variables,
    wishes: Wishes,
    *,
    alone: bool = True,
) -> Ready:
    """Find the model of a PREDICT in a statement's tree, and bind it.

    `alone` says that nothing commits before the statement runs.
    """
    place = place_of(predict, text)
    reached = data.reaching_out(predict)
    if reached is not None:
        raise StatementError(
            f"DATA is evaluated once, by itself: it cannot read {reached.table!r} of the statement "
            "around it. Give DATA the rows' key, and join PREDICT by it",
            **place_of(reached, text),
        )
    model = models.find(predict, on, variables, text)
    everything = on.translated(data.query_of(predict), text)
    knowledge = Knowledge(on, wishes, checks=alone)
    columns = knowledge.of_columns(data.query_of(predict), on.columns(on.write(everything)), text)
    names = [column.name for column in columns]
    relation.tell_apart(predict, names, [one.name for one in model.signature.predictions])
    predictions = given.names(predict, model.signature)
    conditions.move(predict, set(map(str.casefold, names)), set(map(str.casefold, predictions)))
    product = on.product
    planned = plan(
        predict, model.signature, columns,
        statement=tree, chosen=data.is_chosen(predict), place=place, wishes=wishes,
        limits=Limits(
            identifier_limit=product.identifier_limit, column_limit=product.column_limit,
            arrays=product.arrays, nested=product.nested, types_hold=knowledge.types_hold,
        ),
    )  # fmt: skip
    unknown = stray(predict, columns, planned.outputs)
    if unknown is not None:
        raise StatementError(unknown[1], **place_of(unknown[0], text))
    query = data.query_of(predict, planned.read)
    tables_read = [table_name(table) for table in tables(query)]
    domains, known = knowledge.of_features(query, planned.binding, text)
    return Ready(
        predict=predict, name=predict.alias or data_alias(predict), model=model, plan=planned,
        folds=Optimisation.FOLDING in wishes.optimisations, domains=domains, known=known,
        sums=_sums(predict, planned, columns, wishes),
        place=place, query=on.translated(query, text),
        shared=not any(on.names.is_temporary(name) for name in tables_read),
    )  # fmt: skip


def _sums(
    predict: Predict, planned: Plan, columns: Sequence[Column], wishes: Wishes
) -> Mapping[str, Bounds]:
    if wishes.route is Route.BRIDGE or Optimisation.THRESHOLDS not in wishes.optimisations:
        return {}
    outputs = [output.name for output in planned.outputs]
    return sums(predict, outputs, [column.name for column in columns])
