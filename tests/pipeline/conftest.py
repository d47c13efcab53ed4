"""Folders with scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.script_files import PREP, TRAIN, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Path:
    write("prep.py", PREP)
    write("train.py", TRAIN)
    return folder
