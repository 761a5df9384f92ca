"""SQL expressions of cells that never raise: literals, arithmetic, functions, weighted sums."""
