"""CREATE VIEW and CREATE PROCEDURE over PREDICT: made in the database where it can have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.predict.tree import predicts
from sqlscore.statements.routines import PROCEDURE, VIEW, check_names

if TYPE_CHECKING:
    from sqlscore.predict.statements import CreateProcedure, CreateView
    from sqlscore.statements.frame import Frame
    from sqlscore.statements.queries import Queries
    from sqlscore.statements.routines import Routines


def view(statement: CreateView, frame: Frame, queries: Queries, routines: Routines) -> str | None:
    """A view is the database's own, unless a model in it has no SQL form: then it is kept.

    What there is to say of it.
    """
    scores = bool(predicts(routines.with_views(statement.query.copy())))
    if scores:
        check_names(statement)
    name = statement.name.name
    kept = routines.find(VIEW, statement.name) is not None
    if kept and not statement.replace:
        routines.refuse_second(VIEW, statement.name)
    refused = queries.make_view(statement, frame.text, frame.variables)
    if refused:
        routines.keep(VIEW, statement)
        return (
            f"view {name}: kept by sqlscore, since its model runs outside the database "
            f"({'; '.join(refused)}). Statements that run through sqlscore see it"
        )
    if kept:
        routines.drop(VIEW, statement.name)
    if not scores:
        return None
    return (
        f"view {name}: the database's own, with its model as SQL as it is now. Make it "
        "again for another version"
    )


def procedure(statement: CreateProcedure, routines: Routines) -> str:
    """A procedure is always kept; what there is to say of it."""
    routines.keep(PROCEDURE, statement)
    return f"procedure {statement.name.name}: kept by sqlscore. EXEC through sqlscore runs it"
