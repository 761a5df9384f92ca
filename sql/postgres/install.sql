-- sqlscore in PostgreSQL: functions that score rows with ONNX models inside the server.
--
-- `sqlscore install` runs this. By hand, as a superuser, in one transaction:
--
--     sqlscore init --print-sql | psql -1 shop             -- the tables that hold models
--     psql -1 -v ON_ERROR_STOP=1 -f install.sql shop
--     psql shop -c "INSERT INTO sqlscore.python_folders VALUES (1, '/opt/sqlscore/lib/python3.11/site-packages')"
--
-- The last line names the folder that has the Python package sqlscore, for the Python that PL/Python
-- runs. Run over an older version, this upgrades it. uninstall.sql takes it away.
--
-- Rights. No function here is SECURITY DEFINER: a caller's query runs with the caller's own rights.
-- Callers are members of sqlscore_caller. Which models a role may use is in sqlscore.model_rights;
-- the views check it, since current_user in a view is the one who asks, not the view's owner.

DO $$
BEGIN
    IF to_regclass('sqlscore.model_parts') IS NULL THEN
        RAISE EXCEPTION 'there are no sqlscore tables in the schema sqlscore of this database'
            USING HINT = 'Make them first: sqlscore init';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sqlscore_owner') THEN
        CREATE ROLE sqlscore_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sqlscore_caller') THEN
        CREATE ROLE sqlscore_caller NOLOGIN;
    END IF;
END
$$;

CREATE EXTENSION IF NOT EXISTS plpython3u;

-- Where PL/Python finds sqlscore: only a superuser and the schema's owner can say it.
CREATE TABLE IF NOT EXISTS sqlscore.python_folders (number int PRIMARY KEY, folder text NOT NULL);

-- Who may use which model; '*' is every model.
CREATE TABLE IF NOT EXISTS sqlscore.model_rights (
    model text NOT NULL,
    grantee regrole NOT NULL,
    PRIMARY KEY (model, grantee)
);

-- Two processes may install at once: the second waits here.
LOCK TABLE sqlscore.model_rights IN SHARE ROW EXCLUSIVE MODE;

CREATE OR REPLACE VIEW sqlscore.usable_models WITH (security_barrier) AS
SELECT m.name, m.version, m.sha256, m.options, m.proof
FROM sqlscore.models AS m
WHERE m.removed_at IS NULL
  AND (pg_catalog.has_table_privilege(current_user, 'sqlscore.model_parts', 'SELECT')
       OR EXISTS (SELECT FROM sqlscore.model_rights AS r
                  WHERE r.model IN (m.name, '*')
                    AND pg_catalog.pg_has_role(current_user, r.grantee, 'USAGE')));

CREATE OR REPLACE VIEW sqlscore.usable_aliases WITH (security_barrier) AS
SELECT a.name, a.alias, a.version
FROM sqlscore.aliases AS a
WHERE EXISTS (SELECT FROM sqlscore.usable_models AS m
              WHERE m.name = a.name AND m.version = a.version);

CREATE OR REPLACE VIEW sqlscore.usable_parts WITH (security_barrier) AS
SELECT p.sha256, p.part, p.bytes
FROM sqlscore.model_parts AS p
WHERE EXISTS (SELECT FROM sqlscore.usable_models AS m WHERE m.sha256 = p.sha256);

-- Let a role, and its members, use a model: SELECT sqlscore.grant_model('churn', 'analysts').
CREATE OR REPLACE FUNCTION sqlscore.grant_model(model text, grantee regrole) RETURNS void
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO sqlscore.model_rights VALUES ($1, $2) ON CONFLICT DO NOTHING
$$;

CREATE OR REPLACE FUNCTION sqlscore.revoke_model(model text, grantee regrole) RETURNS void
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM sqlscore.model_rights AS r WHERE r.model = $1 AND r.grantee = $2
$$;

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
        import sqlscore.runtime.plpython, sqlscore.runtime.writing
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
LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, model, query)
$$;

-- The same with values for the query, which are written $1 ->> 'day' in it.
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, query text, params jsonb)
RETURNS SETOF record LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, model, query, params)
$$;

-- The same for a whole table or view: FROM sqlscore.predict('churn', 'customers'::regclass) AS p(…).
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, source regclass) RETURNS SETOF record
LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict(plpy, model, source)
$$;

-- One row, a number for each feature in the model's order: sqlscore.predict_row('churn', 41, 20.5).
CREATE OR REPLACE FUNCTION sqlscore.predict_row(model text, VARIADIC features float8[])
RETURNS float8 LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_row(plpy, model, features)
$$;

-- One row by the names of its features, all predictions by name:
-- sqlscore.predict_row('churn', to_jsonb(c)) for a row c of customers.
CREATE OR REPLACE FUNCTION sqlscore.predict_row(model text, features jsonb) RETURNS jsonb
LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_object(plpy, model, features)
$$;

CREATE OR REPLACE FUNCTION sqlscore.predict_bytes(model text, features bytea) RETURNS text
LANGUAGE plpython3u STABLE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    return GD["sqlscore"].plpython.predict_bytes(plpy, model, features)
$$;

-- Many rows at once, an array of one prediction each:
-- sqlscore.predict_array('churn', array_agg(ARRAY[age, spend] ORDER BY id)).
CREATE OR REPLACE FUNCTION sqlscore.predict_array(model text, features float8[]) RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
    SELECT sqlscore.predict_bytes($1, sqlscore.array_bytes($2))::float8[]
$$;

-- Score a table, a view or a SELECT into a table, in the caller's transaction.
CREATE OR REPLACE PROCEDURE sqlscore.score(
    model text, source text, target text, key text, mode text DEFAULT 'upsert'
) LANGUAGE plpython3u AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    GD["sqlscore"].writing.score(plpy, model, source, target, key, mode)
$$;

-- Fill prediction columns of the rows that a statement inserted or changed:
--     CREATE TRIGGER scored AFTER INSERT ON customers REFERENCING NEW TABLE AS new_rows
--     FOR EACH STATEMENT EXECUTE FUNCTION sqlscore.fill('churn', 'id', 'score')
-- names the model, the key, and the columns, each a prediction's name or column=prediction.
CREATE OR REPLACE FUNCTION sqlscore.fill() RETURNS trigger LANGUAGE plpython3u AS $$
    if "sqlscore" not in GD:
        plpy.execute("SELECT sqlscore.load_runtime()")
    GD["sqlscore"].writing.fill(plpy, TD)
$$;

CREATE OR REPLACE FUNCTION sqlscore.installed_version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '0.1.0'::text $$;

GRANT USAGE ON SCHEMA sqlscore TO sqlscore_owner, sqlscore_caller;
GRANT SELECT ON sqlscore.models, sqlscore.model_parts, sqlscore.aliases, sqlscore.model_rights
    TO sqlscore_owner;

DO $$
DECLARE
    one regprocedure;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['usable_models', 'usable_aliases', 'usable_parts'] LOOP
        EXECUTE format('ALTER VIEW sqlscore.%I OWNER TO sqlscore_owner', name);
        EXECUTE format('REVOKE ALL ON sqlscore.%I FROM PUBLIC', name);
        EXECUTE format('GRANT SELECT ON sqlscore.%I TO sqlscore_caller', name);
    END LOOP;
    GRANT SELECT ON sqlscore.python_folders TO sqlscore_caller;
    FOR one IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'sqlscore'::regnamespace
          AND p.proname IN ('grant_model', 'revoke_model', 'array_bytes',
              'load_runtime', 'predict', 'predict_row', 'predict_bytes', 'predict_array', 'score',
              'fill', 'installed_version')
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO sqlscore_owner', one);
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', one);
        IF one::text !~ '(grant|revoke)_model' THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO sqlscore_caller', one);
        END IF;
    END LOOP;
END
$$;
