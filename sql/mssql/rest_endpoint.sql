-- EXEC sqlscore.predict_rest: a query's rows with a model's predictions, by `sqlscore serve` over HTTPS.
-- Azure SQL Database, Managed Instance, SQL Server 2025.
--
--     EXEC sqlscore.predict_rest N'churn@production', N'SELECT id, age, spend FROM customers';
--
-- Gives what sqlscore.predict gives. The query runs here, with the caller's rights; what leaves the
-- database are the model's name and the features' values, @batch_rows of them at a time, or fewer where
-- they would be more than the procedure may send.
--
-- Install: install.sql first. Then, once, with the address and the key that `sqlscore serve` was given:
--
--     CREATE DATABASE SCOPED CREDENTIAL [https://score.example.com]
--         WITH IDENTITY = 'HTTPEndpointHeaders', SECRET = '{"X-Sqlscore-Key": "…"}';
--     EXEC sqlscore.use_endpoint N'https://score.example.com/predict', N'https://score.example.com';
--     GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::[https://score.example.com] TO sqlscore_caller;
--     GRANT EXECUTE ANY EXTERNAL ENDPOINT TO sqlscore_caller;
--
-- On SQL Server 2025 also: EXEC sp_configure 'external rest endpoint enabled', 1; RECONFIGURE;

IF OBJECT_ID(N'sqlscore.rest_endpoint') IS NULL
    CREATE TABLE sqlscore.rest_endpoint (
        number int NOT NULL PRIMARY KEY CHECK (number = 1),
        url nvarchar(4000) NOT NULL,
        credential nvarchar(128) NOT NULL
    );
GO

CREATE OR ALTER PROCEDURE sqlscore.use_endpoint @url nvarchar(4000), @credential nvarchar(128) AS
BEGIN
    SET NOCOUNT ON;
    DELETE FROM sqlscore.rest_endpoint WHERE number = 1;
    INSERT INTO sqlscore.rest_endpoint (number, url, credential) VALUES (1, @url, @credential);
END;
GO

-- The rows of #sqlscore_rows, sent in batches; the answers go into #sqlscore_predicted. @select is a
-- SELECT that makes one batch's request. Called by sqlscore.predict_rest, which makes the tables.
CREATE OR ALTER PROCEDURE sqlscore.send_rows @select nvarchar(max), @batch_rows int, @most_bytes int AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @low bigint = 0, @high bigint, @rows bigint, @payload nvarchar(max), @response nvarchar(max),
        @url nvarchar(4000), @credential nvarchar(128), @status int, @message nvarchar(2048);
    SELECT @url = e.url, @credential = e.credential FROM sqlscore.rest_endpoint AS e;
    IF @url IS NULL
        THROW 50005, N'No endpoint is known. Somebody who may says: EXEC sqlscore.use_endpoint', 1;
    SELECT @rows = COUNT_BIG(*) FROM #sqlscore_rows;
    WHILE @low < @rows
    BEGIN
        SET @high = @low + @batch_rows;
        EXEC sys.sp_executesql @select, N'@low bigint, @high bigint, @payload nvarchar(max) OUTPUT',
            @low = @low, @high = @high, @payload = @payload OUTPUT;
        IF DATALENGTH(@payload) > @most_bytes AND @batch_rows > 1
        BEGIN
            SET @batch_rows = @batch_rows / 2;
        END
        ELSE
        BEGIN
            EXEC sys.sp_invoke_external_rest_endpoint @url = @url, @method = N'POST',
                @payload = @payload, @credential = @credential, @timeout = 230,
                @response = @response OUTPUT;
            SET @status = JSON_VALUE(@response, N'$.response.status.http.code');
            SET @message = CASE WHEN @status = 200 THEN NULL ELSE CONCAT(N'The endpoint answered ', @status,
                N': ', JSON_VALUE(@response, N'$.result.error')) END;
            IF @message IS NOT NULL
                THROW 50006, @message, 1;
            INSERT INTO #sqlscore_predicted (prediction, sqlscore_row, value)
            SELECT CAST(p.[key] AS int) + 1, @low + CAST(v.[key] AS bigint), v.[value]
            FROM OPENJSON(@response, N'$.result.predictions') AS p
            CROSS APPLY OPENJSON(p.[value]) AS v;
            SET @low = @high;
        END;
    END;
END;
GO

CREATE OR ALTER PROCEDURE sqlscore.predict_rest
    @model nvarchar(400),
    @query nvarchar(max),
    @batch_rows int = 20000,
    @most_bytes int = 64000000 -- of a request: 100 MB of UTF-8 may be sent, and two bytes here are at most three there
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @name nvarchar(190), @version int, @head nvarchar(max), @values nvarchar(max),
        @select nvarchar(max), @carried nvarchar(max), @given nvarchar(max), @joins nvarchar(max),
        @call nvarchar(max);
    EXEC sqlscore.check_query @model = @model, @query = @query;
    SELECT @name = m.name, @version = m.version FROM sqlscore.usable_model(@model) AS m;
    -- "age":[41,null,…]: numbers with all of their digits, texts as JSON has them
    SELECT @values = STRING_AGG(CAST(CONCAT(
            N''',"', REPLACE(STRING_ESCAPE(f.feature, N'json'), N'''', N''''''), N'":['', ',
            N'STRING_AGG(COALESCE(',
            CASE f.kind WHEN N'text' THEN CONCAT(N'''"'' + STRING_ESCAPE(CAST(r.', QUOTENAME(f.feature),
                    N' AS nvarchar(max)), ''json'') + ''"''')
                WHEN N'integer' THEN CONCAT(N'CAST(CAST(r.', QUOTENAME(f.feature),
                    N' AS bigint) AS nvarchar(max))')
                ELSE CONCAT(N'CONVERT(nvarchar(max), CAST(r.', QUOTENAME(f.feature), N' AS float), 3)') END,
            N', ''null''), '','') WITHIN GROUP (ORDER BY r.sqlscore_row), '']''') AS nvarchar(max)), N', ')
            WITHIN GROUP (ORDER BY f.ordinal)
    FROM sqlscore.prepared_features AS f
    WHERE f.name = @name AND f.version = @version;
    -- the list's first comma goes
    SET @head = REPLACE(STRING_ESCAPE(CONCAT(@name, N':', @version), N'json'), N'''', N'''''');
    SET @select = CONCAT(N'SELECT @payload = CONCAT(''{"model":"', @head, N'","columns":{'', ',
        STUFF(@values, 1, 2, N''''), N', ''}}'') FROM #sqlscore_rows AS r ',
        N'WHERE r.sqlscore_row >= @low AND r.sqlscore_row < @high;');
    SELECT @carried = STRING_AGG(CAST(CONCAT(N'r.', QUOTENAME(c.name), N', ') AS nvarchar(max)), N'')
            WITHIN GROUP (ORDER BY c.ordinal)
    FROM sqlscore.query_columns(@query) AS c
    WHERE NOT EXISTS (SELECT 1 FROM sqlscore.prepared_features AS f
                      WHERE f.name = @name AND f.version = @version AND f.feature = c.name);
    SELECT @given = STRING_AGG(CAST(CONCAT(N'CAST(p', p.ordinal, N'.value AS ', p.declared, N') AS ',
                QUOTENAME(p.prediction)) AS nvarchar(max)), N', ') WITHIN GROUP (ORDER BY p.ordinal),
           @joins = STRING_AGG(CAST(CONCAT(N' LEFT JOIN #sqlscore_predicted AS p', p.ordinal, N' ON p',
                p.ordinal, N'.prediction = ', p.ordinal, N' AND p', p.ordinal,
                N'.sqlscore_row = r.sqlscore_row') AS nvarchar(max)), N'') WITHIN GROUP (ORDER BY p.ordinal)
    FROM sqlscore.prepared_predictions AS p
    WHERE p.name = @name AND p.version = @version;
    SET @call = CONCAT(
        N'SELECT ROW_NUMBER() OVER (ORDER BY (SELECT NULL)) - 1 AS sqlscore_row, q.* INTO #sqlscore_rows ',
        N'FROM (', @query, CHAR(10), N') AS q; ',
        N'CREATE TABLE #sqlscore_predicted (prediction int NOT NULL, sqlscore_row bigint NOT NULL, ',
        N'value nvarchar(max) NULL, PRIMARY KEY (prediction, sqlscore_row)); ',
        N'EXEC sqlscore.send_rows @select = @select, @batch_rows = @batch_rows, @most_bytes = @most_bytes; ',
        N'SELECT ', @carried, @given, N' FROM #sqlscore_rows AS r', @joins,
        N' ORDER BY r.sqlscore_row;');
    EXEC sys.sp_executesql @call, N'@select nvarchar(max), @batch_rows int, @most_bytes int',
        @select = @select, @batch_rows = @batch_rows, @most_bytes = @most_bytes;
END;
GO

GRANT EXECUTE ON sqlscore.predict_rest TO sqlscore_caller;
GO

GRANT EXECUTE ON sqlscore.send_rows TO sqlscore_caller;
GO
