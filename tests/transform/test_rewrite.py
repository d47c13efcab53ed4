"""The rewritten text: what changes, and what must not."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.errors import KogineError, TransformError
from kohaku_ast.transform.edit.edits import PlannedEdits, plan_edits
from kohaku_ast.transform.edit.proof import Proved, check_and_place, prove
from kohaku_ast.transform.edit.rewrite import apply_edits
from kohaku_ast.transform.find.assignments import Edit
from kohaku_ast.transform.find.parameters import find_parameters
from kohaku_ast.transform.find.source import Source, parse_text
from kohaku_ast.transform.program.program import Request


def rewritten(text: str, *targets: str) -> str:
    source = Source("script.py", text)
    request = Request(tuple((target, False, False) for target in targets))
    return proved(source, planned(source, request).edits).text


def planned(source: Source, request: Request) -> PlannedEdits:
    return plan_edits(source, find_parameters(source), request)


def proved(source: Source, edits: Sequence[Edit]) -> Proved:
    return prove(source, edits, apply_edits(source, edits))


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        pytest.param("lr", "lr = 0.1\n", "lr = @\n", id="plain name"),
        pytest.param("lr", "lr = 0.1  # note\n", "lr = @  # note\n", id="comment survives"),
        pytest.param("lr", "lr: float = 0.1\n", "lr: float = @\n", id="annotated"),
        pytest.param("lr", "lr: float\n", "lr: float = @\n", id="annotation only"),
        pytest.param("lr", "x = 1; lr = 2; y = 3", "x = 1; lr = @; y = 3", id="semicolons"),
        pytest.param("lr", "lr = (  # why\n    1\n)\n", "lr = (  # why\n    @\n)\n", id="parentheses stay"),
        pytest.param("lr", "lr = 1, 2\n", "lr = @\n", id="tuple without parentheses"),
        pytest.param("lr", "lr = \\\n  1\n", "lr = \\\n  @\n", id="continued line"),
        pytest.param("lr", "é = 'ü'; lr = 1\n", "é = 'ü'; lr = @\n", id="after non-ASCII text"),
        pytest.param("lr", "lr = 1\r\ny = 2\r\n", "lr = @\r\ny = 2\r\n", id="CRLF"),
        pytest.param("lr", "\x0clr = 1\n", "\x0clr = @\n", id="form feed"),
        pytest.param("a", "a = b = 0\n", "a = b = 0; a = @\n", id="one of a chain"),
        pytest.param("a", "a, b = 1, 2\n", "a, b = @, 2\n", id="one of a literal pair"),
        pytest.param("b", "a, b = f()\n", "a, b = f(); b = @\n", id="one of an unpacked call"),
        pytest.param("b", "a, *b = 1, 2, 3\n", "a, *b = 1, 2, 3; b = @\n", id="starred"),
        pytest.param("np", "import numpy as np\n", "import numpy as np; np = @\n", id="import"),
        pytest.param("f", "def f():\n    pass\nf()\n", "def f():\n    pass\nf = @\nf()\n", id="def"),
        pytest.param("f", "if 1:\n\tdef f(): pass\n", "if 1:\n\tdef f(): pass\n\tf = @\n", id="def in a tabbed block"),
        pytest.param("f", "with o() as f:\n    pass\n", "with o() as f:\n    f = @\n    pass\n", id="with block"),
        pytest.param("f", "with o() as f: pass\n", "with o() as f: f = @; pass\n", id="with on one line"),
        pytest.param("n", "if (n := 10) > 5: pass\n", "if (n := @) > 5: pass\n", id="walrus"),
        pytest.param("lr", "if x:\n    lr = 1\nelse:\n    lr = 2\n", "if x:\n    lr = @\nelse:\n    lr = @\n", id="both arms"),
        pytest.param("lr", "lr = 1\nlr = 2\n", "lr = @\nlr = @\n", id="unconditional re-definition"),
        pytest.param("A.lr", "class A:\n    lr = 1\n", "class A:\n    lr = @\n", id="class attribute"),
        pytest.param("A.B.x", "class A:\n  class B:\n    x = 1\n", "class A:\n  class B:\n    x = @\n", id="nested class"),
        pytest.param("A.x", "class A:\n    x: int = field(default=3)\n", "class A:\n    x: int = field(default=@)\n", id="field default"),
        pytest.param("A.x", "class A:\n    x: list = field(default_factory=list)\n", "class A:\n    x: list = field(default_factory=(lambda: @))\n", id="field factory"),
        pytest.param("c.lr", 'c = {"lr": 1, "b": 2}\n', 'c = {"lr": @, "b": 2}\n', id="dict entry"),
        pytest.param("c.o.n", 'c = dict(o={"n": 1})\n', 'c = dict(o={"n": @})\n', id="entry in an entry"),
        pytest.param("c[1]", "c = [1, 2]\n", "c = [1, @]\n", id="list item"),
        pytest.param("c[-1]", "c = [1, 2]\n", "c = [1, @]\n", id="list item from the end"),
        pytest.param("m.w", "m = Net(w=3).to(d)\n", "m = Net(w=@).to(d)\n", id="keyword of an inner call"),
        pytest.param("c.lr", "c = load()\n", "c = load(); c = @.set(c)\n", id="path that only the run can follow"),
        pytest.param("f(n)", "def f(n=3): pass\n", "def f(n=@): pass\n", id="parameter default"),
        pytest.param("f.x", "def f():\n    x = 1\n", "def f():\n    x = @\n", id="local"),
        pytest.param("--lr", 'p.add_argument("--lr", default=1)\n', 'p.add_argument("--lr", default=@)\n', id="option"),
        pytest.param("--lr", 'p.add_argument("--lr", required=True,)\n', 'p.add_argument("--lr", required=False,default=@)\n', id="required option with a trailing comma"),
        pytest.param("--lr", 'p.add_argument(("--lr"))\n', 'p.add_argument(("--lr"), default=@)\n', id="option in parentheses"),
        pytest.param("--lr", 'DEFINE_float("lr", 1, "help")\n', 'DEFINE_float("lr", @, "help")\n', id="absl"),
    ],
)  # fmt: skip
def test_rewrites(target: str, before: str, after: str) -> None:
    assert rewritten(before, target) == after.replace("@", f"__kogine__[{target!r}]")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        pytest.param("lr", "lr = 1\nlr += 2\n", id="augmented assignment"),
        pytest.param("lr", "lr = 1\nlr = lr * 2\n", id="made from the old value"),
        pytest.param("lr", "lr = 1\nfor i in x:\n    lr = 2\n", id="in a loop"),
        pytest.param("lr", "lr = 1\nwhile x:\n    lr = 2\n", id="in a while loop"),
        pytest.param("lr", "lr = 1\nif x:\n    lr = 2\n", id="later conditional"),
        pytest.param("lr", "lr = 1\nif x:\n    lr = 2\nelse:\n    lr = 3\n", id="later if and else"),
        pytest.param("lr", "lr = 1\ntry:\n    lr = 2\nexcept E:\n    pass\n", id="later try"),
        pytest.param("lr", "lr = 1\ndef f():\n    lr = 2\n", id="local of a function"),
        pytest.param("lr", "lr = 1\ndef f():\n    global lr\n    lr = 2\n", id="global statement"),
        pytest.param("lr", "lr = 1\nclass A:\n    lr = 2\n", id="class attribute of the name"),
        pytest.param("lr", "lr = 1\nmodel.lr = 2\n", id="attribute"),
        pytest.param("lr", "lr = 1\nd['lr'] = 2\n", id="item"),
        pytest.param("lr", "lr = 1\nf(lr=2)\n", id="keyword of a call"),
        pytest.param("lr", "lr = 1\n[lr for lr in x]\n", id="comprehension variable"),
        pytest.param("lr", "lr = 1\nlambda lr=2: lr\n", id="lambda parameter"),
        pytest.param("lr", "lr = 1\nx = 'lr = 2'\n", id="in a string"),
        pytest.param("lr", "lr = 1\n# lr = 2\n", id="in a comment"),
        pytest.param("lr", "lr = 1\ndel lr\n", id="deletion"),
        pytest.param("lr", "lr = 1\nlr: float\n", id="later annotation only"),
        pytest.param("lr", "lr = 1\nfor lr in x: pass\n", id="later loop variable"),
        pytest.param("A.x", "class A:\n    x = 1\n    def f(self):\n        self.x = 2\n", id="instance attribute"),
        pytest.param("f.x", "def f():\n    x = 1\n    def g():\n        x = 2\n", id="local of an inner function"),
        pytest.param("f.x", "def f():\n    x = 1\n    for i in y:\n        x = 2\n", id="local in a loop"),
    ],
)  # fmt: skip
def test_leaves_later_logic_alone(target: str, text: str) -> None:
    once = text.replace(" = 1", f" = __kogine__[{target!r}]", 1)
    assert rewritten(text, target) == once


@pytest.mark.parametrize(
    ("targets", "before", "after"),
    [
        pytest.param(("a", "b"), "a = b = f()\n", "a = b = (@a); b = @b\n", id="all of a chain"),
        pytest.param(("a", "b"), "a, b = f()\n", "a, b = (@a, @b,)\n", id="all of a pair"),
        pytest.param(("a", "b"), "(a, *b) = f()\n", "(a, *b) = (@a, *@b,)\n", id="all with a star"),
    ],
)
def test_right_side_goes_when_every_name_is_given(
    targets: tuple[str, ...], before: str, after: str
) -> None:
    for target in targets:
        after = after.replace(f"@{target}", f"__kogine__[{target!r}]")
    assert rewritten(before, *targets) == after.replace("(__kogine__['a']);", "__kogine__['a'];")


def test_edits_at_one_place_go_from_the_inside_out() -> None:
    text = "if (c := load()):\n    import os\n"
    after = (
        "if (c := load()):\n    import os; os = __kogine__['os']\nc = __kogine__['c.lr'].set(c)\n"
    )
    assert rewritten(text, "c.lr", "os") == after


def test_a_rewrite_that_is_no_rewrite_is_refused() -> None:
    source = Source("script.py", "x = 1\ny = 2\n")
    changed = parse_text("x = 1\ny = 3\n", "script.py")
    with pytest.raises(TransformError, match=r"script.py:2: .*cannot be proved"):
        check_and_place(source, changed, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("x = 1\n", "x = 1.0\n", id="another type of an equal number"),
        pytest.param("x = 0.0\n", "x = -0.0\n", id="negative zero"),
        pytest.param("x = 1\n", "x = 1; y = 2\n", id="a statement more"),
        pytest.param("x = 1; y = 2\n", "x = 1\n", id="a statement less"),
        pytest.param("f(a, b)\n", "f(a)\n", id="an argument less"),
        pytest.param("x = a + b\n", "x = a - b\n", id="another operator"),
        pytest.param("x: int = 1\n", "x: str = 1\n", id="another annotation"),
        pytest.param("'a'\n", "u'a'\n", id="another kind of string"),
    ],
)
def test_the_proof_sees(old: str, new: str) -> None:
    with pytest.raises(TransformError):
        check_and_place(Source("script.py", old), parse_text(new, "script.py"), [])


def test_the_proof_wants_every_insertion() -> None:
    source = Source("script.py", "x = f()\n")
    edit = Edit(source.tree.body[0], "after", "x = 1", 1, "x")
    with pytest.raises(TransformError, match="insertion is missing"):
        check_and_place(source, parse_text("x = f()\n", "script.py"), [edit])


def test_positions_are_the_originals() -> None:
    text = "cfg = {'lr': 0.1,\n  'n': 1 / 0}; z = cfg\nimport os; y = os.x\n"
    source = Source("script.py", text)
    names = ("cfg.lr", "os")
    edits = planned(source, Request(tuple((name, False, False) for name in names))).edits
    tree = proved(source, edits).module
    places = [_place(node) for node in ast.walk(tree) if hasattr(node, "lineno")]
    assert set(places) <= {
        _place(node) for node in ast.walk(source.tree) if hasattr(node, "lineno")
    }
    division = next(node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    assert _place(division) == (2, 7, 2, 12)


def _place(node: ast.AST) -> tuple[int, ...]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


names = st.sampled_from(["a", "b", "lr", "é"])
values = st.sampled_from(
    ["1", "'ü'", "[1, 2]", "{'k': 1, 'j': [2]}", "f(x, n=3)", "a + 1", "(\n 1)"]
)
lines = st.builds(
    "{} = {}{}".format, names, values, st.sampled_from(["", "  # lr = 3", "; z = 1", "\n\n"])
)
blocks = st.builds("if lr:\n    {}\nelse:\n    {}".format, lines, lines)
modules = st.lists(st.one_of(lines, blocks), max_size=8).map("\n".join)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


@given(modules.filter(_parses))
def test_without_an_override_the_text_is_the_same(text: str) -> None:
    source = Source("script.py", text)
    unchanged = proved(source, [])
    assert unchanged.text == text
    tree = unchanged.module
    assert ast.dump(tree, include_attributes=True) == ast.dump(source.tree, include_attributes=True)


@given(modules.filter(_parses), names)
def test_every_rewrite_proves_itself(text: str, name: str) -> None:
    source = Source("script.py", text)
    try:
        plan = planned(source, Request(((name, False, False),)))
    except KogineError:
        return
    changed = proved(source, plan.edits).text
    assert changed.count("#") == text.count("#")
