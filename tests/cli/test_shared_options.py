"""Options that kogine and a script share: behind the script they are the script's, whatever the
library and the spelling, as plain Python takes them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kogine.run import run as command

from tests.oracle import run_kogine, run_python

VALUES = {
    "format": "b", "retries": "9", "seed": "9", "mode": "b", "workers": "5", "timeout": "7",
    "threads": "3", "nice": "4", "trials": "t", "sweep": "s", "config": "c", "study": "u",
    "minimize": "m", "gpus": "g", "set": "e", "add": "d", "zip": "z", "backoff": "6",
}  # fmt: skip
"""Options of ``kogine run`` that take a value, by name."""
FLAGS = ("inspect", "all", "modules", "json", "isolate", "resume", "record", "dry-run", "no-record")

ARGPARSE = (
    "import argparse\np = argparse.ArgumentParser()\n"
    + "".join(f"p.add_argument('--{name}', default='a')\n" for name in VALUES)
    + "".join(f"p.add_argument('--{name}', action='store_true')\n" for name in FLAGS)
    + "print(sorted(vars(p.parse_args()).items()))\n"
)
CLICK = (
    "import click\n@click.command()\n"
    + "".join(f"@click.option('--{name}', default='a')\n" for name in VALUES)
    + "".join(f"@click.option('--{name}', is_flag=True)\n" for name in FLAGS)
    + "def main(**given):\n    print(sorted(given.items()))\nif __name__ == '__main__':\n    main()\n"
)
ABSL = (
    "from absl import app, flags\n"
    + "".join(f"flags.DEFINE_string('{name}', 'a', 'x')\n" for name in VALUES)
    + "".join(f"flags.DEFINE_bool('{name.replace('-', '_')}', False, 'x')\n" for name in FLAGS)
    + "def main(argv):\n    own = flags.FLAGS.get_key_flags_for_module(argv[0])\n"
    + "    print(sorted((one.name, one.value) for one in own))\n"
    + "if __name__ == '__main__':\n    app.run(main)\n"
)
LIBRARIES = {"argparse": ARGPARSE, "click": CLICK, "absl": ABSL}


def test_the_table_has_all_options_with_a_value() -> None:
    own = {
        name.lstrip("-")
        for one in command.params
        for name in one.opts
        if name.startswith("--") and not getattr(one, "is_flag", False)
    }
    assert {name for name in VALUES if name not in own} == set()


@pytest.mark.parametrize("spelling", ["=", " "], ids=["with =", "with a blank"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_behind_the_script_they_are_the_scripts(
    library: str, spelling: str, tmp_path: Path
) -> None:
    (tmp_path / "s.py").write_text(LIBRARIES[library])
    words = [f"--{name}{spelling}{value}" for name, value in VALUES.items()]
    dashed = [f"--{name}".replace("-", "_") if library == "absl" else f"--{name}" for name in FLAGS]
    words += [re.sub("^__", "--", one) for one in dashed]
    given = " ".join(words).split()
    plain = run_python(tmp_path, "s.py", *given)
    assert plain.status == 0, plain.stderr
    assert run_kogine(tmp_path, "run", "s.py", *given) == plain
    assert run_kogine(tmp_path, "run", "s.py", "--", *given) == plain


@pytest.mark.parametrize("library", LIBRARIES)
def test_before_the_script_they_are_ours(library: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(LIBRARIES[library])
    done = run_kogine(tmp_path, "run", "--format=b", "s.py")
    assert (done.status, done.stdout) == (2, "")
    assert "'b' is not one of 'table', 'json', 'py'" in done.stderr
