"""``sqlscore predict``: a file of rows in, a file with predictions out, and no database."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlscore.cli import options, present, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from sqlscore.model import Model
    from sqlscore.predictor.type_rules import TypeRule

SHOWN = 20  #: rows that go to the terminal where there is no -o


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """How far the file is."""

    rows: int
    total: int | None
    seconds: float


def predict(
    model: options.ModelFile,
    rows: Annotated[
        options.File, typer.Argument(metavar="ROWS", help="A .parquet, .csv or .csv.gz file.")
    ],
    output: Annotated[
        options.File | None, typer.Option("-o", "--out", help="The .parquet or .csv file to write.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMNS", help="Columns to keep beside the predictions (all)."),
    ] = None,
    features: options.Features = None,
    named: options.Outputs = None,
    drop: options.Drop = None,
    shape: options.Shapes = None,
    constant: options.Constants = None,
    map: options.Map = None,
    null: options.Null = None,
    types: options.Types = None,
    na: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="In CSV, NULL is written so too.")
    ] = None,
    provider: options.Provider = "cpu",
    provider_option: options.ProviderOptions = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Predict for the rows of a file, without a database; any size, in little memory.

    Without -o the first rows are shown.

    Example: sqlscore predict churn.onnx rows.parquet -o scored.parquet
    """
    from sqlscore.model import load

    loaded = load(
        model,
        features=options.names(features) or None,
        outputs=options.pairs(named, "--output") or None,
        drop=options.names(drop),
        shapes=options.shapes(shape) or None,
        constants=options.constants(constant) or None,
    )
    choice: dict[str, Any] = {
        "map": options.pairs(map, "--map"),
        "nulls": options.pairs(null, "--null"),
        "types": options.types(types),
        "provider": provider,
        "provider_options": options.pairs(provider_option, "--provider-option"),
    }
    work = _Work(loaded, rows, options.names(columns), tuple(na or ()), choice)
    if output is None:
        first = work.first(SHOWN)
        present.document(first.to_pylist()) if as_json else present.arrow_table(first)
        return
    with progress.shown(f"{rows} -> {output}", quiet=as_json) as update:
        done = work.write(output, update)
    if as_json:
        present.document({"file": str(output), "rows": done.rows, "seconds": done.seconds})
    else:
        speed = f"{done.rows / done.seconds:,.0f} rows/s" if done.seconds else ""
        took = present.duration(done.seconds)
        present.say(f"Wrote {done.rows:,} rows with predictions to {output} in {took}, {speed}.")


class _Work:
    """A model and the file that it is to see."""

    def __init__(
        self,
        model: Model,
        path: Path,
        columns: tuple[str, ...],
        na: tuple[str, ...],
        choice: dict[str, Any],
    ) -> None:
        import pyarrow as pa

        from sqlscore.binding import match_features
        from sqlscore.cli import files
        from sqlscore.predictor.type_rules import named_rules, type_rules
        from sqlscore.signature import InputKind
        from sqlscore.tensor_columns import with_tensor_columns

        self._model, self._path, self._na, self._choice = model, path, na, choice
        schema = files.schema(path)
        names = list(schema.names)
        signature = with_tensor_columns(
            model.signature, names, lambda name: schema.field(name).type, map=choice["map"]
        )
        chosen = match_features(signature, names, map=choice["map"], positional=True)
        tensors = {one.name for one in signature.inputs if one.kind is InputKind.TENSOR}
        rules = type_rules(signature, named_rules(choice["types"]))
        self._types = {
            column: pa.string()
            if feature.input in tensors
            else _read_as(feature.type, rules[feature.name], schema.field(column).type)
            for column, feature in zip(chosen, signature.features, strict=True)
        }
        self._kept = _kept(columns, names)

    def first(self, limit: int) -> pa.Table:
        """The first rows with their predictions."""
        import pyarrow as pa

        from sqlscore.cli import files

        with files.opened(self._path, self._types, nulls=self._na, text=False) as rows:
            batch = next(rows.batches, pa.RecordBatch.from_pylist([], schema=rows.schema))
            return pa.Table.from_batches([self._predicted(batch.slice(0, limit), 0)])

    def write(self, output: Path, update: Callable[[Done], None]) -> Done:
        """Score the whole file into another; how much it was."""
        from sqlscore.cli import files

        began = time.perf_counter()
        done = Done(rows=0, total=None, seconds=0.0)
        text = files.kind(output) == "csv"
        with files.opened(self._path, self._types, nulls=self._na, text=text) as rows:
            empty = rows.schema.empty_table().to_batches() or [_no_row(rows.schema)]
            schema = self._predicted(empty[0], 0).schema
            with files.written(output, schema) as write:
                for batch in _in_order(self._predicted, rows.batches):
                    write(batch)
                    done = Done(
                        rows=done.rows + batch.num_rows,
                        total=rows.total,
                        seconds=time.perf_counter() - began,
                    )
                    update(done)
        return done

    def _predicted(self, batch: pa.RecordBatch, at: int) -> pa.RecordBatch:
        """The kept columns and the predictions, under names of their own; from the row `at` on."""
        import pyarrow as pa

        from sqlscore.binding import legal_name
        from sqlscore.errors import SignatureError

        try:
            predictions = self._model.predict(batch, **self._choice)
        except SignatureError as error:
            if not error.rows:
                raise
            row = at + error.rows[0] + 1
            raise SignatureError(f"{error.__cause__} (row {row:,} of the file)") from error
        names = list(self._kept)
        for name in predictions.schema.names:
            names.append(legal_name(name, limit=10_000, taken=names))
        kept = [batch.column(name) for name in self._kept]
        return pa.RecordBatch.from_arrays([*kept, *predictions.columns], names=names)


def _no_row(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema=schema)


def _read_as(feature: pa.DataType, rule: TypeRule, seen: pa.DataType) -> pa.DataType:
    """The type of a CSV column that feeds a feature: a number goes by way of double.

    Where a policy is to look at the numbers, a column that begins with whole ones stays whole.
    """
    import pyarrow as pa

    from sqlscore.predictor.type_rules import TypeRule

    if pa.types.is_string(feature):
        return feature
    if rule is not TypeRule.SAFE and (pa.types.is_integer(seen) or pa.types.is_boolean(seen)):
        return seen
    return pa.float64() if pa.types.is_floating(feature) or rule is TypeRule.LOSSY else feature


def _kept(columns: tuple[str, ...], names: list[str]) -> tuple[str, ...]:
    from sqlscore.errors import SignatureError, nearest

    for column in columns:
        if column not in names:
            raise SignatureError(f"--columns: no column {column!r}.{nearest(column, names)}")
    return columns or tuple(names)


def _in_order(
    work: Callable[[pa.RecordBatch, int], pa.RecordBatch], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Each batch worked on, in order, by a thread a core, with few on the way.

    `work` is told how many rows came before.
    """
    from sqlscore.bridge import workers

    waiting: deque[Future[pa.RecordBatch]] = deque()
    before = 0
    with ThreadPoolExecutor(workers()) as pool:
        for batch in batches:
            waiting.append(pool.submit(work, batch, before))
            before += batch.num_rows
            if len(waiting) > 2 * workers():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
