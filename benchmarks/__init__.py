"""How fast sqlscore is, beside what people write today and beside what the machine could do.

``make bench``, or ``python -m benchmarks --help``. Nothing here is timed by the tests.
"""
