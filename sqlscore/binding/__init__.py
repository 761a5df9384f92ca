"""Which column feeds which feature, and which column takes which prediction: a pure decision.

Nothing binds by chance: see `matching`.
"""

from __future__ import annotations

from sqlscore.binding.binding import Binding, BoundFeature, BoundPrediction, bind
from sqlscore.binding.legal_names import legal_name
from sqlscore.binding.matching import match_features

__all__ = [
    "Binding",
    "BoundFeature",
    "BoundPrediction",
    "bind",
    "legal_name",
    "match_features",
]
