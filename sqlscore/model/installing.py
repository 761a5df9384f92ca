"""A compiled model put into a database, as a view or a function that replaces only what is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlglot import exp

from sqlscore.errors import DatabaseError
from sqlscore.model.forms import COMPILED, MARK, Form
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from sqlscore.model.compiling import Compiled
    from sqlscore.products.product import Product


def install(engine: Engine, product: Product, compiled: Compiled, form: Form) -> tuple[str, ...]:
    """Make it, in the place of what was made before; the names of what is there now.

    One transaction where the product's DDL is part of one. DatabaseError where something that
    sqlscore did not compile bears one of the names, and then nothing is changed.
    """
    if form in {Form.SELECT, Form.COMPUTED_COLUMN}:
        raise DatabaseError(f"a {form} is not installed: 'sqlscore compile --as {form}' writes it")
    with translated(f"installing the {form}"), engine.begin() as connection:
        for name in compiled.names:
            _refuse_others(connection, product, name)
        for text in compiled.texts:
            connection.exec_driver_sql(text)
    return compiled.names


def _refuse_others(connection: Connection, product: Product, name: str) -> None:
    """DatabaseError where what bears the name does not say that sqlscore compiled it."""
    if product.named is None:
        raise DatabaseError(
            f"nothing is installed in {product.name} yet; 'sqlscore compile' writes it"
        )
    table = exp.to_table(name, dialect=product.dialect)
    asked = {"name": table.name, "schema": table.db or None}
    for (said,) in connection.execute(sa.text(product.named), asked):
        if not any(mark in (said or "") for mark in (COMPILED, MARK)):
            raise DatabaseError(
                f"{name!r} is there already, and sqlscore did not compile it. Give another name: "
                "--name"
            )
