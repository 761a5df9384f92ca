"""Expressions that share parts become a SELECT over derived tables that name these parts.

Operators use an expression as often as they like, so what they give is no tree but a graph. Here
each part that is used several times, and is more than a column or so, becomes a column of a
derived table; so does a part that lies deeper than the dialect takes: levels of CASE, terms of a
sum. Everything else is copied to where it is used.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import PushdownUnsupported
from sqlscore.products.expressions import Fence
from sqlscore.pushdown.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlscore.products.expressions import Expressions

_WORTH = 16  #: nodes of a part that is rather named than computed twice
_ALL_ROWS = 2**63 - 1  #: a LIMIT that no table reaches
_ATOMS = (
    exp.Literal, exp.Identifier, exp.DataType, exp.Column, exp.Null, exp.Boolean, exp.Var,
)  # fmt: skip
_NO_VALUES = (exp.If, exp.Paren, exp.Tuple, exp.Values)
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not)


def staged(
    outputs: Mapping[str, exp.Expression],
    passed: Sequence[str],
    relation: exp.Expression | None,
    facts: Expressions,
    taken: Iterable[str] = (),
) -> exp.Select:
    """``SELECT passed, outputs FROM relation``, with as many derived tables between as it takes.

    Without a relation the columns are names that stand around it, such as a function's parameters.
    Where the facts allow no derived tables, parts are written out as often as they are used, and
    PushdownUnsupported is raised for what is too deep then.
    `taken` are names that no part may get. The expressions are taken apart: they cannot be used
    afterwards.
    """
    parts = _Parts({*taken, *passed, *outputs}, facts)
    roots = parts.split(list(outputs.values()))
    top = max((level for _, level in roots), default=0)
    used = dict.fromkeys(passed, top)
    for expression, level in (*((root, top) for root, _ in roots), *parts.named.values()):
        for column in expression.find_all(exp.Column):
            if column.table:  # of a subquery of its own
                continue
            used[column.name] = max(level, used.get(column.name, 0))
    for level in range(top):
        below = [name for name, last in used.items() if last > level > parts.made(name)]
        here = {name: value for name, (value, at) in parts.named.items() if at == level}
        relation = exp.Subquery(
            this=_fenced(_select(below, here, relation), facts),
            alias=exp.TableAlias(this=exp.to_identifier(f"s{level + 1}")),
        )
    return _select(passed, dict(zip(outputs, (root for root, _ in roots), strict=True)), relation)


@dataclass(slots=True)
class _Seen:
    """What is known of a node once its children are done."""

    level: int = 0  #: how many derived tables lie below it
    size: int = 1  #: nodes, without those of named parts
    depth: int = 0  #: levels of CASE
    terms: int = 1  #: of a sum
    name: str | None = None


class _Parts:
    """The parts that get names, and on which level each is made."""

    def __init__(self, taken: set[str], facts: Expressions) -> None:
        self.named: dict[str, tuple[exp.Expression, int]] = {}
        self._facts = facts
        self._taken = {name.casefold() for name in taken}
        self._seen: dict[int, _Seen] = {}

    def made(self, name: str) -> int:
        """The level that makes a name; of a column of the relation, -1."""
        return self.named[name][1] if name in self.named else -1

    def split(self, roots: Sequence[exp.Expression]) -> list[tuple[exp.Expression, int]]:
        """The roots, their parts replaced by names, and the level of each."""
        order = _children_first(roots)
        uses = Counter(id(root) for root in roots)
        uses.update(id(child) for node in order for _, _, child in _children(node))
        for node in order:
            self._visit(node, uses)
        return [self._used(root, uses) for root in roots]

    def _visit(self, node: exp.Expression, uses: Mapping[int, int]) -> None:
        children = list(_children(node))
        for child in self._too_deep(node):
            self._give_name(child)
        seen = self._seen[id(node)] = _Seen()
        for key, index, child in children:
            below = self._seen[id(child)]
            used, seen_level = self._used(child, uses)
            seen.level = max(seen.level, seen_level)
            seen.size += 1 if below.name else below.size
            seen.depth = max(seen.depth, 0 if below.name else below.depth)
            _put(node, key, index, used)
        self._measure(node, seen, children)
        shared = uses[id(node)] > 1 and seen.size > _WORTH and self._is_value(node)
        if shared and self._facts.derived:
            self._give_name(node)

    def _is_value(self, node: exp.Expression) -> bool:
        """Whether it can be a column."""
        kinds = _NO_VALUES if self._facts.boolean else (*_NO_VALUES, *_CONDITIONS)
        return not isinstance(node, kinds)

    def _used(self, node: exp.Expression, uses: Mapping[int, int]) -> tuple[exp.Expression, int]:
        """What stands where the node is used, and the level that it needs."""
        seen = self._seen[id(node)]
        if seen.name:
            return exp.column(exp.to_identifier(seen.name, quoted=True)), seen.level + 1
        if isinstance(node, exp.Paren) and isinstance(node.this, exp.Column):
            node = node.this  # what stood in the parentheses got a name
        return (_copied(node) if uses[id(node)] > 1 else node), seen.level

    def _measure(
        self, node: exp.Expression, seen: _Seen, children: Sequence[tuple[str, int, exp.Expression]]
    ) -> None:
        if isinstance(node, exp.Case):
            seen.depth = max(seen.depth, 1, *(d for _, d in self._branches(node, children)))
        elif isinstance(node, exp.Add):
            left = self._seen[id(children[0][2])]
            seen.terms = 2 if left.name else left.terms + 1

    def _branches(
        self, node: exp.Case, children: Sequence[tuple[str, int, exp.Expression]] | None = None
    ) -> Iterator[tuple[exp.Expression, int]]:
        """The values of a CASE, with the depth that each gives it."""
        for key, _, child in children or list(_children(node)):
            seen = self._seen[id(child)]
            cost = self._facts.else_depth if key == "default" else self._facts.then_depth
            yield child, cost + (0 if seen.name else seen.depth)

    def _too_deep(self, node: exp.Expression) -> Iterator[exp.Expression]:
        """The children that have to be named for the node to stay within the limits."""
        if isinstance(node, exp.Case):
            for child, depth in self._branches(node):
                if depth > self._facts.case_depth:
                    yield from self._values(child)
        elif isinstance(node, exp.Add) and self._is_long(self._seen[id(node.this)]):
            yield node.this

    def _is_long(self, total: _Seen) -> bool:
        """Whether a sum takes no further term, or had better not."""
        facts = self._facts
        most = facts.most_nodes if facts.derived else None
        return total.terms >= facts.most_terms or (most is not None and total.size >= most)

    def _values(self, child: exp.Expression) -> Iterator[exp.Expression]:
        """The child itself, or the value that its WHEN gives."""
        yield child.args["true"] if isinstance(child, exp.If) else child

    def _give_name(self, node: exp.Expression) -> None:
        if not self._facts.derived:
            why = "it is deeper than one expression may be there; use a view or a function"
            raise PushdownUnsupported([Refusal(operator="", node="the model", why=why)])
        seen = self._seen[id(node)]
        if seen.name is None:
            number = len(self.named) + 1
            while f"v{number}" in self._taken:
                number += 1
            seen.name = f"v{number}"
            self._taken.add(seen.name)
            self.named[seen.name] = (node, seen.level)


def _copied(node: exp.Expression) -> exp.Expression:
    """A copy; of a column, of which there are thousands, without sqlglot's way round."""
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        return exp.Column(this=exp.Identifier(this=node.name, quoted=node.this.quoted))
    return node.copy()


def _children(node: exp.Expression) -> Iterator[tuple[str, int, exp.Expression]]:
    """Argument, place in it (-1: it is no list) and child, of all that may be replaced."""
    if isinstance(node, _ATOMS):
        return
    for key, value in node.args.items():
        if isinstance(value, exp.Expression):
            yield key, -1, value
        elif isinstance(value, list):
            for index, one in enumerate(value):
                if isinstance(one, exp.Expression):
                    yield key, index, one


def _put(node: exp.Expression, key: str, index: int, child: exp.Expression) -> None:
    """Set a child in its place; `Expression.set` would go through the whole list each time."""
    if index < 0:
        node.args[key] = child
    else:
        node.args[key][index] = child
    child.parent, child.arg_key, child.index = node, key, None if index < 0 else index


def _children_first(roots: Sequence[exp.Expression]) -> list[exp.Expression]:
    """Every node once, its children before it; without recursion, for trees are deep."""
    order: list[exp.Expression] = []
    done: set[int] = set()
    pending = [(root, False) for root in reversed(roots)]
    while pending:
        node, ready = pending.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        pending.append((node, True))
        pending += [(child, False) for _, _, child in _children(node) if id(child) not in done]
    return order


def _select(
    passed: Iterable[str], made: Mapping[str, exp.Expression], relation: exp.Expression | None
) -> exp.Select:
    columns: list[exp.Expression] = [
        exp.column(exp.to_identifier(name, quoted=True)) for name in passed
    ]
    columns += [
        exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))
        for name, value in made.items()
    ]
    select = exp.Select(expressions=columns)
    return select.from_(relation, copy=False) if relation is not None else select


def _fenced(select: exp.Select, facts: Expressions) -> exp.Select:
    if facts.fence is Fence.OFFSET:
        select.set("offset", exp.Offset(expression=exp.Literal.string("0")))
        return select
    if facts.fence is Fence.LIMIT:
        return select.limit(_ALL_ROWS, copy=False)
    return select
