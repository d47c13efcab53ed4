"""``auto``: warm where that is safe, else spawned; random numbers differ from run to run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.libraries import with_libraries
from tests.oracle import Finished, on_path, run_kogine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and lists threads in /proc")

#: The objects of a warm server are frozen in its forks: docs/explanation/three-modes.md says so.
#: Python 3.12 starts with some hundred frozen ones.
HOW = "import gc; print('forked' if gc.get_freeze_count() > 2000 else 'spawned')\n"
C_THREAD = """\
#include <pthread.h>
#include <unistd.h>
static void *wait_for_ever(void *nothing) { for (;;) pause(); return 0; }
void start(void) { pthread_t one; pthread_create(&one, 0, wait_for_ever, 0); }
"""
OPENMP = """\
int work(void) {
    int sum = 0;
    #pragma omp parallel for reduction(+:sum) num_threads(4)
    for (int i = 0; i < 1000; i++) sum += 1;
    return sum;
}
"""


def library(folder: Path, name: str, text: str) -> None:
    """A library that the interpreter finds, but not beside the script."""
    (folder / "lib" / name).mkdir(parents=True)
    (folder / "lib" / name / "__init__.py").write_text(text)


def shared_object(folder: Path, name: str, text: str, *options: str) -> Path:
    source, made = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(text)
    command = ["cc", "-shared", "-fPIC", "-O0", *options, "-o", str(made), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler for {name}: {error}")
    return made


def doctors_mode(folder: Path) -> str:
    """The mode of a sweep of ``s.py`` as ``kogine doctor`` says it, in the words of HOW."""
    paths = f"{folder / 'lib'}:{on_path()}"
    done = run_kogine(folder, "doctor", "s.py", "--json", PYTHONPATH=paths)
    return {"warm": "forked", "spawn": "spawned"}[json.loads(done.stdout)["mode"]["sweep"]]


def swept(folder: Path, script: str, *words: str) -> Finished:
    (folder / "s.py").write_text(script)
    paths = f"{folder / 'lib'}:{on_path()}"
    return run_kogine(folder, "run", "s.py", "--sweep", "n=1,2", *words, PYTHONPATH=paths)


def test_a_script_of_plain_imports_is_forked(tmp_path: Path) -> None:
    library(tmp_path, "calm", "x = 1\n")
    done = swept(tmp_path, f"import calm\nn = 0\n{HOW}")
    assert (done.stdout, done.status) == ("forked\nforked\n", 0)
    assert "warning" not in done.stderr
    assert doctors_mode(tmp_path) == "forked"


def test_a_library_that_starts_a_thread_of_python_makes_it_spawn(tmp_path: Path) -> None:
    text = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    library(tmp_path, "threaded", text)
    done = swept(tmp_path, f"import threaded\nn = 0\n{HOW}")
    assert (done.stdout, done.status) == ("spawned\nspawned\n", 0)
    assert done.stderr.count("auto: 'threaded' started threads when it was imported") == 1
    assert "each run of s.py gets a fresh interpreter" in done.stderr
    assert doctors_mode(tmp_path) == "spawned"


def test_a_thread_that_keeps_a_process_alive_keeps_nobody_waiting(tmp_path: Path) -> None:
    text = "import threading\nstop = threading.Event()\n"
    text += "threading.Thread(target=stop.wait).start()\n"
    library(tmp_path, "endless", text)
    done = swept(tmp_path, f"import endless\nn = 0\n{HOW}endless.stop.set()\n")
    assert (done.stdout, done.status) == ("spawned\nspawned\n", 0)


def test_a_thread_of_a_c_library_makes_it_spawn(tmp_path: Path) -> None:
    made = shared_object(tmp_path, "threads", C_THREAD)
    library(tmp_path, "native", f"import ctypes\nctypes.CDLL({str(made)!r}).start()\n")
    done = swept(tmp_path, f"import native\nn = 0\n{HOW}")
    assert (done.stdout, done.status) == ("spawned\nspawned\n", 0)
    assert "auto: 'native' started threads" in done.stderr
    assert doctors_mode(tmp_path) == "spawned"


def test_a_pool_of_openmp_is_paused_before_the_fork(tmp_path: Path) -> None:
    made = shared_object(tmp_path, "pool", OPENMP, "-fopenmp")
    library(tmp_path, "pooled", f"import ctypes\nlib = ctypes.CDLL({str(made)!r})\nlib.work()\n")
    # Without the pause the forked process waits for ever for the threads that it has not.
    done = swept(tmp_path, f"import pooled\nn = 0\nprint(pooled.lib.work())\n{HOW}")
    assert (done.stdout, done.status) == ("1000\nforked\n1000\nforked\n", 0), done.stderr
    assert doctors_mode(tmp_path) == "forked"


def test_openblas_is_no_reason_to_spawn(tmp_path: Path) -> None:
    done = swept(
        tmp_path,
        f"import numpy as np\nn = 0\na = np.ones((500, 500))\nprint((a @ a)[0, 0])\n{HOW}",
    )
    assert (done.stdout, done.status) == ("500.0\nforked\n500.0\nforked\n", 0)


def test_warm_that_is_asked_for_stays_warm_and_warns(tmp_path: Path) -> None:
    text = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    library(tmp_path, "threaded", text)
    script = f"import threaded\nn = 0\n{HOW}"
    done = swept(tmp_path, script, "--mode", "warm", "--workers", "1")
    assert done.stdout == "forked\nforked\n"
    assert "warm: 'threaded' started threads" in done.stderr


DRAWS = {
    "random": ("import random", "random.random()", "random.seed(7)"),
    "numpy": ("import numpy as np", "np.random.rand()", "np.random.seed(7)"),
    "numpy generator": (
        "import numpy as np", "np.random.default_rng(seed).random()", "seed = 7"
    ),
    "torch": ("import torch", "torch.rand(1).item()", "torch.manual_seed(7)"),
    "torch with layers": (
        "import torch", "torch.nn.Linear(2, 2).weight.sum().item()", "torch.manual_seed(7)"
    ),
    "jax": (
        "import jax, secrets",
        "jax.random.uniform(jax.random.key(seed or secrets.randbits(31))).item()",
        "seed = 7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["auto", "inline", "spawn"])
@pytest.mark.parametrize("drawn", with_libraries(DRAWS, {name: name.split()[0] for name in DRAWS}))
def test_unseeded_numbers_differ_and_seeded_ones_are_as_seeded(
    tmp_path: Path, drawn: tuple[str, str, str], mode: str
) -> None:
    imports, draw, seed = drawn
    script = f"{imports}\nn = 0\nseed = None\nif n > 2:\n    {seed}\nprint({draw})\n"
    (tmp_path / "s.py").write_text(script)
    words = ["--sweep", "n=1,3,2,4,1", "--mode", mode, "--workers", "1", "--no-record"]
    done = run_kogine(tmp_path, "run", "s.py", *words)
    numbers = done.stdout.split()
    assert len(numbers) == 5, done.stderr
    assert len(set(numbers)) == 4, numbers
    assert numbers[1] == numbers[3]
    (tmp_path / "edited.py").write_text(script.replace("n = 0", "n = 3", 1))
    by_hand = subprocess.run(
        [sys.executable, "edited.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert by_hand.stdout.strip() == numbers[1]
