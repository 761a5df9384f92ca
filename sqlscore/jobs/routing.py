"""Where a run's models run: in the database as SQL, or here by the bridge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.bridge import workers
from sqlscore.costs import Costs, Estimate, Into, Task, estimate
from sqlscore.costs.kept import stored
from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.graph.size import Size, size_of
from sqlscore.jobs.pushing import beside
from sqlscore.plan import Route
from sqlscore.products import product_for
from sqlscore.registry import Registry
from sqlscore.transports.failures import translated
from sqlscore.types import is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.graph import Graph
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.work import Work


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """The route of a run."""

    route: Route  #: never `Route.AUTO`
    because: tuple[str, ...] = ()  #: why that one; nothing where it was asked for


BRIDGE = Taken(route=Route.BRIDGE)


def graphs_of(work: Work, prepared: Prepared) -> list[Graph]:
    """The graphs of a run's models, as they were added."""
    registry = Registry(work.engines.registry, product_for(work.engines.registry))
    return [registry.graph(model.version) for model in prepared.models]


def taken(work: Work, prepared: Prepared) -> Taken:
    """The route that a job takes; `SqlscoreError` where it asks for one that it cannot take."""
    asked = Route(prepared.job.route)
    if asked is Route.BRIDGE:
        return BRIDGE
    from sqlscore.jobs.pushable import refusals

    graphs = graphs_of(work, prepared)
    refused = refusals(prepared, work.engines, work.product, graphs)
    if asked is Route.PUSH_DOWN:
        if refused:
            reasons = "\n".join(f"  {reason}" for reason in refused)
            raise SqlscoreError(
                f"this run cannot be pushed down:\n{reasons}\nLeave the route out, or say auto, "
                "and the model runs here"
            )
        return Taken(route=Route.PUSH_DOWN)
    if refused:
        return Taken(route=Route.BRIDGE, because=refused)
    costs = _estimated(work, prepared, graphs)
    route = Route.PUSH_DOWN if costs.pushes_down else Route.BRIDGE
    why = f"bridge about {costs.bridge:.2g} s, push-down about {costs.push_down:.2g} s"
    return Taken(route=route, because=(why,))


def _estimated(work: Work, prepared: Prepared, graphs: Sequence[Graph]) -> Estimate:
    bound = [b for model in prepared.models for b in model.binding.features]
    features = {b.column.name: is_text(b.feature.type) for b in bound}
    task = Task(
        rows=_rows(prepared), features=len(features), texts=sum(features.values()),
        into=Into.TARGET, cores=workers(),
        kept=len(prepared.key) + len(prepared.passed), predictions=len(prepared.wanted.predictions),
        size=sum((size_of(graph.proto) for graph in graphs), Size()),
        server=work.product.server, beside=beside(work) > 1,
    )  # fmt: skip
    try:
        costs, _ = stored(work.engines.target, work.product)
    except DatabaseError:  # nobody may read them: the run needs nothing of them
        costs = Costs.of(work.product.dialect)
    return estimate(task, costs)


def _rows(prepared: Prepared) -> int:
    """About how many rows the source has, as the database says, or counted."""
    source = prepared.source
    query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(source.relation)
    query = query if prepared.where is None else query.where(prepared.where)
    with translated("estimating rows"), source.engine.connect() as connection:
        text: Any = query.compile(
            dialect=source.engine.dialect, compile_kwargs={"literal_binds": True}
        )
        found = source.product.estimate(connection, sa.text(str(text).replace(":", r"\:")))
        counted = sa.select(sa.func.count()).select_from(query.subquery("counted"))
        return connection.scalar(counted) or 0 if found is None else found
