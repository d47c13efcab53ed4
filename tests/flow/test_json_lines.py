"""JSON for machines: its keys are promised, and nothing else is on standard output."""

from __future__ import annotations

import collections
import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.flow.json_report import JsonLines, as_json
from kohaku_ast.flow.log_watch import new_seen
from kohaku_ast.flow.run import RETRYING, SKIPPED, Summary
from tests.flow.made import failed, running, succeeded
from tests.oracle import on_path, run

PAGE = Path(__file__).parents[2] / "docs/reference/flow-output.md"
EVENTS = ("start", "progress", "retry", "skip", "end", "finish")


def all_events() -> list[dict[str, object]]:
    stream = io.StringIO()
    lines = JsonLines(stream, lambda run: f"again {run.index}")
    one = running(0, log=Path("a/log.txt"), lr=0.5, path=Path("x"))
    lines.on_start(one, 4)
    new_seen(one).metrics["loss"] = math.nan
    lines.on_tick([one], {})
    lines.on_end(succeeded(one, 2.0, model=[1, (2, None)]))
    two = failed(running(1))
    two.state = RETRYING
    lines.on_retry(two, 1.5)
    lines.on_end(failed(two))
    three = running(2)
    three.state = SKIPPED
    lines.on_skip(three)
    lines.on_finish(Summary({"succeeded": 1, "failed": 1, "skipped": 1}, 3.5))
    return [json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()]


def test_events() -> None:
    start, progress, end, retry, end_2, skip, finish = all_events()
    assert [start["event"], progress["event"], end["event"]] == ["start", "progress", "end"]
    assert [retry["event"], end_2["event"], skip["event"]] == ["retry", "end", "skip"]
    assert start["overrides"] == {"lr": 0.5, "path": "x"}
    assert progress["metrics"] == {"loss": "nan"}
    assert (end["state"], end["seconds"], end["outputs"]) == (
        "succeeded",
        2.0,
        {"model": [1, [2, None]]},
    )
    assert end_2["error"] == {
        "type": "ValueError",
        "message": "too big",
        "traceback": "ValueError: too big\n",
    }
    assert (end_2["again"], retry["retry_in"]) == ("again 1", 1.5)
    assert (finish["exit_status"], finish["counts"]) == (
        1,
        {"succeeded": 1, "failed": 1, "skipped": 1},
    )
    assert [(group["count"], group["indexes"]) for group in finish["failures"]] == [(1, [1])]  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", EVENTS)
def test_the_page_names_every_key_and_no_other(event: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    everywhere = keys_of(text, "every line")
    of_runs = set() if event == "finish" else keys_of(text, "every line about a run")
    found = next(one for one in all_events() if one["event"] == event)
    assert set(found) == everywhere | of_runs | keys_of(text, f"`{event}`")


def keys_of(text: str, title: str) -> set[str]:
    """The first column of the table under a heading."""
    section = re.search(
        rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert section, title
    return set(re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE))


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError


class Lies(dict[str, object]):
    def __len__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param((1, 2.5, "a", None, True), [1, 2.5, "a", None, True], id="tuple"),
        pytest.param({"a": {"b": [1]}}, {"a": {"b": [1]}}, id="nested"),
        pytest.param(collections.OrderedDict(a=1), {"a": 1}, id="ordered"),
        pytest.param({1: 2}, "{1: 2}", id="keys that are no text"),
        pytest.param(math.inf, "inf", id="infinite"),
        pytest.param(2**64, str(2**64), id="more than 64 bits"),
        pytest.param(np.float32(0.5), 0.5, id="number of numpy"),
        pytest.param(np.float64(0.5), 0.5, id="another number of numpy"),
        pytest.param(np.array([1, 2]), "array([1, 2])", id="array"),
        pytest.param(Path("a/b"), "a/b", id="path"),
        pytest.param({1, 2}, "{1, 2}", id="set"),
        pytest.param(Loud(), None, id="a repr that raises"),
        pytest.param(Lies(), None, id="a class that raises"),
    ],
)
def test_values(value: object, shown: object) -> None:
    found = as_json(value)
    assert found == shown if shown is not None else isinstance(found, str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_plain_value_can_be_written(value: object) -> None:
    json.dumps(as_json(value), allow_nan=False)


def test_large_values_are_cut() -> None:
    loop: list[object] = []
    loop.append(loop)
    for value in (["x"] * 10**6, "x" * 10**6, loop):
        assert len(json.dumps(as_json(value))) < 21_000


SCRIPT = "import os\nn = 0\nprint('loss:', n / 4, flush=True)\nif n == 2: 1 / 0\n"


def test_nothing_else_is_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    done = run(
        [
            sys.executable,
            "-m",
            "tests.flow.shown_flow",
            "train.py",
            "4",
            "2",
            "--json",
            "--print",
        ],
        tmp_path,
        PYTHONPATH=on_path(),
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in events].count("end") == 4
    assert events[-1]["event"] == "finish"
    assert {one["label"]: one["metrics"] for one in events if one["event"] == "end"} == {
        f"n={n}": {"loss": n / 4} for n in range(4)
    }
    assert "asked for 3\n" in done.stderr
    assert "asked in a shell for 3\n" in done.stderr
    assert done.status == 1


def test_a_reader_that_goes_away_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("n = 0\nopen(f'done-{n}', 'x')\n")
    command = f"{sys.executable} -m tests.flow.shown_flow train.py 6 1 --json | head -n 1"
    done = run(["bash", "-o", "pipefail", "-c", command], tmp_path, PYTHONPATH=on_path())
    assert sorted(path.name for path in tmp_path.glob("done-*")) == [f"done-{n}" for n in range(6)]
    assert (done.status, done.stderr) == (0, "")
