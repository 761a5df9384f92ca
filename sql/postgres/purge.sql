-- Drop the tables that sqlscore owns: all models, runs and rights. Run uninstall.sql first.
--
--     psql -1 -v ON_ERROR_STOP=1 -f purge.sql shop
--
-- It refuses where something of others depends on them, or lies in the schema.

DROP TABLE IF EXISTS
    sqlscore.model_rights, sqlscore.alias_changes, sqlscore.aliases, sqlscore.examples,
    sqlscore.layout, sqlscore.leases, sqlscore.model_parts, sqlscore.models, sqlscore.quarantine,
    sqlscore.ranges, sqlscore.routines, sqlscore.runs, sqlscore.watermarks
    RESTRICT;
DROP SCHEMA IF EXISTS sqlscore RESTRICT;
