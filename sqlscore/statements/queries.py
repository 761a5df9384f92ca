"""One statement that a database runs, with the PREDICTs in it.

Where the statement only passes on what its PREDICT gives, rows stream through the model. Else DATA
is evaluated into a temporary table, its predictions go into another beside it, and the database
runs the statement on their join. Only features leave the database then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError, nearest
from sqlscore.plan import Limits, Passing, Plan, Route, plan, projection, stray
from sqlscore.predict import writes
from sqlscore.predict.grammar import Predict, predicts
from sqlscore.predict.scope import data_alias, table_name, tables
from sqlscore.statements import conditions, data, made, pushed, reading, staging, writing
from sqlscore.statements.calls import create_view
from sqlscore.statements.conversation import place_of
from sqlscore.statements.routines import PROCEDURE, VIEW
from sqlscore.types import Column

if TYPE_CHECKING:
    from sqlscore.model import Model
    from sqlscore.predict.statements import CreateView
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.results import Result
    from sqlscore.statements.routines import Routines
    from sqlscore.statements.variables import Variables


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """How a statement would run."""

    how: str
    ready: list[Ready]
    route: Route = Route.BRIDGE
    sql: str | None = None  #: what the database runs at the end


_HOW = {
    Route.BRIDGE: (
        "rows and predictions become temporary tables, and the database runs the statement"
    ),
    Route.PUSH_DOWN: "the database runs the statement, with the model as SQL in it",
    None: "the database runs the statement; there is no PREDICT in it",
}


class Queries:
    """Runs statements in one conversation."""

    def __init__(
        self, conversation: Conversation, models: Models, routines: Routines, route: Route
    ) -> None:
        self._on, self._models, self._routines = conversation, models, routines
        self._route = route

    def run(self, tree: exp.Expression, text: str, variables: Variables) -> Result | int:
        """A result for a query, which runs when it is read; for all else the rows written."""
        if isinstance(tree, exp.Drop) and self._dropped(tree):
            return -1
        tree = self._prepared(tree, text, variables)
        found = predicts(tree)
        if self._route is Route.PUSH_DOWN:
            for predict in found:
                self._push_down(self.ready(predict, tree, text, variables))
        elif len(found) == 1:
            ready = self.ready(found[0], tree, text, variables)
            passing = _passing(tree, ready)
            if passing is not None and reading.is_read(tree):
                return reading.stream(self._on, ready, passing)
            if passing is not None and writing.can_stream(self._on, ready, passing, tree, text):
                return writing.stream(self._on, ready, passing, tree, text)
            self._stage(ready)
        else:
            for predict in found:
                self._stage(self.ready(predict, tree, text, variables))
        return self._plain(tree, text)

    def explain(self, tree: exp.Expression, text: str, variables: Variables) -> Choice:
        """What `run` would do; temporary tables are made to see it, and stay empty."""
        tree = self._prepared(tree, text, variables)
        found = predicts(tree)
        ready = []
        for predict in found:
            ready.append(self.ready(predict, tree, text, variables))
            if self._route is Route.PUSH_DOWN:
                self._push_down(ready[-1])
                continue
            passing = _passing(tree, ready[0]) if len(found) == 1 else None
            if passing is not None and reading.is_read(tree):
                return Choice(how="rows stream through the model to the reader", ready=ready)
            if passing is not None and writing.can_stream(self._on, ready[0], passing, tree, text):
                return Choice(how="rows stream through the model into the target", ready=ready)
            self._stage(ready[-1], fill=False)
        how = _HOW[self._route] if found else _HOW[None]
        return Choice(how=how, ready=ready, route=self._route, sql=self._final(tree, text))

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
                self._plain(part, text)
        return refused

    def _all_pushed(self, tree: exp.Expression, text: str, variables: Variables) -> tuple[str, ...]:
        """Push every PREDICT of a view down; the reasons of the first that cannot be."""
        for predict in predicts(tree):
            ready = self.ready(predict, tree, text, variables)
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
        query = pushed.query(ready, self._on.product)
        name = self._on.derive(query, [*ready.plan.kept, *outputs])
        kept = [column.name for column in ready.plan.kept]
        data.derive(ready.predict, name, kept, [output.name for output in outputs])

    def _final(self, tree: exp.Expression, text: str) -> str:
        """The SQL that runs in the database, once there is no PREDICT in it."""
        if isinstance(tree, exp.Select) and tree.args.get("into"):
            tree.set("into", None)
        parts: list[exp.Expression] = [tree]
        if isinstance(tree, exp.Merge) and not self._on.product.merge:
            parts = writes.merged(tree, "sqlscore_missing")[1:-1]
        return ";\n".join(
            self._on.write(self._on.translated(self._plainly(part), text)) for part in parts
        )

    def _plainly(self, tree: exp.Expression) -> exp.Expression:
        """UPDATE and DELETE … FROM as the database knows them."""
        return tree if self._on.product.t_sql else writes.plain(tree)

    def _prepared(self, tree: exp.Expression, text: str, variables: Variables) -> exp.Expression:
        """A copy with values for variables, queries for kept views, and every PREDICT in a FROM."""
        tree = self._routines.with_views(variables.put_into(tree.copy(), text))
        return data.normalised(writes.with_one_source(tree))

    def ready(
        self, predict: Predict, tree: exp.Expression, text: str, variables: Variables
    ) -> Ready:
        """Find the model of a PREDICT and bind it."""
        place = place_of(predict, text)
        model = self._models.find(predict, self._on, variables, text)
        everything = self._on.translated(data.query_of(predict), text)
        columns = self._on.columns(self._on.write(everything))
        given = predict.columns or model.signature.predictions
        conditions.move(
            predict, {column.name.casefold() for column in columns},
            {one.name.casefold() for one in given},
        )  # fmt: skip
        product = self._on.product
        planned = plan(
            predict, model.signature, columns,
            statement=tree, chosen=data.is_chosen(predict), place=place,
            limits=Limits(
                identifier_limit=product.identifier_limit, column_limit=product.column_limit,
                arrays=product.arrays, nested=product.nested,
            ),
        )  # fmt: skip
        unknown = stray(predict, columns, planned.outputs)
        if unknown is not None:
            raise StatementError(unknown[1], **place_of(unknown[0], text))
        query = data.query_of(predict, planned.read)
        names = [table_name(table) for table in tables(query)]
        return Ready(
            predict=predict, name=predict.alias or data_alias(predict), model=model, plan=planned,
            place=place, query=self._on.translated(query, text), shared=not any(
                self._on.is_temporary(name) for name in names
            ),
        )  # fmt: skip

    def _stage(self, ready: Ready, *, fill: bool = True) -> None:
        """Score a PREDICT's rows into temporary tables that take its place in the statement."""
        tables = staging.stage(self._on, ready, fill=fill)
        kept = [column.name for column in ready.plan.kept]
        given = [output.name for output in ready.plan.outputs]
        data.replace(ready.predict, tables.rows, tables.predicted, kept, given)

    def _plain(self, tree: exp.Expression, text: str) -> Result | int:
        if isinstance(tree, exp.Query) and not tree.args.get("into"):
            return reading.query(self._on, self._on.translated(tree, text))
        if isinstance(tree, exp.Select):
            return self._into(tree, text)
        if isinstance(tree, exp.Merge) and not self._on.product.merge:
            return self._merge(tree, text)
        sql = self._on.write(self._on.translated(self._plainly(tree), text))
        with self._on.transaction():
            count = self._on.execute(sql)
        self._remember(tree)
        return count

    def _merge(self, tree: exp.Merge, text: str) -> int:
        """A MERGE in statements that every database has, all in one transaction."""
        written = 0
        with self._on.as_one():
            for part in writes.merged(tree, self._on.new_name("missing")):
                count = self._plain(part, text)
                written += count if isinstance(count, int) and not part.args.get("into") else 0
        return written

    def _into(self, tree: exp.Select, text: str) -> int:
        """SELECT … INTO: a table with the columns of the rows, and the rows in it."""
        into = tree.args["into"].this
        tree.set("into", None)
        query = self._on.translated(tree, text)
        target = made.into(self._on, into, self._on.columns(self._on.write(query)))
        with self._on.transaction():
            self._on.make(target)
            count = self._on.execute(self._on.write(made.insert(target, query)))
        if table_name(into).startswith("#"):
            self._on.keep_temporary(target.table.name)
        return count

    def _dropped(self, tree: exp.Drop) -> bool:
        """Forget the kept views and procedures that a DROP names; True where all of them were."""
        kind = str(tree.args.get("kind")).casefold()
        names = list(tree.args.get("tables") or []) if kind in (VIEW, PROCEDURE) else []
        kept = [name for name in names if self._routines.find(kind, name) is not None]
        for name in kept:
            self._routines.drop(kind, name)
        missing = [name for name in names if not any(name is other for other in kept)]
        if kind == PROCEDURE and missing and not tree.args.get("exists"):
            near = nearest(missing[0].name, self._routines.names(kind))
            raise StatementError(f"there is no procedure {missing[0].name!r}.{near}")
        return bool(names) and (kind == PROCEDURE or not missing)

    def _remember(self, tree: exp.Expression) -> None:
        """Temporary tables that a statement made or dropped."""
        new = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
        if new is not None and table_name(new).startswith("#"):
            self._on.keep_temporary(self._on.spelled(table_name(new)))
        if isinstance(tree, exp.Drop):
            for table in tree.args.get("tables") or []:
                self._on.forget_temporary(table_name(table))


def _passing(tree: exp.Expression, ready: Ready) -> tuple[Passing, ...] | None:
    """The columns of a statement that only passes its PREDICT on."""
    select = tree.expression if isinstance(tree, exp.Insert) else tree
    return projection(select, ready.predict, ready.plan) if select is not None else None
