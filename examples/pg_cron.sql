-- PostgreSQL alone: the model is a view, and pg_cron writes its rows out every night. For models
-- that have a SQL form (linear models, trees, small networks); no row leaves the database.
--
-- Make the view anew whenever the alias moves:
--   (echo 'CREATE OR REPLACE VIEW churn_now AS'
--    sqlscore compile churn@production --dialect postgres --table customers --key id) | psql shop

CREATE TABLE IF NOT EXISTS churn_scores (id bigint PRIMARY KEY, score real);

SELECT cron.schedule('churn-nightly', '15 2 * * *', $$
    INSERT INTO churn_scores (id, score)
    SELECT id, score FROM churn_now
    ON CONFLICT (id) DO UPDATE SET score = excluded.score
    WHERE churn_scores.score IS DISTINCT FROM excluded.score
$$);

-- predictions whose customer is gone
SELECT cron.schedule('churn-weekly', '45 3 * * 0', $$
    DELETE FROM churn_scores s WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = s.id)
$$);
