"""``device``: where a script computes, by what its run was given.

Asks torch only if the script has loaded it, and starts no program.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.helpers.run_context import current_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WANTED = "KOGINE_DEVICE"
"""The variable that names the device: ``cpu``, ``cuda:1``, ``mps``."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_KINDS = ("cpu", "cuda", "mps", "xpu", "hip", "xla", "hpu", "mtia", "vulkan", "meta")
"""Those of torch that people name; where torch is loaded, it knows itself."""


class DeviceManager:
    """Says which device a script computes on."""

    def get_device(self, wanted: str | None = None) -> Any:
        """A ``torch.device`` if the script has loaded torch, else its name.

        In order: *wanted*; the variable ``KOGINE_DEVICE``; a GPU of CUDA (or ROCm), of several the
        one of this worker; Apple's ``mps``; ``cpu``. Raises ValueError for a name that no device
        has, and RuntimeError if torch cannot use the device that was asked for.
        """
        name = wanted if wanted is not None else os.environ.get(WANTED, "")
        torch = sys.modules.get("torch")
        if torch is None or not hasattr(torch, "device"):
            return _checked(name) if name else _without_torch()
        if not name:
            return torch.device(_of_torch(torch))
        try:
            found = torch.device(_checked(name))
        except RuntimeError as error:  # torch's own kinds of devices
            raise ValueError(f"{name!r} is no device: {error}") from None
        _check_usable(torch, found)
        return found

    @property
    def count(self) -> int:
        """The number of GPUs that this process may use, as far as it is known without torch."""
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "cuda"):
            return int(torch.cuda.device_count())
        visible = _visible()
        return _count_of_driver() if visible is None else len(visible)


device_manager = DeviceManager()
"""The device manager of this process."""


def device(wanted: str | None = None) -> Any:
    """``device_manager.get_device(wanted)``."""
    return device_manager.get_device(wanted)


def _checked(name: str) -> str:
    kind, colon, number = name.strip().partition(":")
    is_known = kind in _KINDS if "torch" not in sys.modules else kind.isidentifier()
    if not is_known or (colon and not number.isdecimal()):
        raise ValueError(f"{name!r} is no device: write cpu, cuda, cuda:1 or mps")
    return name.strip()


def _of_torch(torch: Any) -> str:
    if torch.cuda.is_available():
        return _own_gpu(torch.cuda.device_count())
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    return "mps" if mps is not None and mps.is_available() else "cpu"


def _own_gpu(count: int) -> str:
    """The GPU of this worker: several workers that see the same GPUs spread over them."""
    run = current_run()
    worker = run.worker if run is not None and run.worker is not None else 0
    return f"cuda:{worker % count}" if count > 1 and worker else "cuda"


def _check_usable(torch: Any, found: Any) -> None:
    if found.type == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError(f"the device {found} was asked for, and torch finds no GPU")
        count = torch.cuda.device_count()
        if found.index is not None and found.index >= count:
            raise RuntimeError(f"the device {found} was asked for, and torch finds {count} GPUs")
    elif found.type == "mps" and not torch.backends.mps.is_available():
        raise RuntimeError("the device mps was asked for, and torch cannot use it here")


def _without_torch() -> str:
    count = device_manager.count
    if count:
        return _own_gpu(count)
    is_apple = sys.platform == "darwin" and os.uname().machine == "arm64"
    return "mps" if is_apple and _visible() is None else "cpu"


def _visible() -> list[str] | None:
    """The GPUs that the environment allows; None: all."""
    text = os.environ.get(_VISIBLE)
    if text is None:
        return None
    found: list[str] = []
    for name in text.split(","):
        if not name.strip() or name.strip().startswith("-"):
            break  # CUDA reads no further
        found.append(name.strip())
    return found


def _count_of_driver() -> int:
    """The GPUs that NVIDIA's driver shows; 0 without it."""
    try:
        return len(os.listdir("/proc/driver/nvidia/gpus"))
    except OSError:
        return 0
