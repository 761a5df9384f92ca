-- Demand for rented skis in BigQuery's words: a view over ML.PREDICT, summed up by season.
DROP VIEW IF EXISTS rentals_by_day;
DROP TABLE IF EXISTS ski_days;
CREATE TABLE ski_days (
    day_id INT64 NOT NULL, weekday FLOAT64, month_of_year FLOAT64, temperature FLOAT64
);
INSERT INTO ski_days (day_id, weekday, month_of_year, temperature) VALUES
    (1, 0.1, 0.05, 0.3), (2, 0.9, 0.10, 0.2), (3, 0.5, 0.35, 0.5), (4, 0.2, 0.70, 0.9),
    (5, 0.8, 0.95, 0.1), (6, 0.6, 0.50, 0.4);

CREATE VIEW rentals_by_day AS
SELECT day_id, month_of_year, predicted_pairs AS pairs
FROM ML.PREDICT(MODEL rentals, TABLE ski_days);

WITH by_season AS (
    SELECT IF(month_of_year < 0.4, 'early', 'late') AS season, pairs FROM rentals_by_day
)
SELECT season, COUNT(*) AS days, SUM(pairs) AS pairs
FROM by_season
GROUP BY season
ORDER BY season;
