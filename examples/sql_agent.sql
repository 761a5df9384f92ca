-- A job of SQL Server's Agent, every night at a quarter past two. The step runs on the Agent's
-- machine as the proxy's account, with the variable SHOP_DB of that account.
USE msdb;
GO
EXEC dbo.sp_add_job
    @job_name = N'sqlscore nightly',
    @description = N'Scores the customers. A step that failed goes on where it stopped.';
-- 6: done, with rows in quarantine
EXEC dbo.sp_add_jobstep
    @job_name = N'sqlscore nightly',
    @step_name = N'score',
    @subsystem = N'PowerShell',
    @proxy_name = N'sqlscore',
    @command = N'
Set-Location C:\sqlscore
sqlscore job run nightly --log text
if (0, 6 -notcontains $LASTEXITCODE) { throw "sqlscore ended with $LASTEXITCODE" }',
    @retry_attempts = 3,
    @retry_interval = 5,
    @output_file_name = N'C:\sqlscore\jobs.log',
    @flags = 2;
EXEC dbo.sp_add_jobschedule
    @job_name = N'sqlscore nightly',
    @name = N'nightly',
    @freq_type = 4,
    @freq_interval = 1,
    @active_start_time = 021500;
EXEC dbo.sp_add_jobserver
    @job_name = N'sqlscore nightly';
GO
