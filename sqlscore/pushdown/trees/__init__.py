"""Trees of an ensemble: read from a node, their thresholds moved, grown into CASE expressions."""
