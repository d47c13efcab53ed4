"""Notebooks (``.ipynb``) as scripts: the text that ``jupyter nbconvert --to script`` makes of one,
and the way back, from a text with other values to a notebook with edited cells.

The text marks each cell of code by ``# In[3]:``, its number among the cells of code; papermill's
tag ``parameters`` stands behind it. Markdown is in comments, so that its headings are sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kohaku_ast.errors import SourceError
from kohaku_ast.notebook.ipython_syntax import PlainCell, plain_cell

SUFFIX = ".ipynb"
PARAMETERS = "parameters"
"""Papermill's tag of the cell with the parameters, and the title of their section."""
_FORMAT = 4
_HEAD = "#!/usr/bin/env python\n# coding: utf-8\n\n"
_MARK = re.compile(rf"# In\[(\d+)\]:( {PARAMETERS})?$")
_HEADING = re.compile(r"# (#{1,6}) (.*\S)")


def is_notebook(path: str) -> bool:
    """Whether *path* is named as notebooks are."""
    return path.lower().endswith(SUFFIX)


@dataclass(frozen=True)
class Cell:
    """A cell of code or Markdown."""

    #: Its place among all cells, and its number among those of code, from 1; 0 for Markdown.
    index: int
    number: int
    source: str
    is_tagged: bool = False

    @cached_property
    def plain(self) -> PlainCell:
        """A cell of code as Python."""
        return plain_cell(self.source)

    @property
    def mark(self) -> str:
        """The comment above its code."""
        return f"# In[{self.number}]:{f' {PARAMETERS}' * self.is_tagged}\n\n\n"

    @property
    def text(self) -> str:
        """Its part of the script."""
        if self.number:
            return f"{self.mark}{self.plain.text}\n\n\n"
        rows = self.source.split("\n")
        return "".join(f"# {row}".rstrip() + "\n" for row in rows) + "\n"


@dataclass(frozen=True)
class Notebook:
    """A notebook, which nobody changes."""

    document: Mapping[str, Any]
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """The notebook as a script."""
        return _HEAD + "".join(cell.text for cell in self.cells)

    @property
    def code(self) -> list[Cell]:
        """The cells of code."""
        return [cell for cell in self.cells if cell.number]

    def needs(self) -> list[str]:
        """``cell 3: !ls``, for each line that needs a running IPython."""
        return [f"cell {cell.number}: {one}" for cell in self.code for one in cell.plain.needs]

    @property
    def draws(self) -> bool:
        """Whether it has ``%matplotlib inline`` or the like."""
        return any(cell.plain.draws for cell in self.code)

    def with_text(self, text: str) -> dict[str, Any]:
        """The document with the cells of *text*, which differs from ``text`` in values; without
        outputs.
        """
        import json

        document: dict[str, Any] = json.loads(json.dumps(self.document))
        for cell, source in self._sources(text):
            document["cells"][cell.index]["source"] = source.splitlines(keepends=True)
        for one in document["cells"]:
            if one.get("cell_type") == "code":
                one["outputs"], one["execution_count"] = [], None
        return document

    def _sources(self, text: str) -> Iterator[tuple[Cell, str]]:
        """Each cell of code whose source in *text* is another one, and that source."""
        code = self.code
        above = text.split(code[0].mark)[0] if code else ""
        added = _lines_added(above, self.text.split(code[0].mark)[0]) if code else ""
        start = len(above)
        for number, cell in enumerate(code):
            start = text.index(cell.mark, start) + len(cell.mark)
            later = code[number + 1 : number + 2]
            own = text[start : text.index(later[0].mark, start) if later else len(text)]
            own = added * (number == 0) + own.removesuffix(self._between(cell, later))
            if own != cell.plain.text:
                yield cell, cell.plain.restored(own)

    def _between(self, cell: Cell, later: Sequence[Cell]) -> str:
        """The text below *cell*, up to the mark of *later*."""
        end = later[0].index if later else len(self.document["cells"])
        markdown = [one.text for one in self.cells if cell.index < one.index < end]
        return "\n\n\n" + "".join(markdown)


def _lines_added(text: str, before: str) -> str:
    known = set(before.split("\n"))
    return "".join(f"{line}\n" for line in text.split("\n") if line not in known)


def read_notebook(data: bytes, path: str) -> Notebook:
    """The notebook with the content *data*. Raises SourceError for what is none of Python."""
    import json  # here: what reads scripts has this file loaded

    try:
        document = json.loads(data)
        if not isinstance(document["cells"], list):
            raise TypeError("'cells' is no list")
        cells = tuple(_cells(document["cells"]))
    except KeyError as error:
        old = ": it is of an old format, convert it by jupyter nbconvert --to notebook --inplace"
        hint = old if error.args == ("cells",) and "worksheets" in document else f": no {error}"
        raise SourceError(f"{path!r} is no notebook that kogine can read{hint}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise SourceError(f"{path!r} is no notebook: {error}") from None
    version = document.get("nbformat", _FORMAT)
    if version != _FORMAT:
        raise SourceError(f"{path!r} is of nbformat {version}: kogine reads nbformat {_FORMAT}")
    language = _language(document)
    if language not in ("", "python", "python3", "ipython"):
        raise SourceError(f"{path!r} is a notebook in {language}: kogine runs Python")
    return Notebook(document, cells)


def _cells(cells: Sequence[Mapping[str, Any]]) -> Iterator[Cell]:
    number = 0
    for index, one in enumerate(cells):
        source = one["source"]
        text = source if isinstance(source, str) else "".join(source)
        if one["cell_type"] == "code":
            number += 1
            tags = (one.get("metadata") or {}).get("tags") or ()
            yield Cell(index, number, text, PARAMETERS in tags)
        elif one["cell_type"] == "markdown":
            yield Cell(index, 0, text)


def _language(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata") or {}
    info, kernel = metadata.get("language_info") or {}, metadata.get("kernelspec") or {}
    return str(info.get("name") or kernel.get("language") or "").lower()


def script_data(data: bytes, path: str) -> bytes:
    """The script of the notebook with the content *data*; *data* itself if it is that already, as
    the records of runs keep it.
    """
    if data[:2] == b"#!":
        return data
    return read_notebook(data, path).text.encode("utf-8", "surrogatepass")


def place_in(text: str, line: int) -> tuple[int, int]:
    """The number of the cell that *line* of the script *text* is in, and the line in that cell; 0
    for what stands above all cells.
    """
    number = start = 0
    for position, row in enumerate(text.split("\n")[:line], start=1):
        found = _MARK.match(row)
        if found:
            number, start = int(found[1]), position + 2  # two empty lines are below the mark
    return number, line - start


def line_words(text: str, line: int) -> str:
    """``cell 3, line 2``: *line* of the script *text* as messages write it."""
    number, inner = place_in(text, line)
    return f"cell {number}, line {inner}" if number else f"line {line}"


def sections(text: str) -> list[tuple[int, str]]:
    """The lines of a notebook's script at which sections begin, and their titles: headings, and
    the tag ``parameters``. The one heading of the highest level above all code is the title of the
    notebook, and of no section.
    """
    rows = text.split("\n")
    headings = {n: found for n, row in enumerate(rows, 1) if (found := _HEADING.match(row))}
    top = [line for line, found in headings.items() if found[1] == "#"]
    first = next((n for n, row in enumerate(rows, 1) if _MARK.match(row)), 0)
    starts, title = [], ""
    for line, row in enumerate(rows, 1):
        mark = _MARK.match(row)
        if line in headings and not (top == [line] and line < first):
            title = re.sub(r"[*_`]|<[^>]*>", "", headings[line][2]).strip().rstrip(":")
            starts.append((line, title))
        elif mark:
            starts.append((line, PARAMETERS if mark[2] else title))
    return starts
