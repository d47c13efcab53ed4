"""Copies of the projects of ``fixtures/kept``, with what an earlier version has left in them."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.oracle import FIXTURES, Finished, on_path, run_kogine, run_python

KEPT = FIXTURES / "kept"
COMMANDS: dict[str, list[dict[str, Any]]] = json.loads((KEPT / "commands.json").read_text())
VERSIONS = tuple(sorted(path.stem for path in (KEPT / "pipeline" / "caches").glob("*.zip")))
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The running Python, as the files under ``caches`` are called."""


def copied_scripts(name: str, folder: Path) -> Path:
    """A copy of the project *name* in *folder*, without what an earlier version has left."""
    project = folder / name
    project.mkdir()
    for script in (KEPT / name).glob("*.py"):
        shutil.copy(script, project)
    return project


def copied_project(name: str, folder: Path) -> Path:
    """The same with its records where ``--resume`` looks for them."""
    project = copied_scripts(name, folder)
    runs = project / ".kogine" / "runs"
    if (KEPT / name / "runs.zip").exists():
        unpack(KEPT / name / "runs.zip", runs)
    else:
        shutil.copytree(KEPT / name / "runs", runs)
    return project


def unpack(path: Path, folder: Path) -> None:
    """The files of a zip file, for their owner alone: a cache that others can write is not used."""
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder)
    folder.chmod(0o700)
    for one in folder.rglob("*"):
        one.chmod(0o700 if one.is_dir() else 0o600)


def kogine(project: Path, *words: str, **variables: str) -> Finished:
    """``kogine WORDS`` in *project*, with a cache of Programs of its own."""
    variables.setdefault("KOGINE_CACHE", str(project.parent / "programs-of-the-test"))
    return run_kogine(project, *words, **variables)


def python(project: Path, program: str) -> Finished:
    """``python -c PROGRAM`` in *project*."""
    return run_python(project, "-c", program, PYTHONPATH=on_path())


def ran(project: Path) -> list[str]:
    """What its scripts have noted since the project was copied."""
    path = project / "ran"
    return path.read_text().splitlines() if path.exists() else []


def records(project: Path) -> list[dict[str, Any]]:
    """Every run.json, the oldest first."""
    return [
        json.loads(path.read_text()) for path in sorted(project.glob(".kogine/runs/*/run.json"))
    ]
