-- Take away what queue.sql made, with the jobs in it. `sqlscore uninstall` runs this; by hand:
--
--     mariadb shop < uninstall.sql
--
-- Models, runs and the rights on models stay; purge.sql takes these. The roles sqlscore_caller and
-- sqlscore_worker are of the whole server, and stay too: DROP ROLE takes them away.

DROP PROCEDURE IF EXISTS sqlscore_score;
DROP PROCEDURE IF EXISTS sqlscore_score_mode;
DROP PROCEDURE IF EXISTS sqlscore_predict;
DROP PROCEDURE IF EXISTS sqlscore_result;
DROP PROCEDURE IF EXISTS sqlscore_wait;
DROP PROCEDURE IF EXISTS sqlscore_submit;
DROP PROCEDURE IF EXISTS sqlscore_cancel;
DROP PROCEDURE IF EXISTS sqlscore_queue_score;
DROP PROCEDURE IF EXISTS sqlscore_queue_run;
DROP PROCEDURE IF EXISTS sqlscore_queue_done;
DROP PROCEDURE IF EXISTS sqlscore_queue_fill;
DROP PROCEDURE IF EXISTS sqlscore_queue_end;
DROP PROCEDURE IF EXISTS sqlscore_queue_look;
DROP PROCEDURE IF EXISTS sqlscore_queue_begin;
DROP PROCEDURE IF EXISTS sqlscore_grant_model;
DROP PROCEDURE IF EXISTS sqlscore_revoke_model;
DROP FUNCTION IF EXISTS sqlscore_quoted;
DROP FUNCTION IF EXISTS sqlscore_installed_version;
DROP VIEW IF EXISTS sqlscore_my_parts;
DROP VIEW IF EXISTS sqlscore_usable_models;
DROP TABLE IF EXISTS sqlscore_queue_parts;
DROP TABLE IF EXISTS sqlscore_queue_jobs;
