"""A Ray of two nodes on this machine, each with room for one run.

``python -m tests.executors.ray_cluster PORT`` starts one for Ray Client at PORT, and ends it, and no other
Ray, when its standard input ends.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def main(port: int) -> None:
    """Start it, say so, and end it."""
    utils: Any = import_module("ray.cluster_utils")  # not everybody has it
    node = {"num_cpus": 1, "include_dashboard": False}
    cluster = utils.Cluster(
        initialize_head=True, head_node_args={**node, "ray_client_server_port": port}
    )
    try:
        cluster.add_node(**node)
        print("started", flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
