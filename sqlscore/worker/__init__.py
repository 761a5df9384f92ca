"""The worker: turns rows that callers put into a database's queue into predictions."""
