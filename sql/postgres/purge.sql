-- Drop the tables that sqlscore owns: all models, runs and rights. Run uninstall.sql first.
--
--     psql -1 -v ON_ERROR_STOP=1 -f purge.sql shop
--
-- They are all tables of the schema that belong to the one who made sqlscore.models, those that a
-- run left staged among them. It refuses where something of others depends on them, or lies there.

DO $$
DECLARE
    ours regclass[] := ARRAY(
        SELECT c.oid FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_class AS models ON models.oid = to_regclass('sqlscore.models')
        WHERE c.relnamespace = models.relnamespace
          AND c.relkind IN ('r', 'p')
          AND (c.relowner = models.relowner OR c.relname = 'model_rights'));
    one regclass;
BEGIN
    FOREACH one IN ARRAY ours LOOP
        EXECUTE format('DROP TABLE %s RESTRICT', one);
    END LOOP;
END
$$;

DROP SCHEMA IF EXISTS sqlscore RESTRICT;
