"""Artifacts for DVC and Git LFS: what is written is what these tools write themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import md5
from pathlib import Path

import pytest

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.artifact_folder import LaidFile
from kohaku_ast.exports.dvc import dvc_text, ignore_line
from kohaku_ast.store.store import Store
from tests.oracle import run_kogine

TRAIN = """\
import os
from pathlib import Path
lr = 0.1
Path("ckpt").mkdir(exist_ok=True)
Path("ckpt", "best [1].pt").write_text(f"weights {lr}")
Path("run.sh").write_text("#!/bin/sh")
os.chmod("run.sh", 0o755)
here = Path(os.environ["KOGINE_RUN_DIR"])
(here / "model.pt").write_text(f"model {lr}")
(here / "notes.txt").write_text("by hand")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, which nobody changes."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(TRAIN)
    words = ["--sweep", "lr=0.1,0.2", "--artifacts", "**/*.pt", "--artifacts", "*.sh"]
    assert run_kogine(folder, "run", "train.py", *words).status == 0
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    return Store(made / ".kogine" / "runs")


def test_artifacts_come_back_as_they_were(store: Store, tmp_path: Path) -> None:
    first, second = (store.find(number).folder.name for number in (1, 2))
    words = ["--where", "lr > 0", "-o", "out", "--store", str(store.root)]
    done = run_kogine(tmp_path, "runs", "export", "artifacts", *words)
    assert done.stdout == "6 files of 2 runs in out: 6 new\n"
    out = tmp_path / "out"
    assert (out / second / "ckpt" / "best [1].pt").read_text() == "weights 0.2"
    assert (out / first / "model.pt").read_text() == "model 0.1"
    assert [os.access(out / first / name, os.X_OK) for name in ("run.sh", "model.pt")] == [
        True,
        False,
    ]
    (out / first / "model.pt").write_text("better")
    with pytest.raises(UsageError, match=r"model\.pt' in 'out': other content\. --force"):
        store.export([1, 2], out.name, "artifacts")
    done = run_kogine(tmp_path, "runs", "export", "artifacts", *words, "--force")
    assert done.stdout == "6 files of 2 runs in out: 1 replaced, 5 unchanged\n"
    assert (out / first / "model.pt").read_text() == "model 0.1"


def test_a_missing_and_a_damaged_object_are_told_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    shutil.copytree(store.root.parent, tmp_path / ".kogine")
    copy = Store(tmp_path / ".kogine" / "runs")
    path = Path(copy.find(1).artifacts["model.pt"])
    path.chmod(0o600)
    path.write_text("MODEL 0.1")
    # What the run has written is there still, and mends it.
    copy.export(1, "mended", "artifacts")
    assert [one.read_text() for one in tmp_path.glob("mended/*/model.pt")] == ["model 0.1"]
    assert path.read_text() == "model 0.1"
    (copy.find(1).folder / "files" / "model.pt").unlink()
    path.chmod(0o600)
    path.write_text("MODEL 0.1")
    with pytest.raises(UsageError, match="is damaged"):
        copy.export(1, "damaged", "artifacts")
    assert not [*tmp_path.glob("damaged/*/model.pt*")]
    path.unlink()
    with pytest.raises(UsageError, match=r"model\.pt' cannot be written: 1 objects are missing"):
        copy.export(1, "out", "dvc")
    assert not (tmp_path / "out").exists()


def test_lines_for_git_lfs_are_added_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".gitattributes").write_text("*.txt text")
    words = ["last", "-o", "out", "--store", str(store.root)]
    for new in (3, 0):
        done = run_kogine(tmp_path, "runs", "export", "--lfs", *words)
        assert done.stdout.endswith(f"; .gitattributes: {new} new lines\n")
    lines = (tmp_path / "out" / ".gitattributes").read_text().splitlines()
    assert (lines[0], len(lines)) == ("*.txt text", 4)
    assert all(one.endswith(" filter=lfs diff=lfs merge=lfs -text") for one in lines[1:])
    subprocess.run(["git", "init", "-q"], check=True)
    name = store.find("last").folder.name
    asked = [f"out/{name}/ckpt/best [1].pt", f"out/{name}/model.pt", f"out/{name}/ckpt/best 1.pt"]
    git = ["git", "check-attr", "filter", "--", *asked]
    found = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    assert [one.rpartition(" ")[2] for one in found.splitlines()] == ["lfs", "lfs", "unspecified"]
    done = run_kogine(tmp_path, "runs", "export", "--lfs", "--dvc", *words)
    assert (done.status, "--dvc and --lfs: take one away" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "mode", "ending", "line"),
    [
        ("best.pt", 0o644, "  hash: md5\n  path: best.pt\n", "/best.pt"),
        ("a [1].pt", 0o644, "  hash: md5\n  path: a [1].pt\n", "/a \\[1\\].pt"),
        ("true", 0o744, "  isexec: true\n  hash: md5\n  path: 'true'\n", "/true"),
        ("ü.bin", 0o644, "  hash: md5\n  path: ü.bin\n", "/ü.bin"),
        ("1e3", 0o644, "  hash: md5\n  path: '1e3'\n", "/1e3"),
        ("a: b#c.bin", 0o644, "  hash: md5\n  path: 'a: b#c.bin'\n", "/a: b\\#c.bin"),
    ],
)
def test_the_text_is_that_of_dvc(name: str, mode: int, ending: str, line: str) -> None:
    """What DVC 3.67.1 has written for these files."""
    digest = "b1946ac92492d2347c6235b4d2611184"
    laid = LaidFile(f"run/ckpt/{name}", Path(name), 6, None, mode)
    assert dvc_text(laid, digest) == f"outs:\n- md5: {digest}\n  size: 6\n{ending}"
    assert ignore_line(name) == line


def test_dvc_files_and_the_cache(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(
        "[core]\n    autostage = true\n[cache]\n    dir = ../kept\n"
    )
    assert store.export(2, "out", "dvc") == "4 files of 1 run in out: 4 new"
    folder = tmp_path / "out" / store.find(2).folder.name
    tracked = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*.dvc"))
    assert tracked == ["ckpt/best [1].pt.dvc", "files/notes.txt.dvc", "model.pt.dvc", "run.sh.dvc"]
    assert (folder / ".gitignore").read_text() == "/model.pt\n/run.sh\n"
    kept = {one: one.read_text() for one in (tmp_path / "kept" / "files" / "md5").glob("??/*")}
    assert {*kept.values()} == {"weights 0.2", "#!/bin/sh", "model 0.2", "by hand"}
    assert [one.parent.name + one.name for one in kept] == [
        md5(text.encode()).hexdigest() for text in kept.values()
    ]
    assert store.export(2, "out", "dvc") == "4 files of 1 run in out: 4 unchanged"


@pytest.mark.trackers
def test_dvc_finds_nothing_to_do_and_brings_back_what_was_deleted(
    store: Store, tmp_path: Path
) -> None:
    if not shutil.which("dvc"):
        pytest.skip("DVC takes 28 s to install, more than CI has: pip install dvc")

    def dvc(*words: str) -> str:
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(["dvc", *words], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init")
    store.export([1, 2], "out", "dvc")
    assert dvc("status") == "Data and pipelines are up to date.\n"
    gone = [*(tmp_path / "out").glob("*/model.pt")] + [
        *(tmp_path / "out").glob("*/files/notes.txt")
    ]
    before = {one: one.read_text() for one in gone}
    for one in gone:
        one.unlink()
    assert "deleted" in dvc("status")
    dvc("checkout")
    assert {one: one.read_text() for one in gone} == before
    assert dvc("status") == "Data and pipelines are up to date.\n"
