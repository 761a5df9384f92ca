"""What every step of a run holds on to: its databases, its records, and the lease on its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlscore.jobs.limits import Limits
from sqlscore.jobs.records import Records
from sqlscore.products import product_for
from sqlscore.tables import ensure
from sqlscore.transact import transact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.jobs.engines import Engines
    from sqlscore.jobs.lease import Lease
    from sqlscore.products.product import Product, Unit
    from sqlscore.tables import Tables

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The databases of a run, and its records in the target's."""

    engines: Engines
    product: Product  #: the target's
    tables: Tables
    records: Records
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def on(cls, engines: Engines, limits: Limits | None = None) -> Work:
        """Open the records; the owned tables are made where they are missing."""
        product = product_for(engines.target)
        make = partial(ensure, engines.target, schemas=product.schemas)
        tables = transact(engines.target, make, "making the sqlscore tables")
        return cls(
            engines=engines, product=product, tables=tables, records=Records(tables),
            limits=limits or Limits(),
        )  # fmt: skip

    def unit(self) -> Unit:
        """A new unit on the target's database."""
        return self.product.unit(self.engines.target, None)

    def ask(self, question: Callable[[Unit], T]) -> T:
        """What a question finds, in a unit that changes nothing."""
        with self.unit() as unit:
            return question(unit)

    def tell(self, held: Lease, change: Callable[[Unit], T], *more: Callable[[Unit], object]) -> T:
        """Make changes in one unit, if the lease is still ours; what the first one returns."""
        with self.unit() as unit:
            held.check(unit)
            first = change(unit)
            for each in more:
                each(unit)
            unit.commit()
        return first
