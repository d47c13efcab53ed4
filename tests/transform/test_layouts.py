"""Odd layouts, what libcst cannot read, and the guard as a text of its own."""

from __future__ import annotations

import ast
import sys
from types import CodeType

import pytest

from kohaku_ast.errors import (
    BrokenInstallation,
    KogineError,
    RefusedTarget,
    SourceError,
    TransformError,
)
from kohaku_ast.transform.edit.edits import extract_guards, plan_edits
from kohaku_ast.transform.edit.freeze import freeze
from kohaku_ast.transform.edit.proof import check_and_place
from kohaku_ast.transform.edit.rewrite import apply_edits
from kohaku_ast.transform.find.assignments import Edit
from kohaku_ast.transform.find.parameters import find_parameters
from kohaku_ast.transform.find.source import Source, parse_text
from kohaku_ast.transform.program.compile import build_program
from kohaku_ast.transform.program.program import Request
from tests.transform.test_rewrite import planned, proved, rewritten


def shown(text: str, *targets: str) -> str:
    """The rewritten text, with ``@`` for each given value."""
    new = rewritten(text, *targets)
    for target in targets:
        new = new.replace(f"__kogine__[{target!r}]", "@")
    return new


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        pytest.param("f", "with o() as f:\n    @(\n        g\n    )\n    def h(): ...\n", "with o() as f:\n    f = @\n    @(\n        g\n    )\n    def h(): ...\n", id="a block that begins with a decorator in brackets"),
        pytest.param("f", "with o() as f:\n    @ \\\n    g\n    class A: ...\n", "with o() as f:\n    f = @\n    @ \\\n    g\n    class A: ...\n", id="a block that begins with a decorator below its @"),
        pytest.param("f", "match v:\n    case f:\n        @(  # @\n            g\n        )\n        def h(): ...\n", "match v:\n    case f:\n        f = @\n        @(  # @\n            g\n        )\n        def h(): ...\n", id="a case that begins with a decorator in brackets"),
        pytest.param("f", "@(\n  a\n)\n@b\ndef f():\n    pass\n", "@(\n  a\n)\n@b\ndef f():\n    pass\nf = @\n", id="behind a decorated function"),
        pytest.param("f", "with o() as f:\n    # why\n    x = 1\n", "with o() as f:\n    # why\n    f = @\n    x = 1\n", id="a block that begins with a comment"),
        pytest.param("f", "with o() as f: \\\n    x = 1\n", "with o() as f: \\\n    f = @; x = 1\n", id="a block on the continued line of its header"),
        pytest.param("f", "with o() as f: # a \\\n    x = 1\n", "with o() as f: # a \\\n    f = @\n    x = 1\n", id="a comment that ends in a backslash"),
        pytest.param("f", "match v:\n    case [f]: pass; x = 1\n    case f:\n        pass\n", "match v:\n    case [f]: f = @; pass; x = 1\n    case f:\n        f = @\n        pass\n", id="cases on one line and on two"),
        pytest.param("x", "x = 1 \\\n\ny = 2\n", "x = @ \\\n\ny = 2\n", id="a backslash before an empty line"),
        pytest.param("os", "import os; \\\nx = 2\n", "import os; os = @; \\\nx = 2\n", id="a line broken behind its semicolon"),
        pytest.param("os", "import os;  # c\n", "import os; os = @;  # c\n", id="a semicolon at the end"),
        pytest.param("f", "def f(): pass", "def f(): pass\nf = @", id="no line end at the end of the file"),
        pytest.param("A.f", "class A:\n    def f(self):\n        pass", "class A:\n    def f(self):\n        pass\n    f = @", id="no line end behind a method"),
        pytest.param("f", "def f(): pass\r\nx = 1\r\n", "def f(): pass\r\nf = @\r\nx = 1\r\n", id="a new line between CRLF"),
        pytest.param("f", "x = 1\r\ndef f():\n    pass\n", "x = 1\r\ndef f():\n    pass\nf = @\n", id="a new line as the lines around it"),
        pytest.param("f", "with o() as f:\r\n\tx = 1", "with o() as f:\r\n\tf = @\r\n\tx = 1", id="a tabbed block with CRLF and no end"),
        pytest.param("f", "def f():\r    pass\ry = 2\r", "def f():\r    pass\rf = @\ry = 2\r", id="a new line between lone CRs"),
        pytest.param("os", "import os\ry = 2", "import os; os = @\ry = 2", id="a new statement before a lone CR"),
        pytest.param("os", "import os  # a \\\nx = 1\n", "import os; os = @  # a \\\nx = 1\n", id="a new statement before a comment that ends in a backslash"),
        pytest.param("lr", "\x0clr = 1\n", "\x0clr = @\n", id="a form feed that the file begins with"),
        pytest.param("f", "\x0cdef f():\n    \x0c\n    pass\n\x0c\nx = 1\n", "\x0cdef f():\n    \x0c\n    pass\nf = @\n\x0c\nx = 1\n", id="form feeds around and in a function"),
        pytest.param("lr", "if x:\n  \x0c  lr = 1\n  \x0c  y = 2\n", "if x:\n  \x0c  lr = @\n  \x0c  y = 2\n", id="a form feed in the indentation"),
        pytest.param("os", "if a:\n    import os\n# odd\nelif b:\n    import os\n  # odd\nelse:\n    import os\n", "if a:\n    import os; os = @\n# odd\nelif b:\n    import os; os = @\n  # odd\nelse:\n    import os; os = @\n", id="comments between the arms"),
        pytest.param("x", "if a: x = 1\nelif b: x = 2\nelse: x = 3\n", "if a: x = @\nelif b: x = @\nelse: x = @\n", id="arms on one line each"),
        pytest.param("n", "if a:\n    pass\nelif (n := f()):\n    pass\n", "if a:\n    pass\nelif (n := @):\n    pass\n", id="a walrus in an elif"),
        pytest.param("x", "try:\n    import x\nexcept E:\n    import x\nelse:\n    pass\nfinally:\n    import x\n", "try:\n    import x; x = @\nexcept E:\n    import x; x = @\nelse:\n    pass\nfinally:\n    import x; x = @\n", id="the blocks of a try"),
        pytest.param("main(é)", "def main(\n    lr=1,  # ü\n    *, é=2\n):\n    return lr\n", "def main(\n    lr=1,  # ü\n    *, é=@\n):\n    return lr\n", id="a default behind text that is not ASCII"),
        pytest.param("c", "c = ((1,\n 2))  # x\n", "c = (@)  # x\n", id="a tuple in two pairs of brackets"),
        pytest.param("c", "c = ((i for i in y))\n", "c = (@)\n", id="a generator in two pairs of brackets"),
        pytest.param("c.a", "c = f(a=(i for i in y))\n", "c = f(a=@)\n", id="a generator as a keyword's value"),
        pytest.param("c[0]", "c = [(i for i in (j for j in y)), 2]\n", "c = [@, 2]\n", id="a generator in a generator"),
        pytest.param("--x", "p.add_argument('--x'  # c\n)\n", "p.add_argument('--x',   # c\ndefault=@)\n", id="a new keyword's comma goes before the comment"),
        pytest.param("--x", "p.add_argument('--x'  # c\n  ,  # d\n)\n", "p.add_argument('--x'  # c\n  ,  # d\ndefault=@)\n", id="a comma on a line of its own"),
        pytest.param("--x", "p.add_argument('--x', **{\n})\n", "p.add_argument('--x', **{\n}, default=@)\n", id="a new keyword behind two stars"),
        pytest.param("x", "try:\n    x = 1\nexcept E :\n    x = 2\n", "try:\n    x = @\nexcept E :\n    x = @\n", id="a blank before the colon of an except"),
        pytest.param("A", "class A:\n    try: pass\n    except E : pass\n", "class A:\n    try: pass\n    except E : pass\nA = @\n", id="such an except inside a class"),
        pytest.param("x", "try: pass\nexcept E : pass\nx = 1\n", "try: pass\nexcept E : pass\nx = @\n", id="such an except above"),
    ],
)  # fmt: skip
def test_odd_layouts(target: str, before: str, after: str) -> None:
    ast.parse(before)
    assert shown(before, target) == after


@pytest.mark.parametrize(
    ("before", "args", "kwargs", "after"),
    [
        pytest.param("main(i for i in y)", 1, (), "main(#0)", id="in its place"),
        pytest.param("main( i for i in y )", 1, (), "main( #0 )", id="between blanks"),
        pytest.param("main((i for i in y))", 1, (), "main(#0)", id="in brackets of its own"),
        pytest.param("main(i for i in y)", 0, ("b",), "main((i for i in y), b=b)", id="beside a keyword"),
        pytest.param("main(i for i in y)", 1, ("b",), "main(#0, b=b)", id="both"),
        pytest.param("main(i for i in y)", 2, (), "main(#0, b=#1)", id="two arguments"),
        pytest.param("main(main(i for i in y))", 1, (), "main(#0)", id="in a call in the call"),
    ],
)  # fmt: skip
def test_a_generator_in_the_brackets_of_its_call(
    before: str, args: int, kwargs: tuple[str, ...], after: str
) -> None:
    source = Source("script.py", f"def main(a, b=1): ...\n{before}\n")
    request = Request(args=args, kwargs=kwargs)
    plan = plan_edits(
        source, find_parameters(source), request, lambda target, *_: f"__kogine__[{target!r}]"
    )
    new = proved(source, plan.edits).text.splitlines()[1]
    for name in ("#0", "#1", "b"):
        new = new.replace(f"__kogine__['main({name})']", name)
    for name, index in (("a", 0), ("b", 1)):
        if args > index:
            new = new.replace(f"__kogine__['main({name})']", f"#{index}")
    assert new == after


@pytest.mark.parametrize(
    ("targets", "before", "after"),
    [
        pytest.param(("a", "b", "c"), "a = b, c = f()\n", "a = b, c = @; b, c = (@, @,)\n", id="a pair as it is written"),
        pytest.param(("a", "b", "c"), "a = (b,\n  c) = f()\n", "a = (b,\n  c) = @; (b,\n  c) = (@, @,)\n", id="a pair over two lines"),
        pytest.param(("a", "b"), "a = [*b] = f()  # c\n", "a = [*b] = @; [*b] = (*@,)  # c\n", id="a star in a list"),
        pytest.param(("a", "b", "a.x"), "a, b = f()\n", "a, b = (@, @,); a = @.set(a)\n", id="and something below one of them"),
        pytest.param(("a", "b.x"), "a, b = f()\n", "a, b = f(); a = @; b = @.set(b)\n", id="one, and something below the other"),
    ],
)  # fmt: skip
def test_all_names_of_a_statement(targets: tuple[str, ...], before: str, after: str) -> None:
    assert shown(before, *targets) == after


def test_a_value_that_holds_an_equals_sign_is_no_second_name() -> None:
    values = {"a": " = ", "b": "x = 1"}
    request = Request(tuple((name, False, False) for name in values))
    new = freeze(Source("script.py", "a = b = f()\n"), request, values)
    assert new == "a = b = ' = '; b = 'x = 1'\n"


def test_a_path_below_a_name_of_an_elif_is_refused() -> None:
    with pytest.raises(RefusedTarget, match=r"script\.py:3: .*condition of an elif"):
        rewritten("if a:\n    pass\nelif (n := f()):\n    pass\n", "n.x")


# What libcst cannot read.


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        pytest.param("x", "(x): int = 1  # c\n", "(x): int = @  # c\n", id="a name in brackets that has a type"),
        pytest.param("x", "(x): int; y = 1\n", "(x): int = @; y = 1\n", id="and no value"),
        pytest.param("y", "(x): int; y = 1\n", "(x): int; y = @\n", id="on the line of such a name"),
        pytest.param("c[0]", "(x): int; c = [(i for i in y)]\n", "(x): int; c = [(@)]\n", id="a generator on such a line"),
        pytest.param("x", "class A(B, metaclass=M, *args): ...\nx = 1\n", "class A(B, metaclass=M, *args): ...\nx = @\n", id="below such a class"),
        pytest.param("A.x", "class A(B, metaclass=M, *args):\n    x = 1\n", "class A(B, metaclass=M, *args):\n    x = @\n", id="inside such a class"),
        pytest.param("A.f", "class A(B, metaclass=M, *args):\n    def f(self): ...\n", "class A(B, metaclass=M, *args):\n    def f(self): ...\n    f = @\n", id="behind a method of such a class"),
    ],
)  # fmt: skip
def test_what_libcst_refuses_concerns_nothing_but_itself(
    target: str, before: str, after: str
) -> None:
    assert shown(before, target) == after


def test_an_edit_that_needs_a_layout_is_refused_where_libcst_cannot_read() -> None:
    text = "x = 1\nclass A(B, metaclass=M, *args): ...\n"
    with pytest.raises(TransformError) as raised:
        rewritten(text, "A")
    message = str(raised.value)
    assert message.startswith("script.py:2: cannot override 'A': libcst")
    assert "Positional argument follows keyword argument" in message


# Python 3.12 counts calls through C, which it limits to 1,500; libcst makes two of them a level.
_DEEP = 600 if sys.version_info[:2] == (3, 12) else 900


@pytest.mark.parametrize(
    "text", ["x = " + "+".join(["1"] * _DEEP) + "\n", "x = " + "-" * _DEEP + "1\n"]
)
def test_a_deep_expression(text: str) -> None:
    code = build_program(Source("script.py", text), Request((("x", False, False),))).segments[0][1]
    assert code.co_names == ("x",)


def test_a_frozen_script_may_be_as_deep() -> None:
    text = "y = " + "+".join(["1"] * _DEEP) + "; x = 1\n"
    assert freeze(Source("script.py", text), Request((("x", False, False),)), {"x": 2}).endswith(
        "x = 2\n"
    )


def test_an_edit_that_no_node_took_is_an_error() -> None:
    source = Source("script.py", "x = a\ny = b\n")
    somewhere = ast.Name("a", ast.Load(), lineno=1, col_offset=3, end_lineno=1, end_col_offset=5)
    edit = Edit(somewhere, "replace", "1", 1, "x")
    with pytest.raises(TransformError, match=r"script\.py:1: libcst has no node .*'x'"):
        apply_edits(source, [edit])


def test_of_two_values_for_one_place_none_is_lost_silently() -> None:
    source = Source("script.py", "x = a\n")
    value = source.tree.body[0].value  # type: ignore[attr-defined]
    edits = [Edit(value, "replace", text, 1, "x") for text in ("1", "2")]
    with pytest.raises(TransformError, match="something else"):
        proved(source, edits)


@pytest.mark.parametrize(
    ("change", "new"),
    [
        pytest.param("replace", "x = f()\n", id="the old value"),
        pytest.param("after", "x = f(); x = 3\n", id="another statement"),
        pytest.param("keyword", "x = f(b=2)\n", id="another keyword"),
    ],
)
def test_the_proof_knows_what_was_put_in(change: str, new: str) -> None:
    source = Source("script.py", "x = f()\n")
    statement = source.tree.body[0]
    assert isinstance(statement, ast.Assign)
    node = statement if change == "after" else statement.value
    edit = Edit(node, change, "x = 2" if change == "after" else "2", 1, "x", "a")
    with pytest.raises(TransformError, match="something else"):
        check_and_place(source, parse_text(new, "script.py"), [edit])


def test_without_libcst_an_override_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kohaku_ast.transform.edit.libcst_pass", None)
    monkeypatch.delattr("kohaku_ast.transform.edit.libcst_pass", raising=False)
    with pytest.raises(
        BrokenInstallation, match=r"rewriting a script needs libcst: pip install libcst"
    ):
        rewritten("x = 1\n", "x")
    assert rewritten("x = 1\n") == "x = 1\n"


def test_a_libcst_that_breaks_over_a_statement_concerns_nothing_but_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("no grammar for Python 3.99\nat all")

    monkeypatch.setattr("libcst.parse_module", fail)
    assert shown("x = 1\n", "x") == "x = @\n"
    with pytest.raises(TransformError, match=r"\(no grammar for Python 3\.99\)"):
        rewritten("import x\n", "x")


# The guard.


def taken_out(text: str, *targets: str) -> tuple[str, list[str]]:
    source = Source("script.py", text)
    request = Request(tuple((target, False, False) for target in targets))
    edits = [*planned(source, request).edits, *extract_guards(source.tree)]
    proved(source, edits)
    made = apply_edits(source, edits)
    texts = [made.text, *made.extracted]
    for target in targets:
        texts = [one.replace(f"__kogine__[{target!r}]", "@") for one in texts]
    return texts[0], texts[1:]


MAIN = 'if __name__ == "__main__"'


@pytest.mark.parametrize(
    ("text", "targets", "module", "guards"),
    [
        pytest.param(f"x = 1\n{MAIN}:\n    main(x)\n", (), "x = 1\n\n", [f"{MAIN}:\n    main(x)"], id="at the end"),
        pytest.param(f"{MAIN}: main()\ny = 2\n", (), "\ny = 2\n", [f"{MAIN}: main()"], id="at the start, on one line"),
        pytest.param(f"x = 1  # one\n\n# why\n# so\n{MAIN}:  # c\n    # d\n    main()  # e\n\n\n# end\n", (), "x = 1  # one\n\n\n\n\n# end\n", [f"# why\n# so\n{MAIN}:  # c\n    # d\n    main()  # e"], id="with its comments"),
        pytest.param(f"x = 1\n{MAIN}:\n    x = 2\n    with o() as f:\n        main(x)\n", ("x", "f"), "x = @\n\n", [f"{MAIN}:\n    x = @\n    with o() as f:\n        f = @\n        main(x)"], id="with its overrides"),
        pytest.param(f"{MAIN} and (y := 1) > 0:\n    a()\nelif b:\n    c()\nelse:\n    z = 2\n", ("y", "z"), "\n", [f"{MAIN} and (y := @) > 0:\n    a()\nelif b:\n    c()\nelse:\n    z = @"], id="with all of its arms"),
        pytest.param(f"{MAIN}:\n    a()\n{MAIN}:\n    b()\n", (), "\n\n", [f"{MAIN}:\n    a()", f"{MAIN}:\n    b()"], id="two"),
        pytest.param(f"x = 1\r\n{MAIN}:\r\n\tmain(x)", (), "x = 1\r\n", [f"{MAIN}:\r\n\tmain(x)"], id="CRLF and tabs, no end"),
        pytest.param(f"x = '''\n# no comment'''\n{MAIN}: main()\n", (), "x = '''\n# no comment'''\n\n", [f"{MAIN}: main()"], id="below a text that looks like a comment"),
        pytest.param(f"import os\ndef f(): ...\n\n{MAIN}:\n    def f(): ...\n", ("f",), "import os\ndef f(): ...\nf = @\n\n\n", [f"{MAIN}:\n    def f(): ...\n    f = @"], id="that ends with a new statement"),
        pytest.param(f"{MAIN}: (x): int = 1; main()\n", ("x",), "\n", [f"{MAIN}: (x): int = @; main()"], id="that libcst cannot read"),
    ],
)  # fmt: skip
def test_the_guard_is_a_text_of_its_own(
    text: str, targets: tuple[str, ...], module: str, guards: list[str]
) -> None:
    assert taken_out(text, *targets) == (module, guards)


def test_the_code_of_the_guard_has_the_positions_of_the_script() -> None:
    text = f"lr = 1\n\n\n{MAIN}:\n    import os\n    print(lr, 1 / 0)\nelse:\n    lr = 3\n"
    request = Request((("lr", False, False),), split=True)
    program = build_program(Source("script.py", text), request)
    (_, module), (role, guard) = program.segments
    assert role == "guard"
    assert _lines(guard) == {4, 5, 6, 8}
    assert _lines(module) == {1}


def _lines(code: CodeType) -> set[int]:
    return {line for *_, line in code.co_lines() if line}


def test_a_guard_that_was_not_taken_out_whole_is_no_rewrite() -> None:
    source = Source("script.py", f"x = 1\n{MAIN}: main(1)\n")
    edits = extract_guards(source.tree)
    module = parse_text("x = 1\n", "script.py")
    for guards in ([], [parse_text(f"{MAIN}: main(2)\n", "g")], [parse_text("", "g")]):
        with pytest.raises(TransformError):
            check_and_place(source, module, edits, guards)


def test_a_script_that_uses_our_marker_is_refused() -> None:
    with pytest.raises(SourceError, match="uses the name __kogine__"):
        rewritten("x = 1\n__kogine__ = 2\n", "x")
    with pytest.raises(KogineError):
        build_program(Source("script.py", f"__kogine__ = 2\n{MAIN}: f()\n"), Request(split=True))
