"""A MERGE as the statements that it is, where the database has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.errors import StatementError
from sqlscore.predict import merges
from sqlscore.statements import writing

if TYPE_CHECKING:
    from sqlglot import exp

    from sqlscore.statements.conversation import Conversation


def check(on: Conversation, tree: exp.Merge, text: str) -> None:
    """`StatementError` where a MERGE would change a row twice, as in T-SQL."""
    counts = merges.counts(tree)
    if counts is None:
        return
    pairs, rows = (on.rows(on.write(on.translated(one, text)))[0][0] for one in counts)
    if pairs != rows:
        raise StatementError(
            "MERGE would update or delete a row more than once: its source has several rows "
            "for one of the target's. Group the source by what ON compares"
        )


def parts(on: Conversation, tree: exp.Merge, text: str) -> list[exp.Expression]:
    """The statements that a MERGE is."""
    check(on, tree, text)
    return spelled_out(on, tree, text, on.names.fresh("missing"))


def spelled_out(on: Conversation, tree: exp.Merge, text: str, name: str) -> list[exp.Expression]:
    """The same, which nothing is asked of the rows for."""
    columns = writing.relation_of(on, tree.this, text).columns
    return merges.merged(tree, name, [column.name for column in columns])
