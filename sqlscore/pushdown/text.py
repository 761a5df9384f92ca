"""A model's SQL as text with a place for the rows, compiled once in a process for each form of it.

Compiling and writing a large ensemble takes longer than many databases need to run it, so what was
written is kept by the model's sha256 and all that its text depends on.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A model, and what its text depends on, in the words of `pushdown.select`."""

    graph: Graph
    signature: Signature
    facts: Expressions
    columns: Mapping[str, str]
    names: Mapping[str, str]
    passed: Sequence[str]
    domains: Mapping[str, Domain] = field(default_factory=dict)

    @property
    def key(self) -> object:
        """The same for those that have the same text."""
        return (
            self.graph.sha256, self.signature, self.facts, tuple(self.columns.items()),
            tuple(self.names.items()), tuple(self.passed), tuple(self.domains.items()),
        )  # fmt: skip


def written(model: Compilation) -> Text:
    """`pushdown.select` as text; its refusals are not raised, but told."""
    key = model.key
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = _made(model)
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return made


def is_kept(model: Compilation) -> bool:
    """Whether `written` has that text already."""
    with _lock:
        return model.key in _kept


def _made(model: Compilation) -> Text:
    relation, dialect = exp.table_(_ROWS, quoted=True, alias="sqlscore_fed"), model.facts.dialect
    try:
        tree = select(
            model.graph, model.signature, model.facts, relation=relation, columns=model.columns,
            names=model.names, passed=model.passed, domains=model.domains,
        )  # fmt: skip
    except PushdownUnsupported as error:
        return Text(refusals=error.refusals)
    whole = tree.sql(dialect=dialect, unsupported_level=ErrorLevel.RAISE, copy=False)
    mark = exp.to_identifier(_ROWS, quoted=True).sql(dialect=dialect)
    before, _, after = whole.partition(mark)
    return Text(before=before, after=after)
