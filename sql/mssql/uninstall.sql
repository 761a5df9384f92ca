-- Take away what install.sql and the scripts of the doors made. `sqlscore uninstall` runs this; by hand:
--
--     sqlcmd -d shop -b -i uninstall.sql
--
-- Models, runs and the rights on models stay; purge.sql takes these. What others made upon the procedures
-- fails from then on.

DROP PROCEDURE IF EXISTS sqlscore.predict;
DROP PROCEDURE IF EXISTS sqlscore.predict_rest;
DROP PROCEDURE IF EXISTS sqlscore.send_rows;
DROP PROCEDURE IF EXISTS sqlscore.use_endpoint;
DROP PROCEDURE IF EXISTS sqlscore.score;
DROP PROCEDURE IF EXISTS sqlscore.result_text;
DROP PROCEDURE IF EXISTS sqlscore.submit;
DROP PROCEDURE IF EXISTS sqlscore.wait;
DROP PROCEDURE IF EXISTS sqlscore.result;
DROP PROCEDURE IF EXISTS sqlscore.cancel;
DROP PROCEDURE IF EXISTS sqlscore.check_query;
DROP PROCEDURE IF EXISTS sqlscore.grant_model;
DROP PROCEDURE IF EXISTS sqlscore.revoke_model;
DROP FUNCTION IF EXISTS sqlscore.usable_model;
DROP FUNCTION IF EXISTS sqlscore.query_columns;
DROP FUNCTION IF EXISTS sqlscore.installed_version;
DROP TABLE IF EXISTS sqlscore.queue_parts;
DROP TABLE IF EXISTS sqlscore.queue_jobs;
DROP SEQUENCE IF EXISTS sqlscore.queue_numbers;
DROP TABLE IF EXISTS sqlscore.rest_endpoint;
DROP TABLE IF EXISTS sqlscore.prepared_features;
DROP TABLE IF EXISTS sqlscore.prepared_predictions;
DROP TABLE IF EXISTS sqlscore.prepared_models;
GO

IF DATABASE_PRINCIPAL_ID(N'sqlscore_caller') IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM sys.database_role_members AS m
                   WHERE m.role_principal_id = DATABASE_PRINCIPAL_ID(N'sqlscore_caller'))
    DROP ROLE sqlscore_caller;
GO

IF DATABASE_PRINCIPAL_ID(N'sqlscore_worker') IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM sys.database_role_members AS m
                   WHERE m.role_principal_id = DATABASE_PRINCIPAL_ID(N'sqlscore_worker'))
    DROP ROLE sqlscore_worker;
GO
