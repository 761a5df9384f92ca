"""Which route a PREDICT takes: the one that is asked for, or the cheaper one of those it can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.bridge import workers
from sqlscore.costs import Costs, Estimate, Into, Task, estimate
from sqlscore.costs.kept import stored
from sqlscore.errors import DatabaseError
from sqlscore.graph.size import size_of
from sqlscore.plan import Route
from sqlscore.statements import pushed
from sqlscore.types import is_text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.ready import Ready

_UNKNOWN = 100_000  #: rows, where nothing says how many there are
_COUNTED = 1_000_000  #: rows that are counted at most, where the database gives no number


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What is known of both routes."""

    rows: int | None  #: about; None where nothing says
    costs: Estimate
    measured: datetime | None  #: when the constants were; None: they are the defaults
    refused: tuple[str, ...]  #: why push-down is none

    @property
    def route(self) -> Route:
        """The cheaper route of those that there are."""
        return Route.PUSH_DOWN if self.costs.pushes_down and not self.refused else Route.BRIDGE


def chosen(on: Conversation, ready: Ready, into: Into, asked: Route) -> Route:
    """The route of a PREDICT; nothing is estimated where one is asked for."""
    if asked is not Route.AUTO:
        return asked
    _, costs, _ = _estimated(on, ready, into)
    if not costs.pushes_down or pushed.refusals(ready, on.product):
        return Route.BRIDGE
    return Route.PUSH_DOWN


def told(on: Conversation, ready: Ready, into: Into) -> Told:
    """What both routes cost, and what stands in the way of push-down."""
    rows, costs, measured = _estimated(on, ready, into)
    refused = pushed.refusals(ready, on.product)
    return Told(rows=rows, costs=costs, measured=measured, refused=refused)


def _estimated(
    on: Conversation, ready: Ready, into: Into
) -> tuple[int | None, Estimate, datetime | None]:
    rows, plan = _rows(on, ready), ready.plan
    task = Task(
        rows=_UNKNOWN if rows is None else rows, features=len(plan.binding.features),
        texts=sum(is_text(bound.feature.type) for bound in plan.binding.features),
        kept=len(plan.kept), predictions=len(plan.outputs), into=into,
        size=size_of(ready.model.graph.proto), cores=workers(),
        server=on.product.server, compiled=_is_compiled(on, ready),
    )  # fmt: skip
    costs, measured = _costs(on)
    return rows, estimate(task, costs), measured


def _is_compiled(on: Conversation, ready: Ready) -> bool:
    try:
        return pushed.is_compiled(ready, on.product)
    except DatabaseError:  # of no dialect that is known
        return False


def _costs(on: Conversation) -> tuple[Costs, datetime | None]:
    try:
        return stored(on.engine, on.product)
    except DatabaseError:  # nobody may read them: the statement needs nothing of them
        return Costs.of(on.product.dialect), None


def _rows(on: Conversation, ready: Ready) -> int | None:
    """About how many rows DATA has; counted up to a bound where the database does not say."""
    found = on.estimate(on.write(ready.query))
    if found is not None or on.product.server:
        return found
    one = exp.Alias(this=exp.Literal.number(1), alias=exp.to_identifier("one"))
    inside = exp.Subquery(this=ready.query.copy(), alias=_alias("sqlscore_data"))
    some = exp.select(one).from_(inside).limit(_COUNTED)
    count = exp.select(exp.Count(this=exp.Star())).from_(
        exp.Subquery(this=some, alias=_alias("sqlscore_some"))
    )
    return int(on.rows(on.write(count))[0][0])


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name, quoted=True))
