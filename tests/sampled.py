"""Long tables of cases: some of each are always run, the others by ``make exhaustive``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pytest

_T = TypeVar("_T")


def sampled(cases: Mapping[str, _T], every: int) -> list[Any]:
    """The values of *cases* under their names, all but each *every*-th marked exhaustive."""
    return [
        pytest.param(case, id=name, marks=[pytest.mark.exhaustive] if number % every else [])
        for number, (name, case) in enumerate(cases.items())
    ]
