"""Which files a Python command runs and imports, as far as its text shows: a script with overrides
may start another one, whose plain Python lacks them.

Imported when the script imports ``subprocess`` or starts a process, and imports nothing of Python's
own: the script would find it loaded.
"""

from __future__ import annotations

import os
import sys
from _io import open as _open  # a script may replace the builtin

from kohaku_ast.frames import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST

# Bound here: the script may change them.
_compile = compile
_isfile, _isdir, _realpath = os.path.isfile, os.path.isdir, os.path.realpath
_fsdecode = os.fsdecode
_basename, _dirname, _join = os.path.basename, os.path.dirname, os.path.join


def started_script(
    words: Sequence[str], folder: str, starts_python: Callable[[str], bool]
) -> tuple[str, list[str]]:
    """The file of the user's that the Python command *words* runs in *folder*, and where it finds
    its modules; an empty path if there is none. *starts_python*: whether a word is a Python.
    """
    first = next((n for n, word in enumerate(words) if starts_python(word)), -1)
    if first < 0 and not "".join(words[:1]).endswith(".py"):
        return "", []
    after = words[first + 1 :]
    module = after[after.index("-m") + 1] if "-m" in after[:-1] else ""
    found = _file_of(module.split("."), [folder or "."]) if module else ()
    if found:
        main = _join(_dirname(found[-1]), "__main__.py")
        is_package = _basename(found[-1]) == "__init__.py" and _isfile(main)
        return main if is_package else found[-1], [folder or "."]
    paths = [_join(folder, word) for word in after if word.endswith(".py")]
    path = next(filter(_isfile, paths), "")
    return path, [_dirname(_realpath(path))] if path else []


def started_code(arguments: Sequence[object], starts_python: Callable[[str], bool]) -> bytes:
    """The text that a Python command runs with ``-c``; empty if there is none. *arguments*: its
    words, or a line for a shell.
    """
    texts = [_fsdecode(one) for one in arguments if isinstance(one, (str, bytes))]
    if len(texts) == 1 or (texts[1:2] == ["-c"] and not starts_python(texts[0])):
        line = texts[-1]  # also the one for a shell: ["/bin/sh", "-c", "python -c '...'"]
        start, _, rest = line.partition(" -c ")
        quote = rest.lstrip()[:1]
        is_quoted = quote in ("'", '"') and bool(quote)
        rest = rest.lstrip()[1:].partition(quote)[0] if is_quoted else rest.split(" ")[0]
        return rest.encode() if any(map(starts_python, start.split())) else b""
    first = next((n for n, word in enumerate(texts) if starts_python(word)), len(texts))
    after = texts[first + 1 :]
    return after[after.index("-c") + 1].encode() if "-c" in after[:-1] else b""


def imported_files(script: str, folders: Sequence[str], code: bytes = b"") -> set[str]:
    """The real paths of the files that *script*, or the text *code*, imports, directly or through
    each other, from *folders*.
    """
    own = _realpath(script) if script else ""
    found = {own}
    waiting = [own]
    for path in waiting:
        for name, level in _imports(path, code, is_main=path == own):
            inside = path
            for _ in range(level):
                inside = _dirname(inside)
            files = _file_of(name.split("."), [inside] if level else folders)
            new = {*map(_realpath, files)} - found
            found |= new
            waiting += new
    return found - {own}


def _file_of(parts: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The files that run when the module of these name *parts* is imported from *folders*."""
    for folder in folders:
        found, place = list[str](), folder
        for part in parts:
            place = _join(place, part)
            init = _join(place, "__init__.py")
            found += [one for one in (init, f"{place}.py") if _isfile(one)][:1]
            if not _isdir(place):
                break
        if found:
            return found
    return []


def _imports(path: str, code: bytes, is_main: bool) -> Iterator[tuple[str, int]]:
    """Each name that may be a module which the file *path*, or without one *code*, imports, and the
    number of its dots.
    """
    try:
        if path:
            with _open(path, "rb") as stream:
                code = stream.read()
        waiting: list[Any] = [_tree(code, path)]
    except Exception:  # Python itself reports what it cannot read or parse
        return
    for node in waiting:
        if _never_runs(node, is_main):
            waiting += node.orelse
            continue
        kind = type(node).__name__
        if kind == "Import":
            yield from ((one.name, 0) for one in node.names)
        elif kind == "ImportFrom":
            base = node.module or ""
            names = [f"{base}.{one.name}".strip(".") for one in node.names]
            yield from ((name, node.level) for name in [base, *names] if name)
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            waiting += inner if isinstance(inner, list) else []


def _tree(text: bytes, path: str) -> Any:
    """The tree of *text*, without the warnings of Python's parser: the child prints them."""
    warnings = sys.modules.get("warnings")
    if warnings is None:
        return _compile(text, path, "exec", _ONLY_AST, True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _compile(text, path, "exec", _ONLY_AST, True)


def _never_runs(node: Any, is_main: bool) -> bool:
    """Whether *node* is ``if TYPE_CHECKING:``, or the guard of a module that is imported."""
    if type(node).__name__ != "If":
        return False
    test = node.test
    name = getattr(test, "attr", getattr(test, "id", ""))
    left = getattr(getattr(test, "left", None), "id", "")
    return name == "TYPE_CHECKING" or (left == "__name__" and not is_main)
