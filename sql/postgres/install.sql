-- sqlscore in PostgreSQL: functions that score rows with ONNX models inside the server.
--
-- `sqlscore install` runs this. By hand, as a superuser, in one transaction:
--
--     sqlscore init --print-sql | psql -1 shop             -- the tables that hold models
--     psql -1 -v ON_ERROR_STOP=1 -f rights.sql -f install.sql shop
--     psql shop -c "INSERT INTO sqlscore.python_folders VALUES (1, '/opt/sqlscore/lib/python3.11/site-packages')"
--
-- The last line names the folder that has the Python package sqlscore, for the Python that PL/Python
-- runs. Run over an older version, this upgrades it. uninstall.sql takes it away.
--
-- No function here is SECURITY DEFINER: a caller's query runs with the caller's own rights. Those by
-- PL/Python are PARALLEL UNSAFE, as every function that does not say else: PL/Python begins a
-- subtransaction for each question, and a statement that parallel workers run must not.

DO $$
BEGIN
    IF to_regclass('sqlscore.queue_jobs') IS NOT NULL THEN
        RAISE EXCEPTION 'the queue is installed here, with functions of the same names. Take it away '
            'first, with its jobs: sqlscore uninstall';
    END IF;
END
$$;

CREATE EXTENSION IF NOT EXISTS plpython3u;

-- Where PL/Python finds sqlscore: only a superuser and the schema's owner can say it.
CREATE TABLE IF NOT EXISTS sqlscore.python_folders (number int PRIMARY KEY, folder text NOT NULL);

-- The memory of an array as bytes: what byteasend does with bytes, declared for arrays. It only
-- reads its own argument. Nothing here turns bytes back into an array, which would trust them.
CREATE OR REPLACE FUNCTION sqlscore.array_bytes(float8[]) RETURNS bytea
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteasend';

CREATE OR REPLACE FUNCTION sqlscore.array_bytes(int8[]) RETURNS bytea
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteasend';

-- Import sqlscore, once in each server process. Threads that an import starts get no signals: those
-- belong to the server's own thread.
CREATE OR REPLACE FUNCTION sqlscore.load_runtime() RETURNS void
LANGUAGE plpython3u SET search_path = pg_catalog, pg_temp AS $$
    import os, signal, site, sys; sys.setswitchinterval(0.0002)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    folders = plpy.execute("SELECT folder FROM sqlscore.python_folders ORDER BY number")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        for row in folders:
            site.addsitedir(row["folder"])
        import sqlscore.runtime.plpython
    except ImportError as error:
        plpy.error(
            f"PL/Python cannot import sqlscore: {error}",
            hint="Run 'sqlscore install' again: it looks for the package and says what to do.",
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    GD["sqlscore"] = sqlscore.runtime
$$;

-- FROM sqlscore.predict('churn', 'SELECT id, age, spend FROM customers') AS p(id bigint, score real):
-- columns of the query that feed no feature, and predictions, by their names.
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, query text) RETURNS SETOF record
LANGUAGE plpython3u STABLE STRICT AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, globals())
$$;

-- The same with values for the query, which are written $1 ->> 'day' in it; each is NULL where they
-- are.
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, query text, params jsonb)
RETURNS SETOF record LANGUAGE plpython3u STABLE AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, globals())
$$;

-- The same for a whole table or view: FROM sqlscore.predict('churn', 'customers'::regclass) AS p(…).
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, source regclass) RETURNS SETOF record
LANGUAGE plpython3u STABLE STRICT AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, globals())
$$;

-- The same, some thousands of rows in each record, whose columns are arrays: for very many rows.
--     FROM sqlscore.predict_batches('churn', 'SELECT …') AS p(id bigint[], score real[]),
--          unnest(p.id, p.score) AS u(id, score)
CREATE OR REPLACE FUNCTION sqlscore.predict_batches(model text, query text) RETURNS SETOF record
LANGUAGE plpython3u STABLE STRICT AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_batches(plpy, model, query)
$$;

CREATE OR REPLACE FUNCTION sqlscore.predict_batches(model text, query text, params jsonb)
RETURNS SETOF record LANGUAGE plpython3u STABLE AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_batches(plpy, model, query, params)
$$;

-- One row, a number for each feature in the model's order: sqlscore.predict_row('churn', 41, 20.5).
CREATE OR REPLACE FUNCTION sqlscore.predict_row(model text, VARIADIC features float8[])
RETURNS float8 LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_row(plpy, model, features)
$$;

-- One row by the names of its features, all predictions by name:
-- sqlscore.predict_row('churn', to_jsonb(c)) for a row c of customers.
CREATE OR REPLACE FUNCTION sqlscore.predict_row(model text, features jsonb) RETURNS jsonb
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_object(plpy, model, features)
$$;

CREATE OR REPLACE FUNCTION sqlscore.predict_bytes(model text, features bytea) RETURNS text
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_bytes(plpy, model, features)
$$;

-- Many rows at once, an array of one prediction each:
-- sqlscore.predict_array('churn', array_agg(ARRAY[age, spend] ORDER BY id)).
CREATE OR REPLACE FUNCTION sqlscore.predict_array(model text, features float8[]) RETURNS float8[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT sqlscore.predict_bytes($1, sqlscore.array_bytes($2))::float8[]
$$;

-- Score a table, a view or a SELECT into a table, in the caller's transaction.
CREATE OR REPLACE PROCEDURE sqlscore.score(
    model text, source text, target text, key text, mode text DEFAULT 'upsert'
) LANGUAGE plpython3u AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    GD["sqlscore"].plpython.score(plpy, model, source, target, key, mode)
$$;

-- Fill prediction columns of the rows that a statement inserted or changed:
--     CREATE TRIGGER scored AFTER INSERT ON customers REFERENCING NEW TABLE AS new_rows
--     FOR EACH STATEMENT EXECUTE FUNCTION sqlscore.fill('churn', 'id', 'score')
-- names the model, the key, and the columns, each a prediction's name or column=prediction.
CREATE OR REPLACE FUNCTION sqlscore.fill() RETURNS trigger LANGUAGE plpython3u AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    GD["sqlscore"].plpython.fill(plpy, TD)
$$;

GRANT SELECT ON sqlscore.python_folders TO sqlscore_caller;

CALL sqlscore.hand_over(ARRAY[
    'array_bytes', 'load_runtime', 'predict', 'predict_batches', 'predict_row', 'predict_bytes',
    'predict_array', 'score', 'fill']);
