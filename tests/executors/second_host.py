"""A second host on this machine: a network namespace with an address of its own.

It needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN; its files and processes are those of this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Hosts(NamedTuple):
    """Two addresses that reach each other, and the words before a command of the second host."""

    first: str
    second: str
    enter: tuple[str, ...]


LOOPBACK = Hosts("127.0.0.1", "127.0.0.1", ())


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """This host and a second one; where that is not permitted, this one twice, by loopback. The
    processes of the second one have to end first.
    """
    ip = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    name, number = f"kogine-{os.getpid()}", os.getpid() % 16384
    first, second = (f"10.{128 + number // 256}.{number % 256}.{host}" for host in (1, 2))
    if ip is None or not _did(ip, "netns", "add", name):
        yield LOOPBACK
        return
    near, far = f"kog{number}a", f"kog{number}b"
    inside = ("netns", "exec", name, ip)
    steps = (
        ("link", "add", near, "type", "veth", "peer", "name", far, "netns", name),
        ("address", "add", f"{first}/30", "dev", near),
        ("link", "set", near, "up"),
        (*inside, "address", "add", f"{second}/30", "dev", far),
        (*inside, "link", "set", far, "up"),
        (*inside, "link", "set", "lo", "up"),
    )
    try:
        is_there = all(_did(ip, *words) for words in steps)
        yield Hosts(first, second, (ip, "netns", "exec", name)) if is_there else LOOPBACK
    finally:
        _did(ip, "netns", "delete", name)  # its end of the link goes, too


def _did(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
