"""A scikit-learn pipeline as orbital's SQL: the question on standard input, SQL on output.

Runs in `.venv-orbital` (`make orbital`), whose onnx is older than ours: so it imports nothing of
this project.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import orbital
from orbital import types


def main() -> None:
    """Answer the one question."""
    asked = json.load(sys.stdin)
    fitted = pickle.loads(Path(asked["pickled"]).read_bytes())
    features = {
        name: types.StringColumnType() if name in asked["text"] else types.DoubleColumnType()
        for name in asked["features"]
    }
    features |= {name: types.Int64ColumnType(passthrough=True) for name in asked["passed"]}
    pipeline = orbital.parse_pipeline(fitted, features=features)
    projection = orbital.ResultsProjection(asked["passed"])
    print(orbital.export_sql(asked["table"], pipeline, asked["dialect"], projection))


if __name__ == "__main__":
    main()
