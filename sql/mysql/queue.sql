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

-- The rows of a table or a query in a temporary table of the session, sqlscore_rows, with their
-- features put into a job. The row's number is not among the columns of *.
CREATE OR REPLACE PROCEDURE sqlscore_queue_submit(job bigint, features longtext, source longtext)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE kinds, arrays longtext;
    IF source NOT RLIKE '^(?is)(\\s|--[^\\n]*\\n|/\\*.*?\\*/)*(\\(|(select|with|values)\\b)' THEN
        SET source = CONCAT('SELECT * FROM ', sqlscore_quoted(source));
    END IF;
    DROP TEMPORARY TABLE IF EXISTS sqlscore_rows;
    EXECUTE IMMEDIATE CONCAT(
        'CREATE TEMPORARY TABLE sqlscore_rows (PRIMARY KEY (sqlscore_row)) ENGINE = InnoDB ',
        'SELECT ROW_NUMBER() OVER () AS sqlscore_row, q.* FROM (',
        REGEXP_REPLACE(source, '[;\\s]+$', ''), '\n) AS q');
    ALTER TABLE sqlscore_rows MODIFY sqlscore_row bigint INVISIBLE DEFAULT 0;
    -- What each feature's column is by its type: text stays text, so that it is refused as such; a
    -- number + 0 has all its digits, which a float alone has not.
    SELECT CONCAT('SELECT CONCAT_WS('','', ', GROUP_CONCAT(CONCAT(
               'COALESCE(JSON_TYPE(JSON_EXTRACT(JSON_ARRAY(MAX(', sqlscore_quoted(f.name),
               ')), ''$[0]'')), ''NULL'')') ORDER BY f.n SEPARATOR ', '),
               ') INTO @sqlscore_kinds FROM sqlscore_rows')
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
        'FROM sqlscore_rows GROUP BY (sqlscore_row - 1) DIV 4080');
    IF NOT EXISTS (SELECT 1 FROM sqlscore_rows) THEN
        INSERT INTO sqlscore_my_parts (job, part, given)
        VALUES (job, 0, CONCAT('[', REPEAT('[],', JSON_LENGTH(features) - 1), '[]]'));
    END IF;
END $$

-- Wait until a job is done: [name, type] of each prediction. An error where it failed.
CREATE OR REPLACE PROCEDURE sqlscore_queue_wait(job bigint, OUT predictions longtext)
READS SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE status varchar(16) DEFAULT 'waiting';
    DECLARE error longtext;
    DECLARE said text;
    DECLARE attempts int;
    DECLARE began double DEFAULT UNIX_TIMESTAMP(SYSDATE(6));
    DECLARE waited double DEFAULT 0;
    DECLARE told boolean DEFAULT false;
    WHILE status = 'waiting' DO
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
    IF NOT status <=> 'done' THEN
        SET said = LEFT(COALESCE(error, 'the job was taken away'), 500);
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said;
    END IF;
END $$

-- Submit, wait, and run a statement over the rows r and their predictions p; first another one, where
-- `making` is not NULL. {rows} in them is what stands behind FROM, {named} the predictions of p,
-- {columns} their names alone, {updated} what an existing row gets.
CREATE OR REPLACE PROCEDURE sqlscore_queue_score(
    model varchar(400), source longtext, making longtext, reading longtext
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE job bigint;
    DECLARE features, predictions, declared, rows_, named, columns_, updated longtext;
    DECLARE kept bigint DEFAULT @@group_concat_max_len;
    IF @@in_transaction THEN
        SIGNAL SQLSTATE '25001' SET MESSAGE_TEXT = 'this must not stand inside an open transaction: a worker cannot see its rows before they are committed, and nothing of yours is committed unasked. COMMIT or ROLLBACK first';
    END IF;
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
            ROLLBACK;  -- of what began here
            SET SESSION group_concat_max_len = kept;
            DROP TEMPORARY TABLE IF EXISTS sqlscore_rows;
            CALL sqlscore_queue_end(job);
            COMMIT;
            RESIGNAL;
        END;
        SET SESSION group_concat_max_len = 1073741824;  -- bytes of one column's text in a part
        CALL sqlscore_queue_begin(model, job, features);
        CALL sqlscore_queue_submit(job, features, source);
        COMMIT;
        CALL sqlscore_queue_wait(job, predictions);
        SELECT GROUP_CONCAT(CONCAT(p.name, ' ', p.type, ' PATH ''$[', p.n - 1, ']''')
                            ORDER BY p.n SEPARATOR ', '),
               GROUP_CONCAT(CONCAT('p.', p.name) ORDER BY p.n SEPARATOR ', '),
               GROUP_CONCAT(p.name ORDER BY p.n SEPARATOR ', '),
               GROUP_CONCAT(CONCAT(p.name, ' = VALUES(', p.name, ')') ORDER BY p.n SEPARATOR ', ')
        INTO declared, named, columns_, updated
        FROM (SELECT n, type, CONCAT('`', REPLACE(name, '`', '``'), '`') AS name
              FROM JSON_TABLE(predictions, '$[*]' COLUMNS (
                  n FOR ORDINALITY, name varchar(190) PATH '$[0]', type text PATH '$[1]')) AS t) AS p;
        SET rows_ = CONCAT(
            'sqlscore_my_parts AS s JOIN JSON_TABLE(s.predicted, ''$[*]'' COLUMNS (',
            'sqlscore_n FOR ORDINALITY, ', declared, ')) AS p JOIN sqlscore_rows AS r ',
            'ON r.sqlscore_row = s.part * 4080 + p.sqlscore_n WHERE s.job = ', job);
        IF making IS NOT NULL THEN
            EXECUTE IMMEDIATE REPLACE(REPLACE(making, '{named}', named), '{rows}', rows_);
        END IF;
        SET reading = REPLACE(REPLACE(reading, '{updated}', updated), '{columns}', columns_);
        EXECUTE IMMEDIATE REPLACE(REPLACE(reading, '{named}', named), '{rows}', rows_);
        CALL sqlscore_queue_end(job);
        COMMIT;
        DROP TEMPORARY TABLE sqlscore_rows;
        SET SESSION group_concat_max_len = kept;
    END;
END $$

-- The rows of a table or a query, each with its predictions behind it.
CREATE OR REPLACE PROCEDURE sqlscore_predict(model varchar(400), query longtext)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    CALL sqlscore_queue_score(
        model, query, NULL, 'SELECT r.*, {named} FROM {rows} ORDER BY r.sqlscore_row');
END $$

-- Score a table or a query into a table, which is made where it is missing: a row that is there gets
-- the new predictions. The key's columns are separated by commas.
CREATE OR REPLACE PROCEDURE sqlscore_score(
    model varchar(400), source_query longtext, target varchar(190), `key` text
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE into_ text DEFAULT sqlscore_quoted(target);
    DECLARE keys_, plain text;
    DECLARE there int;
    SET plain = CONCAT('`', REGEXP_REPLACE(
        REPLACE(TRIM(`key`), '`', '``'), '\\s*,\\s*', '`, `'), '`');
    SET keys_ = CONCAT('r.', REPLACE(plain, '`, `', '`, r.`'));
    SELECT COUNT(*) INTO there FROM information_schema.tables AS t
    WHERE t.table_schema = IF(INSTR(target, '.'), SUBSTRING_INDEX(target, '.', 1), DATABASE())
      AND t.table_name = SUBSTRING_INDEX(target, '.', -1);
    CALL sqlscore_queue_score(
        model, source_query,
        IF(there, NULL, CONCAT('CREATE TABLE ', into_, ' (PRIMARY KEY (', plain, ')) SELECT ',
                               keys_, ', {named} FROM {rows} LIMIT 0')),
        CONCAT('INSERT INTO ', into_, ' (', plain, ', {columns}) SELECT ', keys_,
               ', {named} FROM {rows} ON DUPLICATE KEY UPDATE {updated}'));
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
GRANT EXECUTE ON PROCEDURE sqlscore_queue_submit TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_wait TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_queue_score TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_predict TO sqlscore_caller;
GRANT EXECUTE ON PROCEDURE sqlscore_score TO sqlscore_caller;
GRANT EXECUTE ON FUNCTION sqlscore_installed_version TO sqlscore_caller;
