"""What a definition's text is read as beyond its plain type: calls, None, classes in annotations."""

from __future__ import annotations

import ast
import marshal

import pytest

from kohaku_ast.transform.find.setting_types import call_reading, setting_reading, variables_of
from kohaku_ast.value_types import Reading, core, describe

ANY, NONE, STR, INT = [(kind,) for kind in ("any", "none", "str", "int")]
NUMBER, LIST, TUPLE = [(kind,) for kind in ("number", "list", "tuple")]


def node(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("default", "inner", "code"),
    [
        pytest.param("np.array([1])", LIST, "np.array(*)", id="list"),
        pytest.param("np.array([1], dtype=f)", LIST, "np.array(*, dtype=f)", id="keywords stay"),
        pytest.param("torch.tensor(0.1)", ("float",), "torch.tensor(*)", id="float"),
        pytest.param("torch.tensor(1)", NUMBER, "torch.tensor(*)", id="int"),
        pytest.param("torch.device('cpu')", STR, "torch.device(*)", id="text"),
        pytest.param("device('cuda' if x else 'cpu')", STR, "device(*)", id="either of two texts"),
        pytest.param("timedelta(days=1)", NUMBER, "timedelta(days=*)", id="one keyword"),
        pytest.param("Fraction(1, 3)", TUPLE, "Fraction(**)", id="several arguments of a class"),
        pytest.param("date(2020, 1, 2)", ("date", "date"), "date(**)", id="date"),
        pytest.param("dt.datetime.now()", ("date", "datetime"), "dt.datetime(**)", id="now"),
        pytest.param(
            "torch.Generator(device=d).manual_seed(3)",
            NUMBER,
            "torch.Generator(device=d).manual_seed(*)",
            id="method that gives its object back",
        ),
        pytest.param(
            "nn.Parameter(torch.tensor(1.0))",
            ("float",),
            "nn.Parameter(torch.tensor(*))",
            id="call in a call",
        ),
        pytest.param(
            "nn.Parameter(data=torch.tensor([1.0], dtype=f))",
            LIST,
            "nn.Parameter(data=torch.tensor(*, dtype=f))",
            id="call in a keyword",
        ),
        pytest.param("default_rng(0)", NUMBER, "default_rng(*)", id="imported function"),
    ],
)
def test_call_of_one_literal(default: str, inner: Reading, code: str) -> None:
    found = call_reading(node(default), {}, ())
    assert found is not None
    kind, argument, before, after = found
    assert (kind, argument, f"{before}*{after}") == ("call", inner, code)
    assert marshal.loads(marshal.dumps(found)) == found
    assert setting_reading(node(default), None, {}) == ("inferred", found)


@pytest.mark.parametrize(
    "default",
    [
        pytest.param("f()", id="no argument"),
        pytest.param("f(g())", id="no argument of a call in a call"),
        pytest.param("f(math.sqrt(2))", id="computed in a call"),
        pytest.param("f(cfg.get('lr'))", id="look-up in a call"),
        pytest.param("f(x)", id="name"),
        pytest.param("f(*[1])", id="starred"),
        pytest.param("f(1, 2)", id="several arguments of a function"),
        pytest.param("f(a=1, b=2)", id="several keywords"),
        pytest.param("f(**k)", id="keywords of a dict"),
        pytest.param("f(None)", id="None"),
        pytest.param("cfg.get('lr')", id="method of a variable"),
        pytest.param("wandb.config.get('lr')", id="look-up"),
        pytest.param("math.sqrt(2)", id="computed"),
        pytest.param("np.exp(1)", id="computed by numpy"),
        pytest.param("max([1, 2])", id="builtin"),
        pytest.param("random.choice([1, 2])", id="drawn"),
        pytest.param("input('lr? ')", id="asked"),
        pytest.param("Path('a').resolve(True)", id="method of a call"),
        pytest.param("time.sleep(1)", id="function of time"),
    ],
)
def test_call_whose_argument_is_not_the_value(default: str) -> None:
    assert call_reading(node(default), {}, {"cfg"}) is None


def test_variables_are_assigned_names_and_parameters() -> None:
    tree = ast.parse("try:\n import torch\nexcept E:\n torch = None\ndef f(cfg): a.b = c = 1")
    assert variables_of(tree) == {"cfg", "c"}


@pytest.mark.parametrize(
    ("default", "reading"),
    [
        pytest.param("1", ("inferred", NUMBER), id="int"),
        pytest.param("10 * 2", ("inferred", NUMBER), id="product"),
        pytest.param("int(1e5)", ("inferred", INT), id="int is written"),
        pytest.param("0.1", ("inferred", ("float",)), id="float"),
        pytest.param("'a'", STR, id="text"),
        pytest.param("None", NONE, id="None"),
        pytest.param("x", ANY, id="name"),
    ],
)
def test_default_without_annotation(default: str, reading: Reading) -> None:
    assert setting_reading(node(default), None, {}) == reading
    assert setting_reading(node(default), node("int"), {})[0] in ("int", "optional")


@pytest.mark.parametrize(
    ("annotation", "reading"),
    [
        pytest.param("date", ("optional", ("made", "datetime.date")), id="date"),
        pytest.param("dt.datetime | None", ("optional", ("made", "datetime.datetime")), id="alias"),
        pytest.param("'Decimal'", ("optional", ("made", "decimal.Decimal")), id="as text"),
        pytest.param("Optional[Foo]", ("optional", ("class", "Foo")), id="class"),
        pytest.param("np.ndarray", ("optional", ("class", "np.ndarray")), id="class in a module"),
        pytest.param("Sequence[int]", ("optional", ("class", "Sequence")), id="abstract"),
        pytest.param("os.PathLike", ("optional", STR), id="path or text"),
        pytest.param("Any", NONE, id="Any"),
        pytest.param("object", NONE, id="object"),
        pytest.param("T", NONE, id="type variable"),
        pytest.param("Alias", NONE, id="name that the script assigns"),
        pytest.param("int", ("optional", INT), id="understood"),
    ],
)
def test_annotation_of_a_class(annotation: str, reading: Reading) -> None:
    assert setting_reading(node("None"), node(annotation), {}, {"Alias"}) == reading


def test_a_default_of_a_known_type_decides_where_the_class_is_unknown() -> None:
    assert setting_reading(node("1"), node("Foo"), {}) == INT
    assert setting_reading(node("1"), node("Union[int, Foo]"), {})[2][0] == "class"
    assert setting_reading(node("1"), node("Union[int, Any]"), {})[2] == ANY


def test_words_for_a_table() -> None:
    found = setting_reading(node("np.array([1])"), None, {})
    assert (describe(found), core(found)[0]) == ("list for np.array", "call")
    assert describe(("inferred", NUMBER)) == "int"
    assert describe(("date", "date")) == "a date (2020-12-31)"
