"""Statements with PREDICT run on a database: scripts, models, temporary tables, results."""
