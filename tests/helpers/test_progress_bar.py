"""``progress_bar``: tqdm's interface, on a terminal, in a notebook, in pipes and under kogine."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import numpy
import pytest

from kohaku_ast.flow.log_watch import LogWatch, seen_of
from kohaku_ast.helpers import CurrentRun, bar_views, enter_run, progress, progress_bar, trange
from tests.flow.made import running
from tests.flow.terminal import Program
from tests.notebook.test_notebook import write_kernel
from tests.oracle import on_path, run_kogine, run_python

IMPORT = "from kohaku_ast.helpers import progress_bar, trange\n"
USES = """\
import io, sys
file = io.StringIO()

def items():
    yield from "abc"

def shown(bar, *more):
    print(bar.n, bar.total, bar.disable, *more)

for name in progress_bar(items(), file=file):
    print(name)
bar = progress_bar([3, 4, 5], desc="numbers", file=file)
for number in bar:
    if number == 4:
        break
shown(bar, len(bar), bool(bar), 4 in bar)
del number
bar.close()
shown(bar, list(bar), bar.n)
bar = progress_bar(range(3), file=file)
shown(bar, list(bar), list(bar), bar.n)
bar = trange(2, 8, 2, file=file)
try:
    for number in bar:
        raise KeyError(number)
except KeyError as error:
    print(repr(error))
shown(bar)
with progress_bar(total=10, initial=2, file=file) as bar:
    shown(bar, bar.update(3), bar.n)
    bar.reset(total=4)
    shown(bar, len(bar))
    bar.set_postfix({"b": 1, "a": 0.123456}, c="x", a2=1234567)
    print(bar.postfix)
    bar.set_postfix_str("text")
    bar.set_description("read")
    bar.set_description()
    bar.refresh()
    bar.update(-1)
shown(bar, bar.update(5), bar.n)
bar = progress_bar(range(2), disable=True, file=file)
shown(bar, list(bar), bar.n)
bar = progress_bar(items(), total=float("inf"), file=file)
print(bar.total, bool(bar))
for wrong in (lambda: bool(progress_bar(file=file)), lambda: len(progress_bar(items(), file=file)),
              lambda: len(progress_bar(file=file)), lambda: list(progress_bar(file=file)),
              lambda: progress_bar(range(1), totel=1, file=file)):
    try:
        print(wrong())
    except Exception as error:
        print(type(error).__name__)
for option in ("dynamic_ncols", "ascii", "unit_scale"):
    print(list(progress_bar([1], file=file, unit="B", mininterval=5, **{option: True})))
progress_bar.write("above", file=sys.stdout)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_behaves_as_tqdm(folder: Path) -> None:
    (folder / "theirs.py").write_text(f"from tqdm import tqdm as progress_bar, trange\n{USES}")
    (folder / "ours.py").write_text(IMPORT + USES)
    theirs, ours = (
        run_python(folder, f"{one}.py", PYTHONPATH=on_path()) for one in ("theirs", "ours")
    )
    # For an option that nobody knows tqdm raises TqdmKeyError, and we what Python raises.
    assert ours.stdout == theirs.stdout.replace("TqdmKeyError", "TypeError")
    assert (ours.status, ours.stderr) == (0, "")


TRAIN = (
    IMPORT
    + """\
lr = 0.1
for epoch in progress_bar(range(3), desc="epoch"):
    bar = trange(4, desc="train", leave=False)
    for step in bar:
        bar.set_postfix(loss=lr / (step + epoch + 1))
    print("epoch", epoch, lr)
"""
)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param((), id="plain"),
        pytest.param(("--record",), id="recorded"),
        pytest.param(("--sweep", "lr=0.1,0.1", "--mode", "inline"), id="inline"),
        pytest.param(("--sweep", "lr=0.1,0.1", "--mode", "warm"), id="warm"),
        pytest.param(("--sweep", "lr=0.1,0.1", "--workers", "2"), id="spawned"),
    ],
)
def test_stdout_is_the_same_under_kogine_and_one_line_goes_to_stderr(
    folder: Path, way: tuple[str, ...]
) -> None:
    (folder / "t.py").write_text(TRAIN)
    plain = run_python(folder, "t.py", PYTHONPATH=on_path())
    done = run_kogine(folder, "run", "t.py", *way, PYTHONPATH=on_path())
    assert done.status == 0, done
    logs = [*folder.glob(".kogine/runs/*/log.txt")]
    text = logs[0].read_text() if logs else done.stdout + done.stderr
    [bar] = [line for line in text.splitlines() if "%|" in line]
    assert "".join(f"{line}\n" for line in text.splitlines() if line != bar) == plain.stdout
    assert bar.startswith("epoch: 100%|██████████| 3/3 [00:00<00:00, ")
    assert bool(logs) == bool(way)
    if logs:
        # What stood behind the inner bar, which leaves no line, is a metric.
        assert bar.endswith(", loss=0.0167]")
        assert (
            json.loads((logs[0].parent / "run.json").read_text())["metrics"]["loss"]["last"]
            == 0.0167
        )
        assert not (logs[0].parent / "progress.json").exists()
    else:
        assert "loss" not in bar


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 keeps the frame")
def test_a_traceback_has_no_frame_of_the_bar(folder: Path) -> None:
    loop = "def items():\n    yield 1\n    raise KeyError(2)\nthem = {}\nfor x in them:\n    print(x)\n"
    (folder / "t.py").write_text(IMPORT + loop.format("items()"))
    bare = run_python(folder, "t.py", PYTHONPATH=on_path())
    (folder / "t.py").write_text(IMPORT + loop.format("progress_bar(items())"))
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    bar, _, trace = done.stderr.partition("\n")
    assert (done.status, done.stdout, trace) == (1, "1\n", bare.stderr)
    assert bar.startswith("1it [00:00, ")


class Clock:
    """A clock that goes when it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        # Of the helpers alone: nothing else in this process is stopped.
        for module in (progress, bar_views):
            monkeypatch.setattr(module, "monotonic", lambda: self.now)

    def over(self, count: int, seconds: float, **options: Any) -> list[str]:
        """The lines of a loop over *count* items that take *seconds* each."""
        file = io.StringIO()
        for _ in trange(count, file=file, **options):
            self.now += seconds
        return file.getvalue().splitlines()


def test_a_pipe_gets_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert clock.over(1000, 0.0001, desc="t") == [
        "t: 100%|##########| 1000/1000 [00:00<00:00, 10000.00it/s]"
    ]
    shares = [int(line[:3]) for line in clock.over(100, 0.2)]
    assert shares[-1] == 100
    assert len(shares) > 8
    assert all(10 <= two - one < 20 for one, two in zip([0, *shares], shares[:-1]))
    assert len(clock.over(100, 31.0)) == 100
    assert clock.over(3, 40.0, leave=False, unit="B", unit_scale=True)[0] == (
        " 33%|###3      | 1.00/3.00 [00:40<01:20, 0.02B/s]"
    )
    file = io.StringIO()
    for _ in progress_bar(iter("ab"), file=file):
        clock.now += 20.0
    assert file.getvalue() == "1it [00:20, 20.00s/it]\n2it [00:40, 20.00s/it]\n"[23:]


def test_the_event_of_nested_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, file = Clock(monkeypatch), tmp_path / "progress.json"
    run, watch = running(0), LogWatch()
    run.folder = tmp_path
    watch.on_start(run, 1)

    def seen() -> tuple[float | None, str]:
        watch.finish(run)
        return seen_of(run).progress, seen_of(run).line

    def step(bar: progress_bar[Any], n: int = 1) -> None:
        clock.now += 0.3
        bar.update(n)

    with enter_run(CurrentRun(str(tmp_path / "files"))):
        quiet = {"file": io.StringIO()}
        with progress_bar(total=numpy.int64(10), desc="epoch", **quiet) as epochs:
            assert seen() == (0.0, "epoch 0/10, ?it/s")
            step(epochs, 2)
            with progress_bar(total=4, desc="train", leave=False, **quiet) as train:
                step(train, 2)
                clock.now += 1
                train.set_postfix(loss=0.5)
                progress_, line = seen()
                assert (progress_, line) == (0.25, "epoch 2/10, train 2/4, 6.67it/s, loss=0.5")
                step(train, 2)
            with progress_bar(total=4, desc="test", leave=False, **quiet) as test:
                step(test)
                clock.now += 1
                test.refresh()
                assert seen()[0] == 0.3  # not 0.225 again
            clock.now += 1
            epochs.update()
            assert seen()[0] == 0.3
            before = file.stat().st_mtime_ns, file.read_text()
            for _ in range(50):
                epochs.set_postfix(a=1)
            assert json.loads(file.read_text())["postfix"] in ("", "a=1")
            # A bar of another process that lives, such as another rank, does not mix with it.
            other = {**json.loads(before[1]), "pid": os.getppid()}
            file.write_text(json.dumps(other) + "\n")
            clock.now += 5
            epochs.refresh()
            assert json.loads(file.read_text()) == other
            file.write_text("{half")
            assert seen()[0] == 0.3
            clock.now += 5
            epochs.refresh()
        assert json.loads(file.read_text())["open"] is False
    assert (
        quiet["file"].getvalue()
        == "epoch:  30%|###       | 3/10 [00:14<00:33, 4.73s/it, a=1, loss=0.5]\n"
    )


def test_the_live_table_shows_it(folder: Path) -> None:
    (folder / "t.py").write_text(
        TRAIN.replace("\n    for step", "\n    import os, time\n    for step").replace(
            "    print",
            "        while epoch == step == 1 and not os.path.exists('go'):\n"
            "            time.sleep(0.02); bar.set_postfix(loss=lr)\n    print",
        )
    )
    command = ["/usr/bin/env", f"PYTHONPATH={on_path()}", sys.executable, "-m", "kogine"]
    shown = Program(
        [*command, "run", "t.py", "--sweep", "lr=0.1,0.2", "--workers", "2"], folder, columns=140
    )
    # 1 of 3 epochs, 1 of 4 steps of the next one
    lines = shown.wait_for(lambda text: text.count("42%") == 2 and text.count("train 1/4") == 2)
    assert lines[1].split()[:3] == ["1/2", "running", "lr=0.1"]
    assert "epoch 1/3, train 1/4, " in lines[1]
    assert lines[2].endswith(", loss=0.2")
    (folder / "go").touch()
    assert shown.end() == 0
    assert not [*folder.glob(".kogine/runs/*/progress.json")]


def on_terminal(folder: Path, text: str, keys: bytes = b"") -> tuple[int, list[str]]:
    (folder / "t.py").write_text(f"import logging, os, sys, threading, time\n{IMPORT}{text}")
    command = ["/usr/bin/env", f"PYTHONPATH={on_path()}", sys.executable, "t.py"]
    shown = Program(command, folder, columns=80)
    if keys:
        shown.wait_for(lambda _: (folder / "ready").exists())
        shown.type(keys)
    status = shown.end()
    assert not shown.screen.cursor.hidden
    lines = [line.rstrip() for line in shown.screen.display]
    return status, [line.partition(" [")[0] for line in lines if line]


FULL = "━━━━━"


def test_a_terminal(folder: Path) -> None:
    text = """\
logging.basicConfig(format="%(message)s")
out = open("out.txt", "w")
for epoch in progress_bar(range(2), desc="epoch"):
    for step in trange(3, desc="[train]", leave=epoch == 0):
        time.sleep(0.02)
        print("step", step)
        print("to a file", file=out)
    print("dots", end="", flush=True)
    time.sleep(0.2)
    print(".")
    logging.warning("logged")
bar = progress_bar(total=2)
bar.write("written")
threads = [threading.Thread(target=lambda: [time.sleep(0.01) for _ in trange(9, desc="thread")])
           for _ in range(2)]
[one.start() for one in threads]; [one.join() for one in threads]
bar.close()
print(sys.stdout, logging.root.handlers[0].stream is sys.stderr)
"""
    status, lines = on_terminal(folder, text)
    assert status == 0
    steps = ["step 0", "step 1", "step 2"]
    assert lines[:3] == steps
    assert lines[3].startswith(f"[train]: {FULL}")
    assert lines[4:11] == ["dots.", "logged", *steps, "dots.", "logged"]
    assert lines[11].startswith(f"epoch: {FULL}")
    assert lines[11].endswith("100% 2/2")
    assert lines[12] == "written"
    assert [line[:12] for line in lines[13:15]] == [f"thread: {FULL[:4]}"] * 2
    assert lines[15].startswith("━")
    assert lines[15].endswith("0% 0/2")
    assert lines[16].startswith("<_io.TextIOWrapper name='<stdout>'")
    assert lines[16].endswith(" True")
    assert len(lines) == 17
    assert (folder / "out.txt").read_text() == "to a file\n" * 6


@pytest.mark.parametrize(
    ("text", "keys", "status", "last"),
    [
        pytest.param(
            "if step == 3: 1 / 0", b"", 1, "ZeroDivisionError: division by zero", id="exception"
        ),
        pytest.param(
            "if step == 3: open('ready', 'w').close(); time.sleep(60)",
            b"\x03",
            -signal.SIGINT,
            "KeyboardInterrupt",
            id="Ctrl-C",
        ),
        pytest.param("if step == 3: sys.exit('bye')", b"", 1, "bye", id="exit"),
    ],
)
def test_a_terminal_after_the_end(
    folder: Path, text: str, keys: bytes, status: int, last: str
) -> None:
    loops = (
        "for epoch in trange(2, desc='epoch'):\n"
        "    for step in trange(5, leave=False):\n"
        f"        print('step', step)\n        time.sleep(0.1)\n        {text}\n"
    )
    ended, lines = on_terminal(folder, loops, keys)
    assert ended == status
    bars = [line for line in lines if "━" in line]
    assert len(bars) == 1, lines
    assert bars[0].startswith("epoch: ━")
    assert bars[0].endswith("0% 0/2")
    assert lines[-1] == last
    assert not [line for line in lines if "kohaku_ast" in line]


def test_a_forked_child_leaves_the_bars_to_its_parent(folder: Path) -> None:
    text = """\
for step in trange(4, desc="parent"):
    if step == 1 and not os.fork():
        for _ in trange(3, desc="child", leave=False): pass
        sys.stdout.write("\\nchild\\n")
        continue
    if step == 1:
        os.wait()
sys.stdout.write("over\\n")
"""
    status, lines = on_terminal(folder, text)
    assert status == 0
    # Of the child no bar is left, and it ends without the one of its parent.
    assert [line[:12].strip("━ ") for line in lines[-2:]] == ["parent:", "over"]
    assert sum(line.startswith("parent:") for line in lines) == 2, lines
    assert lines[-4:-2] == ["child", "over"]


IN_WORKERS = {
    "a pool": """\
from multiprocessing import get_context
def work(name):
    for _ in trange(4, desc=name): time.sleep(0.05)
if __name__ == "__main__":
    with get_context("spawn").Pool(2) as pool:
        for _ in progress_bar(pool.imap(work, ["w1", "w2", "w3"]), total=3, desc="all"): pass
    print("over")
""",
    "nodes": """\
from kohaku_ast import Pipeline, ProgressBar
from kohaku_ast.helpers import process
@process
def w1():
    for _ in trange(4, desc="w1"): time.sleep(0.1)
    print("printed")
@process
def w2():
    for _ in trange(4, desc="w2"): time.sleep(0.1)
if __name__ == "__main__":
    Pipeline([w1, w2], engine="parallel", callbacks=[ProgressBar()], name="all").run()
    print("over")
""",
}


@pytest.mark.parametrize("text", IN_WORKERS.values(), ids=IN_WORKERS)
def test_bars_of_workers_stand_above_the_one_that_is_painted(folder: Path, text: str) -> None:
    status, lines = on_terminal(folder, text)
    assert status == 0
    assert lines[-1] == "over"
    assert sum(line.startswith("all") for line in lines) == 1, lines
    bars = [line for line in lines if line.startswith("w")]
    assert sorted(line[:2] for line in bars) == [f"w{n + 1}" for n in range(len(bars))], lines
    assert all(line.endswith("| 4/4") for line in bars), lines
    assert len(bars) == (3 if "imap" in text else 2)


NESTED = """\
for epoch in progress_bar(range(2), desc='<b>'):
    for step in trange(3, leave=False): pass
    print(epoch)
"""
CELLS = [
    IMPORT + NESTED,
    "for step in trange(4, desc='fails'):\n    if step == 2: 1 / 0",
    "bar = progress_bar(total=4, desc='by hand')\nbar.update(1)",
    "bar.update(3); bar.close()\nfrom kohaku_ast.helpers.bar_state import open_bars; print(open_bars())",
]


@pytest.mark.filterwarnings("ignore")
def test_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kernel(tmp_path)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", on_path())
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="under-test", allow_errors=True
    )
    client.execute(cwd=str(tmp_path))
    bars = [
        [one["data"] for one in cell.outputs if one["output_type"] == "display_data"]
        for cell in notebook.cells
    ]
    texts = [[one["text/plain"].partition(" [")[0] for one in shown] for shown in bars]
    assert texts == [
        ["<b>: 100%|██████████| 2/2", "", ""],
        ["fails:  50%|█████     | 2/4"],
        ["by hand: 100%|██████████| 4/4"],
        [],
    ]
    assert "&lt;b&gt;: " in bars[0][0]["text/html"]
    assert ["firebrick" in one[0]["text/html"] for one in bars[:3]] == [False, True, False]
    printed = [one["text"] for one in notebook.cells[0].outputs if one["output_type"] == "stream"]
    assert printed == ["0\n", "1\n"]
    assert notebook.cells[3].outputs[0]["text"] == "[]\n"


def test_the_import_is_light() -> None:
    text = (
        "import sys; before = {*sys.modules}; from kohaku_ast.helpers import progress_bar\n"
        "print(*sorted({*sys.modules} - before))\n"
        "for _ in progress_bar(range(3)): pass\n"
        "print(*({'rich', 'dataclasses', 'inspect', 'typing', 'threading'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    loaded, heavy = done.stdout.splitlines()
    assert {one for one in loaded.split() if not one.startswith("kohaku_ast")} <= {
        "__future__", "importlib", "importlib._bootstrap", "importlib._bootstrap_external", "warnings",
    }  # fmt: skip
    assert heavy == ""
