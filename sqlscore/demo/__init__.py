"""The whole story on real rows, step by step; the command line shows it.

Each step says what a user would type, in the shell and in Python, and gives what came out.
"""

from __future__ import annotations

from sqlscore.demo.story import Accuracy, Step, told

__all__ = ["Accuracy", "Step", "told"]
