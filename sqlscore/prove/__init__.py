"""What is proved of a model before it is kept, or runs in another form than its author's."""

from __future__ import annotations

from sqlscore.prove.proof import Proof, prove, runnable

__all__ = ["Proof", "prove", "runnable"]
