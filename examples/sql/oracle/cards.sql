-- Payments by card in Oracle's words: suspicious ones merged into those that are watched.
DROP TABLE IF EXISTS watched;
DROP TABLE IF EXISTS card_payments;
CREATE TABLE card_payments (
    payment INTEGER PRIMARY KEY, card INTEGER, amount NUMBER, hour_of_day NUMBER,
    km_from_home NUMBER
);
CREATE TABLE watched (payment INTEGER PRIMARY KEY, risk NUMBER);
INSERT INTO card_payments VALUES
    (1, 7, 0.9, 0.1, 0.9), (2, 7, 0.1, 0.5, 0.1), (3, 8, 0.8, 0.9, 0.7), (4, 8, 0.5, 0.5, 0.5),
    (5, 9, 0.95, 0.2, 0.6), (6, 9, 0.7, 0.3, 0.2);
INSERT INTO watched VALUES (2, 1);

MERGE INTO watched w
USING (
    SELECT payment, PREDICTION_PROBABILITY(fraud, 1 USING *) AS risk FROM card_payments
) p ON (w.payment = p.payment)
WHEN MATCHED THEN UPDATE SET w.risk = p.risk
WHEN NOT MATCHED THEN INSERT (payment, risk) VALUES (p.payment, p.risk) WHERE p.risk > 0.5;

SELECT payment, risk FROM watched ORDER BY payment;
