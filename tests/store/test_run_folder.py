import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast.store.run_folder import RunFolder
from tests.store.tmpfs import small_disk

ROOT = Path(__file__).parents[2]
_MAKE_MANY = """
import sys
from pathlib import Path
from kohaku_ast.store.run_folder import RunFolder
for _ in range(200):
    print(RunFolder.create(Path(sys.argv[1]), "abcdef0123", 5.25).path.name)
"""


def test_name_is_time_and_identity(tmp_path: Path) -> None:
    names = [RunFolder.create(tmp_path, "abcdef0123", 1.0625).path.name for _ in range(3)]
    first = "19700101T000001.062Z-abcdef01"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_two_flows_never_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _MAKE_MANY, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    flows = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(2)
    ]
    names = [name for flow in flows for name in flow.communicate()[0].split()]
    assert len(set(names)) == len(names) == 400


def test_git_overlooks_records(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    RunFolder.create(tmp_path / ".kogine" / "runs", "a", 0).write({"schema": 1})
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.check_output(command, cwd=tmp_path) == b""


def test_a_working_folder_that_was_removed_stays_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RunFolder.create(tmp_path / "gone" / ".kogine" / "runs", "a", 0)
    assert os.listdir(tmp_path) == []


def test_readers_see_whole_records(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "a", 0)
    facts: dict[str, object] = {"schema": 1, "size": 0, "text": ""}
    folder.write(facts)
    reader = subprocess.Popen(
        [sys.executable, "-c", _READ_ON, str(folder.path / "run.json")], stdout=subprocess.PIPE
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    size = 0
    while reader.poll() is None:
        size = (size + 1) % 300
        facts |= {"size": size * 1000, "text": "x" * size * 1000}
        folder.write(facts)
    reader.stdout.close()
    assert reader.returncode == 0
    assert os.listdir(folder.path) == ["run.json"]


_READ_ON = """
import json, sys
print("reading", flush=True)
for _ in range(300):
    found = json.load(open(sys.argv[1]))
    assert found["size"] == len(found["text"])
"""


def test_one_field_a_line_in_any_language(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "a", 0)
    folder.write({"a": "学習率", "b": "\udcff"})
    text = (folder.path / "run.json").read_text(encoding="utf-8")
    assert text == '{\n  "a": "学習率",\n  "b": "\\udcff"\n}\n'
    assert json.loads(text) == {"a": "学習率", "b": "\udcff"}


def test_full_disk_keeps_the_old_record(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        folder = RunFolder.create(disk, "a", 0)
        folder.write({"schema": 1})
        disk.fill()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            folder.write({"schema": 1, "text": "x" * 100_000})
        assert json.loads((folder.path / "run.json").read_text()) == {"schema": 1}
        assert os.listdir(folder.path) == ["run.json"]


def test_log_without_room_is_refused(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        folder = RunFolder.create(disk, "a", 0)
        disk.fill()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            folder.open_log()
        assert os.listdir(folder.path) == []
