"""Script nodes and the cache: what makes a result stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast import (
    MemoryCache,
    Pipeline,
    script,
)
from tests.pipeline.script_files import prep_and_train, write


@pytest.mark.parametrize(
    ("file", "text", "is_kept"),
    [
        pytest.param("a.py", "import helper\n\nx = 1  # one\ny = x + helper.z\n", True, id="comment"),
        pytest.param("a.py", '"""Doc."""\nimport helper\nx = 1\ny = x + helper.z\n', True, id="docstring"),
        pytest.param("a.py", "import helper\nx = 2\ny = x + helper.z\n", False, id="a constant"),
        pytest.param("a.py", "import helper\nx = 1\ny = x * helper.z\n", False, id="the code"),
        pytest.param("helper.py", "from deep import w\nz = w + 1\n", False, id="an imported module"),
        pytest.param("helper.py", "from deep import w\nz = w  # the same\n", True, id="comment in a module"),
        pytest.param("deep.py", "w = 2\n", False, id="a module of a module"),
        pytest.param("other.py", "w = 2\n", True, id="a module that it does not import"),
    ],
)  # fmt: skip
def test_what_makes_a_result_stale(folder: Path, file: str, text: str, is_kept: bool) -> None:
    write("a.py", "import helper\nx = 1\ny = x + helper.z\n")
    write("helper.py", "from deep import w\nz = w\n")
    write("deep.py", "w = 1\n")
    p = Pipeline([script("a.py", "y")], cache=MemoryCache())
    p.run()
    assert p.explain_cache()["a"].state == "kept"
    write(file, text)
    row = p.explain_cache()["a"]
    assert (row.state == "kept") is is_kept
    assert is_kept or file in row.why


@pytest.mark.parametrize("changed", ["lib/added.py", "called.py"])
def test_modules_in_added_folders_and_by_constant_names_count(folder: Path, changed: str) -> None:
    Path("lib").mkdir()
    write("lib/added.py", "w = 1\n")
    write("called.py", "w = 1\n")
    head = "import sys\nfrom importlib import import_module\nsys.path.insert(0, 'lib')\n"
    write("a.py", f"{head}import added\ny = added.w + import_module('called').w\n")
    p = Pipeline([script("a.py", "y")], cache=MemoryCache())
    assert p.run({}, "y") == p.run({}, "y") == 2
    write(changed, "w = 3\n")
    assert p.run({}, "y") == 4


def test_overrides_are_in_the_key(files: Path) -> None:
    p = prep_and_train(cache=MemoryCache())
    p.run(lr=1.0)
    assert {row.state for row in p.explain_cache(lr=1.0).rows} <= {"kept", "not needed"}
    rows = p.explain_cache(lr=2.0)
    assert (rows["prep"].state, rows["train"].state) == ("kept", "runs")
    assert p.explain_cache({"Args.depth": 3, "lr": 1.0})["train"].state == "runs"


def test_another_script_with_the_same_text_has_results_of_its_own_outputs(folder: Path) -> None:
    write("a.py", "x = 1\ny = 2\n")
    cache = MemoryCache()
    assert Pipeline([script("a.py", "x")], cache=cache).run() == {"x": 1}
    assert Pipeline([script("a.py", {"y": "x"})], cache=cache).run() == {"x": 2}


KEYWORDS = """
from types import SimpleNamespace

net = SimpleNamespace()
net.width = 8
for step in range(2):
    pass
print("fit", end="")
score = net.width * 5
"""


def test_a_kind_of_input_that_older_versions_did_not_find_is_in_no_key_without_a_value(
    folder: Path,
) -> None:
    write("a.py", KEYWORDS)
    node = script("a.py", "score")
    assert {"net.width", "print(end)"} <= set(node.inputs)
    names = [name for name, _ in node.key_parameters(lambda name: False)]
    assert names == ["SimpleNamespace", "net"]
    assert [name for name, _ in node._means] == sorted(names)


def test_a_value_for_it_is(folder: Path) -> None:
    write("a.py", KEYWORDS)
    p = Pipeline([script("a.py", "score")], cache=MemoryCache())
    assert (p.run({"net.width": 2}), p.run()) == ({"score": 10}, {"score": 40})
    assert p.run({"net.width": 3}) == {"score": 15}
    assert p.explain_cache({"net.width": 3})["a"].state == "kept"
    bound = script("a.py", "score").bind(**{"net.width": 4})
    assert Pipeline([bound], cache=p.cache).run() == {"score": 20}
    renamed = script("a.py", "score", inputs={"net.width": "size"})
    assert Pipeline([renamed], cache=p.cache).run(size=1) == {"score": 5}


def test_a_class_that_a_run_has_left_in_this_process_makes_nothing_stale(folder: Path) -> None:
    write("a.py", "class Net:\n    def __init__(self): self.width = 8\nscore = Net().width * 5\n")
    p = Pipeline([script("a.py", "score")], cache=MemoryCache())
    assert (p.run({"Net.width": 2}), p.run()) == ({"score": 10}, {"score": 40})
    assert p.explain_cache({"Net.width": 2})["a"].state == "kept"
    assert p.explain_cache()["a"].state == "kept"
