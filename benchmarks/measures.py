"""What is measured, each alone in a process of its own: today's way, a run, and a run's stages."""

from __future__ import annotations

import gc
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

import sqlscore
from benchmarks.processes import processor_seconds
from sqlscore import bridge
from sqlscore.jobs import planning
from sqlscore.jobs.engines import Engines
from sqlscore.jobs.job import Job, Lineage
from sqlscore.jobs.lineage import stamp
from sqlscore.jobs.plan import Plan
from sqlscore.jobs.prepare import prepare
from sqlscore.jobs.scorer import Layout, Scorer
from sqlscore.jobs.scoring import batch_rows
from sqlscore.jobs.status import new_id
from sqlscore.jobs.work import Work
from sqlscore.products.product import Write
from sqlscore.relations import sink
from sqlscore.relations import source as sources
from sqlscore.tables import now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import pyarrow as pa

    from benchmarks.models import Model
    from sqlscore.jobs.prepared import Prepared
    from sqlscore.jobs.scorer import Scored

TARGET = "predictions"

#: what a database is told before a measurement, so that it does not pay for the one before
_CALM = {"postgresql": "CHECKPOINT"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One measurement to be made."""

    what: str  #: a key of `MEASURES`
    url: str
    server: int | None  #: the process of the database's server
    model: Model
    rows: int
    beside: tuple[str, ...] = ()  #: more models of the same run
    chosen: dict[str, Any] = field(default_factory=dict)  #: options of `score`

    @property
    def job(self) -> dict[str, Any]:
        """What `score` is asked for."""
        models = [self.model.name, *self.beside]
        usual = {"source": self.model.source, "key": self.model.key, "nulls": self.model.nulls}
        return {"models": models, **usual, **self.chosen}


@dataclass(kw_only=True, slots=True)
class Found:
    """What one measurement, or one part of it, took."""

    rows: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0  #: of this process, its helpers, and the server


@dataclass(kw_only=True, slots=True)
class Meter:
    """Measures parts by name."""

    asked: Asked
    parts: dict[str, Found] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str) -> Iterator[Found]:
        """Measure a block; the block says how many rows it did."""
        found = Found()
        gc.collect()  # what imports left over would else be swept up in the middle of one of them
        used, began = self._used(), time.perf_counter()
        yield found
        found.seconds = time.perf_counter() - began
        found.processor_seconds = self._used() - used
        self.parts[part] = found

    def _used(self) -> float:
        server = self.asked.server
        own = processor_seconds(os.getpid())
        return own + (0.0 if server is None else processor_seconds(server))


def add_model(database: sqlscore.Database, model: Model) -> None:
    """Keep the model in the database, as users do."""
    features = None if model.text else list(model.features)
    database.models.add(model.name, model.onnx, features=features)


def run(asked: Asked, meter: Meter) -> None:
    """sqlscore, table to table, as a user calls it."""
    with sqlscore.connect(asked.url) as database:
        # imports and connections are not what is measured, as they are not with the others
        read = {name: asked.job[name] for name in ("models", "source", "key")}
        database.preview(**read, limit=10, nulls=asked.model.nulls)
        _clear(database.engine)
        with meter.measure("run") as found:
            done = database.score(**asked.job, target=TARGET)
            found.rows = done.rows + done.quarantined


def statement(asked: Asked, meter: Meter) -> None:
    """The same rows by INSERT … SELECT … FROM PREDICT, into a table with the same key."""
    insert(asked, meter, "statement", "bridge")


def insert(asked: Asked, meter: Meter, part: str, route: str) -> None:
    """All rows by a statement that runs the model on a route, into a table with the same key."""
    prepared = _prepared(asked)
    _make_target(prepared)
    prepared.source.engine.dispose()
    source, key = asked.model.source, asked.model.key
    data = f"({source})" if " " in source else source
    predict = f"PREDICT(MODEL = {asked.model.name}, DATA = {data} AS d) AS p"
    with sqlscore.connect(asked.url) as database:
        list(database.sql(f"SELECT COUNT(*) AS n FROM {source} WHERE 1 = 0"))
        with meter.measure(part) as found:
            text = f"INSERT INTO {TARGET} SELECT d.{key}, p.* FROM {predict}"
            done = database.sql(text, route=route)
            found.rows = done.rows_written or 0


def today(asked: Asked, meter: Meter) -> None:
    """What people write today, with ONNX Runtime and with the framework's own predict."""
    from benchmarks import today as todays

    for part, own in (("today", False), ("framework", True)):
        prepared = _prepared(asked)
        _make_target(prepared)
        names = [column.name for column in prepared.wanted.columns]
        prepared.source.engine.dispose()
        predict = todays.predictor(asked.model, own=own)
        with meter.measure(part) as found:
            found.rows = todays.run(asked.url, asked.model, TARGET, names, asked.rows, predict)


def stages(asked: Asked, meter: Meter) -> None:
    """Reading, scoring and writing alone, one after the other."""
    prepared = _prepared(asked)
    product = prepared.source.product
    held = list(_read(prepared))
    with meter.measure("read") as found:
        found.rows = sum(batch.num_rows for batch in _read(prepared))
    versions = [model.version for model in prepared.models]
    scorer = Scorer(
        prepared,
        product,
        stamp(Lineage.of(prepared.job.lineage), versions, run=new_id(), began=now()),
    )
    with meter.measure("score") as found, ThreadPoolExecutor(bridge.workers()) as pool:
        scored = list(pool.map(scorer, held))
        found.rows = sum(one.batch.num_rows for one in scored)
    del held
    _make_target(prepared)
    _write(prepared, scored, meter)


def _read(prepared: Prepared) -> Iterator[pa.RecordBatch]:
    layout = Layout.of(prepared)
    size = batch_rows(layout.width)
    return sources.read(prepared.source, layout.projection, batch_rows=size)


def _write(prepared: Prepared, scored: list[Scored], meter: Meter) -> None:
    """Write as a run does: a unit a range, with its mark."""
    engine = prepared.source.engine
    work, run = Work.on(Engines.one(engine)), new_id()
    ranges = planning.cut(prepared, work.product, None, held=True).ranges
    with work.unit() as unit:
        plan = Plan(job=prepared.job, versions=(), sha256=(), features=(), written=())
        work.records.begin(unit, run, TARGET, plan)
        work.records.store_ranges(unit, run, ranges, plan)
        unit.commit()
    grouped = _grouped(scored, -(-sum(one.batch.num_rows for one in scored) // len(ranges)))
    _calm(engine)
    with meter.measure("write") as found:
        for range_, results in zip(ranges, grouped, strict=False):
            batches = [one.batch for one in results]
            with work.unit() as unit:
                rows = unit.write(prepared.target, batches, Write.UPSERT)
                work.records.mark(unit, run, range_, rows, results[0].counts)
                unit.commit()
            found.rows += rows
    with work.unit() as unit:
        work.records.done(unit, run)
        unit.commit()


def _grouped(scored: list[Scored], rows: int) -> list[list[Scored]]:
    groups: list[list[Scored]] = [[]]
    for one in scored:
        if sum(each.batch.num_rows for each in groups[-1]) >= rows:
            groups.append([])
        groups[-1].append(one)
    return groups


def _prepared(asked: Asked) -> Prepared:
    engine = sqlscore.connect(asked.url).engine
    _clear(engine)
    given = asked.job
    job = Job(
        models=tuple(given["models"]), source=given["source"], target=TARGET, key=(given["key"],),
        nulls=given["nulls"], lineage=Lineage.of(given.get("lineage", False)),
        quarantine=given.get("quarantine", False),
    )  # fmt: skip
    return prepare(job, Engines.one(engine))


def _make_target(prepared: Prepared) -> None:
    with prepared.source.product.unit(prepared.source.engine, None) as unit:
        sink.make(unit, prepared.target)
        unit.commit()


def _clear(engine: sa.Engine) -> None:
    """Begin without a target."""
    with engine.begin() as connection:
        connection.execute(sa.schema.DropTable(sa.Table(TARGET, sa.MetaData()), if_exists=True))
    _calm(engine)


def _calm(engine: sa.Engine) -> None:
    statement = _CALM.get(engine.dialect.name)
    if statement:
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql(statement)


MEASURES = {"run": run, "stages": stages, "statement": statement, "today": today}
