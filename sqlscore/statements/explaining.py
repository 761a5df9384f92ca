"""What would become of a statement: the route of each PREDICT and why, what is read, the SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sqlscore.errors import StatementError
from sqlscore.plan import Route
from sqlscore.predict import doors
from sqlscore.predict.statements import Assign, Declare, Option, Query, Use
from sqlscore.prove import runnable
from sqlscore.statements import pushed
from sqlscore.statements.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlscore.plan import Wishes
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models
    from sqlscore.statements.queries import Routed
    from sqlscore.statements.steps import Step

#: a line, and what hangs on it
Tree: TypeAlias = "tuple[str, list[Tree]]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """One PREDICT of a statement."""

    name: str  #: its alias, or DATA's
    model: str
    route: str
    refused: tuple[str, ...]  #: why the model is not pushed down; empty where it could be
    because: tuple[str, ...]
    seconds: dict[str, float]  #: route -> about how long, by the planner's constants
    measured: datetime | None  #: when the constants were measured; None: the product's usual ones
    features: tuple[tuple[str, str], ...]  #: feature, and how its column gets there
    kept: tuple[str, ...]  #: columns of DATA that the statement reads beside the predictions
    predictions: tuple[tuple[str, str], ...]  #: column, and the prediction that fills it
    data: str  #: DATA in the database's own SQL
    rows: int | None  #: about; None where the database does not say


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A statement's plan; prints as a tree."""

    statement: str
    how: str
    predicts: tuple[Explained, ...]
    sql: str | None  #: what the database runs at the end; None where nothing is left to run
    steps: tuple[Step, ...]  #: as they went; empty unless it was run

    def __str__(self) -> str:
        """The plan as a tree."""
        branches = [_branch(one) for one in self.predicts]
        if self.sql is not None:
            branches.append((f"SQL: {self.sql}", []))
        if self.steps:
            branches.append(("took", [(_step(step), []) for step in self.steps]))
        return "\n".join(_lines((self.how, branches)))


def _branch(one: Explained) -> Tree:
    predictions = [
        name if name == prediction else f"{name} <- {prediction}"
        for name, prediction in one.predictions
    ]
    about = "" if one.rows is None else f", about {one.rows:,} rows"
    return (
        f"PREDICT {one.name}: {one.route}",
        [
            (f"model {one.model}", []),
            *((f"because {reason}", []) for reason in one.because),
            *([_refused(one)] if one.refused else []),
            (_costs(one), []),
            ("features", [(f"{feature} <- {column}", []) for feature, column in one.features]),
            (f"kept: {', '.join(one.kept) or 'nothing'}", []),
            (f"predictions: {', '.join(predictions)}", []),
            (f"DATA{about}: {one.data}", []),
        ],
    )


def _refused(one: Explained) -> Tree:
    return ("no push-down", [(f"because {reason}", []) for reason in one.refused])


def _costs(one: Explained) -> str:
    costs = ", ".join(f"{route} {_about(seconds)}" for route, seconds in one.seconds.items())
    if one.measured is None:
        return f"cost: {costs} (not measured here: sqlscore doctor --calibrate)"
    return f"cost: {costs} (measured {one.measured:%Y-%m-%d})"


def _about(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


#: operators that fold, and those of weights that they fold into
FOLDED = ("Scaler", "OneHotEncoder", "LabelEncoder", "Sub", "Div", "Mul", "Add")
WEIGHED = {"LinearClassifier", "LinearRegressor", "Gemm", "MatMul"}

_WHERE = {
    Route.BRIDGE: "the model runs here, beside the database",
    Route.PUSH_DOWN: "the model is SQL, and the database runs it",
}


def _why(one: Routed, asked: Route) -> str:
    """Where the model runs, and why there."""
    if asked is not Route.AUTO:
        return f"{_WHERE[one.route]}: it is asked for"
    if one.told.refused and one.told.costs.pushes_down:
        return f"{_WHERE[one.route]}: it cannot be pushed down"
    return f"{_WHERE[one.route]}: that is cheaper"


def _lines(tree: Tree) -> list[str]:
    """A tree as lines, each branch on a fork of its own."""
    text, branches = tree
    lines = [text]
    for number, branch in enumerate(branches):
        last = number == len(branches) - 1
        first, *rest = _lines(branch)
        lines.append(f"{'└─' if last else '├─'} {first}")
        lines += [f"{'   ' if last else '│  '}{line}" for line in rest]
    return lines


def _step(step: Step) -> str:
    rows = "" if step.rows is None else f", {step.rows:,} rows"
    return f"{step.name}: {step.seconds:.3f} s{rows}"


def explain(
    text: str,
    models: Models,
    open_: Callable[[], Conversation],
    wishes: Wishes,
    *,
    analyze: bool,
    dialect: str,
) -> Explanation:
    """The plan of the statement that ends a script; DECLARE and SET may stand before it.

    Without `analyze` no row is scored and nothing is written; with it, the statement runs.
    """
    *before, last = [
        statement for batch in doors.read(text, dialect) for statement in batch.statements
    ]
    if not isinstance(last, Query):
        raise StatementError(
            "explain takes one statement that a database runs, with DECLARE and SET before it"
        )
    conversation = open_()
    try:
        interpreter = Interpreter(conversation, models, text, wishes)
        for statement in before:
            if not isinstance(statement, Declare | Assign | Option | Use):
                raise StatementError(
                    "explain takes one statement, with DECLARE and SET before it",
                    line=statement.line, column=statement.column,
                )  # fmt: skip
            interpreter.one(statement)
        choice = interpreter.explain(last)
        if analyze:
            conversation.steps.clear()
            interpreter.one(last)
            for result in interpreter.results:
                for _ in result.to_batches():
                    pass
        return Explanation(
            statement=last.text, how=choice.how, sql=choice.sql,
            predicts=tuple(
                _explained(conversation, routed, wishes.route) for routed in choice.predicts
            ),
            steps=tuple(conversation.steps) if analyze else (),
        )  # fmt: skip
    finally:
        conversation.close()


def _turned(on: Conversation, one: Routed) -> tuple[str, ...]:
    return pushed.told(one.ready, on.product) if one.route is Route.PUSH_DOWN else ()


def _cut(one: Routed) -> tuple[str, ...]:
    """That the graph is cut to what is read, where it runs here and is."""
    binding, model = one.ready.plan.binding, one.ready.model
    if one.route is not Route.BRIDGE or not binding.idle:
        return ()
    is_cut = model.cut_to(binding.signature)[0] != runnable(model.graph, model.proof)
    return ("projection: the graph is cut to the rest",) if is_cut else ()


def _folded(one: Routed) -> tuple[str, ...]:
    """What became part of the weights, where there is something that can."""
    kinds = {node.op_type for node in one.ready.model.graph.proto.graph.node}
    if one.route is not Route.PUSH_DOWN or not one.ready.folds or not kinds & WEIGHED:
        return ()
    folded = [name for name in FOLDED if name in kinds]
    return (f"folding: {', '.join(folded)} is part of the weights",) if folded else ()


def _explained(on: Conversation, one: Routed, asked: Route) -> Explained:
    ready, told = one.ready, one.told
    model, plan = ready.model, ready.plan
    name = f"{model.name}:{model.version}" if model.name else "of bytes"
    return Explained(
        name=ready.name, route=one.route, refused=told.refused,
        because=(
            _why(one, asked), *plan.reasons, *_cut(one), *ready.known, *_turned(on, one),
            *_folded(one),
        ),
        seconds={
            str(Route.BRIDGE): told.costs.bridge, str(Route.PUSH_DOWN): told.costs.push_down,
        },
        measured=told.measured,
        model=f"{name}, sha256 {model.sha256[:12]}…",
        features=tuple(
            (bound.feature.name, f"{bound.column.name}: {bound.cast}")
            for bound in plan.binding.features
        ),
        kept=tuple(column.name for column in plan.kept),
        predictions=tuple((output.name, output.prediction) for output in plan.outputs),
        data=on.write(ready.query), rows=told.rows,
    )  # fmt: skip
