"""``kogine pipeline run``, and records, of classes that are imperative pipelines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.oracle import run_kogine, run_python
from tests.pipeline.recorded import records, states

FLOW = """\
from __future__ import annotations
from dataclasses import dataclass
from kohaku_ast import DiskCache, Pipeline, script

@dataclass
class Prompt:
    temperature: float = 0.5
    def __call__(self, x: int) -> str:
        return f"{x}@{self.temperature}"

@dataclass
class Other:
    lang: str = "en"
    def __call__(self, x: int) -> str:
        return f"{x} {self.lang}"

class Parse(Pipeline):
    prep: object = script("prep.py", outputs="rows")
    def __call__(self, text: str):
        return [*self.prep(size=2), text]

class Train(Pipeline):
    prompt: Prompt
    parse: Parse
    epochs: int

    class Meta:
        name = "train"
        cache = DiskCache("kept")

    def __call__(self, x: int, is_last: bool = False):
        found = [self.parse(self.prompt(x + number)) for number in range(self.epochs)]
        if is_last:
            found[self.epochs]
        return found

if __name__ == "__main__":
    Train(epochs=1)(3, is_last=True)
"""


def test_a_class_is_run_repeated_and_shown(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "prep.py").write_text("size = 1\nrows = [*range(size)]\n")
    words = ("pipeline", "run", "flow.py", "x=3", "epochs=2")
    first = run_kogine(tmp_path, *words, "prompt.temperature=0.25")
    assert first.stdout == "train = [[0, 1, '3@0.25'], [0, 1, '4@0.25']]\n"
    parent, *scripts = records(tmp_path)
    nodes = ["prompt", "parse", "parse/prep", "prompt#2", "parse#2", "parse#2/prep"]
    assert [*states(parent)] == nodes
    assert {one["name"]: one["kind"] for one in parent["nodes"]} == {
        name: "script" if "prep" in name else "pipeline" if "parse" in name else "function"
        for name in nodes
    }
    assert [one["node"] for one in scripts] == ["parse/prep"], "the second one was cached"
    assert parent["nodes"][2]["runs"] == [scripts[0]["id"]]
    assert (parent["pipeline"]["variable"], parent["label"]) == (
        "Train",
        "epochs=2 prompt.temperature=0.25 x=3",
    )
    assert parent["params"]["prompt.temperature"] == {"json": 0.25}

    again = run_kogine(
        tmp_path, "runs", "repeat", "last", "prompt.temperature=0.75", "prompt=Prompt"
    )
    assert again.stdout == "train = [[0, 1, '3@0.75'], [0, 1, '4@0.75']]\n"
    other = run_kogine(
        tmp_path, *words, "prompt=Other", "prompt.lang=fr", "--to", "prompt#2", "--json"
    )
    assert json.loads(other.stdout) == {"prompt#2": "4 fr"}
    cached = run_kogine(tmp_path, *words, "prompt.temperature=0.25", "--from", "parse#2")
    assert (cached.stdout, [*states(records(tmp_path)[-1]).values()]) == (
        first.stdout, ["cached"] * 4)  # fmt: skip

    (tmp_path / "c.toml").write_text("x = 7\nepochs = 1\n[prompt]\ntemperature = 1\n")
    configured = run_kogine(
        tmp_path, "pipeline", "run", "flow.py", "--config", "c.toml", "epochs=2"
    )
    assert configured.stdout == "train = [[0, 1, '7@1.0'], [0, 1, '8@1.0']]\n"

    for word, text in (
        ("prompt.temprature=1", "prompt: Prompt has no setting 'temprature'. Did you mean"),
        ("promt=1", "promt=1: 'train' has no input and no setting 'promt'. Did you mean 'prompt'"),
    ):
        wrong = run_kogine(tmp_path, *words, word)
        assert (wrong.status, text in wrong.stderr) == (2, True), wrong.stderr


def test_a_traceback_has_the_users_lines_alone(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "prep.py").write_text("size = 1\nrows = [*range(size)]\nrows[9 // (size - 2)]\n")
    done = run_python(tmp_path, "flow.py")
    shown = [one for one in done.stderr.splitlines() if one.startswith("  File ")]
    ours = ("in <listcomp>", "pipeline.py", "imperative.py")  # Python 3.10 shows frames of ours
    places = [one.rpartition("/")[2] for one in shown if not any(name in one for name in ours)]
    assert places == [
        'flow.py", line 38, in <module>',
        'flow.py", line 32, in __call__',
        'flow.py", line 20, in __call__',
        'prep.py", line 3, in <module>',
    ]
    assert "ZeroDivisionError" in done.stderr
    assert "in node 'prep' (prep.py:1), with size=2" in done.stderr
    assert sys.version_info < (3, 11) or "kohaku_ast" not in done.stderr


def test_a_config_has_the_inputs_of_a_graph(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Pipeline, node\n\n@node\ndef half(x: float, by=2):\n"
        "    return x / by\n\np = Pipeline([half])\n"
    )
    (tmp_path / "c.py").write_text(
        "from kohaku_ast import Config\ndef config_gen():\n    return Config(x=3, by=4)\n"
    )
    words = ("pipeline", "run", "flow.py", "--no-record", "--config", "c.py")
    assert run_kogine(tmp_path, *words, "by=1").stdout == "half = 3.0\n"
    (tmp_path / "c.py").write_text(
        "from kohaku_ast import Config\ndef config_gen():\n    return Config(x=3, args=[1])\n"
    )
    wrong = run_kogine(tmp_path, *words)
    assert (wrong.status, "args would have no effect" in wrong.stderr) == (2, True)
