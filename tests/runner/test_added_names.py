"""Globals that the script does not define (``--add``, ``new_globals``) against edited copies,
wherever the script runs once more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast import Config, Script
from tests.oracle import compare, edited, run_kogine, run_python

CHILD = """\
{TOP}import multiprocessing
def work(n):
    items.append(n)
    return [n * scale, items]
print(scale, items)
if __name__ == "__main__":
    with multiprocessing.get_context("{METHOD}").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
"""

SCRIPTS = {
    "at the top": "print(scale, items)\n",
    "below docstring and future imports": '"""doc"""\nfrom __future__ import annotations\nTOPprint(__doc__, scale, items)\n',
    "below a docstring on the same line": '"""doc"""; TOPprint(__doc__, scale, items)\n',
    "only a guard": 'if __name__ == "__main__":\n    print(scale, items)\n',
    "in a function": "def main():\n    print(scale, items)\nmain()\n",
    "a class first": "@print\nclass A:\n    n = [scale, items]\n",
    "beside an override": "lr = 0.1\nprint(lr, scale, items)\n",
    "imported again": 'import sys\nprint(scale, items)\nif __name__ == "__main__":\n    import script\n    print(script.items is items, script.items)\n',
    "reloaded": 'import importlib\nprint(scale, items)\nitems.append(2)\nif __name__ == "__main__":\n    import script\n    print(importlib.reload(script).items)\n',
    **{f"a child by {one}": CHILD.replace("{METHOD}", one) for one in ("spawn", "forkserver", "fork")},
}  # fmt: skip

WORDS = ("--add", "scale=3", "--add", "items=[1]")


def copies(name: str) -> tuple[bytes, list[tuple[str, str]]]:
    """The script, and the edit of a user who adds the names at its top."""
    text = SCRIPTS[name].replace("{TOP}", "TOP")
    if "TOP" not in text:
        text = "TOP" + text
    after = text.partition("TOP")[2]
    text = text.replace("TOP", "")
    assert text.count(after) == 1
    line = after.partition("\n")[0]
    separator = "\n" if line.startswith(("if ", "def ", "@")) else "; "
    return text.encode(), [(after, f"scale = 3{separator}items = [1]{separator}{after}")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_if_they_stood_at_the_top(tmp_path: Path, name: str) -> None:
    script, edits = copies(name)
    expected, got = compare(tmp_path, script, edits, WORDS)
    assert expected.status == 0, expected.stderr
    assert got == expected


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
@pytest.mark.parametrize("name", ["only a guard", "imported again", "a child by spawn"])
def test_in_every_mode(tmp_path: Path, name: str, mode: str) -> None:
    script, edits = copies(name)
    (tmp_path / "script.py").write_bytes(edited(script, edits))
    expected = run_python(tmp_path, "-B", "script.py")
    (tmp_path / "script.py").write_bytes(script)
    got = run_kogine(tmp_path, "run", "script.py", "--mode", mode, *WORDS)
    assert (got.stdout, got.status) == (expected.stdout, 0), got.stderr


def test_each_run_in_this_process_has_its_own_list(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("items.append(2)\nfound = items\n")
    config = Config(new_globals={"items": [1]}, outputs=("found",))
    script = Script(str(tmp_path / "s.py"), config)
    for _ in range(2):
        assert script.run().outputs == {"found": [1, 2]}
    assert config.new_globals == {"items": [1]}


def test_a_loaded_script_has_them_in_its_module_and_its_guard(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "def main():\n    return scale\ntop = scale\nif __name__ == '__main__':\n    main()\n"
    )
    loaded = Script(str(tmp_path / "s.py"), Config(new_globals={"scale": 3})).load()
    assert (loaded.namespace["top"], loaded()) == (3, 3)


def test_a_script_that_starts_itself_again_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import subprocess, sys\nif len(sys.argv) == 1:\n"
        "    subprocess.run([sys.executable, __file__, 'again'], check=True)\n"
    )
    got = run_kogine(tmp_path, "run", "s.py", "--add", "scale=3")
    assert "scale keeps its value of the file there" in got.stderr
