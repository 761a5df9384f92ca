-- Taxi trips: a procedure that scores a set of trips, and one that scores the trip it is told.
DROP TABLE IF EXISTS trips;
CREATE TABLE trips (
    trip_id int PRIMARY KEY, passengers float, distance_km float, minutes float
);
INSERT INTO trips VALUES
    (1, 0.1, 0.9, 0.8), (2, 0.4, 0.1, 0.2), (3, 0.2, 0.6, 0.6), (4, 0.9, 0.3, 0.5),
    (5, 0.3, 0.5, 0.9), (6, 0.2, 0.2, 0.1);
GO

CREATE OR ALTER PROCEDURE predict_tips @shortest float = 0
AS
BEGIN
    SET NOCOUNT ON;
    SELECT d.trip_id, p.tipped, p.risk AS probability
    FROM PREDICT(
        MODEL = tipped, DATA = (SELECT * FROM trips WHERE distance_km >= @shortest) AS d,
        RUNTIME = ONNX
    ) WITH (tipped bigint, risk float) AS p
    ORDER BY d.trip_id;
END
GO

CREATE OR ALTER PROCEDURE predict_tip @passengers float, @distance float, @minutes float
AS
SELECT p.risk AS probability
FROM PREDICT(
    MODEL = tipped,
    DATA = (SELECT @passengers AS passengers, @distance AS distance_km, @minutes AS minutes) AS d
) WITH (risk float) AS p;
GO

EXEC predict_tip 0.2, @minutes = 0.6, @distance = 0.6;
EXEC predict_tips @shortest = 0.25;
