"""Native scoring for any SQL database: ONNX models where the rows lie.

How it is laid out, each line on those beneath it (import-linter holds that):

    cli, database                           front doors: a command, a database
    jobs, statements                        work: runs that fill tables, scripts with PREDICT
    plan, costs, predict                    decisions about a statement, from its text alone
    model, runtime                          a model in memory; one inside a database's process
    binding, pushdown, bridge               features to columns; a model as SQL; rows out and back
    registry, prove, predictor, session     models: kept, proved, run on batches, loaded
    relations, products, transports         rows: tables and their keys, by product, over the wire
    graph, signature, tables, types         what a model is; what sqlscore keeps; what a column is

And how data flows: ``registry -> graph -> session`` brings a model, ``source -> batches ->
predictor -> batches -> sink`` scores its rows. A statement's text becomes a Predict, a Predict with
its model a Plan, and the plan takes one of the routes: push-down, runtime or bridge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlscore import accessor
from sqlscore.version import VERSION

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
        UnknownRun,
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
    "UnknownRun",
    "attach",
    "compile",
    "connect",
    "load",
]

__version__ = VERSION

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
    "UnknownRun": "sqlscore.errors",
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
