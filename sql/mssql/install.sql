-- sqlscore in SQL Server 2017 and newer, Azure SQL and Managed Instance: what all doors need.
--
-- `sqlscore install` runs this, then the doors that the server has. By hand, as a member of db_owner,
-- with sqlcmd, after the tables that hold models (sqlscore init --print-sql):
--
--     sqlcmd -d shop -b -i install.sql
--     sqlcmd -d shop -b -i external_script.sql     -- with Machine Learning Services (Python)
--     sqlcmd -d shop -b -i rest_endpoint.sql       -- with sp_invoke_external_rest_endpoint
--     sqlcmd -d shop -b -i queue.sql               -- with `sqlscore worker` somewhere
--
-- Run over an older version, this upgrades it. uninstall.sql takes it away.
--
-- Rights. A caller needs EXECUTE on the procedures, which the role sqlscore_caller has, and a row in
-- sqlscore.model_rights. The query that a caller passes is text that runs with the caller's own rights:
-- no procedure here says EXECUTE AS. Tables of sqlscore need no GRANT: procedures and tables have one
-- owner.

IF OBJECT_ID(N'sqlscore.model_parts') IS NULL
    THROW 50000, N'There are no tables of sqlscore in the schema sqlscore here. Make them first: sqlscore init', 1;
GO

IF DATABASE_PRINCIPAL_ID(N'sqlscore_caller') IS NULL
    CREATE ROLE sqlscore_caller;
GO

-- Who may use which model; '*' is every one. A grantee is a user or a role.
IF OBJECT_ID(N'sqlscore.model_rights') IS NULL
    CREATE TABLE sqlscore.model_rights (
        model nvarchar(190) COLLATE Latin1_General_100_BIN2 NOT NULL,
        grantee nvarchar(128) NOT NULL,
        PRIMARY KEY (model, grantee)
    );
GO

-- Versions as they run: `sqlscore install` writes them, again for models that came later.
IF OBJECT_ID(N'sqlscore.prepared_models') IS NULL
    CREATE TABLE sqlscore.prepared_models (
        name nvarchar(190) COLLATE Latin1_General_100_BIN2 NOT NULL,
        version int NOT NULL,
        graph varbinary(max) NOT NULL,
        signature nvarchar(max) NOT NULL, -- JSON: what the script needs to know
        PRIMARY KEY (name, version)
    );
GO

IF OBJECT_ID(N'sqlscore.prepared_features') IS NULL
    CREATE TABLE sqlscore.prepared_features (
        name nvarchar(190) COLLATE Latin1_General_100_BIN2 NOT NULL,
        version int NOT NULL,
        ordinal int NOT NULL,
        feature nvarchar(128) NOT NULL,
        kind nvarchar(16) NOT NULL, -- number, integer or text
        PRIMARY KEY (name, version, ordinal)
    );
GO

IF OBJECT_ID(N'sqlscore.prepared_predictions') IS NULL
    CREATE TABLE sqlscore.prepared_predictions (
        name nvarchar(190) COLLATE Latin1_General_100_BIN2 NOT NULL,
        version int NOT NULL,
        ordinal int NOT NULL,
        prediction nvarchar(128) NOT NULL,
        given nvarchar(128) NOT NULL, -- the type that a script gives
        declared nvarchar(128) NOT NULL, -- its own type
        PRIMARY KEY (name, version, ordinal)
    );
GO

-- The version that churn, churn:3 or churn@production names, if the caller may use it.
CREATE OR ALTER FUNCTION sqlscore.usable_model(@model nvarchar(400)) RETURNS TABLE AS
RETURN (
    SELECT TOP (1) m.name, m.version, m.sha256, p.graph, p.signature
    FROM sqlscore.models AS m
    LEFT JOIN sqlscore.prepared_models AS p ON p.name = m.name AND p.version = m.version
    WHERE m.removed_at IS NULL
      AND (m.name = @model
           OR CONCAT(m.name, N':', m.version) = @model
           OR EXISTS (SELECT 1 FROM sqlscore.aliases AS a
                      WHERE a.name = m.name AND a.version = m.version
                        AND CONCAT(a.name, N'@', a.alias) = @model))
      AND (IS_ROLEMEMBER(N'db_owner') = 1
           OR EXISTS (SELECT 1 FROM sqlscore.model_rights AS r
                      WHERE r.model IN (m.name, N'*')
                        AND (r.grantee = USER_NAME() OR IS_ROLEMEMBER(r.grantee) = 1)))
    ORDER BY m.version DESC
);
GO

-- The columns of a query: what each is for a model, how it is written as text that keeps its value, and
-- the type that a result gives it again. No row is read.
CREATE OR ALTER FUNCTION sqlscore.query_columns(@query nvarchar(max)) RETURNS TABLE AS
RETURN (
    SELECT c.column_ordinal AS ordinal, c.name, c.error_message AS error,
           CASE WHEN c.system_type_name LIKE N'%int' OR c.system_type_name = N'bit' THEN N'integer'
                WHEN c.system_type_name IN (N'real', N'float') OR c.system_type_name LIKE N'decimal%'
                     OR c.system_type_name LIKE N'numeric%' OR c.system_type_name LIKE N'%money'
                THEN N'number'
                WHEN c.system_type_name LIKE N'%char%' OR c.system_type_name LIKE N'%text' THEN N'text'
                ELSE N'other' END AS kind,
           CASE WHEN c.system_type_name IN (N'real', N'float')
                THEN CONCAT(N'CONVERT(nvarchar(4000), q.', QUOTENAME(c.name), N', 3)')
                WHEN c.system_type_name LIKE N'date%' OR c.system_type_name LIKE N'time(%'
                     OR c.system_type_name = N'smalldatetime'
                THEN CONCAT(N'CONVERT(nvarchar(4000), q.', QUOTENAME(c.name), N', 126)')
                WHEN c.system_type_name LIKE N'%binary%'
                THEN CONCAT(N'CONVERT(nvarchar(max), q.', QUOTENAME(c.name), N', 1)')
                WHEN c.system_type_name LIKE N'%(max)' OR c.system_type_name LIKE N'%text'
                THEN CONCAT(N'CAST(q.', QUOTENAME(c.name), N' AS nvarchar(max))')
                ELSE CONCAT(N'CAST(q.', QUOTENAME(c.name), N' AS nvarchar(4000))') END AS as_text,
           CASE WHEN c.system_type_name LIKE N'%binary%' OR c.system_type_name LIKE N'%text'
                     OR c.system_type_name IN (N'image', N'timestamp', N'xml')
                THEN N'nvarchar(max)' ELSE c.system_type_name END AS declared
    FROM sys.dm_exec_describe_first_result_set(@query, NULL, 0) AS c
);
GO

-- Let a user or a role use a model: EXEC sqlscore.grant_model N'churn', N'analysts'.
CREATE OR ALTER PROCEDURE sqlscore.grant_model @model nvarchar(190), @grantee nvarchar(128) AS
BEGIN
    SET NOCOUNT ON;
    IF DATABASE_PRINCIPAL_ID(@grantee) IS NULL
        THROW 50004, N'There is no such user or role in this database', 1;
    INSERT INTO sqlscore.model_rights (model, grantee)
    SELECT @model, @grantee
    WHERE NOT EXISTS (SELECT 1 FROM sqlscore.model_rights AS r
                      WHERE r.model = @model AND r.grantee = @grantee);
END;
GO

CREATE OR ALTER PROCEDURE sqlscore.revoke_model @model nvarchar(190), @grantee nvarchar(128) AS
BEGIN
    SET NOCOUNT ON;
    DELETE FROM sqlscore.model_rights WHERE model = @model AND grantee = @grantee;
END;
GO

-- What must hold before a query is scored: the model is there and prepared, the query has a column of the
-- right kind for each feature. An error says what does not.
CREATE OR ALTER PROCEDURE sqlscore.check_query @model nvarchar(400), @query nvarchar(max) AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @name nvarchar(190), @version int, @prepared int, @message nvarchar(2048);
    SELECT @name = m.name, @version = m.version,
           @prepared = CASE WHEN m.signature IS NULL THEN 0 ELSE 1 END
    FROM sqlscore.usable_model(@model) AS m;
    SET @message = CASE
        WHEN @name IS NULL THEN CONCAT(N'There is no model ', @model, N' that you may use. Who may grant it '
            , N'says: EXEC sqlscore.grant_model N''churn'', N''user or role''')
        WHEN @prepared = 0 THEN CONCAT(N'Version ', @version, N' of ', @name, N' is not prepared for calls '
            , N'inside the server, or cannot be. Run: sqlscore install') END;
    IF @message IS NOT NULL
        THROW 50001, @message, 1;
    SELECT @message = MAX(c.error) FROM sqlscore.query_columns(@query) AS c;
    IF @message IS NOT NULL
        THROW 50002, @message, 1;
    SELECT @message = CONCAT(N'The query has no column for these features of ', @model, N': ',
        STRING_AGG(CAST(QUOTENAME(f.feature) AS nvarchar(max)), N', '))
    FROM sqlscore.prepared_features AS f
    WHERE f.name = @name AND f.version = @version
      AND NOT EXISTS (SELECT 1 FROM sqlscore.query_columns(@query) AS c WHERE c.name = f.feature)
    HAVING COUNT(*) > 0;
    IF @message IS NOT NULL
        THROW 50003, @message, 1;
    SELECT @message = CONCAT(N'These features of ', @model, N' take another kind of value: ',
        STRING_AGG(CAST(CONCAT(QUOTENAME(f.feature), N' (', f.kind, N', not ', c.kind, N')')
            AS nvarchar(max)), N', '))
    FROM sqlscore.prepared_features AS f
    JOIN sqlscore.query_columns(@query) AS c ON c.name = f.feature
    WHERE f.name = @name AND f.version = @version AND f.kind <> c.kind
      AND NOT (f.kind = N'number' AND c.kind = N'integer')
    HAVING COUNT(*) > 0;
    IF @message IS NOT NULL
        THROW 50003, @message, 1;
END;
GO

CREATE OR ALTER FUNCTION sqlscore.installed_version() RETURNS TABLE AS
RETURN (SELECT N'0.1.0' AS version);
GO
