"""A SLURM of two nodes on this machine: munged, slurmctld and two slurmd, without systemd.

``python -m tests.executors.slurm_cluster FOLDER`` starts one below FOLDER, prints the variables that
its commands need, and ends it at Ctrl-C or SIGTERM. Debian: ``apt-get install slurm-wlm munge``.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
_SECONDS = 60
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

_CONFIG = """\
ClusterName=kogine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer_batch,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
MinJobAge=60
SlurmdTimeout=300
InactiveLimit=0
JobRequeue=1
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1000 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Inside, it runs, with its files in *folder*; the variables that its commands need.

    Raises FileNotFoundError if a daemon is not installed, RuntimeError if none answers.
    """
    lacking = [name for name in DAEMONS if shutil.which(name, path=_PATH) is None]
    if lacking:
        raise FileNotFoundError(f"{lacking[0]}: apt-get install slurm-wlm munge")
    for name in ("state", "spool-node1", "spool-node2"):
        (folder / name).mkdir(mode=0o700)
    folder.chmod(0o755)
    _write(folder)
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    env = {**os.environ, **variables, "PATH": _PATH}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        with open(folder / f"{words[0]}.txt", "ab") as told:
            started.append(
                subprocess.Popen(words, env=env, cwd=folder, start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=told, stderr=told)
            )  # fmt: skip

    try:
        files = ("--key-file", "--socket", "--pid-file", "--log-file", "--seed-file")
        options = [f"{one}={folder}/munge.{one[2:].partition('-')[0]}" for one in files]
        start("munged", "--foreground", "--force", *options)
        _wait_for((folder / "munge.socket").exists, "munged")
        start("slurmctld", "-D")
        for name in ("node1", "node2"):
            start("slurmd", "-D", "-N", name)
        _wait_for(lambda: _idle(env) == 2, "slurmctld")
        yield variables
    finally:
        for one in reversed(started):
            os.killpg(one.pid, signal.SIGKILL if one is started[0] else signal.SIGTERM)
        for one in started:
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


def _write(folder: Path) -> None:
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    text = _CONFIG.format(
        host=socket.gethostname().partition(".")[0], user=getpass.getuser(), folder=folder,
        ports=_free_ports(3),
    )  # fmt: skip
    (folder / "slurm.conf").write_text(text)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def _idle(env: dict[str, str]) -> int:
    """How many nodes wait for a job."""
    words = ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"]
    return len(subprocess.run(words, env=env, capture_output=True, check=False).stdout.split())


def _wait_for(what: Callable[[], object], name: str) -> None:
    end = time.monotonic() + _SECONDS
    while not what():
        if time.monotonic() > end:
            raise RuntimeError(f"{name} does not answer after {_SECONDS} s: read its log")
        time.sleep(0.1)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell lets background commands ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    place = Path(sys.argv[1]).resolve()
    place.mkdir(parents=True)
    with slurm(place) as given:
        print("\n".join(f"export {name}={value}" for name, value in given.items()), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
