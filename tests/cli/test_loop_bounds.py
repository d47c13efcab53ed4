"""``for epoch=2`` in each way to give a value and to run, against a copy edited by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohaku_ast import Config, Script
from tests.oracle import Finished, run_kogine, run_python

SCRIPT = """\
# Trainer
w = 4.0

for epoch in range(6):  # passes over the data
    w -= 0.5 * w
    print(epoch, w)
"""
FILES = {
    "cfg.py": "_overrides = {'for epoch': 2}\n",
    "cfg.yaml": "for epoch: 2\n",
    "cfg.toml": "'for epoch' = 2\n",
    "cfg.json": '{"for epoch": 2}\n',
    "table.csv": "for epoch\n2\n",
}


@pytest.fixture
def edited(tmp_path: Path) -> Finished:
    """What plain Python prints for the edited copy; the script itself lies in the folder."""
    script = tmp_path / "s.py"
    script.write_text(SCRIPT.replace("range(6)", "range(2)"))
    done = run_python(tmp_path, "s.py")
    script.write_text(SCRIPT)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return done


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["for epoch=2"], id="positional"),
        pytest.param(["--set", "for epoch=2"], id="set"),
        pytest.param(["--as-is", "for epoch=2"], id="as is"),
        *[pytest.param(["--config", name], id=name) for name in FILES if name.startswith("cfg")],
        pytest.param(["--sweep", "for epoch=2"], id="axis"),
        pytest.param(["--trials", "table.csv"], id="table"),
        *[pytest.param(["for epoch=2", "--mode", mode], id=mode) for mode in ("inline", "spawn", "warm")],
    ],
)  # fmt: skip
def test_each_way_is_as_if_edited(words: list[str], edited: Finished, tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "run", "s.py", *words)
    assert (done.stdout, done.status) == (edited.stdout, 0), done.stderr


def test_from_python(edited: Finished, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Script(str(tmp_path / "s.py"), Config({"for epoch": 2})).run()
    assert capfd.readouterr().out == edited.stdout


def test_a_frozen_script_has_the_bound(edited: Finished, tmp_path: Path) -> None:
    assert run_kogine(tmp_path, "freeze", "s.py", "for epoch=2", "-o", "frozen.py").status == 0
    assert run_python(tmp_path, "frozen.py").stdout == edited.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="forkserver and fork")
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_child_has_the_bound(method: str, tmp_path: Path) -> None:
    text = f"""\
import multiprocessing

total = 0
for step in range(6):
    total += 1


def child():
    print("child", total)


if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=child)
    process.start()
    process.join()
    print(total)
"""
    (tmp_path / "s.py").write_text(text.replace("range(6)", "range(2)"))
    plain = run_python(tmp_path, "s.py")
    (tmp_path / "s.py").write_text(text)
    assert run_kogine(tmp_path, "run", "s.py", "for step=2") == plain


def test_inspect_lists_the_bound_and_its_config_changes_nothing(
    edited: Finished, tmp_path: Path
) -> None:
    shown = run_kogine(tmp_path, "run", "--inspect", "s.py").stdout
    assert "for epoch  6        int   passes over the data  4" in shown
    printed = run_kogine(tmp_path, "run", "--inspect", "s.py", "--format", "py").stdout
    assert '    "for epoch": 6,  # passes over the data' in printed
    (tmp_path / "printed.py").write_text(printed)
    done = run_kogine(tmp_path, "run", "s.py", "-c", "printed.py")
    assert done == run_python(tmp_path, "s.py")


@pytest.mark.parametrize(
    ("loop", "listed"),
    [
        pytest.param("for epoch in range(9): pass", True, id="epochs"),
        pytest.param("for i_episode in range(9): pass", True, id="a word in the name"),
        pytest.param("for it in range(9): pass", True, id="a short name"),
        pytest.param("for i in range(9):\n    loss.backward()", True, id="it goes back"),
        pytest.param("for t in range(9):\n    w -= lr * grad", True, id="a step of descent"),
        pytest.param("for j in range(9):\n    w = w - lr * grad", True, id="the same, in full"),
        pytest.param("for j in range(9):\n    s += l1.T.dot(d)", True, id="a matrix product"),
        pytest.param("for i in range(9):\n    print(i)", False, id="it prints"),
        pytest.param("for i in range(9):\n    n -= 1", False, id="it counts"),
        pytest.param("for i in range(9):\n    total += i * i", False, id="it sums up"),
        pytest.param("for epoch in range(n): pass", False, id="a name"),
        pytest.param("for epoch in range(len(x)): pass", False, id="a length"),
        pytest.param("for epoch in epochs: pass", False, id="a list"),
        pytest.param("for epoch, x in enumerate(y): pass", False, id="two variables"),
        pytest.param("while epoch < 9: pass", False, id="while"),
        pytest.param("def f():\n    for epoch in range(9): pass", False, id="in a function"),
        pytest.param("for a in b:\n    for epoch in range(9): pass", False, id="in a loop"),
    ],
)
def test_which_loops_are_settings(loop: str, listed: bool, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(f"import x, y, w\n{loop}\n")
    shown = run_kogine(tmp_path, "run", "--inspect", "s.py", "--all").stdout
    assert ("\nfor " in shown) == listed
