"""What a translation knows: the facts of the product, and what the statement's names mean there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import pyarrow as pa

    from sqlscore.predict.scope import Key, Relation, Scope
    from sqlscore.products.templates import TextTests


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a translation must know of a product."""

    dialect: str
    lateral: bool  #: it has LATERAL
    declare: Callable[[pa.DataType], str]  #: its words for a column's type
    t_sql: bool = False  #: statements pass as written
    returning: Collection[str] = ()  #: which of insert, update and delete have RETURNING
    dates_are_text: bool = False  #: no column has a type of dates
    like_escapes: bool = False  #: a backslash escapes in LIKE
    text_tests: TextTests | None = None
    rewrite: Callable[[exp.Expr, str | None], exp.Expr | None] | None = None  #: its own rules

    @property
    def typed_division(self) -> bool:
        """Whether an integer by an integer is an integer there too."""
        return bool(Dialect.get_or_raise(self.dialect).TYPED_DIVISION)

    @property
    def folds(self) -> bool:
        """Whether names without quotes become lower case there."""
        strategy = Dialect.get_or_raise(self.dialect).normalization_strategy
        return strategy is NormalizationStrategy.LOWERCASE


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """What the rules look at."""

    scope: Scope
    relations: Mapping[Key, Relation]
    facts: Facts

    def name(self, name: str) -> exp.Identifier:
        """A name for something that is made: as the database itself would spell it, quoted."""
        return exp.to_identifier(name.lower() if self.facts.folds else name, quoted=True)
