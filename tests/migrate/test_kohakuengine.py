"""The codemod of KohakuEngine configs: what it changes, what it leaves alone, what it refuses."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohaku_ast.config.config_files import load_config
from kohaku_ast.errors import SourceError
from kohaku_ast.migrate.kohakuengine import migrate_kohakuengine
from kohaku_ast.transform.find.source import Source, decode
from tests.oracle import FIXTURES, on_path, run_kogine

IMPORT = "from kohakuengine import Config, capture_globals, use, use_config\n"
CLEAN: list[str] = []


def migrated(text: str) -> tuple[str, list[str]]:
    """The new text, and what was not carried over."""
    made = migrate_kohakuengine(Source("old.py", text), "old.py")
    compile(made.text, "new.py", "exec")
    return made.text, [str(one) for one in made.not_carried_over]


def table(text: str) -> str:
    return dedent(text).lstrip("\n")


# --- use() ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("f = use(g)  # why", "f = g  # why", id="a name"),
        pytest.param("f = use(use(g))", "f = g", id="in itself"),
        pytest.param("f = use(use(lambda: 1)) or 2", "f = (lambda: 1) or 2", id="a lambda in itself"),
        pytest.param("f = use(lambda x: x)", "f = lambda x: x", id="a lambda"),
        pytest.param("f = use(lambda: 1)()", "f = (lambda: 1)()", id="a lambda that is called"),
        pytest.param("f = use(a + b) * 2", "f = (a + b) * 2", id="a sum in a product"),
        pytest.param("f = -use(a or b)", "f = -(a or b)", id="after an operator"),
        pytest.param("f = use(1).real", "f = (1).real", id="an attribute of a number"),
        pytest.param("f = use(g).real[use(0)]", "f = g.real[(0)]", id="in a subscript"),
        pytest.param("f = use(i for i in x)", "f = (i for i in x)", id="a generator"),
        pytest.param("f = use(y := 5)", "f = (y := 5)", id="a named expression"),
        pytest.param("f = use((yield_))", "f = (yield_)", id="brackets of its own"),
        pytest.param("f = (use(g))", "f = (g)", id="brackets around it"),
        pytest.param("f = (use(a if b else c))", "f = (a if b else c)", id="brackets that do"),
        pytest.param("f = use('a' 'b')", "f = 'a' 'b'", id="two texts"),
        pytest.param("f = use(g, )", "f = g", id="a comma after"),
        pytest.param("f = use( g )", "f = g", id="blanks"),
        pytest.param("f = [use(g), *use(a or b)]", "f = [g, *(a or b)]", id="in a list"),
        pytest.param("f = {'k': use(a or b)}", "f = {'k': a or b}", id="in a dict"),
        pytest.param("f = h(use(a or b), k=use(c))", "f = h(a or b, k=c)", id="in a call"),
        pytest.param("f = f'{use(g)}'", "f = f'{g}'", id="in an f-string"),
        pytest.param("def h(k=use(a or b)): pass", "def h(k=a or b): pass", id="a default"),
        pytest.param("@use(g)\ndef h(): pass", "@g\ndef h(): pass", id="a decorator"),
        pytest.param("x = use(f); y = use(g);", "x = f; y = g;", id="semicolons"),
        pytest.param("f = use(\n    g\n)", "f = g", id="over several lines"),
        pytest.param("f = use(h(\n    g,\n))", "f = h(\n    g,\n)", id="a call over several lines"),
        pytest.param("f = use(a +\n    b)", "f = (a +\n    b)", id="a sum over several lines"),
        pytest.param("f = use('''a\n  b''')", "f = '''a\n  b'''", id="a text over several lines"),
        pytest.param(
            "f = use(\n    # why\n    g,  # then\n)",
            "f = (\n    # why\n    g  # then\n)",
            id="comments inside",
        ),
        pytest.param("f = use(  # why\n    g\n)", "f = (  # why\n    g\n)", id="a comment after"),
    ],
)  # fmt: skip
def test_use(old: str, new: str) -> None:
    assert migrated(f"from kohakuengine import use\n{old}\n") == (f"{new}\n", CLEAN)


# --- what only collects names --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            """
            with capture_globals() as ctx:
                # the step
                lr = 0.1  # small

                # the layers
                if lr:
                    sizes = [
                        1,
                    ]
                # end

            # next
            CONFIG = Config.from_context(ctx)
            """,
            """
            # the step
            lr = 0.1  # small

            # the layers
            if lr:
                sizes = [
                    1,
                ]
            # end

            # next
            """,
            id="a block with comments and blank lines",
        ),
        pytest.param(
            '''
            with capture_globals() as ctx:
                text = """a
                b
              c"""
                shown = f"""
                {text}
                """
                raw = (b"a"
                       b"b")
            ''',
            '''
            text = """a
                b
              c"""
            shown = f"""
                {text}
                """
            raw = (b"a"
                   b"b")
            ''',
            id="texts over several lines keep their blanks",
        ),
        pytest.param(
            "with capture_globals() as c: lr = 1; bs = 2  # both\n",
            "lr = 1; bs = 2  # both\n",
            id="a block on one line",
        ),
        pytest.param(
            "with capture_globals() as c:  # mine\n    lr = 1\n",
            "# mine\nlr = 1\n",
            id="a comment after the colon",
        ),
        pytest.param(
            "# mine\nwith (\n    capture_globals() as c  # all\n):\n    # the step\n    lr = 1\n",
            "# mine\n# all\n# the step\nlr = 1\n",
            id="a header over several lines",
        ),
        pytest.param(
            """
            with capture_globals() as c:
                @deco(
                    1
                )
                # about
                def f():
                    return 1

                @deco
                class A:
                    b = 1
            """,
            """
            @deco(
                1
            )
            # about
            def f():
                return 1

            @deco
            class A:
                b = 1
            """,
            id="decorators",
        ),
        pytest.param(
            "with capture_globals():\n\tlr = 1\n\tif lr:\n\t\tbs = [\n\t\t\t2]\n\t\t# end\n",
            "lr = 1\nif lr:\n\tbs = [\n\t\t2]\n\t# end\n",
            id="tabs",
        ),
        pytest.param(
            "with capture_globals() as c:\n  lr = 1\n  if lr:\n        bs = 2\n",
            "lr = 1\nif lr:\n      bs = 2\n",
            id="odd indentation",
        ),
        pytest.param(
            "with capture_globals() as c:\n    with open(p) as f:\n        lr = f.read()\n",
            "with open(p) as f:\n    lr = f.read()\n",
            id="another block inside",
        ),
        pytest.param(
            "with capture_globals() as a:\n    lr = 1\nwith capture_globals() as b:\n    bs = 2\n",
            "lr = 1\nbs = 2\n",
            id="two blocks",
        ),
        pytest.param(
            "lr = 1; CONFIG = Config.from_globals()\n", "lr = 1\n", id="CONFIG behind a semicolon"
        ),
        pytest.param(
            "CONFIG = Config.from_globals(); lr = 1;\n", "lr = 1;\n", id="CONFIG before another"
        ),
        pytest.param(
            "lr = 1\nCONFIG: Config = Config.from_globals()\n", "lr = 1\n", id="an annotated CONFIG"
        ),
        pytest.param(
            """
            lr = 1


            # collects
            @deco
            def config_gen() -> "Config":
                '''All of it.'''
                # really
                return Config.from_globals()


            # tail
            """,
            """
            lr = 1


            # collects


            # tail
            """,
            id="config_gen with a docstring, a decorator and comments",
        ),
        pytest.param(
            "lr = 1\ndef config_gen(): return Config.from_globals()\n", "lr = 1\n",
            id="config_gen on one line",
        ),
    ],
)  # fmt: skip
def test_collecting(old: str, new: str) -> None:
    assert migrated(IMPORT + table(old)) == (table(new), CLEAN)


# --- imports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "from kohakuengine import use, Config as C\nx = C({})\n",
            "from kohaku_ast import Config as C\nx = C({})\n",
            id="another name",
        ),
        pytest.param(
            "import math; from kohakuengine import use; x = 1\ny = use(x)\n",
            "import math; x = 1\ny = x\n",
            id="between semicolons",
        ),
        pytest.param(
            "import math; from kohakuengine import use\ny = use(x)\n",
            "import math\ny = x\n",
            id="after a semicolon",
        ),
        pytest.param(
            "import math\n\n# theirs\nfrom kohakuengine import use\n\n# mine\ny = use(x)\n",
            "import math\n\n# theirs\n\n# mine\ny = x\n",
            id="the comment above stays",
        ),
        pytest.param(
            "import math\n\n\nfrom kohakuengine import use\ny = use(x)\n",
            "import math\ny = x\n",
            id="the blank lines above go",
        ),
        pytest.param(
            """
            from kohakuengine import (  # noqa
                # fields
                Config,  # main
                # wraps
                use,  # wrap
                # runs
                Script,  # one
                # end
            )
            x = use(Script), Config
            """,
            """
            from kohaku_ast import (  # noqa
                # fields
                Config,  # main
                # runs
                Script,  # one
                # end
            )
            x = Script, Config
            """,
            id="comments in brackets",
        ),
        pytest.param(
            "from kohakuengine import (\n    Config,  # main\n    use\n)\nx = use(Config)\n",
            "from kohaku_ast import (\n    Config  # main\n)\nx = Config\n",
            id="the last one goes",
        ),
        pytest.param(
            "from kohakuengine import (use, Config, run)\nx = use(Config)\n",
            "from kohaku_ast import (Config)\nx = Config\n",
            id="brackets on one line",
        ),
        pytest.param(
            "from kohakuengine import use, \\\n    Config\nx = use(Config)\n",
            "from kohaku_ast import Config\nx = Config\n",
            id="a backslash",
        ),
        pytest.param(
            "from kohakuengine import *\nx = use(f)\ny = Config({}), use_config('a')\n",
            "from kohaku_ast import Config, use_config\nx = f\ny = Config({}), use_config('a')\n",
            id="a star: what is read of it",
        ),
        pytest.param(
            "from kohakuengine import *\nx = use(f)\n", "x = f\n", id="a star of which nothing is left"
        ),
        pytest.param(
            "from kohakuengine import *\nlr = 1\nCONFIG = Config.from_globals()\n", "lr = 1\n", id="from_globals of a star"
        ),
        pytest.param(
            "from kohakuengine.config.base import Config\nx = Config({}, [], {}, {'a': 1})\n",
            "from kohaku_ast import Config\nx = Config({}, [], {}, metadata={'a': 1})\n",
            id="from a module inside",
        ),
        pytest.param(
            "import kohakuengine.config, os\nx = kohakuengine.config.use(os), kohakuengine.Config()\n",
            "import kohaku_ast, os\nx = os, kohaku_ast.Config()\n",
            id="a module inside",
        ),
        pytest.param(
            "import kohakuengine.config as kc\nx = kc.base.Config()\ny = kc.use(x)\n",
            "import kohaku_ast as kc\nx = kc.Config()\ny = x\n",
            id="a module inside under another name",
        ),
        pytest.param(
            "try:\n    from kohakuengine import use\nexcept ImportError:\n    use = None\nx = use(f)\n",
            "try:\n    pass\nexcept ImportError:\n    use = None\nx = f\n",
            id="alone in its block",
        ),
        pytest.param(
            "def g():\n    # here\n    from kohakuengine import use\n\n    return use(f)\n",
            "def g():\n    # here\n\n    return f\n",
            id="in a function",
        ),
        pytest.param(
            "if x: from kohakuengine import use\ny = use(f)\n",
            "if x: pass\ny = f\n",
            id="after a colon",
        ),
        pytest.param(
            "from kohakuengine import Config\ndef f() -> 'Config': pass\n",
            "from kohaku_ast import Config\ndef f() -> 'Config': pass\n",
            id="read in the text of an annotation",
        ),
        pytest.param(
            "from kohakuengine import use\nx = use(f)\n@use\ndef g(): pass\n",
            "from kohaku_ast import use\nx = f\n@use\ndef g(): pass\n",
            id="use that is not called",
        ),
        pytest.param(
            "from kohakuengine import use\nx = use(*f)\n",
            "from kohaku_ast import use\nx = use(*f)\n",
            id="use of a number of values",
        ),
    ],
)  # fmt: skip
def test_imports(old: str, new: str) -> None:
    assert migrated(table(old)) == (table(new), CLEAN)


# --- sweeps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "# step\nlr = [1,\n\n    2]  # small\n_sweep = {'lr': [1]}\n",
            "# step\n# lr = [1,\n#\n#     2]  # small\n_sweep = {'lr': [1]}\n",
            id="over several lines",
        ),
        pytest.param(
            "bs = 1; lr = 2  # both\n_sweep = {'lr': [1]}\n",
            "# lr = 2\nbs = 1  # both\n_sweep = {'lr': [1]}\n",
            id="beside another",
        ),
        pytest.param(
            "lr = 1\n\n\nbs = 2\n_sweep = {'bs': [1]}\n",
            "lr = 1\n\n\n# bs = 2\n_sweep = {'bs': [1]}\n",
            id="below blank lines",
        ),
        pytest.param(
            "bs = 2\n_sweep = {'lr': [1]}\nlr = 1\n",
            "bs = 2\n_sweep = {'lr': [1]}\n# lr = 1\n",
            id="the last line",
        ),
        pytest.param(
            "lr = 1\nhalf = lr / 2\n_sweep = {'lr': [1]}\n",
            "lr = 1\nhalf = lr / 2\n_sweep = {'lr': [1]}\n",
            id="not a name that another value reads",
        ),
        pytest.param(
            "lr = bs = 1\n_sweep = {'lr': [1]}\n",
            "lr = bs = 1\n_sweep = {'lr': [1]}\n",
            id="not a name that shares its value",
        ),
    ],
)
def test_swept_names(old: str, new: str) -> None:
    assert migrated(old) == (new, CLEAN)


def test_what_a_sweep_alone_changes_is_not_looked_at_for_kohakuengine() -> None:
    old = "lr = 1\na.kwargs.update(b=1)\n_sweep = {'lr': [1]}\n"
    assert migrated(old) == (f"# {old}", CLEAN)


def test_a_name_that_is_swept_in_its_block() -> None:
    old = "with capture_globals() as c: lr = 1; _sweep = {'lr': [1]}\n"
    assert migrated(IMPORT + old) == ("# lr = 1\n_sweep = {'lr': [1]}\n", CLEAN)


# --- left alone ----------------------------------------------------------------------------------

LEFT_ALONE = {
    "nothing of it": "lr = 0.1  # step\n",
    "no line end": "lr = 0.1",
    "nothing": "",
    "another package of the name": "from .kohakuengine import use\nx = use(f)\n",
    "a function of the name": "def use(x): return x\nx = use(f)\nwith capture_globals() as c:\n    y = 1\n",
    "what libcst cannot read": "(lr): int = 1\n",
    "what libcst prints another way": "\flr = 1\n\\\nbs = 2\ntry:\n    x\nexcept E :\n    x\n",
    "fields of another object": "a.kwargs.update(b=1)\nlr = half = 1\n_sweep = {'lr': [1]}\n",
    "a sweep of other names": "lr = 1\n_sweep = {'bs': [1]}\n",
}


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_leaves_a_file_without_it_alone(text: str) -> None:
    assert migrated(text) == (text, CLEAN)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def f(use): return use(1)\n", id="a parameter of the name"),
        pytest.param("class A:\n    use = list\n    x = use(1)\n", id="an attribute of the name"),
        pytest.param("x = y.use(1), f(use=2)\n", id="a method and a keyword of the name"),
        pytest.param("x = 'use(f)'  # use(f)\n", id="in texts and comments"),
        pytest.param("def f():\n    Config = dict\n    return Config(1, 2, 3, 4)\n", id="a local"),
        pytest.param("x = [use for use in (1, 2)]\n", id="a name in a comprehension"),
    ],
)
def test_leaves_names_of_the_file_alone(text: str) -> None:
    assert migrated(IMPORT + text) == (text, CLEAN)


BLOCKS = [
    "lr = 0.1  # step\n",
    "# a comment\n\n\n",
    "if x:\n    a = 1\n  # odd\n\n    b = [\n  2,\n    ]\n",
    "class A(\n    B,  # base\n):\n\tb: int = 1 ; c = 2;\n\n\n\td = '''\n\tx\n  y'''\n",
    "@deco(\n    1\n)\nasync def f(a, /, b=1, *, c) -> 'int':\n    async with a as b: pass\n    # end\n# out\n",
    "x = 1 + \\\n    2\n",
    "match x:\n    case [1, *_] if y:  # one\n        pass\n",
    "with (a as b, c as d):\n    \n    pass\n",
    "x = f'{y!r:>{z}}' 'b', rb'''\n'''.decode()\n",
    "\f\nlambda *a, k=1: (yield)\n",
    "for i in *a, b: print(i, end='');continue\nelse:\n  pass\n",
]
if sys.version_info >= (3, 11):
    BLOCKS += ["try:\n    pass\nexcept* (A, B) as e:\n    raise\nelse : pass\n"]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(BLOCKS), max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans()
)
def test_every_other_statement_comes_back_to_the_byte(
    blocks: list[str], newline: str, has_end: bool
) -> None:
    text = "".join(["import kohakuengine\n", *blocks]).replace("\n", newline)
    text = text if has_end else text.rstrip("\r\n")
    expected = text.replace("kohakuengine", "kohaku_ast", 1)
    assert migrate_kohakuengine(Source("old.py", text), "old.py").text == expected


SCRIPTS = [one for one in (FIXTURES / "scripts").glob("*.py") if one.stat().st_size < 8000]


@pytest.mark.parametrize("path", sorted(SCRIPTS), ids=lambda path: path.stem)
def test_whole_files_come_back_to_the_byte(path: Path) -> None:
    source = decode(path.read_bytes(), str(path))
    start = f"import kohakuengine{source.newline}"
    made = migrate_kohakuengine(Source("old.py", start + source.text), "old.py").text
    assert made == start.replace("kohakuengine", "kohaku_ast") + source.text


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "x = 1\n(lr): int = use(1)\n",
            "old.py:3: '(lr): int = use(1)': libcst cannot read this line",
            id="not read",
        ),
        pytest.param(
            "def f():\n    x = 1\n    (y): int\nz = 1\n",
            "old.py:4: '    (y): int': libcst cannot read this line",
            id="not read in a function",
        ),
        pytest.param(
            "\n@d\nclass A(B, k=1, *args):\n    pass\n\n\nz = 1\n",
            "old.py:3: '@d': libcst cannot read this line",
            id="not read, and noticed further down",
        ),
        pytest.param(
            "try:\n    pass\nexcept E:\n    x = 1\nelse: (y): int\nz = 1\n",
            "old.py:6: 'else: (y): int': libcst cannot read this line",
            id="not read after a colon",
        ),
        pytest.param(
            "try:\n    x\nexcept E :\n    x\n",
            "old.py:4: 'except E :': libcst would print this line as 'except E:'",
            id="blanks that would be lost",
        ),
        pytest.param(
            "x = 1\n\fy = 2\n",
            r"old.py:3: '\x0cy = 2': libcst would print this line as 'y = 2'",
            id="a form feed before a statement",
        ),
        pytest.param(
            "x = 1\n\\\ny = 2\n",
            r"old.py:3: '\\': libcst would print this line as 'y = 2'",
            id="an empty line that goes on",
        ),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)) as caught:
        migrated(f"from kohakuengine import use\n{text}")
    assert "write the line another way, and migrate again" in str(caught.value)


def test_nothing_is_written_for_a_refused_file(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("import kohakuengine\n(lr): int = 1\n")
    (tmp_path / "new.py").write_text("kept\n")
    done = run_kogine(tmp_path, "config", "migrate", "old.py", "-o", "new.py", "--force")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("kogine: error: old.py:2: '(lr): int = 1': libcst cannot read")
    assert (tmp_path / "new.py").read_text() == "kept\n"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        pytest.param("\f", "import math\n", id="a form feed at the start"),
        pytest.param("\f\f\n", "x = 1\n", id="two and a line"),
    ],
)
def test_a_form_feed_at_the_start_stays(start: str, text: str) -> None:
    old = f"{start}{text}from kohakuengine import use\ny = use(f)\n"
    assert migrated(old) == (f"{start}{text}y = f\n", CLEAN)


def test_a_long_sum_is_no_obstacle() -> None:
    long = "x = " + " + ".join(["1"] * 400) + "\n"
    assert migrated(f"from kohakuengine import use\n{long}y = use(f)\n") == (
        f"{long}y = f\n",
        CLEAN,
    )


# --- not carried over ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "from kohakuengine import RawArg\nx = use(RawArg('1'))\n",
            ["old.py:3: RawArg: write the value itself"],
            id="inside of what is unwrapped",
        ),
        pytest.param(
            "from kohakuengine import *\nx = RawArg('1')\n",
            ["old.py:3: RawArg: write the value itself"],
            id="by a star",
        ),
        pytest.param(
            "from kohakuengine import Flow, Gizmo\nx = Flow([]), Gizmo\n",
            [
                "old.py:3: Flow: write Sequential([...]), or Parallel([...])",
                "old.py:3: Gizmo: kohaku_ast has no counterpart: leave it out",
            ],
            id="names that we lack",
        ),
        pytest.param(
            "from kohakuengine import config as kc\nx = kc.Config({})\n",
            ["old.py:3: config: kohaku_ast has no counterpart: leave it out"],
            id="a module by from",
        ),
        pytest.param(
            "import kohakuengine\nx = kohakuengine.config.Config({})\n", [], id="a module by its name"
        ),
        pytest.param(
            "if 1:\n    with capture_globals() as ctx:\n        lr = 1\n",
            ["old.py:3: capture_globals: every name that the file assigns is an override: leave it out"],
            id="a block that is not at the top",
        ),
        pytest.param(
            "with capture_globals() as ctx, open(p) as f:\n    lr = 1\n",
            ["old.py:2: capture_globals: every name that the file assigns is an override: leave it out"],
            id="a block that opens a file too",
        ),
        pytest.param(
            "with capture_globals() as ctx:\n    lr = 1\n_c = Config({**ctx.captured})\n",
            ["old.py:4: ctx is still read: capture_globals() is not needed here, and left out"],
            id="a block that is read",
        ),
        pytest.param(
            "with capture_globals() as ctx:\n    lr = 1\n_c = Config.from_context(ctx)\n",
            ["old.py:4: Config.from_context: the file's own names are its Config already, else write Config({...})"],
            id="a Config of a block under another name",
        ),
        pytest.param(
            "bs: int = 1; wd = 2\nwith capture_globals() as ctx:\n    lr = 1\n_x = 1\n",
            [
                "old.py:2: 'bs' was outside capture_globals(), so no script got it: call it '_bs'",
                "old.py:2: 'wd' was outside capture_globals(), so no script got it: call it '_wd'",
            ],
            id="names outside of a block",
        ),
        pytest.param(
            "def config_gen():\n    base = Config.from_globals()\n    base.kwargs |= {}\n    del base.args[0]\n    yield base\n",
            [
                "old.py:3: Config.from_globals: the file's own names are its Config already, else write Config({...})",
                "old.py:4: base.kwargs is changed: a Config is frozen, write config | Config(...)",
                "old.py:5: base.args[0] is changed: a Config is frozen, write config | Config(...)",
            ],
            id="a config_gen that does more than collect",
        ),
    ],
)  # fmt: skip
def test_not_carried_over(text: str, message: list[str]) -> None:
    assert migrated(IMPORT + text)[1] == message


# --- values --------------------------------------------------------------------------------------

THEIRS = """
import types

class _Use:
    def __init__(self, value): self.value = value

use = _Use

class capture_globals:
    def __enter__(self):
        self.space = __import__("sys")._getframe(1).f_globals
        self.before = set(self.space)
        return self

    def __exit__(self, *args):
        new = set(self.space) - self.before
        self.captured = {name: self.space[name] for name in new if self.space[name] is not self}

class Config:
    def __init__(self, globals_dict=(), args=(), kwargs=(), metadata=()):
        self.globals_dict, self.args = dict(globals_dict), tuple(args)
        self.kwargs, self.metadata = dict(kwargs), dict(metadata)

    @classmethod
    def from_context(cls, context): return cls(context.captured)

    @classmethod
    def from_globals(cls):
        space = __import__("sys")._getframe(1).f_globals
        found = {}
        for name, value in space.items():
            if isinstance(value, _Use):
                found[name] = value.value
            elif not (name.startswith("_") or callable(value) or isinstance(value, types.ModuleType)):
                found[name] = value
        return cls(found)
"""
"""What KohakuEngine does, as far as a config can see it."""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "import math\nlr = 0.1\nhalf = lr / 2\n_private = 3\nloss = use(math.sqrt)\nkind = use(dict)\n"
            "def config_gen():\n    return Config.from_globals()\n",
            id="from_globals",
        ),
        pytest.param(
            "with capture_globals() as ctx:\n    lr = 0.1\n    text = '''a\n    b'''\n"
            "    sizes = [\n        1,\n    ]\n\nCONFIG = Config.from_context(ctx)\n",
            id="capture_globals",
        ),
        pytest.param("with capture_globals() as c: a = 1; b = a\nCONFIG = Config.from_context(c)\n", id="one line"),
        pytest.param("a = use(1 + 2); b = use(a).value * 2 if 0 else 1; CONFIG = Config.from_globals()\n", id="semicolons"),
        pytest.param(
            "def config_gen():\n    return Config({'lr': 1}, [2], {'k': 3}, {'note': 4})\n",
            id="a Config of four fields",
        ),
    ],
)  # fmt: skip
def test_gives_the_values_that_kohakuengine_gave(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"{IMPORT.replace(', use_config', '')}{text}"
    Path("new.py").write_text(migrated(text)[0])
    made = load_config("new.py")
    Path("kohakuengine.py").write_text(THEIRS)
    spec = importlib.util.spec_from_file_location("kohakuengine", "kohakuengine.py")
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    monkeypatch.setitem(sys.modules, "kohakuengine", theirs)
    space: dict[str, object] = {}
    exec(compile(text, "old.py", "exec"), space)
    old = space["CONFIG"] if "CONFIG" in space else space["config_gen"]()  # type: ignore[operator]
    for name in ("globals_dict", "args", "kwargs", "metadata"):
        assert getattr(made, name) == getattr(old, name)


# --- the command ---------------------------------------------------------------------------------


def test_windows_line_ends_stay_in_the_whole_file(tmp_path: Path) -> None:
    old = b"from kohakuengine import use\r\n\r\nf = use(\r\n    len\r\n)\r\ntext = '''a\r\n'''\r\n"
    (tmp_path / "old.py").write_bytes(old)
    assert run_kogine(tmp_path, "config", "migrate", "old.py", "-o", "new.py").status == 0
    made = b"# Made from old.py by kogine config migrate.\r\n\r\nf = len\r\ntext = '''a\r\n'''\r\n"
    assert (tmp_path / "new.py").read_bytes() == made


def test_another_encoding_becomes_utf_8(tmp_path: Path) -> None:
    old = "# -*- coding: latin-1 -*-\nfrom kohakuengine import use\nname = use('café')\n"
    (tmp_path / "old.py").write_bytes(old.encode("latin-1"))
    assert run_kogine(tmp_path, "config", "migrate", "old.py", "-o", "new.py").status == 0
    made = (
        "# -*- coding: utf-8 -*-\n# Made from old.py by kogine config migrate.\n\nname = 'café'\n"
    )
    assert (tmp_path / "new.py").read_text(encoding="utf-8") == made


@pytest.fixture
def without_libcst(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which libcst cannot be imported."""
    folder = tmp_path / "missing"
    folder.mkdir()
    (folder / "libcst.py").write_text("raise ImportError('no libcst')\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), on_path()])}


def test_says_how_to_install_libcst(tmp_path: Path, without_libcst: dict[str, str]) -> None:
    (tmp_path / "old.py").write_text("from kohakuengine import use\n")
    done = run_kogine(tmp_path, "config", "migrate", "old.py", **without_libcst)
    message = 'KohakuEngine configs are migrated with libcst: pip install "libcst>=1.4"'
    assert (done.status, done.stdout, done.stderr) == (2, "", f"kogine: error: {message}\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("old.yaml", "lr: 1\n", id="a YAML file"),
        pytest.param(
            "old.py",
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=1)\n",
            id="options",
        ),
    ],
)
def test_other_migrations_do_not_need_libcst(
    name: str, text: str, tmp_path: Path, without_libcst: dict[str, str]
) -> None:
    (tmp_path / name).write_text(text)
    done = run_kogine(tmp_path, "config", "migrate", name, **without_libcst)
    assert (done.status, done.stderr) == (0, "")
