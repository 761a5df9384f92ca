"""A signature as plain text, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlscore.signature import InputKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlscore.signature import Feature, Prediction, Signature


def describe(signature: Signature) -> str:
    """The signature as a table: a line a feature, a line a prediction, what each feeds or is."""
    widths = {one.name: _size(one.shape) for one in signature.inputs}
    blocks = {one.name for one in signature.inputs if one.kind is InputKind.BLOCK}
    constants = [one for one in signature.inputs if one.kind is InputKind.CONSTANT]
    tables = [
        _table(
            ("feature", "type", "input", "NULL"),
            (_feature(f, widths[f.input], block=f.input in blocks) for f in signature.features),
        ),
        _table(("prediction", "type", "output"), map(_prediction, signature.predictions)),
    ]
    if constants:
        rows = (
            (one.name, f"{one.element}[{', '.join(str(d or '?') for d in one.shape)}]")
            for one in constants
        )
        tables.insert(1, _table(("constant", "type"), rows))
    if not signature.named:
        tables.append(
            "The features' names are made up: name them by features=[…], or give exactly "
            f"{len(signature.features)} columns in the model's order."
        )
    return "\n\n".join(tables)


def _feature(feature: Feature, size: str, *, block: bool) -> tuple[str, ...]:
    place = f"{feature.input}[{feature.position}]" if block else f"{feature.input}{size}"
    return (feature.name, str(feature.type), place, "NaN" if feature.missing else "NULL")


def _prediction(one: Prediction) -> tuple[str, ...]:
    place = one.output if one.position is None else f"{one.output}[{one.position}]"
    return (one.name, str(one.type).replace("item: ", ""), place)


def _size(shape: Sequence[int | None]) -> str:
    """The shape of one row's values; nothing where it is a single one."""
    inner = [str(d or "?") for d in shape[1:] if d != 1]
    return f"[{', '.join(inner)}]" if inner else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
