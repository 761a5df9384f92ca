-- Take away what rights.sql, install.sql, queue.sql and pushdown.sql made. `sqlscore uninstall` runs this; by hand, as a superuser:
--
--     psql -1 -v ON_ERROR_STOP=1 -f uninstall.sql shop
--
-- It refuses, and names them, where views, triggers or functions of others depend on it. Models,
-- runs and the rights on models stay; purge.sql takes these. PL/Python itself stays.

DO $$
DECLARE
    one regprocedure;
    used text;
    uses text[] := '{}';
BEGIN
    FOR one IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = to_regnamespace('sqlscore')
          AND p.proname IN ('grant_model', 'revoke_model', 'array_bytes',
              'load_runtime', 'predict', 'predict_batches', 'predict_row', 'predict_bytes',
              'predict_array', 'score', 'fill', 'installed_version', 'hand_over', 'queue_version',
              'queue_is_query', 'queue_statement', 'queue_begin', 'queue_names', 'queue_ready',
              'queue_refuse_digits', 'queue_refuse_null', 'submit', 'queue_status', 'queue_tell',
              'queue_raise', 'wait', 'queue_rows', 'result', 'cancel', 'queue_refuse_transaction',
              'queue_key', 'queue_writes', 'queue_target', 'queue_columns', 'queue_types',
              'queue_take', 'queue_give', 'pushed_functions', 'calls_within', 'asked_columns',
              'pushed_name', 'pushed_argument', 'pushed_statement', 'pushed')
    LOOP
        BEGIN
            EXECUTE format('DROP ROUTINE %s RESTRICT', one);
        EXCEPTION WHEN dependent_objects_still_exist THEN  -- go on, to name all that there are
            GET STACKED DIAGNOSTICS used = PG_EXCEPTION_DETAIL;
            uses := uses || used;
        END;
    END LOOP;
    IF uses <> '{}' THEN
        RAISE EXCEPTION 'other objects depend on what is to be taken away'
            USING ERRCODE = 'dependent_objects_still_exist',
                DETAIL = array_to_string(uses, E'\n'), HINT = 'Drop these first';
    END IF;
END
$$;

DROP TABLE IF EXISTS sqlscore.queue_parts, sqlscore.queue_jobs RESTRICT;
DROP VIEW IF EXISTS sqlscore.usable_parts RESTRICT;
DROP VIEW IF EXISTS sqlscore.usable_aliases RESTRICT;
DROP VIEW IF EXISTS sqlscore.usable_models RESTRICT;
DROP TABLE IF EXISTS sqlscore.python_folders;

-- The roles go where no other database has something of theirs.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sqlscore_caller', 'sqlscore_worker', 'sqlscore_owner'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name);
        IF NOT pg_catalog.pg_has_role(current_user, name, 'MEMBER') THEN  -- no superuser
            EXECUTE format('GRANT %I TO %I', name, current_user);
        END IF;
        EXECUTE format('DROP OWNED BY %I RESTRICT', name);
        BEGIN
            EXECUTE format('DROP ROLE %I', name);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'the role % stays: another database uses it', name;
        END;
    END LOOP;
END
$$;
