-- Taxi trips in Oracle's words: features computed in USING, in a view, the likeliest tips first.
DROP VIEW IF EXISTS likely_tips;
DROP TABLE IF EXISTS taxi_trips;
CREATE TABLE taxi_trips (
    trip_id INTEGER PRIMARY KEY, passengers NUMBER, metres NUMBER, minutes NUMBER
);
INSERT INTO taxi_trips VALUES
    (1, 0.1, 900, 0.8), (2, 0.4, 100, 0.2), (3, 0.2, 600, 0.6), (4, 0.9, 300, 0.5),
    (5, 0.3, 500, 0.9), (6, 0.2, 200, 0.1);

CREATE VIEW likely_tips AS
SELECT trip_id,
    PREDICTION(tipped USING passengers, metres / 1000 AS distance_km, minutes) AS tipped,
    PREDICTION_PROBABILITY(
        tipped, 1 USING passengers, metres / 1000 AS distance_km, minutes
    ) AS probability
FROM taxi_trips;

SELECT trip_id, tipped, probability FROM likely_tips
WHERE probability > 0.1
ORDER BY probability DESC, trip_id
FETCH FIRST 3 ROWS ONLY;
