"""A model's graph: read and validated once, immutable from then on, and what it wants and gives.

`read` makes a `Graph`; `rewrite` proposes bytes that run faster; `signature_of` says which columns
the graph takes and gives. Nothing here runs the model.
"""

from __future__ import annotations

from sqlscore.graph.graph import Graph, plain, rewrite, signature_of
from sqlscore.graph.reading import read

__all__ = ["Graph", "plain", "read", "rewrite", "signature_of"]
