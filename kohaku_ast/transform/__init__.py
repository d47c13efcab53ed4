"""Text in, code out: finds what a script defines and rewrites it. Never runs user code."""

import sys


def is_safe_path() -> bool:
    """Whether an option (``-P``, ``-I``, ``PYTHONSAFEPATH``) keeps the folder of a program out of
    ``sys.path``.
    """
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def shared_path() -> list[str]:
    """``sys.path`` without the folder of the program that runs: kogine's own, or that of a flow.
    Python has put it in front, unless the path is safe: then the first entry is a library's.
    """
    return sys.path[not is_safe_path() :]


def place(path: str, line: int) -> str:
    """*line* of the file *path* as messages write it: ``train.py:12``, or in a notebook
    ``nb.ipynb, cell 3, line 2``.
    """
    file, words = path.replace("\\", "/").rpartition("/")[2], line_words(path, line)
    return f"{file}:{line}" if words[:4] == "line" else f"{file}, {words}"


def line_words(path: str, line: int) -> str:
    """``line 12``, or in a notebook ``cell 3, line 2``."""
    if not path.lower().endswith(".ipynb"):
        return f"line {line}"
    from kohaku_ast.notebook.notebook_process import line_words_of  # here: most scripts are none

    return line_words_of(path, line)
