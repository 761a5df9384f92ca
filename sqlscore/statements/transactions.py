"""What commits when: each statement by itself, or all between BEGIN TRANSACTION and COMMIT.

On a connection of the caller's, in a transaction already, the last word is the caller's.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlscore.products.product import Product
    from sqlscore.statements.names import Names


class Transactions:
    """The transactions of one conversation."""

    def __init__(
        self,
        connection: sa.Connection,
        product: Product,
        names: Names,
        told: Callable[[str], AbstractContextManager[None]],
        *,
        joined: bool,
    ) -> None:
        """`told` translates the driver's errors while something is done.

        `joined`: the connection is the caller's, in a transaction.
        """
        self._connection, self._product, self._names = connection, product, names
        self._told = told
        self.joined = joined
        self._begun = 0  #: by the script, one in another
        self._mark = names.mark()  #: the temporary tables that were there when it began
        self._whole = False  #: several statements are one
        self.failed = False  #: an error was caught in it: nothing of it can be committed

    @property
    def count(self) -> int:
        """@@TRANCOUNT: how many are open, one in another."""
        return self._begun + self.joined

    @property
    def state(self) -> int:
        """XACT_STATE: whether one is open (1), and whether it can be committed (-1)."""
        return 0 if not self.count else -1 if self.failed else 1

    def begin(self) -> None:
        """BEGIN TRANSACTION."""
        if not self.count:
            self._mark = self._names.mark()
            with self._told("beginning a transaction"):
                self._connection.commit()  # what was only read
                self._product.begin(self._connection)
        self._begun += 1

    def commit(self) -> None:
        """COMMIT; only that of the outermost one commits."""
        if not self._begun:
            raise StatementError("there is no BEGIN TRANSACTION for this COMMIT")
        if self.failed:
            raise StatementError(
                "this transaction cannot be committed, since an error was caught in it: ROLLBACK"
            )
        if self.count == 1:
            with self._told("the commit"):
                self._connection.commit()
        self._begun -= 1

    def rollback(self) -> list[str]:
        """ROLLBACK, of all that are open; the temporary tables that were made since and remain."""
        if not self.count:
            raise StatementError("there is no BEGIN TRANSACTION for this ROLLBACK")
        if self.joined:
            raise StatementError(
                "ROLLBACK would undo what the program did before in its begin(): raise an error "
                "instead, which leaves the block"
            )
        with self._told("the rollback"):
            self._connection.rollback()
        self._begun, self.failed = 0, False
        return self._names.back_to(self._mark, dropped=not self._product.transactional_ddl)

    def fail(self) -> None:
        """An error was caught: what is open can be rolled back alone, and so it is."""
        self.failed = self.count > 0
        if not self.joined:
            with self._told("the rollback"):
                self._connection.rollback()

    def check(self, doing: str) -> None:
        """`StatementError` where what is done commits by itself, and a transaction is open."""
        if self.count and not self._product.transactional_ddl:
            raise StatementError(
                f"{doing} commits on {self._product.name}, and a transaction is open: do it before "
                "BEGIN TRANSACTION, or in a temporary table"
            )

    @contextmanager
    def one(self) -> Iterator[None]:
        """What runs inside commits as one; within a transaction that is open nothing commits."""
        if self.failed:
            raise StatementError(
                "nothing is written in a transaction in which an error was caught: ROLLBACK first"
            )
        if self.count or self._whole:
            yield
            return
        try:
            with self._told("beginning a transaction"):
                self._product.begin(self._connection)
            yield
        except BaseException:
            with suppress(sa.exc.SQLAlchemyError):
                self._connection.rollback()
            raise
        with self._told("the commit"):
            self._connection.commit()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Several of `one` inside commit as one."""
        before = self._whole
        try:
            with self.one():
                self._whole = True
                yield
        finally:
            self._whole = before

    def leave(self) -> None:
        """Roll back what is open, unless it is the caller's."""
        if not self.joined:
            with suppress(sa.exc.SQLAlchemyError):
                self._connection.rollback()
        self._begun, self.failed = 0, False
