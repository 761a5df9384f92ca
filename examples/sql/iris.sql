-- Flowers told apart by a model whose bytes lie in a table.
DROP TABLE IF EXISTS dbo.flowers;
CREATE TABLE dbo.flowers (
    id int PRIMARY KEY, petal_length float, petal_width float, found_at nvarchar(20)
);
INSERT INTO dbo.flowers (id, petal_length, petal_width, found_at) VALUES
    (1, 1.4, 0.2, 'meadow'), (2, 1.6, 0.4, 'meadow'), (3, 4.5, 1.4, 'pond'),
    (4, 4.1, 1.2, 'pond'), (5, 5.9, 2.2, 'wood'), (6, 5.2, 1.9, 'wood'), (7, 5.0, 1.6, 'pond');
GO

DECLARE @model varbinary(max) = (SELECT content FROM kept_models WHERE title = 'iris');

SELECT d.id, d.found_at, p.label, p.probabilities_bristle
FROM PREDICT(
    MODEL = @model,
    DATA = (SELECT id, found_at, petal_length, petal_width FROM dbo.flowers) AS d,
    RUNTIME = ONNX
) WITH (label nvarchar(20), probabilities_bristle float) AS p
ORDER BY d.id;
GO
