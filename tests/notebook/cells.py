"""Notebooks for tests, and nbclient on a copy that was edited by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.notebook.test_notebook import write_kernel
from tests.oracle import on_path

KERNEL = "under-test"


def write_notebook(path: Path, *cells: str | tuple[str, Sequence[str]]) -> None:
    """A notebook at *path*; a cell is code, with tags in a tuple, and Markdown if it starts with
    ``#`` and a blank.
    """
    document = {
        "cells": [_cell(number, cell) for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"name": KERNEL, "display_name": "", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _cell(number: int, cell: str | tuple[str, Sequence[str]]) -> dict[str, Any]:
    source, tags = (cell, ()) if isinstance(cell, str) else cell
    common = {"id": f"c{number}", "source": source.splitlines(keepends=True)}
    if source.startswith(("# ", "## ")):
        return {"cell_type": "markdown", "metadata": {}, **common}
    metadata = {"tags": [*tags]} if tags else {}
    return {
        "cell_type": "code", "metadata": metadata, "execution_count": None, "outputs": [], **common
    }  # fmt: skip


def kernel_variables(folder: Path) -> dict[str, str]:
    """The environment in which kogine, nbclient and their kernels are this checkout's."""
    if not (folder / "kernels").exists():
        write_kernel(folder)
    return {
        "JUPYTER_PATH": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": on_path(),
    }


def results(path: Path) -> list[tuple[object, str, object]]:
    """The count, source and outputs of each cell of code, as JSON holds them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        (cell["execution_count"], "".join(cell["source"]), cell["outputs"])
        for cell in cells
        if cell["cell_type"] == "code"
    ]
