"""Oracle's scalar scoring functions, as the PREDICT in FROM that they mean. Pure.

    SELECT id, PREDICTION(m USING *) AS label FROM t WHERE …
    SELECT id, p.label FROM PREDICT(MODEL = m, DATA = t) AS p WHERE …

Every call of a query with the same model and columns is one PREDICT; those of other models are one
around the other. What T-SQL has no text for, `Predict` has an argument for: which class's
probability is asked for, and which columns feed which features.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlscore.errors import StatementError
from sqlscore.predict import places
from sqlscore.predict.doors import statements
from sqlscore.predict.doors.joined import as_one_relation
from sqlscore.predict.doors.meaning import said_in_t_sql
from sqlscore.predict.doors.oracle_grammar import Prediction, PredictionProbability, PredictOracle
from sqlscore.predict.doors.rownum import limited
from sqlscore.predict.tree import OURS, Asked, Predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlscore.predict.statements import Batch

_CALLS = (Prediction, PredictionProbability)
_TYPES = {exp.DType.DECIMAL: exp.DataType(this=exp.DType.DOUBLE)}  #: NUMBER, which has fractions


def read(text: str) -> tuple[Batch, ...]:
    """The statements of a text, as the T-SQL that they mean."""
    return statements.read(text, "oracle", PredictOracle, _meant)


def _meant(tree: exp.Expression, text: str) -> exp.Expression:
    numbers = count(1)
    for select in list(tree.find_all(exp.Select))[::-1]:
        calls: list[exp.Expression] = [
            call
            for call in select.find_all(exp.Expression)
            if isinstance(call, _CALLS) and call.find_ancestor(exp.Select) is select
        ]
        _without_dual(select)
        limited(select)
        if calls:
            _scored(select, calls, numbers, text)
    for when in tree.find_all(exp.When):
        _condition(when)
    left = next(tree.find_all(*_CALLS), None)
    if left is not None:
        message = "PREDICTION stands in a query here: INSERT … SELECT, or MERGE … USING (SELECT …)"
        raise places.error_at(message, text, left.meta["start"])
    return said_in_t_sql(tree, _TYPES)


def _condition(when: exp.When) -> None:
    """The WHERE behind what a WHEN of MERGE does, as T-SQL's condition before it."""
    change = when.args["then"]
    where = change.args.get("where")
    if where is not None:
        change.set("where", None)
        when.set("condition", where.this)


def _without_dual(select: exp.Select) -> None:
    start = select.args.get("from_")
    table = start.this if start is not None else None
    if isinstance(table, exp.Table) and table.name.upper() == "DUAL" and not table.db:
        select.set("from_", None)


def _scored(
    select: exp.Select, calls: Sequence[exp.Expression], numbers: Iterator[int], text: str
) -> None:
    """Put PREDICT into a query's FROM, and its columns in place of the calls."""
    for call in calls:
        if isinstance(call.parent, exp.Window):
            message = "PREDICTION … OVER is not supported here: nothing is trained"
            raise places.error_at(message, text, call.meta["start"])
    try:
        relation = as_one_relation(select, calls)
    except StatementError as error:
        raise places.error_at(str(error), text, calls[0].meta["start"]) from error
    _name_outputs(select)
    predict = _nested(relation, _groups(calls), numbers)
    start = select.args.get("from_")
    if start is None:
        select.set("from_", exp.From(this=predict))
    else:
        start.set("this", predict)


def _groups(calls: Sequence[exp.Expression]) -> list[list[exp.Expression]]:
    """The calls of the same model with the same columns, together."""
    groups: dict[tuple[str, str], list[exp.Expression]] = {}
    for call in calls:
        listed = ", ".join(one.sql("oracle") for one in call.args["features"])
        groups.setdefault((call.this.sql("oracle"), listed), []).append(call)
    return list(groups.values())


def _nested(
    relation: exp.Expression, groups: list[list[exp.Expression]], numbers: Iterator[int]
) -> Predict:
    """A PREDICT for each group, around the one before it; each call becomes a column."""
    alias = relation.alias
    relation, carried = _with_computed(relation, groups, alias, numbers)
    for number, group in enumerate(groups, start=1):
        predict = _predict(relation, group, numbers)
        last = number == len(groups)
        for call, asked in zip(group, predict.asked, strict=True):
            call.replace(exp.column(asked.this.copy(), predict.alias if last else alias))
        relation = predict if last else _around(predict, alias, carried)
        carried += [one.name for one in predict.asked]
    return predict


def _name_outputs(select: exp.Select) -> None:
    """A name for each call that is a column of the result and has none."""
    taken = {one.alias_or_name.casefold() for one in select.selects}
    for one in select.selects:
        if not isinstance(one, _CALLS):
            continue
        base = "prediction" if isinstance(one, Prediction) else "prediction_probability"
        names = (base if n == 1 else f"{base}_{n}" for n in count(1))
        name = next(n for n in names if n not in taken)
        taken.add(name)
        named = exp.Alias(this=exp.Null(), alias=exp.to_identifier(name))
        one.replace(named)
        named.set("this", one)


def _predict(
    relation: exp.Expression, group: Sequence[exp.Expression], numbers: Iterator[int]
) -> Predict:
    number = next(numbers)
    asked = [
        Asked(
            this=exp.to_identifier(f"{OURS}given{number}_{n}"),
            probability=isinstance(call, PredictionProbability), label=call.args.get("label"),
        )
        for n, call in enumerate(group, start=1)
    ]  # fmt: skip
    features = [one.copy() for one in group[0].args["features"]]
    for column in (c for one in features for c in one.find_all(exp.Column)):
        column.set("table", None)
    made = Predict(
        model=group[0].this.this, data=relation, asked=asked, features=features,
        alias=exp.TableAlias(this=exp.to_identifier(f"{OURS}predicted{number}")),
    )  # fmt: skip
    made.meta["start"] = group[0].meta["start"]
    return made


def _with_computed(
    relation: exp.Expression,
    groups: Sequence[Sequence[exp.Expression]],
    alias: str,
    numbers: Iterator[int],
) -> tuple[exp.Expression, list[str]]:
    """The relation with what USING computes as columns more, and their names, which USING gets."""
    more: list[exp.Expr] = []
    for group in groups:
        for n, one in enumerate(group[0].args["features"]):
            if isinstance(one, exp.Alias) and not isinstance(one.this, exp.Column):
                name = f"{OURS}using{next(numbers)}"
                more.append(exp.alias_(one.this.copy(), name))
                named = exp.alias_(exp.column(name), one.args["alias"].copy())
                group[0].args["features"][n] = named
                named.parent = group[0]
            elif isinstance(one, exp.Column) and one.is_star:
                group[0].args["features"][n] = exp.Star()
    if not more:
        return relation, []
    everything = exp.Column(this=exp.Star(), table=exp.to_identifier(alias))
    nothing = isinstance(relation, exp.Subquery) and not relation.this.args.get("from_")
    query = exp.Select(expressions=more if nothing else [everything, *more])
    if not nothing:
        query.set("from_", exp.From(this=relation))
    whole = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias)))
    return whole, [one.alias for one in more]


def _around(predict: Predict, alias: str, carried: Sequence[str]) -> exp.Subquery:
    """A PREDICT as the rows of another one: DATA's columns, and the predictions beside them.

    No star takes in what is named by us: that is carried on by its names.
    """
    data: list[exp.Expression] = [exp.Column(this=exp.Star(), table=exp.to_identifier(alias))]
    data += [exp.column(name, alias) for name in carried]
    given = [exp.column(one.this.copy(), predict.alias) for one in predict.asked]
    query = exp.Select(expressions=[*data, *given], from_=exp.From(this=predict))
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(alias)))
