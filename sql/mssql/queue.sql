-- sqlscore in SQL Server by a queue: a caller's own session evaluates its query, with its own rights, into
-- rows of the queue; `sqlscore worker`, outside, turns the rows into predictions; the caller's session
-- reads them. No text that a caller wrote ever reaches the worker.
--
--     DECLARE @job bigint;
--     EXEC sqlscore.submit @model = N'churn', @query = N'SELECT id, age, spend FROM customers', @job = @job OUTPUT;
--     EXEC sqlscore.wait @job = @job;          -- an error where the job failed, or is not done in time
--     EXEC sqlscore.result @job = @job;        -- the columns that feed no feature, then the predictions
--     EXEC sqlscore.cancel @job = @job;        -- takes it away; else workers do, a day after its end
--     EXEC sqlscore.score N'churn', N'SELECT id, age, spend FROM customers', N'dbo.scores', N'id';  -- all of it
--
-- Workers see a job when its transaction is committed: COMMIT between submit and wait.
--
-- Install: install.sql first. Callers are members of sqlscore_caller, workers of sqlscore_worker.
-- Workers take parts by UPDLOCK and READPAST, so that they never wait for each other.

IF DATABASE_PRINCIPAL_ID(N'sqlscore_worker') IS NULL
    CREATE ROLE sqlscore_worker;
GO

IF NOT EXISTS (SELECT 1 FROM sys.sequences AS s WHERE s.name = N'queue_numbers')
    CREATE SEQUENCE sqlscore.queue_numbers START WITH 1;
GO

-- One row a call; a job keeps the version that its model's name stood for when it came.
IF OBJECT_ID(N'sqlscore.queue_jobs') IS NULL
    CREATE TABLE sqlscore.queue_jobs (
        id bigint NOT NULL PRIMARY KEY,
        caller nvarchar(128) NOT NULL,
        model nvarchar(190) COLLATE Latin1_General_100_BIN2 NOT NULL,
        version int NOT NULL,
        sha256 nvarchar(64) NOT NULL,
        columns nvarchar(max) NOT NULL, -- JSON: the query's columns: name, type
        status nvarchar(16) NOT NULL, -- waiting, done, failed
        carried nvarchar(max) NULL, -- JSON: places of columns that feed no feature
        predictions nvarchar(max) NULL, -- JSON: [name, type] of each
        error nvarchar(max) NULL, -- why it failed, for the caller
        submitted_at datetime2(6) NOT NULL,
        finished_at datetime2(6) NULL
    );
GO

-- The rows of a job, some thousands in each part: what a worker takes, and gives back as a whole.
IF OBJECT_ID(N'sqlscore.queue_parts') IS NULL
    CREATE TABLE sqlscore.queue_parts (
        job bigint NOT NULL,
        part int NOT NULL,
        given nvarchar(max) NOT NULL, -- JSON: an array of values for each column
        predicted nvarchar(max) NULL, -- JSON: an array of values for each prediction
        status nvarchar(16) NOT NULL, -- waiting, taken, done
        attempts int NOT NULL, -- how often a worker took it
        worker nvarchar(200) NULL, -- host, process and its start
        heartbeat datetime2(6) NULL, -- of the worker; UTC
        PRIMARY KEY (job, part)
    );
GO

IF NOT EXISTS (SELECT 1 FROM sys.indexes AS i WHERE i.name = N'queue_parts_open')
    CREATE INDEX queue_parts_open ON sqlscore.queue_parts (status, part, job);
GO

GRANT SELECT, UPDATE, DELETE ON sqlscore.queue_jobs TO sqlscore_worker;
GRANT SELECT, UPDATE, DELETE ON sqlscore.queue_parts TO sqlscore_worker;
GRANT SELECT ON sqlscore.layout TO sqlscore_worker;
GRANT SELECT ON sqlscore.models TO sqlscore_worker;
GRANT SELECT ON sqlscore.model_parts TO sqlscore_worker;
GRANT SELECT ON sqlscore.aliases TO sqlscore_worker;
GO

-- Put the rows of a query before a model; the job's number, at once.
CREATE OR ALTER PROCEDURE sqlscore.submit
    @model nvarchar(400),
    @query nvarchar(max),
    @job bigint = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @name nvarchar(190), @version int, @sha256 nvarchar(64), @columns nvarchar(max),
        @values nvarchar(max), @empty nvarchar(max), @select nvarchar(max), @message nvarchar(2048);
    SELECT @name = m.name, @version = m.version, @sha256 = m.sha256
    FROM sqlscore.usable_model(@model) AS m;
    SET @message = CASE WHEN @name IS NULL THEN CONCAT(N'There is no model ', @model,
        N' that you may use. Who may grant it says: EXEC sqlscore.grant_model N''churn'', N''user or role''') END;
    IF @message IS NOT NULL
        THROW 50001, @message, 1;
    SELECT @message = MAX(c.error) FROM sqlscore.query_columns(@query) AS c;
    IF @message IS NOT NULL
        THROW 50002, @message, 1;
    SELECT @columns = CONCAT(N'[', STRING_AGG(CAST(CONCAT(N'{"name":"', STRING_ESCAPE(c.name, N'json'),
                N'","type":"', STRING_ESCAPE(c.declared, N'json'), N'"}') AS nvarchar(max)), N',')
                WITHIN GROUP (ORDER BY c.ordinal), N']'),
           @values = STRING_AGG(CAST(CONCAT(N'''', CASE WHEN c.ordinal = 1 THEN N'[' ELSE N',[' END,
                N''', STRING_AGG(COALESCE(',
                CASE WHEN c.kind IN (N'integer', N'number')
                     THEN CONCAT(N'CAST(', c.as_text, N' AS nvarchar(max))')
                     ELSE CONCAT(N'''"'' + STRING_ESCAPE(CAST(', c.as_text,
                          N' AS nvarchar(max)), ''json'') + ''"''') END,
                N', ''null''), '','') WITHIN GROUP (ORDER BY q.sqlscore_row), '']''') AS nvarchar(max)), N', ')
                WITHIN GROUP (ORDER BY c.ordinal),
           @empty = CONCAT(N'[', STRING_AGG(N'[]', N','), N']')
    FROM sqlscore.query_columns(@query) AS c;
    CREATE TABLE #sqlscore_parts (part int NOT NULL PRIMARY KEY, given nvarchar(max) NOT NULL);
    SET @select = CONCAT(
        N'INSERT INTO #sqlscore_parts (part, given) ',
        N'SELECT q.sqlscore_part, CONCAT(''['', ', @values, N', '']'') FROM (',
        N'SELECT n.*, CAST((n.sqlscore_row - n.sqlscore_row % 4080) / 4080 AS int) AS sqlscore_part FROM (',
        N'SELECT ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) - 1 AS sqlscore_row, s.* FROM (',
        @query, CHAR(10), N') AS s) AS n) AS q GROUP BY q.sqlscore_part;');
    EXEC sys.sp_executesql @select;
    INSERT INTO #sqlscore_parts (part, given)
    SELECT 0, @empty WHERE NOT EXISTS (SELECT 1 FROM #sqlscore_parts AS p WHERE p.part = 0);
    SET @job = NEXT VALUE FOR sqlscore.queue_numbers;
    BEGIN TRANSACTION;
    INSERT INTO sqlscore.queue_jobs (id, caller, model, version, sha256, columns, status, submitted_at)
    VALUES (@job, USER_NAME(), @name, @version, @sha256, @columns, N'waiting', SYSUTCDATETIME());
    INSERT INTO sqlscore.queue_parts (job, part, given, status, attempts)
    SELECT @job, p.part, p.given, N'waiting', 0 FROM #sqlscore_parts AS p;
    COMMIT TRANSACTION;
END;
GO

-- Wait until a job is done. An error where it failed, is nobody's or another's, or takes longer.
CREATE OR ALTER PROCEDURE sqlscore.wait @job bigint, @seconds int = 3600 AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @status nvarchar(16) = N'waiting', @message nvarchar(2048),
        @until datetime2(6) = DATEADD(second, @seconds, SYSUTCDATETIME());
    WHILE @status = N'waiting'
    BEGIN
        SET @status = NULL;
        SELECT @status = j.status, @message = j.error FROM sqlscore.queue_jobs AS j
        WHERE j.id = @job AND j.caller = USER_NAME();
        IF @status IS NULL
            THROW 50007, N'There is no such job of yours', 1;
        IF @status = N'failed'
            THROW 50008, @message, 1;
        IF @status = N'waiting' AND SYSUTCDATETIME() >= @until
            THROW 50009, N'The job is not done yet. Does a worker run? It is started by: sqlscore worker', 1;
        IF @status = N'waiting'
            WAITFOR DELAY '00:00:00.020';
    END;
END;
GO

-- The SELECT of a done job's rows, over its parts in #sqlscore_parts, which the caller of this has made.
CREATE OR ALTER PROCEDURE sqlscore.result_text @job bigint, @text nvarchar(max) = NULL OUTPUT AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @columns nvarchar(max), @carried nvarchar(max), @predictions nvarchar(max),
        @names nvarchar(max), @joins nvarchar(max);
    SELECT @columns = j.columns, @carried = j.carried, @predictions = j.predictions
    FROM sqlscore.queue_jobs AS j WHERE j.id = @job AND j.caller = USER_NAME();
    -- a column is a relation of part, row and value; all of them are joined
    SELECT @names = STRING_AGG(CAST(CONCAT(N'CAST(v', w.place, N'.[value] AS ', w.type, N') AS ',
                QUOTENAME(w.name)) AS nvarchar(max)), N', ') WITHIN GROUP (ORDER BY w.place),
           @joins = STRING_AGG(CAST(CONCAT(CASE WHEN w.place = 1 THEN N'' ELSE N' JOIN ' END,
                N'(SELECT p.part, CAST(o.[key] AS int) AS number, o.[value] FROM #sqlscore_parts AS p ',
                N'CROSS APPLY OPENJSON(p.', w.side, N', ''$[', w.position, N']'') AS o) AS v', w.place,
                CASE WHEN w.place = 1 THEN N'' ELSE CONCAT(N' ON v', w.place, N'.part = v1.part AND v',
                    w.place, N'.number = v1.number') END) AS nvarchar(max)), N'')
                WITHIN GROUP (ORDER BY w.place)
    FROM (
        SELECT ROW_NUMBER() OVER (ORDER BY u.side, u.position) AS place, u.side, u.position, u.name, u.type
        FROM (
            SELECT N'given' AS side, CAST(c.[value] AS int) AS position,
                   JSON_VALUE(@columns, CONCAT(N'$[', c.[value], N'].name')) AS name,
                   JSON_VALUE(@columns, CONCAT(N'$[', c.[value], N'].type')) AS type
            FROM OPENJSON(@carried, N'$') AS c
            UNION ALL
            SELECT N'predicted', CAST(p.[key] AS int), JSON_VALUE(p.[value], N'$[0]'),
                   JSON_VALUE(p.[value], N'$[1]')
            FROM OPENJSON(@predictions, N'$') AS p
        ) AS u
    ) AS w;
    SET @text = CONCAT(N'SELECT ', @names, N' FROM ', @joins);
END;
GO

-- The rows of a job that is done: the columns of the query that feed no feature, and the predictions.
CREATE OR ALTER PROCEDURE sqlscore.result @job bigint AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @text nvarchar(max);
    EXEC sqlscore.wait @job = @job, @seconds = 0;
    SELECT p.part, p.given, p.predicted INTO #sqlscore_parts
    FROM sqlscore.queue_parts AS p WHERE p.job = @job;
    EXEC sqlscore.result_text @job = @job, @text = @text OUTPUT;
    SET @text = CONCAT(@text, N' ORDER BY v1.part, v1.number;');
    EXEC sys.sp_executesql @text;
END;
GO

-- Take a job of the caller's away, whatever becomes of it.
CREATE OR ALTER PROCEDURE sqlscore.cancel @job bigint AS
BEGIN
    SET NOCOUNT ON;
    DELETE FROM sqlscore.queue_parts
    WHERE job = @job
      AND EXISTS (SELECT 1 FROM sqlscore.queue_jobs AS j WHERE j.id = @job AND j.caller = USER_NAME());
    DELETE FROM sqlscore.queue_jobs WHERE id = @job AND caller = USER_NAME();
END;
GO

-- Score a SELECT into a table: submit, wait and write, each committed by itself; so this must not stand
-- inside a transaction. @key names the key's columns, separated by commas; the query gives them as columns
-- that feed no feature. Two that write one table take turns, by sp_getapplock.
CREATE OR ALTER PROCEDURE sqlscore.score
    @model nvarchar(400),
    @source nvarchar(max),
    @target nvarchar(400),
    @key nvarchar(400),
    @mode nvarchar(16) = N'upsert',
    @seconds int = 86400
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job bigint, @named nvarchar(300), @lock nvarchar(255), @text nvarchar(max), @keys nvarchar(max),
        @from_keys nvarchar(max), @same nvarchar(max), @names nvarchar(max), @from_names nvarchar(max),
        @sets nvarchar(max), @write nvarchar(max);
    IF @@TRANCOUNT > 0 OR @@OPTIONS % 4 >= 2
        THROW 50010, N'EXEC sqlscore.score must not stand inside an open transaction: a worker cannot see rows before they are committed, and nothing of yours is committed unasked. COMMIT first (in drivers: autocommit on), or use submit, COMMIT, wait and result', 1;
    IF @mode NOT IN (N'upsert', N'append', N'update', N'replace')
        THROW 50011, N'The mode is none of upsert, append, update, replace', 1;
    SET @named = CONCAT(QUOTENAME(OBJECT_SCHEMA_NAME(OBJECT_ID(@target))), N'.', QUOTENAME(OBJECT_NAME(OBJECT_ID(@target))));
    IF OBJECT_ID(@target) IS NULL
        THROW 50012, N'There is no such target table. Make it first, with the key and a column for each prediction', 1;
    EXEC sqlscore.submit @model = @model, @query = @source, @job = @job OUTPUT;
    EXEC sqlscore.wait @job = @job, @seconds = @seconds;
    SELECT p.part, p.given, p.predicted INTO #sqlscore_parts
    FROM sqlscore.queue_parts AS p WHERE p.job = @job;
    EXEC sqlscore.result_text @job = @job, @text = @text OUTPUT;
    SELECT @keys = STRING_AGG(CAST(QUOTENAME(TRIM(k.value)) AS nvarchar(max)), N', '),
           @from_keys = STRING_AGG(CAST(CONCAT(N's.', QUOTENAME(TRIM(k.value))) AS nvarchar(max)), N', '),
           @same = STRING_AGG(CAST(CONCAT(N't.', QUOTENAME(TRIM(k.value)), N' = s.', QUOTENAME(TRIM(k.value)))
                AS nvarchar(max)), N' AND ')
    FROM STRING_SPLIT(@key, N',') AS k;
    SELECT @names = STRING_AGG(CAST(QUOTENAME(JSON_VALUE(p.[value], N'$[0]')) AS nvarchar(max)), N', '),
           @from_names = STRING_AGG(CAST(CONCAT(N's.', QUOTENAME(JSON_VALUE(p.[value], N'$[0]')))
                AS nvarchar(max)), N', '),
           @sets = STRING_AGG(CAST(CONCAT(N't.', QUOTENAME(JSON_VALUE(p.[value], N'$[0]')), N' = s.',
                QUOTENAME(JSON_VALUE(p.[value], N'$[0]'))) AS nvarchar(max)), N', ')
    FROM sqlscore.queue_jobs AS j
    CROSS APPLY OPENJSON(j.predictions, N'$') AS p
    WHERE j.id = @job;
    SET @lock = LEFT(CONCAT(N'sqlscore.score ', @named), 255);
    -- no MERGE: two plain statements say what they lock
    SET @write = CONCAT(
        N'SELECT r.* INTO #sqlscore_scored FROM (', @text, N') AS r; BEGIN TRANSACTION; ',
        N'EXEC sys.sp_getapplock @Resource = @lock, @LockMode = N''Exclusive'', @LockTimeout = 600000; ',
        N'IF APPLOCK_MODE(N''public'', @lock, N''Transaction'') <> N''Exclusive'' ',
        N'THROW 50013, N''Another call writes this table, for more than ten minutes'', 1; ',
        CASE WHEN @mode = N'replace' THEN CONCAT(N'DELETE FROM ', @named, N'; ') END,
        CASE WHEN @mode IN (N'upsert', N'update') THEN CONCAT(N'UPDATE t SET ', @sets, N' FROM ', @named,
            N' AS t WITH (UPDLOCK, HOLDLOCK) JOIN #sqlscore_scored AS s ON ', @same, N'; ') END,
        CASE WHEN @mode <> N'update' THEN CONCAT(N'INSERT INTO ', @named, N' (', @keys, N', ', @names,
            N') SELECT ', @from_keys, N', ', @from_names, N' FROM #sqlscore_scored AS s',
            CASE WHEN @mode = N'upsert' THEN CONCAT(N' WHERE NOT EXISTS (SELECT 1 FROM ', @named,
                N' AS t WITH (UPDLOCK, HOLDLOCK) WHERE ', @same, N')') END, N'; ') END,
        N'COMMIT TRANSACTION;');
    EXEC sys.sp_executesql @write, N'@lock nvarchar(255)', @lock = @lock;
    EXEC sqlscore.cancel @job = @job;
END;
GO

GRANT EXECUTE ON sqlscore.score TO sqlscore_caller;
GRANT EXECUTE ON sqlscore.result_text TO sqlscore_caller;
GRANT EXECUTE ON sqlscore.submit TO sqlscore_caller;
GRANT EXECUTE ON sqlscore.wait TO sqlscore_caller;
GRANT EXECUTE ON sqlscore.result TO sqlscore_caller;
GRANT EXECUTE ON sqlscore.cancel TO sqlscore_caller;
GO
