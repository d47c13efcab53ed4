"""Programs that an earlier version has compiled: another version of anything makes its own, and says
nothing of it.

The name of a Program is made of the versions of kohaku_ast and of Python and of the script's full path,
so one of another place or Python is not looked for; what is found under another name counts as damaged.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kept.kept_files import KEPT, VERSIONS, copied_scripts, kogine, unpack

CACHE = "KOGINE_CACHE"
COMMANDS = [
    pytest.param(("train.py", "lr=0.5", "main(width)=4"), "5.0 4\n", ".program", id="program"),
    pytest.param(("options.py", "--lr=0.5", "--name", "deep"), "", ".options", id="options"),
]
every_command = pytest.mark.parametrize(("words", "output", "suffix"), COMMANDS)


@pytest.mark.parametrize("version", VERSIONS)
@every_command
def test_kept_folder_is_used_on(
    version: str, words: tuple[str, ...], output: str, suffix: str, tmp_path: Path
) -> None:
    folder, cache = copied_scripts("programs", tmp_path), tmp_path / "cache"
    unpack(KEPT / "programs" / "caches" / f"{version}.zip", cache)
    before = {path.name: path.read_bytes() for path in cache.iterdir()}
    for _ in ("cold", "warm"):
        done = kogine(folder, "run", *words, **{CACHE: str(cache)})
        assert (done.status, done.stdout, done.stderr) == (0, output, "")
    after = {path.name: path.read_bytes() for path in cache.iterdir()}
    assert {name: after.get(name) for name in before} == before
    # As below, the options may have been found.
    assert suffix == ".options" or len([name for name in after if name.endswith(suffix)]) == 2


@pytest.mark.parametrize("version", VERSIONS)
@every_command
def test_kept_file_under_a_name_of_today_is_replaced(
    version: str, words: tuple[str, ...], output: str, suffix: str, tmp_path: Path
) -> None:
    folder, cache, kept = (
        copied_scripts("programs", tmp_path),
        tmp_path / "cache",
        tmp_path / "kept",
    )
    unpack(KEPT / "programs" / "caches" / f"{version}.zip", kept)
    (old,) = kept.glob(f"*{suffix}")
    kogine(folder, "run", *words, **{CACHE: str(cache)})
    new = [*cache.glob(f"*{suffix}")]
    assert new
    for path in new:
        path.write_bytes(old.read_bytes())
    done = kogine(folder, "run", *words, **{CACHE: str(cache)})
    assert (done.status, done.stdout, done.stderr) == (0, output, "")
    # The options of a script are kept by its text: the same build of Python finds the kept ones.
    assert old.name in [path.name for path in new] or old.read_bytes() not in [
        path.read_bytes() for path in new
    ]
