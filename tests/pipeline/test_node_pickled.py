"""Nodes go to other processes by the standard library."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Node, Pipeline
from tests.pipeline.small_nodes import Scaled, add, plain


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(add, id="decorated: by reference"),
        pytest.param(add.bind(right=4), id="bound"),
        pytest.param(add.with_names(left="a", right="b").bind(b=4), id="renamed and bound"),
        pytest.param(Node(plain, "y", cache=False, name="p"), id="of a plain function"),
        pytest.param(Node(lambda x: x + 2, "y"), id="of a lambda"),
    ],
)
def test_it_pickles_by_the_standard_library(one: Node) -> None:
    again = pickle.loads(pickle.dumps(one))
    value = [1] * (one.inputs != ())
    assert (again.options(), again(*value)) == (one.options(), one(*value))


def test_a_method_as_a_node_pickles_with_its_object() -> None:
    again = pickle.loads(pickle.dumps(Scaled(3).scale.with_names(x="a")))
    assert (again.inputs, again.run({"a": 5})) == (("a",), (15,))
    made = Pipeline([Scaled(3).scale], engine="parallel")
    assert made.map({"x": [5]}, map_over="x", output_name="scaled") == [15]


def test_a_decorated_node_comes_back_as_itself() -> None:
    assert pickle.loads(pickle.dumps(add)) is add


def test_a_bound_node_does_not_come_back_as_the_decorated_one() -> None:
    assert pickle.loads(pickle.dumps(add.bind(right=1))).inputs == ("left",)


def test_a_node_of_a_script_is_read_in_another_process(tmp_path: Path) -> None:
    script = tmp_path / "made.py"
    script.write_text(
        "from kohaku_ast import node\n"
        "@node('y')\n"
        "def twice(x): return 2 * x\n"
        "def local(k):\n"
        "    return node('y')(lambda x: k * x)\n"
    )
    other = (
        "import sys, pickle; sys.path.insert(0, sys.argv[1])\n"
        "found = pickle.loads(bytes.fromhex(sys.argv[2]))\n"
        "print([one(4) for one in found])\n"
    )
    dump = "import sys, pickle; sys.path.insert(0, sys.argv[1]); import made\n"
    dump += "print(pickle.dumps([made.twice, made.twice.bind(x=3).with_names(), made.local(5)][::2]).hex())"
    data = _python(dump, tmp_path)
    assert _python(other, tmp_path, data) == "[8, 20]"


def _python(program: str, *args: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, args)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
