-- Drop the tables that sqlscore owns: all models, runs and rights. Run uninstall.sql first.
--
--     sqlcmd -d shop -b -i purge.sql
--
-- They are all tables of the schema sqlscore, those that a run left staged among them. It refuses where
-- something else lies in the schema.

DECLARE @drops nvarchar(max);
SELECT @drops = STRING_AGG(CAST(CONCAT(N'DROP TABLE sqlscore.', QUOTENAME(t.name), N';') AS nvarchar(max)), N' ')
FROM sys.tables AS t
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE s.name = N'sqlscore';
IF @drops IS NOT NULL
    EXEC sys.sp_executesql @drops;
GO

DROP SCHEMA IF EXISTS sqlscore;
GO
