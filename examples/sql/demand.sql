-- Demand for rented skis: a view over PREDICT, summed up by season in the database.
DROP VIEW IF EXISTS expected_rentals;
DROP TABLE IF EXISTS opening_days;
DROP TABLE IF EXISTS seasons;
CREATE TABLE seasons (season nvarchar(10) PRIMARY KEY, first_month float, last_month float);
INSERT INTO seasons VALUES ('early', 0.0, 0.4), ('late', 0.4, 1.0);
CREATE TABLE opening_days (
    day_id int PRIMARY KEY, weekday float, month_of_year float, temperature float
);
INSERT INTO opening_days VALUES
    (1, 0.1, 0.05, 0.3), (2, 0.9, 0.10, 0.2), (3, 0.5, 0.35, 0.5), (4, 0.2, 0.70, 0.9),
    (5, 0.8, 0.95, 0.1), (6, 0.6, 0.50, 0.4);
GO

CREATE VIEW expected_rentals AS
SELECT d.day_id, d.month_of_year, p.pairs
FROM PREDICT(MODEL = rentals, DATA = opening_days AS d, RUNTIME = ONNX) WITH (pairs float) AS p;
GO

SELECT s.season, COUNT(*) AS days, SUM(e.pairs) AS pairs
FROM expected_rentals AS e
JOIN seasons AS s ON e.month_of_year >= s.first_month AND e.month_of_year < s.last_month
GROUP BY s.season
ORDER BY s.season;
