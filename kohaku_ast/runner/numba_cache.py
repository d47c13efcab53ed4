"""numba's cache on disk is keyed by a function's file and text; an overridden global is neither.

On the warm path of runs that may use numba.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.runner.prepared import Prepared

VARIABLE = "NUMBA_CACHE_DIR"
"""Where numba looks for the folder, when it is imported."""


def use_own_numba_cache(prepared: Prepared) -> None:
    """Give runs with these values a cache folder of their own, below the one that is set."""
    from kohaku_ast.transform.program.cache import cache_folder

    base = os.environ.get(VARIABLE) or os.path.join(cache_folder(), "numba")
    os.environ[VARIABLE] = folder = os.path.join(base, _digest(prepared))
    numba = sys.modules.get("numba")
    if numba is not None:  # imported by an earlier run in this process
        numba.config.CACHE_DIR = folder


def _digest(prepared: Prepared) -> str:
    """Equal for equal overrides; of values that cannot be compared, new each time."""
    import hashlib

    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    digest = hashlib.blake2b(digest_size=12)
    for prefix, _, given in prepared.every():
        for target, value in sorted(given.sent.items()):
            try:
                data = cloudpickle.dumps(value)
            except Exception:
                data = os.urandom(16)
            digest.update(f"{prefix}{target}=".encode() + data)
    return digest.hexdigest()
