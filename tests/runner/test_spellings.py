"""The ways in which Python code gives values to a Script, against a copy edited by hand."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kohaku_ast
from kohaku_ast import Config, KogineError, Outcome, Parallel, Script, Sequential, Sweep, run
from kohaku_ast.errors import ConfigError, SourceError, UnknownTarget, UsageError

SCRIPT = """\
lr = 0.5
name = "a"
cfg = {"depth": 1}
def main():
    return lr, name, cfg["depth"]
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "t.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return "t.py"


def edited(lr: float = 0.5, name: str = "a", depth: int = 1) -> object:
    """What the script returns under plain Python, with these values written into a copy."""
    text = SCRIPT.replace("0.5", str(lr)).replace('"a"', repr(name)).replace(": 1", f": {depth}")
    Path("copy.py").write_text(text.replace("    main()\n", "    print(main())\n"))
    printed = subprocess.check_output([sys.executable, "copy.py"], text=True)
    return eval(printed)


ONE: list[tuple[str, Callable[[str], Outcome]]] = [
    ("Config(lr=)", lambda path: Script(path, Config(lr=0.1)).run()),
    ("Config(dict)", lambda path: Script(path, Config({"lr": 0.1})).run()),
    ("Script(lr=)", lambda path: Script(path, lr=0.1).run()),
    ("Script(dict)", lambda path: Script(path, {"lr": 0.1}).run()),
    ("script.run(lr=)", lambda path: Script(path).run(lr=0.1)),
    ("script.run(dict)", lambda path: Script(path).run({"lr": 0.1})),
    ("script.run(Config)", lambda path: Script(path).run(Config(lr=0.1))),
    ("run(dict)", lambda path: run(path, {"lr": 0.1})),
    ("run(lr=)", lambda path: run(path, lr=0.1)),
    ("run(Path)", lambda path: run(Path(path), lr=0.1)),
    ("run over its own", lambda path: Script(path, lr=0.2).run(lr=0.1)),
    ("Sequential", lambda path: Sequential(Script(path, lr=0.1), record=False).run()[0]),
    ("inline", lambda path: Sequential(Script(path, lr=0.1), mode="inline", record=False).run()[0]),
    ("workers", lambda path: Parallel(Script(path, lr=0.1), workers=1, record=False).run()[0]),
    ("a list of dicts", lambda path: Sequential(Script(path, [{"lr": 0.1}])).run()[0]),
]


@pytest.mark.parametrize("spell", [pytest.param(one, id=name) for name, one in ONE])
def test_one_override(script: str, spell: Callable[[str], Outcome]) -> None:
    assert spell(script).value == edited(lr=0.1)


def test_load(script: str) -> None:
    assert Script(script).load(lr=0.1)() == edited(lr=0.1)


def test_a_name_of_ours_goes_by_the_dict(script: str) -> None:
    assert Script(script, {"name": "b"}).run().value == edited(name="b")
    assert run(script, {"name": "b", "cfg.depth": 3}, lr=0.1).value == edited(0.1, "b", 3)
    assert Script(script, name="short").name == "short"


KEYS: Any = {1: 2}
SWEEP: Any = Sweep(lr=[1])
DEEP: dict[str, Any] = {"cfg.depth": 7}
MANY: list[tuple[str, Callable[[], Any]]] = [
    ("a Sweep", lambda: Sweep(lr=[1, 2])),
    ("a list", lambda: [Config(lr=1), {"lr": 2}]),
    ("an iterator", lambda: iter([Config(lr=1), {"lr": 2}])),
    ("a generator", lambda: (Config(lr=one) for one in (1, 2))),
    ("a function of nothing", lambda: lambda: [Config(lr=1), Config(lr=2)]),
    ("a function of the Outcomes", lambda: lambda previous: [Config(lr=1), Config(lr=2)]),
    ("a function with a keyword", lambda: lambda *, previous: Sweep(lr=[1, 2])),
]


@pytest.mark.parametrize("make", [pytest.param(one, id=name) for name, one in MANY])
def test_overrides_hold_for_each_config(script: str, make: Callable[[], Any]) -> None:
    flow = Sequential(Script(script, make(), **DEEP), mode="inline", record=False)
    assert [one.value for one in flow.run()] == [edited(1, depth=7), edited(2, depth=7)]


def test_a_generator_function_without_a_parameter(script: str) -> None:
    def configs() -> Any:
        outcome = yield Config(lr=1)
        yield Config(lr=outcome.value[0] + 1)

    found = Sequential(Script(script, config=configs), record=False).run()
    assert [one.value for one in found] == [edited(1), edited(2)]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda s: Config({"lr": 1}, lr=2), id="twice in a Config"),
        pytest.param(lambda s: Script(s, {"lr": 1}, lr=2), id="twice in a Script"),
        pytest.param(lambda s: Script(s, Sweep(lr=[1, 2]), lr=2), id="an axis and a value"),
        pytest.param(lambda s: Script(s).run(KEYS), id="keys that are no targets"),
        pytest.param(lambda s: Script(s).run(SWEEP), id="run() with a Sweep"),
        pytest.param(lambda s: Parallel(s, workers=1, max_workers=1), id="workers twice"),
    ],
)
def test_what_would_be_lost_is_refused(script: str, wrong: Callable[[str], object]) -> None:
    with pytest.raises((ConfigError, UsageError)):
        wrong(script)


@pytest.mark.parametrize(
    "spell",
    [
        lambda path: Script(path, Config(lrr=0.1)).run(),
        lambda path: Script(path, lrr=0.1).run(),
        lambda path: Script(path).run(lrr=0.1),
        lambda path: run(path, {"lrr": 0.1}),
    ],
)
def test_a_typo_is_an_error_with_near_names(script: str, spell: Callable[[str], object]) -> None:
    with pytest.raises(UnknownTarget, match=r"'lrr'.*'lr'"):
        spell(script)


# --- what a Script can be -------------------------------------------------------------------------

PRINTS = "import sys\nlr = 0.5\ndef main():\n    return lr, __name__\nif __name__ == '__main__':\n    main()\n"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "mod.py").write_text("from . import other\n" + PRINTS)
    (tmp_path / "pkg" / "other.py").write_text("")
    go = "lr = 0.5\ndef go(x=1):\n    return lr, __name__\nif __name__ == '__main__':\n    raise SystemExit(5)\n"
    (tmp_path / "pkg" / "calls.py").write_text("from . import other\n" + go)
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "__main__.py").write_text(go)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text("import beside\n" + PRINTS)
    (tmp_path / "folder" / "beside.py").write_text("")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PRINTS)
    (tmp_path / "s.py").write_text(go)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "path", ["pkg.mod", "s.py:go", "pkg.calls:go", "calls:go", "folder", "app.zip"]
)
@pytest.mark.parametrize("mode", ["run", "inline", "spawn", "warm"])
def test_everything_that_the_command_line_runs(places: Path, path: str, mode: str) -> None:
    for lr in (0.1, 0.2):  # twice: runpy has state
        if mode == "run":
            found = Script(path, lr=lr).run()
        else:
            (found,) = Sequential(Script(path, lr=lr), mode=mode, record=False).run()
        assert found.value == (lr, "__main__")
    assert "lr" in [one.target for one in Script(path).parameters]


def test_what_is_no_script_says_so(places: Path) -> None:
    with pytest.raises(SourceError, match=r"can't open file 'gone\.py'"):
        Script("gone.py")
    with pytest.raises(SourceError, match="__main__"):
        Script(str(places / "pkg"))


def test_the_errors_are_ours() -> None:
    assert issubclass(UnknownTarget, KogineError)
    assert kohaku_ast.FlowError.__mro__[1] is RuntimeError


FIELDS = ("origins", "optional", "varied", "ranks", "height", "tables", "siblings", "composed")
"""What a Config knows besides: a script may have globals of these names."""


@pytest.mark.parametrize("value", [3, True, "text", [1, 2], {"a": 1}, (), {1, 2}], ids=repr)
def test_a_name_of_an_inner_field_is_the_scripts(value: object, script: str) -> None:
    names = [name for name in FIELDS if not _may_be_meant(name, value)]
    lines = "".join(f"{name} = None\n" for name in names)
    Path(script).write_text(
        f"{lines}def main():\n    return {', '.join(names)},\nif __name__ == '__main__':\n    main()\n"
    )
    values: dict[str, Any] = dict.fromkeys(names, value)
    for one in (
        Script(script, Config(**values)).run(),
        Script(script, **values).run(),
        run(script, **values),
        Sequential(Script(script, Config(**values))).run()[0],
        Script(script, Config(**values) | Config()).run(),
    ):
        assert one.raise_if_failed().value == tuple(values.values())


def _may_be_meant(name: str, value: object) -> bool:
    """Values that the field itself may have, as the Configs of sweeps do."""
    kinds: dict[str, Any] = {"origins": dict, "varied": (list, tuple)}
    return isinstance(value, kinds.get(name, ()))
