"""What a script's text says about its parameters, and how the script starts."""

from __future__ import annotations

import ast

import pytest

from kohaku_ast.config.template import config_text
from kohaku_ast.transform.find import calls as find_calls
from kohaku_ast.transform.find.inspection import Inspection, inspect_source
from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import Source
from kohaku_ast.value_types import describe


def inspect(text: str) -> Inspection:
    return inspect_source(Source("script.py", text))


def parameter(text: str, target: str) -> Parameter:
    return next(one for one in inspect(text).parameters if one.target == target)


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        pytest.param("lr = 1  # rate", "lr", "rate", id="global"),
        pytest.param("a = b = 1  # both", "b", "both", id="two names of one value"),
        pytest.param("a, b = 1, 2  # both", "b", "both", id="unpacking"),
        pytest.param("t = (\n  'a'\n  'b'\n)  # verse", "t", "verse", id="behind the last line"),
        pytest.param("class A:\n  lr = 1  # rate", "A.lr", "rate", id="class attribute"),
        pytest.param("class A:\n  lr: int = 1\n  '''rate'''", "A.lr", "rate", id="string below"),
        pytest.param(
            "class A:\n  lr: int = field(default=1, metadata={'help': 'rate'})",
            "A.lr",
            "rate",
            id="metadata of a field",
        ),
        pytest.param(
            "class A:\n  lr: int = Field(1, description='rate')", "A.lr", "rate", id="pydantic"
        ),
        pytest.param("cfg = {\n  'lr': 1,  # rate\n}", "cfg.lr", "rate", id="entry"),
        pytest.param(
            "cfg = {\n  # rate\n  'lr': 1,\n}", "cfg.lr", "rate", id="line above an entry"
        ),
        pytest.param("cfg = {  # all\n  'lr': 1}", "cfg", "all", id="container, first line"),
        pytest.param("cfg = {\n  'lr': 1\n}  # all", "cfg", "all", id="container, last line"),
        pytest.param("cfg = {\n  'lr': 1}  # rate", "cfg.lr", "rate", id="entry on the last line"),
        pytest.param("m = f(\n  lr=1,  # rate\n)", "m.lr", "rate", id="keyword of a call"),
        pytest.param("p.add_argument('--lr', help='rate')", "--lr", "rate", id="option"),
        pytest.param(
            "p.add_argument('--lr', help='a\\n  b')", "--lr", "a b", id="help of two lines"
        ),
        pytest.param("p.add_argument(\n  '--lr')  # rate", "--lr", "rate", id="behind an option"),
        pytest.param(
            "p.add_argument('--lr', help='a')  # b", "--lr", "b", id="comment before help="
        ),
        pytest.param("flags.DEFINE_float('lr', 1.0, 'rate')", "--lr", "rate", id="absl"),
        pytest.param(
            "@click.option('--lr', default=1)  # rate\ndef main(lr): pass",
            "--lr",
            "rate",
            id="click",
        ),
        pytest.param("def f(\n  lr=1,  # rate\n): pass", "f(lr)", "rate", id="default"),
        pytest.param(
            "class A:\n  lr: Annotated[float, 'rate'] = 1", "A.lr", "rate", id="Annotated, a text"
        ),
        pytest.param(
            "class A:\n  lr: Annotated[float, Doc('rate')] = 1", "A.lr", "rate", id="Annotated, Doc"
        ),
        pytest.param(
            "class A:\n  lr: Annotated[float, tyro.conf.arg(help='rate')] = 1",
            "A.lr",
            "rate",
            id="Annotated, a call of tyro",
        ),
        pytest.param(
            "class A:\n  lr: Final[t.Annotated[float, Gt(0), 'rate']] = f()",
            "A.lr",
            "rate",
            id="Annotated, further in",
        ),
        pytest.param("lr: Annotated[float, 'rate'] = 1", "lr", "rate", id="Annotated, global"),
        pytest.param(
            "def f(lr: Annotated[float, typing_extensions.Doc('rate')] = 1): pass",
            "f(lr)",
            "rate",
            id="Annotated, default",
        ),
        pytest.param(
            "def f(*, lr: Annotated[float, typer.Option('-l', help='rate')] = 1): pass",
            "f(lr)",
            "rate",
            id="Annotated, option of typer",
        ),
        pytest.param(
            "def f(lr: float = typer.Option(1, help='rate')): pass",
            "f(lr)",
            "rate",
            id="option of typer",
        ),
        pytest.param(
            "def f(lr: float = typer.Argument(1, help='rate')): pass",
            "f(lr)",
            "rate",
            id="argument of typer",
        ),
        pytest.param(
            "def f(\n  lr: Annotated[float, 'rate'] = 1,  # speed\n): pass",
            "f(lr)",
            "speed",
            id="a comment before Annotated",
        ),
        pytest.param("def f():\n  lr = 1  # rate", "f.lr", "rate", id="local"),
        pytest.param(
            "if __name__ == '__main__':\n  lr = 1  # rate", "lr", "rate", id="in the guard"
        ),
    ],
)
def test_help(text: str, target: str, expected: str) -> None:
    assert parameter(text, target).help == expected


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param("lr = 1", "lr", id="nothing said"),
        pytest.param("'''lr: rate'''\nlr = 1", "lr", id="docstring of the module"),
        pytest.param("cfg = {'lr': 1}  # all", "cfg.lr", id="comment of the whole literal"),
        pytest.param("# all\ncfg = {'lr': 1}", "cfg.lr", id="line above the whole literal"),
        pytest.param("cfg = {\n 'o': {'lr': 1},  # opt\n}", "cfg.o.lr", id="comment of its parent"),
        pytest.param("cfg = {\n 'lr': 1, 'n': 2,  # both\n}", "cfg.n", id="two entries on a line"),
        pytest.param("cfg = {\n  'lr': 1}  # rate", "cfg", id="comment of the last entry"),
        pytest.param("def f(lr=1):  # fit\n  pass", "f(lr)", id="comment of a function"),
        pytest.param("# fit\ndef f(lr=1): pass", "f(lr)", id="line above a function"),
        pytest.param("m = f(lr=1)  # model", "m.lr", id="comment of the call"),
        pytest.param("class A:\n  '''rate'''\n  lr = 1", "A.lr", id="docstring of a class"),
        pytest.param("lr = 1\nprint('rate')", "lr", id="statement below"),
        pytest.param("p.add_argument('--lr', help=TEXT)", "--lr", id="help from a name"),
        pytest.param("lr: Annotated[float, Gt(0), 3] = 1", "lr", id="Annotated without help"),
        pytest.param("lr: Float[Tensor, 'b c'] = 1", "lr", id="a text in another annotation"),
        pytest.param("lr: Annotated['rate'] = 1", "lr", id="a type in quotes"),
        pytest.param("p = ArgumentParser(description='rate')", "p", id="description of a parser"),
        pytest.param("def f(lr: str = 'rate'): pass", "f(lr)", id="a text as default"),
        pytest.param("# Training\nimport os", "os", id="a heading above the imports"),
        pytest.param(
            "# Training\nfrom os import path\nimport re", "path", id="above several imports"
        ),
    ],
)
def test_no_help(text: str, target: str) -> None:
    assert parameter(text, target).help == ""


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        pytest.param("n = 1\nm = n * 2", "m", ("n",), id="of a global"),
        pytest.param("class A:\n  n = 1\n  m = n", "A.m", ("A.n",), id="of the same class"),
        pytest.param("n = 1\nclass A:\n  m = n", "A.m", ("n",), id="of a global, in a class"),
        pytest.param("def f():\n  n = 1\n  m = n", "f.m", ("f.n",), id="of a local"),
        pytest.param("n = 1\nc = {'m': n}", "c.m", ("n",), id="of a global, in an entry"),
        pytest.param("m = 2", "m", (), id="literal"),
        pytest.param("from pathlib import Path\np = Path('x')", "p", (), id="an imported class"),
        pytest.param("def g(): pass\nm = g()", "m", (), id="a function"),
        pytest.param("m = int(3)", "m", (), id="a builtin"),
    ],
)
def test_derived_from(text: str, target: str, expected: tuple[str, ...]) -> None:
    assert parameter(text, target).derived_from == expected


def test_the_short_target_fits_nothing_else() -> None:
    found = inspect("lr = 1\nclass A:\n  lr = 2\n  depth = 3\n")
    assert [one.short for one in found.listed()] == ["lr", "A.lr", "depth"]


def test_settings_alone_are_listed_unless_all_is_asked_for() -> None:
    found = inspect("import os\nn = 1\nm = n * 2\nfor i in range(3): pass\n")
    assert [one.target for one in found.listed()] == ["n"]
    assert {one.target: one.refused for one in found.listed(everything=True)} == {
        "os": "", "n": "", "m": "", "i": "it is a loop variable",
    }  # fmt: skip


def test_a_target_defined_twice_is_listed_once() -> None:
    found = inspect("if a:\n  class A:\n    x = 1\nelse:\n  class A:\n    x = 2\n")
    assert [one.target for one in found.listed()].count("A.x") == 1


GUARD = "if __name__ == '__main__':\n"
MAIN = "def main(n=1): pass\n"


@pytest.mark.parametrize(
    ("text", "guards", "calls"),
    [
        pytest.param(
            MAIN + GUARD + "  main(n=3)", (2,), [("main(n=3)", 3)], id="call in the guard"
        ),
        pytest.param(MAIN + GUARD + "  sys.exit(main())", (2,), [("main()", 3)], id="inside exit"),
        pytest.param(MAIN + GUARD + "  main(\n    n=3)", (2,), [("main(n=3)", 3)], id="two lines"),
        pytest.param(MAIN + "main()", (), [("main()", 2)], id="last statement"),
        pytest.param(MAIN + GUARD + "  other()", (2,), [], id="call to something else"),
        pytest.param(GUARD + "  x = 1\n" + GUARD + "  y = 1", (1, 3), [], id="two guards"),
        pytest.param(MAIN + "r = main()\nprint(r)", (), [("main()", 2)], id="print below it"),
        pytest.param(MAIN + "for i in x:\n  main(i)", (), [], id="call in a loop"),
        pytest.param(MAIN + "[main(i) for i in x]", (), [], id="call in a comprehension"),
        pytest.param("x = 1", (), [], id="neither"),
    ],
)
def test_entrypoint(text: str, guards: tuple[int, ...], calls: list[tuple[str, int]]) -> None:
    found = inspect(text).entrypoint
    assert (found.guards, [(call.text, call.line) for call in found.calls]) == (guards, calls)


def test_the_imports_of_a_long_file_are_not_read_for_each_decorator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's test_socket.py has 230: its Program took 12 s."""
    read: list[ast.AST] = []

    def counted(tree: ast.Module, package: str = "") -> dict[str, str]:
        read.append(tree)
        return import_names(tree, package)

    monkeypatch.setattr(find_calls, "import_names", counted)
    text = (
        "".join(f"@lib.mark{n}\ndef f{n}(): pass\n" for n in range(9))
        + "@lib.entrypoint\ndef f(): pass\n"
    )
    assert find_calls.find_marked_entrypoints(Source("s.py", f"import lib\n{text}")) == []
    assert len(read) == 1


def test_marked_entrypoint() -> None:
    found = inspect("import kohaku_ast\n@kohaku_ast.entrypoint\ndef fit(): pass\n")
    assert found.entrypoint.marked == "fit"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import sys\nn = len(sys.argv)", id="sys.argv"),
        pytest.param("from sys import argv", id="argv by name"),
        pytest.param("import argparse\np = argparse.ArgumentParser()", id="argparse"),
        pytest.param("import click\n@click.command()\ndef main(): pass", id="click"),
        pytest.param("import click\n@click.command\ndef main(): pass", id="click without brackets"),
        pytest.param("from absl import app\napp.run(main)", id="absl"),
        pytest.param("import fire\nfire.Fire(main)", id="fire"),
        pytest.param("import tyro\nargs = tyro.cli(Args)", id="tyro"),
        pytest.param(
            "from transformers import HfArgumentParser as P, HfArgumentParser\n"
            "HfArgumentParser(Args)",
            id="transformers",
        ),
    ],
)
def test_reads_arguments(text: str) -> None:
    assert inspect(text).entrypoint.reads_argv


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import sys\nsys.exit()", id="sys for something else"),
        pytest.param("from flask import Flask\napp.run()", id="run of another package"),
        pytest.param("self.argv = 1", id="argv of another object"),
        pytest.param("import click\nclick.echo('x')", id="click to print"),
        pytest.param("from absl import logging", id="absl to log"),
        pytest.param("def main(argv): pass", id="parameter of that name"),
        pytest.param("import subprocess\nsubprocess.run([])", id="run a program"),
    ],
)
def test_reads_no_arguments(text: str) -> None:
    assert not inspect(text).entrypoint.reads_argv


def config_lines(text: str) -> list[str]:
    found = inspect(text)
    return config_text(found, found.listed(), "script.py").splitlines()[1:]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("lr = 1e-3  # rate", "lr = 1e-3  # rate", id="value as written"),
        pytest.param("lr: float = 1", "lr = 1", id="no annotation"),
        pytest.param("t = 1, 2", "t = (1, 2)", id="tuple without brackets"),
        pytest.param("a = b = 1", "b = 1", id="number under two names"),
        pytest.param("_lr = 1", '    "_lr": 1,', id="private name"),
        pytest.param("CONFIG = 'x'", "    \"CONFIG\": 'x',", id="name reserved in configs"),
        pytest.param("class A:\n  x = 1", '    "A.x": 1,', id="class attribute"),
        pytest.param("c = {'a b': 1}", "    \"c['a b']\": 1,", id="key with a blank"),
        pytest.param("p.add_argument('--lr', default=1)", '    "--lr": 1,', id="option"),
        pytest.param("from pathlib import Path\np = Path('x')", "p = Path('x')", id="path"),
        pytest.param("x = float('inf')", "x = float('inf')", id="builtin"),
        pytest.param("if c:\n  x = 1\nelse:\n  x = 1", "# x = 1  # [may not run]", id="branch"),
        pytest.param(
            "if c:\n  x = 1\nelse:\n  x = 2", "# x = 1  # [other values at line 4]", id="two arms"
        ),
        pytest.param("x = 1\nx = 2", "# x = 1  # [other values at line 2]", id="defined again"),
        pytest.param(
            "a = b = []", "# a = []  # [shared by several names]", id="list under two names"
        ),
        pytest.param(
            "import os\nx = os.environ.get('X', 1)",
            "# x = os.environ.get('X', 1)  # [read from os.environ.get('X', 1)]",
            id="environment",
        ),
        pytest.param(
            "n = True\nx = 1 if n else 2", "# x = 1 if n else 2  # [derived from n]", id="condition"
        ),
        pytest.param(
            "class E(Enum):\n  A = 1\nx = E.A", "# x = E.A  # [it reads 'E']", id="enum member"
        ),
        pytest.param(
            "p.add_argument('--lr', required=True)",
            '    # "--lr": ...,  # [required]',
            id="required",
        ),
        pytest.param(
            "p.add_argument('--lr')", '    # "--lr": ...,  # [no default]', id="no default"
        ),
        pytest.param("x = 1\nsys.exit()\ny = 2", "# y = 2  # [may not run]", id="behind an exit"),
        pytest.param(
            MAIN + GUARD + "  main(2)",
            '    # "main(n)": 1,  # [other values at line 3]',
            id="passed",
        ),
    ],
)
def test_config_line(text: str, line: str) -> None:
    assert line in config_lines(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("c = {'lr': 1}", "c =", id="a container whose entries are there"),
        pytest.param("c = [{'lr': 1}]", "c =", id="a list whose entries are there"),
        pytest.param("p = P(lr=1)", "p =", id="a call whose keywords are there"),
        pytest.param(
            "def f(n): pass\n" + GUARD + "  r = f(n=3)", '"r.n"', id="argument that is a parameter"
        ),
    ],
)
def test_config_leaves_out(text: str, name: str) -> None:
    assert not any(line.lstrip(" #").startswith(name) for line in config_lines(text))


def test_import_of_a_path_is_written_once() -> None:
    lines = config_lines("from pathlib import Path\na = Path('x')\nb = Path('y')\n")
    assert lines.count("from pathlib import Path") == 1


NESTED = """\
class Opt:
    lr: float = 0.1
@dataclass
class Cfg:
    a: Opt = field(default_factory=Opt)
    b: Opt = field(default_factory=lambda: Opt(lr=0.2))
    c: Opt = Opt()
    d: Opt = field(default_factory=other)
    e: Other = Other()
"""


def test_a_field_of_a_class_of_the_script_is_listed_with_the_class() -> None:
    found = {one.target: one for one in inspect(NESTED).listed()}
    assert {f"Cfg.{name}" for name in "abc"} == {one for one in found if one.startswith("Cfg")}
    assert [describe(found[f"Cfg.{name}"].reading) for name in "ac"] == ["Opt", "Opt"]
