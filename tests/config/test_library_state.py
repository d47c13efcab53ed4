"""Runs in one process: what a script sets in common libraries does not reach the next one."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import kohaku_ast
from tests.libraries import with_libraries
from tests.oracle import Finished, run_kogine, run_python

#: Name -> the module that has to be installed, what changes its state, and what shows it.
STATES = {
    "figures": (
        "matplotlib",
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt",
        "plt.plot([0, 1]); print('curves', len(plt.gca().lines), plt.get_fignums())",
    ),
    "rcParams": (
        "matplotlib",
        "import matplotlib",
        "print(matplotlib.rcParams['lines.linewidth']); matplotlib.rcParams['lines.linewidth'] += 1",
    ),
    "style": (
        "matplotlib",
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt",
        "print(plt.rcParams['axes.facecolor']); plt.style.use('dark_background')",
    ),
    "default dtype": (
        "torch", "import torch",
        "print(torch.ones(1).dtype); torch.set_default_dtype(torch.float64)",
    ),
    "default device": (
        "torch", "import torch", "print(torch.ones(1).device); torch.set_default_device('meta')",
    ),
    "gradients": (
        "torch", "import torch", "print(torch.is_grad_enabled()); torch.set_grad_enabled(False)",
    ),
    "deterministic": (
        "torch", "import torch",
        ("print(torch.are_deterministic_algorithms_enabled());"
        "torch.use_deterministic_algorithms(True)"),
    ),
    "print options of torch": (
        "torch", "import torch",
        "print(torch.tensor([1 / 3])); torch.set_printoptions(precision=9)",
    ),
    "jax in 64 bits": (
        "jax", "import jax, jax.numpy as jnp",
        "print(jnp.ones(1).dtype); jax.config.update('jax_enable_x64', True)",
    ),
    "jax debugs and promotes": (
        "jax", "import jax",
        ("print(jax.config.jax_debug_nans, jax.config.jax_numpy_rank_promotion);"
        "jax.config.update('jax_debug_nans', True);"
        "jax.config.update('jax_numpy_rank_promotion', 'raise')"),
    ),
    "numpy errors": (
        "numpy", "import numpy as np",
        "print(np.geterr()['divide']); np.seterr(all='raise')",
    ),
    "numpy print options": (
        "numpy", "import numpy as np",
        "print(np.array([1 / 3])); np.set_printoptions(precision=2, suppress=True)",
    ),
    "pandas options": (
        "pandas", "import pandas as pd",
        "print(pd.get_option('display.max_rows')); pd.set_option('display.max_rows', 3)",
    ),
    "sklearn config": (
        "sklearn", "import sklearn",
        ("print(sklearn.get_config()['transform_output']);"
        "sklearn.set_config(transform_output='pandas')"),
    ),
    "decimal": (
        "decimal", "import decimal",
        "print(decimal.getcontext().prec); decimal.getcontext().prec = 5",
    ),
    "locale": (
        "locale", "import locale",
        "print(locale.setlocale(locale.LC_NUMERIC)); locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
    ),
    "start method": (
        "multiprocessing", "import multiprocessing",
        ("print(multiprocessing.get_start_method(allow_none=True));"
        "multiprocessing.set_start_method('spawn')"),
    ),
    "timeout of sockets": (
        "socket", "import socket", "print(socket.getdefaulttimeout()); socket.setdefaulttimeout(3)",
    ),
    "folder of temporary files": (
        "tempfile", "import tempfile", "print(tempfile.tempdir); tempfile.tempdir = '/no'",
    ),
    "fields of csv": (
        "csv", "import csv", "print(csv.field_size_limit()); csv.field_size_limit(9)",
    ),
}  # fmt: skip


NEEDED = {name: needed for name, (needed, _, _) in STATES.items()}


@pytest.mark.parametrize("state", with_libraries(STATES, NEEDED))
def test_three_runs_print_what_one_prints_by_hand(
    tmp_path: Path, state: tuple[str, str, str]
) -> None:
    _, imports, act = state
    (tmp_path / "s.py").write_text(f"{imports}\nk = 1\n{act}\n")
    by_hand: Finished = run_python(tmp_path, "s.py")
    assert by_hand.status == 0, by_hand.stderr
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "k=1,2,3", "--mode", "inline")
    assert done.stdout == 3 * by_hand.stdout
    assert done.status == 0


@pytest.mark.libraries
def test_the_caller_keeps_its_figures_and_settings(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import matplotlib.pyplot as plt, numpy as np, random\nk = 1\n"
        "np.seterr(all='raise'); np.random.seed(1); random.seed(1)\n"
        "plt.rcParams['lines.linewidth'] = 99\nfigures = plt.get_fignums()\nplt.plot([1])\n"
    )
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure()
    random.seed(3)
    expected = random.Random(3).random()
    before = dict(np.geterr()), plt.rcParams["lines.linewidth"], repr(np.random.get_state())
    config = kohaku_ast.Config({"k": 2}, outputs=("figures",))
    outcome = kohaku_ast.Script(str(tmp_path / "s.py"), config).run()
    assert outcome.outputs["figures"] == []
    assert plt.get_fignums() == [figure.number]
    after = dict(np.geterr()), plt.rcParams["lines.linewidth"], repr(np.random.get_state())
    assert after == before
    assert random.random() == expected
    plt.close(figure)


def test_a_loaded_script_keeps_its_state_between_module_and_guard(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import random\nrandom.seed(5)\nfirst = random.random()\n"
        "def main():\n    return random.random()\nif __name__ == '__main__':\n    main()\n"
    )
    by_hand = random.Random(5)
    by_hand.random()
    loaded = kohaku_ast.Script(str(tmp_path / "s.py")).load()
    random.seed(99)
    assert loaded() == by_hand.random()
    assert random.random() == random.Random(99).random()
