"""What the target has already, as a run asks of it: rows of its slice, new keys, stale predictions.

The conditions on the source's rows compare them with the target, so both must be in one database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sqlscore.errors import DatabaseError, SqlscoreError
from sqlscore.jobs.job import Job, Lineage, Mode
from sqlscore.jobs.lineage import places, value_of
from sqlscore.relations import sink
from sqlscore.relations.conditions import Condition, condition
from sqlscore.relations.ranges import of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlscore.jobs.prepared import Prepared
    from sqlscore.products.product import Product, Target
    from sqlscore.relations.fitting import Wanted
    from sqlscore.types import Column

STALE = "stale"  #: the one kind of rows that are scored anew by choice
_TOLD = {Lineage.VERSION, Lineage.SHA256}  #: lineage that tells one version from another


def check_rescore(job: Job) -> None:
    """Refuse what a job that scores stale rows anew cannot be."""
    if job.rescore != STALE:
        raise SqlscoreError(f"rescore= takes {STALE!r}, not {job.rescore!r}")
    if job.mode not in (Mode.UPSERT, Mode.UPDATE):
        raise SqlscoreError(f"rescore= needs mode upsert or update, not {job.mode}")
    if job.incremental or job.only_new:
        raise SqlscoreError(
            "rescore= is about rows that have a prediction: it goes neither with incremental= nor "
            "with only_new="
        )
    if not _TOLD & set(job.lineage):
        raise SqlscoreError(
            "rescore= looks at the version that a row was scored with, so the target needs its "
            "lineage: lineage=['version'] or ['sha256'] (--lineage all), from the first run on"
        )


def on_target(job: Job, product: Product, target: Target) -> Condition | None:
    """The condition on the target's rows of the job's slice; None: it is about all of them."""
    if job.where is None:
        return None
    return condition(
        job.where, job.params, product=product, columns=target.columns,
        relation=sink.relation(target), of=f"the target {target.table.fullname!r}",
    )  # fmt: skip


def check_target(
    job: Job, source: Product, target: Product, wanted: Wanted, *, same: bool, exists: bool
) -> None:
    """Refuse what asks for more of the target than it has or is.

    `same` says that the source and the target are one database.
    """
    if job.where is not None and (job.sync or job.mode is Mode.REPLACE):
        _check_slice(job, source, target, [*wanted.key, *wanted.passed])
    if job.rescore is not None and not (same and exists):
        raise DatabaseError(
            "rescore= compares the source with the predictions that are there, so the target must "
            "be there, in the source's database"
        )


def _check_slice(job: Job, source: Product, target: Product, columns: Sequence[Column]) -> None:
    """The job's `where` must mean the same on the target, on columns that come from the source."""
    what = "sync=" if job.sync else "mode replace"
    if source is not target:
        raise SqlscoreError(
            f"{what} with where= asks the condition of the source and of the target, and these "
            f"are {source.name} and {target.name}, which may understand it differently"
        )
    try:
        condition(
            job.where or "", job.params, product=target, columns=columns,
            relation=sa.table("target", *(sa.column(column.name) for column in columns)),
            of=f"the slice of the target {job.target!r}",
        )  # fmt: skip
    except DatabaseError as error:
        raise DatabaseError(
            f"{error}. {what} with where= asks the condition of the target's rows too: pass the "
            "columns on that it names (columns=)"
        ) from error


def absent(prepared: Prepared, *, same: bool) -> sa.ColumnElement[bool]:
    """Whether a row of the source has no row of its key in the target."""
    if not same:
        raise DatabaseError(
            "only_new= compares the source with the target, so both must be in one database. "
            "Use incremental= with a watermark column"
        )
    predicted, _ = _predicted(prepared)
    return ~predicted


def stale(prepared: Prepared) -> sa.ColumnElement[bool]:
    """Whether a row has predictions of which the target says, or does not say, another version."""
    predicted, target = _predicted(prepared)
    versions = [model.version for model in prepared.models]
    kinds = places(Lineage.of(prepared.job.lineage), len(versions))
    other: list[sa.ColumnElement[bool]] = []
    for column, (model, kind) in zip(prepared.wanted.lineage, kinds, strict=True):
        if model is not None and kind in _TOLD:
            told = target.c[column.name]
            now = prepared.source.product.literal(value_of(kind, versions[model]), column)
            other += [told.is_(None), told != now]
    return predicted.where(sa.or_(*other))


def _predicted(prepared: Prepared) -> tuple[sa.Exists, sa.FromClause]:
    """Whether the target has a row of the key; and the target in that question."""
    target = sink.relation(prepared.target).alias("target")
    equal = [
        target.c[theirs] == ours
        for theirs, ours in zip(
            prepared.target.key, of(prepared.source.relation, prepared.key), strict=True
        )
    ]
    return sa.exists().select_from(target).where(*equal), target
