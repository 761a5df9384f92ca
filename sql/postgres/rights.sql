-- sqlscore in PostgreSQL: who may call, and which model whom. install.sql (functions by PL/Python) and
-- queue.sql (a queue, for servers without it) both stand on this.
--
-- Callers are members of sqlscore_caller. Which models a role may use is in sqlscore.model_rights;
-- the views check it, since current_user in a view is the one who asks, not the view's owner.

DO $$
BEGIN
    IF to_regclass('sqlscore.model_parts') IS NULL THEN
        RAISE EXCEPTION 'there are no sqlscore tables in the schema sqlscore of this database'
            USING HINT = 'Make them first: sqlscore init';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sqlscore_owner') THEN
        BEGIN
            CREATE ROLE sqlscore_owner NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN  -- for another database just now
        END;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'sqlscore_caller') THEN
        BEGIN
            CREATE ROLE sqlscore_caller NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
        END;
    END IF;
    -- Who is no superuser gives things only to a role that is theirs, and that may make some here.
    IF NOT pg_catalog.pg_has_role(current_user, 'sqlscore_owner', 'MEMBER') THEN
        EXECUTE format('GRANT sqlscore_owner TO %I', current_user);
    END IF;
    GRANT USAGE, CREATE ON SCHEMA sqlscore TO sqlscore_owner;
END
$$;

-- Who may use which model; '*' is every model.
CREATE TABLE IF NOT EXISTS sqlscore.model_rights (
    model text NOT NULL,
    grantee regrole NOT NULL,
    PRIMARY KEY (model, grantee)
);

-- Two processes may install at once: the second waits here.
LOCK TABLE sqlscore.model_rights IN SHARE ROW EXCLUSIVE MODE;

CREATE OR REPLACE VIEW sqlscore.usable_models WITH (security_barrier) AS
SELECT m.name, m.version, m.sha256, m.options, m.proof, m.signature, m.runs
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
WHERE EXISTS (SELECT FROM sqlscore.usable_models AS m WHERE p.sha256 IN (m.sha256, m.runs));

-- Let a role, and its members, use a model: SELECT sqlscore.grant_model('churn', 'analysts').
CREATE OR REPLACE FUNCTION sqlscore.grant_model(model text, grantee regrole) RETURNS void
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO sqlscore.model_rights VALUES ($1, $2) ON CONFLICT DO NOTHING
$$;

CREATE OR REPLACE FUNCTION sqlscore.revoke_model(model text, grantee regrole) RETURNS void
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM sqlscore.model_rights AS r WHERE r.model = $1 AND r.grantee = $2
$$;

CREATE OR REPLACE FUNCTION sqlscore.installed_version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '0.1.0'::text $$;

GRANT USAGE ON SCHEMA sqlscore TO sqlscore_caller;
GRANT SELECT ON sqlscore.models, sqlscore.model_parts, sqlscore.aliases, sqlscore.model_rights
    TO sqlscore_owner;

-- What a script made belongs to sqlscore_owner, and callers may call it; the last line of each.
CREATE OR REPLACE PROCEDURE sqlscore.hand_over(names text[]) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN
        SELECT p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'sqlscore'::regnamespace AND p.proname = ANY (names)
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO sqlscore_owner', one);
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', one);
        IF one::text !~ '(grant_model|revoke_model|hand_over)' THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO sqlscore_caller', one);
        END IF;
    END LOOP;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['usable_models', 'usable_aliases', 'usable_parts'] LOOP
        EXECUTE format('ALTER VIEW sqlscore.%I OWNER TO sqlscore_owner', name);
        EXECUTE format('REVOKE ALL ON sqlscore.%I FROM PUBLIC', name);
        EXECUTE format('GRANT SELECT ON sqlscore.%I TO sqlscore_caller', name);
    END LOOP;
    CALL sqlscore.hand_over(
        ARRAY['grant_model', 'revoke_model', 'installed_version', 'hand_over']);
END
$$;
