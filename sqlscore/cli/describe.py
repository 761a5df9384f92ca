"""What people and programs are shown of models, bindings and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlscore.cli import present

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.database.bound import Bound
    from sqlscore.jobs.quarantine import Quarantined
    from sqlscore.jobs.status import Run
    from sqlscore.prove.examples import Examples
    from sqlscore.prove.providers import Measured
    from sqlscore.registry.versions import Version
    from sqlscore.signature import Signature

#: what a tally counts, in people's words, for a feature and for a prediction
_COUNTED = {
    "nulls": "NULL", "nans": "NaN", "infinities": "±inf", "overflows": "past float range",
    "truncated": "made whole", "unknown": "unknown to the model",
    "outside": "out of the range of training",
}  # fmt: skip


def version_record(
    version: Version, aliases: Mapping[str, int], examples: Examples | None = None
) -> dict[str, Any]:
    """A version as a JSON object; of its examples all but the rows."""
    return {
        **present.plain(version),
        "examples": None if examples is None else json.loads(examples.summary_json()),
        "aliases": [alias for alias, number in aliases.items() if number == version.version],
    }


def version_fields(
    version: Version, aliases: Mapping[str, int], examples: Examples | None = None
) -> dict[str, object]:
    """A version as names and values."""
    proof = version.proof
    runs = f"row by row: {proof.reason}" if proof.rowwise else "in batches"
    return {
        "model": str(version),
        "aliases": version_record(version, aliases)["aliases"] or None,
        "sha256": version.sha256,
        "size": f"{version.size:,} bytes",
        "added": f"{present.text(version.created_at)} UTC",
        "runs": f"{runs} (proved on {proof.rows} rows, onnxruntime {proof.onnxruntime})",
        "examples": None if examples is None else _examples(examples),
        "features=": version.features,
        "outputs=": [f"{name}={output}" for name, output in version.outputs.items()] or None,
        "drop=": version.drop or None,
        "shapes=": [f"{name}={_sizes(sizes)}" for name, sizes in version.shapes.items()] or None,
        "constants=": [f"{n}={json.dumps(v)}" for n, v in version.constants.items()] or None,
    }


def providers(measured: Mapping[str, Measured]) -> dict[str, object]:
    """What was measured of other providers, as a name and its values."""
    return {"providers": [str(one) for one in measured.values()] or None}


def _examples(examples: Examples) -> str:
    return (
        f"largest difference {examples.largest} of {examples.rows:,} rows, tolerance "
        f"{examples.tolerance:g}; {examples.kept.num_rows} kept"
    )


def _sizes(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def signature_record(signature: Signature) -> dict[str, Any]:
    """A signature as a JSON object."""
    features = [
        {"name": f.name, "type": str(f.type), "input": f.input, "missing": f.missing}
        for f in signature.features
    ]
    predictions = [
        {"name": p.name, "type": str(p.type), "output": p.output} for p in signature.predictions
    ]
    return {"named": signature.named, "features": features, "predictions": predictions}


def show_signature(signature: Signature) -> None:
    """A signature as two tables."""
    present.table(
        ["feature", "type", "input", "NULL"],
        [
            (f.name, f.type, f.input, _NULLS["nan" if f.missing else "null"])
            for f in signature.features
        ],
    )
    present.table(
        ["prediction", "type", "output"],
        [(p.name, p.type, p.output) for p in signature.predictions],
    )
    if not signature.named:
        present.say(
            "The model does not name its features: give --features at add, or score a SELECT "
            f"of exactly {len(signature.features)} columns beside the key."
        )


def show_bound(bound: Bound) -> None:
    """A binding as two tables and a line."""
    several = len({row.model for row in bound.features}) > 1
    present.table(
        [*["model"] * several, "feature", "column", "cast", "NULL"],
        [
            (*[row.model] * several, row.feature, row.column, row.cast, _null(row.nulls))
            for row in bound.features
        ],
    )
    present.table(["prediction", "column", "type"], bound.predictions)
    counted = bound.rows is not None and bound.ranges is not None
    present.fields(
        {
            "key": bound.key,
            "bound": "by position, in the order of the columns" if bound.by_position else "by name",
            "rows": f"about {bound.rows:,}, in key ranges: {bound.ranges}"
            if counted
            else "not counted: the SELECT is evaluated once, into a staging table",
        }
    )


def _null(policy: str) -> str:
    """What NULL becomes, in people's words."""
    return _NULLS.get(policy) or policy.removeprefix("=")


_NULLS = {
    "nan": "NaN to the model", "null": "no prediction", "error": "an error",
    "not read": "not read: it changes nothing",
}  # fmt: skip


def run_record(run: Run) -> dict[str, Any]:
    """A run as a JSON object."""
    record = present.plain(run)
    for tallies in (record["counts"]["features"], record["counts"]["predictions"]):
        for tally in tallies.values():
            for kind in run.uncounted:
                del tally[kind]
    return {**record, "seconds": run.seconds, "uncounted": list(run.uncounted)}


def run_fields(run: Run) -> dict[str, object]:
    """A run as names and values."""
    return {
        "run": run.id + (" (resumed)" if run.resumed else ""),
        "job": run.job,
        "status": str(run.status),
        "models": run.models,
        "source": run.source,
        "target": run.target,
        "mode": run.mode,
        "rows": f"{run.rows:,}" + (f" of {run.total:,}" if run.total is not None else ""),
        "quarantined": f"{run.quarantined:,} rows" if run.quarantined else None,
        "removed": f"{run.removed:,}, whose source row is gone" if run.removed else None,
        "ranges": f"{run.ranges_done} of {run.ranges} done",
        "started": f"{present.text(run.started_at)} UTC",
        "finished": f"{present.text(run.finished_at)} UTC" if run.finished_at else None,
        "route": ": ".join((run.route, "; ".join(run.because))) if run.because else run.route,
        "owner": run.owner,
        "target held by": run.holder,
        "providers": run.providers or None,
        "error": run.error,
    }


def show_counts(run: Run) -> None:
    """What was counted, one line a feature and a prediction; nothing for nothing."""
    lines = [
        (what, name, f"{count:,}", _COUNTED[kind])
        for what, tallies in (
            ("feature", run.counts.features),
            ("prediction", run.counts.predictions),
        )
        for name, tally in tallies.items()
        for kind in _COUNTED
        if (count := getattr(tally, kind))
    ]
    if lines:
        present.table(["where", "name", "rows", "what"], lines, right=["rows"])
    if run.uncounted:
        kinds = ", ".join(_COUNTED[kind] for kind in run.uncounted)
        present.say(f"Not counted, since the models ran as SQL: {kinds}.")


def show_quarantine(rows: Sequence[Quarantined], *, of: int, run: str) -> None:
    """Rows that a run left out: a line each; nothing for nothing."""
    if not rows:
        return
    present.table(
        ["key", "model", "about", "reason"],
        [
            (
                ", ".join(f"{name}={value}" for name, value in row.key.items()), row.model,
                row.name or "", row.reason,
            )
            for row in rows
        ],
    )  # fmt: skip
    if len(rows) < of:
        present.say(
            f"{len(rows):,} of {of:,} rows. See: sqlscore run quarantine {run} --limit {of}"
        )


def show_run(run: Run) -> None:
    """How a run ended: one line, and what was counted."""
    took = run.seconds or 0.0
    time = f"in {present.duration(took)}" + (f", {run.rows / took:,.0f} rows/s" if took else "")
    verb = "Scored"
    if run.resumed:  # all tries together, and what lay between them
        verb, time = "Resumed and scored", f"in all, {present.duration(took)} after it began"
    lines = {
        "done": f"{verb} {run.rows:,} rows into {run.target} {time}",
        "abandoned": f"Gave run {run.id} up: {run.rows:,} rows of it are in {run.target}",
    }
    present.say(lines.get(run.status, f"Run {run.id} is {run.status}") + f" (run {run.id}).")
    if run.removed:
        present.say(f"Removed {run.removed:,} predictions whose source row is gone.")
    if run.quarantined:
        present.say(
            f"{run.quarantined:,} rows could not be scored and are in quarantine. See: "
            f"sqlscore run quarantine {run.id}"
        )
    if run.unmarked:
        present.say(
            f"{run.unmarked:,} rows have no watermark (NULL): no incremental run reads them."
        )
    show_counts(run)
