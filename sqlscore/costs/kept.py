"""The constants that were measured of a database, kept in it beside its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore import tables
from sqlscore.costs import Costs
from sqlscore.transact import transact
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlscore.products.product import Product


def stored(engine: sa.Engine, product: Product) -> tuple[Costs, datetime | None]:
    """The constants of a database, and when they were measured; None: they are the defaults."""
    with translated("reading the measured costs", url=engine.url):
        owned = tables.opened(engine, schemas=product.schemas)
        if owned is None:
            return Costs.of(product.dialect), None
        with engine.connect() as connection:
            rows = connection.execute(sa.select(owned.costs)).all()
    measured = {row.name: float(row.value) for row in rows}
    return (
        Costs.of(product.dialect, measured),
        max((row.measured_at for row in rows), default=None),
    )


def store(engine: sa.Engine, product: Product, measured: Mapping[str, float]) -> None:
    """Keep constants in the place of those that were measured before."""
    at = tables.now()
    rows = [{"name": n, "value": value, "measured_at": at} for n, value in measured.items()]

    def keep() -> None:
        owned = tables.ensure(engine, schemas=product.schemas)
        with engine.begin() as connection:
            connection.execute(owned.costs.delete())
            connection.execute(owned.costs.insert(), rows)

    transact(engine, keep, "keeping the measured costs")
