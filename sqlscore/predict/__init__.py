"""Statement text to values: the grammar of PREDICT, scripts around it, and their translation."""
