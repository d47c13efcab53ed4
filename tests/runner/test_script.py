"""The Python API: ``Script``, ``run`` and what they leave as it was."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

import kohaku_ast
from kohaku_ast import Config, Outcome, Parallel, Script, Sequential, Sweep, UnusedOverride, run
from kohaku_ast.errors import (
    ConfigError,
    EntrypointError,
    KogineError,
    SourceError,
    UnknownTarget,
)

TEXT = """\
import sys
lr = 0.1
double = lr * 2
items = [1]
seen = []
def main(epochs=1, *, tag="t"):
    items.append(epochs)
    seen.append((lr, double, epochs, tag, list(items)))
    return seen[-1]
if __name__ == "__main__":
    main(3)
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "train.py"
    path.write_text(TEXT)
    return str(path)


def test_run_returns_what_the_entry_call_returned(script: str) -> None:
    outcome = run(script, lr=0.5)
    assert isinstance(outcome, Outcome)
    assert outcome.value == (0.5, 1.0, 3, "t", [1, 3])
    assert (outcome.status, outcome.exit_status, outcome.error) == ("succeeded", 0, None)
    assert 0 < outcome.started <= outcome.ended


def test_config_gives_arguments_to_the_entry_call(script: str) -> None:
    config = Config({"lr": 0.2}, kwargs={"epochs": 7, "tag": "new"}, outputs=["double", "lr"])
    outcome = Script(script, config=config).run()
    assert outcome.value == (0.2, 0.4, 7, "new", [1, 7])
    assert outcome.outputs == {"double": 0.4, "lr": 0.2}


def test_positional_arguments(script: str) -> None:
    assert Script(script, Config(args=[9])).run().value[2] == 9  # type: ignore[index]


@pytest.mark.parametrize("name", ["main", ""])
def test_an_entrypoint_is_called_instead_of_the_guard(script: str, name: str) -> None:
    config = Config(kwargs={"epochs": 5} if name else {})
    value = Script(script, config, entrypoint=name).run().value
    assert value[2] == (5 if name else 3)  # type: ignore[index]


def test_values_are_objects(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("f = None\nmodel = None\ny = f(3)\n")
    model = object()
    config = Config({"f": lambda x: x * 2, "model": model}, outputs=["y", "model"])
    outputs = Script(str(tmp_path / "s.py"), config).run().outputs
    assert outputs == {"y": 6, "model": model}


def test_a_list_is_new_in_every_run(script: str) -> None:
    config = Config({"items": [0]})
    values = [Script(script, config).run().value[4] for _ in range(2)]  # type: ignore[index]
    assert values == [[0, 3], [0, 3]]
    assert config.globals_dict["items"] == [0]


def test_load_gives_the_guard_as_a_callable(script: str) -> None:
    loaded = Script(script, Config({"lr": 0.5})).load()
    assert loaded.namespace["double"] == 1.0
    assert loaded.namespace["seen"] == []
    assert [loaded()[2], loaded()[4]] == [3, [1, 3, 3]]  # type: ignore[index]


def test_an_async_guard_returns_its_value(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import asyncio\nasync def main(n=1):\n    return n\n"
        "if __name__ == '__main__':\n    asyncio.run(main())\n"
    )
    assert run(str(tmp_path / "s.py"), **{"main(n)": 4}).value == 4


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param("1 / 0", ZeroDivisionError, id="exception"),
        pytest.param("raise KeyboardInterrupt", KeyboardInterrupt, id="interrupt"),
        pytest.param("import sys; sys.exit(3)", SystemExit, id="exit status"),
        pytest.param("raise SystemExit('text')", SystemExit, id="exit text"),
    ],
)
def test_the_scripts_own_exception_comes_out(
    tmp_path: Path, body: str, error: type[BaseException]
) -> None:
    (tmp_path / "s.py").write_text(body)
    with pytest.raises(error):
        run(str(tmp_path / "s.py"))


def test_exit_zero_is_a_success(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def main(): return 5\nimport sys\nmain()\nsys.exit(0)\n")
    assert run(str(tmp_path / "s.py")).status == "succeeded"


def test_everything_borrowed_is_given_back(tmp_path: Path) -> None:
    (tmp_path / "helper_of_test.py").write_text("x = 1\n")
    (tmp_path / "s.py").write_text(
        "import os, sys, helper_of_test\nsys.argv.append('x')\nsys.path.append('/nowhere')\n"
        "os.chdir('/')\nassert sys.modules['__main__'].__file__ == __file__\n1 / 0\n"
    )
    before = (list(sys.argv), list(sys.path), os.getcwd(), sys.modules["__main__"])
    with pytest.raises(ZeroDivisionError):
        run(str(tmp_path / "s.py"))
    assert (list(sys.argv), list(sys.path), os.getcwd(), sys.modules["__main__"]) == before
    assert "helper_of_test" not in sys.modules


def test_a_package_with_our_own_name_is_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "kohaku_ast").mkdir()
    (tmp_path / "kohaku_ast" / "__init__.py").write_text("x = 1\n")
    (tmp_path / "s.py").write_text(
        "import kohaku_ast\nlr = 0\ndef main():\n    return kohaku_ast.x + lr\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    before = sys.modules["kohaku_ast"]
    assert Script(tmp_path / "s.py").run(Config({"lr": 3})).value == 4
    assert sys.modules["kohaku_ast"] is before


def test_an_unused_override_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("if False:\n    x = 1\n")
    with pytest.warns(UnusedOverride, match="override 'x' was not used: line 2"):
        run(str(tmp_path / "s.py"), x=3)


@pytest.mark.parametrize("mode", ["", "inline", "spawn", "warm"])
def test_an_output_that_is_lacking_is_warned_of(
    tmp_path: Path, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.py").write_text("loss = 1\n")
    script = Script(str(tmp_path / "s.py"), Config(outputs=["los"]))
    message = "output 'los' is lacking: s.py has ended without this global. Did you mean 'loss'?"
    if mode:
        (outcome,) = Sequential(script, mode=mode, record=False).run()
        assert message in capfd.readouterr().err
    else:
        with pytest.warns(UnusedOverride, match="output 'los' is lacking"):
            outcome = script.run()
    assert outcome.outputs == {}


def test_a_failed_script_lacks_no_outputs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.py").write_text("1 / 0\n")
    script = Script(str(tmp_path / "s.py"), Config(outputs=["loss"]))
    Parallel(script, record=False).run()
    assert "lacking" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        pytest.param(Config({"rl": 1}), UnknownTarget, "Did you mean 'lr'", id="near name"),
        pytest.param(Config(kwargs={"epoch": 1}), EntrypointError, "'epochs'", id="near keyword"),
        pytest.param(Config(args=[1, 2]), EntrypointError, "positional", id="too many arguments"),
    ],
)
def test_a_config_that_does_not_fit(
    script: str, config: Config, error: type[KogineError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Script(script, config).run()


SPELLED = """\
import argparse
class Args:
    depth = 2
parser = argparse.ArgumentParser()
parser.add_argument("--bs", type=int, default=4)
args = parser.parse_args([])
def main(epochs=2):
    return Args.depth, args.bs, epochs
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        pytest.param({"depth": 11}, "depth", (11, 4, 2), id="the same spelling"),
        pytest.param({"Args.depth": 11}, "depth", (11, 4, 2), id="a class attribute"),
        pytest.param({"--bs": 11}, "bs", (2, 11, 2), id="an option"),
        pytest.param({"args.bs": 11}, "bs", (2, 11, 2), id="what the parser made"),
        pytest.param({"main(epochs)": 11}, "epochs", (2, 4, 11), id="a default"),
        pytest.param(
            Config({"Args.depth": 1}) | Config(depth=11), "depth", (11, 4, 2), id="a merge"
        ),
    ],
)
def test_a_target_is_given_twice_by_any_spelling(
    tmp_path: Path, config: dict[str, object] | Config, name: str, value: object
) -> None:
    path = tmp_path / "s.py"
    path.write_text(SPELLED)
    over: dict[str, Any] = {name: 12}
    twice = f"{name!r} is given twice: in the config"
    with pytest.raises(ConfigError, match=twice):
        Script(path, config, **over)
    with pytest.raises(ConfigError, match=twice):
        Script(path).run(config, **over)
    if isinstance(config, dict):
        axes = Sweep({target: [one] for target, one in config.items()})
        for sweep in (axes, Config(config) | Sweep({"main(epochs)": [1]})):
            with pytest.raises(ConfigError, match="given twice"):
                Script(path, sweep, **over)
    assert Script(path, config).run().value == value
    # The values of `run` come over those of the Script.
    if config != {"args.bs": 11}:  # beside its option it is an error of its own
        assert Script(path, {name: 12}).run(config).value == value
    other: dict[str, Any] = {"epochs": 5} if name == "depth" else {"depth": 5}
    assert 5 in Script(path, config, **other).run().value  # type: ignore[operator]


def test_a_merge_may_spell_a_target_in_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text(SPELLED)
    merged = Config({"Args.depth": 11}) | Config(depth=12)
    assert Script(path, merged).run().value == (12, 4, 2)
    assert Script(path, merged, bs=7).run().value == (12, 7, 2)


def test_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    with pytest.raises(SourceError, match=r"Did you mean .*train\.py"):
        Script(str(tmp_path / "trian.py"))


def test_parameters(script: str) -> None:
    found = {one.target: one for one in Script(script).parameters}
    assert found["lr"].default == "0.1"
    assert found["double"].derived_from == ("lr",)
    assert found["main(epochs)"].also == (11,)


def test_the_front_door_imports_nothing_by_itself() -> None:
    import subprocess

    program = "import sys, kohaku_ast; print(sorted(n for n in sys.modules if 'kohaku' in n))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(kohaku_ast.__file__).parents[1])},
    )
    assert done.stdout == "['kohaku_ast', 'kohaku_ast.version']\n"
    assert set(kohaku_ast.__all__) <= set(dir(kohaku_ast))


FROZEN = """\
import dataclasses
x = 1
@dataclasses.dataclass(frozen=True)
class Own(Exception):
    n: int
def main():
    raise {error}
if __name__ == '__main__':
    main()
"""


@pytest.mark.parametrize("error", ["Own(x)", "StopIteration(x)", "KeyError(x)"])
@pytest.mark.parametrize("way", ["run", "load", "flow"])
def test_an_exception_comes_out_whatever_its_class(tmp_path: Path, error: str, way: str) -> None:
    path = tmp_path / "s.py"
    path.write_text(FROZEN.format(error=error))
    script = Script(str(path), x=2)
    if way == "flow":
        (outcome,) = Parallel(script, workers=1, mode="spawn", record=False).run()
        assert outcome.error is not None
        assert (outcome.error.type, outcome.error.message) == (error.partition("(")[0], "2")
        return
    with pytest.raises(Exception, match=r"^2$") as raised:
        script.run() if way == "run" else script.load()()
    assert type(raised.value).__name__ == error.partition("(")[0]
    assert "in main" in "".join(traceback.format_exception(raised.value))
