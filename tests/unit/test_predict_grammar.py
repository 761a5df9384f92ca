"""The grammar: what is parsed is written back, and read again as the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlscore.errors import StatementError
from sqlscore.predict import grammar
from sqlscore.predict.tree import Predict, predicts


def parsed(text: str):
    return grammar.parse(grammar.tokens_of(text), text)


names = st.sampled_from(["d", "p", "t1", "Scores", "[a b]", "[order]", '"quoted"', "x_1", "Łódź"])
types = st.sampled_from(
    ["float", "real", "bigint", "int", "bit", "decimal(10, 2)", "nvarchar(max)", "varchar(20)"]
)


def cased(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.lower(), word.title()])


@st.composite
def columns(draw: st.DrawFn) -> str:
    collate = draw(st.sampled_from(["", " COLLATE Latin1_General_CI_AS"]))
    null = draw(st.sampled_from(["", " NULL", " NOT NULL"]))
    return f"{draw(names)} {draw(types)}{collate}{null}"


@st.composite
def alias(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["", " ", " AS "])).replace(" ", " ", 1)


def aliased(draw: st.DrawFn) -> str:
    name = draw(st.none() | names)
    return "" if name is None else draw(st.sampled_from([" ", " AS "])) + name


def model(draw: st.DrawFn) -> str:
    kinds = ["@m", "0x0AFF", "churn", "[churn]", "'churn@production'", "'churn:3'"]
    subquery = f"(SELECT model FROM {draw(names)} WHERE id = 1)"
    return draw(st.sampled_from([*kinds, subquery]))


def data(draw: st.DrawFn, depth: int) -> str:
    table = draw(names)
    forms = [table, f"dbo.{table}", f"[db].[dbo].{table}", "#t1", "#Scores", "@t"]
    if depth:
        forms += [f"(SELECT a, b AS c FROM {source(draw, depth - 1)} WHERE a > 1)"] * 2
    return draw(st.sampled_from(forms))


def predict(draw: st.DrawFn, depth: int) -> str:
    arguments = [
        f"{draw(cased('MODEL'))} = {model(draw)}",
        f"{draw(cased('DATA'))} = {data(draw, depth)}{aliased(draw)}",
    ]
    if draw(st.booleans()):
        arguments.append(f"{draw(cased('RUNTIME'))} = {draw(cased('ONNX'))}")
    listed = draw(st.lists(columns(), max_size=3))
    with_list = f" {draw(cased('WITH'))} ({', '.join(listed)})" if listed else ""
    shuffled = ", ".join(draw(st.permutations(arguments)))
    return f"{draw(cased('PREDICT'))}({shuffled}){with_list}{aliased(draw)}"


def source(draw: st.DrawFn, depth: int) -> str:
    return draw(st.sampled_from(["plain AS q", predict(draw, depth)]))


@st.composite
def statements(draw: st.DrawFn) -> str:
    first = predict(draw, 2)
    query = f"SELECT d.*, p.score AS s FROM {first}"
    if draw(st.booleans()):
        query += f" JOIN {source(draw, 1)} ON d.id = q.id"
    if draw(st.booleans()):
        query += f" CROSS APPLY {predict(draw, 1)}"
    if draw(st.booleans()):
        query += f" OUTER APPLY {predict(draw, 1)}"
    query += draw(st.sampled_from(["", " WHERE p.score > 0.5"]))
    around = [
        "{}", "{} ORDER BY p.score DESC", "INSERT INTO t (a, b) {}", "WITH c AS (SELECT 1 AS a) {}",
        "SELECT * FROM ({}) AS x", "{} UNION ALL SELECT 1 AS a, 2 AS s",
        "SELECT a FROM t WHERE a IN ({})",
    ]  # fmt: skip
    return draw(st.sampled_from(around)).format(query)


@st.composite
def changes(draw: st.DrawFn) -> str:
    rows = predict(draw, 1)
    forms = [
        f"SELECT d.*, p.score INTO #kept FROM {rows}",
        f"UPDATE t SET t.a = p.score FROM t JOIN {rows} ON t.a = d.a",
        f"DELETE t FROM t JOIN {rows} ON t.a = d.a WHERE p.score > 0.5",
        f"MERGE INTO t USING {rows} ON t.a = d.a WHEN MATCHED THEN UPDATE SET a = p.score "
        "WHEN NOT MATCHED THEN INSERT (a) VALUES (p.score)",
    ]
    return draw(st.sampled_from(forms))


@settings(max_examples=100, deadline=None)
@given(statements() | changes())
def test_what_is_written_is_read_again_as_the_same(text: str):
    tree = parsed(text)
    assert list(tree.find_all(Predict))
    assert parsed(grammar.write(tree)) == tree


def test_the_arguments_of_a_predict():
    text = "SELECT * FROM PREDICT(DATA = a.b.c AS d, MODEL = @m) WITH (s real NOT NULL) AS p"
    (found,) = predicts(parsed(text))
    assert (found.model.name, found.data.alias, found.alias) == ("m", "d", "p")
    assert [column.name for column in found.columns] == ["s"]
    assert found.args["runtime"] is None


#: text -> where it is wrong, and what is said
WRONG = {
    "SELECT *\nFROM PREDICT(MODL = @m, DATA = t)": (2, 14, "not 'MODL'. Did you mean 'MODEL'"),
    "SELECT * FROM PREDICT(MODEL = @m, MODEL = @m, DATA = t)": (1, 35, "MODEL twice"),
    "SELECT * FROM PREDICT(MODEL = , DATA = t)": (1, 23, "MODEL = has no value"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = f(x)) p": (1, 42, "DATA is a table"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = t": (1, 15, "not closed"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = t ; SELECT 1": (1, 15, "not closed"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = t, RUNTIME = ML) p": (1, 55, "RUNTIME = 'ML'"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = t) WITH (score) p": (1, 45, "no type"),
    "SELECT * FROM PREDICT(MODEL = @m, DATA = t) WITH () p": (1, 45, "empty"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str):
    line, column, words = WRONG[text]
    tokens = grammar.tokens_of(text)
    with pytest.raises(StatementError) as raised:
        grammar.parse(tokens, text)
    assert (raised.value.line, raised.value.column) == (line, column)
    assert words in str(raised.value)


def test_a_text_that_ends_in_quotes():
    with pytest.raises(StatementError, match=r"line 2, column 5: this is not closed: '"):
        grammar.tokens_of("SELECT 1\n  , 'a")
