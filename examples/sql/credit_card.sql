-- Payments by card: the last ones into a temporary table, the suspicious ones kept once.
DROP TABLE IF EXISTS suspicions;
DROP TABLE IF EXISTS payments;
CREATE TABLE payments (
    payment int PRIMARY KEY, card int, amount float, hour_of_day float, km_from_home float
);
CREATE TABLE suspicions (payment int PRIMARY KEY, risk float);
INSERT INTO payments VALUES
    (1, 7, 0.9, 0.1, 0.9), (2, 7, 0.1, 0.5, 0.1), (3, 8, 0.8, 0.9, 0.7), (4, 8, 0.5, 0.5, 0.5),
    (5, 9, 0.95, 0.2, 0.6), (6, 9, 0.7, 0.3, 0.2);
INSERT INTO suspicions VALUES (3, 0);
GO

DECLARE @since int = 2;
SELECT payment, amount, hour_of_day, km_from_home INTO #last FROM payments WHERE payment >= @since;

MERGE INTO suspicions AS t
USING PREDICT(MODEL = 'fraud:1', DATA = #last AS d, RUNTIME = ONNX) WITH (risk float) AS p
    ON t.payment = d.payment
WHEN MATCHED THEN UPDATE SET risk = p.risk
WHEN NOT MATCHED AND p.risk > 0.5 THEN INSERT (payment, risk) VALUES (d.payment, p.risk);

IF EXISTS (SELECT 1 FROM suspicions WHERE risk > 0.5)
    PRINT 'there are payments to look at';
SELECT payment, risk FROM suspicions ORDER BY payment;
