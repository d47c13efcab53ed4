"""Children that joblib and torch start see the overrides of their parent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import Finished, run_kogine, run_python

# What a library says about itself on standard error is not ours to compare.
_ENVIRONMENT = {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}

WORK = """\
import hparams
lr = 0.1
double = lr * 2
class Point:
    size: int = 1
    def __init__(self, x):
        self.x = x
    def moved(self):
        return self.x + double + self.size
def work(n):
    return n * double + Point.size, Point(n).x, hparams.lr
"""


def both(folder: Path, script: str, *command: str) -> tuple[Finished, Finished]:
    """Plain Python on the edited script, kogine on *script*; each after ``-m`` *command*."""
    start = ["-m", *command] if command else []
    (folder / "hparams.py").write_text("lr = 5\n")
    edited = script.replace("lr = 0.1\n", "lr = 0.75\n").replace("size: int = 1", "size: int = 4")
    assert edited.count("0.75") == edited.count("size: int = 4") == 1
    (folder / "s.py").write_text(edited)
    expected = run_python(folder, "-B", *start, "s.py", **_ENVIRONMENT)
    assert expected.status == 0, expected.stderr
    (folder / "hparams.py").write_text("lr = 3\n")
    (folder / "s.py").write_text(script)
    overrides = ["lr=0.75", "Point.size=4", "hparams.lr=5"]
    if command:
        ours = ["-B", *start, "-m", "kogine", "run", "s.py", *overrides]
        return expected, run_python(folder, *ours, **_ENVIRONMENT)
    return expected, run_kogine(folder, "run", "s.py", *overrides, **_ENVIRONMENT)


JOBLIB = {
    "a function": "print(Parallel(n_jobs=2)(delayed(work)(n) for n in range(3)))",
    "results of a class of the script": """
    points = Parallel(n_jobs=2)(delayed(Point)(n) for n in range(3))
    print([(type(point) is Point, point.x, point.size) for point in points])
    """,
    "methods of objects of the script": """
    print(Parallel(n_jobs=2)(delayed(Point(n).moved)() for n in range(3)))
    """,
    "a function that is made in the guard": """
    offset = lr * 100
    print(Parallel(n_jobs=2)(delayed(lambda n: n + offset + Point.size)(n) for n in range(3)))
    """,
    "a pool that runs the script again": """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.backend import get_context
    with ProcessPoolExecutor(2, context=get_context("loky_init_main")) as pool:
        print(list(pool.map(work, range(3))))
    """,
    "multiprocessing backend": """
    print(Parallel(n_jobs=2, backend="multiprocessing")(delayed(work)(n) for n in range(3)))
    """,
}


@pytest.mark.parametrize("start", JOBLIB)
def test_joblib(tmp_path: Path, start: str) -> None:
    script = f'from joblib import Parallel, delayed\n{WORK}if __name__ == "__main__":\n    {JOBLIB[start].strip()}\n'
    expected, got = both(tmp_path, script)
    assert got == expected


def test_joblib_in_this_process_keeps_its_servers_until_its_exit_functions(tmp_path: Path) -> None:
    call = "print(Parallel(n_jobs=2)(delayed(abs)(n) for n in (n, -n)))"
    (tmp_path / "s.py").write_text(f"from joblib import Parallel, delayed\nn = 1\n{call}\n")
    done = run_kogine(tmp_path, "run", "s.py", "--mode", "inline", "--sweep", "n=2,3")
    assert done.stdout == "[2, 2]\n[3, 3]\n"
    assert "resource_tracker" not in done.stderr


SPAWN = """
def child(rank, scale):
    line = f"{rank} {work(rank)} {scale}\\n"
    open(f"{rank}.txt", "w").write(line)
if __name__ == "__main__":
    torch.multiprocessing.spawn(child, args=(lr,), nprocs=2)
    print(open("0.txt").read() + open("1.txt").read())
"""

LOADER = """
from torch.utils.data import DataLoader, Dataset
class Numbers(Dataset):
    factor: float = lr
    def __len__(self):
        return 4
    def __getitem__(self, n):
        return torch.tensor([n * double, self.factor, Point.size, hparams.lr])
def joined(rows):
    return torch.stack(rows) + lr
if __name__ == "__main__":
    loader = DataLoader(Numbers(), batch_size=2, num_workers=2, collate_fn=joined,
                        multiprocessing_context="spawn")
    print(*loader)
"""

DDP = """
import os
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
def main():
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = model(torch.tensor([[float(dist.get_rank() + Point.size)]])).sum() * hparams.lr
    loss.backward()
    optimizer.step()
    mine = torch.tensor([dist.get_rank(), *work(1), *(one.item() for one in model.parameters())])
    every = [torch.empty_like(mine) for _ in range(2)]
    dist.all_gather(every, mine)
    if dist.get_rank() == 0:
        print(every, flush=True)
    dist.barrier()
    os._exit(0)  # gloo's threads abort the process now and then while torch is torn down
if __name__ == "__main__":
    main()
"""

TORCH = {"torch.multiprocessing.spawn": SPAWN, "DataLoader": LOADER}


@pytest.mark.libraries
@pytest.mark.parametrize("start", TORCH)
def test_torch(tmp_path: Path, start: str) -> None:
    expected, got = both(tmp_path, f"import torch\n{WORK}{TORCH[start]}")
    assert got == expected


@pytest.mark.libraries
def test_torchrun(tmp_path: Path) -> None:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    expected, got = both(tmp_path, f"import torch\n{WORK}{DDP}", *torchrun)
    assert (got.status, got.stdout) == (0, expected.stdout), got.stderr
