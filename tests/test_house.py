"""The house keeps its shape: sizes of files, names, directions of imports, what a start loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle import run_kogine

ROOT = Path(__file__).parents[1]
PLACES = {"kohaku_ast": ROOT / "kohaku_ast", "kogine": ROOT / "cli" / "kogine"}
FILES = {
    ".".join([name, *path.relative_to(folder).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for name, folder in PLACES.items()
    for path in sorted(folder.rglob("*.py"))
}
SMALL = {
    "kohaku_ast.web.commands": "what pages ask, and start, in processes of their own",
    "kohaku_ast.web.pipeline_page": "a page",
    "kohaku_ast.pipeline.tracker_feed": "few runs have trackers, and the file of records is long enough",
    "kohaku_ast.flow.pruning": "few searches prune, and the file of searches is long enough",
    "kogine": "an entry point",
    "kogine.__main__": "an entry point",
    "kogine.doctor": "a command",
    "kogine.lsp": "a command",
    "kogine.plugin_commands": "read for help and unknown names, below what plug-ins are listed by",
    "kogine.plugins": "a command",
    "kogine.run": "a command",
    "kohaku_ast.web.app": "an entry point",
    "kohaku_ast.web.answers": "what each file of the web view answers with",
    "kohaku_ast.exports.run_sheet": "what a command and a page show",
    "kogine.ui": "a command",
    "kogine.run_report": "a command",
    "kohaku_ast.exports.tensorboard": "it needs an optional package",
    "kohaku_ast.exports.tables": "it needs an optional package",
    "kohaku_ast.runner.fresh": "an entry point, started by its path",
    "kohaku_ast.version": "read where importing more would cost too much",
    "kohaku_ast.systems.node": "the machines of systems, which components and systems name",
    "kohaku_ast.value_types": "below config and transform, on the warm path",
    "kohaku_ast.helpers.decorator": "imported by scripts, which pay for nothing else",
    "kohaku_ast.helpers.tensorboard_backend": "it needs an optional package",
    "kohaku_ast.helpers.trackio_backend": "it needs an optional package",
    "kohaku_ast.helpers.wandb_backend": "it needs an optional package",
}
"""Files of fewer than 100 lines, and why each is a file of its own."""

ROOMS = {
    "kogine": (54, 10630),
    "kohaku_ast.cache": (12, 3130),
    "kohaku_ast.config": (25, 6810),
    "kohaku_ast.display": (5, 1400),
    "kohaku_ast.engines": (11, 2730),
    "kohaku_ast.executors": (10, 1930),
    "kohaku_ast.exports": (18, 3540),
    "kohaku_ast.flow": (28, 7780),
    "kohaku_ast.helpers": (17, 3450),
    "kohaku_ast.imperative": (8, 1890),
    "kohaku_ast.lsp": (12, 1990),
    "kohaku_ast.migrate": (8, 1970),
    "kohaku_ast.notebook": (5, 900),
    "kohaku_ast.pipeline": (35, 9510),
    "kohaku_ast.runner": (32, 8540),
    "kohaku_ast.store": (23, 7830),
    "kohaku_ast.systems": (14, 2980),
    "kohaku_ast.transform": (49, 14330),
    "kohaku_ast.web": (18, 2420),
}
"""Room -> at most so many files and lines. Who needs more says so here, in a change of its own."""


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_neither_long_nor_scraps() -> None:
    sizes = {name: lines(path) for name, path in FILES.items()}
    assert {name: size for name, size in sizes.items() if size > 500} == {}
    scraps = {
        name for name, size in sizes.items() if size < 100 and FILES[name].name != "__init__.py"
    }
    assert scraps - set(SMALL) == set()
    assert set(SMALL) - scraps - {"kogine"} == set(), "no longer small: take them off the list"


def test_a_base_name_exists_once() -> None:
    names = Counter(
        name.rpartition(".")[2]
        for name, path in FILES.items()
        if name.startswith("kohaku_ast.")
        and path.name != "__init__.py"
        # A node, an engine of systems: other things than those of pipelines.
        and not name.startswith("kohaku_ast.systems.")
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_keeps_within_its_budget(room: str) -> None:
    own = [path for name, path in FILES.items() if name == room or name.startswith(f"{room}.")]
    most_files, most_lines = ROOMS[room]
    assert len(own) <= most_files
    assert sum(map(lines, own)) <= most_lines


def test_every_room_has_a_budget() -> None:
    rooms = {".".join(name.split(".")[:2]) for name, path in FILES.items() if name.count(".") > 1}
    assert {room for room in rooms if room.startswith("kohaku_ast.")} <= set(ROOMS)


def test_the_map_for_newcomers_names_every_file_and_no_other() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    words = set(
        re.findall(r"\w+", text[text.index("```text") : text.index("Imports go down only")])
    )
    names = {path.stem for path in FILES.values()} - {"__init__", "__main__"}
    assert names - words == set()
    gone = {word for word in words if "_" in word and not word.startswith("__")} - names
    assert gone - {"kohaku_ast"} == set()


def imported(name: str) -> Iterator[str]:
    """The modules of ours that *name* imports, wherever in its text, also for type checking."""
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in FILES:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in FILES else node.module


def test_no_files_import_each_other() -> None:
    left = {name: set(imported(name)) - {name, *PLACES} for name in FILES}
    while free := [name for name, needs in left.items() if not needs & set(left)]:
        for name in free:
            del left[name]
    while free := [name for name in left if not any(name in needs for needs in left.values())]:
        for name in free:
            del left[name]
    assert {name: sorted(needs & set(left)) for name, needs in left.items()} == {}


def test_no_hidden_function_calls_super() -> None:
    """Python 3.13 looks for the class in the frame of the call, and finds no hidden frame."""
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
    hidden = [
        (name, node)
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(getattr(one, "id", "") == "hidden" for one in node.decorator_list)
    ]
    assert len(hidden) > 50
    calls = [
        f"{name}:{node.lineno}"
        for name, node in hidden
        if any(isinstance(one, ast.Name) and one.id == "super" for one in ast.walk(node))
    ]
    assert calls == []


def hides_errors(handler: ast.ExceptHandler) -> bool:
    """Whether *handler* takes every exception, or an OSError, and drops it."""
    named = {one.id for one in ast.walk(handler.type or handler) if isinstance(one, ast.Name)}
    is_broad = handler.type is None or named & {"Exception", "BaseException"}
    if not is_broad and not (isinstance(handler.body[0], ast.Pass) and "OSError" in named):
        return False
    inside = [one for part in handler.body for one in ast.walk(part)]
    is_used = any(isinstance(one, ast.Name) and one.id == handler.name for one in inside)
    return not (is_used or any(isinstance(one, ast.Raise) for one in inside))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("except Exception:\n    pass", True, id="dropped"),
        pytest.param("except:\n    x = 1", True, id="bare"),
        pytest.param("except (OSError, ValueError):\n    pass", True, id="a silent OSError"),
        pytest.param("except OSError:\n    return", False, id="an OSError with an answer"),
        pytest.param("except Exception as e:\n    show(e)", False, id="used"),
        pytest.param("except BaseException:\n    close()\n    raise", False, id="raised again"),
    ],
)
def test_what_hides_errors(text: str, expected: bool) -> None:
    tree = ast.parse(f"try:\n    x\n{text}\n")
    (handler,) = [one for one in ast.walk(tree) if isinstance(one, ast.ExceptHandler)]
    assert hides_errors(handler) == expected


def test_what_drops_every_error_says_why() -> None:
    found = []
    for name, path in FILES.items():
        text = path.read_text(encoding="utf-8")
        rows = ["", *text.splitlines()]
        for one in ast.walk(ast.parse(text)):
            if isinstance(one, ast.ExceptHandler) and hides_errors(one):
                own = rows[one.lineno - 1 : (one.end_lineno or 0) + 1]
                found += [] if any("#" in row for row in own) else [f"{name}:{one.lineno}"]
    assert found == []


PROGRAMS = (
    "kohaku_ast.systems.arrow",
    "kohaku_ast.systems.dora_node",
    "kogine.__main__",
    "kohaku_ast.runner.fresh",
    "kohaku_ast.flow.output_process",
)
"""Importing one of them runs it, or needs an optional package."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in FILES if name not in PROGRAMS])
def test_a_module_imports_alone_and_without_a_warning(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"],
        cwd=ROOT / "cli", env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


LOADED = """\
import sys
x = 3
names = [one for one in sys.modules if one.partition(".")[0] in ("kohaku_ast", "kogine")]
print(*names)
heavy = {"ast", "click", "dataclasses", "libcst", "pickle", "threading", "typing"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_a_warm_run_loads_few_modules(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(LOADED)
    run_kogine(tmp_path, "run", "s.py", "x=1")
    ours, heavy = run_kogine(tmp_path, "run", "s.py", "x=1").stdout.splitlines()
    assert heavy == ""
    assert len(ours.split()) <= 30
