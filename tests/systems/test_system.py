"""What a system is made of, what is refused, its nodes, engines, picture and files."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.errors import KogineError, SystemsError
from kohaku_ast.systems import (
    Artefact,
    Component,
    Delay,
    Engine,
    Input,
    Node,
    Output,
    System,
    get_engine,
    list_engines,
    register_engine,
)
from kohaku_ast.systems.rebuild import check_recipe, describe, describe_component, make_component
from tests.oracle import on_path, run_kogine
from tests.systems.parts import Add, Count, Keep, Twice

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "systems" / "robot.py"


def subclass(**body: Any) -> Callable[[], object]:
    return lambda: type("Part", (Component,), body)


def any_(value: Any) -> Any:
    return value


def twice_connected() -> None:
    twice = Twice(value=Count().number)
    Count(name="other").number >> twice.value


@dataclasses.dataclass
class NameConfig:
    name: str = ""


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(lambda: Count(frist=1), "no setting and no input 'frist'.* Did you mean 'first'", id="setting"),
        pytest.param(lambda: Twice(value=3), "value is an input of twice: give an output, got 3", id="input"),
        pytest.param(lambda: Count(config=3), "config is a Count.Config, got 3", id="config"),
        pytest.param(lambda: Count(rate=0), "rate is the steps per second, got 0", id="rate"),
        pytest.param(lambda: Count(name="a b"), "'a b' cannot name a component", id="name"),
        pytest.param(lambda: Node("a b"), "'a b' cannot name a node", id="node"),
        pytest.param(lambda: Input(queue=0), "queue is at least 1", id="queue"),
        pytest.param(lambda: Count().number >> any_(Count().number), "count.number >> count.number: an output is connected to an input", id="outputs"),
        pytest.param(lambda: Count.number >> Twice.value, "declared in a class: connect the ports of objects", id="classes"),
        pytest.param(twice_connected, r"twice.value gets messages from count.number already \(tests/systems/test_system.py:\d+\)", id="two sources"),
        pytest.param(subclass(__init__=print), r"Part .* has an __init__: .* setup\(\)", id="init"),
        pytest.param(subclass(Config=int), "Config is no dataclass", id="no dataclass"),
        pytest.param(subclass(Config=NameConfig), "'name' has a meaning already", id="field called name"),
        pytest.param(subclass(setup=Input()), "'setup' has a meaning already", id="port called setup"),
        pytest.param(subclass(step=lambda self: 1, forward=lambda self: 1), "keep one of them", id="two steps"),
        pytest.param(subclass(a=Input(), step=lambda self: 1), "'a' is an input that its step does not take", id="step without input"),
        pytest.param(subclass(step=lambda self, b: 1), "its step takes 'b', which is no input", id="step with more"),
        pytest.param(lambda: System([]), "a system needs a component", id="empty"),
        pytest.param(lambda: System([Count(), Count()]), "two components are called 'count'", id="names"),
        pytest.param(lambda: System([Count(node=Node("n")), Keep(node=Node("n"))]), "two nodes are called 'n'", id="node names"),
        pytest.param(lambda: System([Count()]).get_node("loca"), "unknown node 'loca'.*Did you mean 'local'", id="get_node"),
        pytest.param(lambda: System([Count()]).run(-1), "iterations is at least 0", id="iterations"),
        pytest.param(lambda: System([Count()]).run(1, fast=True), "the native engine has no option 'fast'", id="option"),
        pytest.param(lambda: System([Count()]).run(1, "nativ"), "unknown engine 'nativ'.*Did you mean 'native'", id="engine"),
        pytest.param(lambda: System([Count()]).graph("XY"), "unknown orient 'XY'", id="orient"),
        pytest.param(lambda: Component.of_function(any_(3)), "of_function takes a function, got 3", id="no function"),
        pytest.param(lambda: Component.of_function(len, "obj"), "'obj' is a parameter", id="output called as a parameter"),
    ],
)  # fmt: skip
def test_mistakes_are_refused_where_they_are_made(make: Callable[[], object], text: str) -> None:
    with pytest.raises(KogineError, match=text):
        make()


class Text(Component):
    text = Input(str)

    def step(self, text: str) -> None:
        pass


class Idle(Component):
    out = Output(int)


def misfit() -> list[Component]:
    count = Count()
    text: Any = Text(text=count.number)
    return [count, text]


def cycle() -> list[Component]:
    count, total, twice = Count(), Add(), Twice()
    count.number >> total.a
    total.total >> twice.value
    twice.value_twice >> total.b
    return [count, total, twice]


def no_source() -> list[Component]:
    twice, delay = Twice(), Delay(initial=1)
    twice.value_twice >> delay.value
    delay.delayed >> twice.value
    return [twice, delay]


def no_member() -> list[Component]:
    return [Twice(value=Count().number)]


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        pytest.param(lambda: [Count(), Twice()], ["twice.value is not connected: write count.number >> twice.value"], id="missing"),
        pytest.param(misfit, ["count.number sends int, and text.text takes str"], id="types"),
        pytest.param(cycle, ["add >> twice >> add is a cycle"], id="cycle"),
        pytest.param(no_source, ["twice gets messages from no source", "delay gets messages from no source"], id="no source"),
        pytest.param(no_member, ["count is not among the components of the system"], id="no member"),
        pytest.param(lambda: [Idle()], ["idle: Idle has no step"], id="no step"),
    ],
)  # fmt: skip
def test_issues_of_a_system(make: Callable[[], list[Component]], texts: list[str]) -> None:
    system = System(make())
    found = [str(one) for one in system.validate()]
    assert len(found) == len(texts)
    for one, text in zip(found, texts):
        assert text in one
    with pytest.raises(SystemsError) as caught:
        system.launch()
    for one in found:
        assert one in str(caught.value)


def test_nodes_have_components_and_one_engine() -> None:
    jetson, nuc = Node("jetson", machine="10.0.0.2", engine="other"), Node("nuc")
    count, keep = Count(node=jetson), Keep(node=nuc)
    count.number >> keep.value
    system = System([count, keep], name="pair")
    assert system.get_components_by_node("jetson") == [count]
    assert system.get_components_by_node(nuc) == [keep]
    assert repr(system) == "<system pair: count on jetson (10.0.0.2), keep on nuc>"
    (issue,) = system.validate()
    assert "'jetson' has the engine 'other', and 'nuc' has 'native'" in str(issue)
    with pytest.raises(SystemsError, match="mixed engines"):
        system.launch()
    assert system.run(2, engine="native").steps == {"count": 2, "keep": 2}
    assert 'n1["keep<br/>#64; nuc"]' in system.graph().mermaid
    assert "system pair: 2 components" in system.graph().svg
    assert system._repr_html_() == system.graph()._repr_html_()


class Recorder(Engine):
    """An engine of somebody else's."""

    def compile(self, system: Any, folder: str) -> Artefact:
        return Artefact(system, folder, {})

    def launch(self, artefact: Artefact, iterations: int | None = None, **options: Any) -> Any:
        return artefact.system.name, iterations, options


def test_engines_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register_engine("recorder", Recorder)
    system: Any = System([Count(node=Node("n", engine="recorder"))], name="s")
    assert system.launch(3, colour="red") == ("s", 3, {"colour": "red"})
    info = tmp_path / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[kohaku_ast.engines]\ntheirs = tests.systems.test_system:Recorder\nwrong = json:JSONDecoder\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"native", "recorder", "theirs"} <= {*list_engines()}
    assert isinstance(get_engine("theirs"), Recorder)
    with pytest.raises(KogineError, match="engine 'wrong'"):
        get_engine("wrong")


class Mode(enum.Enum):
    FAST = 1


@dataclasses.dataclass
class Inner:
    sizes: tuple[int, ...] = (1, 2)


@dataclasses.dataclass
class Everything:
    path: Path = Path("a/b")
    mode: Mode = Mode.FAST
    inner: Inner = dataclasses.field(default_factory=Inner)
    limit: float = float("inf")
    maybe: Inner | None = None
    either: int | str = "x"
    names: set[str] = dataclasses.field(default_factory=lambda: {"b", "a"})
    table: dict[str, list[Inner]] = dataclasses.field(default_factory=lambda: {"k": [Inner((3,))]})
    any: Any = None


class Holder(Component):
    Config = Everything
    out = Output(int)

    def step(self) -> int:
        return 1


def test_configs_come_back_from_json() -> None:
    holder = Holder(maybe=Inner((7, 8)), any=[1, {"x": None}], rate=5)
    made = make_component(json.loads(json.dumps(describe_component(holder))))
    assert (type(made), made.name, made.rate, made.config) == (Holder, "holder", 5, holder.config)
    assert check_recipe(holder) == ""
    assert "holder.config.any is a object, which JSON does not hold" in check_recipe(
        Holder(any=object())
    )
    assert "holder.config.any is (1, 2), and would be [1, 2] in another process" in check_recipe(
        Holder(any=(1, 2))
    )
    local = type("Local", (Holder,), {})
    assert "Local of tests.systems.test_system is not found by its name" in check_recipe(local())
    function = Component.of_function(shlex.join, "text")
    assert describe_component(function)["function"] == {"module": "shlex", "name": "join"}


def test_settings_get_other_values() -> None:
    count = Count()
    system = System([count, Keep(value=count.number)])
    system.configure({"count.first": 7, "count.rate": 50})
    assert (count.config.first, count.rate) == (7, 50)
    with pytest.raises(SystemsError, match="rate is the steps per second, got 0"):
        system.configure({"count.rate": 0})
    with pytest.raises(SystemsError, match=r"unknown setting 'keep\.rate'"):  # it is no source
        system.configure({"keep.rate": 5})
    with pytest.raises(SystemsError, match=r"unknown setting 'count.frist'.*'count.first'"):
        system.configure({"count.frist": 7})
    assert describe(system)["connections"] == [["count.number", "keep.value"]]


def test_the_command(tmp_path: Path) -> None:
    robot = str(EXAMPLE)
    done = run_kogine(
        tmp_path, "system", "run", robot, "--iterations", "2", "camera.width=8", "planner.gain=1"
    )
    (tmp_path / "c.toml").write_text("camera = {width = 9, rate = 50}\nplanner.gain = 1\n")
    words = ["system", "run", robot, "--iterations", "2"]
    assert run_kogine(tmp_path, *words, "camera.width=8", "--config", "c.toml") == done
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout == (
        "turn -0.875\nturn +0.094\ncamera: 2 steps\ndetector: 2 steps\nplanner: 2 steps\n"
        "last_turn: 2 steps\nwheels: 2 steps\n"
    )
    done = run_kogine(tmp_path, "system", "run", robot, "camera.width=wide")
    assert (done.status, done.stderr) == (
        2,
        "kogine: error: camera.width: expected int, got 'wide'\n",
    )
    done = run_kogine(tmp_path, "system", "run", robot, "--timeout", "0.3")
    assert (done.status, done.stderr) == (
        1,
        "kogine: error: system 'robot' still runs after 0.3 s\n",
    )
    done = run_kogine(tmp_path, "system", "graph", f"{robot}:camera")
    assert (done.status, done.stderr[:6]) == (2, "kogine")
    assert "'camera' is not a system, it is a Camera. It defines: robot." in done.stderr
    done = run_kogine(tmp_path, "system", "compile", robot, "-o", "build", "camera.speed=1")
    assert (done.status, done.stdout) == (0, "build/system.json\n")
    made = json.loads((tmp_path / "build" / "system.json").read_text())
    assert made["components"][0]["config"] == {"width": 32, "speed": 1}
    assert run_kogine(tmp_path, "system", "graph", robot, "-o", "robot.svg").status == 0
    assert "planner" in (tmp_path / "robot.svg").read_text()


def test_nothing_else_imports_it() -> None:
    text = "import sys, kohaku_ast.helpers, kohaku_ast.pipeline.pipeline, kogine.pipeline\n"
    text += "print([one for one in sys.modules if one.startswith('kohaku_ast.systems')])"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=root / "cli", env={"PYTHONPATH": str(root)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_ctrl_c_stops_the_command(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "from kohaku_ast.systems import System, Timer\nfrom tests.systems.parts import Keep\n"
        "timer, keep = Timer(rate=50), Keep(tags=[])\ntimer.tick >> keep.value\n"
        "keep.config.path = __import__('pathlib').Path('kept')\n"
        "keep.setup = lambda: (type(keep).setup(keep), print('set up', flush=True))\n"
        "system = System([timer, keep])\n"
    )
    command = [sys.executable, str(Path(__file__).parents[1] / "kogine_command.py")]
    started = subprocess.Popen(
        [*command, "system", "run", "endless.py"], cwd=tmp_path, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    assert started.stdout is not None
    with started.stdout:
        assert started.stdout.readline() == b"set up\n"
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == -signal.SIGINT
    kept = (tmp_path / "kept").read_text().split()
    assert kept == [str(one) for one in range(len(kept))]
