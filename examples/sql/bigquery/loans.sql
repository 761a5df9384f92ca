-- Loan applications in BigQuery's words: a threshold of one's own, verdicts in a table.
DROP TABLE IF EXISTS loan_verdicts;
DROP TABLE IF EXISTS applications;
CREATE TABLE applications (
    application_id INT64 NOT NULL, amount FLOAT64, income FLOAT64, months_late FLOAT64
);
INSERT INTO applications (application_id, amount, income, months_late) VALUES
    (1, 0.9, 0.1, 0.8), (2, 0.2, 0.9, 0.0), (3, 0.5, 0.5, 0.5), (4, 0.7, 0.3, 0.1),
    (5, 0.1, 0.2, 0.9), (6, 0.6, 0.8, 0.3), (7, 0.4, 0.4, 0.4);

CREATE TABLE loan_verdicts AS
SELECT application_id, predicted_label AS verdict, predicted_risk AS risk
FROM ML.PREDICT(MODEL charge_off, TABLE applications, STRUCT(0.4 AS threshold));

SELECT verdict, COUNT(*) AS applications, AVG(risk) AS mean_risk
FROM loan_verdicts
GROUP BY verdict
ORDER BY verdict;
