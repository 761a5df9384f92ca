"""Which model a PREDICT means: of the registry, or bytes from a variable, a literal, a subquery."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlscore.errors import ModelError, RegistryError, SignatureError, StatementError
from sqlscore.model import Model, load, stored
from sqlscore.statements.places import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.predict.tree import Predict
    from sqlscore.registry import Registry
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.variables import Variables

_KEPT = 8  #: models that stay loaded


class Models:
    """The models that the statements of one database name; the last few stay loaded."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[object, Model] = {}

    def find(
        self, predict: Predict, conversation: Conversation, variables: Variables, text: str
    ) -> Model:
        """The model of a PREDICT. `StatementError` where it is none, with its place."""
        node = predict.model
        place = place_of(node, text) or place_of(predict, text)
        try:
            if isinstance(node, exp.Literal | exp.Identifier):
                return self._named(node.name)
            if isinstance(node, exp.HexString):
                return self._read(bytes.fromhex(node.name))
            return self._held(node, conversation, variables, text, place)
        except (RegistryError, ModelError, SignatureError) as error:
            raise StatementError(f"MODEL: {error}", **place) from error

    def _held(
        self,
        node: exp.Expression,
        conversation: Conversation,
        variables: Variables,
        text: str,
        place: dict[str, int],
    ) -> Model:
        what = f"MODEL = {node.sql(dialect='tsql')}" if isinstance(node, exp.Parameter) else "MODEL"
        if isinstance(node, exp.Parameter):
            value = variables.value(node, text)
        else:
            value = _one(node, conversation, variables, text, place)
        if value is None:
            raise StatementError(f"{what} is NULL: it must give the bytes of a model", **place)
        if isinstance(value, str):
            return self._named(value)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise StatementError(
                f"{what} is {type(value).__name__}, neither the bytes of a model nor the name of "
                "one that is registered",
                **place,
            )
        return self._read(bytes(value))

    def _named(self, spec: str) -> Model:
        version = self._registry.get(spec)
        return self._kept_or(str(version) + version.sha256, lambda: stored(self._registry, version))

    def _read(self, found: bytes) -> Model:
        return self._kept_or(hashlib.sha256(found).hexdigest(), lambda: load(found))

    def _kept_or(self, key: object, make: Callable[[], Model]) -> Model:
        model = self._kept.pop(key) if key in self._kept else make()
        self._kept[key] = model
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept)))
        return model


def _one(
    node: exp.Expression,
    conversation: Conversation,
    variables: Variables,
    text: str,
    place: dict[str, int],
) -> Any:
    """The one value of MODEL = (SELECT …)."""
    query = variables.put_into(node.this.copy(), text)
    rows = conversation.rows(conversation.write(conversation.translated(query, text)), most=2)
    if not rows:
        raise StatementError(
            "MODEL = (SELECT …) gives no row: is the model there, and the condition right?", **place
        )
    if len(rows) > 1:
        raise StatementError(
            "MODEL = (SELECT …) gives more than one row: add a condition that leaves one", **place
        )
    if len(rows[0]) != 1:
        raise StatementError("MODEL = (SELECT …) must give one column, the model's bytes", **place)
    return rows[0][0]
