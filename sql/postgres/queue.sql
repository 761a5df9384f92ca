-- sqlscore in PostgreSQL without PL/Python: a queue. A caller's own session evaluates its query, with
-- its own rights, into rows of the queue; `sqlscore worker` turns the rows into predictions; the
-- caller's session reads them or writes them. No text that a caller wrote ever reaches the worker.
--
-- `sqlscore install --queue` runs this. By hand, in one transaction, as the owner of sqlscore's tables,
-- who may make roles and need not be a superuser:
--
--     sqlscore init --print-sql | psql -1 shop             -- the tables that hold models
--     psql -1 -v ON_ERROR_STOP=1 -f rights.sql -f queue.sql -f pushdown.sql shop
--
-- Run over an older version, this upgrades it. uninstall.sql takes it away, with the jobs in it.
--
-- Rights. No routine here is SECURITY DEFINER. Callers are members of sqlscore_caller; workers log in
-- as members of sqlscore_worker. Row-level security shows a caller its own jobs, and takes a job only
-- for a model that the caller may use.

DO $$
BEGIN
    IF to_regclass('sqlscore.python_folders') IS NOT NULL THEN
        RAISE EXCEPTION 'the functions by PL/Python are installed here, under the same names. Take '
            'them away first: sqlscore uninstall';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sqlscore_worker') THEN
        BEGIN
            CREATE ROLE sqlscore_worker NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN  -- for another database just now
        END;
    END IF;
END
$$;

-- One row a call; a job keeps the version that its model's name stood for when it came.
CREATE TABLE IF NOT EXISTS sqlscore.queue_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    caller regrole NOT NULL DEFAULT to_regrole(quote_ident(current_user)),
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    model text NOT NULL,
    version int NOT NULL,
    sha256 text NOT NULL,
    columns text NOT NULL,                          -- JSON: the query's columns: name, type, …
    status text NOT NULL DEFAULT 'waiting',         -- waiting, done, failed
    carried text,                                   -- JSON: places of columns that feed no feature
    predictions text,                               -- JSON: [name, type] of each
    error text,                                     -- why it failed, for the caller
    submitted_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    finished_at timestamp
);

-- The rows of a job, some thousands in each part: what a worker takes, and gives back as a whole.
CREATE TABLE IF NOT EXISTS sqlscore.queue_parts (
    job bigint NOT NULL REFERENCES sqlscore.queue_jobs ON DELETE CASCADE,
    part int NOT NULL,
    given text NOT NULL,                            -- JSON: an array of values for each column
    predicted text,                                 -- JSON: an array of values for each prediction
    status text NOT NULL DEFAULT 'waiting',         -- waiting, taken, done
    attempts int NOT NULL DEFAULT 0,                -- how often a worker took it
    worker text,                                    -- host, process and its start
    heartbeat timestamp,                            -- of the worker; UTC
    PRIMARY KEY (job, part)
);
-- compressing the text costs more than writing it
ALTER TABLE sqlscore.queue_parts ALTER COLUMN given SET STORAGE EXTERNAL,
    ALTER COLUMN predicted SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS queue_parts_open ON sqlscore.queue_parts (part, job)
    WHERE status <> 'done';

ALTER TABLE sqlscore.queue_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE sqlscore.queue_parts ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS callers ON sqlscore.queue_jobs;
DROP POLICY IF EXISTS callers ON sqlscore.queue_parts;
DROP POLICY IF EXISTS workers ON sqlscore.queue_jobs;
DROP POLICY IF EXISTS workers ON sqlscore.queue_parts;
CREATE POLICY callers ON sqlscore.queue_jobs TO sqlscore_caller
    USING (pg_has_role(current_user, caller, 'USAGE'))
    WITH CHECK (caller = to_regrole(quote_ident(current_user))
                AND EXISTS (SELECT FROM sqlscore.usable_models AS m
                            WHERE m.name = queue_jobs.model AND m.version = queue_jobs.version
                              AND m.sha256 = queue_jobs.sha256));
CREATE POLICY callers ON sqlscore.queue_parts TO sqlscore_caller
    USING (EXISTS (SELECT FROM sqlscore.queue_jobs AS j WHERE j.id = queue_parts.job));
CREATE POLICY workers ON sqlscore.queue_jobs TO sqlscore_worker USING (true);
CREATE POLICY workers ON sqlscore.queue_parts TO sqlscore_worker USING (true);

GRANT USAGE ON SCHEMA sqlscore TO sqlscore_worker;
GRANT SELECT ON sqlscore.layout, sqlscore.models, sqlscore.model_parts, sqlscore.aliases
    TO sqlscore_worker;
GRANT SELECT, DELETE, INSERT (model, version, sha256, columns) ON sqlscore.queue_jobs
    TO sqlscore_caller;
GRANT SELECT, INSERT (job, part, given) ON sqlscore.queue_parts TO sqlscore_caller;
GRANT SELECT, UPDATE, DELETE ON sqlscore.queue_jobs, sqlscore.queue_parts TO sqlscore_worker;

-- The version that churn (the newest), churn:3 or churn@production names, of those that the caller
-- may use.
CREATE OR REPLACE FUNCTION sqlscore.queue_version(model text) RETURNS sqlscore.usable_models
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    spec text := CASE getdatabaseencoding() WHEN 'UTF8' THEN normalize(model, NFC) ELSE model END;
    parts text[] := regexp_match(spec, '^([^:@]*)([:@])(.*)$');
    chosen sqlscore.usable_models;
    names text;
BEGIN
    SELECT m.* INTO chosen FROM sqlscore.usable_models AS m
    WHERE m.name = coalesce(parts[1], spec)
      AND CASE parts[2]
          WHEN ':' THEN m.version::text = parts[3]
          WHEN '@' THEN EXISTS (SELECT FROM sqlscore.usable_aliases AS a WHERE a.name = m.name
                                  AND a.version = m.version AND a.alias = parts[3])
          ELSE true END
    ORDER BY m.version DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT string_agg(quote_literal(n), ', ') INTO names
        FROM (SELECT DISTINCT name AS n FROM sqlscore.usable_models ORDER BY n LIMIT 100) AS usable;
        RAISE EXCEPTION 'there is no model % that you may use. %', quote_literal(spec),
            coalesce('There are: ' || names || '.', 'There is none.')
            USING HINT = 'Who may add it says: SELECT sqlscore.grant_model(''churn'', ''role'')';
    END IF;
    RETURN chosen;
END
$$;

-- Whether a caller's text is a query, not a table's name.
CREATE OR REPLACE FUNCTION sqlscore.queue_is_query(source text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT source ~* '^(\s|--[^\n]*\n|/\*.*?\*/)*(\(|(select|with|values|table)\M)'
$$;

-- The statements around a caller's query, which stands in them as it was written. Columns are named
-- by their places, c0 and so on; nothing that is ours looks into the caller's search_path.
CREATE OR REPLACE FUNCTION sqlscore.queue_statement(kind text, query text, width int) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source text := E'(' || rtrim(query, E' ;\n\t\r') || E'\n) AS q';  -- it may end with a comment
    named text := (SELECT string_agg('c' || i, ', ' ORDER BY i)
                   FROM generate_series(0, width - 1) AS i);
BEGIN
    CASE kind
    WHEN 'columns' THEN  -- of one row that is all NULL: no row is read
        RETURN format(
            'SELECT pg_catalog.row_to_json(r), pg_catalog.record_send(r) FROM '
            '(SELECT q.* FROM (SELECT) AS one LEFT JOIN %s ON false) AS r', source);
    ELSE
        RETURN format(
            'INSERT INTO sqlscore.queue_parts (job, part, given) '
            'SELECT $2, n, pg_catalog.array_to_json(ARRAY[%s])::pg_catalog.text FROM ('
            'SELECT (pg_catalog.row_number() OVER () OPERATOR(pg_catalog./) 4080::pg_catalog.int8) '
            'AS n, q.* FROM %s(%s)) AS numbered GROUP BY n',
            (SELECT string_agg(format('pg_catalog.json_agg(c%s)', i), ', ' ORDER BY i)
             FROM generate_series(0, width - 1) AS i),
            source, named);
    END CASE;
END
$$;

-- A new job of the caller's, for a model and a query's columns.
CREATE OR REPLACE FUNCTION sqlscore.queue_begin(model text, names text[], types oid[])
RETURNS bigint LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen sqlscore.usable_models := sqlscore.queue_version(queue_begin.model);
    described json;
    begun bigint;
BEGIN
    WITH RECURSIVE base AS (  -- the type beneath a domain
        SELECT i, t.oid, t.typtype, t.typbasetype
        FROM unnest(types) WITH ORDINALITY AS g(oid, i) JOIN pg_type AS t ON t.oid = g.oid
        UNION ALL
        SELECT i, t.oid, t.typtype, t.typbasetype
        FROM base JOIN pg_type AS t ON t.oid = base.typbasetype AND base.typtype = 'd'
    )
    SELECT json_agg(json_build_object('name', names[i], 'type', format_type(types[i], NULL),
                                      'base', t.typname, 'element', element.typname) ORDER BY i)
    INTO described
    FROM base JOIN pg_type AS t ON t.oid = base.oid AND t.typtype <> 'd'
    LEFT JOIN pg_type AS element ON element.oid = t.typelem AND element.typarray = t.oid;
    INSERT INTO sqlscore.queue_jobs (model, version, sha256, columns)
    VALUES (chosen.name, chosen.version, chosen.sha256, described) RETURNING id INTO begun;
    RETURN begun;
END
$$;

-- The names of a query's columns, from an empty row of it.
CREATE OR REPLACE FUNCTION sqlscore.queue_names(empty json) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text[] := ARRAY(SELECT json_object_keys(empty));
    twice text := (SELECT string_agg(DISTINCT quote_literal(a), ', ') FROM unnest(found) AS a
                   WHERE (SELECT count(*) FROM unnest(found) AS b WHERE a = b) > 1);
BEGIN
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION 'the query has several columns named %', twice
            USING HINT = 'Name them apart: SELECT a.id AS a_id';
    END IF;
    RETURN found;
END
$$;

-- The types of its columns, from the same row as the server's binary form has it: a count, and for
-- each column the type's number and a length.
CREATE OR REPLACE FUNCTION sqlscore.queue_types(empty bytea) RETURNS oid[]
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(('x' || encode(substring($1 FROM 5 + 8 * i FOR 4), 'hex'))::bit(32)::int8::oid
                     ORDER BY i)
    FROM generate_series(0, (length($1) - 4) / 8 - 1) AS i
$$;

-- The last step of submit: a query without rows has one empty part, and the workers are told.
CREATE OR REPLACE FUNCTION sqlscore.queue_ready(job bigint, width int) RETURNS void
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO sqlscore.queue_parts (job, part, given)
    SELECT $1, 0, '[' || repeat('[],', width - 1) || '[]]'
    WHERE NOT EXISTS (SELECT FROM sqlscore.queue_parts AS p WHERE p.job = $1);
    SELECT pg_notify('sqlscore_queue', '')
$$;

CREATE OR REPLACE FUNCTION sqlscore.queue_refuse_digits() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('extra_float_digits')::int < 1 THEN
        RAISE EXCEPTION 'numbers would lose digits on their way to the model'
            USING HINT = 'First run: SET extra_float_digits = 1, which is the default';
    END IF;
END
$$;

-- An error for the first argument that is NULL, of those that must not be.
CREATE OR REPLACE FUNCTION sqlscore.queue_refuse_null(given json) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing text := (SELECT key FROM json_each_text(given) WHERE value IS NULL LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'the argument % is NULL', missing USING ERRCODE = 'null_value_not_allowed';
    END IF;
END
$$;

-- A caller's text as a query, and the query's columns. No row is read.
CREATE OR REPLACE FUNCTION sqlscore.queue_columns(
    given text, params jsonb, OUT source text, OUT names text[], OUT types oid[]
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- The caller's search_path holds here, for the caller's query; so all else is named in full.
    cursor_ pg_catalog.refcursor;
    named pg_catalog.json;
    sent pg_catalog.bytea;
BEGIN
    source := given;
    IF NOT sqlscore.queue_is_query(source) THEN
        BEGIN
            source := pg_catalog.concat('SELECT * FROM ', source::pg_catalog.regclass);
        EXCEPTION WHEN invalid_name THEN
            RAISE EXCEPTION '% is neither a query (SELECT, WITH, VALUES, TABLE) nor the name of a '
                'table or view', pg_catalog.quote_literal(source);
        END;
    END IF;
    -- a cursor takes one statement, and refuses a text that is several
    OPEN cursor_ FOR EXECUTE sqlscore.queue_statement('columns', source, 0) USING params;
    FETCH cursor_ INTO named, sent;
    CLOSE cursor_;
    names := sqlscore.queue_names(named);
    types := sqlscore.queue_types(sent);
END
$$;

-- Put the rows of a query, or of the table that it names, before a model; the job's number, at once.
-- The query's values are written $1 ->> 'day' in it. Workers see the job when this transaction is
-- committed.
CREATE OR REPLACE FUNCTION sqlscore.submit(model text, query text, params jsonb DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    -- The caller's search_path holds here, for the caller's query; so all else is named in full.
    source pg_catalog.text;
    names pg_catalog.text[];
    types pg_catalog.oid[];
    width pg_catalog.int4;
    job pg_catalog.int8;
BEGIN
    PERFORM sqlscore.queue_refuse_null(
        pg_catalog.json_build_object('model', model, 'query', query));
    PERFORM sqlscore.queue_refuse_digits();
    SELECT * INTO source, names, types FROM sqlscore.queue_columns(query, params);
    width := pg_catalog.cardinality(names);
    job := sqlscore.queue_begin(model, names, types);
    EXECUTE sqlscore.queue_statement('rows', source, width) USING params, job;
    PERFORM sqlscore.queue_ready(job, width);
    RETURN job;
END
$$;

-- waiting, done or failed; waits for a change for so many seconds.
CREATE OR REPLACE FUNCTION sqlscore.queue_status(job bigint, seconds float8) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state sqlscore.queue_jobs;
    began timestamptz := clock_timestamp();
    waited float8;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'a transaction that is % never sees what a worker did since it began',
            upper(current_setting('transaction_isolation'))
            USING HINT = 'Wait in a transaction of its own, or in one that is READ COMMITTED';
    END IF;
    LOOP
        SELECT * INTO state FROM sqlscore.queue_jobs AS j WHERE j.id = queue_status.job;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no job % of yours', job;
        ELSIF state.transaction = pg_current_xact_id_if_assigned() THEN
            RAISE EXCEPTION 'job % was submitted in this transaction, which is not committed: no '
                'worker sees its rows before', job
                USING HINT = 'COMMIT between sqlscore.submit and sqlscore.wait';
        END IF;
        waited := extract(epoch FROM clock_timestamp() - began);
        IF state.status <> 'waiting' OR waited >= seconds THEN
            RETURN state.status;
        END IF;
        PERFORM pg_sleep(least(greatest(waited * 0.05, 0.001), 0.25, seconds - waited));
    END LOOP;
END
$$;

-- Say it where nobody has looked at a job.
CREATE OR REPLACE FUNCTION sqlscore.queue_tell(job bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM sqlscore.queue_parts AS p
                   WHERE p.job = queue_tell.job AND p.attempts > 0) THEN
        RAISE NOTICE 'no worker has taken job % yet. Does one run? It is started by: '
            'sqlscore worker', job;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION sqlscore.queue_raise(job bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%', (SELECT j.error FROM sqlscore.queue_jobs AS j
                          WHERE j.id = queue_raise.job);
END
$$;

-- Wait until a job is done, or for so many seconds: true where it is done. An error where it failed.
CREATE OR REPLACE FUNCTION sqlscore.wait(job bigint, seconds float8 DEFAULT 'Infinity')
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    status text := sqlscore.queue_status(job, least(seconds, 5));
BEGIN
    IF status = 'waiting' AND seconds > 5 THEN
        PERFORM sqlscore.queue_tell(job);
        status := sqlscore.queue_status(job, seconds - 5);
    END IF;
    IF status = 'failed' THEN
        PERFORM sqlscore.queue_raise(job);
    END IF;
    RETURN status = 'done';
END
$$;

-- The rows of a job that is done, each part as an array of objects: columns of the query by name, and
-- predictions.
CREATE OR REPLACE FUNCTION sqlscore.queue_rows(job bigint, wanted text[]) RETURNS SETOF json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found sqlscore.queue_jobs;
    arrays text;
    names text;
BEGIN
    SELECT * INTO found FROM sqlscore.queue_jobs AS j WHERE j.id = queue_rows.job;
    SELECT string_agg(format('json_array_elements(p.%s::json -> %s)', side, i - 1), ', '
                      ORDER BY side, i),
           string_agg(quote_ident(name), ', ' ORDER BY side, i)
    INTO arrays, names
    FROM (SELECT 'given', i, one ->> 'name'
          FROM json_array_elements(found.columns::json) WITH ORDINALITY AS c(one, i)
          WHERE one ->> 'name' = ANY (wanted)
          UNION ALL
          SELECT 'predicted', i, one ->> 0
          FROM json_array_elements(found.predictions::json) WITH ORDINALITY AS p(one, i)
          WHERE one ->> 0 <> ALL (wanted)) AS all_(side, i, name);
    RETURN QUERY EXECUTE format(
        'SELECT (SELECT coalesce(json_agg(r), ''[]'') FROM ROWS FROM (%s) AS r(%s)) '
        'FROM sqlscore.queue_parts AS p WHERE p.job = $1 ORDER BY p.part', arrays, names) USING job;
END
$$;

-- The result of a job, some thousands of rows at a time, each time an array of objects:
--     SELECT p.* FROM sqlscore.result(7) AS part,
--         json_to_recordset(part) AS p(id bigint, score real)
-- has columns of the query that feed no feature, and predictions, by their names.
CREATE OR REPLACE FUNCTION sqlscore.result(job bigint) RETURNS SETOF json
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found sqlscore.queue_jobs;
BEGIN
    IF NOT sqlscore.wait(job, 0) THEN
        RAISE EXCEPTION 'job % is not done', job
            USING HINT = format('Wait for it: SELECT sqlscore.wait(%s)', job);
    END IF;
    SELECT * INTO found FROM sqlscore.queue_jobs AS j WHERE j.id = result.job;
    RETURN QUERY SELECT sqlscore.queue_rows(job, ARRAY(
        SELECT found.columns::json -> i::int ->> 'name'
        FROM json_array_elements_text(found.carried::json) AS i));
END
$$;

-- Take a job away, whatever becomes of it; true where there was one of the caller's.
CREATE OR REPLACE FUNCTION sqlscore.cancel(job bigint) RETURNS boolean
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM sqlscore.queue_jobs AS j WHERE j.id = cancel.job;
    RETURN FOUND;
END
$$;

-- An error where these are the words for a COMMIT inside a transaction of the caller's; a function is
-- always inside one.
CREATE OR REPLACE FUNCTION sqlscore.queue_refuse_transaction(said text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        IF SQLERRM <> said THEN
            RETURN;
        END IF;
    END;
    RAISE EXCEPTION 'CALL sqlscore.score must not stand inside an open transaction: a worker cannot '
        'see its rows before they are committed, and nothing of yours is committed unasked'
        USING ERRCODE = 'invalid_transaction_termination',
            HINT = 'COMMIT first (in drivers: autocommit on), or use sqlscore.submit, COMMIT, '
                'sqlscore.wait and sqlscore.result';
END
$$;

-- The key's columns, separated by commas: each with its type, as a query's job has them.
CREATE OR REPLACE FUNCTION sqlscore.queue_key(job bigint, key text) RETURNS json
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns json := (SELECT j.columns FROM sqlscore.queue_jobs AS j WHERE j.id = queue_key.job);
    name text;
    typed json[];
    type text;
BEGIN
    FOREACH name IN ARRAY regexp_split_to_array(trim(key), '\s*,\s*') LOOP
        SELECT one ->> 'type' INTO type FROM json_array_elements(columns) AS one
        WHERE one ->> 'name' = name;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the source has no column % for the key. It has: %', quote_literal(name),
                (SELECT string_agg(quote_literal(one ->> 'name'), ', ')
                 FROM json_array_elements(columns) AS one);
        END IF;
        typed := typed || json_build_array(name, type);
    END LOOP;
    RETURN array_to_json(typed);
END
$$;

-- What writes a job's predictions into a table: `target` as it is written in SQL, made first where
-- `make` says so.
CREATE OR REPLACE FUNCTION sqlscore.queue_writes(
    job bigint, target text, key json, mode text, make boolean
) RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given json := (SELECT j.predictions FROM sqlscore.queue_jobs AS j
                   WHERE j.id = queue_writes.job);
    keys text[] := ARRAY(SELECT one ->> 0 FROM json_array_elements(key) AS one);
    keyed text := (SELECT string_agg(quote_ident(k), ', ') FROM unnest(keys) AS k);
    declared text;
    named text;
    rows_ text;
    written text;
BEGIN
    SELECT string_agg(format('%I %s', one ->> 0, one ->> 1), ', ' ORDER BY side, i),
           string_agg(quote_ident(one ->> 0), ', ' ORDER BY side, i)
    INTO declared, named
    FROM (SELECT 1, k.* FROM json_array_elements(key) WITH ORDINALITY AS k
          UNION ALL
          SELECT 2, p.* FROM json_array_elements(given) WITH ORDINALITY AS p) AS all_(side, one, i);
    rows_ := format(
        'SELECT %s FROM sqlscore.queue_rows(%s, %L) AS part, '
        'LATERAL pg_catalog.json_to_recordset(part) AS r(%s)', named, job, keys, declared);
    IF mode = 'update' THEN
        written := format('UPDATE %s AS t SET %s FROM (%s) AS p WHERE %s', target,
            (SELECT string_agg(format('%1$I = p.%1$I', one ->> 0), ', ')
             FROM json_array_elements(given) AS one),
            rows_,
            (SELECT string_agg(format('t.%1$I = p.%1$I', k), ' AND ') FROM unnest(keys) AS k));
    ELSE
        written := format('INSERT INTO %s (%s) %s', target, named, rows_);
    END IF;
    IF mode = 'upsert' THEN
        written := format('%s ON CONFLICT (%s) DO UPDATE SET %s', written, keyed,
            (SELECT string_agg(format('%1$I = EXCLUDED.%1$I', one ->> 0), ', ')
             FROM json_array_elements(given) AS one));
    END IF;
    RETURN array_remove(ARRAY[
        CASE WHEN make THEN
            format('CREATE TABLE %s (%s, PRIMARY KEY (%s))', target, declared, keyed) END,
        CASE WHEN mode = 'replace' THEN format('DELETE FROM %s', target) END,
        written], NULL);
END
$$;

-- The name of a table as it is written in SQL, `there` where it is there; `home` is the caller's schema.
-- An error for a mode that is none, for one that needs the table, and for a right that is missing: it
-- would be missed when all is scored.
CREATE OR REPLACE FUNCTION sqlscore.queue_target(
    there regclass, target text, mode text, home name
) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text[];
    schema_ text;
    missing text;
BEGIN
    IF mode IS NULL OR mode NOT IN ('upsert', 'append', 'update', 'replace') THEN
        RAISE EXCEPTION 'the mode % is none of upsert, append, update, replace',
            quote_nullable(mode);
    ELSIF there IS NOT NULL THEN
        SELECT string_agg(needed, ', ') INTO missing
        FROM unnest(CASE mode WHEN 'append' THEN '{INSERT}' WHEN 'update' THEN '{SELECT,UPDATE}'
                    WHEN 'upsert' THEN '{SELECT,INSERT,UPDATE}' ELSE '{INSERT,DELETE}'
                    END::text[]) AS needed
        WHERE NOT CASE needed WHEN 'DELETE' THEN has_table_privilege(there, needed)
                  ELSE has_any_column_privilege(there, needed) END;
        IF missing IS NOT NULL THEN
            RAISE EXCEPTION 'permission denied for table %: the mode % needs %', there, mode, missing
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN there::text;
    ELSIF mode = 'update' THEN
        RAISE EXCEPTION 'the mode update needs a table, and there is no %', quote_nullable(target);
    END IF;
    named := parse_ident(target);
    schema_ := coalesce(named[cardinality(named) - 1], home);
    IF NOT has_schema_privilege(schema_, 'CREATE') THEN
        RAISE EXCEPTION 'permission denied for schema %: there is no table %, and you may not make it',
            schema_, quote_literal(target) USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN (SELECT string_agg(quote_ident(p), '.') FROM unnest(named) AS p);
END
$$;

-- Score a table, a view or a SELECT into a table: submit, wait and write, each in a transaction of its
-- own; so this must not stand inside one.
CREATE OR REPLACE PROCEDURE sqlscore.score(
    model text, source text, target text, key text, mode text DEFAULT 'upsert'
) LANGUAGE plpgsql AS $$
DECLARE
    job pg_catalog.int8;
    keyed pg_catalog.json;
    there pg_catalog.text;
    into_ pg_catalog.text;
    status pg_catalog.text;
    said pg_catalog.text;
    statement pg_catalog.text;
    written pg_catalog.int8 := 0;
BEGIN
    BEGIN
        COMMIT;  -- fails in any case: its words tell why
    EXCEPTION WHEN invalid_transaction_termination THEN
        said := SQLERRM;
    END;
    PERFORM sqlscore.queue_refuse_transaction(said);
    PERFORM sqlscore.queue_refuse_null(pg_catalog.json_build_object(
        'model', model, 'source', source, 'target', target, 'key', key));
    into_ := sqlscore.queue_target(
        pg_catalog.to_regclass(target), target, mode, pg_catalog.current_schema());
    job := sqlscore.submit(model, source);
    keyed := sqlscore.queue_key(job, key);
    COMMIT;
    status := sqlscore.queue_status(job, 5);
    IF pg_catalog.texteq(status, 'waiting') THEN
        PERFORM sqlscore.queue_tell(job);
    END IF;
    WHILE pg_catalog.texteq(status, 'waiting') LOOP
        COMMIT;  -- so that no transaction is old
        status := sqlscore.queue_status(job, 10);
    END LOOP;
    IF pg_catalog.texteq(status, 'failed') THEN
        said := (SELECT j.error FROM sqlscore.queue_jobs AS j
                 WHERE j.id OPERATOR(pg_catalog.=) job);
        PERFORM sqlscore.cancel(job);
        COMMIT;
        RAISE EXCEPTION '%', said;
    END IF;
    there := pg_catalog.to_regclass(target)::pg_catalog.text;
    FOREACH statement IN ARRAY
        sqlscore.queue_writes(job, into_, keyed, mode, there IS NULL)
    LOOP
        EXECUTE statement;
        GET DIAGNOSTICS written = ROW_COUNT;
    END LOOP;
    PERFORM sqlscore.cancel(job);
    RAISE NOTICE 'sqlscore: % rows scored into %', written, into_;
END
$$;

-- What a worker does: one call is one transaction. Its commit waits for no disk: a crash of the server
-- may undo what was done last, and then the rows wait again.

-- The next part, with what its job says; no row where none waits. First parts go first, so small jobs
-- soon come.
CREATE OR REPLACE FUNCTION sqlscore.queue_take(worker text, heartbeat timestamp)
RETURNS TABLE (job bigint, part int, attempts int, given text, model text, version int, sha256 text,
               columns text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE sqlscore.queue_parts AS p
    SET status = 'taken', worker = queue_take.worker, heartbeat = queue_take.heartbeat,
        attempts = p.attempts + 1
    FROM (SELECT w.job, w.part FROM sqlscore.queue_parts AS w WHERE w.status = 'waiting'
          ORDER BY w.part, w.job LIMIT 1 FOR UPDATE SKIP LOCKED) AS next
    JOIN sqlscore.queue_jobs AS j ON j.id = next.job
    WHERE p.job = next.job AND p.part = next.part
    RETURNING p.job, p.part, p.attempts, p.given, j.model, j.version, j.sha256, j.columns;
END
$$;

-- Store a part's predictions; false where it is the worker's no longer, or its job is gone.
CREATE OR REPLACE FUNCTION sqlscore.queue_give(
    job bigint, part int, worker text, attempts int, predicted text, carried text, predictions text,
    finished_at timestamp
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- the job is locked first, so that of two workers one sees the end of the other's part
    PERFORM FROM sqlscore.queue_jobs AS j
    WHERE j.id = queue_give.job AND j.status = 'waiting' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE sqlscore.queue_parts AS p
    SET status = 'done', predicted = queue_give.predicted, worker = NULL, heartbeat = NULL
    WHERE p.job = queue_give.job AND p.part = queue_give.part AND p.status = 'taken'
      AND p.worker = queue_give.worker AND p.attempts = queue_give.attempts;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE sqlscore.queue_jobs AS j
    SET carried = queue_give.carried, predictions = queue_give.predictions,
        finished_at = queue_give.finished_at,
        status = CASE WHEN EXISTS (SELECT FROM sqlscore.queue_parts AS p
                                   WHERE p.job = queue_give.job AND p.status <> 'done')
                      THEN 'waiting' ELSE 'done' END
    WHERE j.id = queue_give.job;
    RETURN true;
END
$$;

CALL sqlscore.hand_over(ARRAY[
    'queue_version', 'queue_is_query', 'queue_statement', 'queue_begin', 'queue_names',
    'queue_types', 'queue_ready', 'queue_refuse_digits', 'queue_refuse_null', 'queue_columns',
    'submit', 'queue_status', 'queue_tell', 'queue_raise', 'wait', 'queue_rows', 'result', 'cancel',
    'queue_refuse_transaction', 'queue_key', 'queue_writes', 'queue_target', 'score', 'queue_take',
    'queue_give']);
REVOKE ALL ON FUNCTION sqlscore.queue_take, sqlscore.queue_give FROM sqlscore_caller;
GRANT EXECUTE ON FUNCTION sqlscore.queue_take, sqlscore.queue_give TO sqlscore_worker;

ALTER TABLE sqlscore.queue_jobs OWNER TO sqlscore_owner;
ALTER TABLE sqlscore.queue_parts OWNER TO sqlscore_owner;
