"""Where a run runs: what may explain a different result, and nothing secret."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping

_KEPT = (
    "KOGINE_", "CUDA_", "CUBLAS_", "NVIDIA_", "HIP_", "ROCR_", "NCCL_", "OMP_", "KMP_", "MKL_",
    "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "NUMBA_", "TORCH_", "PYTORCH_", "JAX_", "XLA_",
    "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_ENABLE_", "TF_XLA_", "SLURM_", "PYTHONHASHSEED",
    "PYTHONPATH", "PYTHONOPTIMIZE", "RANK", "LOCAL_RANK", "WORLD_SIZE",
)  # fmt: skip
_SECRET = re.compile(
    "KEY|TOKEN|SECRET|PASS|PWD|CRED|AUTH|JWT|COOKIE|BEARER|PRIVATE|SESSION|SIGNATURE"
)
_SECRET_VALUE = re.compile(
    r"://[^/\s]*@"  # a URL with a password in it
    r"|(?i:token|key|secret|passw\w*|signature)="
    r"|(?i:bearer) "
    r"|\b(sk-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA|eyJ)"  # how they begin
)


def machine() -> dict[str, object]:
    """The same for all runs of a flow."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": os.path.basename(sys.executable or ""),
        "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
        "cpus": _usable_cpus(),
    }


def host() -> str:
    """The name of this machine."""
    return platform.node()


def variables(environment: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Those that change how numbers are computed or say which of many runs this is: of
    *environment*, and of what a run has *own* in their place.
    """
    # By name first: os.environ decodes each value that one looks at.
    names = {name for names in (environment, own) for name in names if name.startswith(_KEPT)}
    found = {name: own[name] if name in own else environment[name] for name in sorted(names)}
    return {name: value for name, value in found.items() if not _is_secret(name, value)}


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET.search(name.upper()) or _SECRET_VALUE.search(value))


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
