"""Which script a config in an editor is for: it says so itself (``_script``), the project does, in
``pyproject.toml``, or its name does.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import NamedTuple

from kohaku_ast.config.data_file import toml_parser
from kohaku_ast.errors import ConfigError
from kohaku_ast.lsp.data_parts import read_data
from kohaku_ast.lsp.document_text import NOWHERE, ConfigParts, Part, Span, format_of
from kohaku_ast.lsp.python_parts import read_python

SCRIPT = "_script"
"""The key of a config that names its script, from the config's own folder."""
MOST_CHARACTERS = 100_000
"""A longer config is data: to read it at each key press would stop the editor."""
_PYTHON_NAMES = ("cfg", "conf", "config")


class ScriptOf(NamedTuple):
    """The script of a config, and what names it."""

    path: str
    #: The key ``_script`` of the config; None if something else names the script.
    part: Part | None = None


def read_parts(text: str, path: str) -> ConfigParts:
    """The parts of the config *path* with the content *text*."""
    if len(text) > MOST_CHARACTERS:
        return ConfigParts(error=f"not checked: it has more than {MOST_CHARACTERS:,} characters")
    return read_python(text, path) if format_of(path) == "py" else read_data(text, path)


_WRITTEN = re.compile(r"^[ \t{]*[\"']?_script[\"']?\s*[:=]\s*(?P<value>[\"']?[^\"'#\r\n,}]*)", re.M)
"""The key in a text that cannot be read just now."""


def may_be_config(path: str, text: str) -> bool:
    """Whether the file at *path* with the content *text* can have a script, at a glance."""
    return SCRIPT in text or _of_project(path) is not None or _of_name(path) is not None


def script_of(path: str, text: str, parts: ConfigParts) -> ScriptOf | None:
    """The script of the config at *path* with the content *text*; None if it is no config that is
    known to be one.
    """
    named = parts.reserved(SCRIPT)
    if named is None and parts.error and (found := _WRITTEN.search(text)):
        value = found["value"].strip().lstrip("\"'")
        named = Part(SCRIPT, NOWHERE, Span(*found.span("value")), value)
    if named is not None:
        script = str(named.value) if isinstance(named.value, str) else ""
        return ScriptOf(_beside(path, script) if script else "", named)
    return _of_project(path) or _of_name(path)


def _beside(path: str, name: str) -> str:
    """*name* from the folder of *path*."""
    return os.path.normpath(os.path.join(os.path.dirname(path), os.path.expanduser(name)))


def _of_project(path: str) -> ScriptOf | None:
    """The script that ``[tool.kogine.configs]`` of the nearest ``pyproject.toml`` names:
    ``"configs/*.yaml" = "train.py"``.
    """
    folder = os.path.dirname(path)
    while not os.path.isfile(project := os.path.join(folder, "pyproject.toml")):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    try:
        with open(project, "rb") as file:
            top = toml_parser(project).load(file)
    except (OSError, ValueError, ConfigError):
        return None  # its own tools say so
    own = os.path.relpath(path, folder).replace(os.sep, "/")
    table = top.get("tool", {}).get("kogine", {})
    patterns = table.get("configs", {}) if isinstance(table, dict) else {}
    for pattern, script in patterns.items() if isinstance(patterns, dict) else ():
        if isinstance(script, str) and fnmatch.fnmatchcase(own, pattern):
            return ScriptOf(_beside(project, script))
    return None


def _of_name(path: str) -> ScriptOf | None:
    """The script beside the config, or one folder up, whose name the config's starts with:
    ``train.yaml`` and ``train_long.yaml`` for ``train.py``, ``train_config.py`` for it too.
    """
    stem = os.path.splitext(os.path.basename(path))[0]
    ends = [index for index, character in enumerate(stem) if character in "._-"]
    starts = [stem[:index] for index in reversed(ends)]
    if format_of(path) == "py":
        starts = [one for one in starts if stem[len(one) + 1 :] in _PYTHON_NAMES]
    else:
        starts.insert(0, stem)
    folder = os.path.dirname(path)
    for place in (folder, os.path.dirname(folder)):
        for start in starts:
            script = os.path.join(place, f"{start}.py")
            if start and os.path.isfile(script):
                return ScriptOf(script)
    return None
