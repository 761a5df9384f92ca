"""A model as SQL text, without a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.binding import match_features
from sqlscore.errors import SignatureError
from sqlscore.model import forms
from sqlscore.model.forms import Form
from sqlscore.model.model import Model, load
from sqlscore.model.writing import Writer, written
from sqlscore.products.expressions import expressions_for
from sqlscore.version import VERSION

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence


def compile(
    model: Model | str | os.PathLike[str],
    *,
    dialect: str,
    table: str = "data",
    key: str | Sequence[str] = (),
    map: Mapping[str, str] | None = None,
    form: Form | str = Form.SELECT,
    name: str | None = None,
    title: str | None = None,
) -> str:
    """The model as SQL in a dialect: a SELECT of the key and the predictions from a table.

    `dialect` is ``postgres``, ``mssql``, ``mysql``, ``sqlite``, ``duckdb``, ``snowflake`` or
    another one of sqlglot's. Columns have the features' names, unless `map` gives others. `form` is
    ``select``, ``view``, ``function``, ``procedure`` or ``computed-column``, and `name` that of the
    view or the like. A first line says which model it is; `title` is what one without a name is
    called, by default its file's name. Raises PushdownUnsupported where an
    operator has no SQL form, with all of them, and DatabaseError for a form that the dialect lacks.
    """
    made = statements(
        model, dialect=dialect, table=table, key=key, map=map, form=form, name=name, title=title
    )
    end = "" if form == Form.SELECT else ";"
    return "\n".join([forms.head(made.said), *(f"{one}{end}" for one in made.texts)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """Statements that make something of a model."""

    said: str  #: which model, and what compiled it
    names: tuple[str, ...]  #: of what they make, unquoted
    texts: tuple[str, ...]


def statements(
    model: Model | str | os.PathLike[str],
    *,
    dialect: str,
    table: str = "data",
    key: str | Sequence[str] = (),
    map: Mapping[str, str] | None = None,
    form: Form | str = Form.SELECT,
    name: str | None = None,
    title: str | None = None,
) -> Compiled:
    """As `compile`, statement by statement."""
    if not isinstance(model, Model):
        title = title or Path(model).stem
        model = load(model)
    facts = expressions_for(dialect)
    form = Form.of(form)
    texts = forms.words(form, facts.dialect)
    writer = Writer(
        model=model,
        facts=facts,
        form=form,
        table=exp.to_table(table, dialect=facts.dialect),
        keys=(key,) if isinstance(key, str) else tuple(key),
        columns=_columns(model, map),
    )
    said = _said(model, title or "a model", facts.dialect)
    named = name or _usual_name(form, model.name or title)
    parts = list(writer.parts(named))
    fixed = {
        "said": exp.Literal.string(said).sql(dialect=facts.dialect),
        "comment": forms.comment(said),
        "table": written(writer.table, facts.dialect),
    }
    return Compiled(
        said=said,
        names=tuple(part["unquoted"] for part in parts),
        texts=tuple(text.format(**fixed, **part) for part in parts for text in texts),
    )


def _said(model: Model, title: str, dialect: str) -> str:
    """Which model it is, and what compiled it."""
    name = title if model.name is None else f"{model.name}:{model.version}"
    return f"{name}, sha256 {model.sha256}, {forms.COMPILED} {VERSION} for {dialect}"


def _usual_name(form: Form, title: str | None) -> str:
    """The name where none is given: ``churn_scores``, ``churn``, ``score_churn``."""
    if title is None and form not in {Form.SELECT, Form.COMPUTED_COLUMN}:
        raise SignatureError(f"the {form} needs a name: name='…'")
    usual = {Form.VIEW: f"{title}_scores", Form.PROCEDURE: f"score_{title}"}
    return usual.get(form, title or "")


def _columns(model: Model, map: Mapping[str, str] | None) -> dict[str, str]:
    features = [feature.name for feature in model.signature.features]
    if not model.signature.named and not map:
        raise SignatureError(
            f"the model takes a block of {len(features)} features and does not name them. Give "
            "their names once: features=[…] at load or add"
        )
    given = dict(map or {})
    match_features(model.signature, [given.get(name, name) for name in features], map=given)
    return {name: given.get(name, name) for name in features}
