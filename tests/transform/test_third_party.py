from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohaku_ast.transform.find.modules import third_party_imports
from kohaku_ast.transform.find.source import decode

FOUND = [
    pytest.param("import numpy", "numpy", id="import"),
    pytest.param("import numpy as np, torch.nn.functional as F", "numpy torch.nn.functional", id="dotted"),
    pytest.param("from PIL import Image, ImageDraw as d", "PIL:Image PIL:ImageDraw", id="from"),
    pytest.param("from pylab import *", "pylab:*", id="star"),
    pytest.param("import os, sys, numpy\nfrom collections.abc import Set", "numpy", id="standard library"),
    pytest.param("from __future__ import annotations\nimport numpy", "numpy", id="future"),
    pytest.param("try:\n    import torch\nexcept ImportError:\n    import jax\nimport numpy", "torch numpy", id="try"),
    pytest.param("'''doc'''\nlr = 0.1\na, b = 1, [2]\nclass A:\n    x = f()\n@g()\ndef f():\n    h()\nimport numpy", "numpy", id="after definitions"),
    pytest.param("import numpy\nif __name__ == '__main__':\n    import torch", "numpy torch", id="guard"),
    pytest.param("if True:\n    import jax\nimport numpy", "numpy", id="not what a test decides"),
    pytest.param("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jax\nimport numpy", "numpy", id="not for type checkers"),
    pytest.param("def f():\n    import jax\nimport numpy", "numpy", id="not in a function"),
]  # fmt: skip

ENDS = [
    pytest.param("load_dotenv()", id="call"),
    pytest.param("ok = load_dotenv()", id="call in an assignment"),
    pytest.param("import os\nos.environ['OMP_NUM_THREADS'] = '1'", id="environment"),
    pytest.param("import sys\nsys.path += ['..']", id="path"),
    pytest.param("del sys.modules['x']", id="del"),
    pytest.param("if debug:\n    f()", id="call under a test"),
    pytest.param("try:\n    import numpy\nexcept ImportError:\n    install('numpy')", id="call in a handler"),
    pytest.param("with quiet:\n    f()", id="with"),
    pytest.param("raise SystemExit", id="raise"),
    pytest.param("import local", id="local module"),
    pytest.param("from package.part import x", id="local package"),
    pytest.param("import plain_folder.part", id="local folder"),
    pytest.param("from . import x", id="relative"),
    pytest.param("if debug:\n    import local", id="local module under a test"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "local.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "plain_folder").mkdir()
    return str(tmp_path)


def imports(text: str, folder: str) -> str:
    found = third_party_imports(decode(text.encode(), "s.py", folder))
    return " ".join(f"{one.module}:{one.name}" if one.name else one.module for one in found)


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_finds(text: str, expected: str, folder: str) -> None:
    assert imports(text, folder) == expected


@pytest.mark.parametrize("text", ENDS)
def test_nothing_after_it_counts(text: str, folder: str) -> None:
    assert imports(f"import torch\n{text}\nimport jax", folder).split() in (
        ["torch"],
        ["torch", "numpy"],
    )


def test_folder_without_init_gives_way_to_an_installed_package(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    site = tmp_path_factory.mktemp("site")
    (site / "plain_folder.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    assert imports("import plain_folder\nimport numpy", folder) == "plain_folder numpy"
