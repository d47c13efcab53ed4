"""``args`` of a Config reach ``*args`` of the function that the script starts at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import EntrypointError

HEAD = "def show(*a, **k):\n    print(a, k)\n"
CALLS = [
    # the script's function and call, the args, the call as a person would edit it
    ("def main(*args): show(*args)", "main()", [1, 2, 3], "main(1, 2, 3)"),
    ("def main(*args): show(*args)", "main(7)", [1, 2, 3], "main(1, 2, 3)"),
    ("def main(*args): show(*args)", "main(7, 8, 9)", [1], "main(1, 8, 9)"),
    ("def main(a, *args): show(a, *args)", "main(0)", [1, 2, 3], "main(1, 2, 3)"),
    ("def main(a=0, *args): show(a, *args)", "main()", [1, 2], "main(1, 2)"),
    ("def main(a=0, *args): show(a, *args)", "main()", [1], "main(1)"),
    ("def main(a, *args, k=0): show(a, *args, k=k)", "main(0, k=5)", [1, 2], "main(1, 2, k=5)"),
    ("def main(a, *args, **k): show(a, *args, **k)", "main(0, z=5)", ["x", None], "main('x', None, z=5)"),
    ("def main(a, *args): show(*a, *args)", "main(i for i in 'ab')", [(1, 2), 3], "main((1, 2), 3)"),
    ("def main(*args): show(*args); return 0", "raise SystemExit(main(\n        7,\n    ))", [1, 2], "raise SystemExit(main(1, 2))"),
    ("async def main(*args): show(*args)", "import asyncio; asyncio.run(main())", [1], "import asyncio; asyncio.run(main(1))"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "call", "args", "edited"), CALLS)
@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_they_come_as_in_an_edited_copy(
    tmp_path: Path, function: str, call: str, args: list[object], edited: str, mode: str
) -> None:
    text = f"{HEAD}{function}\nif __name__ == '__main__':\n    {{}}\n"
    (tmp_path / "s.py").write_text(text.format(call))
    (tmp_path / "copy.py").write_text(text.format(edited))
    expected = subprocess.check_output([sys.executable, tmp_path / "copy.py"], text=True)
    script = Script(str(tmp_path / "s.py"), Config(args=args))
    (outcome,) = Sequential(script, mode=mode, record=False).run().raise_if_failed()
    assert outcome.exit_status == 0
    config = tmp_path / "c.py"
    config.write_text(f"_args = {args!r}\n")
    from tests.oracle import run_kogine

    assert run_kogine(tmp_path, "run", "s.py", "-c", "c.py").stdout == expected


@pytest.mark.parametrize(
    ("function", "call", "reason"),
    [
        ("def main(a): pass", "main(0)", "it takes 1"),
        ("def main(a, *, b=2): pass", "main(0)", "it takes 1"),
        ("def main(a, *r): pass", "main(a=0)", "use kwargs"),
        ("def main(a, *r): pass", "main(*[1, 2])", "use kwargs"),
        ("def main(a, *r): pass", "main(0, *[1, 2])", "use kwargs"),
        ("def main(a=0, *r): pass", "main(**{})", "use kwargs"),
        ("def main(*r): pass", "main(*[1, 2])", "override what the call unpacks"),
    ],
)
def test_what_cannot_take_them_says_so(
    tmp_path: Path, function: str, call: str, reason: str
) -> None:
    (tmp_path / "s.py").write_text(f"{function}\nif __name__ == '__main__':\n    {call}\n")
    message = rf"s\.py:3: cannot give 3 positional arguments to .*: {reason}$"
    with pytest.raises(EntrypointError, match=message):
        Script(str(tmp_path / "s.py"), Config(args=[1, 2, 3])).run()


@pytest.mark.parametrize("call", ["main()", "main(*[1, 2])"])
def test_what_takes_no_keywords_says_so(tmp_path: Path, call: str) -> None:
    (tmp_path / "s.py").write_text(f"def main(*r): pass\nif __name__ == '__main__':\n    {call}\n")
    message = r"s\.py:3: main\(\) has no parameter 'x'\. It takes no keywords\.$"
    with pytest.raises(EntrypointError, match=message):
        Script(str(tmp_path / "s.py"), Config(kwargs={"x": 1})).run()
