"""A table in, predictions out: train a model, keep it in the database, score a table with it.

Needs the extra `demo` (scikit-learn, skl2onnx). Run: python examples/table.py
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import sqlscore


def main() -> None:
    """Tell the story on a SQLite file."""
    data = load_breast_cancer(as_frame=True)
    columns = [name.replace(" ", "_") for name in data.feature_names]
    rows = data.data.set_axis(columns, axis=1)
    seen = rows[:400].to_numpy(), data.target[:400]
    forest = RandomForestClassifier(50, random_state=0).fit(*seen)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clinic.db")
        with sqlite3.connect(path) as connection:
            rows.rename_axis("id").to_sql("tumours", connection)
        connection.close()

        db = sqlscore.connect(f"sqlite:///{path}")
        onnx = to_onnx(forest, rows[:1].to_numpy("float32")).SerializeToString()
        version = db.models.add("tumour", onnx, features=columns, alias="production")
        print("kept as", version)

        run = db.score("tumour@production", source="tumours", target="diagnoses", key="id")
        print(f"{run.status}: {run.rows} rows in {run.seconds:.1f} s")

        with sqlite3.connect(path) as connection:
            query = "SELECT avg(d.output_label = 1) FROM diagnoses d WHERE d.id >= 400"
            (share,) = connection.execute(query).fetchone()
        connection.close()
        print(f"benign, of the rows that the forest has not seen: {share:.0%}")
        db.close()


if __name__ == "__main__":
    main()
