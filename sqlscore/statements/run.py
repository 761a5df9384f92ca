"""A script from text to its last result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from sqlscore.errors import StatementError
from sqlscore.predict import doors
from sqlscore.statements.interpreter import Interpreter
from sqlscore.statements.results import Result, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlscore.plan import Wishes
    from sqlscore.statements.conversation import Conversation
    from sqlscore.statements.models import Models


def run(
    text: str, models: Models, open_: Callable[[], Conversation], wishes: Wishes, dialect: str
) -> Result:
    """Run a script. What writes has run when this returns; a SELECT at its end runs when read.

    The whole text is read before `open_` opens the conversation that it runs in.
    """
    batches = doors.read(text, dialect)
    if not batches:
        raise StatementError("there is no statement in the text")
    conversation = open_()
    interpreter = Interpreter(conversation, models, text, wishes)
    try:
        interpreter.run(batches)
    except BaseException:
        conversation.close()
        raise
    results = interpreter.results
    last = results.pop() if results else held(pa.table({}))
    last.earlier = tuple(results)
    last.messages = tuple(interpreter.messages)
    last.rows_written = interpreter.rows_written
    last.when_done(conversation.close)
    return last
