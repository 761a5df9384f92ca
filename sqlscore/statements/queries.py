"""One statement that a database runs, with the PREDICTs in it.

Where the statement only passes on what its PREDICT gives, rows stream through the model. Else they
are in temporary tables, on which the database runs the statement: DATA with its predictions in one,
or each in its own, so that only features leave the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.costs import Into
from sqlscore.errors import StatementError
from sqlscore.plan import Route, Wishes
from sqlscore.plan.passing import Passing, projection
from sqlscore.predict import writes
from sqlscore.predict.tree import Predict, predicts
from sqlscore.statements import (
    data,
    objects,
    plain,
    pushed,
    reading,
    recursion,
    routing,
    staging,
    writing,
)
from sqlscore.statements.calls import create_view
from sqlscore.statements.ready import Ready, make_ready
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlscore.predict.statements import CreateView
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.results import Result
    from sqlscore.statements.routines import Routines
    from sqlscore.statements.routing import Told
    from sqlscore.statements.variables import Variables


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """One PREDICT and the route that it takes."""

    ready: Ready
    route: Route
    told: Told  #: what is known of both routes


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """How a statement would run."""

    how: str
    predicts: list[Routed]
    sql: str | None = None  #: what the database runs at the end


_STREAMED = {
    Into.READER: "rows stream through the model to the reader",
    Into.TARGET: "rows stream through the model into the target",
}
_BESIDE = (
    "rows stream through the model into a temporary table, and the database runs the statement"
)
_STAGED = "rows and predictions become temporary tables, and the database runs the statement"
_PUSHED = "the database runs the statement, with the model as SQL in it"
_PLAIN = "the database runs the statement; there is no PREDICT in it"


class Queries:
    """Runs statements in one conversation."""

    def __init__(
        self, conversation: Conversation, models: Models, routines: Routines, wishes: Wishes
    ) -> None:
        self._on, self._models, self._routines = conversation, models, routines
        self._wishes = wishes

    def run(self, tree: exp.Expression, text: str, variables: Variables) -> Result | int:
        """A result for a query, which runs when it is read; for all else the rows written."""
        if isinstance(tree, exp.Drop) and self._routines.dropped(tree):
            return -1
        tree = self._prepared(tree, text, variables)
        plain.check(self._on, tree)
        found = predicts(tree)
        for predict in found:
            ready = self._ready(predict, tree, text, variables)
            passing = _passing(self._on, tree, ready) if len(found) == 1 else None
            into = self._into(ready, passing, tree, text)
            if routing.chosen(self._on, ready, into, self._wishes.route) is Route.PUSH_DOWN:
                self._push_down(ready)
            elif passing is not None and into is Into.READER:
                return reading.stream(self._on, ready, passing)
            elif passing is not None and into is Into.TARGET:
                return writing.stream(self._on, ready, passing, tree, text)
            else:
                self._stage(ready, into)
        return plain.run(self._on, tree, text)

    def explain(self, tree: exp.Expression, text: str, variables: Variables) -> Choice:
        """What `run` would do; temporary tables are made to see it, and stay empty."""
        tree = self._prepared(tree, text, variables)
        found = predicts(tree)
        routed: list[Routed] = []
        staged: set[Into] = set()
        for predict in found:
            ready = self._ready(predict, tree, text, variables)
            passing = _passing(self._on, tree, ready) if len(found) == 1 else None
            into = self._into(ready, passing, tree, text)
            told = routing.told(self._on, ready, into)
            route = told.route if self._wishes.route is Route.AUTO else self._wishes.route
            routed.append(Routed(ready=ready, route=route, told=told))
            if route is Route.PUSH_DOWN:
                self._push_down(ready)
            elif into in _STREAMED:
                return Choice(how=_STREAMED[into], predicts=routed)
            else:
                self._stage(ready, into, fill=False)
                staged.add(into)
        how = _STAGED if Into.INSIDE in staged else _BESIDE if staged else _PUSHED
        return Choice(
            how=how if found else _PLAIN, predicts=routed, sql=plain.sql(self._on, tree, text)
        )

    def _into(
        self, ready: Ready, passing: tuple[Passing, ...] | None, tree: exp.Expression, text: str
    ) -> Into:
        """Where the rows of a PREDICT go, if the model runs here."""
        if passing is not None and reading.is_read(tree):
            return Into.READER
        if passing is not None and writing.can_stream(self._on, ready, passing, tree, text):
            return Into.TARGET
        return Into.BESIDE if staging.can_stream(self._on, ready) else Into.INSIDE

    def make_view(self, view: CreateView, text: str, variables: Variables) -> tuple[str, ...]:
        """Make a view in the database itself; or why it cannot be there: nothing is made then.

        With OR ALTER the view of that name is gone in both cases.
        """
        tree = self._prepared(create_view(view), text, variables)
        refused = self._all_pushed(tree, text, variables)
        parts: list[exp.Expression] = [] if refused else [tree]
        if view.replace and (refused or not self._on.product.replaces_views):
            tree.set("replace", None)
            parts.insert(0, exp.Drop(tables=[view.name.copy()], kind="VIEW", exists=True))
        with self._on.as_one():
            for part in parts:
                plain.run(self._on, part, text)
        return refused

    def _all_pushed(self, tree: exp.Expression, text: str, variables: Variables) -> tuple[str, ...]:
        """Push every PREDICT of a view down; the reasons of the first that cannot be."""
        lasting = self._wishes.lasting()
        for predict in predicts(tree):
            ready = self._ready(predict, tree, text, variables, lasting)
            refused = pushed.refusals(ready, self._on.product)
            if not ready.shared:
                refused = (*refused, "DATA reads a temporary table")
            if refused:
                return refused
            self._push_down(ready)
        return ()

    def _push_down(self, ready: Ready) -> None:
        """Put the model as SQL over DATA in the place of a PREDICT."""
        refused = pushed.refusals(ready, self._on.product)
        if refused:
            reasons = "\n".join(f"  {reason}" for reason in refused)
            raise StatementError(
                f"this PREDICT cannot be pushed down:\n{reasons}\nLeave the route out, and the "
                "model runs here",
                **ready.place,
            )
        outputs = [Column(name=o.name, type=o.type) for o in ready.plan.outputs]
        query = pushed.query(ready, self._on.product, self._on.write)
        outline = pushed.outline(ready, self._on.product, self._on.write)
        name = self._on.derive(
            query,
            [*ready.plan.kept, *outputs],
            outline,
            chance=self._on.derived.by_chance(ready.query),
        )
        kept = [column.name for column in ready.plan.kept]
        data.derive(ready.predict, name, kept, [output.name for output in outputs])

    def _prepared(self, tree: exp.Expression, text: str, variables: Variables) -> exp.Expression:
        """A copy with values for variables, queries for kept views, and every PREDICT in a FROM."""
        self._on.begin()
        tree = self._routines.with_views(variables.put_into(tree.copy(), text))
        objects.look_up(self._on, self._routines, tree)
        return data.normalised(writes.with_one_source(recursion.spooled(self._on, tree, text)))

    def _ready(
        self,
        predict: Predict,
        tree: exp.Expression,
        text: str,
        variables: Variables,
        wishes: Wishes | None = None,
    ) -> Ready:
        alone = len(predicts(tree)) == 1
        return make_ready(
            self._on, self._models, predict, tree, text, variables, wishes or self._wishes,
            alone=alone,
        )  # fmt: skip

    def _stage(self, ready: Ready, into: Into, *, fill: bool = True) -> None:
        """Score a PREDICT's rows into temporary tables that take its place in the statement."""
        kept = [column.name for column in ready.plan.kept]
        given = [output.name for output in ready.plan.outputs]
        if into is Into.BESIDE:
            name = staging.stream(self._on, ready, fill=fill)
            data.derive(ready.predict, name, kept, given)
            return
        tables = staging.stage(self._on, ready, fill=fill)
        data.replace(ready.predict, tables.rows, tables.predicted, kept, given)


def _passing(on: Conversation, tree: exp.Expression, ready: Ready) -> tuple[Passing, ...] | None:
    """The columns of a statement that only passes its PREDICT on.

    Not where DATA is made of chance: a database may compute a column once for the model and once
    more for the reader, and only in a table is it one value.
    """
    if on.derived.by_chance(ready.query):
        return None
    select = tree.expression if isinstance(tree, exp.Insert) else tree
    return projection(select, ready.predict, ready.plan) if select is not None else None
