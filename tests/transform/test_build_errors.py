"""What is wrong with a script is known to the process that builds its Program, and told as if it had
been built here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import on_path, run_python

X = {"targets": [["x", True, False]]}
ERRORS = {
    "no Python": ("x = = 1\n", X),
    "bracket left open": ("x = 1\ny = (2,\n\nz = 3\n", X),
    "string left open": ("x = 'a\n", X),
    "indentation": ("x = 1\n    y = 2\n", X),
    "tab and blanks": ("if 1:\n\tx = 1\n        y = 2\n", X),
    "not ASCII before it": ("# coding: latin-1\n\xe4\xf6 = 1; x = = 2\n", X),
    "known to the compiler only": ("x = 1\nreturn x\n", X),
    "known to the table of symbols only": ("x = 1\ndef f(a):\n    global a\n", X),
    "argument twice": ("x = 1\ndef f(a, a): pass\n", X),
    "import of the future": ("x = 1\nfrom __future__ import nothing\n", X),
    "number too long": ("x = " + "1" * 5000 + "\n", X),
    "null byte": ("x = 1\n\0\n", X),
    "not UTF-8": ("x = 1\ny = '\xff\xfe'\n", X),
    "unknown encoding": ("# coding: nothing\nx = 1\n", X),
    "unknown target": ("xs = 1\n", X),
    "not decidable": ("for x in 1, 2: print(x)\n", X),
    "ambiguous target": ("class A:\n    x = 1\nclass B:\n    x = 1\n", X),
    "no such entrypoint": ("x = 1\ndef main(): pass\n", {"entrypoint": "mian"}),
    "no call": ("x = 1\n", {"args": 1}),
    "our own name": ("x = 1\n__kogine__ = 2\n", X),
    "nested too deeply": ("x = " + "(" * 2000 + ")" * 2000 + "\n", X),
}  # fmt: skip


@pytest.fixture(scope="module", params=["forked", "spawned"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Name -> the error when built in the process itself, and the one that came from a builder."""
    folder = tmp_path_factory.mktemp("crossed")
    done = run_python(
        folder,
        str(Path(__file__).with_name("crossed.py")),
        request.param,
        stdin=json.dumps(list(ERRORS.values())),
        KOGINE_CACHE=str(folder / "cache"),
        PYTHONPATH=on_path(),
    )
    assert done.stderr == ""
    return dict(zip(ERRORS, json.loads(done.stdout)))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_comes_as_it_is(seen: Any, name: str) -> None:
    here, crossed = seen[name]
    assert here is not None
    assert crossed == here
