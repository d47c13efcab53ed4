"""``kogine config diff``: where two configs differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.config_command import config, text, write
from tests.oracle import Finished

BASE = "lr = 0.1\nbs = 32\n\n\ndef loss(x):\n    return x * 2\n\n\n_kwargs = {'epochs': 1}\n"


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        pytest.param(BASE, BASE, "", id="equal, functions of both files too"),
        pytest.param(BASE, "\n\n" + BASE, "", id="lines do not count"),
        pytest.param(
            BASE,
            "lr = 0.2\n\n\ndef loss(x):\n    return x * 3\n\n\nseed = 1\n",
            """
            target  a.py  b.py
            lr      0.1   0.2
            bs      32    -
            loss    loss (function)  loss (function)
            seed    -     1

            # kwargs
            epochs  1     -
            """,
            id="changed, gone and new ones",
        ),
        pytest.param("x = 1\n", "x = True\n", "x  1  True", id="types differ"),
        pytest.param("x = [1, (2,)]\n", "x = [1, (2,)]\n", "", id="containers"),
        pytest.param("x = {'a': 1, 'b': 2}\n", "x = {'b': 2, 'a': 1}\n", "x", id="order of a dict"),
        pytest.param("x = float('nan')\n", "x = float('nan')\n", "x", id="nan is not nan"),
        pytest.param(
            "import numpy\nx = numpy.ones(3)\n", "import numpy\nx = numpy.ones(3)\n", "",
            id="arrays",
        ),
        pytest.param(
            '_sweep = {"lr": [1, 2]}\n', '_sweep = {"lr": [1, 3]}\n', "lr      1, 2  1, 3",
            id="axes",
        ),
        pytest.param(
            '_sweep = {"lr": list(range(90))}\n', '_sweep = {"lr": [*range(89), 7]}\n', "run 89",
            id="long axes",
        ),
        pytest.param(
            'bs = 1\n_sweep = {"lr": [1, 2]}\n', 'bs = 2\n_sweep = {"lr": [1, 2]}\n',
            "bs      1     2", id="what holds in every run",
        ),
        pytest.param("lr = 1\n", '_sweep = {"lr": [1]}\n', "# axes", id="a config and a sweep"),
        pytest.param(
            "def config_gen():\n    yield {'lr': 1}\n    yield {'lr': 2}\n",
            "def config_gen():\n    yield {'lr': 1}\n",
            "# run 1", id="generators, run by run",
        ),
    ],
)  # fmt: skip
def test_diff(first: str, second: str, shown: str, tmp_path: Path) -> None:
    write(tmp_path, {"a.py": first, "b.py": second})
    done = config(tmp_path, "diff", "a.py", "b.py")
    assert (done.status, done.stderr) == (int(bool(shown)), "")
    for line in text(shown).splitlines():
        assert " ".join(line.split()) in " ".join(done.stdout.split())
    assert bool(done.stdout) == bool(shown)


def test_values_of_data_files_are_those_of_python(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "lr = 0.001\nname = 'x'\n", "b.yaml": "lr: 1e-3\nname: x\n"})
    assert config(tmp_path, "diff", "a.py", "b.yaml") == Finished(0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["a.py"], "one file given: kogine config diff CONFIG CONFIG", id="one file"),
        pytest.param(["a.py", "no.py"], "'no.py'", id="no such file"),
    ],
)
def test_mistakes(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = config(write(tmp_path, {"a.py": "lr = 1\n"}), "diff", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
