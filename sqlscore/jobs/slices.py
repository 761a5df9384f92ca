"""Which of a source's rows a run is about: those past a watermark, or new to the target.

A watermark's upper end is fixed when the run begins, so that a resumed run sees the same rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.errors import DatabaseError, SqlscoreError, nearest
from sqlscore.jobs import target_rows
from sqlscore.jobs.job import Job, Mode
from sqlscore.relations import conditions
from sqlscore.relations.conditions import condition, parameters
from sqlscore.relations.ranges import compare, decode, encode
from sqlscore.relations.selects import is_select
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlscore.jobs.prepared import Prepared
    from sqlscore.products.product import Product
    from sqlscore.relations.source import Condition, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Watermark:
    """The rows with ``low < column <= high``."""

    column: str
    low: str | None  #: stored text; None: from the beginning
    high: str | None  #: stored text; None: the source has no row with a watermark
    nulls: int  #: rows without a watermark, which no incremental run ever reads


def check(job: Job) -> None:
    """Refuse options that do not go together."""
    if job.incremental and job.mode is not Mode.UPSERT:
        raise SqlscoreError(
            f"incremental= needs mode upsert, not {job.mode}: a row that changed is scored again"
        )
    if job.only_new and job.mode not in (Mode.UPSERT, Mode.APPEND):
        raise SqlscoreError(f"only_new= needs mode upsert or append, not {job.mode}")
    if job.lag_seconds and not job.incremental:
        raise SqlscoreError("lag= belongs to incremental=, and there is none")
    if job.sync and job.mode is not Mode.UPSERT:
        raise SqlscoreError(f"sync= needs mode upsert, not {job.mode}")
    if job.max_bad is not None and not job.quarantine:
        raise SqlscoreError("max_bad= belongs to quarantine=, and there is none")
    if job.rescore is not None:
        target_rows.check_rescore(job)


def check_texts(job: Job, product: Product) -> None:
    """Refuse a condition, and parameters, that are wrong whatever the source's columns are."""
    asked = parameters(job.source, product) if is_select(job.source) else set()
    if job.where is not None:
        conditions.check(job.where, product)
        asked |= parameters(job.where, product)
    _refuse_unasked(job, asked)


def condition_of(job: Job, source: Source) -> Condition:
    """The job's `where` on a source's rows, tried once on the database; None: all of them."""
    if job.where is None:
        _refuse_unasked(job, source.asked)
        return None
    found = condition(
        job.where, job.params, product=source.product, columns=source.columns,
        relation=source.relation, of=f"the source {source.name!r}",
    )  # fmt: skip
    _refuse_unasked(job, source.asked | parameters(job.where, source.product))
    with translated("trying where="), source.engine.connect() as connection:
        tried = sa.select(sa.literal(1)).select_from(source.relation).where(found)
        connection.execute(tried.limit(0))
    return found


def _refuse_unasked(job: Job, asked: Collection[str]) -> None:
    for name in job.params:
        if name not in asked:
            raise SqlscoreError(
                f"params= has a value for :{name}, and neither where= nor a SELECT as the source "
                f"asks for it.{nearest(name, asked)}"
            )


def about(job: Job) -> str:
    """What a watermark belongs to: it means nothing for another source or target."""
    parts = (job.source, job.target, job.incremental, job.source_db, job.where)
    return ", ".join(str(part) for part in parts if part)


def watermark(prepared: Prepared, low: str | None) -> Watermark | None:
    """How far this run will go, if the job is incremental, from where the last one got."""
    job, source = prepared.job, prepared.source
    if job.incremental is None:
        return None
    name = source.column(job.incremental).name
    column = source.relation.c[name]
    with translated("looking for the watermark"), source.engine.connect() as connection:
        mine = sa.true() if prepared.where is None else prepared.where
        largest = connection.scalar(
            sa.select(sa.func.max(column)).select_from(source.relation).where(mine)
        )
        missing = sa.select(sa.func.count()).select_from(source.relation)
        nulls = connection.scalar(missing.where(column.is_(None), mine)) or 0
    high = None if largest is None else encode((_behind(largest, job.lag_seconds),))
    return Watermark(column=name, low=low, high=high, nulls=nulls)


def _behind(value: Any, lag: float) -> Any:
    """`lag` before a watermark: seconds before a time, as much less than a number."""
    if not lag:
        return value
    if isinstance(value, datetime):
        return value - timedelta(seconds=lag)
    if isinstance(value, date):  # which forgets all but whole days
        return value - timedelta(days=math.ceil(lag / 86_400))
    if isinstance(value, str):
        return _behind_text(value, lag)
    return value - type(value)(lag)


def _behind_text(value: str, lag: float) -> str:
    """For products that keep times as ISO 8601 text; the text keeps its form."""
    try:
        moved = datetime.fromisoformat(value) - timedelta(seconds=lag)
    except ValueError:
        raise DatabaseError(
            "lag= needs a watermark of times or numbers, and this one is other text"
        ) from None
    separator = value[10:11] or " "
    precision = "microseconds" if "." in value else "seconds"
    whole = moved.isoformat(sep=separator, timespec=precision)
    return whole if len(value) > 10 else moved.date().isoformat()


def where(
    prepared: Prepared, mark: Mapping[str, Any] | None, *, same: bool
) -> sa.ColumnElement[bool] | None:
    """The condition on the source's rows; None: all of them.

    `same` says that source and target are one database, which an only-new job needs.
    """
    parts = [] if prepared.where is None else [prepared.where]
    if mark is not None:
        parts.append(_between(prepared, mark))
    if prepared.job.only_new and prepared.exists:
        parts.append(target_rows.absent(prepared, same=same))
    if prepared.job.rescore:
        parts.append(target_rows.stale(prepared))
    return sa.and_(*parts) if parts else None


def _between(prepared: Prepared, mark: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    low, high = decode(mark["low"]), decode(mark["high"])
    if high is None:
        return sa.false()
    source = prepared.source
    column = (source.column(mark["column"]),)
    upper = compare(source.product, source.relation, column, high, "<=")
    if low is None:
        return upper
    return sa.and_(compare(source.product, source.relation, column, low, ">"), upper)
