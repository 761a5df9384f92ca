"""What tells the statements of a server process apart, so that each asks once what it may use.

The server says it by functions of its own, which PL/Python's process has in memory; they read
variables and cannot fail. A question by SQL would take as long as the one that it spares.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: function -> what it gives. A statement inside a block has the time of the block, but another
#: command or subtransaction; after a COMMIT in a block, some transaction has taken a number.
_ASKED: dict[str, Any] = {
    "GetCurrentStatementStartTimestamp": ctypes.c_int64,
    "GetUserId": ctypes.c_uint32,
    "GetCurrentSubTransactionId": ctypes.c_uint32,
    "ReadNextFullTransactionId": ctypes.c_uint64,
}
_asked: list[Callable[[], tuple[int, ...] | None]] = []


def current() -> tuple[int, ...] | None:
    """The statement, and who runs it: equal for calls between which no right can have changed.

    None where the server does not say.
    """
    if not _asked:
        _asked.append(_found(ctypes.PyDLL(None)))
    return _asked[0]()


def _found(server: Any) -> Callable[[], tuple[int, ...] | None]:
    try:
        functions = [getattr(server, name) for name in _ASKED]
        command = server.GetCurrentCommandId
    except AttributeError:
        return lambda: None
    for function, result in zip(functions, _ASKED.values(), strict=True):
        function.argtypes, function.restype = (), result
    command.argtypes, command.restype = (ctypes.c_bool,), ctypes.c_uint32
    return lambda: (*(function() for function in functions), command(False))
