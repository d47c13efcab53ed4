"""Who can read what flows leave on disk, and which variables of the environment they keep."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from kohaku_ast.store.environment import variables
from tests.oracle import run_kogine, run_python
from tests.store.made_runs import make_run, write_run

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")

SCRIPT = "api_key = 'none'\nprint(1)\n"


@posix
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--record",), id="one run"),
        pytest.param(("--sweep", "api_key=a,b"), id="sweep in its default mode"),
        pytest.param(("--sweep", "api_key=a,b", "--mode", "spawn", "--workers", "2"), id="spawn"),
        pytest.param(("--sweep", "api_key=a,b", "--mode", "inline"), id="inline"),
    ],
)
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o002])
def test_records_are_for_their_owner_whatever_the_umask(
    tmp_path: Path, words: tuple[str, ...], mask: int
) -> None:
    (tmp_path / "k.py").write_text(SCRIPT)
    before = os.umask(mask)
    try:
        done = run_kogine(tmp_path, "run", "k.py", *words)
    finally:
        os.umask(before)
    assert done.status == 0, done.stderr
    assert open_to_others(tmp_path / ".kogine") == []
    assert len(list(tmp_path.glob(".kogine/runs/*/log.txt"))) == (1 if "--record" in words else 2)


@posix
def test_logs_of_failed_attempts_are_for_their_owner(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text("x = 1\nprint(1)\nraise SystemExit(3)\n")
    run_kogine(tmp_path, "run", "k.py", "--sweep", "x=1", "--retries", "1", "--backoff", "0")
    assert list(tmp_path.glob(".kogine/runs/*/log-1.txt")) != []
    assert open_to_others(tmp_path / ".kogine") == []


@posix
def test_records_of_a_flow_in_python_are_for_their_owner(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text(SCRIPT)
    (tmp_path / "flow.py").write_text(
        "import os\nos.umask(0)\nfrom kohaku_ast import Sequential\n"
        "if __name__ == '__main__': Sequential('k.py').run()\n"
    )
    assert run_python(tmp_path, "flow.py", PYTHONPATH=_packages()).status == 0
    assert open_to_others(tmp_path / ".kogine") == []


@posix
def test_what_a_script_itself_writes_keeps_the_users_umask(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text("x = 1\nopen('own', 'w').close()\n")
    before = os.umask(0o022)
    try:
        run_kogine(tmp_path, "run", "k.py", "--sweep", "x=1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o644


@posix
def test_a_folder_of_older_records_stays_readable_and_gets_private_runs(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text(SCRIPT)
    (tmp_path / ".kogine" / "runs").mkdir(parents=True, mode=0o755)
    run_kogine(tmp_path, "run", "k.py", "--sweep", "api_key=a")
    (run,) = tmp_path.glob(".kogine/runs/*-*")
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".kogine" / "runs").stat().st_mode) == 0o755


def open_to_others(folder: Path) -> list[str]:
    """The files and folders that somebody else may read or write."""
    found = [folder, *folder.rglob("*")]
    return [f"{one} {one.stat().st_mode:o}" for one in found if one.stat().st_mode & 0o077]


def _packages() -> str:
    from tests.oracle import on_path

    return on_path()


SECRETS = [
    "--password s3cr3t",
    "--token s3cr3t",
    "--api-key s3cr3t",
    "train.py --hf_token s3cr3t --lr 1",
    "--passphrase 's3cr3t'",
    "pw:s3cr3t",
    "pw: s3cr3t",
    "pwd=s3cr3t",
    "password: s3cr3t",
    "token:s3cr3t",
    "secret = s3cr3t",
    '{"apiKey": "s3cr3t"}',
    "{'access_token': 's3cr3t'}",
    "xapp-1-s3cr3t",
    "xoxe.xoxp-1-s3cr3t",
    "xoxb-s3cr3t",
    "sk-ant-s3cr3t",
    "hf_s3cr3t",
    "ghp_s3cr3t",
    "github_pat_s3cr3t",
    "glpat-s3cr3t",
    "AKIAs3cr3t",
    "ASIAs3cr3t",
    "AIzas3cr3t",
    "npm_s3cr3t",
    "pypi-s3cr3t",
    "dop_v1_s3cr3t",
    "ya29.s3cr3t",
    "eyJhbGciOi.s3cr3t",
    "Authorization: Basic s3cr3t",
    "Bearer s3cr3t",
    "https://user:s3cr3t@host/x",
    "postgres://u:s3cr3t@db/x",
    "-----BEGIN OPENSSH PRIVATE KEY-----s3cr3t",
    "SharedAccessKey=s3cr3t",
    "AccountKey=s3cr3t",
    "sig=s3cr3t",
]
"""Values that may hold a secret, as people write them."""


@pytest.mark.parametrize("value", SECRETS)
@pytest.mark.parametrize("name", ["KOGINE_X", "SLURM_COMMENT", "NVIDIA_Y"])
def test_a_value_with_a_secret_is_not_kept(name: str, value: str) -> None:
    assert variables({name: value}, {}) == {}


PLAIN = {
    "CUDA_VISIBLE_DEVICES": "0,1",
    "CUDA_HOME": "/usr/local/cuda-12.4",
    "SLURM_JOB_NAME": "token-classification",
    "SLURM_JOB_PARTITION": "gpu",
    "SLURM_SUBMIT_DIR": "/home/me/keypoint/passes",
    "SLURM_JOB_NODELIST": "node[01-04]",
    "SLURM_COMMENT": "pwm: 20 kHz, two passes",
    "OMP_PLACES": "cores",
    "XLA_FLAGS": "--xla_gpu_autotune_level=2 --xla_dump_to=/tmp/x",
    "TORCH_LOGS": "+dynamo,graph_breaks",
    "PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128,expandable_segments:True",
    "NCCL_SOCKET_IFNAME": "eth0",
    "KOGINE_WORKER_ID": "3",
    "PYTHONPATH": "src:lib/tokenizers:keys",
}
"""Values that say how numbers were computed, and are kept."""


@pytest.mark.parametrize(("name", "value"), PLAIN.items())
def test_other_values_are_kept(name: str, value: str) -> None:
    assert variables({name: value}, {}) == {name: value}


def test_no_secret_of_the_environment_reaches_a_record(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_text("x = 1\n")
    run_kogine(
        tmp_path, "run", "k.py", "--record", KOGINE_X="--password s3cr3t",
        SLURM_COMMENT="pw:s3cr3t", NVIDIA_Y="xapp-1-s3cr3t", OMP_PLACES="cores",
    )  # fmt: skip
    (path,) = tmp_path.glob(".kogine/runs/*/run.json")
    assert "s3cr3t" not in path.read_text()
    assert json.loads(path.read_text())["environment"]["variables"]["OMP_PLACES"] == "cores"


@posix
def test_pipes_and_links_among_records_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret of another folder\n")
    root = tmp_path / ".kogine" / "runs"
    made = [make_run(root, number, log="log.txt") for number in range(5)]
    os.mkfifo(made[0] / "log.txt")
    (made[1] / "log.txt").symlink_to(tmp_path / "secret.txt")
    (made[2] / "run.json").unlink()
    os.mkfifo(made[2] / "run.json")
    os.mkfifo(made[3] / "marks.json")
    write_run(made[4], identity=made[4].name[-8:] + "0" * 24, log="../../../secret.txt")
    listed = run_kogine(tmp_path, "runs", "ls", "--json")
    assert [one["number"] for one in json.loads(listed.stdout)] == [4, 3, 2, 1]
    for number in "1234":
        log = run_kogine(tmp_path, "runs", "logs", number)
        assert "secret of" not in log.stdout + log.stderr
