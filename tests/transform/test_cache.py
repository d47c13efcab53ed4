"""Programs on disk: whatever happens to them, the run is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast.transform.find.source import Source
from kohaku_ast.transform.program import cache
from kohaku_ast.transform.program.compile import build_program
from kohaku_ast.transform.program.program import Request
from tests.oracle import run_kogine

pytestmark = pytest.mark.usefixtures("own_builders")

SCRIPT = 'x = 3\nprint("x is", x)\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "s.py").write_text(SCRIPT)
    return tmp_path


def files(folder: Path) -> list[Path]:
    return sorted((folder / "cache").iterdir())


def test_a_program_comes_back_as_it_was(folder: Path) -> None:
    made = build_program(Source("s.py", SCRIPT), Request((("x", True, False),)))
    assert cache.store("key", made)
    found = cache.load("key")
    assert found is not None
    assert (found.filename, found.segments, found.sites) == ("s.py", made.segments, made.sites)
    assert found.meant[0] is not None
    assert made.meant[0] is not None
    assert found.meant[0].reading == made.meant[0].reading
    assert [path.name for path in files(folder)] == ["key.program"]


def test_one_program_serves_every_value(folder: Path) -> None:
    for value in ("4", "5", "6"):
        assert run_kogine(folder, "run", "s.py", f"x={value}").stdout == f"x is {value}\n"
    assert len(files(folder)) == 1


def test_a_warm_run_imports_no_compiler_front_end(folder: Path) -> None:
    script = (
        "import sys\nx = 3\nnames = {'ast', 'libcst', 'click', 'rich', 'dataclasses', 'typing'}\n"
    )
    (folder / "s.py").write_text(script + "print(sorted(names & set(sys.modules)))\n")
    run_kogine(folder, "run", "s.py", "x=4")
    assert run_kogine(folder, "run", "s.py", "x=4").stdout == "[]\n"


def test_new_text_within_the_second_runs_at_once(folder: Path) -> None:
    for number in range(3):
        (folder / "s.py").write_text(f"x = 3\nprint({number}, x)\n")
        assert run_kogine(folder, "run", "s.py", "x=9").stdout == f"{number} 9\n"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: data[:40] + b"\0" * 40 + data[80:], id="overwritten"),
        pytest.param(lambda data: b"\0" * 16 + b"junk", id="something else"),
    ],
)
def test_a_damaged_file_is_made_anew(folder: Path, damage) -> None:  # type: ignore[no-untyped-def]
    run_kogine(folder, "run", "s.py", "x=4")
    (kept,) = files(folder)
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    again = run_kogine(folder, "run", "s.py", "x=4")
    assert (again.status, again.stdout, again.stderr) == (0, "x is 4\n", "")
    assert kept.read_bytes() == whole


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("/proc/no/such", id="cannot be made"),
        pytest.param("s.py", id="is a file"),
        pytest.param("s.py/below", id="below a file"),
    ],
)
def test_an_unwritable_cache_is_no_failure(folder: Path, place: str) -> None:
    done = run_kogine(folder, "run", "s.py", "x=4", KOGINE_CACHE=place)
    assert (done.status, done.stdout, done.stderr) == (0, "x is 4\n", "")


def _environment() -> dict[str, str]:
    return dict(os.environ)


def test_the_folder_is_private(folder: Path) -> None:
    run_kogine(folder, "run", "s.py", "x=4")
    assert (folder / "cache").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_not_trusted(folder: Path) -> None:
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o777)
    done = run_kogine(folder, "run", "s.py", "x=4")
    assert (done.status, done.stdout, done.stderr) == (0, "x is 4\n", "")
    assert files(folder) == []


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_trusted(folder: Path, mode: int) -> None:
    run_kogine(folder, "run", "s.py", "x=4")
    (kept,) = files(folder)
    kept.chmod(mode)
    assert cache.load(kept.stem) is None
    assert run_kogine(folder, "run", "s.py", "x=4").stdout == "x is 4\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert cache.load(kept.stem) is not None


def test_a_file_is_private_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        assert cache.store_bytes("name", b"data")
    finally:
        os.umask(before)
    assert cache.load_bytes("name") == b"data"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="gives files away")
@pytest.mark.parametrize("what", ["cache/name", "cache"])
def test_what_is_another_users_is_not_trusted(folder: Path, what: str) -> None:
    assert cache.store_bytes("name", b"data")
    os.chown(folder / what, 12345, 12345)
    assert cache.load_bytes("name") is None


def test_the_folder_is_the_one_that_was_opened(folder: Path) -> None:
    assert cache.store_bytes("name", b"data")
    with cache.Folder() as opened:
        (folder / "cache").rename(folder / "before")
        (folder / "cache").mkdir(mode=0o700)
        (folder / "cache" / "name").write_bytes(b"planted")
        with open(opened.open("name", os.O_RDONLY), "rb") as file:
            assert file.read().endswith(b"data")


@pytest.mark.parametrize(
    "another",
    [
        pytest.param(["run", "o.py", "x=7"], id="of another script"),
        pytest.param(["run", "s.py", "x=7", "y=1"], id="for other targets"),
    ],
)
def test_a_program_under_the_name_of_another_is_a_miss(folder: Path, another: list[str]) -> None:
    (folder / "s.py").write_text("x, y = 3, 4\nprint(__file__[-4:], x, y)\n")
    (folder / "o.py").write_text("x = 1\nprint('other', x)\n")
    first = run_kogine(folder, "run", "s.py", "x=7")
    (kept,) = files(folder)
    whole = kept.read_bytes()
    kept.unlink()
    run_kogine(folder, *another)
    (other,) = files(folder)
    other.rename(kept)
    assert run_kogine(folder, "run", "s.py", "x=7") == first
    assert kept.read_bytes() == whole


def test_a_program_of_another_version_is_a_miss(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build_program(Source("s.py", SCRIPT), Request())
    key = cache.cache_key(b"", "s.py", Request(), "1")
    cache.store(key, made)
    monkeypatch.setattr(cache.program, "FORMAT", cache.program.FORMAT + 1)  # type: ignore[attr-defined]
    assert cache.load(cache.cache_key(b"", "s.py", Request(), "1")) is None


def test_the_cache_stays_below_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build_program(Source("s.py", SCRIPT), Request())
    size = len(made.dumps()) + 16
    monkeypatch.setattr(cache, "MOST_BYTES", 3 * size)
    for number in range(6):
        cache.store(f"key{number}", made)
        sizes = [path.stat().st_size for path in files(folder)]
        assert sum(sizes) <= 3 * size
        assert cache.load(f"key{number}") is not None


def test_the_cache_has_no_more_files_than_one_can_look_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    for number in range(6):
        assert cache.store_bytes(f"key{number}.listing", b"x" * number)
        assert len(files(folder)) == min(number + 1, 3)
        assert cache.load_bytes(f"key{number}.listing") == b"x" * number


def test_other_files_in_the_folder_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cache").mkdir(mode=0o700)
    (folder / "cache" / "thesis.tex").write_text("years of work")
    (folder / "cache" / "film.mp4.partial").write_text("a download")
    monkeypatch.setattr(cache, "MOST_BYTES", 0)
    assert cache.store_bytes("key.listing", b"data")
    assert [path.name for path in files(folder)] == ["film.mp4.partial", "thesis.tex"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"data": b"x = 4\n"}, id="text"),
        pytest.param({"filename": "/b/s.py"}, id="path"),
        pytest.param({"version": "2"}, id="our version"),
        pytest.param({"request": Request((("y", False, False),))}, id="targets"),
        pytest.param({"request": Request((("x", True, False),))}, id="text or object"),
        pytest.param({"request": Request((("x", False, False),), split=True)}, id="segments"),
        pytest.param({"request": Request((("x", False, False),), kwargs=("n",))}, id="keywords"),
    ],
)
def test_the_key_differs_with(other: dict[str, object]) -> None:
    same = {
        "data": b"x = 3\n",
        "filename": "/a/s.py",
        "request": Request((("x", False, False),)),
        "version": "1",
    }
    assert cache.cache_key(**same) == cache.cache_key(**same)  # type: ignore[arg-type]
    assert cache.cache_key(**{**same, **other}) != cache.cache_key(**same)  # type: ignore[arg-type]


def test_the_key_differs_under_optimisation(folder: Path) -> None:
    script = "x = 3\nassert x < 5, 'too big'\nprint(x)\n"
    (folder / "s.py").write_text(script)
    launcher = str(Path(__file__).parents[1] / "kogine_command.py")
    path = f"{Path(launcher).parents[1]}:{Path(launcher).parents[1] / 'cli'}"
    for flags, status in (([], 1), (["-O"], 0), ([], 1)):
        command = [sys.executable, *flags, launcher, "run", "s.py", "x=9"]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**_environment(), "PYTHONPATH": path},
            capture_output=True,
            check=False,
        )
        assert done.returncode == status
