"""Which stored values and keywords are parameters, and which of them ``--inspect`` lists."""

from __future__ import annotations

import pytest

from kohaku_ast.transform.find.inspection import Inspection, inspect_source
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import Source

BUILDER = "def get_config():\n    c = Box()\n    c.lr = 0.1\n    return c\n"
METHOD = "class Net:\n    def __init__(self):\n        self.width = 64\n"


def inspect(text: str) -> Inspection:
    return inspect_source(Source("script.py", text))


def of_kind(text: str, *kinds: str) -> dict[str, Parameter]:
    return {one.target: one for one in inspect(text).parameters if one.kind in kinds}


@pytest.mark.parametrize(
    ("text", "target", "short"),
    [
        pytest.param("c = Box()\nc.lr = 0.1", "c.lr", "lr", id="attribute"),
        pytest.param("c = {}\nc['lr'] = 0.1", "c.lr", "lr", id="item"),
        pytest.param("c = Box()\nc.a.lr = 0.1\nc.b.lr = 1", "c.a.lr", "c.a.lr", id="two of one last name"),
        pytest.param("lr = 1\nc = Box()\nc.lr = 0.1", "c.lr", "c.lr", id="a global of that name"),
        pytest.param(BUILDER, "get_config.c.lr", "lr", id="a function that returns the object"),
        pytest.param("def main():\n  c = Box()\n  c.lr = 1\nmain()", "main.c.lr", "lr", id="in the starting function"),
        pytest.param(METHOD, "Net.width", "width", id="in __init__"),
        pytest.param("import torch\ntorch.backends.cudnn.benchmark = True", "torch.backends.cudnn.benchmark", "benchmark", id="a library's flag"),
        pytest.param("model.fit(x, epochs=5)", "model.fit(epochs)", "epochs", id="bare call"),
        pytest.param("a, b = model.fit(x, epochs=5)", "model.fit(epochs)", "epochs", id="two targets"),
        pytest.param("def main():\n  model.fit(epochs=5)\nmain()", "main.model.fit(epochs)", "epochs", id="call in the starting function"),
    ],
)  # fmt: skip
def test_listed(text: str, target: str, short: str) -> None:
    found = {one.target: one.short for one in inspect(text).listed()}
    assert found[target] == short


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param("c = Box()\nc.warm = int(c.lr * 10)", "c.warm", id="derived"),
        pytest.param("c = Box()\nc.n = 0\nfor i in x:\n  c.n = i", "c.n", id="a loop stores it again"),
        pytest.param("c = Box()\nc.n = 5\nc.n += 1", "c.n", id="counted"),
        pytest.param("xs = load()\nxs[0] = 5", "xs[0]", id="an item by index"),
        pytest.param("def fill(c):\n  c.lr = 1", "fill.c.lr", id="in another function"),
        pytest.param("class N:\n  def __init__(self):\n    self.best = None", "N.best", id="None in __init__"),
        pytest.param("class N:\n  def __init__(self):\n    self.n = 5\n  def reset(self):\n    self.n = 6", "N.n", id="stored by two methods"),
        pytest.param("class N:\n  def build(self):\n    self.n = 5", "N.n", id="in another method"),
        pytest.param("class N:\n  def __init__(self, n):\n    self.n = n", "N.n", id="an argument"),
        pytest.param("def work():\n  model.fit(epochs=5)\n", "work.model.fit(epochs)", id="call in another function"),
        pytest.param("print(1, end='')", "print(end)", id="print"),
        pytest.param("plt.plot(x, label='a')", "plt.plot(label)", id="a plot"),
        pytest.param("print(score(k=5))", "score(k)", id="in what is printed"),
        pytest.param("if score(k=5): pass", "score(k)", id="in a condition"),
        pytest.param("y = sorted(x, reverse=True)[0]", "sorted(reverse)", id="a helper in an expression"),
        pytest.param("with open('a', encoding='b') as f: pass", "f.encoding", id="a file of a with"),
    ],
)  # fmt: skip
def test_with_all_only(text: str, target: str) -> None:
    assert target in {one.target for one in inspect(text).listed(everything=True)}
    assert target not in {one.target for one in inspect(text).listed()}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("for i in x:\n  c.n = i", id="only in a loop"),
        pytest.param("c.n += 1", id="augmented"),
        pytest.param("del c.n", id="deleted"),
        pytest.param("c.n: int", id="annotated only"),
        pytest.param("c[i] = 1", id="a key that is no literal"),
        pytest.param("c[1:2] = [1]", id="a slice"),
        pytest.param("f().n = 1", id="below a call"),
        pytest.param("f.__doc__ = 'a'", id="Python's own name"),
        pytest.param("setattr(c, 'n', 1)", id="setattr"),
        pytest.param("for c.n in x: pass", id="a loop's target"),
        pytest.param("args = parse()\nif args.debug:\n  args.lr = 1", id="conditional, into what a call made"),
        pytest.param("def f():\n  def g():\n    c.n = 1", id="in a nested function"),
        pytest.param("model.fit(x, epochs=n)", id="a keyword that is no literal"),
        pytest.param("model.fit(**more)", id="a spread"),
        pytest.param("hist = model.fit(x, epochs=5)", id="a call that a name is bound to"),
        pytest.param("p.add_argument('--n', default=5)", id="an option"),
        pytest.param("g = lambda: f(n=5)", id="in a lambda"),
        pytest.param("print(f'{f(n=5)}')", id="in an f-string"),
        pytest.param("layers = [Dense(n=5)]", id="an entry of a list"),
        pytest.param("@mark(n=5)\ndef f(): pass", id="a decorator"),
        pytest.param("def main(n): pass\nmain(n=5)", id="the starting call"),
    ],
)  # fmt: skip
def test_no_parameter(text: str) -> None:
    assert of_kind(text, "stored", "keyword") == {}


def test_a_redefinition_is_in_the_line_column() -> None:
    found = of_kind("c = Box()\nc.lr = 1\nprint(c.lr)\nc.lr = 2\n", "stored")
    assert (found["c.lr"].line, found["c.lr"].also) == (2, (4,))


@pytest.mark.parametrize("value", ["config = ConfigDict()", "config = {}", "config = edict()"])
def test_help_and_sections(value: str) -> None:
    text = f"{value}\n# ---- model ----\nconfig['depth'] = 2  # layers\n"
    one = of_kind(text, "stored")["config.depth"]
    assert (one.help, one.section) == ("layers", "model")
