"""The GPUs that the workers of a flow share: which there are, and which one is whose.

``auto`` takes those with the most free memory, then the least used ones, and leases them: another
flow of this user takes others. A lease is a lock, which ends with its process, also by SIGKILL.

State of this process: ``_listed``, what the driver has listed last.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kohaku_ast.errors import UsageError, UsageTypeError
from kohaku_ast.files import Claims
from kohaku_ast.flow.run import Observer, Summary

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
_PREFIXES = ("GPU-", "MIG-")
_LEASES = "gpus.claims"


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine, as the driver lists it."""

    #: Its number by the place on the PCI bus, and the name that stays the same.
    index: str
    uuid: str = ""
    #: Bytes that nobody uses, or 0 if that is not known; and the part of time in which it computes,
    #: in percent.
    free: int = 0
    use: int = 0


def machine_gpus() -> list[Gpu]:
    """The GPUs of this machine, by NVML or else by nvidia-smi; none where there is neither."""
    _listed[:] = _by_nvml() or _by_nvidia_smi()
    return [*_listed]


_listed: list[Gpu] = []
"""Numbers and names stay as they are; memory and use do not."""


def _by_nvml() -> list[Gpu]:
    try:
        import pynvml  # type: ignore[import-not-found,unused-ignore]  # nvidia-ml-py

        pynvml.nvmlInit()
    except Exception:  # it is missing, or the driver is: pynvml has its own kinds of errors
        return []
    found = []
    with suppress(Exception):  # a driver that lacks one of these
        for number in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            uuid = pynvml.nvmlDeviceGetUUID(handle)
            free = int(pynvml.nvmlDeviceGetMemoryInfo(handle).free)
            use = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
            text = uuid.decode() if isinstance(uuid, bytes) else str(uuid)
            found.append(Gpu(str(number), text, free, use))
    return found


_FIELDS = "index,uuid,memory.free,utilization.gpu"


def _by_nvidia_smi() -> list[Gpu]:
    import subprocess

    try:
        done = subprocess.run(
            ["nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.split(",") for line in done.stdout.splitlines() if line.strip())
    return [_gpu_of([cell.strip() for cell in row]) for row in rows]


def _gpu_of(cells: Sequence[str]) -> Gpu:
    index, uuid, free, use = [*cells, "", "", ""][:4]
    # "[N/A]" where the driver does not know.
    megabytes, percent = (int(one) if one.isdecimal() else 0 for one in (free, use))
    return Gpu(index, uuid, megabytes << 20, percent)


def parse_gpus(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs of ``"0,1"``, or of ``"auto"``: all that this process may use, the ones with the
    most free memory first.

    Raises UsageError if there are none.
    """
    if text.strip() != "auto":
        return _checked(text.split(","), text)
    known = machine_gpus()
    if VISIBLE in environment:
        names = _visible(environment[VISIBLE])
    else:
        names = tuple(one.index for one in known)
    if not names:
        raise UsageError(f"--gpus {text}: no GPU found. Name them: --gpus 0,1")
    return tuple(sorted(names, key=lambda name: _rank(name, known)))


def _rank(name: str, known: Iterable[Gpu]) -> tuple[int, int]:
    found = _find(name, known)
    return (0, 0) if found is None else (-found.free, found.use)


def _find(name: str, known: Iterable[Gpu]) -> Gpu | None:
    # CUDA takes the start of a UUID, too.
    return next((one for one in known if one.index == name or _starts(one.uuid, name)), None)


def _starts(uuid: str, name: str) -> bool:
    return name.startswith(_PREFIXES) and uuid.startswith(name)


def _visible(names: str) -> tuple[str, ...]:
    """Those in ``CUDA_VISIBLE_DEVICES``: CUDA stops reading at the first invalid one, ``-1``."""
    found = [one.strip() for one in names.split(",") if one.strip()]
    return tuple(itertools.takewhile(lambda one: not one.startswith("-"), found))


def find_gpus(gpus: Sequence[object] | str) -> tuple[tuple[str, ...], bool]:
    """The GPUs of an argument, ``[0, 1]``, ``"0,1"``, ``"auto"``, and whether it leaves the choice
    to kogine.
    """
    if isinstance(gpus, str):
        return parse_gpus(gpus), gpus.strip() == "auto"
    if not isinstance(gpus, Iterable):
        raise UsageTypeError(f"gpus is a list of numbers or names, or 'auto'; got {gpus!r}")
    listed = list(gpus)
    return (_checked(listed, listed) if listed else ()), False


def _checked(names: Sequence[object], text: object) -> tuple[str, ...]:
    found = tuple(one for one in (str(name).strip() for name in names) if one)
    wrong = [
        one for one in found if not ((one.isascii() and one.isdigit()) or one.startswith(_PREFIXES))
    ]
    if wrong or not found:
        what = f"{wrong[0]!r} is no GPU" if wrong else "none is named"
        raise UsageError(f"--gpus {text}: {what}. Give numbers or names: --gpus 0,1")
    return found


def gpu_variables(name: str) -> dict[str, str]:
    """The variables by which a process sees the GPU *name* alone. Numbers are those of nvidia-smi,
    unless the user, or who started kogine, counts otherwise.
    """
    counts_otherwise = ORDER in os.environ or VISIBLE in os.environ
    return {VISIBLE: name, **({} if counts_otherwise else {ORDER: "PCI_BUS_ID"})}


class GpuLeases(Observer):
    """The GPUs that one flow has for itself, until it ends."""

    def __init__(self, folder: str) -> None:
        """*folder*: that of this user for caches."""
        with suppress(OSError):
            os.makedirs(folder, 0o700, exist_ok=True)
        self._claims = Claims(os.path.join(folder, _LEASES))

    def take(self, gpus: Sequence[str], count: int, chooses: bool) -> tuple[str, ...]:
        """Lease *gpus* and return them. *chooses*: the first *count* that no other flow has.

        Raises UsageError if others have all.
        """
        names = _lease_names(gpus)
        if not chooses:
            for one in gpus:
                self._claims.take(names[one])  # who names it shares it
            return tuple(gpus)
        taken = [one for one in gpus if self._claims.take(names[one])]
        for one in taken[count:]:
            self._claims.give_back(names[one])
        if not taken:
            raise UsageError(
                f"--gpus auto: other flows have all GPUs ({', '.join(gpus)}). Wait for their end, "
                f"or name the GPUs to share: --gpus {gpus[0]}"
            )
        return tuple(taken[:count])

    def on_finish(self, summary: Summary) -> None:
        """Give all back."""
        self._claims.close()


def _lease_names(gpus: Sequence[str]) -> dict[str, str]:
    """GPU -> the name that it has on this machine for all flows, however they call it."""
    import platform

    # To choose them the driver was asked already: nvidia-smi takes up to a second.
    is_known = all(_find(name, _listed) for name in gpus)
    known, host = _listed if is_known else machine_gpus(), platform.node()
    found = {name: _find(name, known) for name in gpus}
    return {name: f"{host}:{one.uuid if one and one.uuid else name}" for name, one in found.items()}
