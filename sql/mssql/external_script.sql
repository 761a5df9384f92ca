-- EXEC sqlscore.predict: a query's rows with a model's predictions, by Machine Learning Services.
--
--     EXEC sqlscore.predict N'churn@production', N'SELECT id, age, spend FROM customers';
--     EXEC sqlscore.predict N'churn', N'…' WITH RESULT SETS ((id bigint, score real));
--     INSERT INTO scores (id, score) EXEC sqlscore.predict N'churn', N'…';
--
-- Gives the columns of the query that feed no feature, then the predictions. Features bind to columns by
-- name. A NULL is NaN where the model handles missing values for the feature, else the row's predictions
-- are NULL. The query is put into another one: it begins with SELECT, and says ORDER BY only with TOP.
--
-- Rows stream: the script gets @rows_per_read of them at a time. @parallel = 1 lets the server run several
-- scripts side by side; the rows' order is then any.
--
-- Install: install.sql first. The server needs Machine Learning Services with Python 3.7 or newer,
-- `sp_configure 'external scripts enabled', 1`, and for that Python: pip install onnxruntime pandas.
-- Callers need: ALTER ROLE sqlscore_caller ADD MEMBER …; GRANT EXECUTE ANY EXTERNAL SCRIPT TO …;
-- EXEC sqlscore.grant_model N'churn', N'…'; and SELECT on what their query reads.

CREATE OR ALTER PROCEDURE sqlscore.predict
    @model nvarchar(400),
    @query nvarchar(max),
    @rows_per_read int = 40800,
    @parallel bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @name nvarchar(190), @version int, @graph varbinary(max), @signature nvarchar(max),
        @given nvarchar(max), @declared nvarchar(max), @features nvarchar(max), @carried nvarchar(max),
        @carried_given nvarchar(max), @carried_declared nvarchar(max), @input nvarchar(max),
        @call nvarchar(max), @typed nvarchar(max);
    EXEC sqlscore.check_query @model = @model, @query = @query;
    SELECT @name = m.name, @version = m.version, @graph = m.graph, @signature = m.signature
    FROM sqlscore.usable_model(@model) AS m;
    SELECT @given = STRING_AGG(CAST(CONCAT(QUOTENAME(p.prediction), N' ', p.given, N' NULL')
                AS nvarchar(max)), N', ') WITHIN GROUP (ORDER BY p.ordinal),
           @declared = STRING_AGG(CAST(CONCAT(QUOTENAME(p.prediction), N' ', p.declared, N' NULL')
                AS nvarchar(max)), N', ') WITHIN GROUP (ORDER BY p.ordinal)
    FROM sqlscore.prepared_predictions AS p
    WHERE p.name = @name AND p.version = @version;
    -- integers travel as digits: the script would get a bigint as a float
    SELECT @features = STRING_AGG(CAST(CONCAT(
            N'CAST(', CASE WHEN f.kind = N'integer' THEN N'CAST(q.' ELSE N'q.' END, QUOTENAME(f.feature),
            CASE f.kind WHEN N'integer' THEN N' AS bigint) AS nvarchar(20))' WHEN N'text'
                THEN N' AS nvarchar(4000))' ELSE N' AS float)' END,
            N' AS ', QUOTENAME(CONCAT(N'sqlscore_', f.ordinal))) AS nvarchar(max)), N', ')
            WITHIN GROUP (ORDER BY f.ordinal)
    FROM sqlscore.prepared_features AS f
    WHERE f.name = @name AND f.version = @version;
    SELECT @carried = STRING_AGG(CAST(CONCAT(c.as_text, N' AS ', QUOTENAME(c.name), N', ')
                AS nvarchar(max)), N'') WITHIN GROUP (ORDER BY c.ordinal),
           @carried_given = STRING_AGG(CAST(CONCAT(QUOTENAME(c.name), N' nvarchar(max) NULL, ')
                AS nvarchar(max)), N'') WITHIN GROUP (ORDER BY c.ordinal),
           @carried_declared = STRING_AGG(CAST(CONCAT(QUOTENAME(c.name), N' ', c.declared, N' NULL, ')
                AS nvarchar(max)), N'') WITHIN GROUP (ORDER BY c.ordinal)
    FROM sqlscore.query_columns(@query) AS c
    WHERE NOT EXISTS (SELECT 1 FROM sqlscore.prepared_features AS f
                      WHERE f.name = @name AND f.version = @version AND f.feature = c.name);
    -- the query's last line may be a comment
    SET @input = CONCAT(N'SELECT ', @carried, @features, N' FROM (', @query, CHAR(10), N') AS q');
    -- two levels: the script gives texts and floats, the outer level makes them what they are
    SET @call = CONCAT(
        N'EXEC sys.sp_execute_external_script @language = N''Python'', @script = @script, ',
        N'@input_data_1 = @input, @parallel = @parallel, ',
        N'@params = N''@graph varbinary(max), @signature nvarchar(max), @r_rowsPerRead int'', ',
        N'@graph = @graph, @signature = @signature, @r_rowsPerRead = @rows_per_read ',
        N'WITH RESULT SETS ((', @carried_given, @given, N'));');
    SET @typed = CONCAT(
        N'EXEC sys.sp_executesql @call, N''@script nvarchar(max), @input nvarchar(max), @parallel bit, ',
        N'@graph varbinary(max), @signature nvarchar(max), @rows_per_read int'', @script = @script, ',
        N'@input = @input, @parallel = @parallel, @graph = @graph, @signature = @signature, ',
        N'@rows_per_read = @rows_per_read WITH RESULT SETS ((', @carried_declared, @declared, N'));');
    DECLARE @script nvarchar(max) = N'
import json
import numpy
import onnxruntime
import pandas

asked = json.loads(signature)
taken = [InputDataSet["sqlscore_%d" % i] for i in range(1, len(asked["features"]) + 1)]
carried = [name for name in InputDataSet.columns if not name.startswith("sqlscore_")]

# A row with a NULL that the model does not handle keeps its place, and its predictions are NULL.
kept = numpy.ones(len(InputDataSet), bool)
for feature, column in zip(asked["features"], taken):
    if not feature["missing"]:
        kept &= column.notnull().values

def values(feature, column):
    column = column[kept]
    if feature["kind"] == "text":
        return numpy.array(column, object)
    if feature["kind"] == "integer":
        return numpy.array([int(digits) for digits in column], feature["dtype"])
    with numpy.errstate(over="ignore"):
        return numpy.array(column, numpy.float64).astype(feature["dtype"])

columns = {}
for feature, column in zip(asked["features"], taken):
    columns.setdefault(feature["input"], []).append(values(feature, column))
tensors = {}
for one in asked["inputs"]:
    tensor = numpy.stack(columns[one["name"]], axis=1)
    tensors[one["name"]] = tensor if one["rank"] == 2 else tensor[:, 0]

# One thread, and slices padded to 16 rows: a row gives the same bits whatever rows are beside it.
# The session stays for the next rows of the same call.
sessions = onnxruntime.__dict__.setdefault("sqlscore_sessions", {})
if asked["sha256"] not in sessions:
    sessions.clear()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    sessions[asked["sha256"]] = onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"])
session = sessions[asked["sha256"]]
constants = {one["name"]: numpy.array(one["value"], one["dtype"]) for one in asked["constants"]}
wanted = [one["name"] for one in asked["outputs"]]

def run(start, stop):
    rows, padding = stop - start, 0 if asked["rowwise"] else -(stop - start) % 16
    feeds = {name: tensor[start:stop] for name, tensor in tensors.items()}
    if padding:
        feeds = {n: numpy.concatenate([t, numpy.repeat(t[-1:], padding, axis=0)]) for n, t in feeds.items()}
    feeds.update(constants)
    found = session.run(wanted, feeds)
    return [numpy.reshape(output, (rows + padding, -1))[:rows] for output in found]

rows, step = int(kept.sum()), 1 if asked["rowwise"] else 4080
parts = [run(start, min(start + step, rows)) for start in range(0, rows, step)]
outputs = {}
for place, name in enumerate(wanted):
    if parts:
        outputs[name] = numpy.concatenate([part[place] for part in parts])

def number(value):
    return value if value - value == 0 else None

def text(prediction, value):
    if prediction["kind"] == "list":
        return json.dumps([number(one) if isinstance(one, float) else one for one in value.tolist()])
    return str(int(value)) if prediction["kind"] == "integer" else str(value)

def column(prediction):
    whole = numpy.full(len(kept), None, object)
    if rows:
        found = outputs[prediction["output"]]
        if prediction["kind"] != "list":
            found = found[:, prediction["position"]]
        if prediction["kind"] == "number":
            whole = numpy.full(len(kept), numpy.nan)
            found = numpy.where(numpy.isfinite(found), found, numpy.nan)
        else:
            found = [text(prediction, value) for value in found]
        whole[kept] = found
    return pandas.Series(whole, dtype="float64" if prediction["kind"] == "number" else object)

OutputDataSet = InputDataSet[carried].reset_index(drop=True)
for place, prediction in enumerate(asked["predictions"]):
    OutputDataSet["sqlscore_prediction_%d" % place] = column(prediction)
';
    EXEC sys.sp_executesql @typed,
        N'@call nvarchar(max), @script nvarchar(max), @input nvarchar(max), @parallel bit,
          @graph varbinary(max), @signature nvarchar(max), @rows_per_read int',
        @call = @call, @script = @script, @input = @input, @parallel = @parallel,
        @graph = @graph, @signature = @signature, @rows_per_read = @rows_per_read;
END;
GO

GRANT EXECUTE ON sqlscore.predict TO sqlscore_caller;
GO
