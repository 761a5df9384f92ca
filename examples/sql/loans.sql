-- Loan applications: risks written to a table, then those that somebody must look at.
DROP TABLE IF EXISTS loan_risks;
DROP TABLE IF EXISTS loan_applications;
CREATE TABLE loan_applications (
    id int PRIMARY KEY, amount float NOT NULL, income float NOT NULL, months_late float NOT NULL
);
CREATE TABLE loan_risks (id int PRIMARY KEY, risk float, verdict nvarchar(10));
INSERT INTO loan_applications (id, amount, income, months_late) VALUES
    (1, 0.9, 0.1, 0.8), (2, 0.2, 0.9, 0.0), (3, 0.5, 0.5, 0.5), (4, 0.7, 0.3, 0.1),
    (5, 0.1, 0.2, 0.9), (6, 0.6, 0.8, 0.3), (7, 0.4, 0.4, 0.4);
GO

INSERT INTO loan_risks (id, risk, verdict)
SELECT d.id, p.risk, CASE WHEN p.risk >= 0.5 THEN 'look' ELSE 'grant' END
FROM PREDICT(MODEL = charge_off, DATA = loan_applications AS d, RUNTIME = ONNX)
    WITH (risk float NOT NULL) AS p;
PRINT CAST(@@ROWCOUNT AS nvarchar(10)) + ' applications scored';
GO

SELECT a.id, r.risk
FROM loan_applications AS a
JOIN loan_risks AS r ON r.id = a.id
WHERE r.verdict = 'look'
ORDER BY r.risk DESC, a.id;
