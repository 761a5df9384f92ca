"""What a run imports on any database: the process that children are forked from has it before."""

import duckdb_engine  # noqa: F401
import onnxruntime  # noqa: F401
import psycopg  # noqa: F401
import pymysql  # noqa: F401
import pyodbc  # noqa: F401

import sqlscore.database  # noqa: F401
from tests.faults import child  # noqa: F401
