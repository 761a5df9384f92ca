"""The worker's loop: take a part, score it, give it back; wait where there is none."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs.lease import owner
from sqlscore.tables import schema_of
from sqlscore.transports.failures import translated
from sqlscore.worker.claims import ATTEMPTS, Claims
from sqlscore.worker.queue_tables import queue_tables
from sqlscore.worker.scoring import Scoring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from sqlscore.model.models import Models
    from sqlscore.products.product import Product
    from sqlscore.products.queue import Queue
    from sqlscore.worker.parts import Claim

_log = logging.getLogger("sqlscore.worker")
_HEARTBEAT = 10.0  #: seconds
_LOOK = 1.0  #: seconds after which a worker looks by itself, where no bell was heard
_HOUR = 3600.0
_LONGEST_WAIT = 5.0  #: seconds between tries while the database is away
_numbers = itertools.count()  #: of the workers of this process


class Worker:
    """Serves the queue of one database, with so many threads, until it is told to stop."""

    def __init__(
        self,
        engine: sa.Engine,
        product: Product,
        queue: Queue,
        models: Models,
        *,
        threads: int = 1,
        keep: timedelta = timedelta(days=1),
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._tables = queue_tables(schema_of(engine), schemas=product.schemas)
        self._scoring = Scoring(models, product, queue)
        self._keep = keep
        self._stopped = threading.Event()
        number = next(_numbers)
        #: who takes parts, a thread each
        self._names = [f"{owner()}/{number}.{i}" for i in range(threads)]

    def stop(self) -> None:
        """Let every thread end after the part that it has."""
        self._stopped.set()

    def serve(self) -> None:
        """Serve until `stop` is called, whatever becomes of the database meanwhile.

        Raises DatabaseError where the queue cannot be used at the start.
        """
        with self._claims() as claims:
            claims.recover()
            claims.clean(self._keep)
        threads = [
            threading.Thread(
                target=self._patiently, args=(name,), name=f"sqlscore-worker-{i}", daemon=True
            )
            for i, name in enumerate(self._names)
        ]
        threads.append(threading.Thread(target=self._beat, name="sqlscore-beat", daemon=True))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.2)  # a signal is heard between two

    def drain(self) -> int:
        """Score what waits now, and end; how many parts that were."""
        count = 0
        with self._claims() as claims:
            claims.recover()
            while self._one(claims):
                count += 1
        return count

    def _patiently(self, name: str) -> None:
        """Serve, and come back where the database was away."""
        wait = 0.1
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                with self._claims(name) as claims, self._queue.bell(self._engine) as bell:
                    claims.return_all()
                    self._until_stopped(claims, bell)
            except Exception as error:  # noqa: BLE001  # a worker ends only when it is told to
                _log.warning("%s", error, exc_info=not isinstance(error, SqlscoreError))
                if time.monotonic() - began > _LONGEST_WAIT:
                    wait = 0.1
                self._stopped.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    def _until_stopped(self, claims: Claims, bell: Callable[[float], None]) -> None:
        looked = 0.0
        while not self._stopped.is_set():
            if self._one(claims):
                continue
            if time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                if claims.recover():
                    continue
            bell(_LOOK)

    def _one(self, claims: Claims) -> bool:
        """Take and score one part; False where none waits."""
        claim = claims.take()
        if claim is None:
            return False
        began = time.monotonic()
        try:
            scored = self._scoring(claim)
        except DatabaseError:  # the model's bytes could not be read now
            claims.release(claim)
            raise
        except SqlscoreError as error:
            _fail(claims, claim, str(error))
        except Exception as error:  # noqa: BLE001  # the loop goes on
            _retry(claims, claim, error)
        else:
            given = claims.give(claim, scored)
            _log.info(
                "job %d, part %d, %s:%d: %s in %.1f ms", claim.job, claim.part, claim.model,
                claim.version, "scored" if given else "no longer wanted",
                1000 * (time.monotonic() - began),
            )  # fmt: skip
        return True

    def _beat(self) -> None:
        """Say that this worker lives, and now and then take old jobs away."""
        cleaned = time.monotonic()
        while not self._stopped.wait(_HEARTBEAT):
            with suppress(DatabaseError), self._claims() as claims:
                claims.beat(self._names)
                if time.monotonic() - cleaned > _HOUR:
                    claims.clean(self._keep)
                    cleaned = time.monotonic()

    @contextmanager
    def _claims(self, name: str | None = None) -> Iterator[Claims]:
        """The queue in the eyes of one of the threads, over a connection that is held meanwhile."""
        with (
            translated("serving the queue", url=self._engine.url),
            self._engine.connect() as connection,
        ):
            worker = name or self._names[0]
            yield Claims(connection, self._tables, worker, self._queue)


def _retry(claims: Claims, claim: Claim, error: Exception) -> None:
    """Give a part back that failed by no fault of the caller's; the last time, its job ends."""
    _log.exception("job %d, part %d failed", claim.job, claim.part)
    if claim.attempts < ATTEMPTS:
        claims.release(claim)
    else:
        kind = type(error).__name__
        _fail(claims, claim, f"scoring failed in the worker ({kind}); its log has the details")


def _fail(claims: Claims, claim: Claim, error: str) -> None:
    _log.info("job %d failed: %s", claim.job, error)
    claims.fail(claim, error)
