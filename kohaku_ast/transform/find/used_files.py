"""The files that a script opens by relative names, which are found from the working folder:
``pd.read_csv("data.csv")``, ``torch.save(model, OUT)``, ``Path("out").mkdir()``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.paths import called_name, dotted_name, full_name, nodes_of
from kohaku_ast.transform.find.source import Source

UNKNOWN = "{}"
"""Stands in a path for what only the running script knows."""


class UsedFile(NamedTuple):
    """A file, or a folder, that a script opens by a relative name."""

    #: As the script names it, with UNKNOWN for computed parts.
    path: str
    is_written: bool
    file: str
    line: int

    @property
    def is_computed(self) -> bool:
        """Whether a part of its name is only known at run time."""
        return UNKNOWN in self.path


_READERS = {"numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "torch.load", "joblib.load"}
_READER_NAMES = ("read_csv", "read_parquet", "read_json", "read_excel", "read_table", "read_pickle")
_FIRST = {
    "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt",
    "torch.utils.tensorboard.SummaryWriter", "tensorboardX.SummaryWriter",
    "logging.FileHandler", "matplotlib.pyplot.savefig",
}  # fmt: skip
"""Functions that write to the file of their first argument."""
_SECOND = {"torch.save", "joblib.dump", "safetensors.torch.save_file"}
"""Functions that write to the file of their second argument."""
_WRITERS = (
    "to_csv", "to_parquet", "to_json", "to_pickle", "to_excel", "savefig", "save_pretrained",
    "save_weights", "save_model", "write_text", "write_bytes", "touch",
)  # fmt: skip
"""Methods that write: to the file of their first argument, those of a path to it."""
_OF_PATHS = ("write_text", "write_bytes", "touch", "read_text", "read_bytes", "open")
_KEYWORDS = (
    "file",
    "filename",
    "fname",
    "path",
    "f",
    "filepath_or_buffer",
    "path_or_buf",
    "log_dir",
)


def find_files(source: Source) -> list[UsedFile]:
    """Each file once, as it is read or written; raises SyntaxError."""
    names, constants = import_names(source.tree, source.package), _constants(source.tree)
    found: dict[tuple[str, bool], UsedFile] = {}
    for node in nodes_of(source.tree):
        if isinstance(node, ast.Call):
            for argument, is_written in _opened(node, full_name(dotted_name(node.func), names)):
                path = _path(argument, constants)
                if path and _is_relative(path):
                    key = path, is_written
                    found.setdefault(key, UsedFile(*key, source.file, node.lineno))
    return sorted(found.values(), key=lambda one: one.line)


def _opened(node: ast.Call, name: str) -> Iterator[tuple[ast.expr, bool]]:
    """The argument with the file that a call of *name* opens, and whether it writes to it."""
    last = called_name(node.func)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if owner is not None and last in _OF_PATHS and _makes_path(owner):
        yield owner, last in _WRITERS or (last == "open" and _writes(node, 0))
    elif name in ("open", "io.open", "gzip.open") or (name == "codecs.open"):
        yield from ((one, _writes(node, 1)) for one in _argument(node, 0))
    elif name in _SECOND:
        yield from ((one, True) for one in _argument(node, 1))
    elif name in _FIRST or (owner is not None and last in _WRITERS and last not in _OF_PATHS):
        yield from ((one, True) for one in _argument(node, 0))
    elif name in _READERS or last in _READER_NAMES:
        yield from ((one, False) for one in _argument(node, 0))


def _argument(node: ast.Call, place: int) -> list[ast.expr]:
    named = [one.value for one in node.keywords if one.arg in _KEYWORDS]
    return node.args[place : place + 1] or named[:1]


def _writes(node: ast.Call, place: int) -> bool:
    given = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "mode")]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
    return bool({*"wax+"} & {*str(mode)})


def _makes_path(node: ast.expr) -> bool:
    """Whether *node* is ``Path(...)``, ``Path(...) / "x"`` or a name, which may be one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return True
    return isinstance(node, ast.Name) or called_name(getattr(node, "func", node)) == "Path"


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The names that the module gives a value once."""
    found: dict[str, ast.expr] = {}
    twice = set[str]()
    for node in nodes_of(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            name, value = node.target.id, node.value
        else:
            continue
        twice |= {name} & found.keys()
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def _path(node: ast.expr, constants: Mapping[str, ast.expr], depth: int = 5) -> str:
    """The path that *node* makes, with UNKNOWN for its computed parts; "" if it is no path."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if depth == 0:
        return UNKNOWN
    if isinstance(node, ast.Name):
        inner = constants.get(node.id)
        return _path(inner, constants, depth - 1) if inner is not None else UNKNOWN
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return "/".join(_path(one, constants, depth - 1) for one in (node.left, node.right))
    if isinstance(node, ast.Call) and dotted_name(node.func) in ("Path", "pathlib.Path"):
        return "/".join(_path(one, constants, depth - 1) for one in node.args)
    if isinstance(node, ast.Call) and dotted_name(node.func) in ("os.path.join", "path.join"):
        return "/".join(_path(one, constants, depth - 1) for one in node.args)
    return UNKNOWN


def _is_relative(path: str) -> bool:
    """Whether the beginning of *path* is known, and is found from the working folder."""
    return not path.startswith((UNKNOWN, "/", "~", "\\")) and ":" not in path and path.strip() != ""
