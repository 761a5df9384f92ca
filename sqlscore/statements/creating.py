"""CREATE VIEW and CREATE PROCEDURE over PREDICT: made in the database where it can have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.errors import StatementError
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
    if refused and not statement.of_t_sql:
        raise StatementError(
            f"the view {name!r} cannot be the database's own ({'; '.join(refused)}), and sqlscore "
            "keeps only views in T-SQL: write it so, with FROM PREDICT(…)"
        )
    if refused:
        routines.keep(VIEW, statement.name, statement.text, replace=statement.replace)
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
    routines.keep(PROCEDURE, statement.name, statement.text, replace=statement.replace)
    return f"procedure {statement.name.name}: kept by sqlscore. EXEC through sqlscore runs it"
