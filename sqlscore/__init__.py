"""Native scoring for any SQL database: ONNX models where the rows lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore import accessor

if TYPE_CHECKING:
    from sqlscore.database import Database, connect
    from sqlscore.errors import (
        DatabaseError,
        JobConflict,
        MissingExtra,
        ModelError,
        ProviderError,
        PushdownUnsupported,
        RegistryError,
        RunStopped,
        SignatureError,
        SqlscoreError,
        StatementError,
        TooManyBadRows,
    )
    from sqlscore.jobs.limits import Limits
    from sqlscore.jobs.status import Run
    from sqlscore.model.compiling import compile
    from sqlscore.model.model import Model, load
    from sqlscore.runtime.attach import attach
    from sqlscore.statements.results import Result

__all__ = [
    "Database",
    "DatabaseError",
    "JobConflict",
    "Limits",
    "MissingExtra",
    "Model",
    "ModelError",
    "ProviderError",
    "PushdownUnsupported",
    "RegistryError",
    "Result",
    "Run",
    "RunStopped",
    "SignatureError",
    "SqlscoreError",
    "StatementError",
    "TooManyBadRows",
    "attach",
    "compile",
    "connect",
    "load",
]

__version__ = "0.1.0"  # as in pyproject.toml: a checkout that is not installed has it too

#: public name -> the module that has it: imported when it is first used, and not before
_HOMES = {
    "Database": "sqlscore.database",
    "DatabaseError": "sqlscore.errors",
    "JobConflict": "sqlscore.errors",
    "Limits": "sqlscore.jobs.limits",
    "MissingExtra": "sqlscore.errors",
    "Model": "sqlscore.model.model",
    "ModelError": "sqlscore.errors",
    "ProviderError": "sqlscore.errors",
    "PushdownUnsupported": "sqlscore.errors",
    "RegistryError": "sqlscore.errors",
    "Result": "sqlscore.statements.results",
    "Run": "sqlscore.jobs.status",
    "RunStopped": "sqlscore.errors",
    "SignatureError": "sqlscore.errors",
    "SqlscoreError": "sqlscore.errors",
    "StatementError": "sqlscore.errors",
    "TooManyBadRows": "sqlscore.errors",
    "attach": "sqlscore.runtime.attach",
    "compile": "sqlscore.model.compiling",
    "connect": "sqlscore.database",
    "load": "sqlscore.model.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sqlscore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


accessor.register()
