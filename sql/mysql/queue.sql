-- sqlscore in MariaDB 10.6 and newer: a queue. A caller's own session evaluates its query, with its own
-- rights, and puts the features into the queue; `sqlscore worker` turns them into predictions; the
-- caller's session reads them or writes them. No text that a caller wrote ever reaches the worker.
--
-- `sqlscore install` runs this. By hand, by an account that may do all in this database, make roles
-- (CREATE USER) and grant (WITH GRANT OPTION); what it makes goes on working with its rights:
--
--     sqlscore init --print-sql | mariadb shop             -- the tables that hold models
--     mariadb shop < queue.sql
--
-- Run over an older version, this upgrades it. uninstall.sql takes it away, with the jobs in it.
--
-- Rights. What callers call runs with their own rights (SQL SECURITY INVOKER). It reaches the queue by
-- procedures and a view of ours, which know who asks by USER(), as nobody can set it: the name before
-- the @, so accounts of one name on several hosts are one, and no account may be without a name.

CREATE ROLE IF NOT EXISTS sqlscore_caller;
CREATE ROLE IF NOT EXISTS sqlscore_worker;

-- Who may use which model; '*' is every model.
CREATE TABLE IF NOT EXISTS sqlscore_model_rights (
    model varchar(190) NOT NULL,
    grantee varchar(128) NOT NULL,
    PRIMARY KEY (model, grantee)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO sqlscore_model_rights VALUES ('*', SUBSTRING_INDEX(USER(), '@', 1));

-- One row a call; a job keeps the version that its model's name stood for when it came.
CREATE TABLE IF NOT EXISTS sqlscore_queue_jobs (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    caller varchar(128) NOT NULL,
    model varchar(190) NOT NULL,
    version int NOT NULL,
    sha256 varchar(64) NOT NULL,
    columns longtext NOT NULL,                          -- JSON: the features: name, type
    status varchar(16) NOT NULL DEFAULT 'waiting',      -- waiting, done, failed
    carried longtext,
    predictions longtext,                               -- JSON: [name, type] of each
    error longtext,                                     -- why it failed, for the caller
    submitted_at datetime(6) NOT NULL DEFAULT UTC_TIMESTAMP(6),
    finished_at datetime(6)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The rows of a job, some thousands in each part: what a worker takes, and gives back as a whole.
CREATE TABLE IF NOT EXISTS sqlscore_queue_parts (
    job bigint NOT NULL,
    part int NOT NULL,
    given longtext NOT NULL,                            -- JSON: an array of values for each column
    predicted longtext,                                 -- JSON: an array of predictions for each row
    status varchar(16) NOT NULL DEFAULT 'waiting',      -- waiting, taken, done
    attempts int NOT NULL DEFAULT 0,                    -- how often a worker took it
    worker varchar(190),                                -- host, process and its start
    heartbeat datetime(6),                              -- of the worker; UTC
    PRIMARY KEY (job, part),
    KEY sqlscore_queue_open (status, part, job),
    FOREIGN KEY (job) REFERENCES sqlscore_queue_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE OR REPLACE SQL SECURITY DEFINER VIEW sqlscore_usable_models AS
SELECT m.name, m.version, m.sha256, m.signature
FROM sqlscore_models AS m
WHERE m.removed_at IS NULL
  AND EXISTS (SELECT 1 FROM sqlscore_model_rights AS r
              WHERE r.model IN (m.name, '*') AND r.grantee = SUBSTRING_INDEX(USER(), '@', 1));

-- The parts of the caller's own jobs.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW sqlscore_my_parts AS
SELECT p.job, p.part, p.given, p.predicted
FROM sqlscore_queue_parts AS p
WHERE p.job IN (SELECT j.id FROM sqlscore_queue_jobs AS j
                WHERE j.caller = SUBSTRING_INDEX(USER(), '@', 1))
WITH CHECK OPTION;

DELIMITER $$

-- Let an account use a model: CALL sqlscore_grant_model('churn', 'analyst').
CREATE OR REPLACE PROCEDURE sqlscore_grant_model(model varchar(190), grantee varchar(128))
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    INSERT IGNORE INTO sqlscore_model_rights VALUES (model, grantee);
END $$

CREATE OR REPLACE PROCEDURE sqlscore_revoke_model(model varchar(190), grantee varchar(128))
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DELETE FROM sqlscore_model_rights
    WHERE sqlscore_model_rights.model = model AND sqlscore_model_rights.grantee = grantee;
END $$

-- A new job of the caller's for a model: churn (the newest), churn:3 or churn@production.
CREATE OR REPLACE PROCEDURE sqlscore_queue_begin(
    spec varchar(400), OUT job bigint, OUT features longtext
) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE said text;
    DECLARE chosen_name varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    DECLARE chosen int;
    DECLARE sha varchar(64);
    DECLARE sign varchar(1) DEFAULT REGEXP_SUBSTR(spec, '[:@]');
    DECLARE base varchar(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        DEFAULT IF(sign = '', spec, SUBSTRING_INDEX(spec, sign, 1));
    DECLARE rest varchar(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        DEFAULT IF(sign = '', NULL, SUBSTRING(spec, CHAR_LENGTH(base) + 2));
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
    SELECT m.name, m.version, m.sha256, JSON_EXTRACT(m.signature, '$.features')
    INTO chosen_name, chosen, sha, features
    FROM sqlscore_usable_models AS m
    WHERE m.name = base
      AND CASE sign WHEN ':' THEN CAST(m.version AS char) = rest
          WHEN '@' THEN EXISTS (SELECT 1 FROM sqlscore_aliases AS a WHERE a.name = m.name
                                AND a.version = m.version AND a.alias = rest)
          ELSE true END
    ORDER BY m.version DESC LIMIT 1;
    IF chosen IS NULL THEN
        SELECT CONCAT('there is no model ', QUOTE(spec), ' that you may use. There are: ',
                      COALESCE(GROUP_CONCAT(DISTINCT QUOTE(name) ORDER BY name SEPARATOR ', '), 'none'),
                      '. Who may add it says: CALL sqlscore_grant_model(''churn'', ''somebody'')')
        INTO said FROM sqlscore_usable_models;
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said;
    END IF;
    INSERT INTO sqlscore_queue_jobs (caller, model, version, sha256, columns)
    VALUES (SUBSTRING_INDEX(USER(), '@', 1), chosen_name, chosen, sha, features);
    SET job = LAST_INSERT_ID();
END $$

-- What has become of a job of the caller's; NULL where there is none.
CREATE OR REPLACE PROCEDURE sqlscore_queue_look(
    job bigint, OUT status varchar(16), OUT predictions longtext, OUT error longtext,
    OUT attempts int
) READS SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
    SELECT j.status, j.predictions, j.error,
           (SELECT SUM(p.attempts) FROM sqlscore_queue_parts AS p WHERE p.job = j.id)
    INTO status, predictions, error, attempts FROM sqlscore_queue_jobs AS j
    WHERE j.id = job AND j.caller = SUBSTRING_INDEX(USER(), '@', 1);
END $$

-- Take a job of the caller's away, whatever becomes of it.
CREATE OR REPLACE PROCEDURE sqlscore_queue_end(job bigint) MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DELETE FROM sqlscore_queue_jobs
    WHERE id = job AND caller = SUBSTRING_INDEX(USER(), '@', 1);
END $$

-- A name in backticks; each part of one with dots.
CREATE OR REPLACE FUNCTION sqlscore_quoted(name varchar(400)) RETURNS varchar(900)
DETERMINISTIC NO SQL SQL SECURITY INVOKER
RETURN CONCAT('`', REPLACE(REPLACE(name, '`', '``'), '.', '`.`'), '`') $$

-- The rows of a table or a query in a temporary table of the session, sqlscore_rows_7 for job 7, with
-- their features put into the job. The row's number is not among the columns of *. Nothing here ends a
-- transaction.
CREATE OR REPLACE PROCEDURE sqlscore_queue_fill(job bigint, features longtext, source longtext)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE kinds, arrays longtext;
    DECLARE rows_ text DEFAULT CONCAT('sqlscore_rows_', job);
    IF source IS NULL THEN
        SIGNAL SQLSTATE '22004' SET MESSAGE_TEXT = 'the query is NULL';
    END IF;
    IF source NOT RLIKE '^(?is)(\\s|--[^\\n]*\\n|/\\*.*?\\*/)*(\\(|(select|with|values)\\b)' THEN
        SET source = CONCAT('SELECT * FROM ', sqlscore_quoted(source));
    END IF;
    EXECUTE IMMEDIATE CONCAT(
        'CREATE TEMPORARY TABLE ', rows_,
        ' (sqlscore_row bigint INVISIBLE AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB ',
        'SELECT q.* FROM (', REGEXP_REPLACE(source, '[;\\s]+$', ''), '\n) AS q');
    -- What each feature's column is by its type: text stays text, so that it is refused as such; a
    -- number + 0 has all its digits, which a float alone has not.
    SELECT CONCAT('SELECT CONCAT_WS('','', ', GROUP_CONCAT(CONCAT(
               'COALESCE(JSON_TYPE(JSON_EXTRACT(JSON_ARRAY(MAX(', sqlscore_quoted(f.name),
               ')), ''$[0]'')), ''NULL'')') ORDER BY f.n SEPARATOR ', '),
               ') INTO @sqlscore_kinds FROM ', rows_)
    INTO kinds
    FROM JSON_TABLE(features, '$[*]' COLUMNS (n FOR ORDINALITY, name varchar(190) PATH '$[0]')) AS f;
    EXECUTE IMMEDIATE kinds;
    SELECT GROUP_CONCAT(CONCAT('JSON_ARRAYAGG(', sqlscore_quoted(f.name),
               IF(SUBSTRING_INDEX(SUBSTRING_INDEX(@sqlscore_kinds, ',', f.n), ',', -1) = 'STRING',
                  '', ' + 0'),
               ' ORDER BY sqlscore_row)') ORDER BY f.n SEPARATOR ', '','', ')
    INTO arrays
    FROM JSON_TABLE(features, '$[*]' COLUMNS (n FOR ORDINALITY, name varchar(190) PATH '$[0]')) AS f;
    EXECUTE IMMEDIATE CONCAT(
        'INSERT INTO sqlscore_my_parts (job, part, given) SELECT ', job,
        ', (sqlscore_row - 1) DIV 4080, CONCAT(''['', ', arrays, ', '']'') ',
        'FROM ', rows_, ' GROUP BY (sqlscore_row - 1) DIV 4080');
    IF ROW_COUNT() = 0 THEN  -- a query without rows has one empty part
        INSERT INTO sqlscore_my_parts (job, part, given)
        VALUES (job, 0, CONCAT('[', REPEAT('[],', JSON_LENGTH(features) - 1), '[]]'));
    END IF;
END $$

-- Put the rows of a query, or of the table that it names, before a model; the job's number, at once:
-- CALL sqlscore_submit('churn', 'SELECT id, age, spend FROM customers', @job). Workers see the job when
-- the caller's transaction is committed, which this leaves to the caller.
CREATE OR REPLACE PROCEDURE sqlscore_submit(model varchar(400), query longtext, OUT job bigint)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE features longtext;
    DECLARE kept bigint DEFAULT @@group_concat_max_len;
    DECLARE first_, step bigint;
    DECLARE own boolean DEFAULT @@autocommit AND NOT @@in_transaction;  -- one transaction, not two
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
        IF own THEN
            ROLLBACK;
        END IF;
        SET SESSION group_concat_max_len = kept;
        SET SESSION auto_increment_increment = step, SESSION auto_increment_offset = first_;
        CALL sqlscore_cancel(job);
        RESIGNAL;
    END;
    SET step = @@auto_increment_increment, first_ = @@auto_increment_offset;
    SET SESSION auto_increment_increment = 1, SESSION auto_increment_offset = 1;  -- rows are counted
    SET SESSION group_concat_max_len = 1073741824;  -- bytes of one column's text in a part
    IF own THEN
        START TRANSACTION;
    END IF;
    CALL sqlscore_queue_begin(model, job, features);
    CALL sqlscore_queue_fill(job, features, query);
    IF own THEN
        COMMIT;
    END IF;
    SET SESSION group_concat_max_len = kept;
    SET SESSION auto_increment_increment = step, SESSION auto_increment_offset = first_;
END $$

-- Take a job of the caller's away, whatever becomes of it, with the rows that the session keeps of it.
CREATE OR REPLACE PROCEDURE sqlscore_cancel(job bigint) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    IF job IS NOT NULL THEN
        CALL sqlscore_queue_end(job);
        EXECUTE IMMEDIATE CONCAT('DROP TEMPORARY TABLE IF EXISTS sqlscore_rows_', job);
    END IF;
END $$

-- [name, type] of each prediction of a job that is done. An error where it failed or is not done.
CREATE OR REPLACE PROCEDURE sqlscore_queue_done(job bigint, OUT predictions longtext)
READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE status varchar(16);
    DECLARE error longtext;
    DECLARE said text;
    DECLARE attempts int;
    CALL sqlscore_queue_look(job, status, predictions, error, attempts);
    IF NOT status <=> 'done' THEN
        SET said = CASE status
            WHEN 'failed' THEN LEFT(error, 500)
            WHEN 'waiting' THEN CONCAT('job ', job, ' is not done. Wait for it: CALL sqlscore_wait(',
                                       job, ', 60). A worker is started by: sqlscore worker')
            ELSE CONCAT('there is no job ', COALESCE(job, 'NULL'), ' of yours') END;
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said;
    END IF;
END $$

-- Wait until a job is done, for so many seconds; NULL: as long as it takes. An error where it failed,
-- is nobody's or another's, or takes longer.
CREATE OR REPLACE PROCEDURE sqlscore_wait(job bigint, seconds double)
READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE status varchar(16) DEFAULT 'waiting';
    DECLARE predictions, error longtext;
    DECLARE attempts int;
    DECLARE began double DEFAULT UNIX_TIMESTAMP(SYSDATE(6));
    DECLARE waited double DEFAULT 0;
    DECLARE told boolean DEFAULT false;
    IF @@in_transaction THEN
        SIGNAL SQLSTATE '25001' SET MESSAGE_TEXT = 'sqlscore_wait must not stand inside an open transaction: no worker sees its rows before they are committed, and it never sees what a worker did since it began. COMMIT or ROLLBACK first';
    END IF;
    WHILE status = 'waiting' AND waited < COALESCE(seconds, 1e300) DO
        DO SLEEP(LEAST(GREATEST(waited * 0.05, 0.001), 0.25));
        CALL sqlscore_queue_look(job, status, predictions, error, attempts);
        COMMIT;  -- with autocommit off, of what began here
        SET waited = UNIX_TIMESTAMP(SYSDATE(6)) - began;
        IF waited > 5 AND attempts = 0 AND NOT told THEN
            SET told = true;
            SIGNAL SQLSTATE '01000'
                SET MESSAGE_TEXT = 'no worker has taken this yet. It is started by: sqlscore worker';
        END IF;
    END WHILE;
    CALL sqlscore_queue_done(job, predictions);
    COMMIT;
END $$

-- Run a statement over the rows r of a job that is done and their predictions p: {rows} in it is what
-- stands behind FROM, {named} the predictions of p, {columns} their names alone, {updated} what an
-- existing row gets, {assigned} the same for a row t from a row s.
CREATE OR REPLACE PROCEDURE sqlscore_queue_run(job bigint, statement longtext)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE predictions, declared, named, columns_, updated, assigned, said longtext;
    DECLARE kept bigint DEFAULT @@group_concat_max_len;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
        SET SESSION group_concat_max_len = kept;
        RESIGNAL;
    END;
    CALL sqlscore_queue_done(job, predictions);
    SET SESSION group_concat_max_len = 1073741824;
    SELECT GROUP_CONCAT(CONCAT(p.name, ' ', p.type, ' PATH ''$[', p.n - 1, ']''')
                        ORDER BY p.n SEPARATOR ', '),
           GROUP_CONCAT(CONCAT('p.', p.name) ORDER BY p.n SEPARATOR ', '),
           GROUP_CONCAT(p.name ORDER BY p.n SEPARATOR ', '),
           GROUP_CONCAT(CONCAT(p.name, ' = VALUES(', p.name, ')') ORDER BY p.n SEPARATOR ', '),
           GROUP_CONCAT(CONCAT('t.', p.name, ' = s.', p.name) ORDER BY p.n SEPARATOR ', ')
    INTO declared, named, columns_, updated, assigned
    FROM (SELECT n, type, CONCAT('`', REPLACE(name, '`', '``'), '`') AS name
          FROM JSON_TABLE(predictions, '$[*]' COLUMNS (
              n FOR ORDINALITY, name varchar(190) PATH '$[0]', type text PATH '$[1]')) AS t) AS p;
    SET SESSION group_concat_max_len = kept;
    SET statement = REPLACE(REPLACE(statement, '{updated}', updated), '{columns}', columns_);
    SET statement = REPLACE(REPLACE(statement, '{named}', named), '{assigned}', assigned);
    EXECUTE IMMEDIATE REPLACE(statement, '{rows}', CONCAT(
        'sqlscore_my_parts AS s JOIN JSON_TABLE(s.predicted, ''$[*]'' COLUMNS (',
        'sqlscore_n FOR ORDINALITY, ', declared, ')) AS p JOIN sqlscore_rows_', job, ' AS r ',
        'ON r.sqlscore_row = s.part * 4080 + p.sqlscore_n WHERE s.job = ', job));
END $$

-- The rows of a job that is done, each with its predictions behind it, in the session that submitted
-- it. They stay until sqlscore_cancel, or the session's end.
CREATE OR REPLACE PROCEDURE sqlscore_result(job bigint) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE said text;
    DECLARE EXIT HANDLER FOR 1146, 1142 BEGIN  -- no such table, as accounts see it
        SET said = CONCAT('the rows of job ', job, ' are in the session that submitted it, which is another one, or has ended');
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said;
    END;
    CALL sqlscore_queue_run(job, 'SELECT r.*, {named} FROM {rows} ORDER BY r.sqlscore_row');
END $$

-- Submit, wait, and run statements: `making` before a transaction, `removing` and `writing` in one; the
-- first two where they are not NULL.
CREATE OR REPLACE PROCEDURE sqlscore_queue_score(
    model varchar(400), source longtext, making longtext, removing longtext, writing longtext
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE job bigint;
    IF @@in_transaction THEN
        SIGNAL SQLSTATE '25001' SET MESSAGE_TEXT = 'this must not stand inside an open transaction: a worker cannot see its rows before they are committed, and nothing of yours is committed unasked. COMMIT or ROLLBACK first, or use sqlscore_submit, COMMIT, sqlscore_wait and sqlscore_result';
    END IF;
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
            ROLLBACK;  -- of what began here
            CALL sqlscore_cancel(job);
            COMMIT;
            RESIGNAL;
        END;
        CALL sqlscore_submit(model, source, job);
        COMMIT;
        CALL sqlscore_wait(job, NULL);
        IF making IS NOT NULL THEN
            CALL sqlscore_queue_run(job, making);
        END IF;
        START TRANSACTION;
        IF removing IS NOT NULL THEN
            EXECUTE IMMEDIATE removing;
        END IF;
        CALL sqlscore_queue_run(job, writing);
        CALL sqlscore_queue_end(job);
        COMMIT;
        CALL sqlscore_cancel(job);
        COMMIT;
    END;
END $$

-- The rows of a table or a query, each with its predictions behind it.
CREATE OR REPLACE PROCEDURE sqlscore_predict(model varchar(400), query longtext)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    CALL sqlscore_queue_score(
        model, query, NULL, NULL, 'SELECT r.*, {named} FROM {rows} ORDER BY r.sqlscore_row');
END $$

-- Score a table or a query into a table, which is made where it is missing. The key's columns are
-- separated by commas. The mode is upsert (a row that is there gets the new predictions), append (it is
-- an error), update (only rows that are there) or replace (readers see the old rows until the new ones
-- are whole).
CREATE OR REPLACE PROCEDURE sqlscore_score_mode(
    model varchar(400), source_query longtext, target varchar(190), `key` text, mode varchar(16)
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE into_ text DEFAULT sqlscore_quoted(target);
    DECLARE schema_ text DEFAULT IF(INSTR(target, '.'), SUBSTRING_INDEX(target, '.', 1), DATABASE());
    DECLARE table_ text DEFAULT SUBSTRING_INDEX(target, '.', -1);
    DECLARE keyed, plain, keys_, same, kind, transacts, said, inserted text;
    DECLARE there, unique_ int;
    SET keyed = REGEXP_REPLACE(TRIM(`key`), '\\s*,\\s*', ',');
    SET plain = CONCAT('`', REPLACE(REPLACE(keyed, '`', '``'), ',', '`, `'), '`');
    SET keys_ = CONCAT('r.', REPLACE(plain, '`, `', '`, r.`'));
    SET same = REGEXP_REPLACE(plain, '(`(?:[^`]|``)+`)', 't.\\1 = s.\\1');
    SELECT COUNT(*), MAX(t.engine), MAX(e.transactions), MAX(t.table_type)
    INTO there, said, transacts, kind
    FROM information_schema.tables AS t LEFT JOIN information_schema.engines AS e USING (engine)
    WHERE t.table_schema = schema_ AND t.table_name = table_;
    SELECT COUNT(*) INTO unique_
    FROM (SELECT 1 FROM information_schema.statistics AS i
          WHERE i.table_schema = schema_ AND i.table_name = table_ AND i.non_unique = 0
          GROUP BY i.index_name
          HAVING SUM(FIND_IN_SET(i.column_name, keyed) > 0) = COUNT(*)
             AND COUNT(*) = 1 + CHAR_LENGTH(keyed) - CHAR_LENGTH(REPLACE(keyed, ',', ''))) AS u;
    SET said = CASE
        WHEN target IS NULL OR keyed IS NULL THEN
            CONCAT('the argument ', IF(target IS NULL, 'target', 'key'), ' is NULL')
        WHEN mode IS NULL OR mode NOT IN ('upsert', 'append', 'update', 'replace') THEN
            CONCAT('the mode ', QUOTE(mode), ' is none of upsert, append, update, replace')
        WHEN mode = 'update' AND NOT there THEN
            CONCAT('the mode update needs a table, and there is no ', into_)
        WHEN transacts <> 'YES' THEN
            CONCAT(into_, ' is a table of ', said, ', which has no transactions, so half of the predictions could be left in it. ALTER TABLE … ENGINE = InnoDB first')
        WHEN kind = 'BASE TABLE' AND mode <> 'update' AND NOT unique_ THEN
            CONCAT(into_, ' has no primary or unique key of exactly ', plain, ', by which a row that is there is known')
        END;
    IF said IS NOT NULL THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said;
    END IF;
    SET inserted = CONCAT('INSERT INTO ', into_, ' (', plain, ', {columns}) SELECT ', keys_,
                          ', {named} FROM {rows}');
    CALL sqlscore_queue_score(
        model, source_query,
        IF(there, NULL, CONCAT('CREATE TABLE ', into_, ' (PRIMARY KEY (', plain,
                               ')) ENGINE = InnoDB SELECT ', keys_, ', {named} FROM {rows} LIMIT 0')),
        IF(mode = 'replace' AND there, CONCAT('DELETE FROM ', into_), NULL),
        CASE mode
        WHEN 'upsert' THEN CONCAT(inserted, ' ON DUPLICATE KEY UPDATE {updated}')
        WHEN 'update' THEN CONCAT('UPDATE ', into_, ' AS t JOIN (SELECT ', keys_,
            ', {named} FROM {rows}) AS s ON ', REPLACE(same, ', t.', ' AND t.'), ' SET {assigned}')
        ELSE inserted END);
END $$

-- The same in the mode upsert.
CREATE OR REPLACE PROCEDURE sqlscore_score(
    model varchar(400), source_query longtext, target varchar(190), `key` text
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    CALL sqlscore_score_mode(model, source_query, target, `key`, 'upsert');
END $$

CREATE OR REPLACE FUNCTION sqlscore_installed_version() RETURNS varchar(32)
DETERMINISTIC NO SQL RETURN '0.1.0' $$

DELIMITER ;

GRANT SELECT, INSERT ON sqlscore_my_parts TO sqlscore_caller;
GRANT SELECT, UPDATE, DELETE ON sqlscore_queue_jobs TO sqlscore_worker;
GRANT SELECT, UPDATE, DELETE ON sqlscore_queue_parts TO sqlscore_worker;
GRANT SELECT ON sqlscore_layout TO sqlscore_worker;
GRANT SELECT ON sqlscore_models TO sqlscore_worker;
GRANT SELECT ON sqlscore_model_parts TO sqlscore_worker;
GRANT SELECT ON sqlscore_aliases TO sqlscore_worker;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_begin TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_look TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_end TO sqlscore_caller;
GRANT EXECUTE ON FUNCTION sqlscore_quoted TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_fill TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_done TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_run TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_score TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_submit TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_wait TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_result TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_cancel TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_predict TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_score TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_score_mode TO sqlscore_caller;
GRANT EXECUTE ON FUNCTION sqlscore_installed_version TO sqlscore_caller;
