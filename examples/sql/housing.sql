-- Prices of homes: columns renamed to the model's inputs in a CTE, one prediction by any name.
DROP TABLE IF EXISTS dbo.homes;
CREATE TABLE dbo.homes (home_id int PRIMARY KEY, rm float, age float, dis float, asked float);
INSERT INTO dbo.homes VALUES
    (1, 0.3, 0.9, 0.2, 40), (2, 0.8, 0.1, 0.4, 55), (3, 0.5, 0.5, 0.5, 61),
    (4, 0.9, 0.7, 0.1, 70), (5, 0.1, 0.2, 0.9, 30), (6, NULL, 0.2, 0.9, 30);
GO

DECLARE @model varbinary(max);
SELECT @model = content FROM kept_models WHERE id = 2;

WITH inputs AS (
    SELECT home_id, asked, CAST(rm AS real) AS rooms, CAST(age AS real) AS age_of_house,
        CAST(dis AS real) AS distance_to_work
    FROM dbo.homes
)
SELECT inputs.home_id, p.price, p.price - inputs.asked AS gain
FROM PREDICT(MODEL = @model, DATA = inputs, RUNTIME = ONNX) WITH (price float) AS p
ORDER BY inputs.home_id;
