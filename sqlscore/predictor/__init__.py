"""Batches of features in, batches of predictions out: what a model does in memory."""

from __future__ import annotations

from sqlscore.predictor.counts import Counts
from sqlscore.predictor.nulls import NullPolicy
from sqlscore.predictor.predictor import Predicted, Predictor

__all__ = ["Counts", "NullPolicy", "Predicted", "Predictor"]
