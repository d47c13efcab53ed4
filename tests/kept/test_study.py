"""A search that an earlier version has begun goes on with the same command."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.kept.kept_files import COMMANDS, KEPT, copied_scripts, kogine

(COMMAND,) = COMMANDS["study"]


def test_search_goes_on(tmp_path: Path) -> None:
    folder = copied_scripts("study", tmp_path)
    (study,) = (KEPT / "study").glob("*.db")
    studies = folder / ".kogine" / "studies"
    studies.mkdir(parents=True)
    shutil.copy(study, studies)
    done = kogine(folder, *COMMAND["words"])
    assert done.status == 0, done.stderr
    assert "continues from 3 trials" in done.stderr
    assert ": 6 trials" in done.stderr
    assert [path.name for path in studies.glob("*.db")] == [study.name], "the command's own name"
