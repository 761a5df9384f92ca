-- Drop the tables that sqlscore owns: all models, runs and rights. Run uninstall.sql first.
--
--     mariadb shop < purge.sql

DROP TABLE IF EXISTS sqlscore_model_rights;
DROP TABLE IF EXISTS sqlscore_layout;
DROP TABLE IF EXISTS sqlscore_models;
DROP TABLE IF EXISTS sqlscore_model_parts;
DROP TABLE IF EXISTS sqlscore_examples;
DROP TABLE IF EXISTS sqlscore_measures;
DROP TABLE IF EXISTS sqlscore_aliases;
DROP TABLE IF EXISTS sqlscore_alias_changes;
DROP TABLE IF EXISTS sqlscore_runs;
DROP TABLE IF EXISTS sqlscore_ranges;
DROP TABLE IF EXISTS sqlscore_quarantine;
DROP TABLE IF EXISTS sqlscore_leases;
DROP TABLE IF EXISTS sqlscore_watermarks;
DROP TABLE IF EXISTS sqlscore_costs;
DROP TABLE IF EXISTS sqlscore_routines;
