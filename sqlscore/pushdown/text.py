"""A model's SQL as text with a place for the rows, compiled once in a process for each form of it.

Compiling and writing a large ensemble takes longer than many databases need to run it, so what was
written is kept by the model's sha256 and all that its text depends on.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from sqlscore.errors import PushdownUnsupported
from sqlscore.pushdown import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.graph import Graph
    from sqlscore.products.expressions import Expressions
    from sqlscore.pushdown.domains import Domain
    from sqlscore.signature import Signature

_ROWS = "sqlscore_rows_here"
_MOST = 16  #: texts that are kept
_kept: OrderedDict[object, Text] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """``SELECT passed, predictions FROM`` some rows, or why there is none."""

    before: str = ""
    after: str = ""
    refusals: tuple[object, ...] = ()

    def over(self, rows: str) -> str:
        """The text over the rows of a query."""
        return f"{self.before}({rows}){self.after}"


def written(
    graph: Graph,
    signature: Signature,
    facts: Expressions,
    *,
    columns: Mapping[str, str],
    names: Mapping[str, str],
    passed: Sequence[str] = (),
    domains: Mapping[str, Domain] | None = None,
) -> Text:
    """`pushdown.select` as text; its refusals are not raised, but told."""
    key = _key(graph, signature, facts, columns, names, passed, domains)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    relation = exp.table_(_ROWS, quoted=True, alias="sqlscore_fed")
    try:
        tree = select(
            graph, signature, facts, relation=relation, columns=columns, names=names,
            passed=passed, domains=domains,
        )  # fmt: skip
    except PushdownUnsupported as error:
        made = Text(refusals=error.refusals)
    else:
        whole = tree.sql(dialect=facts.dialect, unsupported_level=ErrorLevel.RAISE, copy=False)
        mark = exp.to_identifier(_ROWS, quoted=True).sql(dialect=facts.dialect)
        before, _, after = whole.partition(mark)
        made = Text(before=before, after=after)
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return made


def is_kept(
    graph: Graph,
    signature: Signature,
    facts: Expressions,
    *,
    columns: Mapping[str, str],
    names: Mapping[str, str],
    passed: Sequence[str] = (),
    domains: Mapping[str, Domain] | None = None,
) -> bool:
    """Whether `written` has that text already."""
    with _lock:
        return _key(graph, signature, facts, columns, names, passed, domains) in _kept


def _key(
    graph: Graph,
    signature: Signature,
    facts: Expressions,
    columns: Mapping[str, str],
    names: Mapping[str, str],
    passed: Sequence[str],
    domains: Mapping[str, Domain] | None,
) -> object:
    return (
        graph.sha256, signature, facts, tuple(columns.items()), tuple(names.items()),
        tuple(passed), tuple((domains or {}).items()),
    )  # fmt: skip
