"""Long tables of cases: which of them run by default, and which in a run of a sample."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import pytest

_T = TypeVar("_T")


def sample(names: Collection[str], every: int) -> set[str]:
    """About one in *every* of *names*, at least one.

    A digest of the name chooses. By position, each new case would change which others run, and
    bring up some that have never run.
    """
    digests = {name: zlib.crc32(name.encode()) for name in names}
    chosen = {name for name, digest in digests.items() if digest % every == 0}
    return chosen or set(sorted(digests, key=digests.__getitem__)[:1])


def sampled(cases: Mapping[str, _T], every: int) -> list[Any]:
    """The values of *cases* under their names, all but about one in *every* marked exhaustive."""
    chosen = sample(cases, every)
    return [
        pytest.param(case, id=name, marks=[] if name in chosen else [pytest.mark.exhaustive])
        for name, case in cases.items()
    ]
