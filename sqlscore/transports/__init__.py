"""How batches cross the wire: one file a way, each usable alone."""
