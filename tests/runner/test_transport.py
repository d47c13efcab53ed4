"""What crosses to a worker and back, wherever the caller, its modules and the script lie."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kohaku_ast import Config, Outcome, Script, Sequential
from kohaku_ast.errors import UncrossableValue
from tests.oracle import on_path

SCRIPT = """\
import sys, beside
x = None
how = "x"
class Mine(beside.Thing):
    pass
def main(first=None, second=None):
    if how == "call": return x(3)
    if how == "beside": return beside.Thing(4)
    if how == "mine": return Mine(5)
    if how == "lambda": return lambda n: beside.twice(n)
    if how == "utils": return x(3), beside.utils()
    return x
if __name__ == "__main__":
    main()
"""
BESIDE = """\
class Thing:
    def __init__(self, n): self.n = n
    def __repr__(self): return f"{type(self).__name__}({self.n})"
def twice(n): return 2 * n
def utils():
    import utils
    return utils.whose
"""
HELPER = """\
import functools, threading
import utils
lock = threading.Lock()
class Option:
    def __init__(self, n): self.n = n
    def __eq__(self, other): return type(other) is Option and other.n == self.n
def inc(n): return n + 1
def locked(n):
    with lock: return n + 2
@functools.lru_cache
def cached(n): return n + 3
def whose(n): return utils.whose
"""
CALLER = """\
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from kohaku_ast import Config, Script, Sequential
import helper
MODES = {"threads": lambda: ThreadPoolExecutor(1), "processes": lambda: ProcessPoolExecutor(1)}
class Own(helper.Option):
    pass
if __name__ == "__main__":
    mode = MODES.get(sys.argv[1], lambda: sys.argv[1])()
    config = Config({"x": %s, "how": %r}, outputs=["how"])
    [found] = Sequential(Script("below/script.py", config), mode=mode, record=False).run()
    value = found.value
    print(%s, dict(found.outputs), found.error)
"""
CASES = [
    pytest.param("helper.inc", "call", "value", "4", id="a function of the caller's module"),
    pytest.param("helper.locked", "call", "value", "5", id="a function that uses a lock"),
    pytest.param("helper.cached", "call", "value", "6", id="a function that remembers"),
    pytest.param("helper.Option(7)", "x", "value == helper.Option(7)", "True", id="an object"),
    pytest.param("helper.Option", "x", "value is helper.Option", "True", id="a class"),
    pytest.param("Own(1)", "x", "type(value) is Own", "True", id="an object of the caller's own"),
    pytest.param("helper", "x", "value.inc(1)", "2", id="a module"),
    pytest.param(
        "helper.whose", "utils", "value", "('caller', 'script')", id="two modules of one name"
    ),
    pytest.param("None", "beside", "value", "Thing(4)", id="a result of a module beside"),
    pytest.param("None", "mine", "value", "Mine(5)", id="a result of the script's own"),
    pytest.param("None", "lambda", "value(4)", "8", id="a function as a result"),
]


def _program(folder: Path, given: str, how: str, shown: str) -> list[str]:
    (folder / "below").mkdir()
    (folder / "below" / "script.py").write_text(SCRIPT)
    (folder / "below" / "beside.py").write_text(BESIDE)
    (folder / "below" / "utils.py").write_text("whose = 'script'\n")
    (folder / "utils.py").write_text("whose = 'caller'\n")
    (folder / "helper.py").write_text(HELPER)
    (folder / "caller.py").write_text(CALLER % (given, how, shown))
    return [sys.executable, "caller.py"]


@pytest.mark.parametrize("mode", ["spawn", "warm", "threads", "processes"])
@pytest.mark.parametrize(("given", "how", "shown", "expected"), CASES)
def test_crosses(
    given: str, how: str, shown: str, expected: str, mode: str, tmp_path: Path
) -> None:
    command = [*_program(tmp_path, given, how, shown), mode]
    seen = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    assert (seen.stdout, seen.stderr) == (f"{expected} {{'how': {how!r}}} None\n", "")


class Option:
    """Of a module that no fresh interpreter finds by its name."""

    def __init__(self, n: int) -> None:
        self.n = n


class Once:
    """Can be sent, and then not be made again."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


def _double(n: int) -> int:
    return 2 * n


def _run(folder: Path, mode: str, config: Config, script: str = SCRIPT) -> Outcome:
    (folder / "script.py").write_text(script)
    (folder / "beside.py").write_text(BESIDE)
    flow = Sequential(
        Script(str(folder / "script.py"), config), mode=mode, record=False, on_error="continue"
    )
    [outcome] = flow.run()
    return outcome


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_what_a_test_defines_crosses(mode: str, tmp_path: Path) -> None:
    assert _run(tmp_path, mode, Config({"x": _double, "how": "call"})).value == 6
    assert type(_run(tmp_path, mode, Config({"x": Option(1)})).value) is Option


@pytest.mark.parametrize("mode", ["spawn", "warm"])
@pytest.mark.parametrize(
    ("config", "named"),
    [
        pytest.param(Config({"x": Once()}), "the value of 'x'", id="a global"),
        pytest.param(Config(args=(1, Once())), "argument 2 of main()", id="an argument"),
        pytest.param(Config(new_globals={"y": Once()}), "the value of 'y'", id="a new global"),
    ],
)
def test_a_value_that_cannot_be_made_again_is_named(
    config: Config, named: str, mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = _run(tmp_path, mode, config)
    assert outcome.error is not None
    assert (outcome.status, outcome.exit_status) == ("failed", 1)
    assert outcome.error.type == "UncrossableValue"
    assert outcome.error.message.startswith(f"{named} cannot be made again")
    assert "ValueError: invalid literal for int()" in outcome.error.message
    assert capfd.readouterr().err.startswith(f"kogine: error: {outcome.error.message}\n")


ONCE = """\
class Once:
    def __reduce__(self): return int, ("no number",)
out = None
which = "value"
def main():
    global out
    if which == "out": out = Once()
    else: return Once()
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("mode", ["spawn", "warm"])
@pytest.mark.parametrize(("which", "named"), [("value", "result 'value'"), ("out", "output 'out'")])
def test_a_result_that_cannot_be_made_again_is_named(
    which: str, named: str, mode: str, tmp_path: Path
) -> None:
    outcome = _run(tmp_path, mode, Config({"which": which}, outputs=("out",)), ONCE)
    assert str(outcome.error).startswith(f"UncrossableValue: the {named} cannot be made again")


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_a_value_that_cannot_be_sent_is_named_as_the_user_wrote_it(
    mode: str, tmp_path: Path
) -> None:
    with pytest.raises(UncrossableValue, match=r"^argument 1 of main\(\) .*lock"):
        _run(tmp_path, mode, Config(args=(threading.Lock(),)))
